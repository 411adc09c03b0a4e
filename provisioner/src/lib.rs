//! `provision`: a TOML blueprint in, a running mobile-game backend on AWS out, and down again without a trace.

pub mod assets;
pub mod aws;
pub mod blueprint;
pub mod cli;
pub mod cost;
pub mod drill;
pub mod engine;
pub mod graph;
pub mod kinds;
pub mod release;
pub mod ui;
