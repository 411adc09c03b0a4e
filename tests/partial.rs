//! One resource fails for good: what does not depend on it is finished, the report says all that is needed to mend it, and the
//! next run does only the rest.

#![allow(clippy::print_stdout, reason = "it prints what it counted")]

use std::collections::BTreeSet;

use provision_tests::{LocalAws, Ran, root};
use serde_json::Value;

/// What fails for good: service, action, code, what AWS says of it, the node, and a part of the advice.
const FAILURES: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("rds", "CreateDBInstance", "InstanceQuotaExceeded", "DB Instance quota has been reached", "database", "quota"),
    (
        "elasticache",
        "CreateReplicationGroup",
        "InvalidParameterValue",
        "Invalid node type",
        "cache",
        "change it in the blueprint",
    ),
    ("dynamodb", "CreateTable", "LimitExceededException", "Too many tables", "log-table", "quota"),
    (
        "cloudfront",
        "CreateDistributionWithTags",
        "TooManyDistributions",
        "Too many distributions",
        "distribution",
        "quota",
    ),
];

fn addresses(outcome: &Value, list: &str) -> BTreeSet<String> {
    let items = outcome[list].as_array().expect("a list");
    items.iter().filter_map(|i| i.as_str().or_else(|| i["address"].as_str()).map(str::to_owned)).collect()
}

fn outcome(ran: &Ran) -> Value {
    let events = ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.into_iter().find(|event| event["event"] == "outcome").expect("an outcome")["outcome"].clone()
}

#[test]
fn the_rest_is_finished_and_the_next_run_does_only_what_is_left() {
    let blueprint = root().join("blueprints/rehearsal.toml").to_str().expect("a path in UTF-8").to_owned();
    for (service, action, code, message, node, advice) in FAILURES {
        let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
        let fault = format!(
            r#"{{"service": "{service}", "action": "{action}", "every": true, "kind": "error", "code": "{code}",
                "message": "{message}", "status": 400}}"#
        );
        aws.control("POST", "/_local/faults", &fault);
        let up = ["up", &blueprint, "--yes", "--control-plane-only", "--json"];
        let failed = aws.run(&up);
        assert_eq!(failed.code, Some(1), "{}", failed.err);
        let first = outcome(&failed);
        let (done, skipped) = (addresses(&first, "done"), addresses(&first, "skipped"));
        assert_eq!(addresses(&first, "failed"), BTreeSet::from([(*node).to_owned()]), "{first:#}");
        let text = first["failed"][0]["error"].as_str().expect("an error");
        for words in [*code, *message, "request id"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        let advised = first["failed"][0]["advice"].as_str().unwrap_or_default();
        assert!(advised.contains(advice), "{advice:?} is not in {advised:?}");

        // Everything is accounted for, and nothing stands still that could have been done.
        let plan = aws.done(&["plan", &blueprint, "--json"]).json();
        let left: BTreeSet<String> = addresses(&plan, "changes");
        let expected: BTreeSet<String> = skipped.iter().cloned().chain([(*node).to_owned()]).collect();
        assert_eq!(left, expected, "what is left is what failed and what depends on it");

        aws.control("DELETE", "/_local/faults", "");
        let again = aws.done(&up);
        assert_eq!(addresses(&outcome(&again), "done"), expected);
        aws.done(&["plan", &blueprint, "--check"]);
        println!(
            "{node}: {} done beside it, {} not tried; the next run did these {}",
            done.len(),
            skipped.len(),
            left.len()
        );
    }
}
