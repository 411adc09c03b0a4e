//! Scores and a player's own rank.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::score,
    error::{Problem, ProblemDocument},
    extract::{Body, Owner, Params},
    state::Shared,
};

/// A finished run.
#[derive(Deserialize, ToSchema)]
pub struct SubmitScore {
    /// Any 64-bit integer.
    score: i64,
    /// The client's id of the run: sending it again changes nothing, for 7 days.
    #[schema(min_length = 1, max_length = 64)]
    run_id: String,
    /// The default leaderboard if left out.
    board: Option<String>,
    /// Goes to the log.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// What a run led to.
#[derive(Serialize, ToSchema)]
pub struct SubmittedScore {
    /// The leaderboard.
    board: String,
    /// The player's rank now, from 1. Null while the ranking is away or being rebuilt: the score is recorded all the same.
    rank: Option<u64>,
    /// The score that counts now.
    best: i64,
    /// The score that counted before; null if none did.
    previous_best: Option<i64>,
    /// Whether the score that counts changed.
    improved: bool,
    /// The season it counts in: the running one, or that of the first answer.
    season: String,
    /// When the score that counts was reached.
    achieved_at: Timestamp,
}

/// Which leaderboard.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RankParams {
    /// The default leaderboard if left out.
    board: Option<String>,
    /// The running one if left out.
    season: Option<String>,
}

/// A player's rank.
#[derive(Serialize, ToSchema)]
pub struct Rank {
    /// The leaderboard.
    board: String,
    /// From 1; equal scores rank by who reached theirs first.
    rank: u64,
    /// The score that counts.
    score: i64,
    /// Players on the leaderboard.
    total: u64,
    /// The season.
    season: String,
    /// True while the ranking is away or being rebuilt: the answer comes from the database, which is slower.
    stale: bool,
}

/// Send a score.
#[utoipa::path(
    post, path = "/v1/users/{id}/scores", tag = "scores", operation_id = "submit_score",
    params(("id" = String, Path, description = "The caller's own id.")),
    request_body = SubmitScore,
    security(("access_token" = [])),
    responses(
        (status = 200, description = "Recorded.", body = SubmittedScore),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "Another player's.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player or leaderboard.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The leaderboard's season has ended and it has no other.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Wrong values, or the run_id was used for another score.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn submit(
    State(app): State<Shared>,
    Owner(player): Owner,
    Body(body): Body<SubmitScore>,
) -> Result<Json<SubmittedScore>, Problem> {
    let run = score::Run {
        score: body.score,
        run_id: body.run_id,
        board: body.board,
        metadata: body.metadata.unwrap_or_default(),
    };
    let submitted = score::submit(&app.game, &player, run).await?;
    Ok(Json(SubmittedScore {
        board: submitted.board,
        rank: submitted.rank,
        best: submitted.result.best,
        previous_best: submitted.result.previous_best,
        improved: submitted.result.improved,
        season: submitted.result.season,
        achieved_at: submitted.result.achieved_at,
    }))
}

/// The player's rank.
#[utoipa::path(
    get, path = "/v1/users/{id}/rank", tag = "scores", operation_id = "get_rank",
    params(("id" = String, Path, description = "The caller's own id."), RankParams),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Rank),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "Another player's.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player, leaderboard or season, or no score on it.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn rank(
    State(app): State<Shared>,
    Owner(player): Owner,
    Params(params): Params<RankParams>,
) -> Result<Json<Rank>, Problem> {
    let board = app.game.definition().boards.find(params.board.as_deref())?.name.clone();
    let standing = score::rank(&app.game, &player, Some(&board), params.season.as_deref()).await?;
    Ok(Json(Rank {
        board,
        rank: standing.entry.rank,
        score: standing.entry.key.score,
        total: standing.total,
        season: standing.season,
        stale: standing.stale,
    }))
}

/// The route that writes.
#[must_use]
pub fn write_router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// The route that reads.
#[must_use]
pub fn read_router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(rank))
}
