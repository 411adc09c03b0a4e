//! `up --until playable`: players are served while the read replica is still being made.

use std::collections::BTreeSet;
use std::time::Instant;

use provision_tests::{LocalAws, Ran, root};
use serde_json::Value;

const SCALE: f64 = 30.0;
const REPLICA: &str = "database-replica/1";

fn event(ran: &Ran, name: &str) -> Value {
    let mut events = ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.find(|event| event["event"] == name).unwrap_or_else(|| panic!("no event {name}\n{}\n{}", ran.out, ran.err))
}

#[test]
fn players_before_the_replica() {
    let aws = LocalAws::start(&["--time-scale", "30"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let plan = aws.done(&["plan", &blueprint, "--json"]).json();
    let seconds = |name: &str| plan[name].as_f64().unwrap_or_else(|| panic!("no {name} in {plan:#}")) / SCALE;
    let (playable, critical) = (seconds("playable_seconds"), seconds("critical_path_seconds"));
    assert!(playable < critical, "{plan:#}");

    let started = Instant::now();
    let first = aws.done(&["up", &blueprint, "--yes", "--until", "playable", "--json"]);
    let took = started.elapsed().as_secs_f64();
    // Both instances have answered by then: `up` asks the API before it returns.
    assert!(first.out.contains("2 instances answer"), "{}", first.out);
    let outcome = &event(&first, "outcome")["outcome"];
    let state = aws.boto3(
        "rds",
        "print([d['DBInstanceStatus'] for d in api.describe_db_instances()['DBInstances'] if d.get('ReadReplicaSourceDBInstanceIdentifier')])",
    );
    assert_eq!(state.trim(), "['creating']");
    let on_its_way: BTreeSet<&str> =
        outcome["on_its_way"].as_array().into_iter().flatten().filter_map(|step| step["address"].as_str()).collect();
    assert!(on_its_way.contains(REPLICA), "{outcome:#}");
    let next: Vec<&str> = outcome["left_to_next"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(!next.is_empty() && next.iter().all(|address| address.starts_with("alarm/database-replica-1")), "{next:?}");

    let status = aws.done(&["status", &blueprint, "--json"]).json();
    let resources = status["resources"].as_array().expect("resources");
    let replica = resources.iter().find(|r| r["address"] == REPLICA).expect("it is listed");
    assert_eq!(replica["state"], "creating");
    let ready_in = replica["ready_in_seconds"].as_u64().expect("a number");
    assert!(ready_in <= 480 / 30 && status["ready_in_seconds"].as_u64() >= Some(ready_in), "{status:#}");
    println!(
        "playable after {took:.1} s (expected {playable:.1} s, the whole {critical:.1} s at scale {SCALE}); \
         {} on their way for {ready_in} s more, {} left to the next up",
        on_its_way.len(),
        next.len()
    );

    let second = aws.done(&["up", &blueprint, "--yes", "--json"]);
    let done = event(&second, "outcome")["outcome"]["done"].as_array().cloned().unwrap_or_default();
    assert!(done.iter().any(|address| address == REPLICA), "{done:?}");
    assert_eq!(aws.done(&["status", &blueprint, "--json"]).json()["coming"], 0);
    aws.forget_calls();
    let third = aws.done(&["up", &blueprint, "--yes"]);
    assert!(third.err.contains("no changes"), "{}", third.err);
    assert_eq!(aws.calls().iter().filter(|call| call.mutating).count(), 0);
    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}

#[test]
fn without_servers_nothing_is_playable() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = "[stack]\nname = \"game\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n";
    let blueprint = aws.blueprint("bucket.toml", text);
    let up = aws.run(&["up", &blueprint, "--yes", "--until", "playable"]);
    assert_eq!(up.code, Some(2), "{}", up.err);
    assert!(up.err.contains("[servers]"), "{}", up.err);
    assert_eq!(aws.calls().len(), 0);
}
