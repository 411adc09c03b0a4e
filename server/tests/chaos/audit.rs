//! Holds what clients were told against what is there.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use server::store::{EventLog as _, day_of};
use sqlx::MySqlConnection;

use crate::client::{Journal, Kind, Operation};
use crate::cluster::Cluster;

/// What is wrong, in words.
#[derive(Default)]
pub struct Findings {
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
}

struct Booked {
    user_id: String,
    reference: String,
    amount: i64,
}

/// What the database holds.
struct Truth {
    purchases: HashMap<(String, String), Booked>,
    grants: HashMap<(String, String), Booked>,
    runs: HashSet<(String, String)>,
    /// By player: coins, sum of the ledger, items, the standing on the board of sums.
    players: HashMap<String, (i64, i64, i64, Option<i64>)>,
    /// By (player, reason, reference): how often, and how much in all.
    ledger: HashMap<(String, String, String), (i64, i64)>,
}

async fn booked(connection: &mut MySqlConnection, sql: &'static str) -> HashMap<(String, String), Booked> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(sql).fetch_all(connection).await.expect("reads");
    let keyed = rows
        .into_iter()
        .map(|(user_id, key, reference, amount)| ((user_id.clone(), key), Booked { user_id, reference, amount }));
    keyed.collect()
}

async fn truth(connection: &mut MySqlConnection) -> Truth {
    let purchases = "SELECT user_id, CONVERT(idempotency_key USING utf8mb4) AS `key`, purchase_id AS reference, \
                     price AS amount FROM purchases";
    let grants = "SELECT user_id, CONVERT(idempotency_key USING utf8mb4) AS `key`, grant_id AS reference, \
                  coins AS amount FROM coin_grants";
    let players = "SELECT p.user_id, p.coins, \
         (SELECT CAST(COALESCE(SUM(delta), 0) AS SIGNED) FROM coin_ledger l WHERE l.user_id = p.user_id), \
         (SELECT CAST(COALESCE(SUM(quantity), 0) AS SIGNED) FROM items i WHERE i.user_id = p.user_id), \
         (SELECT score FROM scores s WHERE s.user_id = p.user_id AND board = 'total') FROM players p";
    let ledger = "SELECT user_id, reason, reference, COUNT(*), CAST(SUM(delta) AS SIGNED) FROM coin_ledger \
                  GROUP BY user_id, reason, reference";
    let runs: Vec<(String, String)> = sqlx::query_as("SELECT user_id, CONVERT(run_id USING utf8mb4) FROM score_runs")
        .fetch_all(&mut *connection)
        .await
        .expect("reads");
    let rows: Vec<(String, i64, i64, i64, Option<i64>)> =
        sqlx::query_as(players).fetch_all(&mut *connection).await.expect("reads");
    let entries: Vec<(String, String, String, i64, i64)> =
        sqlx::query_as(ledger).fetch_all(&mut *connection).await.expect("reads");
    Truth {
        purchases: booked(connection, purchases).await,
        grants: booked(connection, grants).await,
        runs: runs.into_iter().collect(),
        players: rows.into_iter().map(|(id, coins, sum, items, total)| (id, (coins, sum, items, total))).collect(),
        ledger: entries.into_iter().map(|(id, reason, by, count, sum)| ((id, reason, by), (count, sum))).collect(),
    }
}

