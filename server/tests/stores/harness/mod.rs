//! Throw-away servers and the stores on them.

mod backend;
mod certificates;
mod dynamo;
mod mariadb;
pub mod process;
mod redis;
pub mod samples;

pub use backend::Backend;
pub use certificates::Certificates;
pub use dynamo::Dynamo;
pub use mariadb::{MariaDb, PRIMARY, REPLICA};
pub use process::Address;
pub use redis::{Redis, Tls};
