//! Expected times are learned: what the journals of earlier runs saw at this endpoint.

use std::collections::BTreeMap;
use std::path::Path;

use provision_tests::{LocalAws, Ran, root};
use serde_json::Value;

const SCALE: f64 = 120.0;

/// The create steps of every journal below `directory`: seconds at the endpoint by kind and class.
fn journals(directory: &Path) -> BTreeMap<(String, String), Vec<f64>> {
    let mut seen: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for stack in std::fs::read_dir(directory.join("provision")).expect("journals") {
        for journal in std::fs::read_dir(stack.expect("an entry").path()).expect("a stack's journals") {
            let text = std::fs::read_to_string(journal.expect("an entry").path()).expect("a journal");
            for step in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                if step["what"] == "step" && step["doing"] == "create" {
                    let name = |field: &str| step[field].as_str().expect("text").to_owned();
                    seen.entry((name("kind"), name("class"))).or_default().push(step["seconds"].as_f64().expect("s"));
                }
            }
        }
    }
    seen
}

/// Of every planned change: its kind, its expected seconds, and of how many observations these are the median.
fn expected(plan: &Value) -> BTreeMap<String, (String, f64, Option<u64>)> {
    let change = |c: &Value| {
        let kind = c["kind"].as_str().expect("a kind").to_owned();
        let address = c["address"].as_str().expect("an address").to_owned();
        (address, (kind, c["expected_seconds"].as_f64().expect("a number"), c["learned_from"].as_u64()))
    };
    plan["changes"].as_array().expect("changes").iter().map(change).collect()
}

#[test]
fn the_next_plan_knows_what_this_endpoint_took() {
    let arguments = ["--control-plane-only", "--time-scale", "120"];
    let aws = LocalAws::start(&arguments);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let home = aws.blueprint("journals", "").replace("journals", "own-journals");
    let run = |aws: &LocalAws, arguments: &[&str]| {
        let ran = Ran::of(aws.provision(arguments).env("XDG_STATE_HOME", &home).output().expect("it runs"));
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}", ran.err);
        ran
    };
    let plan = ["plan", &blueprint, "--json"];
    let table = expected(&run(&aws, &plan).json());
    assert!(table.values().all(|(_, _, learned)| learned.is_none()), "{table:?}");
    assert_eq!(table["database"].1, 600.0);
    run(&aws, &["up", &blueprint, "--yes", "--control-plane-only"]);
    let seen = journals(Path::new(&home));
    run(&aws, &["down", &blueprint, "--yes", "--allow-data-loss"]);

    let learned = expected(&run(&aws, &plan).json());
    let mut checked = 0;
    for (address, (kind, seconds, from)) in &learned {
        let classes: Vec<&Vec<f64>> = seen.iter().filter(|((k, _), _)| k == kind).map(|(_, seconds)| seconds).collect();
        // The stack's bucket is made before there is a journal.
        let [observed] = classes[..] else { panic!("{kind} has {} classes", classes.len()) };
        assert_eq!(*from, Some(observed.len().min(9) as u64), "{address}");
        if observed.len() == 1 {
            assert!((observed[0] * SCALE - seconds).abs() <= 0.5, "{address}: {} s, {seconds} s", observed[0]);
            checked += 1;
        }
    }
    assert!(checked >= 15, "{checked}");
    // What it took elsewhere says nothing about another endpoint.
    let other = LocalAws::start(&arguments);
    assert_eq!(expected(&run(&other, &plan).json()), table);
    println!(
        "{} changes: all expected from observations, {checked} of them from one alone, and equal to it",
        learned.len()
    );
}
