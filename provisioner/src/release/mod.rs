//! Releases of the server: how an instance boots one, how one takes the place of another, and how one goes back.

pub mod artifact;
pub mod evidence;
mod follow;
mod gate;
pub mod health;
pub mod history;
mod keep;
pub mod order;
mod progress;
pub mod rollout;
mod settle;
pub mod user_data;
mod view;

pub use view::View;
