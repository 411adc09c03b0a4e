//! The plan itself, as it is shown and printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cost::PlanCost;
use crate::engine::drift::{Drifted, overwrites};
use crate::kinds::Impact;

/// The field of a change that puts the stack's tags back on a resource.
pub const TAGS: &str = "tags";

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
}

/// One differing field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field's name.
    pub name: String,
    /// What AWS holds; absent for a create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What the blueprint asks for; a reference to something not made yet is `(known after apply)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// One planned change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedChange {
    /// The node's address.
    pub address: String,
    /// Its kind.
    pub kind: &'static str,
    /// What happens to it.
    pub action: Action,
    /// What that does to those who use the stack.
    pub impact: Impact,
    /// The fields that differ (update, replace).
    pub fields: Vec<FieldChange>,
    /// How long it takes on AWS.
    pub expected_seconds: u64,
    /// Of how many observations at this endpoint that is the median; absent: it comes from provision's own table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned_from: Option<usize>,
    /// The id of the resource it concerns, where it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is lost with it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'static str>,
    /// Whether it overwrites what was changed outside provision.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overwrites_drift: bool,
    /// What players notice of it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub players: Option<String>,
    /// The maintenance window that it waits for; absent: it takes effect at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

impl PlannedChange {
    /// Whether nothing but tags changes.
    pub fn is_tags_only(&self) -> bool {
        self.action == Action::Update && self.fields.iter().all(|field| field.name == TAGS)
    }
}

/// What an `up` or `down` is going to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The stack's name.
    pub stack: String,
    /// Its home region.
    pub region: String,
    /// The account.
    pub account: String,
    /// Every change, in address order.
    pub changes: Vec<PlannedChange>,
    /// Pending resources that are only waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<String>,
    /// The chain of changes that takes longest.
    pub critical_path: Vec<String>,
    /// How long that takes: the time until all is ready.
    pub critical_path_seconds: u64,
    /// The time until the API can serve, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playable_seconds: Option<u64>,
    /// How many changes of each action.
    pub summary: BTreeMap<String, usize>,
    /// What it does to the stack's monthly cost, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<PlanCost>,
    /// What was changed outside provision since the last run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drifted>,
    /// Things worth knowing that are no changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Problems that forbid to apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do, nor to wait for.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.awaited.is_empty()
    }

    /// The addresses of all that it changes or waits for.
    pub fn touched(&self) -> impl Iterator<Item = String> {
        self.changes.iter().map(|change| &change.address).chain(&self.awaited).cloned()
    }

    /// Notes what was changed outside provision, and which changes overwrite it.
    pub fn note_drift(&mut self, drift: Vec<Drifted>) {
        for change in &mut self.changes {
            change.overwrites_drift = overwrites(change, &drift);
        }
        self.drift = drift;
    }

    /// Whether it overwrites what was changed outside provision.
    pub fn overwrites_drift(&self) -> bool {
        self.changes.iter().any(|change| change.overwrites_drift)
    }

    /// The changes that destroy data.
    pub fn data_losses(&self) -> impl Iterator<Item = &PlannedChange> {
        self.changes.iter().filter(|c| matches!(c.impact, Impact::ReplacementDataLost | Impact::DataLost))
    }
}
