//! The server binary that the stack runs, in the stack bucket under its hash.

pub mod record;

use std::convert::Infallible;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use serde::{Deserialize, Serialize};

use super::context::Artifact;
use super::{Change, Created, Cx, Error, Field, Kind, Live, Phase, Place, Ref, Result, State, Tagged, Want};
use super::{attrs, bucket, fleet};
use crate::aws::checksum;
use crate::blueprint::Blueprint;
use record::{Fate, Record};

/// Its address.
pub const ADDRESS: &str = "release";

/// How long an upload may take.
const UPLOAD_LIMIT: Duration = Duration::from_secs(3600);
const PREFIX: &str = "releases/";

/// An uploaded server binary, `releases/<sha256>/game-server`.
pub struct Release;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The stack bucket.
    pub bucket: Ref,
    /// SHA-256 of the binary. It belongs to `deploy`: `up` never changes it.
    pub sha256: String,
}

impl Kind for Release {
    type Spec = Spec;
    type Op = Infallible;
    const NAME: &'static str = "release";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Infallible>] = &[Field::ignore("bucket"), Field::ignore("sha256")];
    const AFTER: &'static [&'static str] = &["bucket"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.servers.is_none() {
            return Vec::new();
        }
        let sha256 = place.artifact.as_ref().map(|artifact| artifact.sha256.clone()).unwrap_or_default();
        vec![Want::new(ADDRESS, Spec { bucket: Ref::to(bucket::STACK, "name"), sha256 })]
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> std::time::Duration {
        std::time::Duration::from_secs(if phase == Phase::Create { 10 } else { 2 })
    }

    /// The release that the servers' group launches; while there is no group, the one that served last.
    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let held = record::held(cx).await?;
        let serving = if held.is_empty() { None } else { fleet::serving(cx).await? };
        let sha256 = match serving {
            Some(serving) => held.into_iter().find(|release| *release == serving.boot.release),
            None if held.is_empty() => None,
            None => {
                let known = record::all(cx).await?;
                let good = known.iter().find(|one| one.fate == Fate::Good).or(known.first());
                good.map(|one| one.release.clone())
            }
        };
        let name = cx.stack.bucket_name(bucket::STACK);
        let live = |sha256: String| Live {
            address: ADDRESS.into(),
            id: sha256.clone(),
            attrs: outputs(&sha256),
            spec: Spec { bucket: name.into(), sha256 },
            state: State::Ready,
        };
        Ok(sha256.map(live).into_iter().collect())
    }

    async fn create(&self, cx: &Cx, _want: &Want<Spec>) -> Result<Created> {
        let Some(artifact) = &cx.artifact else {
            return Err(Error::Refused {
                what: "there is no server binary to upload".into(),
                help: "build it with `make release` or name it in [servers] artifact".into(),
            });
        };
        // A record without its binary is no release yet.
        record::write(cx, &Record::new(&artifact.sha256, Fate::Deploying, cx)).await?;
        upload(cx, artifact).await?;
        Ok(Created { id: artifact.sha256.clone(), attrs: outputs(&artifact.sha256) })
    }

    async fn update(&self, _cx: &Cx, op: Infallible, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        bucket::delete_keys(cx, live.spec.bucket.get(), PREFIX).await
    }
}

/// Puts the binary under its hash into the stack's bucket. S3 refuses it where the file has changed meanwhile.
pub async fn upload(cx: &Cx, artifact: &Artifact) -> Result<()> {
    let file = |error| Error::File { path: artifact.path.clone(), source: std::io::Error::other(error) };
    let body = ByteStream::from_path(&artifact.path).await.map_err(file)?;
    let put = cx.aws.s3.put_object().bucket(cx.stack.bucket_name(bucket::STACK)).key(key(&artifact.sha256));
    // Tens of megabytes over whatever line there is: only a stream that stands still is given up.
    let patient = TimeoutConfig::builder().operation_attempt_timeout(UPLOAD_LIMIT).build();
    let put = put.checksum_sha256(checksum::of_hex(&artifact.sha256)).body(body).customize().config_override(aws_sdk_s3::Config::builder().timeout_config(patient));
    put.send().await?;
    Ok(())
}

fn key(sha256: &str) -> String {
    format!("{PREFIX}{sha256}/game-server")
}

/// Takes a release out of the bucket, with its record.
pub async fn remove(cx: &Cx, sha256: &str) -> Result<()> {
    bucket::delete_keys(cx, &cx.stack.bucket_name(bucket::STACK), &format!("{PREFIX}{sha256}/")).await
}

fn outputs(sha256: &str) -> super::Attrs {
    attrs([("sha256", sha256), ("key", &key(sha256))])
}
