//! What is told of a running stack: the servers' log, and the status as it changes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use provision_tests::{LocalAws, binary, root};
use serde_json::Value;

const GROUP: &str = "/provision/game-dev/servers";

fn rehearsal(aws: &LocalAws) -> String {
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    aws.blueprint("rehearsal.toml", &text)
}

/// A command that goes on by itself, and what it has printed.
struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn start(aws: &LocalAws, arguments: &[&str]) -> Self {
        let mut child =
            aws.provision(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it runs");
        let (told, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| told.send(line).is_ok()));
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits until what was printed is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&[String]) -> bool) {
        let started = Instant::now();
        while !wanted(&self.seen) {
            assert!(started.elapsed() < Duration::from_secs(120), "not seen: {what}\n{}", self.seen.join("\n"));
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
                self.seen.push(line);
            }
        }
    }

    /// Ctrl-C: how it ended.
    fn interrupt(mut self) -> (Option<i32>, Vec<String>) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "it ended before the signal");
        let code = self.child.wait().expect("it ends").code();
        self.seen.extend(self.lines.iter());
        (code, self.seen)
    }
}

/// The ids of requests in lines of the log, each as often as it is there.
fn requests(lines: &[String]) -> Vec<String> {
    let id = |line: &String| {
        let line: Value = serde_json::from_str(line).ok()?;
        let id = line["line"]["span"]["request_id"].as_str()?;
        id.starts_with("seen-").then(|| id.to_owned())
    };
    lines.iter().filter_map(id).collect()
}

/// Sends requests whose ids are `seen-<name>-0`, ... through the load balancer; returns the ids.
fn ask(aws: &LocalAws, api: &str, name: &str, count: usize) -> BTreeSet<String> {
    let ids: BTreeSet<String> = (0..count).map(|n| format!("seen-{name}-{n}")).collect();
    let code = format!(
        "import urllib.request\n\
         for n in range({count}):\n    \
             request = urllib.request.Request({api:?} + '/v1/catalog', headers={{'x-request-id': f'seen-{name}-{{n}}'}})\n    \
             try: urllib.request.urlopen(request, timeout=20).read()\n    \
             except urllib.error.HTTPError: pass"
    );
    aws.boto3("sts", &code);
    ids
}

#[test]
fn logs_and_status_of_running_servers() {
    let aws = LocalAws::start(&["--time-scale", "60"]);
    let blueprint = rehearsal(&aws);
    assert!(binary("game-server").is_file(), "there is no game-server beside provision: run `make release`");
    aws.done(&["up", &blueprint, "--yes"]);
    let outputs = aws.done(&["outputs", &blueprint, "--json"]).json();
    let api = outputs["api_url"].as_str().expect("an address").to_owned();
    println!("{}", the_log(&aws, &blueprint, &api));
    println!("{}", the_status(&aws, &blueprint, outputs["release"].as_str().expect("a release")));
    aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    let gone = aws.run(&["logs", &blueprint]);
    assert_eq!(gone.code, Some(1), "{}", gone.err);
    assert!(gone.err.contains("the stack has no log group of servers"), "{}", gone.err);
}

