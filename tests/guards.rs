//! What stops a run before it changes anything: each a clear message and its own exit code.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use provision_tests::held::Held;
use provision_tests::{LocalAws, Ran};

const SMALL: &str = r#"
[stack]
name = "game"
environment = "dev"
region = "eu-central-1"

[network]
cidr = "10.0.0.0/16"
zones = 2
nat = "none"
"#;

fn aws() -> LocalAws {
    LocalAws::start(&["--no-waits", "--control-plane-only"])
}

fn mutations(aws: &LocalAws) -> Vec<String> {
    aws.calls().into_iter().filter(|c| c.mutating).map(|c| format!("{} {}", c.service, c.action)).collect()
}

#[test]
fn an_endpoint_that_does_not_answer() {
    let aws = aws();
    let blueprint = aws.blueprint("small.toml", SMALL);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("its address"));
    drop(free);
    let ran = Ran::of(aws.provision(&["up", &blueprint, "--yes", "--endpoint-url", &url]).output().expect("it runs"));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("nothing answers at the endpoint"), "{}", ran.err);
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
}

#[test]
fn credentials_that_aws_does_not_accept() {
    let aws = aws();
    let blueprint = aws.blueprint("small.toml", SMALL);
    let fault = r#"{"service": "sts", "action": "GetCallerIdentity", "every": true, "kind": "error",
        "code": "InvalidClientTokenId", "message": "The security token included in the request is invalid.", "status": 403}"#;
    aws.control("POST", "/_local/faults", fault);
    aws.forget_calls();
    let ran = aws.run(&["up", &blueprint, "--yes"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("InvalidClientTokenId"), "{}", ran.err);
    assert!(ran.err.contains("AWS does not accept these credentials"), "{}", ran.err);
    assert_eq!(mutations(&aws), Vec::<String>::new());
}

#[test]
fn a_blueprint_for_another_account() {
    let aws = aws();
    let pinned = SMALL.replace("region =", "account = \"210987654321\"\nregion =");
    let blueprint = aws.blueprint("pinned.toml", &pinned);
    for verb in [&["up", "--yes"][..], &["plan"], &["down", "--yes"]] {
        let mut arguments = verb.to_vec();
        arguments.push(&blueprint);
        let ran = aws.run(&arguments);
        assert_eq!(ran.code, Some(1), "{verb:?}: {}", ran.err);
        assert!(ran.err.contains("210987654321") && ran.err.contains("123456789012"), "{}", ran.err);
    }
    assert_eq!(mutations(&aws), Vec::<String>::new());
}

#[test]
fn nobody_to_ask_and_no_yes() {
    let aws = aws();
    let blueprint = aws.blueprint("small.toml", SMALL);
    let ran = aws.run(&["up", &blueprint]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("--yes"), "{}", ran.err);
    assert_eq!(mutations(&aws), Vec::<String>::new());
}

