//! Reading and writing rows.

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{Decode, MySql, Row, Type};

use super::error::DbError;
use crate::store::PlayerId;

/// Rows of one statement at most.
pub(super) const MOST_ROWS: usize = 64;

/// Cuts rows into runs of 64, 32, ... 1: few different statements, so that each stays prepared.
pub(super) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = match rows.len() {
            0 => return None,
            n if n >= MOST_ROWS => MOST_ROWS,
            n => 1 << n.ilog2(),
        };
        let (run, rest) = rows.split_at(size);
        rows = rest;
        Some(run)
    })
}

/// `(?, ?), (?, ?)`: places for rows of values.
pub(super) fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", places(columns));
    vec![row; rows].join(", ")
}

/// `?, ?`
pub(super) fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// A column's value.
pub(super) fn get<'r, T>(row: &'r MySqlRow, column: &str) -> Result<T, DbError>
where
    T: Decode<'r, MySql> + Type<MySql>,
{
    Ok(row.try_get(column)?)
}

/// A time in microseconds.
pub(super) fn get_time(row: &MySqlRow, column: &str) -> Result<Timestamp, DbError> {
    let micros: i64 = get(row, column)?;
    Timestamp::from_microsecond(micros).map_err(|_| DbError::Corrupt(format!("{column} {micros}")))
}

/// A player's id.
pub(super) fn get_player(row: &MySqlRow, column: &str) -> Result<PlayerId, DbError> {
    let text: &str = get(row, column)?;
    PlayerId::parse(text).ok_or_else(|| DbError::Corrupt(format!("{column} {text}")))
}

/// A slot; -1 is none.
pub(super) fn get_slot(row: &MySqlRow, column: &str) -> Result<Option<u8>, DbError> {
    let slot: i16 = get(row, column)?;
    if slot == NO_SLOT {
        return Ok(None);
    }
    u8::try_from(slot).map(Some).map_err(|_| DbError::Corrupt(format!("{column} {slot}")))
}

const NO_SLOT: i16 = -1;

/// A slot as it is stored.
pub(super) fn slot_value(slot: Option<u8>) -> i16 {
    slot.map_or(NO_SLOT, i16::from)
}

/// What is left of a time when it has been stored.
pub(super) fn stored(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_every_row_once_in_order() {
        for count in 0..200_usize {
            let rows: Vec<_> = (0..count).collect();
            let cut: Vec<_> = runs(&rows).collect();
            assert_eq!(cut.concat(), rows);
            assert!(cut.iter().all(|run| run.len().is_power_of_two() && run.len() <= MOST_ROWS));
        }
    }

    #[test]
    fn places_for_values() {
        assert_eq!(values(2, 3), "(?, ?, ?), (?, ?, ?)");
        assert_eq!(slot_value(None), -1);
        assert_eq!(slot_value(Some(255)), 255);
    }
}
