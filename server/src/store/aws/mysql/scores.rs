//! Scores: many players' runs in one transaction.

use std::collections::{BTreeSet, HashMap};

use futures::future::BoxFuture;
use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::error::{DbError, is_duplicate};
use super::group::Grouped;
use super::outbox;
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_player, get_time, places, runs, values};
use super::score_plan::{Plan, Recorded, Standing, Standings};
use super::seasons;
use crate::store::{BoardKey, PlayerId, RankKey, ScoreCursor, ScoreOutcome, ScoreResult, ScoreRow, ScoreWrite};

impl Grouped for ScoreWrite {
    type Outcome = ScoreOutcome;
    type Kind = BoardKey;
    const OPERATION: &'static str = "recording a score";

    fn kind(&self) -> BoardKey {
        self.board.clone()
    }

    fn record<'c>(
        connection: &'c mut MySqlConnection,
        writes: &'c [Self],
    ) -> BoxFuture<'c, Result<Vec<ScoreOutcome>, DbError>> {
        Box::pin(record(connection, writes))
    }
}

/// Records runs of one board, in this order, in one transaction; the answers are in the same order.
async fn record(connection: &mut MySqlConnection, writes: &[ScoreWrite]) -> Result<Vec<ScoreOutcome>, DbError> {
    let Some(ScoreWrite { board, .. }) = writes.first() else { return Ok(Vec::new()) };
    // Nearly every run is new, so they are looked up only when the insert says that one is not.
    match attempt(connection, board, writes, false).await {
        Err(DbError::Sql(error)) if is_duplicate(&error) => {
            rollback(connection).await?;
            attempt(connection, board, writes, true).await
        }
        result => result,
    }
}

async fn attempt(
    connection: &mut MySqlConnection,
    board: &BoardKey,
    writes: &[ScoreWrite],
    look_up: bool,
) -> Result<Vec<ScoreOutcome>, DbError> {
    begin(connection).await?;
    // Before the players, as who settles the season locks too.
    let open = match writes.iter().find_map(|write| write.ends_at) {
        Some(ends_at) => seasons::hold_open(connection, board, ends_at).await?,
        None => true,
    };
    let look_up = look_up || !open || writes.iter().any(ScoreWrite::is_late);
    let standings = lock(connection, board, writes).await?;
    // The players are locked: what is found stays true until the commit.
    let recorded = if look_up { find_runs(connection, board, writes).await? } else { Recorded::new() };
    let plan = Plan::new(writes, standings, &recorded, open);
    if plan.fresh.is_empty() {
        rollback(connection).await?;
        return Ok(plan.outcomes());
    }
    insert_runs(connection, writes, &plan).await?;
    upsert(connection, board, &plan).await?;
    let events: Vec<_> = plan.fresh.iter().map(|(index, _)| &writes[*index].event).collect();
    outbox::append(connection, &events).await?;
    commit(connection).await?;
    Ok(plan.outcomes())
}

