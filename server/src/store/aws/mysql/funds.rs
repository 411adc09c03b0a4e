//! What a player has and owes. Whoever changes it holds the player's row lock from [`lock`] to the commit.

use jiff::Timestamp;
use sqlx::{MySqlConnection, Row};

use super::coins::{Entry, book};
use super::error::DbError;
use crate::store::{Funds, Movement, PlayerId};

/// What the player has and owes; it stays so until the transaction ends. Unset: no such player.
pub(super) async fn lock(connection: &mut MySqlConnection, player: &PlayerId) -> Result<Option<Funds>, DbError> {
    read(connection, player, "SELECT coins, owed FROM players WHERE user_id = ? FOR UPDATE").await
}

/// What the player has and owes, as of the last commit.
pub(super) async fn of(connection: &mut MySqlConnection, player: &PlayerId) -> Result<Option<Funds>, DbError> {
    read(connection, player, "SELECT coins, owed FROM players WHERE user_id = ?").await
}

async fn read(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    sql: &'static str,
) -> Result<Option<Funds>, DbError> {
    let row = sqlx::query(sql).bind(player.as_str()).fetch_optional(connection).await?;
    row.map(|row| Ok(Funds { coins: row.try_get("coins")?, owed: row.try_get("owed")? })).transpose()
}

/// Writes movements into the ledger and what they lead to into the player's row.
pub(super) async fn apply(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    movements: &[Movement],
    reference: &str,
    at: Timestamp,
) -> Result<(), DbError> {
    let Some(last) = movements.last() else { return Ok(()) };
    sqlx::query("UPDATE players SET coins = ?, owed = ? WHERE user_id = ?")
        .bind(last.after.coins)
        .bind(last.after.owed)
        .bind(player.as_str())
        .execute(&mut *connection)
        .await?;
    let entries: Vec<_> = movements.iter().map(|&movement| Entry { player, movement, reference, at }).collect();
    book(connection, &entries).await
}
