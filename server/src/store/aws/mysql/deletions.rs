//! The end of an account.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::error::DbError;
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_player};
use super::{funds, outbox};
use crate::store::{BoardKey, DeleteOutcome, PlayerId, SeasonState};

/// Tables whose rows are found by the player alone.
const TABLES: [&str; 6] = ["sessions", "score_runs", "items", "purchases", "coin_grants", "coin_ledger"];

/// Removes the player and all that is its own, in one transaction; receipts stay, so that none is worth coins twice.
pub(super) async fn delete(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    at: Timestamp,
) -> Result<DeleteOutcome, DbError> {
    begin(connection).await?;
    let outcome = match attempt(connection, player, at).await? {
        DeleteOutcome::Deleted => {
            commit(connection).await?;
            return Ok(DeleteOutcome::Deleted);
        }
        // The repeat of a call whose answer was lost.
        DeleteOutcome::UnknownPlayer if was_deleted(connection, player).await? => DeleteOutcome::Deleted,
        refusal => refusal,
    };
    rollback(connection).await?;
    Ok(outcome)
}

async fn attempt(connection: &mut MySqlConnection, player: &PlayerId, at: Timestamp) -> Result<DeleteOutcome, DbError> {
    // Before the player, as who records a score locks too; shared until the commit, so none is settled meanwhile.
    let settling = closed_seasons(connection).await?;
    if funds::lock(connection, player).await?.is_none() {
        return Ok(DeleteOutcome::UnknownPlayer);
    }
    let ranked = boards_of(connection, player).await?;
    if ranked.iter().any(|board| settling.contains(board)) {
        return Ok(DeleteOutcome::SeasonSettling);
    }
    for board in &ranked {
        for table in ["scores", "season_ranks"] {
            let sql = format!("DELETE FROM {table} WHERE board = ? AND season = ? AND user_id = ?");
            let query = sqlx::query(AssertSqlSafe(sql)).bind(&board.board).bind(&board.season).bind(player.as_str());
            query.execute(&mut *connection).await?;
        }
    }
    forget_events(connection, player).await?;
    for table in TABLES.iter().chain(&["players"]) {
        let sql = format!("DELETE FROM {table} WHERE user_id = ?");
        sqlx::query(AssertSqlSafe(sql)).bind(player.as_str()).execute(&mut *connection).await?;
    }
    sqlx::query("INSERT INTO deleted_players (user_id, deleted_at) VALUES (?, ?)")
        .bind(player.as_str())
        .bind(at.as_microsecond())
        .execute(connection)
        .await?;
    Ok(DeleteOutcome::Deleted)
}

/// Holds the seasons that are not settled as they are, and answers which of them are closed.
async fn closed_seasons(connection: &mut MySqlConnection) -> Result<HashSet<BoardKey>, DbError> {
    let rows = sqlx::query(
        "SELECT board, season, state FROM seasons WHERE state < ? ORDER BY board, season LOCK IN SHARE MODE",
    )
    .bind(SeasonState::Settled.number())
    .fetch_all(connection)
    .await?;
    let mut closed = HashSet::new();
    for row in &rows {
        if get::<i8>(row, "state")? == SeasonState::Closed.number() {
            closed.insert(board(row)?);
        }
    }
    Ok(closed)
}

fn board(row: &MySqlRow) -> Result<BoardKey, DbError> {
    Ok(BoardKey { board: get(row, "board")?, season: get(row, "season")? })
}

/// The boards and seasons that the player is in. No index of the standings begins with the player, as one more would
/// cost every score: each board is looked up by its key, and the boards are found by skipping through the index.
async fn boards_of(connection: &mut MySqlConnection, player: &PlayerId) -> Result<HashSet<BoardKey>, DbError> {
    let mut boards = HashSet::new();
    for sql in [
        "SELECT k.board, k.season FROM (SELECT DISTINCT board, season FROM scores) k STRAIGHT_JOIN scores s \
         ON s.board = k.board AND s.season = k.season AND s.user_id = ?",
        "SELECT k.board, k.season FROM seasons k STRAIGHT_JOIN season_ranks r \
         ON r.board = k.board AND r.season = k.season AND r.user_id = ?",
    ] {
        for row in sqlx::query(sql).bind(player.as_str()).fetch_all(&mut *connection).await? {
            boards.insert(board(&row)?);
        }
    }
    Ok(boards)
}

/// Removes what waits for the log. The outbox is short, so it is looked through.
async fn forget_events(connection: &mut MySqlConnection, player: &PlayerId) -> Result<(), DbError> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT event_id FROM outbox WHERE user_id = ?")
        .bind(player.as_str())
        .fetch_all(&mut *connection)
        .await?;
    outbox::remove(connection, &ids).await
}

async fn was_deleted(connection: &mut MySqlConnection, player: &PlayerId) -> Result<bool, DbError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM deleted_players WHERE user_id = ?")
        .bind(player.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// Who was deleted at or after `since`.
pub(super) async fn recent(connection: &mut MySqlConnection, since: Timestamp) -> Result<Vec<PlayerId>, DbError> {
    let rows = sqlx::query("SELECT user_id FROM deleted_players WHERE deleted_at >= ? ORDER BY deleted_at")
        .bind(since.as_microsecond())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| get_player(row, "user_id")).collect()
}
