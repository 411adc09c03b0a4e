//! The API over the embedded stores, through its router.

#[path = "../../tests/support/apple.rs"]
mod apple;
mod faults;
mod harness;
mod play;

mod admin;
mod google;
mod health;
mod hostile;
mod log;
mod manifest;
mod openapi;
mod overload;
mod problems;
mod ranking;
mod rates;
mod receipts;
mod scores;
mod seasons;
mod sessions;
mod shop;
