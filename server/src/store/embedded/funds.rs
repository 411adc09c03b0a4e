//! What a player has and owes, in SQLite. Whoever changes it holds the write lock.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::{
    coins::Line,
    db::{column, failed},
};
use crate::store::{Funds, Movement, PlayerId, StoreError};

/// What the player has and owes. Unset: no such player.
pub(super) async fn of(tx: &mut Transaction<'_, Sqlite>, player: &PlayerId) -> Result<Option<Funds>, StoreError> {
    let row = sqlx::query("SELECT coins, owed FROM players WHERE id = ?")
        .bind(player.as_str())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("read the balance"))?;
    row.map(|row| Ok(Funds { coins: column(&row, "coins")?, owed: column(&row, "owed")? })).transpose()
}

/// Writes movements into the ledger and what they lead to into the player's row.
pub(super) async fn apply(
    tx: &mut Transaction<'_, Sqlite>,
    player: &PlayerId,
    movements: &[Movement],
    reference: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(last) = movements.last() else { return Ok(()) };
    sqlx::query("UPDATE players SET coins = ?, owed = ? WHERE id = ?")
        .bind(last.after.coins)
        .bind(last.after.owed)
        .bind(player.as_str())
        .execute(&mut **tx)
        .await
        .map_err(failed("write the balance"))?;
    for movement in movements {
        Line { player, movement: *movement, at, reference }.insert(tx).await?;
    }
    Ok(())
}
