//! The same trait without its types, so that the engine can hold all kinds in one list.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use super::context::{Cx, Place};
use super::error::{Error, Result};
use super::kind::{Change, Created, Impact, Kind, Live, Notice, OnChange, Phase, Progress, ReplaceOrder, State, Want};
use super::spec::Attrs;
use super::tagging::Tagged;
use crate::blueprint::Blueprint;

/// A desired node of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its address.
    pub address: String,
    /// Its kind's name.
    pub kind: &'static str,
    /// Its spec; references are `{"$node", "attr"}`.
    pub props: Value,
    /// Dependencies that the spec does not show.
    pub after: Vec<String>,
}

/// A live resource of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Its address.
    pub address: String,
    /// Its kind's name.
    pub kind: &'static str,
    /// The id that AWS's calls take.
    pub id: String,
    /// Its spec, all values.
    pub props: Value,
    /// Its outputs.
    pub attrs: Attrs,
    /// Every tag it carries; `None` where its kind carries none, or its listing reads none.
    pub tags: Option<BTreeMap<String, String>>,
    /// Where it is in its life.
    pub state: State,
}

impl Observed {
    /// Its ARN, where its kind says it; else its id.
    pub fn arn(&self) -> &str {
        self.attrs.get("arn").map_or(&self.id, String::as_str)
    }
}

/// What a difference in one field leads to, with the kind's operation as an index into its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Not a change.
    Ignore,
    /// Replacement.
    Replace,
    /// An update of this impact.
    Update(Impact),
}

/// [`Kind`] without its types.
pub trait AnyKind: Send + Sync {
    /// See [`Kind::NAME`].
    fn name(&self) -> &'static str;
    /// See [`Kind::TAGGED`].
    fn tagged(&self) -> Tagged;
    /// See [`Kind::AFTER`].
    fn after(&self) -> &'static [&'static str];
    /// See [`Kind::DATA`].
    fn data(&self) -> Option<&'static str>;
    /// See [`Kind::CHANGED_BY_UPDATE`].
    fn changed_by_update(&self) -> &'static [&'static str];
    /// See [`Kind::REPLACE`].
    fn replace_order(&self) -> ReplaceOrder;
    /// The fields by name, and what a difference in each leads to.
    fn fields(&self) -> Vec<(&'static str, Effect)>;
    /// See [`Kind::desired`].
    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Node>;
    /// See [`Kind::expected`].
    fn expected(&self, phase: Phase, props: &Value) -> Duration;
    /// See [`Kind::class`].
    fn class(&self, props: &Value) -> String;
    /// See [`Kind::limit`].
    fn limit(&self, phase: Phase) -> Duration;
    /// See [`Kind::impact`].
    fn impact(&self, field: &str, planned: Impact, live: &Value) -> Impact;
    /// See [`Kind::UPDATED_FIRST`].
    fn updated_first(&self) -> &'static [&'static str];
    /// See [`Kind::tolerates`].
    fn tolerates(&self, field: &str, live: &Value, want: &Value) -> bool;
    /// See [`Kind::moved_by_itself`].
    fn moved_by_itself(&self, field: &str, was: &Value, is: &Value) -> bool;
    /// See [`Kind::refused`].
    fn refused(&self, live: &Value, want: &Value) -> Option<String>;
    /// See [`Kind::notice`].
    fn notice(&self, fields: &[&str], live: &Value, want: &Value) -> Option<Notice>;
    /// See [`Kind::list`].
    fn list<'a>(&'a self, cx: &'a Cx) -> BoxFuture<'a, Result<Vec<Observed>>>;
    /// See [`Kind::create`]; `props` hold values only.
    fn create<'a>(&'a self, cx: &'a Cx, address: &'a str, props: &'a Value) -> BoxFuture<'a, Result<Created>>;
    /// See [`Kind::ready`].
    fn ready<'a>(&'a self, cx: &'a Cx, address: &'a str, id: &'a str) -> BoxFuture<'a, Result<Progress>>;
    /// See [`Kind::update`]: every operation that the differing `fields` ask for, in the order of the kind's fields.
    fn update<'a>(
        &'a self,
        cx: &'a Cx,
        live: &'a Observed,
        props: &'a Value,
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<()>>;
    /// See [`Kind::guarded`].
    fn guarded<'a>(&'a self, cx: &'a Cx, live: &'a Observed) -> BoxFuture<'a, Result<Option<String>>>;
    /// See [`Kind::delete`].
    fn delete<'a>(&'a self, cx: &'a Cx, live: &'a Observed) -> BoxFuture<'a, Result<()>>;
    /// See [`Kind::gone`].
    fn gone<'a>(&'a self, cx: &'a Cx, live: &'a Observed) -> BoxFuture<'a, Result<Progress>>;
}

fn spec_of<K: Kind>(address: &str, props: &Value) -> Result<K::Spec> {
    serde_json::from_value(props.clone())
        .map_err(|source| Error::Json { what: format!("the spec of {address} ({})", K::NAME), source })
}

fn both<K: Kind>(one: &Value, other: &Value) -> Option<(K::Spec, K::Spec)> {
    Some((spec_of::<K>("", one).ok()?, spec_of::<K>("", other).ok()?))
}

fn live_of<K: Kind>(observed: &Observed) -> Result<Live<K::Spec>> {
    Ok(Live {
        address: observed.address.clone(),
        id: observed.id.clone(),
        spec: spec_of::<K>(&observed.address, &observed.props)?,
        attrs: observed.attrs.clone(),
        state: observed.state.clone(),
    })
}

fn to_value(spec: &impl serde::Serialize) -> Value {
    serde_json::to_value(spec).expect("a spec is plain data with string keys")
}

