//! The main job: a whole backend comes up on real processes, players use it, and nothing of it is left.

use std::process::Command;
use std::time::Instant;

use provision_tests::{LocalAws, binary, python, root};
use serde_json::Value;

const SCALE: f64 = 60.0;

#[test]
fn up_play_down() {
    let aws = LocalAws::start(&["--time-scale", "60"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    assert!(binary("game-server").is_file(), "there is no game-server beside provision: run `make release`");

    let announced = aws.done(&["plan", &blueprint, "--json"]).json();
    let critical = announced["critical_path_seconds"].as_f64().expect("a number") / SCALE;
    let started = Instant::now();
    aws.done(&["up", &blueprint, "--yes"]);
    let took = started.elapsed().as_secs_f64();
    println!("up: {took:.1} s, {:.2} x the critical path of {critical:.1} s at scale {SCALE}", took / critical);

    let outputs = aws.done(&["outputs", &blueprint, "--json"]).json();
    let played = play(&aws, outputs["api_url"].as_str().expect("an address"));
    check(&played);

    let started = Instant::now();
    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    println!("down: {:.1} s", started.elapsed().as_secs_f64());
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert!(aws.listing("eu-central-1", "game-dev").is_empty());
    assert_eq!(aws.processes(), Vec::<Value>::new());
}

fn play(aws: &LocalAws, api: &str) -> Value {
    let output = Command::new(python())
        .arg(root().join("tests/play.py"))
        .args([&aws.url, "eu-central-1", "game-dev", api])
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn check(played: &Value) {
    assert_eq!(played["instances"].as_array().map(Vec::len), Some(2), "{played:#}");
    assert_eq!(played["best"], serde_json::json!([120, 120, 300]), "{played:#}");
    assert_eq!(played["rank"]["rank"], 1, "{played:#}");
    assert_eq!(played["board"][0]["score"], 300, "{played:#}");
    assert_eq!(played["purchase"]["first"], played["purchase"]["again"], "{played:#}");
    assert_eq!(played["purchase"]["first"][0], 201, "{played:#}");
    assert_eq!(played["profile"]["coins"], 900, "{played:#}");
    let rows = &played["rows"];
    assert_eq!((&rows["purchases"], &rows["score_runs"]), (&1.into(), &3.into()), "{played:#}");
    let caches = played["caches"].as_array().expect("caches");
    assert!(caches.iter().any(|c| c["role"] == "replica"), "{played:#}");
    assert!(caches.iter().all(|c| c["ranked"] == 1), "{played:#}");
    // Three scores, one purchase, one account.
    assert!(played["log_items"].as_u64() >= Some(4), "{played:#}");
}
