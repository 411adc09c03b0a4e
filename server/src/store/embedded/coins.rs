//! Purchases and the ledger in SQLite.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    db::{Db, column, failed, timestamp},
    funds, outbox,
};
use crate::store::{Funds, LedgerEntry, Movement, PlayerId, PurchaseOrder, PurchaseOutcome, PurchaseRow, StoreError};

/// One line to write into the ledger.
pub(super) struct Line<'a> {
    pub(super) player: &'a PlayerId,
    pub(super) movement: Movement,
    pub(super) at: Timestamp,
    pub(super) reference: &'a str,
}

impl Line<'_> {
    pub(super) async fn insert(&self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), StoreError> {
        let Movement { delta, after, reason } = self.movement;
        sqlx::query(
            "INSERT INTO ledger (player, delta, balance, owed, reason, at, reference) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(self.player.as_str())
        .bind(delta)
        .bind(after.coins)
        .bind(after.owed)
        .bind(reason)
        .bind(self.at.as_microsecond())
        .bind(self.reference)
        .execute(&mut **tx)
        .await
        .map_err(failed("write the ledger"))?;
        Ok(())
    }
}

fn purchase_row(row: &SqliteRow) -> Result<PurchaseRow, StoreError> {
    let slot: u8 = column(row, "slot")?;
    Ok(PurchaseRow {
        purchase_id: column(row, "id")?,
        item_id: column(row, "item_id")?,
        slot: (slot != 0).then_some(slot),
        price: column(row, "price")?,
        balance: column(row, "balance")?,
        at: timestamp(row, "at")?,
        payload_hash: column(row, "payload_hash")?,
    })
}

async fn purchase_bound(
    executor: impl sqlx::Executor<'_, Database = Sqlite>,
    player: &PlayerId,
    key: &str,
) -> Result<Option<PurchaseRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM purchases WHERE player = ? AND idempotency_key = ?")
        .bind(player.as_str())
        .bind(key)
        .fetch_optional(executor)
        .await
        .map_err(failed("purchase"))?;
    row.as_ref().map(purchase_row).transpose()
}

pub(super) async fn purchase(db: &Db, player: &PlayerId, key: &str) -> Result<Option<PurchaseRow>, StoreError> {
    purchase_bound(db.readers(), player, key).await
}

pub(super) async fn buy(db: &Db, order: &PurchaseOrder) -> Result<PurchaseOutcome, StoreError> {
    // The write lock is held from here on, so what is read stays true.
    let mut tx = db.write("buy").await?;
    if let Some(row) = purchase_bound(&mut *tx, &order.player, &order.key).await? {
        return Ok(PurchaseOutcome::Bound(row));
    }
    let Some(before) = funds::of(&mut tx, &order.player).await? else {
        return Ok(PurchaseOutcome::UnknownPlayer);
    };
    if before.coins < order.price {
        return Ok(PurchaseOutcome::TooFewCoins { balance: before.coins });
    }
    let row = PurchaseRow {
        purchase_id: order.purchase_id.clone(),
        item_id: order.item_id.clone(),
        slot: order.slot,
        price: order.price,
        balance: before.coins - order.price,
        at: order.at,
        payload_hash: order.payload_hash.clone(),
    };
    let after = Funds { coins: row.balance, ..before };
    let movement = Movement { delta: -order.price, after, reason: "purchase" };
    funds::apply(&mut tx, &order.player, &[movement], &order.purchase_id, order.at).await?;
    give_item(&mut tx, order).await?;
    insert_purchase(&mut tx, order, &row).await?;
    outbox::insert(&mut tx, std::slice::from_ref(&order.event)).await?;
    tx.commit().await.map_err(failed("buy"))?;
    Ok(PurchaseOutcome::Granted(row))
}

async fn give_item(tx: &mut Transaction<'_, Sqlite>, order: &PurchaseOrder) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO items (player, item_id, slot, quantity) VALUES (?, ?, ?, 1) \
         ON CONFLICT (player, item_id, slot) DO UPDATE SET quantity = quantity + 1",
    )
    .bind(order.player.as_str())
    .bind(&order.item_id)
    .bind(order.slot.unwrap_or(0))
    .execute(&mut **tx)
    .await
    .map_err(failed("buy"))?;
    Ok(())
}

async fn insert_purchase(
    tx: &mut Transaction<'_, Sqlite>,
    order: &PurchaseOrder,
    row: &PurchaseRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO purchases (id, player, idempotency_key, payload_hash, item_id, slot, price, balance, at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.purchase_id)
    .bind(order.player.as_str())
    .bind(&order.key)
    .bind(&row.payload_hash)
    .bind(&row.item_id)
    .bind(row.slot.unwrap_or(0))
    .bind(row.price)
    .bind(row.balance)
    .bind(row.at.as_microsecond())
    .execute(&mut **tx)
    .await
    .map_err(failed("buy"))?;
    Ok(())
}

pub(super) async fn ledger(
    db: &Db,
    player: &PlayerId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<LedgerEntry>, StoreError> {
    let rows = sqlx::query("SELECT * FROM ledger WHERE player = ? AND seq < ? ORDER BY seq DESC LIMIT ?")
        .bind(player.as_str())
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(db.readers())
        .await
        .map_err(failed("ledger"))?;
    rows.iter()
        .map(|row| {
            Ok(LedgerEntry {
                seq: column(row, "seq")?,
                delta: column(row, "delta")?,
                balance: column(row, "balance")?,
                owed: column(row, "owed")?,
                reason: column(row, "reason")?,
                at: timestamp(row, "at")?,
                reference: column(row, "reference")?,
            })
        })
        .collect()
}
