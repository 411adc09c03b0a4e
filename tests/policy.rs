//! The IAM policy that `provision policy` prints, held against the calls that are made.

use std::collections::BTreeSet;

use provision_tests::{LocalAws, root};

/// S3's actions that are named otherwise than their calls.
const S3: &[(&str, &str)] = &[
    ("DeleteObjects", "DeleteObject"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjectsV2", "ListBucket"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];
/// What a call needs that no call is named after, and what only other edits and faults lead to.
const NOT_SEEN_HERE: usize = 45;

/// A call as IAM names it.
fn action(service: &str, call: &str) -> String {
    let prefix = if service == "elbv2" { "elasticloadbalancing" } else { service };
    let name = match (service, call) {
        ("s3", call) => S3.iter().find(|(made, _)| *made == call).map_or(call, |(_, named)| named),
        ("cloudfront", "CreateDistributionWithTags") => "CreateDistribution",
        (_, call) => call,
    };
    format!("{prefix}:{name}")
}

#[test]
fn every_call_is_in_the_policy_and_little_else() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let printed = aws.done(&["policy"]).json();
    let actions = printed["Statement"][0]["Action"].as_array().expect("a list of actions");
    let allowed: BTreeSet<String> = actions.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect();
    assert_eq!(allowed.len(), actions.len(), "an action is listed twice");

    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let before = aws.blueprint("before.toml", &text);
    let edited = text
        .replace("read_replicas = 1", "read_replicas = 2")
        .replace("t3.small", "t3.medium")
        .replace("10.0.0.0/16", "10.1.0.0/16")
        .replace("deletion_protection = true", "deletion_protection = false");
    let after = aws.blueprint("after.toml", &edited);
    let up = |blueprint| aws.done(&["up", blueprint, "--yes", "--control-plane-only", "--allow-data-loss"]);
    up(&before);
    up(&after);
    aws.done(&["down", &after, "--yes"]);
    let made: BTreeSet<String> = aws.calls().iter().map(|call| action(&call.service, &call.action)).collect();
    let missing: Vec<_> = made.difference(&allowed).collect();
    assert!(missing.is_empty(), "called, and not in the policy: {missing:#?}");
    let unused: Vec<_> = allowed.difference(&made).collect();
    println!("{} actions in the policy, {} of them called here", allowed.len(), allowed.len() - unused.len());
    assert!(unused.len() <= NOT_SEEN_HERE, "in the policy, and not called: {unused:#?}");
}
