//! What the last run left behind: a record in the stack's bucket, beside which drift is seen.
//!
//! It is evidence, never truth: what a run does follows from the blueprint and from what AWS holds. Without a record nothing
//! counts as drift.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::observed::Inventory;
use crate::aws::error::{CallError, GoneOk};
use crate::aws::intercept::NODE;
use crate::kinds::{self, Error, Observed};

/// The record's key in the stack bucket, and the name its writes carry in the journal.
const KEY: &str = "applied/nodes.json";

/// One resource as the last run left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// Its kind's name.
    pub kind: String,
    /// The id that AWS's calls take.
    pub id: String,
    /// Its spec, all values.
    pub props: Value,
}

impl Left {
    fn of(live: &Observed) -> Self {
        Self { kind: live.kind.to_owned(), id: live.id.clone(), props: live.props.clone() }
    }
}

/// What the last run left behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// When it was written.
    pub at: Option<Timestamp>,
    /// Every resource by address.
    pub nodes: BTreeMap<String, Left>,
    /// Free tags: every key with each value that something of the stack may carry.
    #[serde(default)]
    pub tags: BTreeMap<String, BTreeSet<String>>,
    /// Addresses that a run began to change and did not report as done: how they are to look is not known.
    pub under_way: BTreeSet<String>,
}

impl Applied {
    /// All that `inventory` holds, with these free tags and nothing under way.
    pub fn of(inventory: &Inventory, tags: &BTreeMap<String, String>, now: Timestamp) -> Self {
        let nodes = inventory.live.values().map(|live| (live.address.clone(), Left::of(live))).collect();
        Self { at: Some(now), nodes, under_way: BTreeSet::new(), tags: BTreeMap::new() }.carrying(tags)
    }

    /// The same, while a run changes `addresses`.
    pub fn changing(mut self, addresses: impl IntoIterator<Item = String>, now: Timestamp) -> Self {
        self.at = Some(now);
        self.under_way.extend(addresses);
        self
    }

    /// The same, while a run puts `tags` on what is there.
    pub fn carrying(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            self.tags.entry(key.clone()).or_default().insert(value.clone());
        }
        self
    }

    /// The same, with what `inventory` holds as it was left now.
    pub fn settling(mut self, inventory: &Inventory, now: Timestamp) -> Self {
        self.at = Some(now);
        for live in inventory.live.values() {
            self.nodes.insert(live.address.clone(), Left::of(live));
            self.under_way.remove(&live.address);
        }
        self
    }

    /// Keys of free tags that something may carry and that are not in `wanted`.
    pub fn dropped(&self, wanted: &BTreeMap<String, String>) -> BTreeSet<String> {
        self.tags.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect()
    }

    /// Whether everything carries `wanted` and no other free tag.
    pub fn carries(&self, wanted: &BTreeMap<String, String>) -> bool {
        let only =
            |(key, value): (&String, &String)| self.tags.get(key).is_some_and(|v| v.len() == 1 && v.contains(value));
        self.tags.len() == wanted.len() && wanted.iter().all(only)
    }

    /// The node at `address`, if the last run left one there and nobody has begun to change it since.
    pub fn settled(&self, address: &str) -> Option<&Left> {
        self.nodes.get(address).filter(|_| !self.under_way.contains(address))
    }
}

/// Reads the record; `None` where there is none, or none that can be understood.
pub async fn read(s3: &Client, bucket: &str) -> kinds::Result<Option<Applied>> {
    let Some(answer) = s3.get_object().bucket(bucket).key(KEY).send().await.gone_ok()? else { return Ok(None) };
    let broke_off = Error::Incomplete { call: "s3 GetObject", what: "the end of the record of the last run" };
    let body = answer.body.collect().await.map_err(|_| broke_off)?;
    Ok(serde_json::from_slice(&body.into_bytes()).ok())
}

/// Writes the record.
pub async fn write(s3: &Client, bucket: &str, applied: &Applied) -> Result<(), CallError> {
    let body = serde_json::to_vec(applied).expect("a record is plain data");
    let put = s3.put_object().bucket(bucket).key(KEY).body(body.into()).send();
    NODE.scope(KEY.to_owned(), put).await.map(drop).map_err(CallError::from)
}

/// Forgets the record: what it says is about to go.
pub async fn forget(s3: &Client, bucket: &str) -> Result<(), CallError> {
    let delete = s3.delete_object().bucket(bucket).key(KEY).send();
    NODE.scope(KEY.to_owned(), delete).await.gone_ok().map(drop)
}