/// Locks the players, in the order of their ids so that two batches cannot wait for each other, and reads what stands.
async fn lock(connection: &mut MySqlConnection, board: &BoardKey, writes: &[ScoreWrite]) -> Result<Standings, DbError> {
    let players: Vec<_> = writes.iter().map(|write| &write.player).collect::<BTreeSet<_>>().into_iter().collect();
    let mut standings = HashMap::with_capacity(players.len());
    for run in runs(&players) {
        let sql = format!(
            "SELECT p.user_id, s.score, s.achieved_at, s.version FROM players p FORCE INDEX (PRIMARY) \
             LEFT JOIN scores s ON s.board = ? AND s.season = ? AND s.user_id = p.user_id \
             WHERE p.user_id IN ({}) ORDER BY p.user_id FOR UPDATE",
            places(run.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(&board.board).bind(&board.season);
        for player in run {
            query = query.bind(player.as_str());
        }
        for row in query.fetch_all(&mut *connection).await? {
            let standing = match get::<Option<i64>>(&row, "score")? {
                None => None,
                Some(score) => Some(Standing {
                    score,
                    achieved_at: get_time(&row, "achieved_at")?,
                    version: get(&row, "version")?,
                }),
            };
            standings.insert(get_player(&row, "user_id")?, standing);
        }
    }
    Ok(standings)
}

/// Inserts the new runs. One that is there already is a duplicate key.
async fn insert_runs(connection: &mut MySqlConnection, writes: &[ScoreWrite], plan: &Plan) -> Result<(), DbError> {
    for run in runs(&plan.fresh) {
        let sql = format!(
            "INSERT INTO score_runs (user_id, run_id, payload_hash, previous_best, best, improved, achieved_at, \
             recorded_at, season) VALUES {}",
            values(run.len(), 9)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (index, result) in run {
            let write = &writes[*index];
            query = query
                .bind(write.player.as_str())
                .bind(write.run_id.as_bytes())
                .bind(&write.payload_hash)
                .bind(result.previous_best)
                .bind(result.best)
                .bind(result.improved)
                .bind(result.achieved_at.as_microsecond())
                .bind(write.at.as_microsecond())
                .bind(&result.season);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Those of these runs that were recorded before.
async fn find_runs(
    connection: &mut MySqlConnection,
    board: &BoardKey,
    writes: &[ScoreWrite],
) -> Result<Recorded, DbError> {
    let mut recorded = Recorded::new();
    for run in runs(writes) {
        // Row constructors, (a, b) IN (...), are not looked up by key everywhere.
        let sql = format!(
            "SELECT user_id, run_id, payload_hash, previous_best, best, improved, achieved_at, season \
             FROM score_runs WHERE {}",
            vec!["(user_id = ? AND run_id = ?)"; run.len()].join(" OR ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for write in run {
            query = query.bind(write.player.as_str()).bind(write.run_id.as_bytes());
        }
        for row in query.fetch_all(&mut *connection).await? {
            let result = ScoreResult {
                previous_best: get(&row, "previous_best")?,
                best: get(&row, "best")?,
                improved: get(&row, "improved")?,
                achieved_at: get_time(&row, "achieved_at")?,
                // The release before did not write it down, and knew one season.
                season: get::<Option<String>>(&row, "season")?.unwrap_or_else(|| board.season.clone()),
            };
            let run_id =
                String::from_utf8(get(&row, "run_id")?).map_err(|_| DbError::Corrupt("the id of a run".to_owned()))?;
            recorded.insert((get_player(&row, "user_id")?, run_id), (get(&row, "payload_hash")?, result));
        }
    }
    Ok(recorded)
}

async fn upsert(connection: &mut MySqlConnection, board: &BoardKey, plan: &Plan) -> Result<(), DbError> {
    for run in runs(&plan.changes()) {
        let sql = format!(
            "INSERT INTO scores (board, season, user_id, score, achieved_at, version, changed_at) VALUES {} \
             ON DUPLICATE KEY UPDATE score = VALUES(score), achieved_at = VALUES(achieved_at), \
             version = VALUES(version), changed_at = VALUES(changed_at)",
            values(run.len(), 7)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (player, standing, changed_at) in run {
            query = query
                .bind(&board.board)
                .bind(&board.season)
                .bind(player.as_str())
                .bind(standing.score)
                .bind(standing.achieved_at.as_microsecond())
                .bind(standing.version)
                .bind(changed_at.as_microsecond());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// A player's standing.
pub(super) async fn score(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    board: &BoardKey,
) -> Result<Option<ScoreRow>, DbError> {
    let row = sqlx::query(
        "SELECT user_id, score, achieved_at, version FROM scores WHERE board = ? AND season = ? AND user_id = ?",
    )
    .bind(&board.board)
    .bind(&board.season)
    .bind(player.as_str())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(score_row).transpose()
}

fn score_row(row: &MySqlRow) -> Result<ScoreRow, DbError> {
    let key = RankKey {
        score: get(row, "score")?,
        achieved_at: get_time(row, "achieved_at")?,
        player: get_player(row, "user_id")?,
    };
    Ok(ScoreRow { key, version: get(row, "version")? })
}

/// Standings changed at or after `since`, behind `after`.
pub(super) async fn recent(
    connection: &mut MySqlConnection,
    since: Timestamp,
    after: Option<&ScoreCursor>,
    limit: u32,
) -> Result<(Vec<(BoardKey, ScoreRow)>, Option<ScoreCursor>), DbError> {
    // Spelled out, and with the first column's bound apart: so the index is entered at the right place.
    let sql = "SELECT board, season, user_id, score, achieved_at, version, changed_at FROM scores \
        WHERE changed_at >= ? AND (changed_at > ? OR (changed_at = ? AND (user_id > ? OR (user_id = ? AND \
        (board > ? OR (board = ? AND season > ?)))))) ORDER BY changed_at, user_id, board, season LIMIT ?";
    // Without a cursor: behind the empty id, which is before every other.
    let (at, player, board, season) = match after {
        Some(c) => (c.changed_at, c.player.as_str(), c.board.board.as_str(), c.board.season.as_str()),
        None => (since, "", "", ""),
    };
    let from = at.max(since).as_microsecond();
    let rows = sqlx::query(sql)
        .bind(from)
        .bind(at.as_microsecond())
        .bind(at.as_microsecond())
        .bind(player)
        .bind(player)
        .bind(board)
        .bind(board)
        .bind(season)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let mut standings = Vec::with_capacity(rows.len());
    for row in &rows {
        let board = BoardKey { board: get(row, "board")?, season: get(row, "season")? };
        standings.push((board, score_row(row)?));
    }
    let next = match (rows.last(), standings.last()) {
        (Some(row), Some((board, last))) => Some(ScoreCursor {
            changed_at: get_time(row, "changed_at")?,
            player: last.key.player.clone(),
            board: board.clone(),
        }),
        _ => None,
    };
    Ok((standings, next))
}

/// Standings of a board in the order of player ids, behind `after`.
pub(super) async fn all(
    connection: &mut MySqlConnection,
    board: &BoardKey,
    after: Option<&PlayerId>,
    limit: u32,
) -> Result<Vec<ScoreRow>, DbError> {
    let rows = sqlx::query(
        "SELECT user_id, score, achieved_at, version FROM scores WHERE board = ? AND season = ? AND user_id > ? \
         ORDER BY user_id LIMIT ?",
    )
    .bind(&board.board)
    .bind(&board.season)
    .bind(after.map_or("", PlayerId::as_str))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(score_row).collect()
}
