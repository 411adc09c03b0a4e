//! Drills on real processes: something is killed while test players play; nothing that was acknowledged is lost or doubled, the
//! report says what database and log say, and nothing is left of the players.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provision_tests::held::Held;
use provision_tests::{LocalAws, Ran, python, root};
use serde_json::{Value, json};

const STACK: &str = "game-dev";

/// A stack on which drills are made, and where their files go.
struct Range {
    aws: LocalAws,
    blueprint: String,
    text: String,
    files: tempfile::TempDir,
}

impl Range {
    fn start() -> Self {
        let aws = LocalAws::start(&["--time-scale", "60"]);
        let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
        let blueprint = aws.blueprint("rehearsal.toml", &text);
        aws.done(&["up", &blueprint, "--yes"]);
        Self { aws, blueprint, text, files: tempfile::tempdir().expect("a directory") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The arguments of a short drill, and its files.
    fn arguments(&self, fault: &str, more: &[&str]) -> Vec<String> {
        let (picture, log) = (self.file(&format!("{fault}.svg")), self.file(&format!("{fault}.jsonl")));
        let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let mut arguments = vec!["drill".to_owned(), fault.to_owned()];
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        for (name, value) in [("--rate", "24"), ("--players", "24"), ("--before", "5"), ("--after", "5")] {
            if !more.contains(&name) {
                arguments.extend([name.to_owned(), value.to_owned()]);
            }
        }
        arguments.extend(["--json", "--yes"].map(str::to_owned));
        arguments.extend(["--out".to_owned(), path(&picture), "--log".to_owned(), path(&log)]);
        arguments
    }

    fn drill(&self, fault: &str, more: &[&str]) -> Ran {
        let arguments = self.arguments(fault, &[&[self.blueprint.as_str()], more].concat());
        self.aws.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn report(&self, fault: &str) -> Value {
        let text = std::fs::read_to_string(self.file(&format!("{fault}.json"))).expect("a report was written");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What the stores hold of the drill's players, and what its log says.
    fn count(&self, fault: &str) -> Value {
        let output = Command::new(python())
            .arg(root().join("tests/drill.py"))
            .args([&self.aws.url, "eu-central-1", STACK])
            .args([self.file(&format!("{fault}.json")), self.file(&format!("{fault}.jsonl"))])
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .output()
            .expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    /// The processes that play this part: resource and pid.
    fn processes(&self, kind: &str) -> BTreeMap<String, u64> {
        let rows = self.aws.processes().into_iter().filter(|row| row["kind"] == kind);
        rows.map(|row| (row["resource"].as_str().expect("a name").to_owned(), row["pid"].as_u64().expect("a pid")))
            .collect()
    }
}

/// Holds the report's event against the schema, and answers the report.
fn drilled(ran: &Ran) -> Value {
    let schema = std::fs::read_to_string(root().join("docs/events.schema.json")).expect("the schema ships");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let whole = jsonschema::validator_for(&schema).expect("a schema");
    let mut report = Value::Null;
    for line in ran.out.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let name = event["event"].as_str().expect("the event's name");
        let only = json!({"$ref": format!("#/$defs/event_{name}"), "$defs": schema["$defs"]});
        let only = jsonschema::validator_for(&only).expect("a schema");
        let errors: Vec<String> = only.iter_errors(&event).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty() && whole.is_valid(&event), "not as the schema says: {errors:#?}\n{line}");
        if event["event"] == "drill" {
            report = event["drill"].clone();
        }
    }
    assert!(report.is_object(), "no report\n{}\n{}", ran.out, ran.err);
    report
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Whether a process is there. One that nobody has waited for yet is not.
fn alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

/// The report's figures are those of the database and of the load's own log.
fn agree(report: &Value, counted: &Value) {
    let (books, log) = (&counted["books"], &counted["log"]);
    assert_eq!((&report["audit"]["lost"], &report["audit"]["doubled"]), (&json!(0), &json!(0)), "{report:#}");
    assert_eq!(
        (&books["lost"], &books["unasked"], &books["again"], &books["wrong_balances"]),
        (&json!(0), &json!(0), &json!(0), &json!(0)),
        "{counted:#}"
    );
    for (kind, name) in [("purchase", "purchases"), ("score", "scores")] {
        assert_eq!(books["rows"][kind], report["audit"][name], "{kind}: rows, and what was acknowledged\n{report:#}");
        assert_eq!(log["acknowledged"][kind], report[name]["acknowledged"], "{kind}: the log, and the report");
    }
    assert_eq!(log["acknowledged"]["rank"], report["ranks"]["acknowledged"]);
    assert_eq!(books["ledger_purchases"], report["audit"]["purchases"]);
    assert_eq!(books["pieces"], report["audit"]["purchases"]);
    assert_eq!(log["failed_attempts"], report["failed_attempts"]);
    let given_up: u64 = ["purchases", "scores", "ranks"].iter().map(|kind| number(&report[*kind]["given_up"])).sum();
    assert_eq!(number(&log["given_up"]), given_up);
    let longest = report["without_writes"]["longest_seconds"].as_f64().expect("a number");
    if longest > 0.0 {
        let counted = log["longest_without_writes"].as_f64().expect("a number");
        assert!((counted - longest).abs() < 0.01, "{counted} s without writes by the log, {longest} s by the report");
    }
    let audit = &report["audit"];
    for name in ["wrong_balances", "wrong_items", "wrong_bests", "wrong_ranks", "not_audited"] {
        assert_eq!(audit[name], 0, "{name}: {audit:#}");
    }
    assert!(number(&report["purchases"]["acknowledged"]) > 50, "{report:#}");
}

#[allow(clippy::print_stdout, reason = "the counts are for people")]
fn tell(report: &Value, counted: &Value) {
    println!(
        "{}: {} purchases, {} scores, {} ranks acknowledged; lost {}, doubled {}; {} failed attempts, {} given up and asked again; \
         {} s without writes, {} s without reads; over after {:.1} s; in the database {} and {}; p99 of writes {} / {} / {} ms",
        report["fault"].as_str().unwrap_or_default(),
        report["purchases"]["acknowledged"],
        report["scores"]["acknowledged"],
        report["ranks"]["acknowledged"],
        report["audit"]["lost"],
        report["audit"]["doubled"],
        report["failed_attempts"],
        report["audit"]["answered_late"],
        report["without_writes"]["seconds"],
        report["without_reads"]["seconds"],
        report["over_at_seconds"].as_f64().unwrap_or(f64::NAN)
            - report["fault_at_seconds"].as_f64().unwrap_or(f64::NAN),
        counted["books"]["rows"]["purchase"],
        counted["books"]["rows"]["score"],
        report["latency"]["before"]["writes"]["p99_ms"],
        report["latency"]["during"]["writes"]["p99_ms"],
        report["latency"]["after"]["writes"]["p99_ms"],
    );
}

/// Nothing of a drill's players in any table or cache node; what remembers that they were deleted aside.
fn nothing_left(counted: &Value) {
    let left = |(table, rows): (&String, &Value)| table != "deleted_players" && rows != 0;
    let tables = counted["tables"].as_object().expect("tables");
    assert!(!tables.iter().any(left), "{counted:#}");
    assert!(counted["ranked"].as_object().expect("nodes").values().all(|members| members == 0), "{counted:#}");
}

#[test]
#[allow(clippy::print_stdout, reason = "the counts are for people")]
fn each_fault_loses_nothing_and_no_player_is_left() {
    let range = Range::start();

    let before = range.processes("database");
    let ran = range.drill("database-failover", &["--keep-players"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let report = drilled(&ran);
    assert_eq!(report, range.report("database-failover"), "the event, and the file");
    let name = report["deed"].as_str().and_then(|deed| deed.split(' ').nth(1)).expect("the instance");
    assert!(!alive(before[name]), "{name}: process {} was not killed", before[name]);
    assert_ne!(range.processes("database")[name], before[name]);
    let counted = range.count("database-failover");
    agree(&report, &counted);
    tell(&report, &counted);
    assert_eq!(number(&counted["tables"]["players"]), 24, "{counted:#}");
    let picture = std::fs::read_to_string(range.file("database-failover.svg")).expect("a picture was drawn");
    assert!(picture.starts_with("<svg") && picture.contains("Database failover of game-dev"));

    // The next one deletes those that were kept, and its own.
    let before = range.processes("cache");
    let ran = range.drill("cache-failover", &["--keep-players"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("deleting 24 test players that drill"), "{}", ran.out);
    nothing_left_but(&range.count("database-failover"), 24);
    let report = drilled(&ran);
    let killed: Vec<_> = before.iter().filter(|(_, pid)| !alive(**pid)).collect();
    assert_eq!(killed.len(), 1, "one node of the cache was to be killed: {before:?}");
    assert!(report["outcome"].as_str().expect("words").starts_with(killed[0].0.as_str()), "{report:#}");
    let counted = range.count("cache-failover");
    agree(&report, &counted);
    tell(&report, &counted);

    let before = range.processes("instance");
    let ran = range.drill("instance-loss", &["--keep-players"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let report = drilled(&ran);
    let killed: Vec<_> = before.iter().filter(|(_, pid)| !alive(**pid)).collect();
    assert_eq!(killed.len(), 1, "one instance was to be lost: {before:?}");
    assert!(report["outcome"].as_str().expect("words").starts_with(killed[0].0.as_str()), "{report:#}");
    let counted = range.count("instance-loss");
    agree(&report, &counted);
    tell(&report, &counted);

    stopped(&range);
    killed_before_it_cleans(&range);
    refused(&range);
}

/// As [`nothing_left`], while another drill's devices are there.
fn nothing_left_but(counted: &Value, devices: u64) {
    let mut counted = counted.clone();
    assert_eq!(number(&counted["tables"]["devices"]), devices, "{counted:#}");
    counted["tables"]["devices"] = json!(0);
    nothing_left(&counted);
}

/// Waits until the drill that runs says so.
fn until_said(log: &Path, what: &str) {
    let started = Instant::now();
    while !std::fs::read_to_string(log).unwrap_or_default().contains(what) {
        assert!(started.elapsed() < Duration::from_secs(120), "never said: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn begin(range: &Range, name: &str, more: &[&str]) -> (std::process::Child, PathBuf) {
    let arguments =
        range.arguments("database-failover", &[&[range.blueprint.as_str(), "--before", "600"], more].concat());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = range.file(name);
    let out = std::fs::File::create(&said).expect("a file");
    let child = range.aws.provision(&arguments).stdout(out).stderr(Stdio::inherit()).spawn().expect("it starts");
    until_said(&said, "operations a second");
    std::thread::sleep(Duration::from_secs(3));
    (child, said)
}

/// SIGINT in the middle: what was played is audited, and deleted.
#[allow(clippy::print_stdout, reason = "the counts are for people")]
fn stopped(range: &Range) {
    let (mut child, said) = begin(range, "stopped.out", &[]);
    // Nobody else may work on the stack meanwhile.
    let held = range.drill("cache-failover", &[]);
    assert_eq!(held.code, Some(5), "{}\n{}", held.out, held.err);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    let code = child.wait().expect("it ends").code();
    let out = std::fs::read_to_string(&said).expect("its output");
    assert_eq!(code, Some(130), "{out}");
    let report = range.report("database-failover");
    assert_eq!((&report["interrupted"], &report["fault_at_seconds"]), (&json!(true), &Value::Null), "{report:#}");
    assert_eq!((&report["audit"]["lost"], &report["audit"]["doubled"]), (&json!(0), &json!(0)), "{report:#}");
    assert!(number(&report["purchases"]["acknowledged"]) > 10, "{report:#}");
    nothing_left(&range.count("database-failover"));
    println!("stopped: {} purchases audited, nobody left", report["audit"]["purchases"]);
}

/// kill -9 in the middle: the next drill deletes what was left, though it stops before it breaks anything itself.
#[allow(clippy::print_stdout, reason = "the counts are for people")]
fn killed_before_it_cleans(range: &Range) {
    let (mut child, _) = begin(range, "killed.out", &[]);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    let left = number(&range.count("cache-failover")["tables"]["devices"]);
    assert_eq!(left, 24, "a killed drill leaves its players");
    let (mut child, said) = begin(range, "next.out", &["--players", "12"]);
    let out = std::fs::read_to_string(&said).expect("its output");
    assert!(out.contains("deleting 24 test players that drill"), "{out}");
    assert_eq!(number(&range.count("cache-failover")["tables"]["devices"]), 12);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    nothing_left(&range.count("cache-failover"));
    println!("killed: {left} players left, and deleted by the next drill");
}

/// Where the environment forbids drills there is none, by blueprint and by name alone.
fn refused(range: &Range) {
    let before = range.processes("database");
    let forbidden = range.text.replacen("[stack]\n", "[stack]\ndrills = false\n", 1);
    let forbidden = range.aws.blueprint("forbidden.toml", &forbidden);
    let by_blueprint = ["drill", "database-failover", &forbidden, "--yes"];
    let ran = range.aws.run(&by_blueprint);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("drills = false"), "{}", ran.err);
    let plan = range.aws.done(&["plan", &forbidden, "--json"]).json();
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(1), "{plan:#}");
    range.aws.done(&["up", &forbidden, "--yes"]);
    let by_name = ["drill", "database-failover", "--stack", STACK, "--yes"];
    let ran = range.aws.run(&by_name);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("provision:drills"), "{}", ran.err);
    range.aws.done(&["up", &range.blueprint, "--yes"]);
    let tags = range.aws.boto3(
        "s3",
        "bucket = next(b['Name'] for b in api.list_buckets()['Buckets'] if b['Name'].startswith('game-dev-stack'))\n\
         print([t['Key'] for t in api.get_bucket_tagging(Bucket=bucket)['TagSet']])",
    );
    assert!(!tags.contains("provision:drills") && tags.contains("provision:stack"), "{tags}");
    assert_eq!(range.processes("database"), before);
    // Nobody to ask, and nobody has said yes.
    let asked = range.aws.run(&["drill", "cache-failover", &range.blueprint]);
    assert_eq!(asked.code, Some(1), "{}", asked.err);
    assert!(asked.err.contains("--yes") && asked.err.contains("real players"), "{}", asked.err);
}

/// What the topology cannot do is refused before anything is played.
#[test]
fn a_topology_in_which_nothing_would_take_over_is_refused() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let text = text
        .replace("multi_az = true", "multi_az = false")
        .replace("replicas = 1             #", "replicas = 0             #");
    let alone = aws.blueprint("alone.toml", &text);
    aws.done(&["up", &alone, "--yes", "--control-plane-only"]);
    let cases: [(&str, &[&str], &str); 5] = [
        ("database-failover", &[], "no standby"),
        ("cache-failover", &[], "no replica"),
        ("cache-failover", &["--allow-outage"], "no replica"),
        ("instance-loss", &["--instances", "2"], "all 2 instances"),
        ("instance-loss", &["--instances", "3"], "only 2 instances"),
    ];
    for (fault, more, why) in cases {
        let ran = Held::new(&aws.provision(&[&["drill", fault, &alone, "--yes"], more].concat())).run();
        assert_eq!(ran.code, Some(1), "{fault} {more:?}: {}", ran.err);
        assert!(ran.err.contains(why) && ran.err.contains("nothing was broken"), "{fault} {more:?}: {}", ran.err);
    }
    let few = aws.run(&["drill", "instance-loss", &alone, "--yes", "--players", "2"]);
    assert_eq!(few.code, Some(2), "{}", few.err);
    let bare =
        aws.blueprint("bare.toml", "[stack]\nname = \"bare\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n");
    let none = aws.run(&["drill", "instance-loss", &bare, "--yes"]);
    assert!(none.code == Some(1) && none.err.contains("there is no stack bare-dev"), "{}", none.err);
    aws.done(&["up", &bare, "--yes"]);
    let none = aws.run(&["drill", "instance-loss", &bare, "--yes"]);
    assert!(none.code == Some(1) && none.err.contains("no servers"), "{}", none.err);
    let broken = aws
        .calls()
        .iter()
        .filter(|c| ["RebootDBInstance", "TestFailover", "TerminateInstances"].contains(&c.action.as_str()))
        .count();
    assert_eq!(broken, 0, "something was broken all the same");
}
