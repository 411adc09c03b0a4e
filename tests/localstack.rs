//! The cycle on LocalStack's free edition, and what it says of a blueprint that needs more.

use std::collections::BTreeSet;

use provision_tests::{LocalAws, root};

const HOME: &str = "eu-central-1";

fn shipped(name: &str) -> String {
    std::fs::read_to_string(root().join("blueprints").join(name)).expect("the blueprint ships")
}

#[test]
fn localstack_create_no_change_update_delete() {
    let stack = "game-localstack";
    let aws = LocalAws::localstack();
    let text = shipped("localstack.toml");
    let blueprint = aws.blueprint("localstack.toml", &text);
    let up = ["up", &blueprint, "--yes", "--control-plane-only"];
    aws.done(&up);
    let made = listing(&aws, stack);
    aws.done(&["plan", "--check", &blueprint]);
    assert!(aws.done(&up).err.contains("no changes"));
    assert_eq!(listing(&aws, stack), made);

    let fewer = text.replace("nat = \"per-zone\"", "nat = \"single\"");
    assert_ne!(fewer, text);
    aws.blueprint("localstack.toml", &fewer);
    assert_eq!(aws.run(&["plan", "--check", &blueprint]).code, Some(3));
    aws.done(&up);
    aws.done(&["plan", "--check", &blueprint]);
    let gateways = |listing: &BTreeSet<String>| listing.iter().filter(|l| l.contains(" nat_gateways ")).count();
    assert_eq!((gateways(&made), gateways(&listing(&aws, stack))), (2, 1));

    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert_eq!(listing(&aws, stack), BTreeSet::new());
    println!("LocalStack: {} resources created, unchanged, updated, deleted; 0 left", made.len());
}

#[test]
fn what_the_endpoint_lacks_is_said_before_anything_is_created() {
    let aws = LocalAws::localstack();
    let blueprint = aws.blueprint("rehearsal.toml", &shipped("rehearsal.toml"));
    let up = aws.run(&["up", &blueprint, "--yes", "--control-plane-only"]);
    assert_eq!(up.code, Some(1), "{}\n{}", up.out, up.err);
    assert_eq!(up.err.matches("error:").count(), 1, "{}", up.err);
    for section in ["[database]", "[cache]", "[log]", "[servers]", "[assets]"] {
        assert!(up.err.contains(section), "{section} is missing:\n{}", up.err);
    }
    assert!(!up.err.contains("[network]") && up.err.contains("nothing was changed"), "{}", up.err);
    assert_eq!(listing(&aws, "game-dev"), BTreeSet::new());
    assert_eq!(aws.boto3("s3", "print(len(api.list_buckets()['Buckets']))").trim(), "0");
}

/// As [`LocalAws::listing`], of the services that LocalStack has.
fn listing(aws: &LocalAws, stack: &str) -> BTreeSet<String> {
    aws.listing_of(HOME, stack, &["ec2", "s3", "acm_and_dns", "iam", "watching"])
}
