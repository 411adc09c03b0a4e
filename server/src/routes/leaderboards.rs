//! Leaderboards.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, State},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::score,
    error::{Problem, ProblemDocument},
    extract::{Body, Caller, Params, player_named},
    state::Shared,
    store::PlayerId,
};

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Lines in the answer, 1 to 200.
    #[serde(default = "default_limit")]
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: u32,
    /// From the answer before: the lines behind it.
    cursor: Option<String>,
    /// The running one if left out.
    season: Option<String>,
}

fn default_limit() -> u32 {
    50
}

/// How many lines.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AroundParams {
    /// Lines above and below, at most 100.
    #[serde(default = "default_radius")]
    #[param(default = 5, maximum = 100)]
    radius: u32,
    /// The running one if left out.
    season: Option<String>,
}

/// Which season.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeasonParams {
    /// The running one if left out.
    season: Option<String>,
}

fn default_radius() -> u32 {
    5
}

/// Whose lines.
#[derive(Deserialize, ToSchema)]
pub struct Friends {
    /// At most 200.
    #[schema(max_items = 200)]
    user_ids: Vec<String>,
}

/// Lines of a leaderboard.
#[derive(Serialize, ToSchema)]
pub struct Leaderboard {
    /// The leaderboard.
    board: String,
    /// Which score is rank 1: `descending`, the highest; `ascending`, the lowest.
    order: &'static str,
    /// In order of rank.
    entries: Vec<Entry>,
    /// Players on the leaderboard.
    total: u64,
    /// For the lines behind these; null at the end.
    next_cursor: Option<String>,
    /// The season.
    season: String,
    /// True while the ranking is away or being rebuilt: the answer comes from the database, which is slower.
    stale: bool,
}

/// A line.
#[derive(Serialize, ToSchema)]
pub struct Entry {
    /// From 1; equal scores rank by who reached theirs first.
    rank: u64,
    /// The player.
    user_id: String,
    /// The score that counts.
    score: i64,
    /// When it was reached.
    achieved_at: Timestamp,
}

fn leaderboard(board: &str, lines: score::Lines) -> Json<Leaderboard> {
    let entries = lines.page.entries.into_iter().map(|entry| Entry {
        rank: entry.rank,
        user_id: entry.key.player.to_string(),
        score: entry.key.score,
        achieved_at: entry.key.achieved_at,
    });
    Json(Leaderboard {
        board: board.to_owned(),
        order: lines.order.name(),
        entries: entries.collect(),
        total: lines.page.total,
        next_cursor: lines.next_cursor,
        season: lines.season,
        stale: lines.stale,
    })
}

async fn page(app: &Shared, board: Option<&str>, params: &PageParams) -> Result<Json<Leaderboard>, Problem> {
    let name = app.game.definition().boards.find(board)?.name.clone();
    let season = params.season.as_deref();
    let lines = score::page(&app.game, Some(&name), season, params.limit, params.cursor.as_deref()).await?;
    Ok(leaderboard(&name, lines))
}

