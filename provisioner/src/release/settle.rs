//! The record of how the stack was left, kept right over a roll-out: what a roll-out changes is no drift.

use crate::engine::applied;
use crate::engine::observed::observe_kinds;
use crate::kinds::{self, Cx, bucket, fleet, launch_template, release};

/// What a roll-out changes: address and kind.
const CHANGED: [(&str, &str); 3] = [
    (release::ADDRESS, "release"),
    (launch_template::ADDRESS, "launch_template"),
    (fleet::ADDRESS, "auto_scaling_group"),
];

/// Writes down what is about to change. A stack that never was complete has no record, and gets none here.
pub async fn begin(cx: &Cx) -> kinds::Result<()> {
    let bucket = cx.stack.bucket_name(bucket::STACK);
    let Some(applied) = applied::read(&cx.aws.s3, &bucket).await? else { return Ok(()) };
    let addresses = CHANGED.map(|(address, _)| address.to_owned());
    Ok(applied::write(&cx.aws.s3, &bucket, &applied.changing(addresses, cx.now())).await?)
}

/// Writes down how it was left. Failing to leaves more in doubt than need be, and nothing wrong.
pub async fn end(cx: &Cx) {
    if let Err(error) = write(cx).await {
        tracing::warn!(%error, "how the stack was left could not be written down");
    }
}

async fn write(cx: &Cx) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let bucket = cx.stack.bucket_name(bucket::STACK);
    let Some(applied) = applied::read(&cx.aws.s3, &bucket).await? else { return Ok(()) };
    let seen = observe_kinds(cx, CHANGED.into_iter().map(|(_, kind)| kind)).await?;
    Ok(applied::write(&cx.aws.s3, &bucket, &applied.settling(&seen, cx.now())).await?)
}
