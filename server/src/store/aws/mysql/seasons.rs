//! Seasons that end: their row is the lock. Who records a score shares it until the commit; who closes waits for these,
//! and from then on they find it closed. Who settles has the row alone, so each step is done once.

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::error::DbError;
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_player, get_time, places, runs, values};
use super::{funds, outbox, ranked};
use crate::store::{
    BoardKey, Closing, Order, PlayerId, RankKey, RankedEntry, Rewards, SeasonRow, SeasonState, SettleOutcome,
    Settlement,
};

/// Keeps a season from being closed until the transaction ends. False: it is closed.
pub(super) async fn hold_open(
    connection: &mut MySqlConnection,
    key: &BoardKey,
    ends_at: Timestamp,
) -> Result<bool, DbError> {
    let open = SeasonState::Open.number();
    if let Some(state) = shared_state(connection, key).await? {
        return Ok(state == open);
    }
    sqlx::query(
        "INSERT INTO seasons (board, season, ends_at, state, players) VALUES (?, ?, ?, ?, 0) \
         ON DUPLICATE KEY UPDATE board = VALUES(board)",
    )
    .bind(&key.board)
    .bind(&key.season)
    .bind(ends_at.as_microsecond())
    .bind(open)
    .execute(&mut *connection)
    .await?;
    Ok(shared_state(connection, key).await? == Some(open))
}

async fn shared_state(connection: &mut MySqlConnection, key: &BoardKey) -> Result<Option<i8>, DbError> {
    Ok(sqlx::query_scalar("SELECT state FROM seasons WHERE board = ? AND season = ? LOCK IN SHARE MODE")
        .bind(&key.board)
        .bind(&key.season)
        .fetch_optional(connection)
        .await?)
}

fn season(row: &MySqlRow) -> Result<SeasonRow, DbError> {
    let state: i8 = get(row, "state")?;
    Ok(SeasonRow {
        key: BoardKey { board: get(row, "board")?, season: get(row, "season")? },
        ends_at: get_time(row, "ends_at")?,
        state: SeasonState::numbered(state).ok_or_else(|| DbError::Corrupt(format!("state {state} of a season")))?,
        players: get::<i64>(row, "players")?.unsigned_abs(),
        order: get::<Option<String>>(row, "rank_order")?.as_deref().and_then(Order::named),
    })
}

const COLUMNS: &str = "board, season, ends_at, state, players, rank_order";

/// A season.
pub(super) async fn read(connection: &mut MySqlConnection, key: &BoardKey) -> Result<Option<SeasonRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM seasons WHERE board = ? AND season = ?");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(&key.board).bind(&key.season).fetch_optional(connection).await?;
    row.as_ref().map(season).transpose()
}

/// Those that are not settled.
pub(super) async fn unsettled(connection: &mut MySqlConnection) -> Result<Vec<SeasonRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM seasons WHERE state < ? ORDER BY ends_at, board, season");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(SeasonState::Settled.number());
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(season).collect()
}

/// Closes an open one.
pub(super) async fn close(connection: &mut MySqlConnection, closing: &Closing) -> Result<(), DbError> {
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
    .execute(connection)
    .await?;
    Ok(())
}

/// A closed season under its lock.
struct Closed {
    ends_at: Timestamp,
    order: Order,
    rewards: Rewards,
    players: u64,
}

/// One step of settling.
pub(super) async fn settle(
    connection: &mut MySqlConnection,
    settlement: &Settlement,
) -> Result<SettleOutcome, DbError> {
    begin(connection).await?;
    let closed = match lock(connection, &settlement.key).await? {
        Ok(closed) => closed,
        Err(outcome) => {
            rollback(connection).await?;
            return Ok(outcome);
        }
    };
    let entries = next_lines(connection, settlement, &closed).await?;
    archive(connection, settlement, &closed, &entries).await?;
    let paid = pay(connection, settlement, &closed, &entries).await?;
    let players = entries.len() as u64;
    let state = if entries.len() < settlement.limit as usize { SeasonState::Settled } else { SeasonState::Closed };
    sqlx::query("UPDATE seasons SET players = ?, state = ? WHERE board = ? AND season = ?")
        .bind(closed.players + players)
        .bind(state.number())
        .bind(&settlement.key.board)
        .bind(&settlement.key.season)
        .execute(&mut *connection)
        .await?;
    commit(connection).await?;
    Ok(SettleOutcome::Step { players, paid })
}

/// Takes the season's lock, unless somebody has it or there is nothing to settle.
async fn lock(connection: &mut MySqlConnection, key: &BoardKey) -> Result<Result<Closed, SettleOutcome>, DbError> {
    let row = sqlx::query(
        "SELECT ends_at, state, players, rank_order, rewards FROM seasons WHERE board = ? AND season = ? \
         FOR UPDATE SKIP LOCKED",
    )
    .bind(&key.board)
    .bind(&key.season)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Err(SettleOutcome::Elsewhere)) };
    if get::<i8>(&row, "state")? != SeasonState::Closed.number() {
        return Ok(Err(SettleOutcome::Done));
    }
    let corrupt = || DbError::Corrupt(format!("the season {key}"));
    let order = get::<Option<String>>(&row, "rank_order")?.as_deref().and_then(Order::named).ok_or_else(corrupt)?;
    let rewards: String = get::<Option<String>>(&row, "rewards")?.ok_or_else(corrupt)?;
    Ok(Ok(Closed {
        ends_at: get_time(&row, "ends_at")?,
        order,
        rewards: serde_json::from_str(&rewards).map_err(|_| corrupt())?,
        players: get::<i64>(&row, "players")?.unsigned_abs(),
    }))
}

