//! The REST API of a mobile game: scores, real-time ranking, purchases, logs.
//!
//! Imports run downwards: `routes` -> `domain` -> `store`.

pub mod domain;
pub mod store;
