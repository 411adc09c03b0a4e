//! Answers that never arrive: each kind of mutating call is executed once without the caller hearing of it.

use std::collections::BTreeSet;

use provision_tests::{LocalAws, root};

const HOME: &str = "eu-central-1";

/// The mutating actions since the last count, as service and action.
fn mutating(aws: &LocalAws) -> BTreeSet<(String, String)> {
    aws.calls().into_iter().filter(|c| c.mutating).map(|c| (c.service, c.action)).collect()
}

/// From now on the first answer to each of `actions` is lost.
fn lose(aws: &LocalAws, actions: &BTreeSet<(String, String)>) {
    aws.control("DELETE", "/_local/faults", "");
    let rules: Vec<_> = actions
        .iter()
        .map(|(service, action)| serde_json::json!({"service": service, "action": action, "nth": 1, "kind": "lost"}))
        .collect();
    let answer = aws.control("POST", "/_local/faults", &serde_json::Value::from(rules).to_string());
    assert_eq!(answer["added"], actions.len(), "{answer}");
}

#[test]
fn the_first_answer_to_every_action_is_lost() {
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let calm = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = calm.blueprint("rehearsal.toml", &text);
    let up = ["up", &blueprint, "--yes", "--control-plane-only"];
    let down = ["down", &blueprint, "--yes", "--allow-data-loss"];
    calm.done(&up);
    let creates = mutating(&calm);
    let reference = kinds(&calm.listing(HOME, "game-dev"));
    calm.forget_calls();
    calm.done(&down);
    let deletes = mutating(&calm);

    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    lose(&aws, &creates);
    aws.done(&up);
    aws.done(&["plan", "--check", &blueprint]);
    assert_eq!(kinds(&aws.listing(HOME, "game-dev")), reference);
    lose(&aws, &deletes);
    let last = aws.done(&down);
    assert!(last.out.contains("0 left"), "{}\n{}", last.out, last.err);
    assert!(aws.listing(HOME, "game-dev").is_empty());
    println!("lost answers: {} of up, {} of down; 0 duplicates, 0 left", creates.len(), deletes.len());
}

/// The listing without ids.
fn kinds(listing: &BTreeSet<String>) -> Vec<String> {
    let kind = |line: &String| line.rsplit_once(' ').map_or(line.clone(), |(kind, _)| kind.to_owned());
    let mut kinds: Vec<String> = listing.iter().filter(|l| !l.contains("owned_record")).map(kind).collect();
    kinds.sort();
    kinds
}
