//! Boards in order of rank, for when the ranking itself is away.

use sqlx::MySqlConnection;
use sqlx::mysql::MySqlRow;

use super::error::DbError;
use super::rows::{get, get_player, get_time};
use crate::store::{BoardKey, Order, RankKey};

/// How many standings rank up to this key, or all.
pub(super) async fn count(
    connection: &mut MySqlConnection,
    board: &BoardKey,
    order: Order,
    up_to: Option<&RankKey>,
) -> Result<u64, DbError> {
    let Some(key) = up_to else {
        let all = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM scores WHERE board = ? AND season = ?");
        let count = all.bind(&board.board).bind(&board.season).fetch_one(connection).await?;
        return Ok(count.unsigned_abs());
    };
    // Two ranges of the index: better scores, and the same score reached no later.
    let better = match order {
        Order::Descending => "SELECT COUNT(*) FROM scores WHERE board = ? AND season = ? AND score > ?",
        Order::Ascending => "SELECT COUNT(*) FROM scores WHERE board = ? AND season = ? AND score < ?",
    };
    let better: i64 = sqlx::query_scalar(better)
        .bind(&board.board)
        .bind(&board.season)
        .bind(key.score)
        .fetch_one(&mut *connection)
        .await?;
    let same: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM scores WHERE board = ? AND season = ? AND score = ? AND \
         (achieved_at < ? OR (achieved_at = ? AND user_id <= ?))",
    )
    .bind(&board.board)
    .bind(&board.season)
    .bind(key.score)
    .bind(key.achieved_at.as_microsecond())
    .bind(key.achieved_at.as_microsecond())
    .bind(key.player.as_str())
    .fetch_one(connection)
    .await?;
    Ok((better + same).unsigned_abs())
}

/// Standings in order of rank, behind the first `skip` of them.
pub(super) async fn slice(
    connection: &mut MySqlConnection,
    board: &BoardKey,
    order: Order,
    skip: u64,
    limit: u32,
) -> Result<Vec<RankKey>, DbError> {
    let sql = match order {
        Order::Descending => {
            "SELECT user_id, score, achieved_at FROM scores WHERE board = ? AND season = ? \
             ORDER BY score DESC, achieved_at, user_id LIMIT ? OFFSET ?"
        }
        Order::Ascending => {
            "SELECT user_id, score, achieved_at FROM scores WHERE board = ? AND season = ? \
             ORDER BY score, achieved_at, user_id LIMIT ? OFFSET ?"
        }
    };
    let query = sqlx::query(sql).bind(&board.board).bind(&board.season).bind(limit).bind(skip);
    query.fetch_all(connection).await?.iter().map(key_of).collect()
}

/// Standings in order of rank, behind this key.
pub(super) async fn behind(
    connection: &mut MySqlConnection,
    board: &BoardKey,
    order: Order,
    after: &RankKey,
    limit: u32,
) -> Result<Vec<RankKey>, DbError> {
    // The score's bound apart, so that the index is entered there.
    let sql = match order {
        Order::Descending => {
            "SELECT user_id, score, achieved_at FROM scores WHERE board = ? AND season = ? AND score <= ? \
             AND (score < ? OR achieved_at > ? OR (achieved_at = ? AND user_id > ?)) \
             ORDER BY score DESC, achieved_at, user_id LIMIT ?"
        }
        Order::Ascending => {
            "SELECT user_id, score, achieved_at FROM scores WHERE board = ? AND season = ? AND score >= ? \
             AND (score > ? OR achieved_at > ? OR (achieved_at = ? AND user_id > ?)) \
             ORDER BY score, achieved_at, user_id LIMIT ?"
        }
    };
    let query = sqlx::query(sql)
        .bind(&board.board)
        .bind(&board.season)
        .bind(after.score)
        .bind(after.score)
        .bind(after.achieved_at.as_microsecond())
        .bind(after.achieved_at.as_microsecond())
        .bind(after.player.as_str())
        .bind(limit);
    query.fetch_all(connection).await?.iter().map(key_of).collect()
}

fn key_of(row: &MySqlRow) -> Result<RankKey, DbError> {
    Ok(RankKey {
        score: get(row, "score")?,
        achieved_at: get_time(row, "achieved_at")?,
        player: get_player(row, "user_id")?,
    })
}
