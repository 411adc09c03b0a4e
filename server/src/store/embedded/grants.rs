//! Coins that the operator gives and takes, in SQLite.

use sqlx::{Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    db::{Db, column, failed, timestamp},
    funds, outbox,
};
use crate::store::{Funds, Grant, GrantOutcome, GrantRow, StoreError};

pub(super) async fn grant(db: &Db, grant: &Grant) -> Result<GrantOutcome, StoreError> {
    let mut tx = db.write("grant").await?;
    let bound = sqlx::query("SELECT * FROM grants WHERE player = ? AND idempotency_key = ?")
        .bind(grant.player.as_str())
        .bind(&grant.key)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed("grant"))?;
    if let Some(row) = bound {
        return Ok(GrantOutcome::Bound(grant_row(&row)?));
    }
    let Some(before) = funds::of(&mut tx, &grant.player).await? else {
        return Ok(GrantOutcome::UnknownPlayer);
    };
    let movements = match grant.movements(before) {
        Ok(movements) => movements,
        Err(refusal) => return Ok(refusal),
    };
    let row = grant.row(&movements, grant.at);
    funds::apply(&mut tx, &grant.player, &movements, &grant.grant_id, grant.at).await?;
    insert(&mut tx, grant, &row).await?;
    outbox::insert(&mut tx, std::slice::from_ref(&grant.event)).await?;
    tx.commit().await.map_err(failed("grant"))?;
    Ok(GrantOutcome::Granted(row))
}

fn grant_row(row: &SqliteRow) -> Result<GrantRow, StoreError> {
    Ok(GrantRow {
        grant_id: column(row, "id")?,
        coins: column(row, "coins")?,
        reason: column(row, "reason")?,
        after: Funds { coins: column(row, "balance")?, owed: column(row, "owed")? },
        at: timestamp(row, "at")?,
        payload_hash: column(row, "payload_hash")?,
    })
}

async fn insert(tx: &mut Transaction<'_, Sqlite>, grant: &Grant, row: &GrantRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO grants (id, player, idempotency_key, payload_hash, coins, reason, balance, owed, at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.grant_id)
    .bind(grant.player.as_str())
    .bind(&grant.key)
    .bind(&row.payload_hash)
    .bind(row.coins)
    .bind(&row.reason)
    .bind(row.after.coins)
    .bind(row.after.owed)
    .bind(row.at.as_microsecond())
    .execute(&mut **tx)
    .await
    .map_err(failed("grant"))?;
    Ok(())
}
