//! Throttled, slow and failing at random: `up` and `down` still finish, in a bounded number of calls.

#![allow(clippy::print_stdout, reason = "it prints what it counted")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use provision_tests::dice::Dice;
use provision_tests::held::Held;
use provision_tests::topology::{Reader, difference};
use provision_tests::{LocalAws, ask, python, root};
use serde_json::{Value, json};

fn rehearsal(aws: &LocalAws) -> String {
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    aws.blueprint("rehearsal.toml", &text)
}

/// What an undisturbed cycle costs and makes.
struct Clean {
    up: usize,
    down: usize,
    empty: Vec<String>,
    complete: Vec<String>,
}

fn undisturbed(aws: &LocalAws, reader: &mut Reader, blueprint: &str) -> Clean {
    let empty = reader.read(aws);
    aws.forget_calls();
    aws.done(&["up", blueprint, "--yes", "--control-plane-only"]);
    let up = aws.calls().len();
    let complete = reader.read(aws);
    aws.forget_calls();
    aws.done(&["down", blueprint, "--yes", "--allow-data-loss"]);
    let down = aws.calls().len();
    Clean { up, down, empty, complete }
}

/// Runs the command through `endpoint` and panics, with all it printed, unless it exits 0.
fn finishes(aws: &LocalAws, endpoint: &str, arguments: &[&str]) {
    let mut command = aws.provision(arguments);
    command.env("AWS_ENDPOINT_URL", endpoint);
    let ran = Held::new(&command).run();
    assert_eq!(ran.code, Some(0), "provision {arguments:?}\n{}\n{}", ran.out, ran.err);
}

fn same(wanted: &[String], found: &[String]) {
    let different = difference(wanted, found);
    assert!(different.is_empty(), "{different:#?}");
}

/// A quarter of the calls fails: a third more are needed, and what is asked while waiting comes on top.
fn bounded(what: &str, calls: usize, clean: usize) {
    println!("{what}: {calls} calls, {clean} undisturbed");
    assert!(calls > clean + clean / 10, "{what}: hardly anything went wrong: {calls} calls, {clean} undisturbed");
    assert!(2 * calls <= 3 * clean, "{what}: {calls} calls, {clean} undisturbed");
}

#[test]
fn throttled_failing_and_slow() {
    let seed = Dice::cast().roll(1 << 20);
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = rehearsal(&aws);
    let mut reader = Reader::start();
    let clean = undisturbed(&aws.copy(None), &mut reader, &blueprint);
    let rules = json!([
        {"kind": "latency", "ms": 200},
        {"kind": "throttle", "probability": 0.2, "seed": seed},
        {"kind": "error500", "probability": 0.025, "seed": seed + 1},
        {"kind": "error503", "probability": 0.025, "seed": seed + 2},
    ]);
    let disturbed = |arguments: &[&str]| {
        let added = aws.control("POST", "/_local/faults", &rules.to_string());
        assert_eq!(added["added"], 4, "{added}");
        aws.forget_calls();
        finishes(&aws, &aws.url, arguments);
        let calls = aws.calls().len();
        aws.control("DELETE", "/_local/faults", "");
        calls
    };
    let up = disturbed(&["up", &blueprint, "--yes", "--control-plane-only"]);
    bounded("up", up, clean.up);
    same(&clean.complete, &reader.read(&aws));
    aws.done(&["plan", "--check", &blueprint]);
    let down = disturbed(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    bounded("down", down, clean.down);
    same(&clean.empty, &reader.read(&aws));
}

/// The proxy `microburst` (PyPI), in front of a local AWS.
struct Microburst {
    url: String,
    process: Child,
}

impl Microburst {
    fn start(aws: &LocalAws) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port().to_string();
        drop(free);
        let process = Command::new(python())
            .args(["-m", "microburst", "--host", "127.0.0.1", "--port", &port, "--upstream", &aws.url])
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("microburst starts");
        let proxy = Self { url: format!("http://127.0.0.1:{port}"), process };
        let started = Instant::now();
        while proxy.control("GET", "health", "").is_none() {
            assert!(started.elapsed() < Duration::from_secs(60), "microburst does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        proxy
    }

    fn control(&self, method: &str, route: &str, body: &str) -> Option<Value> {
        ask(&self.url, method, &format!("/_microburst/{route}"), body).ok()
    }

    /// How many calls it has seen, and of those how many it spoilt.
    fn seen(&self) -> (usize, usize) {
        let stats = self.control("GET", "stats", "").expect("it answers");
        let number =
            |name: &str| usize::try_from(stats["requests"][name].as_u64().expect("a number")).expect("it fits");
        (number("total"), number("total") - number("forwarded"))
    }
}

impl Drop for Microburst {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A fifth of every service's calls throttled in its own words, server faults, connections that are cut, and jitter.
fn weather() -> Value {
    let throttled = [
        ("ec2", "RequestLimitExceeded", 503),
        ("s3", "SlowDown", 503),
        ("dynamodb", "ThrottlingException", 400),
        ("logs", "ThrottlingException", 400),
        ("acm", "ThrottlingException", 400),
        ("sns", "Throttled", 429),
    ];
    let others =
        ["rds", "elasticache", "elasticloadbalancing", "autoscaling", "route53", "cloudfront", "iam", "monitoring"];
    let others = others.map(|service| (service, "Throttling", 400));
    let throttle = |(service, code, status): (&str, &str, u16)| json!({"service": service, "probability": 0.2, "error": {"code": code, "status": status}});
    let mut rules: Vec<Value> = throttled.into_iter().chain(others).map(throttle).collect();
    rules.push(json!({"service": "*", "probability": 0.03, "error": {"code": "InternalFailure", "status": 500}}));
    rules.push(json!({"service": "*", "probability": 0.03, "error": {"code": "ServiceUnavailable", "status": 503}}));
    rules.push(json!({"service": "*", "probability": 0.02, "reset": true}));
    rules.push(json!({"service": "*", "latency": {"min": 20, "max": 200}}));
    Value::Array(rules)
}

#[test]
fn behind_a_proxy_that_nobody_here_wrote() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = rehearsal(&aws);
    let mut reader = Reader::start();
    let clean = undisturbed(&aws.copy(None), &mut reader, &blueprint);
    let proxy = Microburst::start(&aws);
    let rules = proxy.control("POST", "rules", &weather().to_string()).expect("it answers");
    assert_eq!(rules.as_array().map(Vec::len), weather().as_array().map(Vec::len), "{rules}");
    finishes(&aws, &proxy.url, &["up", &blueprint, "--yes", "--control-plane-only"]);
    let (up, spoilt) = proxy.seen();
    println!("microburst spoilt {spoilt} of {up} calls");
    bounded("up", up, clean.up);
    same(&clean.complete, &reader.read(&aws));
    finishes(&aws, &proxy.url, &["down", &blueprint, "--yes", "--allow-data-loss"]);
    bounded("down", proxy.seen().0 - up, clean.down);
    same(&clean.empty, &reader.read(&aws));
}
