//! Deploys under load: no request lost, no purchase lost, and a release that is not good goes away by itself.

#![allow(clippy::print_stdout, reason = "it prints what it counted")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provision_tests::load::{Load, Purchase, Report};
use provision_tests::releases::{Broken, MIGRATION, VIEW, broken, good};
use provision_tests::{LocalAws, Ran, python, root};
use serde_json::Value;

const RATE: u64 = 200;
/// The last release that is good, in the words of `releases`.
const SERVING: &str = "serving";

struct Stack {
    aws: LocalAws,
    blueprint: String,
    api: String,
    directory: PathBuf,
}

impl Stack {
    fn up() -> Self {
        let aws = LocalAws::start(&["--time-scale", "60"]);
        let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
        // However slow the machine is that runs this, no release is blamed for it.
        let text = format!("{text}\n[alarms.thresholds]\nlatency_ms = 60000\n");
        let blueprint = aws.blueprint("rehearsal.toml", &text);
        let directory = Path::new(&blueprint).parent().expect("a directory").to_owned();
        aws.done(&["up", &blueprint, "--yes"]);
        let outputs = aws.done(&["outputs", &blueprint, "--json"]).json();
        let api = outputs["api_url"].as_str().expect("an address").to_owned();
        Self { aws, blueprint, api, directory }
    }

    fn deploy_command(&self, artifact: &str, bake: &str) -> Command {
        self.aws.provision(&["deploy", &self.blueprint, "--artifact", artifact, "--yes", "--bake", bake])
    }

    fn deploy(&self, artifact: &str, bake: &str) -> Ran {
        Ran::of(self.deploy_command(artifact, bake).output().expect("provision runs"))
    }

    fn deployed(&self, artifact: &str) {
        let ran = self.deploy(artifact, "60");
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
        assert_eq!(self.serving(), sha256(artifact), "{}\n{}", ran.out, ran.err);
    }

    fn releases(&self) -> Vec<Value> {
        let listed = self.aws.done(&["releases", &self.blueprint, "--json"]).json();
        listed["releases"].as_array().expect("a list").clone()
    }

