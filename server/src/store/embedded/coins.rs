//! Purchases, grants and the ledger in SQLite.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    db::{Db, column, failed, timestamp},
    outbox,
};
use crate::store::{
    Grant, GrantOutcome, GrantRow, LedgerEntry, PlayerId, PurchaseOrder, PurchaseOutcome, PurchaseRow, StoreError,
};

/// One line to write into the ledger.
pub(super) struct Movement<'a> {
    pub(super) player: &'a PlayerId,
    pub(super) delta: i64,
    pub(super) balance: i64,
    pub(super) reason: &'static str,
    pub(super) at: Timestamp,
    pub(super) reference: &'a str,
}

impl Movement<'_> {
    pub(super) async fn insert(&self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO ledger (player, delta, balance, reason, at, reference) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(self.player.as_str())
            .bind(self.delta)
            .bind(self.balance)
            .bind(self.reason)
            .bind(self.at.as_microsecond())
            .bind(self.reference)
            .execute(&mut **tx)
            .await
            .map_err(failed("write the ledger"))?;
        Ok(())
    }
}

async fn balance(tx: &mut Transaction<'_, Sqlite>, player: &PlayerId) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar("SELECT coins FROM players WHERE id = ?")
        .bind(player.as_str())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("read the balance"))
}

async fn set_balance(tx: &mut Transaction<'_, Sqlite>, player: &PlayerId, coins: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE players SET coins = ? WHERE id = ?")
        .bind(coins)
        .bind(player.as_str())
        .execute(&mut **tx)
        .await
        .map_err(failed("write the balance"))?;
    Ok(())
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
    let Some(balance) = balance(&mut tx, &order.player).await? else {
        return Ok(PurchaseOutcome::UnknownPlayer);
    };
    if balance < order.price {
        return Ok(PurchaseOutcome::TooFewCoins { balance });
    }
    let row = PurchaseRow {
        purchase_id: order.purchase_id.clone(),
        item_id: order.item_id.clone(),
        slot: order.slot,
        price: order.price,
        balance: balance - order.price,
        at: order.at,
        payload_hash: order.payload_hash.clone(),
    };
    set_balance(&mut tx, &order.player, row.balance).await?;
    give_item(&mut tx, order).await?;
    let entry = Movement {
        player: &order.player,
        delta: -order.price,
        balance: row.balance,
        reason: "purchase",
        at: order.at,
        reference: &order.purchase_id,
    };
    entry.insert(&mut tx).await?;
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
    let Some(balance) = balance(&mut tx, &grant.player).await? else {
        return Ok(GrantOutcome::UnknownPlayer);
    };
    let Some(after) = balance.checked_add(grant.coins).filter(|after| *after <= grant.max_balance) else {
        return Ok(GrantOutcome::TooManyCoins { balance });
    };
    set_balance(&mut tx, &grant.player, after).await?;
    let entry = Movement {
        player: &grant.player,
        delta: grant.coins,
        balance: after,
        reason: "grant",
        at: grant.at,
        reference: &grant.grant_id,
    };
    entry.insert(&mut tx).await?;
    let row = GrantRow {
        grant_id: grant.grant_id.clone(),
        coins: grant.coins,
        reason: grant.reason.clone(),
        balance: after,
        at: grant.at,
        payload_hash: grant.payload_hash.clone(),
    };
    insert_grant(&mut tx, grant, &row).await?;
    outbox::insert(&mut tx, std::slice::from_ref(&grant.event)).await?;
    tx.commit().await.map_err(failed("grant"))?;
    Ok(GrantOutcome::Granted(row))
}

fn grant_row(row: &SqliteRow) -> Result<GrantRow, StoreError> {
    Ok(GrantRow {
        grant_id: column(row, "id")?,
        coins: column(row, "coins")?,
        reason: column(row, "reason")?,
        balance: column(row, "balance")?,
        at: timestamp(row, "at")?,
        payload_hash: column(row, "payload_hash")?,
    })
}

async fn insert_grant(tx: &mut Transaction<'_, Sqlite>, grant: &Grant, row: &GrantRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO grants (id, player, idempotency_key, payload_hash, coins, reason, balance, at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.grant_id)
    .bind(grant.player.as_str())
    .bind(&grant.key)
    .bind(&row.payload_hash)
    .bind(row.coins)
    .bind(&row.reason)
    .bind(row.balance)
    .bind(row.at.as_microsecond())
    .execute(&mut **tx)
    .await
    .map_err(failed("grant"))?;
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
                reason: column(row, "reason")?,
                at: timestamp(row, "at")?,
                reference: column(row, "reference")?,
            })
        })
        .collect()
}