/// The default leaderboard, from the top.
#[utoipa::path(
    get, path = "/v1/leaderboard", tag = "leaderboards", operation_id = "get_default_leaderboard",
    params(PageParams),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Leaderboard),
        (status = 400, description = "The cursor is not valid.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such season.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "The season of the cursor has ended: start anew, or name the season.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn default_board(
    State(app): State<Shared>,
    _: Caller,
    Params(params): Params<PageParams>,
) -> Result<Json<Leaderboard>, Problem> {
    page(&app, None, &params).await
}

/// A leaderboard, from the top.
#[utoipa::path(
    get, path = "/v1/leaderboards/{board}", tag = "leaderboards", operation_id = "get_leaderboard",
    params(("board" = String, Path, description = "The leaderboard."), PageParams),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Leaderboard),
        (status = 400, description = "The cursor is not valid.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such leaderboard or season.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "The season of the cursor has ended: start anew, or name the season.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn named_board(
    State(app): State<Shared>,
    _: Caller,
    Path(board): Path<String>,
    Params(params): Params<PageParams>,
) -> Result<Json<Leaderboard>, Problem> {
    page(&app, Some(&board), &params).await
}

/// The lines around a player's.
#[utoipa::path(
    get, path = "/v1/leaderboards/{board}/around/{id}", tag = "leaderboards", operation_id = "get_leaderboard_around",
    params(
        ("board" = String, Path, description = "The leaderboard."),
        ("id" = String, Path, description = "Any player's id."),
        AroundParams,
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Leaderboard),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player, leaderboard or season, or no score on it.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn around(
    State(app): State<Shared>,
    _: Caller,
    Path((board, id)): Path<(String, String)>,
    Params(params): Params<AroundParams>,
) -> Result<Json<Leaderboard>, Problem> {
    let lines = score::around(&app.game, &board, params.season.as_deref(), &player_named(&id)?, params.radius).await?;
    Ok(leaderboard(&board, lines))
}

/// The lines of some players. Who has no score is left out.
#[utoipa::path(
    post, path = "/v1/leaderboards/{board}/friends", tag = "leaderboards", operation_id = "get_leaderboard_friends",
    params(("board" = String, Path, description = "The leaderboard."), SeasonParams),
    request_body = Friends,
    security(("access_token" = [])),
    responses(
        (status = 200, body = Leaderboard),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such leaderboard or season.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Too many players.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn friends(
    State(app): State<Shared>,
    _: Caller,
    Path(board): Path<String>,
    Params(params): Params<SeasonParams>,
    Body(body): Body<Friends>,
) -> Result<Json<Leaderboard>, Problem> {
    // What cannot be an id is nobody's.
    let players: Vec<PlayerId> = body.user_ids.iter().filter_map(|id| PlayerId::parse(id)).collect();
    let lines = score::among(&app.game, &board, params.season.as_deref(), body.user_ids.len(), &players).await?;
    Ok(leaderboard(&board, lines))
}

/// Players of a leaderboard, in the order asked for.
#[derive(Serialize, ToSchema)]
pub struct Players {
    /// The leaderboard.
    board: String,
    /// One for each id, in the order of the request.
    players: Vec<PlayerLine>,
    /// Players on the leaderboard.
    total: u64,
    /// The season.
    season: String,
    /// True while the ranking is away or being rebuilt: the answer comes from the database, which is slower.
    stale: bool,
}

/// A player, on the leaderboard or not.
#[derive(Serialize, ToSchema)]
pub struct PlayerLine {
    /// As it was asked for.
    user_id: String,
    /// From 1; null without a score there.
    rank: Option<u64>,
    /// The score that counts.
    score: Option<i64>,
    /// When it was reached.
    achieved_at: Option<Timestamp>,
}

/// Where each of these players is. Unlike friends: in the order asked for, and who has no score is there without a rank.
#[utoipa::path(
    post, path = "/v1/leaderboards/{board}/players", tag = "leaderboards", operation_id = "get_leaderboard_players",
    params(("board" = String, Path, description = "The leaderboard."), SeasonParams),
    request_body = Friends,
    security(("access_token" = [])),
    responses(
        (status = 200, body = Players),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such leaderboard or season.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Too many players.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn players(
    State(app): State<Shared>,
    _: Caller,
    Path(board): Path<String>,
    Params(params): Params<SeasonParams>,
    Body(body): Body<Friends>,
) -> Result<Json<Players>, Problem> {
    let ids: Vec<PlayerId> = body.user_ids.iter().filter_map(|id| PlayerId::parse(id)).collect();
    let lines = score::among(&app.game, &board, params.season.as_deref(), body.user_ids.len(), &ids).await?;
    let known: HashMap<&str, _> = lines.page.entries.iter().map(|line| (line.key.player.as_str(), line)).collect();
    let players = body.user_ids.into_iter().map(|user_id| {
        let line = known.get(user_id.as_str());
        PlayerLine {
            rank: line.map(|line| line.rank),
            score: line.map(|line| line.key.score),
            achieved_at: line.map(|line| line.key.achieved_at),
            user_id,
        }
    });
    let players = players.collect();
    Ok(Json(Players { board, players, total: lines.page.total, season: lines.season, stale: lines.stale }))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(default_board))
        .routes(routes!(named_board))
        .routes(routes!(around))
        .routes(routes!(friends))
        .routes(routes!(players))
}
