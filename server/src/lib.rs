//! The REST API of a mobile game: scores, real-time ranking, purchases, logs.
//!
//! Imports run downwards: `routes` -> `domain` -> `store`.

pub mod app_stores;
pub mod assets;
mod background;
pub mod cloud;
pub mod config;
pub mod domain;
pub mod error;
pub mod extract;
pub mod http;
pub mod lifecycle;
pub mod middleware;
pub mod play;
pub mod rate;
pub mod reload;
pub mod router;
pub mod routes;
pub mod secrets;
pub mod serve;
pub mod shipping;
pub mod state;
pub mod statuses;
pub mod store;
pub mod telemetry;
pub mod traces;

#[cfg(test)]
mod http_tests;
