//! Which releases there are, how each stands, and which one `rollback` goes to. Pure.

use jiff::Timestamp;
use serde::Serialize;

use crate::kinds::release::record::{Fate, Record};

/// How a release stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It serves.
    Serving,
    /// `rollback` goes to it.
    Previous,
    /// It served before.
    Earlier,
    /// Its roll-out is under way, or was killed.
    Deploying,
    /// It did not come to serve.
    Failed,
    /// It served, and somebody went back to an earlier one.
    RolledBack,
}

impl Standing {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Previous => "previous",
            Self::Earlier => "earlier",
            Self::Deploying => "deploying",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
        }
    }
}

/// A line of `releases`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// SHA-256 of the binary.
    pub release: String,
    /// When it was deployed last.
    pub at: Timestamp,
    /// The ARN of who did; empty where that is not known.
    pub by: String,
    /// How it stands.
    pub result: Standing,
    /// Why it failed or was rolled back.
    pub reason: Option<String>,
}

/// Why a release cannot be gone back to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChoiceError {
    /// There is none before.
    #[error("there is no release before {0} that served well")]
    NoneBefore(String),
    /// The bucket has none of this name.
    #[error("there is no release whose hash begins with {0}")]
    Unknown(String),
    /// More than one.
    #[error("more than one release has a hash that begins with {0}")]
    Ambiguous(String),
}

/// Every release with its standing; `records` with the last one first.
pub fn lines(records: &[Record], serving: &str) -> Vec<Line> {
    let previous = previous(records, serving).map(|record| record.release.as_str()).unwrap_or_default();
    let standing = |record: &Record| match record.fate {
        _ if record.release == serving => Standing::Serving,
        _ if record.release == previous => Standing::Previous,
        Fate::Good => Standing::Earlier,
        Fate::Deploying => Standing::Deploying,
        Fate::Failed => Standing::Failed,
        Fate::RolledBack => Standing::RolledBack,
    };
    let line = |record: &Record| Line {
        release: record.release.clone(),
        at: record.at,
        by: record.by.clone(),
        result: standing(record),
        reason: record.reason.clone(),
    };
    records.iter().map(line).collect()
}

/// The last release before `serving` that served well.
pub fn previous<'a>(records: &'a [Record], serving: &str) -> Option<&'a Record> {
    let limit = records.iter().find(|record| record.release == serving).map_or(Timestamp::MAX, |record| record.at);
    records.iter().find(|record| record.release != serving && record.fate == Fate::Good && record.at < limit)
}

/// The release to go back to: the one named by (the beginning of) its hash, else the previous one.
pub fn choose<'a>(records: &'a [Record], serving: &str, named: Option<&str>) -> Result<&'a Record, ChoiceError> {
    let Some(named) = named else {
        return previous(records, serving).ok_or_else(|| ChoiceError::NoneBefore(short(serving).to_owned()));
    };
    let mut fitting = records.iter().filter(|record| record.release.starts_with(named));
    match (fitting.next(), fitting.next()) {
        (Some(record), None) => Ok(record),
        (None, _) => Err(ChoiceError::Unknown(named.to_owned())),
        (Some(_), Some(_)) => Err(ChoiceError::Ambiguous(named.to_owned())),
    }
}

/// The beginning of a hash, for people.
pub fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(release: &str, minute: i64, fate: Fate) -> Record {
        let at = Timestamp::from_second(minute * 60).unwrap();
        Record { release: release.into(), at, by: String::new(), fate, reason: None, attempt: String::new() }
    }

    fn standings(records: &[Record], serving: &str) -> Vec<Standing> {
        lines(records, serving).into_iter().map(|line| line.result).collect()
    }

    #[test]
    fn a_failed_release_is_not_gone_back_to() {
        let records = [record("c", 3, Fate::Failed), record("b", 2, Fate::Good), record("a", 1, Fate::Good)];
        assert_eq!(standings(&records, "b"), [Standing::Failed, Standing::Serving, Standing::Previous]);
        assert_eq!(choose(&records, "b", None).unwrap().release, "a");
        assert_eq!(choose(&records, "a", None), Err(ChoiceError::NoneBefore("a".into())));
    }

    #[test]
    fn going_back_twice_goes_further_back() {
        let records = [
            record("d", 4, Fate::Good),
            record("c", 3, Fate::RolledBack),
            record("b", 2, Fate::Good),
            record("a", 1, Fate::Good),
        ];
        assert_eq!(choose(&records, "d", None).unwrap().release, "b");
        assert_eq!(choose(&records, "b", None).unwrap().release, "a");
        assert_eq!(
            standings(&records, "b"),
            [Standing::Earlier, Standing::RolledBack, Standing::Serving, Standing::Previous]
        );
    }

    #[test]
    fn a_release_is_named_by_the_beginning_of_its_hash() {
        let records = [record("ab1", 2, Fate::Failed), record("ab2", 1, Fate::Good)];
        assert_eq!(choose(&records, "ab2", Some("ab1")).unwrap().release, "ab1");
        assert_eq!(choose(&records, "ab2", Some("ab")), Err(ChoiceError::Ambiguous("ab".into())));
        assert_eq!(choose(&records, "ab2", Some("f")), Err(ChoiceError::Unknown("f".into())));
    }
}