/// Says what it counted.
fn the_log(aws: &LocalAws, blueprint: &str, api: &str) -> String {
    let mut following = Running::start(aws, &["logs", blueprint, "--follow", "--json", "--since", "1h"]);
    let mut asked = ask(aws, api, "first", 40);
    following.until("the first requests", |lines| requests(lines).len() >= 40);
    asked.extend(ask(aws, api, "second", 40));
    // A server that could not ship for a while sends lines that are older than what was told already.
    let late = "import json, time\n\
        stream = api.describe_log_streams(logGroupName=group)['logStreams'][0]['logStreamName']\n\
        text = json.dumps({'level': 'ERROR', 'message': 'late \\u0007', 'span': {'name': 'request', 'request_id': 'seen-late'}})\n\
        api.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{'timestamp': int(time.time() * 1000) - 100_000, 'message': text}])";
    aws.boto3("logs", &format!("group = {GROUP:?}\n{late}"));
    asked.insert("seen-late".to_owned());
    following.until("all requests", |lines| requests(lines).len() >= asked.len());
    let (code, followed) = following.interrupt();
    assert_eq!(code, Some(130));
    let told = requests(&followed);
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), asked);
    assert_eq!(told.len(), asked.len(), "a line was doubled");

    let whole = aws.done(&["logs", blueprint, "--json", "--since", "1h"]);
    let lines: Vec<Value> = whole.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let times: Vec<&str> =
        lines.iter().map(|line| line["at"].as_str().expect("a time").trim_end_matches('Z')).collect();
    assert!(times.is_sorted(), "not in the order of time");
    let instances: BTreeSet<&str> = lines.iter().map(|line| line["instance"].as_str().expect("an id")).collect();
    assert_eq!(instances.len(), 2, "{instances:?}");
    // Independently: what boto3 lists.
    let counted =
        "print(sum(len(p['events']) for p in api.get_paginator('filter_log_events').paginate(logGroupName=group)))";
    let listed: usize = aws.boto3("logs", &format!("group = {GROUP:?}\n{counted}")).trim().parse().expect("a number");
    assert!(
        lines.len() <= listed
            && requests(&whole.out.lines().map(str::to_owned).collect::<Vec<_>>()).len() == asked.len()
    );

    let one = instances.first().expect("one");
    let of_one = aws.done(&["logs", blueprint, "--instance", one]);
    assert!(!of_one.out.is_empty() && of_one.out.lines().all(|line| line.contains(one)), "{}", of_one.out);
    let errors = aws.done(&["logs", blueprint, "--level", "error", "--grep", "late"]);
    let [line] = errors.out.lines().collect::<Vec<_>>()[..] else { panic!("{}", errors.out) };
    assert!(line.contains("ERROR late \u{fffd} request_id=seen-late") && !line.contains('\x1b'), "{line:?}");
    assert_eq!(aws.done(&["logs", blueprint, "--grep", "^nothing like this$"]).out, "");
    for (since, says) in [("yesterday", "it is neither a length of time"), ("2099-01-01T00:00:00Z", "in the future")] {
        let bad = aws.run(&["logs", blueprint, "--since", since]);
        assert_eq!(bad.code, Some(2), "{}", bad.err);
        assert!(bad.err.contains(says) && bad.err.contains("--since"), "{}", bad.err);
    }

    // `| head`: the reader goes, and the command ends by itself.
    let mut head = aws.provision(&["logs", blueprint, "--follow", "--since", "1h"]);
    let mut head = head.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut first = String::new();
    BufReader::new(head.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    assert!(!first.is_empty());
    ask(aws, api, "unread", 5);
    assert_eq!(head.wait().expect("it ends").code(), Some(0));
    let mut said = String::new();
    head.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(!said.contains("panic") && !said.contains("error"), "{said}");
    format!("{} requests asked, each told once by --follow; {} lines of 2 instances", asked.len(), lines.len())
}

/// Answers what was told while it changed.
fn the_status(aws: &LocalAws, blueprint: &str, release: &str) -> String {
    let status = aws.done(&["status", blueprint, "--json"]).json();
    let instances = status["instances"].as_array().expect("instances");
    assert_eq!(instances.len(), 2, "{status:#}");
    for instance in instances {
        let told = (&instance["lifecycle"], &instance["health"], &instance["release"]);
        assert_eq!(told, (&"InService".into(), &"healthy".into(), &release.into()), "{instance:#}");
    }
    let roles = |part: &str| -> Vec<String> {
        let nodes = status[part].as_array().expect("a list").iter();
        nodes
            .map(|node| format!("{} {}", node["role"].as_str().unwrap_or("-"), node["status"].as_str().unwrap_or("-")))
            .collect()
    };
    assert_eq!(roles("database"), ["primary available", "replica available"]);
    assert_eq!(roles("cache"), ["primary available", "replica available"]);
    assert!(status["alarms"].as_array().is_some_and(|alarms| alarms.len() > 3), "{status:#}");

    let mut watching = Running::start(aws, &["status", blueprint, "--watch"]);
    watching.until("the whole status", |lines| lines.iter().any(|line| line.starts_with("alarms:")));
    let victim = instances[0]["id"].as_str().expect("an id");
    aws.boto3("ec2", &format!("api.terminate_instances(InstanceIds=[{victim:?}])"));
    let says = |lines: &[String], words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    watching.until("the instance is gone", |lines| says(lines, &["- instance", victim]));
    watching.until("another serves", |lines| says(lines, &["instance ", "-> InService, healthy"]));

    aws.boto3("rds", "api.reboot_db_instance(DBInstanceIdentifier='game-dev-database', ForceFailover=True)");
    let (zone, standby) = (&status["database"][0]["zone"], &status["database"][0]["standby_zone"]);
    let (zone, standby) = (zone.as_str().expect("a zone"), standby.as_str().expect("a zone"));
    let moved = format!("primary in {standby}, standby in {zone}");
    watching.until("the database failed over", |lines| says(lines, &["database game-dev-database ", "-> ", &moved]));

    aws.boto3("elasticache", "api.test_failover(ReplicationGroupId='game-dev-cache', NodeGroupId='0001')");
    watching.until("the cache failed over", |lines| {
        says(lines, &["cache game-dev-cache-002", "replica in", "-> primary in"])
    });
    let (code, seen) = watching.interrupt();
    assert_eq!(code, Some(130));
    seen[seen.iter().position(|l| l.starts_with("alarms:")).unwrap_or(0)..].join("\n")
}

