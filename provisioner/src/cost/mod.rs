//! What a stack costs in a month: its resources by AWS's price list, in exact decimals. What the price list does not say
//! is unknown, and never nothing.

mod ask;
mod bill;
mod cache;
mod change;
mod items;
mod money;
mod product;
mod query;

#[cfg(test)]
mod tests;

pub use ask::ask;
pub use bill::{Bill, Line, bill};
pub use cache::{Prices, cache_home};
pub use change::{CostChange, PlanCost, plan_cost};
pub use items::{HOURS, Item, Items, Thing, items};
pub use money::Usd;
pub use query::Query;
