//! What a node wants to be: a serialisable spec, in which other nodes are referred to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A resource's outputs by name: `id`, `arn`, `name`, `endpoint`, ...
pub type Attrs = BTreeMap<String, String>;

/// A value that another node provides once it exists, or a plain value.
///
/// In a desired spec it points at a node (`Ref::to("vpc", "id")`); before a create or update call the engine puts
/// the value in; what AWS holds is always a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ref {
    /// The attribute `attr` of the node at `node`.
    Node {
        /// Address of the node.
        #[serde(rename = "$node")]
        node: String,
        /// Name of the attribute.
        attr: String,
    },
    /// A known value.
    Value(String),
}

impl Ref {
    /// Points at an attribute of another node.
    pub fn to(node: impl Into<String>, attr: impl Into<String>) -> Self {
        Self::Node { node: node.into(), attr: attr.into() }
    }

    /// The value; empty while it is not known. `create`, `update` and `delete` only ever see known values.
    pub fn get(&self) -> &str {
        match self {
            Self::Value(value) => value,
            Self::Node { .. } => "",
        }
    }
}

impl From<&str> for Ref {
    fn from(value: &str) -> Self {
        Self::Value(value.to_owned())
    }
}

impl From<String> for Ref {
    fn from(value: String) -> Self {
        Self::Value(value)
    }
}

/// Builds [`Attrs`] from pairs.
pub fn attrs<const N: usize>(pairs: [(&str, &str); N]) -> Attrs {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}
