//! What the ledger on MySQL must stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use server::store::aws::MySqlLedger;
use server::store::{DatabaseSettings, Ledger, PurchaseOutcome, ScoreOutcome, StoreError};
use sqlx::{AssertSqlSafe, Executor};

use crate::harness::samples::{at, board, ledger_sum, order, player, score};
use crate::harness::{Address, Certificates, MariaDb};

async fn open(settings: &DatabaseSettings) -> Arc<MySqlLedger> {
    Arc::new(MySqlLedger::open(settings, Vec::new()).await.expect("opens"))
}

async fn count(database: &str, sql: &'static str) -> i64 {
    let mut connection = MariaDb::shared().connect(database).await;
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("counts")
}

/// How many there are.
fn migrations() -> i64 {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/mysql");
    std::fs::read_dir(directory).expect("a directory").count().try_into().expect("few")
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_migrate_once() {
    let settings = MariaDb::shared().database().await;
    let opened = join_all((0..6).map(|_| open(&settings))).await;
    join_all(opened.iter().map(|ledger| ledger.check_write())).await.into_iter().for_each(|r| r.expect("takes writes"));
    assert_eq!(count(&settings.name, "SELECT COUNT(*) FROM schema_migrations").await, migrations());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_cut_off_before_its_journal_line_runs_again() {
    let settings = MariaDb::shared().database().await;
    let who = player(&*open(&settings).await, 10).await;
    MariaDb::shared().execute(&format!("DELETE FROM {}.schema_migrations WHERE version > 3", settings.name)).await;
    let ledger = open(&settings).await;
    assert_eq!(count(&settings.name, "SELECT COUNT(*) FROM schema_migrations").await, migrations());
    assert_eq!(ledger_sum(&*ledger, &who).await, (10, 1), "nothing is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_rolled_back_starts_on_a_newer_schema() {
    let settings = MariaDb::shared().database().await;
    open(&settings).await;
    let newer = format!("INSERT INTO {}.schema_migrations VALUES (9999, 'of the future', 0)", settings.name);
    MariaDb::shared().execute(&newer).await;
    open(&settings).await.check_write().await.expect("takes writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_wait_for_who_holds_the_lock() {
    let mariadb = MariaDb::start(&[]);
    let settings = mariadb.database().await;
    let mut holder = mariadb.connect(&settings.name).await;
    holder.execute("DO GET_LOCK('migrate', 0)").await.expect("locks");
    let waiting = tokio::spawn({
        let settings = settings.clone();
        async move { open(&settings).await }
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!waiting.is_finished(), "it must not run beside another");
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    let made: i64 = sqlx::query_scalar(tables).fetch_one(&mut holder).await.expect("counts");
    assert_eq!(made, 0);
    holder.execute("DO RELEASE_LOCK('migrate')").await.expect("unlocks");
    waiting.await.expect("no panic").check_write().await.expect("takes writes");
}

/// Buys as a client does: the same key until there is an answer. Answers whether it was granted.
async fn buy_until_answered(ledger: &MySqlLedger, order: &server::store::PurchaseOrder, until: Instant) -> bool {
    loop {
        match ledger.buy(order).await {
            Ok(PurchaseOutcome::Granted(_) | PurchaseOutcome::Bound(_)) => return true,
            Ok(_) => return false,
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                assert!(Instant::now() < until, "no answer: {error:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_killed_amid_purchases_loses_and_doubles_none() {
    let mut mariadb = MariaDb::start(&[]);
    let settings = mariadb.database().await;
    let (ledger, board) = (open(&settings).await, board());
    let who = player(&*ledger, 1_000_000).await;
    let until = Instant::now() + Duration::from_secs(60);
    let answered = Arc::new(AtomicUsize::new(0));
    let shop = |n: usize| {
        let (ledger, who, board, answered) = (ledger.clone(), who.clone(), board.clone(), answered.clone());
        tokio::spawn(async move {
            for step in 0..40 {
                let order = order(&who, &format!("{n}-{step}"), 10);
                assert!(buy_until_answered(&ledger, &order, until).await);
                // A second try, as of a client that lost the answer.
                assert!(buy_until_answered(&ledger, &order, until).await);
                let run = score(&who, &board, (n * 40 + step) as i64, &format!("{n}-{step}"), at(step as i64));
                while ledger.record_score(&run).await.is_err_and(|e| e.is_transient()) {
                    assert!(Instant::now() < until, "no answer");
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let shoppers: Vec<_> = (0..8).map(shop).collect();
    for share in [60, 200] {
        while answered.load(Ordering::Relaxed) < share {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        mariadb.restart(Duration::from_millis(300), &[]);
    }
    for shopper in shoppers {
        shopper.await.expect("every purchase is answered");
    }
    let profile = ledger.profile(&who, &board).await.expect("reads").expect("exists");
    assert_eq!(profile.player.coins, 1_000_000 - 320 * 10);
    assert_eq!((profile.items[0].quantity, profile.best_score), (320, Some(319)));
    assert_eq!(ledger_sum(&*ledger, &who).await, (profile.player.coins, 321));
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 1 + 320 + 320, "each event once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_only_reads_for_a_moment_is_waited_out() {
    let mariadb = MariaDb::start(&[]);
    let settings = mariadb.database().await;
    let ledger = open(&settings).await;
    let who = player(&*ledger, 100).await;
    mariadb.execute("SET GLOBAL read_only = ON").await;
    let buying = tokio::spawn({
        let (ledger, order) = (ledger.clone(), order(&who, "k", 10));
        async move { ledger.buy(&order).await }
    });
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!buying.is_finished());
    mariadb.execute("SET GLOBAL read_only = OFF").await;
    let outcome = buying.await.expect("no panic").expect("buys in the end");
    assert!(matches!(outcome, PurchaseOutcome::Granted(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_too_long_is_tried_again() {
    let settings = MariaDb::shared().database().await;
    let ledger = open(&settings).await;
    let who = player(&*ledger, 100).await;
    let mut holder = MariaDb::shared().connect(&settings.name).await;
    holder.execute("START TRANSACTION").await.expect("starts");
    let lock = format!("SELECT coins FROM players WHERE user_id = '{who}' FOR UPDATE");
    holder.execute(AssertSqlSafe(lock)).await.expect("locks");
    let buying = tokio::spawn({
        let (ledger, order) = (ledger.clone(), order(&who, "k", 10));
        async move { ledger.buy(&order).await }
    });
    // Longer than the lock wait timeout of one attempt.
    tokio::time::sleep(Duration::from_millis(3600)).await;
    holder.execute("COMMIT").await.expect("unlocks");
    let outcome = buying.await.expect("no panic").expect("buys in the end");
    assert!(matches!(outcome, PurchaseOutcome::Granted(_)), "{outcome:?}");
    assert_eq!(ledger_sum(&*ledger, &who).await, (90, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_no_half_of_a_purchase() {
    let settings = MariaDb::shared().database().await;
    let ledger = open(&settings).await;
    let who = player(&*ledger, 1000).await;
    for n in 0..60 {
        let order = order(&who, &format!("k{n}"), 10);
        let gone = tokio::time::timeout(Duration::from_micros(n * 50), ledger.buy(&order));
        drop(gone.await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (sum, entries) = ledger_sum(&*ledger, &who).await;
    let profile = ledger.profile(&who, &board()).await.expect("reads").expect("exists");
    assert_eq!(profile.player.coins, sum);
    assert_eq!(profile.items[0].quantity as usize, entries - 1);
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0 as usize, entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_that_cannot_be_written_does_not_take_others_with_it() {
    let settings = MariaDb::shared().database().await;
    let (ledger, board) = (open(&settings).await, board());
    let who = player(&*ledger, 0).await;
    let post = |n: i64| {
        let (ledger, who, board) = (ledger.clone(), who.clone(), board.clone());
        let run = if n % 10 == 3 { "x".repeat(300) + &n.to_string() } else { format!("r{n}") };
        tokio::spawn(async move { (n, ledger.record_score(&score(&who, &board, n, &run, at(n))).await) })
    };
    for outcome in join_all((0..100).map(post)).await {
        match outcome.expect("no panic") {
            (n, Err(error)) => assert!(n % 10 == 3 && matches!(error, StoreError::Failed { .. }), "{n} {error:?}"),
            (n, Ok(outcome)) => {
                assert!(n % 10 != 3 && matches!(outcome, ScoreOutcome::Recorded { .. }), "{n} {outcome:?}")
            }
        }
    }
    assert_eq!(ledger.score(&who, &board).await.expect("reads").expect("stands").key.score, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified() {
    let address = Address::free();
    let certificates = Certificates::for_address(address.host);
    let files = certificates.files();
    let (certificate, key) =
        (format!("--ssl-cert={}", files.certificate.display()), format!("--ssl-key={}", files.key.display()));
    let authority = format!("--ssl-ca={}", files.authority.display());
    let mariadb = MariaDb::start_at(address, &[&certificate, &key, &authority, "--require-secure-transport=ON"]);
    let settings = DatabaseSettings { tls: true, ..mariadb.database().await };
    let ledger = MySqlLedger::open(&settings, certificates.authority()).await.expect("opens over TLS");
    ledger.check_write().await.expect("takes writes");
    let stranger = Certificates::for_address(address.host);
    let refused = MySqlLedger::open(&settings, stranger.authority()).await;
    assert!(refused.is_err_and(|e| !e.is_transient()), "its authority is not ours");
    let plain = MySqlLedger::open(&DatabaseSettings { tls: false, ..settings }, Vec::new()).await;
    assert!(plain.is_err(), "the server takes TLS alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_nobody_waits_for_any_more_is_not_done() {
    let settings = MariaDb::shared().database().await;
    let ledger = open(&settings).await;
    let (busy, left) = (player(&*ledger, 1000).await, player(&*ledger, 1000).await);
    // Both writers wait for a player whom somebody else has locked.
    let mut other = MariaDb::shared().connect(&settings.name).await;
    other.execute("START TRANSACTION").await.expect("begins");
    other.execute("SELECT * FROM players FOR UPDATE").await.expect("locks");
    let buy = |who: &server::store::PlayerId, key: &str| {
        let (ledger, order) = (ledger.clone(), order(who, key, 10));
        tokio::spawn(async move { ledger.buy(&order).await })
    };
    let mut waiting = Vec::new();
    for key in ["a", "b"] {
        waiting.push(buy(&busy, key));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let gone = buy(&left, "gone");
    tokio::time::sleep(Duration::from_millis(200)).await;
    gone.abort();
    assert!(gone.await.expect_err("it was waiting").is_cancelled());
    other.execute("ROLLBACK").await.expect("lets go");
    for bought in join_all(waiting).await {
        assert!(matches!(bought.expect("no panic"), Ok(PurchaseOutcome::Granted(_))));
    }
    // Behind it in the queue.
    assert!(matches!(ledger.buy(&order(&left, "next", 10)).await, Ok(PurchaseOutcome::Granted(_))));
    assert_eq!(ledger.purchase(&left, "gone").await.expect("reads"), None);
    assert_eq!(ledger_sum(&*ledger, &left).await, (990, 2));
}
