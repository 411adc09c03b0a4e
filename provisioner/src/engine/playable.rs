//! What the API needs before players can use it, and what may follow later.

use std::collections::BTreeSet;

use super::desired::Desired;
use crate::kinds::auto_scaling_group;

/// When a run may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// When all is ready.
    #[default]
    Done,
    /// When the API can serve; the rest is begun, as far as it can be, and not waited for.
    Playable,
}

/// Kinds that no request of a player waits for.
const LATER: &[&str] = &["db_replica", "distribution", "alarm", "sns_topic", "sns_subscription"];

/// The nodes that must be ready before the API can serve. The others are those of [`LATER`], what needs them, and what
/// nothing else needs.
pub fn playable(desired: &Desired) -> BTreeSet<String> {
    let order = desired.in_order().unwrap_or_default();
    let needs = |address: &str| desired.needs.get(address).into_iter().flatten();
    let mut later: BTreeSet<&str> = BTreeSet::new();
    for address in &order {
        let by_kind = desired.nodes.get(*address).is_some_and(|node| LATER.contains(&node.kind));
        if by_kind || needs(address).any(|need| later.contains(need.as_str())) {
            later.insert(address);
        }
    }
    for address in order.iter().rev() {
        let mut users = order.iter().filter(|user| needs(user).any(|need| need == address)).peekable();
        if users.peek().is_some() && users.all(|user| later.contains(user)) {
            later.insert(address);
        }
    }
    let mut open = vec![auto_scaling_group::ADDRESS];
    while let Some(address) = open.pop() {
        later.remove(address);
        open.extend(needs(address).map(String::as_str));
    }
    order.into_iter().filter(|address| !later.contains(address)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::stack::Stack;
    use crate::blueprint::parse;
    use crate::kinds::Place;

    #[test]
    fn servers_database_and_cache_are_awaited_replicas_and_cdn_are_not() {
        let text = include_str!("../../../blueprints/rehearsal.toml");
        let blueprint = parse("rehearsal.toml", text).expect("the shipped blueprint is right");
        let home = blueprint.stack.region.clone();
        let place = Place {
            zones: ["a", "b"].map(|letter| format!("{home}{letter}")).into(),
            stack: Stack { name: blueprint.stack_name(), home, account: "123456789012".into() },
            zone_id: None,
            parent_zone_id: None,
            internet_gateway: None,
            artifact: None,
            game_file: None,
        };
        let desired = Desired::of(&blueprint, &place).expect("a graph");
        let awaited = playable(&desired);
        let later: Vec<&str> =
            desired.nodes.keys().map(String::as_str).filter(|address| !awaited.contains(*address)).collect();
        for needed in ["servers", "database", "cache", "log-table", "secret/signing", "listener/https", "record/api"] {
            assert!(awaited.contains(needed), "{needed} is not awaited; later: {later:?}");
        }
        assert!(
            desired.nodes.values().filter(|n| n.kind == "security_group_rule").all(|n| awaited.contains(&n.address))
        );
        insta::assert_snapshot!(later.join("\n"), @r"
        alarm/cache-1-evictions
        alarm/cache-1-memory
        alarm/cache-2-evictions
        alarm/cache-2-memory
        alarm/database-connections
        alarm/database-cpu
        alarm/database-replica-1-connections
        alarm/database-replica-1-cpu
        alarm/database-replica-1-storage
        alarm/database-storage
        alarm/latency
        alarm/load-balancer-errors
        alarm/log-read-throttles
        alarm/log-write-throttles
        alarm/server-errors
        alarm/unhealthy-hosts
        bucket-policy/assets
        bucket/assets
        certificate-validation/assets
        certificate/assets
        database-replica/1
        distribution
        log-group/database-replica-1-error
        log-group/database-replica-1-slowquery
        origin-access-control
        record/assets
        record/validate-assets
        subscription/email
        topic
        ");
    }
}
