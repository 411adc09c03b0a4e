//! Scores and ranks.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    DomainError, Game,
    board::{Board, is_name},
    error::Checks,
    event, fallback,
};
use crate::store::{
    BoardKey, PlayerId, RankKey, RankPage, RankedEntry, ScoreOutcome, ScoreResult, ScoreRow, ScoreWrite, StoreError,
    chain,
};

/// Lines of a board in one answer.
pub const MAX_PAGE: u32 = 200;
/// Bytes of JSON that a run's metadata may take.
pub const MAX_METADATA: usize = 2048;

/// A finished run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The points.
    pub score: i64,
    /// The client's id of it.
    pub run_id: String,
    /// Unset: the default board.
    pub board: Option<String>,
    /// For the log.
    pub metadata: Map<String, Value>,
}

/// What a run led to.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The board it counts on.
    pub board: String,
    /// The same for a repeat of the run.
    pub result: ScoreResult,
    /// The rank now; unset while the ranking is away or being built.
    pub rank: Option<u64>,
}

#[derive(Serialize)]
struct Payload<'a> {
    score: i64,
    board: &'a BoardKey,
}

fn check(run: &Run) -> Result<(), DomainError> {
    let mut checks = Checks::default();
    let fits = (1..=64).contains(&run.run_id.len()) && run.run_id.bytes().all(|b| b.is_ascii_graphic());
    checks.require(fits, "run_id", "must be 1 to 64 printable ASCII characters without spaces");
    let size = serde_json::to_string(&run.metadata).map_or(usize::MAX, |text| text.len());
    checks.require(size <= MAX_METADATA, "metadata", format!("must take at most {MAX_METADATA} bytes"));
    checks.finish()
}

/// Records a run and tells the rank it led to.
///
/// # Errors
/// When player or board are unknown, or the run was recorded with another score.
pub async fn submit(game: &Game, player: &PlayerId, run: Run) -> Result<Submitted, DomainError> {
    check(&run)?;
    let board = game.boards.find(run.board.as_deref())?;
    let key = game.boards.key(board);
    let now = game.world.now();
    let payload = serde_json::to_vec(&Payload { score: run.score, board: &key }).expect("plain data");
    let properties = json!({
        "score": run.score, "board": key.board, "season": key.season, "run_id": run.run_id, "metadata": run.metadata,
    });
    let write = ScoreWrite {
        player: player.clone(),
        board: key.clone(),
        score: run.score,
        run_id: run.run_id,
        payload_hash: Sha256::digest(payload).to_vec(),
        at: now,
        advance: board.advance(),
        event: event::own(&game.world, player, "score", now, properties),
    };
    let (result, row) = match game.stores.ledger.record_score(&write).await? {
        ScoreOutcome::Recorded { result, row } => {
            game.outbox_wake.notify_one();
            (result, row)
        }
        ScoreOutcome::Repeated { result, row } => (result, row),
        ScoreOutcome::RunConflict => return Err(DomainError::RunIdReused),
        ScoreOutcome::UnknownPlayer => return Err(DomainError::UnknownPlayer),
    };
    let rank = rank_after(game, board, &key, &row).await;
    Ok(Submitted { board: key.board, result, rank })
}

/// The score is committed by now: a ranking that is away costs the rank in the answer, not the score. And the ledger is
/// not asked for it: writing comes first there.
async fn rank_after(game: &Game, board: &Board, key: &BoardKey, row: &ScoreRow) -> Option<u64> {
    let (entry, _) = live(game, key, game.stores.ranking.apply_one(key, board.order, row)).await?;
    Some(entry.rank)
}

/// What the ranking says, if it is there and whole.
async fn live<T>(game: &Game, key: &BoardKey, asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    // At once, and in this order: what is said of a board that is lost meanwhile does not count.
    match tokio::join!(asked, game.stores.ranking.is_built(key)) {
        (Ok(said), Ok(true)) => Some(said),
        (Ok(_), Ok(false)) => None,
        (Err(error), _) | (Ok(_), Err(error)) => {
            game.doubt_ranking();
            metrics::counter!("ranking_failures_total").increment(1);
            tracing::warn!(error = %chain(&error), "the ranking does not answer");
            None
        }
    }
}

/// A player's line.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Rank and score.
    pub entry: RankedEntry,
    /// Players on the board.
    pub total: u64,
    /// The season.
    pub season: String,
    /// Whether the ranking is away or being built, so that the ledger was asked.
    pub stale: bool,
}

/// Lines of a board.
#[derive(Debug, Clone)]
pub struct Lines {
    /// The lines and the total.
    pub page: RankPage,
    /// The season.
    pub season: String,
    /// As with [`Standing`].
    pub stale: bool,
    /// For the lines behind these.
    pub next_cursor: Option<String>,
}

