//! Runs and standings in SQLite.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    db::{Db, column, failed, player as player_in, timestamp},
    outbox, seasons,
};
use crate::store::{
    BoardKey, Order, PlayerId, RankKey, ScoreCursor, ScoreOutcome, ScoreResult, ScoreRow, ScoreWrite, StoreError,
};

const RECORD: &str = "record_score";

fn score_row(row: &SqliteRow) -> Result<ScoreRow, StoreError> {
    let key = RankKey {
        score: column(row, "score")?,
        achieved_at: timestamp(row, "achieved_at")?,
        player: player_in(row, "player")?,
    };
    Ok(ScoreRow { key, version: column(row, "version")? })
}

async fn read_score(
    executor: impl sqlx::Executor<'_, Database = Sqlite>,
    player: &PlayerId,
    board: &BoardKey,
) -> Result<Option<ScoreRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM scores WHERE board = ? AND season = ? AND player = ?")
        .bind(&board.board)
        .bind(&board.season)
        .bind(player.as_str())
        .fetch_optional(executor)
        .await
        .map_err(failed("score"))?;
    row.as_ref().map(score_row).transpose()
}

pub(super) async fn score(db: &Db, player: &PlayerId, board: &BoardKey) -> Result<Option<ScoreRow>, StoreError> {
    read_score(db.readers(), player, board).await
}

pub(super) async fn record(db: &Db, write: &ScoreWrite) -> Result<ScoreOutcome, StoreError> {
    let mut tx = db.write(RECORD).await?;
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM players WHERE id = ?")
        .bind(write.player.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(RECORD))?;
    if known.is_none() {
        return Ok(ScoreOutcome::UnknownPlayer);
    }
    let current = read_score(&mut *tx, &write.player, &write.board).await?;
    if let Some(run) = recorded_run(&mut tx, write).await? {
        let hash: Vec<u8> = column(&run, "payload_hash")?;
        if hash != write.payload_hash {
            return Ok(ScoreOutcome::RunConflict);
        }
        let result = result_of_run(&run, write)?;
        // A run of another season still has its answer: what it led to.
        let row = current.unwrap_or_else(|| ScoreRow {
            key: RankKey { score: result.best, achieved_at: result.achieved_at, player: write.player.clone() },
            version: 0,
        });
        return Ok(ScoreOutcome::Repeated { result, row });
    }
    if !seasons::takes(&mut tx, write).await? {
        return Ok(ScoreOutcome::SeasonOver);
    }
    let (row, result) = advance(&mut tx, write, current).await?;
    insert_run(&mut tx, write, &result).await?;
    outbox::insert(&mut tx, std::slice::from_ref(&write.event)).await?;
    tx.commit().await.map_err(failed(RECORD))?;
    Ok(ScoreOutcome::Recorded { result, row })
}

async fn recorded_run(tx: &mut Transaction<'_, Sqlite>, write: &ScoreWrite) -> Result<Option<SqliteRow>, StoreError> {
    sqlx::query("SELECT * FROM runs WHERE player = ? AND run_id = ?")
        .bind(write.player.as_str())
        .bind(&write.run_id)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed(RECORD))
}

fn result_of_run(run: &SqliteRow, write: &ScoreWrite) -> Result<ScoreResult, StoreError> {
    Ok(ScoreResult {
        previous_best: column(run, "previous_best")?,
        best: column(run, "best")?,
        improved: column(run, "improved")?,
        achieved_at: timestamp(run, "achieved_at")?,
        // The release before did not write it down, and knew one season.
        season: column::<Option<String>>(run, "season")?.unwrap_or_else(|| write.board.season.clone()),
    })
}

async fn advance(
    tx: &mut Transaction<'_, Sqlite>,
    write: &ScoreWrite,
    current: Option<ScoreRow>,
) -> Result<(ScoreRow, ScoreResult), StoreError> {
    let standing = current.as_ref().map(|row| (row.key.score, row.key.achieved_at));
    let next = (write.advance)(standing, write.score, write.at);
    let improved = next.is_some();
    let row = match (next, current) {
        (None, Some(row)) => row,
        (next, current) => {
            let (score, achieved_at) = next.unwrap_or((write.score, write.at));
            let key = RankKey { score, achieved_at, player: write.player.clone() };
            let row = ScoreRow { key, version: current.map_or(1, |row| row.version + 1) };
            store_score(tx, write, &row).await?;
            row
        }
    };
    let result = ScoreResult {
        previous_best: standing.map(|(score, _)| score),
        best: row.key.score,
        improved,
        achieved_at: row.key.achieved_at,
        season: write.board.season.clone(),
    };
    Ok((row, result))
}

async fn store_score(tx: &mut Transaction<'_, Sqlite>, write: &ScoreWrite, row: &ScoreRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR REPLACE INTO scores (player, board, season, score, achieved_at, version, changed_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(write.player.as_str())
    .bind(&write.board.board)
    .bind(&write.board.season)
    .bind(row.key.score)
    .bind(row.key.achieved_at.as_microsecond())
    .bind(row.version)
    .bind(write.at.as_microsecond())
    .execute(&mut **tx)
    .await
    .map_err(failed(RECORD))?;
    Ok(())
}

