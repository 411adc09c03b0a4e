//! The server binary that the stack runs, in the stack bucket under its hash.

use std::convert::Infallible;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Kind, Live, Phase, Place, Ref, Result, State, Want, attrs, bucket, Tagged};
use crate::blueprint::Blueprint;

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
        vec![Want::new("release", Spec { bucket: Ref::to(bucket::STACK, "name"), sha256 })]
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> std::time::Duration {
        std::time::Duration::from_secs(if phase == Phase::Create { 10 } else { 2 })
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = cx.stack.bucket_name(bucket::STACK);
        let mut newest: Option<(i64, String)> = None;
        for (key, at) in bucket::keys(cx, &name, PREFIX).await? {
            let sha256 = key.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix("/game-server"));
            if let Some(sha256) = sha256
                && newest.as_ref().is_none_or(|(newest, _)| *newest < at)
            {
                newest = Some((at, sha256.to_owned()));
            }
        }
        let Some((_, sha256)) = newest else { return Ok(Vec::new()) };
        Ok(vec![Live {
            address: "release".into(),
            id: sha256.clone(),
            attrs: outputs(&sha256),
            spec: Spec { bucket: name.into(), sha256 },
            state: State::Ready,
        }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let Some(artifact) = &cx.artifact else {
            return Err(Error::Refused {
                what: "there is no server binary to upload".into(),
                help: "build it with `make release` or name it in [servers] artifact".into(),
            });
        };
        let body = ByteStream::from_path(&artifact.path).await.map_err(|error| Error::File {
            path: artifact.path.clone(),
            source: std::io::Error::other(error),
        })?;
        let key = format!("{PREFIX}{}/game-server", artifact.sha256);
        let put = cx.aws.s3.put_object().bucket(want.spec.bucket.get()).key(key).body(body).customize();
        // Tens of megabytes over whatever line there is: only a stream that stands still is given up.
        let patient = TimeoutConfig::builder().operation_attempt_timeout(UPLOAD_LIMIT).build();
        put.config_override(aws_sdk_s3::Config::builder().timeout_config(patient)).send().await?;
        Ok(Created { id: artifact.sha256.clone(), attrs: outputs(&artifact.sha256) })
    }

    async fn update(&self, _cx: &Cx, op: Infallible, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        bucket::delete_keys(cx, live.spec.bucket.get(), PREFIX).await
    }
}

fn outputs(sha256: &str) -> super::Attrs {
    attrs([("sha256", sha256), ("key", &format!("{PREFIX}{sha256}/game-server"))])
}