/// What each look asks for, the whole listing apart.
const EACH_LOOK: &[&str] = &[
    "DescribeAlarms",
    "DescribeAutoScalingGroups",
    "DescribeCacheClusters",
    "DescribeDBInstances",
    "DescribeLaunchTemplateVersions",
    "DescribeReplicationGroups",
    "DescribeTargetHealth",
    "GetObject",
];

#[test]
fn looking_again_is_cheap_and_in_place() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = rehearsal(&aws);
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    let mut watching = Running::start(&aws, &["status", &blueprint, "--watch", "--json"]);
    watching.until("the first status", |lines| !lines.is_empty());
    aws.forget_calls();
    let is_listing = |call: &provision_tests::Call| call.action == "DescribeVpcs";
    let started = Instant::now();
    while aws.calls().iter().filter(|call| is_listing(call)).count() < 2 {
        assert!(started.elapsed() < Duration::from_secs(120), "no second listing");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, seen) = watching.interrupt();
    assert_eq!(code, Some(130));
    assert_eq!(seen.len(), 1, "nothing changed, and something was told: {seen:?}");
    let calls = aws.calls();
    let ends: Vec<usize> = calls.iter().enumerate().filter(|(_, call)| is_listing(call)).map(|(at, _)| at).collect();
    let between = &calls[ends[0]..ends[1]];
    let looks = between.iter().filter(|call| call.action == "DescribeTargetHealth").count();
    let asked = between.iter().filter(|call| EACH_LOOK.contains(&call.action.as_str())).count();
    println!("{looks} looks: {asked} calls of their own, {} with one whole listing", between.len());
    // The listing asks for some of these too.
    assert!((5..=7).contains(&looks), "{looks}");
    assert!(asked <= 8 * (looks + 1), "{asked} calls in {looks} looks");
    assert!(between.iter().all(|call| !call.mutating));

    // On a terminal it is drawn in place.
    let command = format!("{} status {blueprint} --watch", binary("provision").display());
    let plain = aws.provision(&[]);
    let mut terminal = Command::new("script");
    terminal.args(["-qefc", &command, "/dev/null"]).env("TERM", "xterm").current_dir(root());
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            terminal.env(name, value);
        }
    }
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
    let mut out = terminal.stdout.take().expect("piped");
    let mut drawn = Vec::new();
    let again = |drawn: &[u8]| String::from_utf8_lossy(drawn).matches("A\r").count() >= 2;
    let mut some = [0; 4096];
    while !again(&drawn) {
        let count = out.read(&mut some).expect("it is read");
        assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&drawn));
        drawn.extend_from_slice(&some[..count]);
    }
    terminal.stdin.take().expect("piped").write_all(b"\x03").expect("Ctrl-C");
    std::io::copy(&mut out, &mut std::io::sink()).expect("the rest");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(130));
    let drawn = String::from_utf8_lossy(&drawn).into_owned();
    assert!(drawn.contains("game-dev") && drawn.contains("\x1b[J") && drawn.contains("DATABASE"), "{drawn:?}");
}
