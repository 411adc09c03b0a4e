//! Servers and the database killed under load: what was answered is there, once. And two servers side by side.

#[path = "../stores/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the suite of the stores uses the rest")]
mod harness;

#[path = "../support/collector.rs"]
mod collector;
#[path = "../support/schemathesis.rs"]
mod schemathesis;

mod audit;
mod client;
mod cluster;
mod flush;
mod instances;
mod seasons;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::client::{Client, Journal};
use self::cluster::Cluster;

/// Each test needs the whole machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const CLIENTS: usize = 64;
const SERVER_KILLS: usize = 20;
/// Every so many kills of a server, the database is killed too.
const PER_DATABASE_KILL: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_whatever_is_killed() {
    let _alone = ALONE.lock().await;
    let since = jiff::Timestamp::now();
    let mut cluster = Cluster::start().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(Client::enter(cluster.doors(), n).await);
    }
    let everybody: Arc<Vec<String>> = Arc::new(clients.iter().map(|client| client.player().to_owned()).collect());
    let running: Vec<_> =
        clients.into_iter().map(|client| tokio::spawn(client.play_until(done.clone(), everybody.clone()))).collect();
    let mut database_kills = 0;
    for kill in 0..SERVER_KILLS {
        tokio::time::sleep(Duration::from_millis(rand::random_range(200..900))).await;
        cluster.kill_server(kill % 2);
        if kill % PER_DATABASE_KILL == 0 {
            cluster.kill_database();
            database_kills += 1;
        }
        cluster.start_server(kill % 2).await;
    }
    done.store(true, Ordering::Release);
    let mut journals: Vec<Journal> = Vec::new();
    for client in running {
        journals.push(client.await.expect("no client fails"));
    }
    let found = audit::audit(&cluster, &journals, since).await;
    let operations: usize = journals.iter().map(Journal::acknowledged).sum();
    eprintln!(
        "chaos: operations {operations}, given up {}, kills {SERVER_KILLS} of servers and {database_kills} of the \
         database, lost {}, doubled {}",
        journals.iter().map(Journal::given_up).sum::<usize>(),
        found.lost.len(),
        found.doubled.len(),
    );
    assert!(operations > CLIENTS * 5, "too little was done to tell anything");
    assert_eq!((found.lost, found.doubled), (Vec::new(), Vec::new()));
}
