//! What became of a release: a small object beside its binary.

use std::collections::BTreeMap;

use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PREFIX;
use crate::aws::error::GoneOk;
use crate::kinds::{Cx, Error, Result, bucket};

const NAME: &str = "record.json";

/// How a release fared so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its roll-out was begun, and nobody has seen its end yet.
    Deploying,
    /// It served well.
    Good,
    /// It did not come to serve.
    Failed,
    /// It served, and somebody went back to an earlier one.
    RolledBack,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// SHA-256 of the binary.
    pub release: String,
    /// When it was deployed last; a roll-back to it does not count.
    pub at: Timestamp,
    /// Who did: the ARN of the caller; empty where that is not known.
    pub by: String,
    /// How it fared.
    pub fate: Fate,
    /// Why it failed or was rolled back.
    #[serde(default)]
    pub reason: Option<String>,
    /// Random, one for each roll-out: a repeated call of the same one is recognised by it.
    #[serde(default)]
    pub attempt: String,
}

impl Record {
    /// Of a release that the caller deploys now.
    pub fn new(release: &str, fate: Fate, cx: &Cx) -> Self {
        let attempt = hex::encode(cx.random_bytes(8));
        Self { release: release.to_owned(), at: cx.now(), by: cx.caller.clone(), fate, reason: None, attempt }
    }

    /// The same with another fate.
    pub fn with(mut self, fate: Fate, reason: Option<String>) -> Self {
        (self.fate, self.reason) = (fate, reason);
        self
    }
}

/// The releases whose binary the bucket holds.
pub async fn held(cx: &Cx) -> Result<Vec<String>> {
    Ok(objects(cx).await?.into_iter().map(|object| object.release).collect())
}

/// A binary in the bucket.
struct Object {
    release: String,
    /// Epoch seconds.
    at: i64,
    is_recorded: bool,
}

async fn objects(cx: &Cx) -> Result<Vec<Object>> {
    let mut found: BTreeMap<String, (Option<i64>, bool)> = BTreeMap::new();
    for (key, at) in bucket::keys(cx, &cx.stack.bucket_name(bucket::STACK), PREFIX).await? {
        let Some((release, name)) = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) else { continue };
        let one = found.entry(release.to_owned()).or_default();
        match name {
            "game-server" => one.0 = Some(at),
            NAME => one.1 = true,
            _ => {}
        }
    }
    let object = |(release, (at, is_recorded)): (String, (Option<i64>, bool))| Some(Object { release, at: at?, is_recorded });
    Ok(found.into_iter().filter_map(object).collect())
}

/// Every release that the bucket holds, the last one first. A binary without a record served once, as far as is known.
pub async fn all(cx: &Cx) -> Result<Vec<Record>> {
    let bucket = cx.stack.bucket_name(bucket::STACK);
    let bucket = bucket.as_str();
    let read = objects(cx).await?.into_iter().map(|object| async move {
        let known = if object.is_recorded { read(cx, bucket, &object.release).await? } else { None };
        Ok::<_, Error>(known.unwrap_or_else(|| Record {
            release: object.release,
            at: Timestamp::from_second(object.at).unwrap_or_default(),
            by: String::new(),
            fate: Fate::Good,
            reason: None,
            attempt: String::new(),
        }))
    });
    let mut all: Vec<Record> = futures::stream::iter(read).buffer_unordered(8).try_collect().await?;
    all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.release.cmp(&b.release)));
    Ok(all)
}

async fn read(cx: &Cx, bucket: &str, release: &str) -> Result<Option<Record>> {
    let key = format!("{PREFIX}{release}/{NAME}");
    let Some(answer) = cx.aws.s3.get_object().bucket(bucket).key(&key).send().await.gone_ok()? else { return Ok(None) };
    let lacking = Error::Incomplete { call: "s3 GetObject", what: "the end of a release's record" };
    let body = answer.body.collect().await.map_err(|_| lacking)?;
    let what = || format!("s3://{bucket}/{key} (without this object the release counts as one that served well)");
    serde_json::from_slice(&body.into_bytes()).map(Some).map_err(|source| Error::Json { what: what(), source })
}

/// Writes a release's record.
pub async fn write(cx: &Cx, record: &Record) -> Result<()> {
    let body = serde_json::to_vec(record).expect("a record is plain data");
    let put = cx.aws.s3.put_object().bucket(cx.stack.bucket_name(bucket::STACK));
    put.key(format!("{PREFIX}{}/{NAME}", record.release)).body(body.into()).send().await?;
    Ok(())
}