/// Waits until the outbox is empty; what killed servers had leased is free only when the lease is over.
async fn delivered(connection: &mut MySqlConnection) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (waiting,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM outbox").fetch_one(&mut *connection).await.expect("reads");
        if waiting == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{waiting} events are not delivered");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How often each thing was logged, by (name, what it tells of).
async fn logged(cluster: &Cluster, since: Timestamp) -> HashMap<(String, String), usize> {
    let (log, mut counts) = (cluster.log(), HashMap::new());
    let days: HashSet<_> = [day_of(since), day_of(Timestamp::now())].into();
    for day in days {
        let mut after = None;
        loop {
            let page = log.of_day(day, after.as_ref(), 500).await.expect("reads");
            for event in page.events {
                let text = |name: &str| event.properties[name].as_str().map(str::to_owned);
                let about = text("purchase_id").or_else(|| text("grant_id")).or_else(|| text("run_id"));
                let about = about.unwrap_or_else(|| event.player.to_string());
                *counts.entry((event.name, about)).or_default() += 1;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    counts
}

pub async fn audit(cluster: &Cluster, journals: &[Journal], since: Timestamp) -> Findings {
    let mut connection = cluster.mariadb.connect(&cluster.database.name).await;
    delivered(&mut connection).await;
    let truth = truth(&mut connection).await;
    let mut findings = Findings::default();
    for operation in journals.iter().flat_map(|journal| &journal.operations) {
        check_operation(&mut findings, &truth, operation);
    }
    check_players(&mut findings, &truth, journals);
    check_ledger(&mut findings, &truth);
    check_log(&mut findings, &truth, &logged(cluster, since).await);
    findings
}

fn check_operation(findings: &mut Findings, truth: &Truth, operation: &Operation) {
    for contradiction in &operation.contradictions {
        findings.doubled.push(format!("{operation:?} was then answered with {contradiction}"));
    }
    let Some((status, body)) = &operation.answer else { return };
    let at = (operation.player.clone(), operation.key.clone());
    let (row, id) = match operation.kind {
        Kind::Score if truth.runs.contains(&at) => return,
        Kind::Score => (None, &body["run_id"]),
        Kind::Purchase => (truth.purchases.get(&at), &body["purchase_id"]),
        Kind::Grant => (truth.grants.get(&at), &body["grant_id"]),
    };
    match row {
        Some(_) if *status == 402 => findings.doubled.push(format!("refused and yet done: {operation:?}")),
        None if *status == 402 => {}
        Some(row) if *id == row.reference.as_str() => {}
        Some(row) => findings.doubled.push(format!("{operation:?} is there as {}", row.reference)),
        None => findings.lost.push(format!("{operation:?}")),
    }
}

fn check_players(findings: &mut Findings, truth: &Truth, journals: &[Journal]) {
    for journal in journals {
        let player = &journal.player;
        let Some((coins, sum, items, total)) = truth.players.get(player) else {
            findings.lost.push(format!("player {player}"));
            continue;
        };
        let mut differ = |what: &str, there: i64, due: i64| {
            let side = if there < due { &mut findings.lost } else { &mut findings.doubled };
            if there != due {
                side.push(format!("{player}: {what} {there}, due {due}"));
            }
        };
        differ("coins against the ledger", *coins, *sum);
        let bought = truth.purchases.values().filter(|row| row.user_id == *player);
        let given: i64 = truth.grants.values().filter(|row| row.user_id == *player).map(|row| row.amount).sum();
        let (count, paid) = bought.fold((0, 0), |(count, paid), row| (count + 1, paid + row.amount));
        differ("items", *items, count);
        differ("coins against what was bought and given", *coins, 1000 + given - paid);
        let ran = |operation: &&Operation| {
            operation.kind == Kind::Score && truth.runs.contains(&(player.clone(), operation.key.clone()))
        };
        let points: i64 = journal.operations.iter().filter(ran).map(|operation| operation.points).sum();
        differ("points", total.unwrap_or_default(), points);
    }
}

/// Each movement stems from one purchase, grant or signup, and each of these moved coins once.
fn check_ledger(findings: &mut Findings, truth: &Truth) {
    let due = |reason: &str, row: &Booked, amount: i64| {
        ((row.user_id.clone(), reason.to_owned(), row.reference.clone()), (1, amount))
    };
    let mut expected: HashMap<_, _> = truth.purchases.values().map(|row| due("purchase", row, -row.amount)).collect();
    expected.extend(truth.grants.values().map(|row| due("grant", row, row.amount)));
    expected.extend(truth.players.keys().map(|id| ((id.clone(), "signup".to_owned(), id.clone()), (1, 1000))));
    for (key, moved) in &truth.ledger {
        if expected.get(key) != Some(moved) {
            findings.doubled.push(format!("the ledger has {key:?}: {moved:?}"));
        }
    }
    for key in expected.keys().filter(|key| !truth.ledger.contains_key(*key)) {
        findings.lost.push(format!("the ledger has no {key:?}"));
    }
}

fn check_log(findings: &mut Findings, truth: &Truth, logged: &HashMap<(String, String), usize>) {
    let entry = |name: &str, about: &str| (format!("game.{name}"), about.to_owned());
    let mut expected: HashSet<_> = truth.purchases.values().map(|row| entry("purchase", &row.reference)).collect();
    expected.extend(truth.grants.values().map(|row| entry("grant", &row.reference)));
    expected.extend(truth.runs.iter().map(|(_, run)| entry("score", run)));
    expected.extend(truth.players.keys().map(|id| entry("account_created", id)));
    for (key, count) in logged {
        if *count != 1 || !expected.contains(key) {
            findings.doubled.push(format!("the log has {key:?} {count} times"));
        }
    }
    for key in expected.iter().filter(|key| !logged.contains_key(*key)) {
        findings.lost.push(format!("the log has no {key:?}"));
    }
}
