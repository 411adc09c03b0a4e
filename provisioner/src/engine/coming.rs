//! When what is still on its way will be ready: from the calls in the journals that the stack's bucket keeps.

use std::collections::BTreeMap;

use super::journal::call_of;
use super::observed::Inventory;
use super::plan::half;
use super::session::Session;
use crate::aws::error::CallError;
use crate::aws::stack::Stack;
use crate::kinds::{Observed, Phase, State, bucket};

/// The newest journals that are looked through.
const JOURNALS: usize = 5;

/// Seconds at this endpoint until each pending resource is ready, by address; none of what no journal tells about.
/// Nothing is asked where nothing is pending.
pub async fn ready_in(
    session: &Session,
    stack: &Stack,
    inventory: &Inventory,
    now: jiff::Timestamp,
) -> Result<BTreeMap<String, u64>, CallError> {
    let pending: Vec<&Observed> =
        inventory.live.values().filter(|live| matches!(live.state, State::Pending(_))).collect();
    if pending.is_empty() {
        return Ok(BTreeMap::new());
    }
    let begun = begun(session, &stack.bucket_name(bucket::STACK)).await?;
    let left = |live: &&Observed| {
        let (at, operation) = begun.get(&live.address)?;
        let phase = if operation.starts_with("Create") { Phase::Create } else { Phase::Update };
        let expected = session.pace.here(half(live.kind, &session.times, phase, &live.props, &[]).time);
        let passed = now.duration_since(*at).unsigned_abs();
        Some((live.address.clone(), expected.saturating_sub(passed).as_secs()))
    };
    Ok(pending.iter().filter_map(left).collect())
}

/// The last mutating call made for each node, and when.
async fn begun(session: &Session, bucket: &str) -> Result<BTreeMap<String, (jiff::Timestamp, String)>, CallError> {
    let s3 = &session.aws.s3;
    let mut keys = Vec::new();
    let mut pages = s3.list_objects_v2().bucket(bucket).prefix("journal/").into_paginator().send();
    while let Some(page) = pages.next().await {
        keys.extend(page?.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    // Their names begin with the time.
    keys.sort();
    let mut begun = BTreeMap::new();
    for key in &keys[keys.len().saturating_sub(JOURNALS)..] {
        let answer = s3.get_object().bucket(bucket).key(key).send().await?;
        // A journal that breaks off while it is read tells less, and nothing wrong.
        let Ok(body) = answer.body.collect().await else { continue };
        for call in String::from_utf8_lossy(&body.into_bytes()).lines().filter_map(call_of) {
            if let Some(node) = call.node {
                begun.insert(node, (call.at, call.operation));
            }
        }
    }
    Ok(begun)
}
