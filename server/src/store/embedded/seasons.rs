//! Seasons that end, in SQLite: the write lock is held by one at a time, so reading the state is enough.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    db::{Db, column, failed, player as player_in, timestamp},
    funds, outbox,
};
use crate::store::{
    BoardKey, Closing, Order, PlayerId, RankKey, RankedEntry, Rewards, ScoreWrite, SeasonRow, SeasonState,
    SettleOutcome, Settlement, StoreError,
};

const SETTLE: &str = "settle a season";

/// Whether the season of this score takes it; makes the season's row with the first.
pub(super) async fn takes(tx: &mut Transaction<'_, Sqlite>, write: &ScoreWrite) -> Result<bool, StoreError> {
    const OPERATION: &str = "open a season";
    let Some(ends_at) = write.ends_at else { return Ok(true) };
    if write.is_late() {
        return Ok(false);
    }
    sqlx::query("INSERT OR IGNORE INTO seasons (board, season, ends_at, state, players) VALUES (?, ?, ?, ?, 0)")
        .bind(&write.board.board)
        .bind(&write.board.season)
        .bind(ends_at.as_microsecond())
        .bind(SeasonState::Open.number())
        .execute(&mut **tx)
        .await
        .map_err(failed(OPERATION))?;
    let state: i8 = sqlx::query_scalar("SELECT state FROM seasons WHERE board = ? AND season = ?")
        .bind(&write.board.board)
        .bind(&write.board.season)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed(OPERATION))?;
    Ok(state == SeasonState::Open.number())
}

fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { store: "database", what: what.to_string() }
}

fn season(row: &SqliteRow) -> Result<SeasonRow, StoreError> {
    let state: i8 = column(row, "state")?;
    Ok(SeasonRow {
        key: BoardKey { board: column(row, "board")?, season: column(row, "season")? },
        ends_at: timestamp(row, "ends_at")?,
        state: SeasonState::numbered(state).ok_or_else(|| corrupt(format_args!("state {state} of a season")))?,
        players: column::<i64>(row, "players")?.unsigned_abs(),
        order: column::<Option<String>>(row, "rank_order")?.as_deref().and_then(Order::named),
    })
}

pub(super) async fn read(db: &Db, key: &BoardKey) -> Result<Option<SeasonRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM seasons WHERE board = ? AND season = ?")
        .bind(&key.board)
        .bind(&key.season)
        .fetch_optional(db.readers())
        .await
        .map_err(failed("read a season"))?;
    row.as_ref().map(season).transpose()
}

pub(super) async fn unsettled(db: &Db) -> Result<Vec<SeasonRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM seasons WHERE state < ? ORDER BY ends_at, board, season")
        .bind(SeasonState::Settled.number())
        .fetch_all(db.readers())
        .await
        .map_err(failed("read the seasons"))?;
    rows.iter().map(season).collect()
}

pub(super) async fn close(db: &Db, closing: &Closing) -> Result<(), StoreError> {
    const OPERATION: &str = "close a season";
    let mut tx = db.write(OPERATION).await?;
    sqlx::query(
        "UPDATE seasons SET state = ?, ends_at = ?, rank_order = ?, rewards = ? \
         WHERE board = ? AND season = ? AND state = ?",
    )
    .bind(SeasonState::Closed.number())
    .bind(closing.ends_at.as_microsecond())
    .bind(closing.order.name())
    .bind(serde_json::to_string(&closing.rewards).expect("plain data"))
    .bind(&closing.key.board)
    .bind(&closing.key.season)
    .bind(SeasonState::Open.number())
    .execute(&mut *tx)
    .await
    .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}

pub(super) async fn settle(db: &Db, settlement: &Settlement) -> Result<SettleOutcome, StoreError> {
    let key = &settlement.key;
    let mut tx = db.write(SETTLE).await?;
    let row = sqlx::query("SELECT * FROM seasons WHERE board = ? AND season = ? AND state = ?")
        .bind(&key.board)
        .bind(&key.season)
        .bind(SeasonState::Closed.number())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(SETTLE))?;
    let Some(row) = row else { return Ok(SettleOutcome::Done) };
    let closed = season(&row)?;
    let rewards: String = column(&row, "rewards")?;
    let rewards: Rewards = serde_json::from_str(&rewards).map_err(|_| corrupt(format_args!("the season {key}")))?;
    let order = Order::named(column(&row, "rank_order")?).ok_or_else(|| corrupt(format_args!("the season {key}")))?;
    let entries = next_lines(&mut tx, settlement, order, closed.players).await?;
    let mut paid = 0;
    for entry in &entries {
        let coins = rewards.of(entry.rank);
        archive(&mut tx, key, entry, coins).await?;
        paid += u64::from(coins > 0 && pay(&mut tx, settlement, closed.ends_at, entry, coins).await?);
    }
    let players = entries.len() as u64;
    let state = if entries.len() < settlement.limit as usize { SeasonState::Settled } else { SeasonState::Closed };
    sqlx::query("UPDATE seasons SET players = players + ?, state = ? WHERE board = ? AND season = ?")
        .bind(players.cast_signed())
        .bind(state.number())
        .bind(&key.board)
        .bind(&key.season)
        .execute(&mut *tx)
        .await
        .map_err(failed(SETTLE))?;
    tx.commit().await.map_err(failed(SETTLE))?;
    Ok(SettleOutcome::Step { players, paid })
}

