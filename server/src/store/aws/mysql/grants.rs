//! Coins that the operator gives and takes.

use sqlx::MySqlConnection;

use super::error::DbError;
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_time, stored};
use super::{funds, outbox};
use crate::store::{Funds, Grant, GrantOutcome, GrantRow, Movement, PlayerId};

/// Gives or takes. The player's row lock comes first, so that what follows cannot race.
pub(super) async fn grant(connection: &mut MySqlConnection, grant: &Grant) -> Result<GrantOutcome, DbError> {
    begin(connection).await?;
    let refusal = match attempt(connection, grant).await? {
        Ok(row) => {
            commit(connection).await?;
            return Ok(GrantOutcome::Granted(row));
        }
        Err(refusal) => refusal,
    };
    rollback(connection).await?;
    Ok(refusal)
}

async fn attempt(connection: &mut MySqlConnection, grant: &Grant) -> Result<Result<GrantRow, GrantOutcome>, DbError> {
    let Some(before) = funds::lock(connection, &grant.player).await? else {
        return Ok(Err(GrantOutcome::UnknownPlayer));
    };
    if let Some(bound) = bound(connection, &grant.player, &grant.key).await? {
        return Ok(Err(GrantOutcome::Bound(bound)));
    }
    let movements = match grant.movements(before) {
        Ok(movements) => movements,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let row = grant.row(&movements, stored(grant.at));
    insert(connection, grant, &row).await?;
    apply(connection, grant, &movements).await?;
    Ok(Ok(row))
}

async fn apply(connection: &mut MySqlConnection, grant: &Grant, movements: &[Movement]) -> Result<(), DbError> {
    funds::apply(connection, &grant.player, movements, &grant.grant_id, grant.at).await?;
    outbox::append(connection, &[&grant.event]).await
}

async fn insert(connection: &mut MySqlConnection, grant: &Grant, row: &GrantRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO coin_grants (user_id, idempotency_key, grant_id, payload_hash, coins, reason, balance, owed, \
         granted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(grant.player.as_str())
    .bind(grant.key.as_bytes())
    .bind(&row.grant_id)
    .bind(&row.payload_hash)
    .bind(row.coins)
    .bind(&row.reason)
    .bind(row.after.coins)
    .bind(row.after.owed)
    .bind(row.at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

async fn bound(connection: &mut MySqlConnection, player: &PlayerId, key: &str) -> Result<Option<GrantRow>, DbError> {
    let row = sqlx::query(
        "SELECT grant_id, payload_hash, coins, reason, balance, owed, granted_at FROM coin_grants \
         WHERE user_id = ? AND idempotency_key = ?",
    )
    .bind(player.as_str())
    .bind(key.as_bytes())
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(GrantRow {
            grant_id: get(&row, "grant_id")?,
            coins: get(&row, "coins")?,
            reason: get(&row, "reason")?,
            after: Funds { coins: get(&row, "balance")?, owed: get(&row, "owed")? },
            at: get_time(&row, "granted_at")?,
            payload_hash: get(&row, "payload_hash")?,
        })
    })
    .transpose()
}
