//! Coins: the ledger and purchases. Whoever changes a balance holds the player's row lock until the commit, so a
//! player's movements are one after the other and the ledger's sum is the balance.

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row};

use super::error::{DbError, is_duplicate};
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_slot, get_time, slot_value, stored};
use super::{funds, outbox};
use crate::store::{Funds, LedgerEntry, PlayerId, PurchaseOrder, PurchaseOutcome, PurchaseRow};

/// A movement to write down.
pub(super) struct Entry<'a> {
    pub player: &'a PlayerId,
    pub delta: i64,
    pub after: Funds,
    pub reason: &'a str,
    pub reference: &'a str,
    pub at: Timestamp,
}

/// Writes a movement into the ledger.
pub(super) async fn book(connection: &mut MySqlConnection, entry: &Entry<'_>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO coin_ledger (user_id, delta, balance, owed, reason, reference, booked_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(entry.player.as_str())
    .bind(entry.delta)
    .bind(entry.after.coins)
    .bind(entry.after.owed)
    .bind(entry.reason)
    .bind(entry.reference)
    .bind(entry.at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// Buys. The debit comes first and takes the row lock, so that what follows cannot race; the key is looked up only
/// when it is needed: when the debit or the purchase row is refused.
pub(super) async fn buy(connection: &mut MySqlConnection, order: &PurchaseOrder) -> Result<PurchaseOutcome, DbError> {
    begin(connection).await?;
    let debit = sqlx::query("UPDATE players SET coins = LAST_INSERT_ID(coins - ?) WHERE user_id = ? AND coins >= ?")
        .bind(order.price)
        .bind(order.player.as_str())
        .bind(order.price)
        .execute(&mut *connection)
        .await?;
    if debit.rows_affected() == 0 {
        rollback(connection).await?;
        return refused(connection, order).await;
    }
    let row = PurchaseRow {
        purchase_id: order.purchase_id.clone(),
        item_id: order.item_id.clone(),
        slot: order.slot,
        price: order.price,
        balance: debit.last_insert_id().cast_signed(),
        at: stored(order.at),
        payload_hash: order.payload_hash.clone(),
    };
    match insert_purchase(connection, order, &row).await {
        Ok(()) => {}
        Err(DbError::Sql(error)) if is_duplicate(&error) => {
            rollback(connection).await?;
            let bound = purchase(connection, &order.player, &order.key).await?.ok_or(error)?;
            return Ok(PurchaseOutcome::Bound(bound));
        }
        Err(error) => return Err(error),
    }
    sqlx::query(
        "INSERT INTO items (user_id, item_id, slot, quantity) VALUES (?, ?, ?, 1) \
         ON DUPLICATE KEY UPDATE quantity = quantity + 1",
    )
    .bind(order.player.as_str())
    .bind(&order.item_id)
    .bind(slot_value(order.slot))
    .execute(&mut *connection)
    .await?;
    // Who had coins owes nothing; what is free can be had by who owes.
    let owed = if order.price > 0 { 0 } else { funds::of(connection, &order.player).await?.unwrap_or_default().owed };
    let entry = Entry {
        player: &order.player,
        delta: -order.price,
        after: Funds { coins: row.balance, owed },
        reason: "purchase",
        reference: &order.purchase_id,
        at: order.at,
    };
    book(connection, &entry).await?;
    outbox::append(connection, &[&order.event]).await?;
    commit(connection).await?;
    Ok(PurchaseOutcome::Granted(row))
}

async fn insert_purchase(
    connection: &mut MySqlConnection,
    order: &PurchaseOrder,
    row: &PurchaseRow,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO purchases (user_id, idempotency_key, purchase_id, payload_hash, item_id, slot, price, balance, \
         purchased_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(order.player.as_str())
    .bind(order.key.as_bytes())
    .bind(&row.purchase_id)
    .bind(&row.payload_hash)
    .bind(&row.item_id)
    .bind(slot_value(row.slot))
    .bind(row.price)
    .bind(row.balance)
    .bind(row.at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// Why the debit found no row: a repeat of what took the coins, too few of them, or no player.
async fn refused(connection: &mut MySqlConnection, order: &PurchaseOrder) -> Result<PurchaseOutcome, DbError> {
    if let Some(bound) = purchase(connection, &order.player, &order.key).await? {
        return Ok(PurchaseOutcome::Bound(bound));
    }
    let balance: Option<i64> = sqlx::query_scalar("SELECT coins FROM players WHERE user_id = ?")
        .bind(order.player.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(balance.map_or(PurchaseOutcome::UnknownPlayer, |balance| PurchaseOutcome::TooFewCoins { balance }))
}

/// The purchase that this key is bound to.
pub(super) async fn purchase(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    key: &str,
) -> Result<Option<PurchaseRow>, DbError> {
    let row = sqlx::query(
        "SELECT purchase_id, payload_hash, item_id, slot, price, balance, purchased_at FROM purchases \
         WHERE user_id = ? AND idempotency_key = ?",
    )
    .bind(player.as_str())
    .bind(key.as_bytes())
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(PurchaseRow {
            purchase_id: get(&row, "purchase_id")?,
            item_id: get(&row, "item_id")?,
            slot: get_slot(&row, "slot")?,
            price: get(&row, "price")?,
            balance: get(&row, "balance")?,
            at: get_time(&row, "purchased_at")?,
            payload_hash: get(&row, "payload_hash")?,
        })
    })
    .transpose()
}

/// A player's ledger, newest first.
pub(super) async fn ledger(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<LedgerEntry>, DbError> {
    let rows = sqlx::query(
        "SELECT seq, delta, balance, owed, reason, reference, booked_at FROM coin_ledger \
         WHERE user_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
    )
    .bind(player.as_str())
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &MySqlRow) -> Result<LedgerEntry, DbError> {
    Ok(LedgerEntry {
        seq: row.try_get("seq")?,
        delta: row.try_get("delta")?,
        balance: row.try_get("balance")?,
        owed: row.try_get("owed")?,
        reason: row.try_get("reason")?,
        at: get_time(row, "booked_at")?,
        reference: row.try_get("reference")?,
    })
}
