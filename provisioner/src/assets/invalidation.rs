//! Tells CloudFront that the manifest is another one. Nothing else ever changes under its name.

use std::time::{Duration, Instant};

use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use serde::Serialize;

use super::error::AssetsError;
use super::manifest::MANIFEST;
use crate::aws::error::CallError;
use crate::engine::holder::nonce;
use crate::engine::session::Session;

/// How long CloudFront takes, usually.
const EXPECTED: Duration = Duration::from_secs(60);
/// How long it may take.
const LIMIT: Duration = Duration::from_secs(900);

/// What became of it. The edge forgets the old manifest by itself after a minute, whatever became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalidation {
    /// Every edge has the new manifest.
    Completed,
    /// It is under way.
    InProgress,
    /// CloudFront did not take it.
    Refused,
    /// There is no distribution, or nothing new.
    None,
}

/// Makes the edges ask for the manifest again; waits for them where `wait`.
pub async fn invalidate(
    session: &Session,
    distribution: Option<&str>,
    wait: bool,
) -> Result<Invalidation, AssetsError> {
    let Some(distribution) = distribution else { return Ok(Invalidation::None) };
    session.phase("telling CloudFront");
    let id = match create(session, distribution).await? {
        Ok(id) => id,
        Err(error) => {
            tracing::warn!(%error, "the manifest could not be invalidated");
            return Ok(Invalidation::Refused);
        }
    };
    let (begun, limit) = (Instant::now(), session.pace.deadline(LIMIT));
    while wait && !session.stopped() && begun.elapsed() < limit {
        let request = session.aws.cloudfront.get_invalidation().distribution_id(distribution).id(&id);
        match request.send().await.map_err(CallError::from) {
            Ok(answer) if answer.invalidation.as_ref().is_some_and(|it| it.status == "Completed") => {
                return Ok(Invalidation::Completed);
            }
            Ok(_) => {}
            // What was pushed is there, and CloudFront goes on by itself.
            Err(error) => {
                tracing::warn!(%error, "whether CloudFront is done cannot be seen");
                break;
            }
        }
        tokio::time::sleep(session.pace.interval(EXPECTED)).await;
    }
    Ok(Invalidation::InProgress)
}

async fn create(session: &Session, distribution: &str) -> Result<Result<String, CallError>, AssetsError> {
    let request = |error: aws_sdk_cloudfront::error::BuildError| AssetsError::Request(error.into());
    let paths = Paths::builder().quantity(1).items(format!("/{MANIFEST}")).build().map_err(request)?;
    let batch = InvalidationBatch::builder().caller_reference(nonce()).paths(paths).build().map_err(request)?;
    let call = session.aws.cloudfront.create_invalidation().distribution_id(distribution).invalidation_batch(batch);
    let answer = call.send().await.map_err(CallError::from);
    Ok(answer.map(|answer| answer.invalidation.map(|invalidation| invalidation.id).unwrap_or_default()))
}
