//! A bucket's settings: read back one after another, put one by one.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
    LifecycleExpiration, LifecycleRule as SdkRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag,
    VersioningConfiguration,
};
use serde::{Deserialize, Serialize};

use super::{Op, Spec};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::kinds::{Cx, Result};

/// What expires under one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Keys that start with this; empty: all.
    pub prefix: String,
    /// Versions that were replaced or deleted go after so many days.
    pub noncurrent_days: i32,
    /// Uploads that were never finished go after so many days.
    pub abort_upload_days: i32,
    /// A delete marker with no version behind it goes.
    pub expired_delete_markers: bool,
}

impl LifecycleRule {
    /// Old versions under `prefix` expire after `days`.
    pub fn versions(prefix: &str, days: i32) -> Self {
        Self { prefix: prefix.to_owned(), noncurrent_days: days, abort_upload_days: 7, expired_delete_markers: true }
    }

    fn from_sdk(rule: &SdkRule) -> Self {
        Self {
            prefix: rule.filter().and_then(LifecycleRuleFilter::prefix).unwrap_or_default().to_owned(),
            noncurrent_days: rule.noncurrent_version_expiration().and_then(|e| e.noncurrent_days()).unwrap_or(0),
            abort_upload_days: rule
                .abort_incomplete_multipart_upload()
                .and_then(|a| a.days_after_initiation())
                .unwrap_or(0),
            expired_delete_markers: rule.expiration().and_then(|e| e.expired_object_delete_marker()).unwrap_or(false),
        }
    }

    fn to_sdk(&self) -> Result<SdkRule> {
        let id = if self.prefix.is_empty() { "all" } else { self.prefix.trim_end_matches('/') };
        let markers = self.expired_delete_markers;
        Ok(SdkRule::builder()
            .id(format!("old-versions-{id}"))
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(&self.prefix).build())
            .expiration(LifecycleExpiration::builder().expired_object_delete_marker(markers).build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder().noncurrent_days(self.noncurrent_days).build(),
            )
            .abort_incomplete_multipart_upload(
                AbortIncompleteMultipartUpload::builder().days_after_initiation(self.abort_upload_days).build(),
            )
            .build()?)
    }
}

/// Which settings of `live` are not as `want` has them.
pub(super) fn differences(live: &Spec, want: &Spec) -> [(Op, bool); 6] {
    let sorted = |rules: &[LifecycleRule]| {
        let mut rules = rules.to_vec();
        rules.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        rules
    };
    [
        (Op::PublicAccess, live.public_access_blocked != want.public_access_blocked),
        (Op::Encryption, live.encryption != want.encryption),
        (Op::Ownership, live.ownership != want.ownership),
        (Op::Versioning, live.versioned != want.versioned),
        (Op::Lifecycle, sorted(&live.lifecycle) != sorted(&want.lifecycle)),
        (Op::Drills, live.drills != want.drills),
    ]
}

/// Reads every setting. What was never set reads as off.
pub(super) async fn read(cx: &Cx, name: &str, tags: &[Tag]) -> Result<Spec> {
    let (s3, owner) = (&cx.aws.s3, &cx.stack.account);
    let access = s3.get_public_access_block().bucket(name).expected_bucket_owner(owner).send().await.gone_ok()?;
    let encryption = s3.get_bucket_encryption().bucket(name).expected_bucket_owner(owner).send().await.gone_ok()?;
    let ownership =
        s3.get_bucket_ownership_controls().bucket(name).expected_bucket_owner(owner).send().await.gone_ok()?;
    let versioning = s3.get_bucket_versioning().bucket(name).expected_bucket_owner(owner).send().await.gone_ok()?;
    let lifecycle =
        s3.get_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(owner).send().await.gone_ok()?;
    let all = |b: PublicAccessBlockConfiguration| {
        [b.block_public_acls, b.ignore_public_acls, b.block_public_policy, b.restrict_public_buckets]
            .iter()
            .all(|on| *on == Some(true))
    };
    let algorithm = encryption
        .as_ref()
        .and_then(|e| e.server_side_encryption_configuration()?.rules().first())
        .and_then(|rule| rule.apply_server_side_encryption_by_default())
        .map(|default| default.sse_algorithm().as_str().to_owned());
    let owner_rule = ownership
        .as_ref()
        .and_then(|o| o.ownership_controls()?.rules().first())
        .map(|rule| rule.object_ownership().as_str().to_owned());
    Ok(Spec {
        name: name.to_owned(),
        public_access_blocked: access.and_then(|a| a.public_access_block_configuration).is_some_and(all),
        encryption: algorithm.unwrap_or_default(),
        ownership: owner_rule.unwrap_or_default(),
        versioned: versioning.and_then(|v| v.status) == Some(BucketVersioningStatus::Enabled),
        lifecycle: lifecycle.iter().flat_map(|l| l.rules()).map(LifecycleRule::from_sdk).collect(),
        drills: super::allows_drills(pairs(tags)),
    })
}

/// Puts one setting.
pub(super) async fn put(cx: &Cx, name: &str, op: Op, want: &Spec) -> Result<()> {
    let (s3, owner) = (&cx.aws.s3, &cx.stack.account);
    match op {
        Op::PublicAccess => {
            let on = want.public_access_blocked;
            let block = PublicAccessBlockConfiguration::builder()
                .block_public_acls(on)
                .ignore_public_acls(on)
                .block_public_policy(on)
                .restrict_public_buckets(on)
                .build();
            s3.put_public_access_block()
                .bucket(name)
                .expected_bucket_owner(owner)
                .public_access_block_configuration(block)
                .send()
                .await?;
        }
        Op::Encryption => {
            let default = ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::from(want.encryption.as_str()))
                .build()?;
            let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
            let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
            s3.put_bucket_encryption()
                .bucket(name)
                .expected_bucket_owner(owner)
                .server_side_encryption_configuration(configuration)
                .send()
                .await?;
        }
        Op::Ownership => {
            let ownership = ObjectOwnership::from(want.ownership.as_str());
            let rule = OwnershipControlsRule::builder().object_ownership(ownership).build()?;
            let controls = OwnershipControls::builder().rules(rule).build()?;
            s3.put_bucket_ownership_controls()
                .bucket(name)
                .expected_bucket_owner(owner)
                .ownership_controls(controls)
                .send()
                .await?;
        }
        Op::Versioning => {
            let status =
                if want.versioned { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
            let configuration = VersioningConfiguration::builder().status(status).build();
            s3.put_bucket_versioning()
                .bucket(name)
                .expected_bucket_owner(owner)
                .versioning_configuration(configuration)
                .send()
                .await?;
        }
        Op::Lifecycle => put_lifecycle(cx, name, &want.lifecycle).await?,
        Op::Drills => super::mark_drills(cx, name, want.drills).await?,
    }
    Ok(())
}

async fn put_lifecycle(cx: &Cx, name: &str, rules: &[LifecycleRule]) -> Result<()> {
    let (s3, owner) = (&cx.aws.s3, &cx.stack.account);
    if rules.is_empty() {
        s3.delete_bucket_lifecycle().bucket(name).expected_bucket_owner(owner).send().await?;
        return Ok(());
    }
    let rules = rules.iter().map(LifecycleRule::to_sdk).collect::<Result<Vec<_>>>()?;
    let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?;
    s3.put_bucket_lifecycle_configuration()
        .bucket(name)
        .expected_bucket_owner(owner)
        .lifecycle_configuration(configuration)
        .send()
        .await?;
    Ok(())
}
