//! Coins paid for in an app store.

use jiff::Timestamp;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlRow;

use super::error::{DbError, is_duplicate};
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_time};
use super::{funds, outbox};
use crate::store::{AppStore, Funds, PlayerId, ReceiptChange, ReceiptOutcome, ReceiptRow, ReceiptStep, ReceiptWrite};

const COLUMNS: &str = "store, transaction_id, receipt_id, product_id, user_id, coins, refunded, stated_at";

/// Acts on a statement of an app store. The receipt's row lock comes first, then the player's.
pub(super) async fn settle(connection: &mut MySqlConnection, write: &ReceiptWrite) -> Result<ReceiptOutcome, DbError> {
    loop {
        begin(connection).await?;
        match attempt(connection, write).await {
            Ok(outcome) => {
                commit(connection).await?;
                return Ok(outcome);
            }
            // Another call was faster with the first row: its row decides.
            Err(DbError::Sql(error)) if is_duplicate(&error) => rollback(connection).await?,
            Err(error) => return Err(error),
        }
    }
}

async fn attempt(connection: &mut MySqlConnection, write: &ReceiptWrite) -> Result<ReceiptOutcome, DbError> {
    let known = locked(connection, write).await?;
    let new = known.is_none();
    match write.decide(known) {
        ReceiptStep::Move(row, player, change) => moved(connection, write, row, &player, change, new).await,
        ReceiptStep::Bury(row) => {
            if new {
                insert(connection, write, &row).await?;
            }
            stands(connection, write, row).await
        }
        ReceiptStep::Stand(row) => stands(connection, write, row).await,
        ReceiptStep::Refuse(outcome) => Ok(outcome),
    }
}

/// Coins go with the row, or neither does.
async fn moved(
    connection: &mut MySqlConnection,
    write: &ReceiptWrite,
    row: ReceiptRow,
    player: &PlayerId,
    change: ReceiptChange,
    new: bool,
) -> Result<ReceiptOutcome, DbError> {
    // First, so that who waits for the row waits before the player is locked.
    if new {
        insert(connection, write, &row).await?;
    }
    let Some(before) = funds::lock(connection, player).await? else {
        return undone(connection, ReceiptOutcome::UnknownPlayer).await;
    };
    let Some(movements) = write.movements(before, row.coins, change) else {
        return undone(connection, ReceiptOutcome::TooManyCoins { balance: before.coins }).await;
    };
    if !new {
        update(connection, &row).await?;
    }
    funds::apply(connection, player, &movements, &row.receipt_id, write.at).await?;
    outbox::append(connection, &[&(write.tell)(write, player, &row, change)]).await?;
    let after = movements.last().map_or_else(Funds::default, |movement| movement.after);
    Ok(if row.refunded { ReceiptOutcome::Refunded(row, after) } else { ReceiptOutcome::Granted(row, after) })
}

/// Nothing was done; the commit that follows is of a new, empty transaction.
async fn undone(connection: &mut MySqlConnection, refusal: ReceiptOutcome) -> Result<ReceiptOutcome, DbError> {
    rollback(connection).await?;
    begin(connection).await?;
    Ok(refusal)
}

async fn stands(
    connection: &mut MySqlConnection,
    write: &ReceiptWrite,
    row: ReceiptRow,
) -> Result<ReceiptOutcome, DbError> {
    let of = write.claimant.as_ref().or(row.player.as_ref());
    let funds = match of {
        Some(player) => match funds::of(connection, player).await? {
            Some(funds) => funds,
            None => return undone(connection, ReceiptOutcome::UnknownPlayer).await,
        },
        None => Funds::default(),
    };
    Ok(if row.refunded { ReceiptOutcome::Refunded(row, funds) } else { ReceiptOutcome::AlreadyGranted(row, funds) })
}

async fn locked(connection: &mut MySqlConnection, write: &ReceiptWrite) -> Result<Option<ReceiptRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM receipts WHERE store = ? AND transaction_id = ? FOR UPDATE");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(write.store.name())
        .bind(write.transaction_id.as_bytes())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &MySqlRow) -> Result<ReceiptRow, DbError> {
    let unreadable = |what: String| DbError::Corrupt(what);
    let store: String = get(row, "store")?;
    let transaction: Vec<u8> = get(row, "transaction_id")?;
    let product: Vec<u8> = get(row, "product_id")?;
    let player: Option<String> = get(row, "user_id")?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()));
    Ok(ReceiptRow {
        receipt_id: get(row, "receipt_id")?,
        store: AppStore::named(&store).ok_or_else(|| unreadable(format!("store {store}")))?,
        transaction_id: text(transaction)?,
        product_id: text(product)?,
        player: player.map(|id| PlayerId::parse(&id).ok_or_else(|| unreadable(format!("user_id {id}")))).transpose()?,
        coins: get(row, "coins")?,
        refunded: get(row, "refunded")?,
        stated_at: get_time(row, "stated_at")?,
    })
}

async fn insert(connection: &mut MySqlConnection, write: &ReceiptWrite, row: &ReceiptRow) -> Result<(), DbError> {
    let acknowledge_at = write.acknowledge_at(row);
    sqlx::query(
        "INSERT INTO receipts (store, transaction_id, receipt_id, order_id, product_id, user_id, coins, refunded, \
         stated_at, recorded_at, acknowledge_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.store.name())
    .bind(row.transaction_id.as_bytes())
    .bind(&row.receipt_id)
    .bind(write.order_id.as_ref().map(String::as_bytes))
    .bind(row.product_id.as_bytes())
    .bind(row.player.as_ref().map(PlayerId::as_str))
    .bind(row.coins)
    .bind(row.refunded)
    .bind(row.stated_at.as_microsecond())
    .bind(write.at.as_microsecond())
    .bind(acknowledge_at.map(Timestamp::as_microsecond))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut MySqlConnection, row: &ReceiptRow) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE receipts SET user_id = ?, coins = ?, refunded = ?, stated_at = ? WHERE store = ? AND transaction_id = ?",
    )
    .bind(row.player.as_ref().map(PlayerId::as_str))
    .bind(row.coins)
    .bind(row.refunded)
    .bind(row.stated_at.as_microsecond())
    .bind(row.store.name())
    .bind(row.transaction_id.as_bytes())
    .execute(connection)
    .await?;
    Ok(())
}

/// Receipts whose store waits to be told, put off until then.
pub(super) async fn claim(
    connection: &mut MySqlConnection,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<ReceiptRow>, DbError> {
    begin(connection).await?;
    let sql = format!(
        "SELECT {COLUMNS} FROM receipts WHERE acknowledge_at <= ? ORDER BY acknowledge_at LIMIT ? FOR UPDATE SKIP LOCKED"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(now.as_microsecond())
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for row in &rows {
        set_acknowledgement(connection, row.store, &row.transaction_id, Some(until)).await?;
    }
    commit(connection).await?;
    Ok(rows)
}

/// When the store is to be told; unset: it has been.
pub(super) async fn set_acknowledgement(
    connection: &mut MySqlConnection,
    store: AppStore,
    transaction_id: &str,
    due: Option<Timestamp>,
) -> Result<(), DbError> {
    sqlx::query("UPDATE receipts SET acknowledge_at = ? WHERE store = ? AND transaction_id = ?")
        .bind(due.map(Timestamp::as_microsecond))
        .bind(store.name())
        .bind(transaction_id.as_bytes())
        .execute(connection)
        .await?;
    Ok(())
}