/// The rank of a player, from 1.
///
/// # Errors
/// When the player is unknown or has no score on the board.
pub async fn rank(game: &Game, player: &PlayerId, board: Option<&str>) -> Result<Standing, DomainError> {
    let board = game.boards.find(board)?;
    let key = game.boards.key(board);
    let found = live(game, &key, game.stores.ranking.rank(&key, board.order, player)).await;
    let stale = found.is_none();
    if let Some(Some((entry, total))) = found {
        return Ok(Standing { entry, total, season: key.season, stale });
    }
    // Not there yet is not the same as no score: the ledger knows.
    let Some(row) = game.stores.ledger.score(player, &key).await? else {
        let known = game.stores.ledger.player_exists(player).await?;
        return Err(if known { DomainError::NotRanked } else { DomainError::UnknownPlayer });
    };
    if !stale
        && let Some((entry, total)) = live(game, &key, game.stores.ranking.apply_one(&key, board.order, &row)).await
    {
        return Ok(Standing { entry, total, season: key.season, stale });
    }
    let (entry, total) = fallback::line(game, &key, board.order, row.key).await?;
    Ok(Standing { entry, total, season: key.season, stale: true })
}

fn check_season(game: &Game, season: Option<&str>) -> Result<(), DomainError> {
    match season {
        Some(season) if !is_name(season) || season != game.boards.season() => Err(DomainError::UnknownBoard),
        _ => Ok(()),
    }
}

fn check_limit(limit: u32, field: &'static str) -> Result<(), DomainError> {
    let mut checks = Checks::default();
    checks.require((1..=MAX_PAGE).contains(&limit), field, format!("must be 1 to {MAX_PAGE}"));
    checks.finish()
}

/// A page of a board.
///
/// # Errors
/// When board, season or cursor are not known.
pub async fn page(
    game: &Game,
    board: Option<&str>,
    season: Option<&str>,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Lines, DomainError> {
    check_limit(limit, "limit")?;
    let board = game.boards.find(board)?;
    check_season(game, season)?;
    let key = game.boards.key(board);
    let listing = format!("leaderboard/{key}");
    let after: Option<RankKey> = cursor.map(|cursor| game.cursors.open(&listing, cursor)).transpose()?;
    // One line more than asked for tells whether there is a next page.
    let found = live(game, &key, game.stores.ranking.page(&key, board.order, after.as_ref(), limit + 1)).await;
    let stale = found.is_none();
    let mut page = match found {
        Some(page) => page,
        None => fallback::page(game, &key, board.order, after.as_ref(), limit + 1).await?,
    };
    let more = page.entries.len() > limit as usize;
    page.entries.truncate(limit as usize);
    let next_cursor = page.entries.last().filter(|_| more).map(|last| game.cursors.seal(&listing, &last.key));
    Ok(Lines { page, season: key.season, stale, next_cursor })
}

/// The lines around a player's.
///
/// # Errors
/// When the player is unknown or not on the board.
pub async fn around(game: &Game, board: &str, player: &PlayerId, radius: u32) -> Result<Lines, DomainError> {
    let mut checks = Checks::default();
    checks.require(radius <= MAX_PAGE / 2, "radius", format!("must be at most {}", MAX_PAGE / 2));
    checks.finish()?;
    let board = game.boards.find(Some(board))?;
    let key = game.boards.key(board);
    let found = live(game, &key, game.stores.ranking.around(&key, board.order, player, radius)).await;
    let stale = found.is_none();
    let page = match found {
        Some(page) => page,
        None => fallback::around(game, &key, board.order, player, radius).await?,
    };
    let Some(page) = page else {
        let known = game.stores.ledger.player_exists(player).await?;
        return Err(if known { DomainError::NotRanked } else { DomainError::UnknownPlayer });
    };
    Ok(Lines { page, season: key.season, stale, next_cursor: None })
}

/// The lines of some players, such as friends. `asked` counts also those whose ids cannot be any.
///
/// # Errors
/// When there are too many.
pub async fn among(game: &Game, board: &str, asked: usize, players: &[PlayerId]) -> Result<Lines, DomainError> {
    let mut checks = Checks::default();
    checks.require(asked <= MAX_PAGE as usize, "user_ids", format!("must be at most {MAX_PAGE}"));
    checks.finish()?;
    let board = game.boards.find(Some(board))?;
    let key = game.boards.key(board);
    let found = live(game, &key, game.stores.ranking.among(&key, board.order, players)).await;
    let stale = found.is_none();
    let page = match found {
        Some(page) => page,
        None => fallback::among(game, &key, board.order, players).await?,
    };
    Ok(Lines { page, season: key.season, stale, next_cursor: None })
}