/// The lines behind those that are archived.
async fn next_lines(
    connection: &mut MySqlConnection,
    settlement: &Settlement,
    closed: &Closed,
) -> Result<Vec<RankedEntry>, DbError> {
    let key = &settlement.key;
    let last = match closed.players {
        0 => None,
        rank => page(connection, key, rank - 1, 1).await?.pop().map(|entry| entry.key),
    };
    let keys: Vec<RankKey> = match &last {
        None => ranked::slice(connection, key, closed.order, 0, settlement.limit).await?,
        Some(last) => ranked::behind(connection, key, closed.order, last, settlement.limit).await?,
    };
    Ok((closed.players + 1..).zip(keys).map(|(rank, key)| RankedEntry { rank, key }).collect())
}

async fn archive(
    connection: &mut MySqlConnection,
    settlement: &Settlement,
    closed: &Closed,
    entries: &[RankedEntry],
) -> Result<(), DbError> {
    for run in runs(entries) {
        let sql = format!(
            "INSERT INTO season_ranks (board, season, final_rank, user_id, score, achieved_at, coins) VALUES {}",
            values(run.len(), 7)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for entry in run {
            query = query
                .bind(&settlement.key.board)
                .bind(&settlement.key.season)
                .bind(entry.rank)
                .bind(entry.key.player.as_str())
                .bind(entry.key.score)
                .bind(entry.key.achieved_at.as_microsecond())
                .bind(closed.rewards.of(entry.rank));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Pays the rewards, in the order of the players' ids, as everybody locks them. Answers how many.
async fn pay(
    connection: &mut MySqlConnection,
    settlement: &Settlement,
    closed: &Closed,
    entries: &[RankedEntry],
) -> Result<u64, DbError> {
    let rewards = entries.iter().map(|entry| (entry, closed.rewards.of(entry.rank)));
    let mut due: Vec<(&RankedEntry, i64)> = rewards.filter(|(_, coins)| *coins > 0).collect();
    due.sort_by(|(a, _), (b, _)| a.key.player.cmp(&b.key.player));
    let mut events = Vec::with_capacity(due.len());
    for (entry, coins) in due {
        let Some(before) = funds::lock(connection, &entry.key.player).await? else { continue };
        let event = (settlement.event)(&settlement.key, closed.ends_at, entry, coins);
        let movements = settlement.movements(before, coins);
        funds::apply(connection, &entry.key.player, &movements, &event.id, settlement.at).await?;
        events.push(event);
    }
    outbox::append(connection, &events.iter().collect::<Vec<_>>()).await?;
    Ok(events.len() as u64)
}

fn entry(row: &MySqlRow) -> Result<RankedEntry, DbError> {
    let key = RankKey {
        score: get(row, "score")?,
        achieved_at: get_time(row, "achieved_at")?,
        player: get_player(row, "user_id")?,
    };
    Ok(RankedEntry { rank: get::<i64>(row, "final_rank")?.unsigned_abs(), key })
}

/// Final lines, behind the first `skip`.
pub(super) async fn page(
    connection: &mut MySqlConnection,
    key: &BoardKey,
    skip: u64,
    limit: u32,
) -> Result<Vec<RankedEntry>, DbError> {
    let rows = sqlx::query(
        "SELECT final_rank, user_id, score, achieved_at FROM season_ranks \
         WHERE board = ? AND season = ? AND final_rank > ? ORDER BY final_rank LIMIT ?",
    )
    .bind(&key.board)
    .bind(&key.season)
    .bind(skip)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

/// The final lines of these players.
pub(super) async fn lines(
    connection: &mut MySqlConnection,
    key: &BoardKey,
    players: &[PlayerId],
) -> Result<Vec<RankedEntry>, DbError> {
    let mut entries = Vec::with_capacity(players.len());
    for run in runs(players) {
        let sql = format!(
            "SELECT final_rank, user_id, score, achieved_at FROM season_ranks \
             WHERE board = ? AND season = ? AND user_id IN ({})",
            places(run.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(&key.board).bind(&key.season);
        for player in run {
            query = query.bind(player.as_str());
        }
        for row in query.fetch_all(&mut *connection).await? {
            entries.push(entry(&row)?);
        }
    }
    entries.sort_by_key(|entry| entry.rank);
    entries.dedup();
    Ok(entries)
}

/// [`page`] on a replica. Unset: the replica does not know yet that the season is settled.
pub(super) async fn settled_page(
    connection: &mut MySqlConnection,
    key: &BoardKey,
    skip: u64,
    limit: u32,
) -> Result<Option<Vec<RankedEntry>>, DbError> {
    if is_settled(connection, key).await? { page(connection, key, skip, limit).await.map(Some) } else { Ok(None) }
}

/// [`lines`] on a replica. Unset: as with [`settled_page`].
pub(super) async fn settled_lines(
    connection: &mut MySqlConnection,
    key: &BoardKey,
    players: &[PlayerId],
) -> Result<Option<Vec<RankedEntry>>, DbError> {
    if is_settled(connection, key).await? { lines(connection, key, players).await.map(Some) } else { Ok(None) }
}

async fn is_settled(connection: &mut MySqlConnection, key: &BoardKey) -> Result<bool, DbError> {
    Ok(read(connection, key).await?.is_some_and(|season| season.state == SeasonState::Settled))
}
