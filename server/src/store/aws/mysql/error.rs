//! What a database error means for who gets it.

use sqlx::mysql::MySqlDatabaseError;

use crate::store::StoreError;

/// The store's name in errors.
pub(super) const STORE: &str = "database";

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DbError {
    /// The driver's or the server's error.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(std::time::Duration),
    /// A row that cannot be read.
    #[error("unreadable: {0}")]
    Corrupt(String),
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The connection is good; the transaction lost a race.
    Conflict,
    /// The connection is worth nothing any more.
    Broken,
    /// As [`Verdict::Broken`], and so is every connection opened before now: this server only reads.
    ReadOnly,
    /// Trying again will not help.
    Lasting,
}

impl DbError {
    /// Judges the error.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::TimedOut(_) => Verdict::Broken,
            Self::Corrupt(_) => Verdict::Lasting,
            Self::Sql(error) => verdict(error),
        }
    }

    /// The error of the port.
    pub fn into_store(self, operation: &'static str) -> StoreError {
        match (self.verdict(), self) {
            (_, Self::Corrupt(what)) => StoreError::Corrupt { store: STORE, what },
            (Verdict::Lasting, Self::Sql(error)) => StoreError::failed(STORE, operation, error),
            (_, Self::Sql(error)) => StoreError::unavailable(STORE, operation, error),
            (_, error @ Self::TimedOut(_)) => StoreError::unavailable(STORE, operation, error),
        }
    }
}

fn verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(database) => {
            database.try_downcast_ref::<MySqlDatabaseError>().map_or(Verdict::Lasting, |e| by_number(e.number()))
        }
        // What TLS says of a certificate it does not accept.
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => Verdict::Lasting,
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Verdict::Broken,
        _ => Verdict::Lasting,
    }
}

fn by_number(number: u16) -> Verdict {
    match number {
        // Lock wait timeout, deadlock, changed since read (MariaDB's snapshot isolation).
        1205 | 1213 | 1020 => Verdict::Conflict,
        // --read-only, read-only transaction, read-only mode: a primary that is none any more.
        1290 | 1792 | 1836 => Verdict::ReadOnly,
        // Too many connections, shutdown, aborted and killed connections, network errors, interrupted query, commit
        // failed, idle too long.
        1040 | 1053 | 1152..=1161 | 1180 | 1184 | 1203 | 1317 | 1927 | 3169 | 4031 => Verdict::Broken,
        _ => Verdict::Lasting,
    }
}

/// Whether a row with this key was there already.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if e.is_unique_violation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failover_errors_drop_the_connection_and_races_do_not() {
        for number in [1290, 1792, 1836] {
            assert_eq!(by_number(number), Verdict::ReadOnly);
        }
        for number in [1205, 1213] {
            assert_eq!(by_number(number), Verdict::Conflict);
        }
        for number in [1053, 1158, 1927, 4031] {
            assert_eq!(by_number(number), Verdict::Broken);
        }
        for number in [1045, 1062, 1064, 1146, 1406] {
            assert_eq!(by_number(number), Verdict::Lasting);
        }
    }

    #[test]
    fn lost_connections_are_transient_for_the_caller() {
        let lost = DbError::Sql(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(lost.into_store("a test").is_transient());
        assert!(DbError::TimedOut(std::time::Duration::from_secs(1)).into_store("a test").is_transient());
        assert!(!DbError::Corrupt("a row".to_owned()).into_store("a test").is_transient());
    }
}
