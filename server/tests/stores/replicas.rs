//! Reading from a replica that really replicates: only what may lag, only while it keeps up, and nothing fails when it
//! is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use server::store::aws::MySqlLedger;
use server::store::{BoardKey, Closing, Endpoint, Ledger, LedgerEntry, Order, PlayerId, Rewards};

use crate::harness::samples::{at, board, grant, player, score};
use crate::harness::{MariaDb, PRIMARY, REPLICA};

/// Longer than a replica may be behind, and two looks.
const SOON: Duration = Duration::from_secs(40);

struct Scene {
    replica: MariaDb,
    database: String,
    ledger: MySqlLedger,
    who: PlayerId,
    /// The whole ledger, as the primary has it.
    all: Vec<LedgerEntry>,
    _primary: MariaDb,
}

impl Scene {
    /// A player whose ledger has seven entries, copied to the replica and told apart there by their reason.
    async fn new() -> Self {
        let (primary, replica) = (MariaDb::start(&PRIMARY), MariaDb::start(&REPLICA));
        replica.follow(&primary).await;
        let settings = primary.database().await;
        let endpoint = Endpoint { host: replica.address.host.to_string(), port: replica.address.port };
        let source = Arc::new(vec![endpoint]);
        let ledger = MySqlLedger::open_with(&settings, Vec::new(), source).await.expect("opens");
        let who = player(&ledger, 1000).await;
        for n in 0..6 {
            ledger.grant(&grant(&who, &format!("g{n}"), 1)).await.expect("grants");
        }
        let all = ledger.ledger(&who, None, 10).await.expect("reads");
        let scene = Self { replica, database: settings.name, ledger, who, all, _primary: primary };
        scene.mark().await;
        scene
    }

    /// Waits for the replica and changes what it has, behind everybody's back.
    async fn mark(&self) {
        let mut copy = self.replica.connect("mysql").await;
        let count = format!("SELECT COUNT(*) FROM {}.coin_ledger", self.database);
        let deadline = Instant::now() + SOON;
        while sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(count.clone())).fetch_one(&mut copy).await.unwrap_or(0)
            < i64::try_from(self.all.len()).expect("few")
        {
            assert!(Instant::now() < deadline, "the replica does not replicate");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.replica.execute(&format!("UPDATE {}.coin_ledger SET reason = 'copy'", self.database)).await;
    }

    /// Whether a page behind the newest entry comes from the replica; it is right in any case.
    async fn of_replica(&self) -> bool {
        let page = self.ledger.ledger(&self.who, Some(self.all[0].seq), 10).await.expect("never fails");
        let seqs = |entries: &[LedgerEntry]| entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!(seqs(&page), seqs(&self.all[1..]));
        page.iter().all(|entry| entry.reason == "copy")
    }

    async fn until(&self, of_replica: bool) {
        let deadline = Instant::now() + SOON;
        while self.of_replica().await != of_replica {
            assert!(Instant::now() < deadline, "still not {of_replica}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_pages_come_from_a_replica_while_it_keeps_up_and_none_fails_when_it_is_gone() {
    let mut scene = Scene::new().await;
    scene.until(true).await;
    let newest = scene.ledger.ledger(&scene.who, None, 1).await.expect("reads");
    assert_eq!(newest[0].reason, "grant", "the first page is of the primary");

    // It stops to apply what it gets: what it does not have is read from the primary at once, and soon all is.
    scene.replica.execute("STOP SLAVE SQL_THREAD").await;
    scene.ledger.grant(&grant(&scene.who, "late", 1)).await.expect("grants");
    let late = scene.ledger.ledger(&scene.who, None, 1).await.expect("reads")[0].seq;
    let behind = scene.ledger.ledger(&scene.who, Some(late), 10).await.expect("reads");
    assert_eq!((behind.len(), behind[0].reason.as_str()), (7, "grant"));
    scene.until(false).await;
    scene.replica.execute("START SLAVE SQL_THREAD").await;
    scene.until(true).await;

    scene.replica.kill();
    let (mut reads, killed) = (0, Instant::now());
    while killed.elapsed() < Duration::from_secs(5) {
        assert!(!scene.of_replica().await, "it is dead");
        reads += 1;
    }
    scene.replica.revive();
    scene.until(true).await;
    println!("replica: behind, left, used again, killed: {reads} reads without it, 0 failed, used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_board_is_read_from_a_replica_that_knows_of_the_end() {
    let scene = Scene::new().await;
    let key: BoardKey = board();
    let mut write = score(&scene.who, &key, 5, "r", at(1));
    write.ends_at = Some(at(10));
    scene.ledger.record_score(&write).await.expect("records");
    let closing = Closing { key: key.clone(), ends_at: at(10), order: Order::Descending, rewards: Rewards::default() };
    scene.ledger.close_season(&closing).await.expect("closes");
    scene.until(true).await;
    scene.replica.execute("STOP SLAVE SQL_THREAD").await;
    crate::seasons::settle(&scene.ledger, &key, 5).await;
    // It has the scores and does not know of the end: an empty board there is not an answer.
    let lines = |entries: Vec<server::store::RankedEntry>| {
        entries.into_iter().map(|e| (e.rank, e.key.score)).collect::<Vec<_>>()
    };
    assert_eq!(lines(scene.ledger.final_page(&key, 0, 5).await.expect("reads")), [(1, 5)]);
    assert_eq!(lines(scene.ledger.final_lines(&key, std::slice::from_ref(&scene.who)).await.expect("reads")), [(1, 5)]);
    scene.replica.execute("START SLAVE SQL_THREAD").await;
    let marked = format!("UPDATE {}.season_ranks SET score = 6", scene.database);
    let deadline = Instant::now() + SOON;
    while lines(scene.ledger.final_page(&key, 0, 5).await.expect("reads")) != [(1, 6)] {
        assert!(Instant::now() < deadline, "the replica is not read from");
        scene.replica.execute(&marked).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(lines(scene.ledger.final_lines(&key, std::slice::from_ref(&scene.who)).await.expect("reads")), [(1, 6)]);
}
