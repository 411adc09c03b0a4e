//! Observe, plan, apply: AWS itself is the state.

pub mod apply;
pub mod coming;
pub mod desired;
pub mod down;
pub mod events;
pub mod guard;
pub mod holder;
pub mod journal;
pub mod lease;
pub mod observed;
pub mod outputs;
pub mod place;
pub mod plan;
pub mod playable;
pub mod session;
pub mod step;
pub mod steps;
pub mod sweep;
pub mod times;
pub mod up;
pub mod waits;
mod walk;
pub mod zones;