    fn result_of(&self, artifact: &str) -> String {
        let sha256 = sha256(artifact);
        let line = self.releases().into_iter().find(|line| line["release"] == sha256.as_str());
        line.and_then(|line| line["result"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The release that `/readyz` of every instance that answers names.
    fn serving(&self) -> String {
        let mut client = provision_tests::load::Client::new(&self.api);
        let asked = (0..20).map(|_| {
            let (status, ready) = client.call("GET", "/readyz", &[], None).expect("the API answers");
            assert_eq!(status, 200, "{ready}");
            ready["release"].as_str().expect("a release").to_owned()
        });
        let releases: BTreeSet<String> = asked.collect();
        assert_eq!(releases.len(), 1, "more than one release serves: {releases:?}");
        releases.into_iter().next().expect("one")
    }

    fn sql(&self, statements: &[&str]) -> Vec<Value> {
        let mut command = Command::new(python());
        command.arg(root().join("tests/sql.py")).args([&self.aws.url, "eu-central-1"]);
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
        child.stdin.take().expect("piped").write_all(statements.join("\n").as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{statements:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Every acknowledged purchase is in the player's ledger, once, and in the database, once; no balance is off.
    fn audit(&self, report: &Report) {
        let in_ledgers = report.in_ledgers();
        let lost: Vec<&Purchase> = report.purchases.difference(&in_ledgers).collect();
        let rows = self.sql(&[
            "SELECT user_id, purchase_id FROM purchases",
            "SELECT COUNT(*) FROM (SELECT reference FROM coin_ledger WHERE reason = 'purchase' GROUP BY reference HAVING COUNT(*) > 1) d",
            "SELECT COUNT(*) FROM players p WHERE p.coins <> (SELECT COALESCE(SUM(delta), 0) FROM coin_ledger l WHERE l.user_id = p.user_id)",
        ]);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let in_database: BTreeSet<Purchase> = rows[0]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| Purchase { user: text(&row[0]), id: text(&row[1]) })
            .collect();
        let missing: Vec<&Purchase> = report.purchases.difference(&in_database).collect();
        println!(
            "purchases: {} acknowledged, {} lost by the ledgers, {} lost by the database, {} doubled, {} balances off",
            report.purchases.len(),
            lost.len(),
            missing.len(),
            rows[1][0][0],
            rows[2][0][0]
        );
        assert!(lost.is_empty() && missing.is_empty(), "{lost:?} {missing:?}");
        assert_eq!((&rows[1][0][0], &rows[2][0][0]), (&0.into(), &0.into()));
    }

    fn no_change(&self) {
        let up = self.aws.done(&["up", &self.blueprint, "--yes"]);
        assert!(up.err.contains("no changes"), "{}", up.err);
        let drift = self.aws.run(&["drift", &self.blueprint, "--check"]);
        assert_eq!(drift.code, Some(0), "{}\n{}", drift.out, drift.err);
    }

    fn down(self) {
        let down = self.aws.done(&["down", &self.blueprint, "--yes", "--allow-data-loss"]);
        assert!(down.out.contains("0 left"), "{}", down.out);
        assert!(self.aws.listing("eu-central-1", "game-dev").is_empty());
    }
}

fn sha256(path: &str) -> String {
    let output = Command::new("sha256sum").arg(path).output().expect("coreutils are there");
    String::from_utf8_lossy(&output.stdout).split(' ').next().expect("a hash").to_owned()
}

#[test]
fn ten_deploys_in_a_row_lose_nothing() {
    let stack = Stack::up();
    let load = Load::start(&stack.api, RATE);
    let mut last = String::new();
    for number in 1..=10 {
        let artifact = good(&stack.directory, number);
        let started = Instant::now();
        stack.deployed(&artifact);
        println!("deploy {number}: {:.1} s, {} requests failed so far", started.elapsed().as_secs_f64(), load.failed());
        last = artifact;
    }
    let report = load.stop();
    report.print("ten deploys");
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    assert!(report.sent > 1000 && !report.purchases.is_empty(), "{}", report.sent);
    stack.audit(&report);
    // Eleven releases were there: the oldest is gone, the others are kept.
    let releases = stack.releases();
    assert_eq!(releases.len(), 10, "{releases:#?}");
    assert_eq!((&releases[0]["result"], &releases[1]["result"]), (&SERVING.into(), &"previous".into()));
    assert!(releases.iter().all(|line| line["by"].as_str().is_some_and(|by| by.starts_with("arn:"))), "{releases:#?}");
    let again = stack.deploy(&last, "60");
    assert!(again.code == Some(0) && again.out.contains("no change"), "{}\n{}", again.out, again.err);
    stack.no_change();
    stack.down();
}

#[test]
fn a_broken_release_is_turned_back_and_nobody_notices() {
    let stack = Stack::up();
    let before = stack.serving();
    let load = Load::start(&stack.api, RATE);
    let ways = [
        (Broken::ExitsAtStart, "GAME_MISSING_SECRET"),
        (Broken::FailsItsMigration, "stores"),
        (Broken::FailsItsStartUpCheck, "start-up check failed"),
    ];
    for (how, says) in ways {
        if how == Broken::FailsItsMigration {
            // As if it were new with this release.
            stack.sql(&[&format!("DELETE FROM schema_migrations WHERE version = {MIGRATION}")]);
        }
        let artifact = broken(&stack.directory, how);
        let started = Instant::now();
        let ran = stack.deploy(&artifact, "60");
        println!("{how:?}: turned back after {:.1} s:\n{}{}", started.elapsed().as_secs_f64(), ran.err, ran.out);
        assert_eq!(ran.code, Some(1), "{}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(says), "the cause is not shown: {says}");
        assert_eq!(stack.result_of(&artifact), "failed");
        assert_eq!(stack.serving(), before);
    }
    let report = load.stop();
    report.print("three broken releases");
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    stack.audit(&report);
    stack.no_change();
    assert_eq!(stack.serving(), before);
    stack.down();
}

#[test]
fn a_release_that_breaks_later_is_caught_by_its_alarm() {
    let stack = Stack::up();
    let before = stack.serving();
    let load = Load::start(&stack.api, RATE);
    stack.sql(&[&format!("CREATE VIEW {VIEW} AS SELECT * FROM coin_ledger")]);
    let artifact = broken(&stack.directory, Broken::BreaksLater);
    // The release breaks while it bakes, for which a slow machine has time enough.
    let running = stack.deploy_command(&artifact, "18000").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut running = running.expect("provision runs");
    let started = Instant::now();
    while stack.refresh_status() != "Baking" {
        assert!(running.try_wait().expect("it can be asked").is_none(), "the deploy ended before it baked");
        assert!(started.elapsed() < Duration::from_secs(600), "it does not come to bake");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((load.failed(), stack.serving()), (0, sha256(&artifact)), "it serves well at first");
    stack.sql(&[&format!("DROP VIEW {VIEW}")]);
    let broke = Instant::now();
    let ran = Ran::of(running.wait_with_output().expect("it ends"));
    println!("turned back {:.1} s after it broke:\n{}{}", broke.elapsed().as_secs_f64(), ran.err, ran.out);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("ALARM") && ran.out.contains("server-errors"), "{}", ran.out);
    assert_eq!((stack.result_of(&artifact).as_str(), stack.serving()), ("failed", before.clone()));
    let failed = load.failed();
    std::thread::sleep(Duration::from_secs(2));
    let report = load.stop();
    report.print("a release that breaks later");
    println!("{failed} requests failed until it was turned back, {} after", report.failed - failed);
    assert!(failed > 0 && report.failed == failed, "{:?}", report.failures);
    stack.audit(&report);

    // Where nothing watches it breaks for good, until somebody goes back: the alarm that is on does not stand in the way.
    stack.sql(&[&format!("CREATE VIEW {VIEW} AS SELECT * FROM coin_ledger")]);
    stack.until_alarm(false);
    let load = Load::start(&stack.api, RATE);
    stack.deployed(&artifact);
    stack.sql(&[&format!("DROP VIEW {VIEW}")]);
    stack.until_alarm(true);
    let back = stack.aws.done(&["rollback", &stack.blueprint, "--yes"]);
    println!("{}{}", back.err, back.out);
    assert_eq!((stack.result_of(&artifact).as_str(), stack.serving()), ("rolled_back", before));
    let failed = load.failed();
    std::thread::sleep(Duration::from_secs(2));
    let report = load.stop();
    report.print("gone back from by hand");
    assert!(failed > 0 && report.failed == failed, "{:?}", report.failures);
    stack.audit(&report);
    stack.down();
}

impl Stack {
    /// Until an alarm of the servers is on, or none is any longer.
    fn until_alarm(&self, on: bool) {
        let code = "watched = ['unhealthy-hosts', 'server-errors', 'load-balancer-errors', 'latency']\n\
            alarms = api.describe_alarms(AlarmNamePrefix='game-dev')['MetricAlarms']\n\
            on = [alarm for alarm in alarms if alarm['StateValue'] == 'ALARM']\n\
            print([(a['AlarmName'], a['StateReason']) for a in on if any(name in a['AlarmName'] for name in watched)])";
        let started = Instant::now();
        loop {
            let alarms = self.aws.boto3("cloudwatch", code);
            if (alarms.trim() != "[]") == on {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(120), "alarms that are on: {alarms}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn refresh_status(&self) -> String {
        let code = "group = api.describe_auto_scaling_groups()['AutoScalingGroups'][0]['AutoScalingGroupName']\n\
            print(([r['Status'] for r in api.describe_instance_refreshes(AutoScalingGroupName=group)['InstanceRefreshes']] + ['-'])[0])";
        self.aws.boto3("autoscaling", code).trim().to_owned()
    }
}

#[test]
fn rolled_back_stays_away_and_a_killed_deploy_goes_on() {
    let stack = Stack::up();
    let (first, second) = (good(&stack.directory, 1), good(&stack.directory, 2));
    let bundled = stack.serving();
    let load = Load::start(&stack.api, RATE);

    // Killed in the middle of the exchange.
    let mut running =
        stack.deploy_command(&first, "60").stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
    let started = Instant::now();
    while stack.refresh_status() != "InProgress" {
        assert!(started.elapsed() < Duration::from_secs(300), "no refresh begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    assert_eq!(stack.result_of(&first), "deploying");
    // The same once more: what is under way is followed.
    stack.deployed(&first);
    assert_eq!(stack.result_of(&first), SERVING);

    stack.deployed(&second);
    let back = stack.aws.done(&["rollback", &stack.blueprint, "--yes"]);
    println!("rollback: {}", back.out);
    assert_eq!(stack.serving(), sha256(&first));
    assert_eq!((stack.result_of(&second).as_str(), stack.result_of(&first).as_str()), ("rolled_back", SERVING));
    stack.no_change();
    assert_eq!(stack.serving(), sha256(&first), "up brought the bad release back");

    // Once more goes further back; there it ends.
    stack.aws.done(&["rollback", &stack.blueprint, "--yes"]);
    assert_eq!(stack.serving(), bundled);
    let none = stack.aws.run(&["rollback", &stack.blueprint, "--yes"]);
    assert_eq!(none.code, Some(1), "{}", none.err);
    // By name it goes anywhere.
    stack.aws.done(&["rollback", &stack.blueprint, "--to", &sha256(&second)[..12], "--yes"]);
    assert_eq!(stack.serving(), sha256(&second));
    stack.no_change();

    let report = load.stop();
    report.print("killed, deployed, rolled back");
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    stack.audit(&report);
    stack.down();
}

/// A deploy and an `up` at once: one works, the other is told who does. Ctrl-C says what goes on, and `rollback` turns it back.
#[test]
fn one_at_a_time_and_ctrl_c() {
    let stack = Stack::up();
    let artifact = good(&stack.directory, 1);
    let bundled = stack.serving();
    let running = stack
        .deploy_command(&artifact, "18000")
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let started = Instant::now();
    while stack.refresh_status() != "InProgress" {
        assert!(started.elapsed() < Duration::from_secs(300), "no refresh begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    for verb in ["up", "deploy", "rollback"] {
        let held = stack.aws.run(&[verb, &stack.blueprint, "--yes"]);
        assert_eq!(held.code, Some(5), "{verb}: {}\n{}", held.out, held.err);
    }
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "it ended before the signal");
    let stopped = Ran::of(running.wait_with_output().expect("it ends"));
    assert_eq!(stopped.code, Some(130), "{}", stopped.err);
    assert!(
        stopped.err.contains("AWS goes on exchanging") && stopped.err.contains("provision rollback"),
        "{}",
        stopped.err
    );
    let back = stack.aws.done(&["rollback", &stack.blueprint, "--yes"]);
    println!("{}{}", stopped.err, back.out);
    assert_eq!(stack.serving(), bundled);
    assert_eq!(stack.result_of(&artifact), "rolled_back");
    stack.no_change();
    stack.down();
}