impl<K: Kind> AnyKind for K {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn tagged(&self) -> Tagged {
        K::TAGGED
    }
    fn after(&self) -> &'static [&'static str] {
        K::AFTER
    }
    fn data(&self) -> Option<&'static str> {
        K::DATA
    }
    fn changed_by_update(&self) -> &'static [&'static str] {
        K::CHANGED_BY_UPDATE
    }
    fn replace_order(&self) -> ReplaceOrder {
        K::REPLACE
    }
    fn fields(&self) -> Vec<(&'static str, Effect)> {
        let effect = |on: &OnChange<K::Op>| match on {
            OnChange::Ignore => Effect::Ignore,
            OnChange::Replace => Effect::Replace,
            OnChange::Update(_, impact) => Effect::Update(*impact),
        };
        K::FIELDS.iter().map(|field| (field.name, effect(&field.on))).collect()
    }
    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Node> {
        let node = |want: Want<K::Spec>| Node {
            kind: K::NAME,
            props: to_value(&want.spec),
            address: want.address,
            after: want.after,
        };
        Kind::desired(self, blueprint, place).into_iter().map(node).collect()
    }
    fn expected(&self, phase: Phase, props: &Value) -> Duration {
        // A spec with open references still deserialises: `Ref` takes both forms.
        spec_of::<K>("", props).map_or(Duration::from_secs(2), |spec| Kind::expected(self, phase, &spec))
    }
    fn class(&self, props: &Value) -> String {
        spec_of::<K>("", props).map_or(String::new(), |spec| Kind::class(self, &spec))
    }
    fn limit(&self, phase: Phase) -> Duration {
        Kind::limit(self, phase)
    }
    fn impact(&self, field: &str, planned: Impact, live: &Value) -> Impact {
        spec_of::<K>("", live).map_or(planned, |live| Kind::impact(self, field, planned, &live))
    }
    fn updated_first(&self) -> &'static [&'static str] {
        K::UPDATED_FIRST
    }
    fn tolerates(&self, field: &str, live: &Value, want: &Value) -> bool {
        both::<K>(live, want).is_some_and(|(live, want)| Kind::tolerates(self, field, &live, &want))
    }
    fn moved_by_itself(&self, field: &str, was: &Value, is: &Value) -> bool {
        both::<K>(was, is).is_some_and(|(was, is)| Kind::moved_by_itself(self, field, &was, &is))
    }
    fn refused(&self, live: &Value, want: &Value) -> Option<String> {
        both::<K>(live, want).and_then(|(live, want)| Kind::refused(self, &live, &want))
    }
    fn notice(&self, fields: &[&str], live: &Value, want: &Value) -> Option<Notice> {
        both::<K>(live, want).and_then(|(live, want)| Kind::notice(self, fields, &live, &want))
    }
    fn list<'a>(&'a self, cx: &'a Cx) -> BoxFuture<'a, Result<Vec<Observed>>> {
        Box::pin(async move {
            let observed = |live: Live<K::Spec>| {
                let mut attrs = live.attrs;
                attrs.entry("id".to_owned()).or_insert_with(|| live.id.clone());
                Observed {
                    tags: cx.seen_tags(K::NAME, &live.id),
                    address: live.address,
                    kind: K::NAME,
                    id: live.id,
                    props: to_value(&live.spec),
                    attrs,
                    state: live.state,
                }
            };
            Ok(Kind::list(self, cx).await?.into_iter().map(observed).collect())
        })
    }
    fn create<'a>(&'a self, cx: &'a Cx, address: &'a str, props: &'a Value) -> BoxFuture<'a, Result<Created>> {
        Box::pin(async move {
            let want = Want::new(address, spec_of::<K>(address, props)?);
            let mut created = Kind::create(self, cx, &want).await?;
            created.attrs.entry("id".to_owned()).or_insert_with(|| created.id.clone());
            Ok(created)
        })
    }
    fn ready<'a>(&'a self, cx: &'a Cx, address: &'a str, id: &'a str) -> BoxFuture<'a, Result<Progress>> {
        Box::pin(Kind::ready(self, cx, address, id))
    }
    fn update<'a>(
        &'a self,
        cx: &'a Cx,
        live: &'a Observed,
        props: &'a Value,
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let live = live_of::<K>(live)?;
            let want = spec_of::<K>(&live.address, props)?;
            let mut done: Vec<K::Op> = Vec::new();
            for field in K::FIELDS {
                let OnChange::Update(op, _) = field.on else { continue };
                if !fields.iter().any(|name| name == field.name) || done.contains(&op) {
                    continue;
                }
                let same_op = |f: &&super::kind::Field<K::Op>| matches!(f.on, OnChange::Update(o, _) if o == op);
                let concerned: Vec<String> = K::FIELDS
                    .iter()
                    .filter(same_op)
                    .map(|f| f.name.to_owned())
                    .filter(|name| fields.contains(name))
                    .collect();
                let change = Change { live: &live, want: &want, fields: &concerned };
                Kind::update(self, cx, op, &change).await?;
                done.push(op);
            }
            Ok(())
        })
    }
    fn guarded<'a>(&'a self, cx: &'a Cx, live: &'a Observed) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move { Kind::guarded(self, cx, &live_of::<K>(live)?).await })
    }
    fn delete<'a>(&'a self, cx: &'a Cx, live: &'a Observed) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { Kind::delete(self, cx, &live_of::<K>(live)?).await })
    }
    fn gone<'a>(&'a self, cx: &'a Cx, live: &'a Observed) -> BoxFuture<'a, Result<Progress>> {
        Box::pin(async move { Kind::gone(self, cx, &live_of::<K>(live)?).await })
    }
}
