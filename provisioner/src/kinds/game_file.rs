//! The game's own file (boards, seasons, catalogue), in the stack bucket under its hash. Instances fetch it when they boot.

use aws_sdk_s3::primitives::ByteStream;
use serde::{Deserialize, Serialize};

use super::{
    Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Ref, Result, State, Tagged, Want, attrs, bucket,
};
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "game-file";
const PREFIX: &str = "game/";

/// An uploaded game file, `game/<sha256>.toml`.
pub struct GameFile;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The stack bucket.
    pub bucket: Ref,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutObject` of the other file.
    Upload,
}

impl Kind for GameFile {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "game_file";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Op>] =
        &[Field::ignore("bucket"), Field::update("sha256", Op::Upload, Impact::None)];
    const AFTER: &'static [&'static str] = &["bucket"];
    const CHANGED_BY_UPDATE: &'static [&'static str] = &["sha256"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let file = place.game_file.as_ref().filter(|_| blueprint.servers.is_some());
        let want = |file: &super::context::Artifact| {
            Want::new(ADDRESS, Spec { bucket: Ref::to(bucket::STACK, "name"), sha256: file.sha256.clone() })
        };
        file.map(want).into_iter().collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = cx.stack.bucket_name(bucket::STACK);
        // The one that was uploaded last: an earlier one that is wanted again is uploaded again.
        let newest = bucket::keys(cx, &name, PREFIX).await?.into_iter().max_by_key(|(_, at)| *at);
        let sha256 = newest.and_then(|(key, _)| Some(key.strip_prefix(PREFIX)?.strip_suffix(".toml")?.to_owned()));
        let live = |sha256: String| Live {
            address: ADDRESS.into(),
            id: sha256.clone(),
            attrs: outputs(&sha256),
            spec: Spec { bucket: name.into(), sha256 },
            state: State::Ready,
        };
        Ok(sha256.map(live).into_iter().collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        upload(cx, &want.spec).await?;
        Ok(Created { id: want.spec.sha256.clone(), attrs: outputs(&want.spec.sha256) })
    }

    async fn ready(&self, cx: &Cx, _address: &str, _id: &str) -> Result<super::Progress> {
        // After an update too, the hash is the new file's.
        let sha256 = cx.game_file.as_ref().map(|file| outputs(&file.sha256));
        Ok(super::Progress::Ready(sha256.unwrap_or_default()))
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Upload => upload(cx, change.want).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        bucket::delete_keys(cx, live.spec.bucket.get(), PREFIX).await
    }
}

async fn upload(cx: &Cx, spec: &Spec) -> Result<()> {
    let Some(file) = cx.game_file.as_ref().filter(|file| file.sha256 == spec.sha256) else {
        return Err(Error::Refused {
            what: "the game file of [servers] is not the one that the plan was made with".into(),
            help: "run the command again".into(),
        });
    };
    let body = ByteStream::from_path(&file.path).await;
    let body = body.map_err(|error| Error::File { path: file.path.clone(), source: std::io::Error::other(error) })?;
    let key = format!("{PREFIX}{}.toml", spec.sha256);
    cx.aws.s3.put_object().bucket(spec.bucket.get()).key(key).body(body).send().await?;
    Ok(())
}

fn outputs(sha256: &str) -> Attrs {
    attrs([("sha256", sha256)])
}
