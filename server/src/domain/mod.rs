//! The rules of the game: no HTTP, no SQL; clock and randomness are passed in.

pub mod account;
pub mod archive;
mod asked;
pub mod board;
pub mod clock;
pub mod cursor;
pub mod error;
pub mod event;
pub mod fallback;
pub mod game;
pub mod journal;
pub mod keys;
pub mod receipts;
pub mod reconcile;
pub mod relay;
pub mod score;
pub mod season;
pub mod shop;
pub mod token;
pub mod wallet;

pub use error::{DomainError, Violation};
pub use game::{Definition, Game, Rules};
