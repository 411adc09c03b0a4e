//! The contract of the stores: the same tests over the embedded ones and those on AWS (MariaDB, Redis and moto stand in
//! for RDS, ElastiCache and DynamoDB), and what each of the latter must stand.

mod cache;
mod database;
mod deletions;
mod events;
mod harness;
mod healing;
mod histories;
mod measure;
mod outbox;
mod purchases;
mod ranking;
mod receipts;
mod replicas;
mod scores;
mod seasons;
mod sessions;

/// Runs each of these tests on both backends.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(crate::harness::Backend::Embedded).await;
            })*
        }
        mod aws {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(crate::harness::Backend::Aws).await;
            })*
        }
    };
}
pub(crate) use contract;
