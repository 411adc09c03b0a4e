//! Purchases: those of many players in one transaction. The players' rows are locked first and until the commit, so a
//! player's purchases are one after the other and what was read of them stays true.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::coins;
use super::error::{DbError, is_duplicate};
use super::group::Grouped;
use super::outbox;
use super::pool::{begin, commit, rollback};
use super::purchase_plan::{Bound, Plan, Purses, Sale};
use super::rows::{get, get_player, get_slot, get_time, places, runs, slot_value, values};
use crate::store::{Funds, Movement, PlayerId, PurchaseOrder, PurchaseOutcome, PurchaseRow};

impl Grouped for PurchaseOrder {
    type Outcome = PurchaseOutcome;
    type Kind = ();
    const OPERATION: &'static str = "a purchase";

    fn kind(&self) {}

    fn record<'c>(
        connection: &'c mut MySqlConnection,
        orders: &'c [Self],
    ) -> BoxFuture<'c, Result<Vec<PurchaseOutcome>, DbError>> {
        Box::pin(buy(connection, orders))
    }
}

async fn buy(connection: &mut MySqlConnection, orders: &[PurchaseOrder]) -> Result<Vec<PurchaseOutcome>, DbError> {
    // Nearly every key is new, so they are looked up only when the insert says that one is not.
    match attempt(connection, orders, false).await {
        Err(DbError::Sql(error)) if is_duplicate(&error) => {
            rollback(connection).await?;
            attempt(connection, orders, true).await
        }
        result => result,
    }
}

async fn attempt(
    connection: &mut MySqlConnection,
    orders: &[PurchaseOrder],
    look_up: bool,
) -> Result<Vec<PurchaseOutcome>, DbError> {
    begin(connection).await?;
    let purses = lock(connection, orders).await?;
    let bound = if look_up { find(connection, orders).await? } else { Bound::new() };
    let mut plan = Plan::new(orders, purses.clone(), &bound);
    if plan.refuses() && !look_up {
        plan = Plan::new(orders, purses, &find(connection, orders).await?);
    }
    if plan.sales.is_empty() {
        rollback(connection).await?;
        return Ok(plan.outcomes);
    }
    insert(connection, &plan.sales).await?;
    give(connection, &plan).await?;
    pay(connection, &plan).await?;
    let entries: Vec<_> = plan.sales.iter().map(entry).collect();
    coins::book(connection, &entries).await?;
    let events: Vec<_> = plan.sales.iter().map(|sale| &sale.order.event).collect();
    outbox::append(connection, &events).await?;
    commit(connection).await?;
    Ok(plan.outcomes)
}

/// Locks the players, in the order of their ids so that two groups cannot wait for each other, and reads what they have.
async fn lock(connection: &mut MySqlConnection, orders: &[PurchaseOrder]) -> Result<Purses, DbError> {
    let players: Vec<_> = orders.iter().map(|order| &order.player).collect::<BTreeSet<_>>().into_iter().collect();
    let mut purses = Purses::with_capacity(players.len());
    for run in runs(&players) {
        let sql = format!(
            "SELECT user_id, coins, owed FROM players FORCE INDEX (PRIMARY) WHERE user_id IN ({}) ORDER BY user_id \
             FOR UPDATE",
            places(run.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for player in run {
            query = query.bind(player.as_str());
        }
        for row in query.fetch_all(&mut *connection).await? {
            purses.insert(get_player(&row, "user_id")?, Funds { coins: get(&row, "coins")?, owed: get(&row, "owed")? });
        }
    }
    Ok(purses)
}

const COLUMNS: &str =
    "user_id, idempotency_key, purchase_id, payload_hash, item_id, slot, price, balance, purchased_at";

/// What these orders' keys are bound to.
async fn find(connection: &mut MySqlConnection, orders: &[PurchaseOrder]) -> Result<Bound, DbError> {
    let mut bound = Bound::new();
    for run in runs(orders) {
        // Row constructors, (a, b) IN (...), are not looked up by key everywhere.
        let keys = vec!["(user_id = ? AND idempotency_key = ?)"; run.len()].join(" OR ");
        let mut query = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM purchases WHERE {keys}")));
        for order in run {
            query = query.bind(order.player.as_str()).bind(order.key.as_bytes());
        }
        for row in query.fetch_all(&mut *connection).await? {
            let key = String::from_utf8(get(&row, "idempotency_key")?)
                .map_err(|_| DbError::Corrupt("an idempotency key".to_owned()))?;
            bound.insert((get_player(&row, "user_id")?, key), purchase_row(&row)?);
        }
    }
    Ok(bound)
}

/// The purchase that this key is bound to.
pub(super) async fn purchase(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    key: &str,
) -> Result<Option<PurchaseRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM purchases WHERE user_id = ? AND idempotency_key = ?");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(player.as_str()).bind(key.as_bytes());
    query.fetch_optional(connection).await?.as_ref().map(purchase_row).transpose()
}

fn purchase_row(row: &MySqlRow) -> Result<PurchaseRow, DbError> {
    Ok(PurchaseRow {
        purchase_id: get(row, "purchase_id")?,
        item_id: get(row, "item_id")?,
        slot: get_slot(row, "slot")?,
        price: get(row, "price")?,
        balance: get(row, "balance")?,
        at: get_time(row, "purchased_at")?,
        payload_hash: get(row, "payload_hash")?,
    })
}

/// Inserts the purchases. One whose key is bound already is a duplicate key.
async fn insert(connection: &mut MySqlConnection, sales: &[Sale<'_>]) -> Result<(), DbError> {
    for run in runs(sales) {
        let sql = format!("INSERT INTO purchases ({COLUMNS}) VALUES {}", values(run.len(), 9));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for Sale { order, row, .. } in run {
            query = query
                .bind(order.player.as_str())
                .bind(order.key.as_bytes())
                .bind(&row.purchase_id)
                .bind(&row.payload_hash)
                .bind(&row.item_id)
                .bind(slot_value(row.slot))
                .bind(row.price)
                .bind(row.balance)
                .bind(row.at.as_microsecond());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn give(connection: &mut MySqlConnection, plan: &Plan<'_>) -> Result<(), DbError> {
    for run in runs(&plan.pieces()) {
        let sql = format!(
            "INSERT INTO items (user_id, item_id, slot, quantity) VALUES {} \
             ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)",
            values(run.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for piece in run {
            let slot = slot_value(piece.slot);
            query = query.bind(piece.player.as_str()).bind(piece.item_id).bind(slot).bind(piece.quantity);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn pay(connection: &mut MySqlConnection, plan: &Plan<'_>) -> Result<(), DbError> {
    let paid: Vec<_> = plan.paid.iter().collect();
    for run in runs(&paid) {
        let sql = format!(
            "UPDATE players SET coins = CASE user_id {} END WHERE user_id IN ({})",
            vec!["WHEN ? THEN ?"; run.len()].join(" "),
            places(run.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (player, coins) in run {
            query = query.bind(player.as_str()).bind(**coins);
        }
        for (player, _) in run {
            query = query.bind(player.as_str());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn entry<'a>(sale: &'a Sale<'_>) -> coins::Entry<'a> {
    coins::Entry {
        player: &sale.order.player,
        movement: Movement { delta: -sale.order.price, after: sale.after, reason: "purchase" },
        reference: &sale.order.purchase_id,
        at: sale.order.at,
    }
}
