//! The API over the embedded stores, through its router.

mod faults;
mod harness;

mod admin;
mod health;
mod log;
mod openapi;
mod overload;
mod problems;
mod ranking;
mod rates;
mod scores;
mod sessions;
mod shop;
