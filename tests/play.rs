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
    let api = outputs["api_url"].as_str().expect("an address");
    check(&script(&aws, "play.py", api));
    let read = script(&aws, "replica.py", api);
    println!("replica: {read}");
    assert_eq!(read["failed"], 0, "{read:#}");
    assert!(read["answers"].as_u64() > Some(100), "{read:#}");

    let started = Instant::now();
    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    println!("down: {:.1} s", started.elapsed().as_secs_f64());
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert!(aws.listing("eu-central-1", "game-dev").is_empty());
    assert_eq!(aws.processes(), Vec::<Value>::new());
}

/// The small blueprint, whose servers speak TLS to database and cache; then edits on running servers.
#[test]
fn starter_over_tls_and_edits_on_running_servers() {
    let aws = LocalAws::start(&["--time-scale", "60"]);
    let text = std::fs::read_to_string(root().join("blueprints/starter.toml")).expect("the blueprint ships");
    // Ports below 1024 are root's here.
    let text = text.replacen("[servers]\n", "[servers]\nhttp_port = 8081\n", 1);
    let blueprint = aws.blueprint("starter.toml", &text);
    aws.done(&["up", &blueprint, "--yes"]);
    let api = aws.done(&["outputs", &blueprint, "--json"]).json()["api_url"].as_str().expect("an address").to_owned();
    let player = session(&aws, &api, "");
    assert!(player["checks"].as_object().is_some_and(|checks| checks.values().all(|c| c == "ok")), "{player:#}");

    let edits = [
        ("instance_type = \"t3.small\"", "instance_type = \"t3.medium\""),
        ("instance_class = \"db.t4g.micro\"", "instance_class = \"db.t4g.small\""),
        ("read_replicas = 0", "read_replicas = 1"),
    ];
    let mut text = text;
    for (old, new) in edits {
        assert!(text.contains(old), "the blueprint does not say {old:?}");
        text = text.replacen(old, new, 1);
    }
    let edited = aws.blueprint("edited.toml", &text);
    aws.done(&["up", &edited, "--yes"]);
    aws.done(&["plan", "--check", &edited]);
    let again = session(&aws, &api, player["refresh_token"].as_str().expect("a token"));
    assert_eq!(again["user_id"], player["user_id"], "{again:#}");
    assert_ne!(again["instance"], player["instance"], "the servers were not exchanged");
    let types = aws.boto3(
        "ec2",
        "print({i['InstanceType'] for r in api.describe_instances(Filters=[{'Name': 'instance-state-name', 'Values': \
         ['running']}])['Reservations'] for i in r['Instances']})",
    );
    assert_eq!(types.trim(), "{'t3.medium'}");

    let down = aws.done(&["down", &edited, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert_eq!(aws.processes(), Vec::<Value>::new());
}

/// A new player's session (or the refreshed one) and what `/readyz` says, in one document.
fn session(aws: &LocalAws, api: &str, refresh_token: &str) -> Value {
    let code = format!(
        "import json, secrets, urllib.request\n\
         def post(path, body):\n    \
             request = urllib.request.Request({api:?} + path, json.dumps(body).encode(), {{'content-type': 'application/json'}})\n    \
             return json.load(urllib.request.urlopen(request, timeout=20))\n\
         token = {refresh_token:?}\n\
         device = {{'device_id': 'phone-' + secrets.token_hex(4), 'device_secret': secrets.token_hex(32)}}\n\
         answer = post('/v1/sessions/refresh', {{'refresh_token': token}}) if token else post('/v1/sessions', device)\n\
         ready = json.load(urllib.request.urlopen({api:?} + '/readyz', timeout=20))\n\
         print(json.dumps({{**ready, **answer}}))"
    );
    serde_json::from_str(&aws.boto3("sts", &code)).expect("one JSON document")
}

/// What a script beside this file prints that plays on the API.
fn script(aws: &LocalAws, name: &str, api: &str) -> Value {
    let output = Command::new(python())
        .arg(root().join("tests").join(name))
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
