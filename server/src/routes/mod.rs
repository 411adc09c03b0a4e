//! Requests and answers, and how they are described.

pub mod admin;
pub mod catalog;
pub mod events;
pub mod health;
pub mod items;
pub mod leaderboards;
pub mod ledger;
pub mod manifest;
pub mod problems;
pub mod receipts;
pub mod scores;
pub mod sessions;
pub mod users;

use axum::http::{HeaderMap, header};

/// Whether the client has what bears this (strong, quoted) ETag.
pub(crate) fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}
