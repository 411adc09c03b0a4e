//! Coins paid for in an app store, in SQLite.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    db::{Db, column, failed, timestamp},
    funds, outbox,
};
use crate::store::{
    AppStore, Funds, PlayerId, ReceiptChange, ReceiptOutcome, ReceiptRow, ReceiptStep, ReceiptWrite, StoreError,
};

const OPERATION: &str = "settle_receipt";

pub(super) async fn settle(db: &Db, write: &ReceiptWrite) -> Result<ReceiptOutcome, StoreError> {
    // The write lock is held from here on, so what is read stays true.
    let mut tx = db.write(OPERATION).await?;
    let known = find(&mut tx, write).await?;
    let outcome = match write.decide(known) {
        ReceiptStep::Move(row, player, change) => moved(&mut tx, write, row, &player, change).await?,
        ReceiptStep::Bury(row) => {
            keep(&mut tx, write, &row).await?;
            stands(&mut tx, write, row).await?
        }
        ReceiptStep::Stand(row) => stands(&mut tx, write, row).await?,
        ReceiptStep::Refuse(outcome) => outcome,
    };
    tx.commit().await.map_err(failed(OPERATION))?;
    Ok(outcome)
}

async fn moved(
    tx: &mut Transaction<'_, Sqlite>,
    write: &ReceiptWrite,
    row: ReceiptRow,
    player: &PlayerId,
    change: ReceiptChange,
) -> Result<ReceiptOutcome, StoreError> {
    let Some(before) = funds::of(tx, player).await? else { return Ok(ReceiptOutcome::UnknownPlayer) };
    let Some(movements) = write.movements(before, row.coins, change) else {
        return Ok(ReceiptOutcome::TooManyCoins { balance: before.coins });
    };
    keep(tx, write, &row).await?;
    funds::apply(tx, player, &movements, &row.receipt_id, write.at).await?;
    outbox::insert(tx, &[(write.tell)(write, player, &row, change)]).await?;
    let after = movements.last().map_or_else(Funds::default, |movement| movement.after);
    Ok(if row.refunded { ReceiptOutcome::Refunded(row, after) } else { ReceiptOutcome::Granted(row, after) })
}

async fn stands(
    tx: &mut Transaction<'_, Sqlite>,
    write: &ReceiptWrite,
    row: ReceiptRow,
) -> Result<ReceiptOutcome, StoreError> {
    let funds = match write.claimant.as_ref().or(row.player.as_ref()) {
        Some(player) => match funds::of(tx, player).await? {
            Some(funds) => funds,
            None => return Ok(ReceiptOutcome::UnknownPlayer),
        },
        None => Funds::default(),
    };
    Ok(if row.refunded { ReceiptOutcome::Refunded(row, funds) } else { ReceiptOutcome::AlreadyGranted(row, funds) })
}

async fn find(tx: &mut Transaction<'_, Sqlite>, write: &ReceiptWrite) -> Result<Option<ReceiptRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM receipts WHERE store = ? AND transaction_id = ?")
        .bind(write.store.name())
        .bind(&write.transaction_id)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed(OPERATION))?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<ReceiptRow, StoreError> {
    let corrupt = |what: String| StoreError::Corrupt { store: "database", what };
    let store: String = column(row, "store")?;
    let player: Option<String> = column(row, "player")?;
    Ok(ReceiptRow {
        receipt_id: column(row, "receipt_id")?,
        store: AppStore::named(&store).ok_or_else(|| corrupt(format!("the app store {store:?}")))?,
        transaction_id: column(row, "transaction_id")?,
        product_id: column(row, "product_id")?,
        player: player
            .map(|id| PlayerId::parse(&id).ok_or_else(|| corrupt(format!("the player id {id:?}"))))
            .transpose()?,
        coins: column(row, "coins")?,
        refunded: column(row, "refunded")?,
        stated_at: timestamp(row, "stated_at")?,
    })
}

/// Keeps the row, new or changed.
async fn keep(tx: &mut Transaction<'_, Sqlite>, write: &ReceiptWrite, row: &ReceiptRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO receipts (store, transaction_id, receipt_id, order_id, product_id, player, coins, refunded, \
         stated_at, recorded_at, acknowledge_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (store, transaction_id) DO UPDATE SET player = excluded.player, coins = excluded.coins, \
         refunded = excluded.refunded, stated_at = excluded.stated_at",
    )
    .bind(row.store.name())
    .bind(&row.transaction_id)
    .bind(&row.receipt_id)
    .bind(&write.order_id)
    .bind(&row.product_id)
    .bind(row.player.as_ref().map(PlayerId::as_str))
    .bind(row.coins)
    .bind(row.refunded)
    .bind(row.stated_at.as_microsecond())
    .bind(write.at.as_microsecond())
    .bind(write.acknowledge_at(row).map(Timestamp::as_microsecond))
    .execute(&mut **tx)
    .await
    .map_err(failed(OPERATION))?;
    Ok(())
}

/// Receipts whose store waits to be told, put off until then.
pub(super) async fn claim(
    db: &Db,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<ReceiptRow>, StoreError> {
    const OPERATION: &str = "claim_acknowledgements";
    // Mostly there is none; looking needs no lock.
    let due: Option<i64> = sqlx::query_scalar("SELECT 1 FROM receipts WHERE acknowledge_at <= ? LIMIT 1")
        .bind(now.as_microsecond())
        .fetch_optional(db.readers())
        .await
        .map_err(failed(OPERATION))?;
    if due.is_none() {
        return Ok(Vec::new());
    }
    let mut tx = db.write(OPERATION).await?;
    let rows = sqlx::query(
        "UPDATE receipts SET acknowledge_at = ? WHERE rowid IN \
         (SELECT rowid FROM receipts WHERE acknowledge_at <= ? ORDER BY acknowledge_at LIMIT ?) RETURNING *",
    )
    .bind(until.as_microsecond())
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed(OPERATION))?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    tx.commit().await.map_err(failed(OPERATION))?;
    Ok(rows)
}

/// When the store is to be told; unset: it has been.
pub(super) async fn set_acknowledgement(
    db: &Db,
    store: AppStore,
    transaction_id: &str,
    due: Option<Timestamp>,
) -> Result<(), StoreError> {
    const OPERATION: &str = "set_acknowledgement";
    let mut tx = db.write(OPERATION).await?;
    sqlx::query("UPDATE receipts SET acknowledge_at = ? WHERE store = ? AND transaction_id = ?")
        .bind(due.map(Timestamp::as_microsecond))
        .bind(store.name())
        .bind(transaction_id)
        .execute(&mut *tx)
        .await
        .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}
