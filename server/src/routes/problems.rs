//! What the `type` of a problem leads to.

use axum::{Json, extract::Path};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    error::{KINDS, NOT_FOUND, Problem, ProblemDocument},
    state::Shared,
};

/// A sort of problem.
#[derive(Serialize, ToSchema)]
pub struct ProblemType {
    /// As in problem documents.
    r#type: String,
    /// The status it is sent with.
    status: u16,
    /// For people.
    title: &'static str,
}

/// A sort of problem, explained.
#[utoipa::path(
    get, path = "/problems/{slug}", tag = "problems", operation_id = "get_problem_type",
    params(("slug" = String, Path, description = "The end of the `type`.")),
    responses(
        (status = 200, body = ProblemType),
        (status = 404, description = "No such sort.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn problem(Path(slug): Path<String>) -> Result<Json<ProblemType>, Problem> {
    let kind = KINDS.iter().find(|kind| kind.slug == slug).ok_or_else(|| Problem::new(&NOT_FOUND))?;
    Ok(Json(ProblemType { r#type: kind.type_uri(), status: kind.status.as_u16(), title: kind.title }))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(problem))
}
