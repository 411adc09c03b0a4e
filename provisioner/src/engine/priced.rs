//! A plan with what it costs. Prices are asked for while AWS is looked at, and never waited for.

use std::path::Path;
use std::pin::pin;

use futures::future::{Either, select};
use jiff::Timestamp;

use super::session::Session;
use super::up::{Planned, UpError, look};
use crate::blueprint::Blueprint;
use crate::cost::{Item, Prices, Thing, ask, bill, cache_home, items, plan_cost};
use crate::kinds::{self, Node, Options, Place};

/// The nodes of a blueprint whose place nobody has looked at.
pub fn unseen(blueprint: &Blueprint) -> Vec<Node> {
    let place = Place::unseen(blueprint);
    kinds::all().iter().flat_map(|kind| kind.desired(blueprint, &place)).collect()
}

/// Nodes as things that may cost something.
pub fn things<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<Thing<'a>> {
    let thing = |node: &'a Node| Thing { address: &node.address, kind: node.kind, props: &node.props };
    nodes.into_iter().map(thing).collect()
}

/// As [`look`], with the plan's cost by the prices that are kept or come meanwhile.
pub async fn look_priced(
    session: &Session,
    blueprint: &Blueprint,
    directory: &Path,
    options: Options,
) -> Result<Planned, UpError> {
    let region = &blueprint.stack.region;
    let nodes = unseen(blueprint);
    let wanted = items(region, &things(&nodes));
    let queries = wanted.items.into_iter().map(|item: Item| item.query);
    let mut prices = Prices::open(&cache_home(), session.aws.endpoint_url.as_deref(), region);
    let missing = prices.missing(queries, Timestamp::now(), false);
    let looked = {
        let looking = pin!(look(session, blueprint, directory, options));
        let asking = pin!(ask(&session.aws.pricing, &mut prices, missing, Timestamp::now));
        match select(looking, asking).await {
            Either::Left((looked, _)) => looked,
            Either::Right((asked, looking)) => {
                if let Err(error) = asked {
                    tracing::debug!(%error, "the price list does not answer");
                }
                looking.await
            }
        }
    };
    if let Err(error) = prices.save() {
        tracing::debug!(%error, "the prices could not be kept");
    }
    let mut planned = looked?;
    let live = planned.inventory.live.values();
    let live: Vec<Thing<'_>> =
        live.map(|live| Thing { address: &live.address, kind: live.kind, props: &live.props }).collect();
    let before = bill(&items(region, &live), &prices);
    let after = bill(&items(region, &things(planned.desired.nodes.values())), &prices);
    let changed = planned.plan.changes.iter().map(|change| change.address.as_str());
    planned.plan.cost = Some(plan_cost(&before, &after, changed));
    Ok(planned)
}