async fn insert_run(
    tx: &mut Transaction<'_, Sqlite>,
    write: &ScoreWrite,
    result: &ScoreResult,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO runs (player, run_id, payload_hash, previous_best, best, improved, achieved_at, at, season) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(write.player.as_str())
    .bind(&write.run_id)
    .bind(&write.payload_hash)
    .bind(result.previous_best)
    .bind(result.best)
    .bind(result.improved)
    .bind(result.achieved_at.as_microsecond())
    .bind(write.at.as_microsecond())
    .bind(&result.season)
    .execute(&mut **tx)
    .await
    .map_err(failed(RECORD))?;
    Ok(())
}

pub(super) async fn recent(
    db: &Db,
    since: Timestamp,
    after: Option<&ScoreCursor>,
    limit: u32,
) -> Result<(Vec<(BoardKey, ScoreRow)>, Option<ScoreCursor>), StoreError> {
    const OPERATION: &str = "recent_scores";
    // Without a cursor: behind a place that is before every row of `since`.
    let start = (since.as_microsecond(), "", "", "");
    let (changed_at, player, board, season) = after.map_or(start, |cursor| {
        let key = &cursor.board;
        (cursor.changed_at.as_microsecond(), cursor.player.as_str(), key.board.as_str(), key.season.as_str())
    });
    let rows = sqlx::query(
        "SELECT * FROM scores WHERE (changed_at, player, board, season) > (?, ?, ?, ?) \
         ORDER BY changed_at, player, board, season LIMIT ?",
    )
    .bind(changed_at)
    .bind(player)
    .bind(board)
    .bind(season)
    .bind(limit)
    .fetch_all(db.readers())
    .await
    .map_err(failed(OPERATION))?;
    let mut found = Vec::with_capacity(rows.len());
    let mut cursor = None;
    for row in &rows {
        let board = BoardKey { board: column(row, "board")?, season: column(row, "season")? };
        let score = score_row(row)?;
        cursor = Some(ScoreCursor {
            changed_at: timestamp(row, "changed_at")?,
            player: score.key.player.clone(),
            board: board.clone(),
        });
        found.push((board, score));
    }
    Ok((found, cursor))
}

pub(super) async fn all(
    db: &Db,
    board: &BoardKey,
    after: Option<&PlayerId>,
    limit: u32,
) -> Result<Vec<ScoreRow>, StoreError> {
    let rows =
        sqlx::query("SELECT * FROM scores WHERE board = ? AND season = ? AND player > ? ORDER BY player LIMIT ?")
            .bind(&board.board)
            .bind(&board.season)
            .bind(after.map_or("", PlayerId::as_str))
            .bind(limit)
            .fetch_all(db.readers())
            .await
            .map_err(failed("all_scores"))?;
    rows.iter().map(score_row).collect()
}

pub(super) async fn count_ranked(
    db: &Db,
    board: &BoardKey,
    order: Order,
    up_to: Option<&RankKey>,
) -> Result<u64, StoreError> {
    let sql = match (up_to, order) {
        (None, _) => "SELECT COUNT(*) FROM scores WHERE board = ? AND season = ?",
        (Some(_), Order::Descending) => {
            "SELECT COUNT(*) FROM scores WHERE board = ? AND season = ? \
             AND (score > ?3 OR (score = ?3 AND (achieved_at, player) <= (?4, ?5)))"
        }
        (Some(_), Order::Ascending) => {
            "SELECT COUNT(*) FROM scores WHERE board = ? AND season = ? \
             AND (score < ?3 OR (score = ?3 AND (achieved_at, player) <= (?4, ?5)))"
        }
    };
    let mut query = sqlx::query_scalar::<_, i64>(sql).bind(&board.board).bind(&board.season);
    if let Some(key) = up_to {
        query = query.bind(key.score).bind(key.achieved_at.as_microsecond()).bind(key.player.as_str());
    }
    let count = query.fetch_one(db.readers()).await.map_err(failed("count_ranked"))?;
    Ok(count.unsigned_abs())
}

pub(super) async fn ranked(
    db: &Db,
    board: &BoardKey,
    order: Order,
    skip: u64,
    limit: u32,
) -> Result<Vec<RankKey>, StoreError> {
    let sql = match order {
        Order::Descending => {
            "SELECT * FROM scores WHERE board = ? AND season = ? \
             ORDER BY score DESC, achieved_at, player LIMIT ? OFFSET ?"
        }
        Order::Ascending => {
            "SELECT * FROM scores WHERE board = ? AND season = ? ORDER BY score, achieved_at, player LIMIT ? OFFSET ?"
        }
    };
    let rows = sqlx::query(sql)
        .bind(&board.board)
        .bind(&board.season)
        .bind(limit)
        .bind(i64::try_from(skip).unwrap_or(i64::MAX))
        .fetch_all(db.readers())
        .await
        .map_err(failed("ranked"))?;
    rows.iter().map(|row| Ok(score_row(row)?.key)).collect()
}
