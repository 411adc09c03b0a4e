//! Scores and ranks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    DomainError, Game, archive,
    asked::{asked, live},
    board::{Board, Season, Seasons},
    error::Checks,
    event, fallback,
};
use crate::store::{
    BoardKey, Order, PlayerId, RankKey, RankPage, RankedEntry, ScoreOutcome, ScoreResult, ScoreRow, ScoreWrite,
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

/// The write of a run. A repeat after the season's end has the same payload: a season that ends is no part of it.
fn write(game: &Game, player: &PlayerId, run: &Run, board: &Board, season: &Season, now: Timestamp) -> ScoreWrite {
    let of_payload = match &board.seasons {
        Seasons::Endless(name) => name.clone(),
        Seasons::Until { .. } | Seasons::Cron(_) => String::new(),
    };
    let payload = Payload { score: run.score, board: &board.key_of(of_payload) };
    let properties = json!({
        "score": run.score, "board": board.name, "season": season.name, "run_id": run.run_id, "metadata": run.metadata,
    });
    ScoreWrite {
        player: player.clone(),
        board: board.key_of(season.name.clone()),
        score: run.score,
        run_id: run.run_id.clone(),
        payload_hash: Sha256::digest(serde_json::to_vec(&payload).expect("plain data")).to_vec(),
        at: now,
        ends_at: season.ends,
        advance: board.advance(),
        event: event::own(&game.world, player, "score", now, properties),
    }
}

/// Records a run and tells the rank it led to.
///
/// # Errors
/// When player or board are unknown, the board's last season is over, or the run was recorded with another score.
pub async fn submit(game: &Game, player: &PlayerId, run: Run) -> Result<Submitted, DomainError> {
    check(&run)?;
    let definition = game.definition();
    let board = definition.boards.find(run.board.as_deref())?;
    let mut now = game.world.now();
    loop {
        let season = board.seasons.at(now);
        let write = write(game, player, &run, board, &season, now);
        let (result, row) = match game.stores.ledger.record_score(&write).await? {
            ScoreOutcome::Recorded { result, row } => {
                game.outbox_wake.notify_one();
                (result, row)
            }
            ScoreOutcome::Repeated { result, row } => (result, row),
            ScoreOutcome::RunConflict => return Err(DomainError::RunIdReused),
            ScoreOutcome::UnknownPlayer => return Err(DomainError::UnknownPlayer),
            ScoreOutcome::SeasonOver => match season.ends {
                // It was closed on the way here, by a clock that is ahead of this one: on to the next.
                Some(ends) if now < ends => {
                    now = ends;
                    continue;
                }
                _ => return Err(DomainError::SeasonOver),
            },
        };
        let rank = if result.season == season.name {
            rank_after(game, board, &write.board, &row).await
        } else {
            archive::line(game, &board.key_of(result.season.clone()), player).await?.map(|line| line.rank)
        };
        return Ok(Submitted { board: write.board.board, result, rank });
    }
}

/// The score is committed by now: a ranking that is away costs the rank in the answer, not the score. And the ledger is
/// not asked for it: writing comes first there.
async fn rank_after(game: &Game, board: &Board, key: &BoardKey, row: &ScoreRow) -> Option<u64> {
    let (entry, _) = live(game, key, board.order, game.stores.ranking.apply_one(key, board.order, row)).await?;
    Some(entry.rank)
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
    /// Which score is rank 1.
    pub order: Order,
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
/// When player or season are unknown, or the player has no score on the board.
pub async fn rank(
    game: &Game,
    player: &PlayerId,
    board: Option<&str>,
    season: Option<&str>,
) -> Result<Standing, DomainError> {
    let definition = game.definition();
    let asked = asked(game, definition.boards.find(board)?, season).await?;
    let (key, order) = (&asked.key, asked.order);
    let standing = |(entry, total), stale| Standing { entry, total, season: key.season.clone(), stale };
    if let Some(season) = asked.settled() {
        let Some(entry) = archive::line(game, key, player).await? else { return Err(not_there(game, player).await?) };
        return Ok(standing((entry, season.players), false));
    }
    let found = asked.live(game, game.stores.ranking.rank(key, order, player)).await;
    let stale = found.is_none();
    if let Some(Some(line)) = found {
        return Ok(standing(line, false));
    }
    // Not there yet is not the same as no score: the ledger knows.
    let Some(row) = game.stores.ledger.score(player, key).await? else { return Err(not_there(game, player).await?) };
    if !stale && let Some(line) = live(game, key, order, game.stores.ranking.apply_one(key, order, &row)).await {
        return Ok(standing(line, false));
    }
    Ok(standing(fallback::line(game, key, order, row.key).await?, true))
}

/// Why a player is not on a board.
async fn not_there(game: &Game, player: &PlayerId) -> Result<DomainError, DomainError> {
    let known = game.stores.ledger.player_exists(player).await?;
    Ok(if known { DomainError::NotRanked } else { DomainError::UnknownPlayer })
}

/// Where a listing of a board goes on.
#[derive(Serialize, Deserialize)]
struct Place {
    season: String,
    behind: RankKey,
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
    let definition = game.definition();
    let board = definition.boards.find(board)?;
    let listing = format!("leaderboard/{}", board.name);
    let place: Option<Place> = cursor.map(|cursor| game.cursors.open(&listing, cursor)).transpose()?;
    let asked = asked(game, board, season).await?;
    let (key, order) = (&asked.key, asked.order);
    let after = match place {
        Some(place) if place.season == key.season => Some(place.behind),
        Some(place) if season.is_none() => return Err(DomainError::SeasonEnded { season: place.season }),
        Some(_) => return Err(DomainError::WrongCursor),
        None => None,
    };
    let after = after.as_ref();
    // One line more than asked for tells whether there is a next page.
    let found = match asked.settled() {
        Some(season) => Some(archive::page(game, season, order, after, limit + 1).await?),
        None => asked.live(game, game.stores.ranking.page(key, order, after, limit + 1)).await,
    };
    let stale = found.is_none();
    let mut page = match found {
        Some(page) => page,
        None => fallback::page(game, key, order, after, limit + 1).await?,
    };
    let more = page.entries.len() > limit as usize;
    page.entries.truncate(limit as usize);
    let last = page.entries.last().filter(|_| more);
    let next_cursor =
        last.map(|last| game.cursors.seal(&listing, &Place { season: key.season.clone(), behind: last.key.clone() }));
    Ok(Lines { page, order, season: asked.key.season, stale, next_cursor })
}

/// The lines around a player's.
///
/// # Errors
/// When player or season are unknown, or the player is not on the board.
pub async fn around(
    game: &Game,
    board: &str,
    season: Option<&str>,
    player: &PlayerId,
    radius: u32,
) -> Result<Lines, DomainError> {
    let mut checks = Checks::default();
    checks.require(radius <= MAX_PAGE / 2, "radius", format!("must be at most {}", MAX_PAGE / 2));
    checks.finish()?;
    let definition = game.definition();
    let asked = asked(game, definition.boards.find(Some(board))?, season).await?;
    let (key, order) = (&asked.key, asked.order);
    let found = match asked.settled() {
        Some(season) => Some(archive::around(game, season, player, radius).await?),
        None => asked.live(game, game.stores.ranking.around(key, order, player, radius)).await,
    };
    let stale = found.is_none();
    let page = match found {
        Some(page) => page,
        None => fallback::around(game, key, order, player, radius).await?,
    };
    let Some(page) = page else { return Err(not_there(game, player).await?) };
    Ok(Lines { page, order, season: asked.key.season, stale, next_cursor: None })
}

/// The lines of some players, such as friends. `given` counts also those whose ids cannot be any.
///
/// # Errors
/// When there are too many, or the season is unknown.
pub async fn among(
    game: &Game,
    board: &str,
    season: Option<&str>,
    given: usize,
    players: &[PlayerId],
) -> Result<Lines, DomainError> {
    let mut checks = Checks::default();
    checks.require(given <= MAX_PAGE as usize, "user_ids", format!("must be at most {MAX_PAGE}"));
    checks.finish()?;
    let definition = game.definition();
    let asked = asked(game, definition.boards.find(Some(board))?, season).await?;
    let (key, order) = (&asked.key, asked.order);
    let found = match asked.settled() {
        Some(season) => Some(archive::among(game, season, players).await?),
        None => asked.live(game, game.stores.ranking.among(key, order, players)).await,
    };
    let stale = found.is_none();
    let page = match found {
        Some(page) => page,
        None => fallback::among(game, key, order, players).await?,
    };
    Ok(Lines { page, order, season: asked.key.season, stale, next_cursor: None })
}
