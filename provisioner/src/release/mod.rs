//! Releases of the server: how an instance boots one.

pub mod user_data;
