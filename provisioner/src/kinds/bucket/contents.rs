//! Emptying a bucket: every version and every delete marker goes, in batches.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::aws::error::{CallError, GoneOk};
use crate::kinds::{Cx, Error, Result};

/// Whether the bucket (or what is left of it) holds no version and no delete marker.
pub(super) async fn is_empty(cx: &Cx, name: &str) -> Result<bool> {
    let page = cx
        .aws
        .s3
        .list_object_versions()
        .bucket(name)
        .expected_bucket_owner(&cx.stack.account)
        .max_keys(1)
        .send()
        .await
        .gone_ok()?;
    Ok(page.is_none_or(|page| page.versions().is_empty() && page.delete_markers().is_empty()))
}

/// Forbids everybody to add objects, so that emptying comes to an end. `false`: there is no such bucket any more.
pub(super) async fn deny_puts(cx: &Cx, name: &str) -> Result<bool> {
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "BeingEmptied",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": format!("arn:{}:s3:::{name}/*", cx.stack.partition()),
        }],
    });
    let answer = cx
        .aws
        .s3
        .put_bucket_policy()
        .bucket(name)
        .expected_bucket_owner(&cx.stack.account)
        .policy(policy.to_string())
        .send()
        .await;
    Ok(answer.gone_ok()?.is_some())
}

/// Deletes every version and delete marker whose key starts with none of `keep`.
pub async fn empty(cx: &Cx, name: &str, keep: &[&str]) -> Result<()> {
    // Listing goes on behind the last key of a page, so one pass sees all that was there when it began.
    let (mut key_marker, mut version_marker) = (None, None);
    loop {
        let page = cx
            .aws
            .s3
            .list_object_versions()
            .bucket(name)
            .expected_bucket_owner(&cx.stack.account)
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker)
            .send()
            .await
            .gone_ok()?;
        let Some(page) = page else { return Ok(()) };
        let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let doomed = versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?, version)))
            .filter(|(key, _)| !keep.iter().any(|prefix| key.starts_with(prefix)))
            .map(|(key, version)| {
                ObjectIdentifier::builder().key(key).set_version_id(version.map(str::to_owned)).build()
            })
            .collect::<Result<Vec<_>, _>>()?;
        delete_batch(cx, name, doomed).await?;
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
    }
}

async fn delete_batch(cx: &Cx, name: &str, doomed: Vec<ObjectIdentifier>) -> Result<()> {
    if doomed.is_empty() {
        return Ok(());
    }
    let delete = Delete::builder().set_objects(Some(doomed)).quiet(true).build()?;
    let answer = cx
        .aws
        .s3
        .delete_objects()
        .bucket(name)
        .expected_bucket_owner(&cx.stack.account)
        .delete(delete)
        .send()
        .await
        .gone_ok()?;
    let Some(answer) = answer else { return Ok(()) };
    match answer.errors().first() {
        None => Ok(()),
        Some(first) => Err(Error::Failed {
            resource: format!("{name}/{}", first.key().unwrap_or_default()),
            reason: format!(
                "{}: {} (one of {} objects that could not be deleted)",
                first.code().unwrap_or("unknown"),
                first.message().unwrap_or_default(),
                answer.errors().len()
            ),
        }),
    }
}

/// Empties the bucket, what lies under the prefixes `last` at the very end, and deletes it. A bucket that is gone is
/// success; `BucketNotEmpty` means that somebody has added something since.
pub async fn empty_and_delete(cx: &Cx, name: &str, last: &[&str]) -> Result<()> {
    empty(cx, name, last).await?;
    if !last.is_empty() {
        empty(cx, name, &[]).await?;
    }
    let answer = cx.aws.s3.delete_bucket().bucket(name).expected_bucket_owner(&cx.stack.account).send().await;
    match answer.map_err(CallError::from) {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The keys that begin with `prefix`, each with when it was written (epoch seconds). None where there is no such bucket.
pub async fn keys(cx: &Cx, bucket: &str, prefix: &str) -> Result<Vec<(String, i64)>> {
    let mut keys = Vec::new();
    let mut token = None;
    loop {
        let request = cx.aws.s3.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(token);
        let Some(page) = request.send().await.gone_ok()? else { return Ok(keys) };
        for object in page.contents() {
            keys.extend(object.key().map(|key| (key.to_owned(), object.last_modified().map_or(0, |at| at.secs()))));
        }
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            return Ok(keys);
        }
    }
}

/// Deletes the newest version of every key that begins with `prefix`.
pub async fn delete_keys(cx: &Cx, bucket: &str, prefix: &str) -> Result<()> {
    let keys = keys(cx, bucket, prefix).await?;
    let object = |(key, _): (String, i64)| ObjectIdentifier::builder().key(key).build();
    let objects = keys.into_iter().map(object).collect::<std::result::Result<Vec<_>, _>>()?;
    // What one call takes.
    for some in objects.chunks(1000) {
        let delete = Delete::builder().set_objects(Some(some.to_vec())).quiet(true).build()?;
        cx.aws.s3.delete_objects().bucket(bucket).delete(delete).send().await.gone_ok()?;
    }
    Ok(())
}
