//! What a plan changes of the bill.

use jiff::Timestamp;
use serde::Serialize;

use super::bill::Bill;
use super::money::Usd;

/// What a change does to a resource's monthly cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostChange {
    /// The resource.
    pub address: String,
    /// What it costs now; 0 where it is not there. None: unknown.
    pub before: Option<Usd>,
    /// What it costs afterwards; 0 where it is gone. None: unknown.
    pub after: Option<Usd>,
}

/// What a plan does to the stack's monthly cost, apart from what is paid by use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanCost {
    /// All that is known of what the stack costs now.
    pub before: Usd,
    /// All that is known of what it costs afterwards.
    pub after: Usd,
    /// Resources of which a price at least is unknown: the sums lack it.
    pub unknown: Vec<String>,
    /// By address; what costs nothing, before and after, is not in it.
    pub changes: Vec<CostChange>,
    /// When the oldest of the prices was asked for.
    pub prices_from: Option<Timestamp>,
}

impl PlanCost {
    /// Whether anything of it is known.
    pub fn is_known(&self) -> bool {
        self.prices_from.is_some() && !(self.before.is_zero() && self.after.is_zero() && !self.unknown.is_empty())
    }

    /// What is known of a change.
    pub fn of(&self, address: &str) -> Option<&CostChange> {
        self.changes.iter().find(|change| change.address == address)
    }
}

impl CostChange {
    /// The difference, where both sides are known.
    pub fn difference(&self) -> Option<Usd> {
        Some(self.after?.minus(self.before?))
    }
}

/// Compares two bills, for the addresses that a plan changes.
pub fn plan_cost<'a>(before: &Bill, after: &Bill, changed: impl Iterator<Item = &'a str>) -> PlanCost {
    let change = |address: &'a str| {
        let (was, will) = (before.of(address), after.of(address));
        if was.is_none() && will.is_none() {
            return None;
        }
        let known = |cost: Option<Option<Usd>>| cost.unwrap_or(Some(Usd::ZERO));
        Some(CostChange { address: address.to_owned(), before: known(was), after: known(will) })
    };
    let mut unknown = before.unknown_addresses();
    unknown.extend(after.unknown_addresses());
    unknown.sort();
    unknown.dedup();
    PlanCost {
        before: before.total,
        after: after.total,
        unknown,
        changes: changed.filter_map(change).collect(),
        prices_from: [before.prices_from, after.prices_from].into_iter().flatten().min(),
    }
}
