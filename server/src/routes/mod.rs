//! Requests and answers, and how they are described.

pub mod admin;
pub mod catalog;
pub mod events;
pub mod health;
pub mod items;
pub mod leaderboards;
pub mod ledger;
pub mod problems;
pub mod receipts;
pub mod scores;
pub mod sessions;
pub mod users;
