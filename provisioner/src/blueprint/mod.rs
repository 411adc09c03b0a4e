//! The blueprint: a TOML file that says what a stack shall be, as typed values.

mod defaults;
mod findings;
mod model;
mod network;
mod parse;
mod problem;
mod reader;
mod rules;
pub mod schema;
mod sections;
pub mod suggest;
mod syntax;
pub mod templates;
#[cfg(test)]
mod tests;

pub use findings::{BlueprintErrors, Finding};
pub use model::{
    Alarms, Apply, Architecture, Assets, Blueprint, Cache, CacheEngine, Database, Domain, HttpMode, Log, PriceClass,
    Servers, StackSection, Thresholds,
};
pub use network::{LONGEST_PREFIX, MAX_ZONES, Nat, Network, Subnet, Tier, ZoneSpec};
pub use parse::{load, parse};