#[test]
fn twenty_at_once_one_works() {
    let aws = aws();
    let blueprint = aws.blueprint("small.toml", SMALL);
    // The one that works does so until all others have come and gone: every call for the network takes its time.
    aws.control("POST", "/_local/faults", r#"{"service": "ec2", "every": true, "kind": "latency", "ms": 5000}"#);
    let mut running: Vec<Held> = (0..20).map(|_| Held::new(&aws.provision(&["up", &blueprint, "--yes"]))).collect();
    running.iter_mut().for_each(Held::go);
    let started = Instant::now();
    while running.iter_mut().filter_map(|held| held.ended().then_some(())).count() < 19 {
        assert!(started.elapsed() < Duration::from_secs(200), "more than one is still at work");
        std::thread::sleep(Duration::from_millis(50));
    }
    aws.control("DELETE", "/_local/faults", "");
    let ran: Vec<Ran> = running.into_iter().map(Held::wait).collect();
    let worked = ran.iter().filter(|r| r.code == Some(0)).count();
    let held: Vec<&Ran> = ran.iter().filter(|r| r.code == Some(5)).collect();
    println!("{worked} worked, {} were told who holds the lease", held.len());
    assert_eq!((worked, held.len()), (1, 19), "{ran:#?}");
    let mut told = BTreeSet::new();
    for ran in held {
        let line = ran.err.lines().find(|line| line.contains("has been working on this stack since"));
        told.insert(line.unwrap_or_else(|| panic!("it does not say who and since when\n{}", ran.err)).to_owned());
    }
    assert_eq!(told.len(), 1, "all are told the same: {told:?}");
    assert_eq!(aws.listing("eu-central-1", "game-dev").iter().filter(|l| l.starts_with("ec2 vpcs")).count(), 1);
    aws.done(&["plan", "--check", &blueprint]);
}

#[test]
fn a_killed_holder_frees_its_lease() {
    let aws = aws();
    let blueprint = aws.blueprint("small.toml", SMALL);
    aws.control(
        "POST",
        "/_local/faults",
        r#"{"service": "ec2", "action": "CreateSubnet", "every": true, "kind": "latency", "ms": 3000}"#,
    );
    let mut first = aws.provision(&["up", &blueprint, "--yes"]).stderr(Stdio::null()).spawn().expect("it starts");
    let started = Instant::now();
    while !aws.calls().iter().any(|c| c.action == "CreateVpc") {
        assert!(started.elapsed() < Duration::from_secs(60), "the first run makes no VPC");
        std::thread::sleep(Duration::from_millis(50));
    }
    first.kill().expect("it is killed");
    first.wait().expect("it is gone");
    aws.control("DELETE", "/_local/faults", "");
    aws.done(&["up", &blueprint, "--yes"]);
    assert_eq!(aws.listing("eu-central-1", "game-dev").iter().filter(|l| l.starts_with("ec2 vpcs")).count(), 1);
    aws.done(&["down", "--stack", "game-dev", "--yes"]);
    assert!(aws.listing("eu-central-1", "game-dev").is_empty());
}

#[test]
fn down_of_what_is_not_there_says_where_it_looked() {
    let aws = aws();
    let blueprint = aws.blueprint("small.toml", SMALL);
    aws.done(&["up", &blueprint, "--yes"]);
    let elsewhere = aws.run(&["down", &blueprint, "--yes", "--region", "us-west-2"]);
    assert_eq!(elsewhere.code, Some(1), "{}", elsewhere.err);
    assert!(elsewhere.err.contains("eu-central-1") && elsewhere.err.contains("us-west-2"), "{}", elsewhere.err);
    let mistyped = aws.done(&["down", "--stack", "game-div", "--region", "eu-central-1", "--yes"]);
    assert!(
        mistyped.err.contains("there is no stack game-div in eu-central-1 of account 123456789012"),
        "{}",
        mistyped.err
    );
    aws.done(&["plan", "--check", &blueprint]);
}

#[test]
fn a_final_snapshot_is_marked_by_the_next_run_where_the_first_could_not() {
    let aws = aws();
    let text = format!("{SMALL}\n[database]\ndeletion_protection = false\n");
    let blueprint = aws.blueprint("database.toml", &text);
    aws.done(&["up", &blueprint, "--yes"]);
    let denied = r#"{"service": "rds", "action": "AddTagsToResource", "kind": "error", "code": "AccessDenied",
        "message": "not allowed", "status": 403}"#;
    aws.control("POST", "/_local/faults", denied);
    let first = aws.run(&["down", &blueprint, "--yes"]);
    assert_ne!(first.code, Some(0), "{}\n{}", first.out, first.err);
    aws.control("DELETE", "/_local/faults", "");
    let second = aws.done(&["down", &blueprint, "--yes"]);
    assert!(second.err.contains("kept: final snapshot game-dev-database-final-"), "{}", second.err);
    assert!(second.out.contains("0 left"), "{}", second.out);
}

/// The answer to the table's last backup is lost: there is one backup all the same, and it is told.
#[test]
fn a_table_is_backed_up_once_before_it_goes() {
    let aws = aws();
    let blueprint = aws.blueprint("log.toml", &format!("{SMALL}\n[log]\nretention_days = 7\n"));
    aws.done(&["up", &blueprint, "--yes"]);
    let lost = r#"{"service": "dynamodb", "action": "CreateBackup", "nth": 1, "kind": "lost"}"#;
    assert_eq!(aws.control("POST", "/_local/faults", lost)["added"], 1);
    let down = aws.done(&["down", &blueprint, "--yes"]);
    assert_eq!(aws.control("GET", "/_local/faults", "")["faults"][0]["fired"], 1);
    let told = down.err.lines().filter(|line| line.contains("kept: backup of table")).count();
    let backups = aws.boto3("dynamodb", "print(len(api.list_backups()['BackupSummaries']))");
    assert_eq!((told, backups.trim()), (1, "1"), "{}", down.err);
    assert!(down.out.contains("0 left"), "{}", down.out);
}
