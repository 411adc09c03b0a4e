//! Releases of the server: how an instance boots one.

pub mod artifact;
pub mod health;
pub mod user_data;
