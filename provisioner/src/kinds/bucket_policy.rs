//! The policy of the bucket of assets: the distribution may read, over TLS, and nobody else.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Attrs, Change, Created, Cx, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, bucket, distribution, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::stack::Stack;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "bucket-policy/assets";

/// A bucket policy, read through the tagged bucket.
pub struct BucketPolicy;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name of the bucket.
    pub bucket: Ref,
    /// ARN of the distribution that may read.
    pub distribution: Ref,
    /// Whether the document says that and nothing else.
    pub as_written: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutBucketPolicy`.
    Put,
}

fn document(stack: &Stack, bucket: &str, distribution: &str) -> Value {
    let arn = format!("arn:{}:s3:::{bucket}", stack.partition());
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DistributionReads",
                "Effect": "Allow",
                "Principal": { "Service": "cloudfront.amazonaws.com" },
                "Action": "s3:GetObject",
                "Resource": format!("{arn}/*"),
                "Condition": { "StringEquals": { "AWS:SourceArn": distribution } },
            },
            {
                "Sid": "OverTlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, format!("{arn}/*")],
                "Condition": { "Bool": { "aws:SecureTransport": "false" } },
            },
        ],
    })
}

impl Kind for BucketPolicy {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "bucket_policy";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("bucket"),
        Field::update("distribution", Op::Put, Impact::InPlace),
        Field::update("as_written", Op::Put, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["bucket", "distribution"];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        if blueprint.assets.is_none() {
            return Vec::new();
        }
        let spec = Spec {
            bucket: Ref::to(bucket::ASSETS, "name"),
            distribution: Ref::to(distribution::ADDRESS, "arn"),
            as_written: true,
        };
        vec![Want::new(ADDRESS, spec)]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = cx.stack.bucket_name(bucket::ASSETS);
        let Some(tags) = bucket::tags_of(cx, &name).await? else { return Ok(Vec::new()) };
        if cx.node_of(bucket::Bucket::NAME, &name, pairs(&tags)).as_deref() != Some(bucket::ASSETS) {
            return Ok(Vec::new());
        }
        let call = cx.aws.s3.get_bucket_policy().bucket(&name).expected_bucket_owner(&cx.stack.account);
        let policy = call.send().await.gone_ok()?.and_then(|answer| answer.policy);
        let Some(policy) = policy else { return Ok(Vec::new()) };
        let live: Value = serde_json::from_str(&policy).unwrap_or(Value::Null);
        let arn = live.pointer("/Statement/0/Condition/StringEquals/AWS:SourceArn").and_then(Value::as_str);
        let distribution = arn.unwrap_or_default();
        let spec = Spec {
            as_written: live == document(&cx.stack, &name, distribution),
            bucket: Ref::from(name.as_str()),
            distribution: Ref::from(distribution),
        };
        Ok(vec![Live { address: ADDRESS.into(), id: name, spec, attrs: Attrs::new(), state: State::Ready }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        put(cx, &want.spec).await?;
        Ok(Created { id: want.spec.bucket.get().to_owned(), attrs: Attrs::new() })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Put => put(cx, change.want).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let call = cx.aws.s3.delete_bucket_policy().bucket(&live.id).expected_bucket_owner(&cx.stack.account);
        call.send().await.gone_ok()?;
        Ok(())
    }
}

async fn put(cx: &Cx, spec: &Spec) -> Result<()> {
    let bucket = spec.bucket.get();
    let policy = document(&cx.stack, bucket, spec.distribution.get()).to_string();
    let call = cx.aws.s3.put_bucket_policy().bucket(bucket).expected_bucket_owner(&cx.stack.account);
    call.policy(policy).send().await?;
    Ok(())
}