async fn next_lines(
    tx: &mut Transaction<'_, Sqlite>,
    settlement: &Settlement,
    order: Order,
    archived: u64,
) -> Result<Vec<RankedEntry>, StoreError> {
    let sql = match order {
        Order::Descending => {
            "SELECT * FROM scores WHERE board = ? AND season = ? ORDER BY score DESC, achieved_at, player LIMIT ? OFFSET ?"
        }
        Order::Ascending => {
            "SELECT * FROM scores WHERE board = ? AND season = ? ORDER BY score, achieved_at, player LIMIT ? OFFSET ?"
        }
    };
    let rows = sqlx::query(sql)
        .bind(&settlement.key.board)
        .bind(&settlement.key.season)
        .bind(settlement.limit)
        .bind(archived.cast_signed())
        .fetch_all(&mut **tx)
        .await
        .map_err(failed(SETTLE))?;
    (archived + 1..).zip(&rows).map(|(rank, row)| Ok(RankedEntry { rank, key: rank_key(row)? })).collect()
}

fn rank_key(row: &SqliteRow) -> Result<RankKey, StoreError> {
    Ok(RankKey {
        score: column(row, "score")?,
        achieved_at: timestamp(row, "achieved_at")?,
        player: player_in(row, "player")?,
    })
}

async fn archive(
    tx: &mut Transaction<'_, Sqlite>,
    key: &BoardKey,
    entry: &RankedEntry,
    coins: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO season_ranks (board, season, final_rank, player, score, achieved_at, coins) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&key.board)
    .bind(&key.season)
    .bind(entry.rank.cast_signed())
    .bind(entry.key.player.as_str())
    .bind(entry.key.score)
    .bind(entry.key.achieved_at.as_microsecond())
    .bind(coins)
    .execute(&mut **tx)
    .await
    .map_err(failed(SETTLE))?;
    Ok(())
}

async fn pay(
    tx: &mut Transaction<'_, Sqlite>,
    settlement: &Settlement,
    ends_at: Timestamp,
    entry: &RankedEntry,
    coins: i64,
) -> Result<bool, StoreError> {
    let Some(before) = funds::of(tx, &entry.key.player).await? else { return Ok(false) };
    let event = (settlement.event)(&settlement.key, ends_at, entry, coins);
    let movements = settlement.movements(before, coins);
    funds::apply(tx, &entry.key.player, &movements, &event.id, settlement.at).await?;
    outbox::insert(tx, std::slice::from_ref(&event)).await?;
    Ok(true)
}

fn line(row: &SqliteRow) -> Result<RankedEntry, StoreError> {
    Ok(RankedEntry { rank: column::<i64>(row, "final_rank")?.unsigned_abs(), key: rank_key(row)? })
}

pub(super) async fn page(db: &Db, key: &BoardKey, skip: u64, limit: u32) -> Result<Vec<RankedEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM season_ranks WHERE board = ? AND season = ? AND final_rank > ? ORDER BY final_rank LIMIT ?",
    )
    .bind(&key.board)
    .bind(&key.season)
    .bind(skip.cast_signed())
    .bind(limit)
    .fetch_all(db.readers())
    .await
    .map_err(failed("read a final board"))?;
    rows.iter().map(line).collect()
}

pub(super) async fn lines(db: &Db, key: &BoardKey, players: &[PlayerId]) -> Result<Vec<RankedEntry>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM season_ranks WHERE board = ");
    query.push_bind(key.board.clone()).push(" AND season = ").push_bind(key.season.clone()).push(" AND player IN (");
    let mut list = query.separated(", ");
    for player in players {
        list.push_bind(player.as_str().to_owned());
    }
    query.push(") ORDER BY final_rank");
    let rows = query.build().fetch_all(db.readers()).await.map_err(failed("read final ranks"))?;
    rows.iter().map(line).collect()
}
