//! What AWS holds for this stack, by asking every kind at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{FuturesUnordered, StreamExt};

use crate::aws::intercept::NODE;
use crate::kinds::{self, Cx, Error, Kind, Observed, State};

/// Every live resource of the stack.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// One resource for each address: the one that counts.
    pub live: BTreeMap<String, Observed>,
    /// Further resources of an address that is taken: left behind by a run that was killed.
    pub extra: Vec<Observed>,
    /// Addresses of resources that the last run made and that do not carry the stack's tags any more.
    pub untagged: BTreeSet<String>,
    /// Keys of free tags that earlier runs put on the stack and that are wanted no more.
    pub dropped_tags: BTreeSet<String>,
    /// Whether what carries tags that no listing shows may carry others than are wanted.
    pub unseen_tags_differ: bool,
    /// Kinds that the endpoint does not offer, with their services. AWS itself offers all.
    pub absent: BTreeMap<&'static str, String>,
}

/// A kind that could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list what the stack has of {kind}")]
pub struct ObserveError {
    /// The kind's name.
    pub kind: &'static str,
    /// Why.
    pub source: Error,
}

/// Asks every kind, all at once. The first refusal ends it: planning on half a picture would be wrong.
pub async fn observe(cx: &Cx) -> Result<Inventory, ObserveError> {
    observe_kinds(cx, kinds::all().iter().map(|kind| kind.name())).await
}

/// As [`observe`], for some kinds only.
pub async fn observe_kinds(cx: &Cx, names: impl Iterator<Item = &'static str>) -> Result<Inventory, ObserveError> {
    let mut asked: FuturesUnordered<_> = names
        .filter_map(kinds::named)
        .map(|kind| async move {
            let listed = NODE.scope(String::new(), kind.list(cx)).await;
            (kind.name(), listed)
        })
        .collect();
    let mut all = Vec::new();
    let mut absent = BTreeMap::new();
    while let Some((kind, listed)) = asked.next().await {
        match listed {
            Ok(listed) => all.extend(listed),
            Err(source) => match source.lacking().filter(|_| cx.aws.endpoint_url.is_some()) {
                Some(service) => drop(absent.insert(kind, service.to_owned())),
                None => return Err(ObserveError { kind, source }),
            },
        }
    }
    drop(asked);
    Ok(Inventory { absent, ..Inventory::of(all) })
}

impl Inventory {
    /// Sorts resources by address. Of two at one address the one that others refer to counts, then the one that is
    /// ready, then the first by id.
    pub fn of(mut all: Vec<Observed>) -> Self {
        let mention: Vec<String> = all.iter().map(|o| format!("{} {:?}", o.props, o.attrs)).collect();
        let referred: BTreeMap<String, bool> = all
            .iter()
            .enumerate()
            .map(|(i, o)| {
                let quoted = format!("\"{}\"", o.id);
                let by_other = mention.iter().enumerate().any(|(j, text)| i != j && text.contains(&quoted));
                (format!("{}/{}", o.kind, o.id), by_other)
            })
            .collect();
        let rank = |o: &Observed| {
            let referred = referred.get(&format!("{}/{}", o.kind, o.id)).copied().unwrap_or(false);
            (o.state == State::Deleting, !referred, o.state != State::Ready)
        };
        all.sort_by(|a, b| (&a.address, rank(a), &a.id).cmp(&(&b.address, rank(b), &b.id)));
        let mut inventory = Self::default();
        for observed in all {
            match inventory.live.entry(observed.address.clone()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(observed);
                }
                std::collections::btree_map::Entry::Occupied(_) => inventory.extra.push(observed),
            }
        }
        inventory
    }

    /// The hosted zones, besides the stack's own, in which it has records.
    pub fn foreign_zones(&self) -> impl Iterator<Item = String> {
        let own = self.live.get(kinds::hosted_zone::ADDRESS).map(|zone| zone.id.as_str());
        let zone = |live: &Observed| live.props.get("zone")?.as_str().map(str::to_owned);
        let records = self.all().filter(|live| live.kind == kinds::record::Record::NAME);
        records.filter_map(zone).filter(move |zone| Some(zone.as_str()) != own)
    }

    /// Live and extra ones.
    pub fn all(&self) -> impl Iterator<Item = &Observed> {
        self.live.values().chain(&self.extra)
    }

    /// Whether anything else refers to `observed`.
    pub fn is_referred_to(&self, observed: &Observed) -> bool {
        let quoted = format!("\"{}\"", observed.id);
        self.all().any(|o| o.id != observed.id && format!("{} {:?}", o.props, o.attrs).contains(&quoted))
    }
}
