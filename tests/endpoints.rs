//! The same cycle on ministack: create, no change, update, delete, and 0 left.

use std::collections::BTreeSet;

use provision_tests::{LocalAws, root};

const HOME: &str = "eu-central-1";
const STACK: &str = "game-dev";

/// What ministack cannot do of the rehearsal blueprint: the line or the section, what stands there instead, and why.
const GAPS: &[(&str, &str, &str)] = &[
    ("nat = \"per-zone\"", "nat = \"none\"", "NAT gateways report no allocation id"),
    ("[database]", "", "it offers MySQL 8.4 to those only who name the version's exact number"),
    ("[cache]", "", "every cache parameter is reported as set by the user"),
    ("[servers]", "", "no DescribeInstanceTypeOfferings"),
    ("api = \"api.game.test\"", "", "without servers nothing answers there"),
];

/// The rehearsal blueprint without [`GAPS`].
fn rehearsal() -> String {
    let shipped = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    GAPS.iter().fold(shipped, |text, (what, instead, why)| {
        assert!(text.contains(what), "{what} ({why}) is not in the blueprint");
        if what.starts_with('[') { without_section(&text, what) } else { text.replacen(what, instead, 1) }
    })
}

fn without_section(text: &str, header: &str) -> String {
    let mut inside = false;
    let stays = |line: &&str| {
        if line.starts_with('[') {
            inside = *line == header;
        }
        !inside
    };
    text.lines().filter(stays).map(|line| format!("{line}\n")).collect()
}

#[test]
fn ministack_create_no_change_update_delete() {
    let aws = LocalAws::ministack();
    let text = rehearsal();
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let up = ["up", &blueprint, "--yes", "--control-plane-only"];
    aws.done(&up);
    let made = aws.listing(HOME, STACK);
    aws.done(&["plan", "--check", &blueprint]);
    assert!(aws.done(&up).err.contains("no changes"));
    assert_eq!(aws.listing(HOME, STACK), made);

    let wider = text.replace("PriceClass_100", "PriceClass_All");
    assert_ne!(wider, text);
    aws.blueprint("rehearsal.toml", &wider);
    assert_eq!(aws.run(&["plan", "--check", &blueprint]).code, Some(3));
    aws.done(&up);
    aws.done(&["plan", "--check", &blueprint]);
    let class = "print(api.list_distributions()['DistributionList']['Items'][0]['PriceClass'])";
    assert_eq!(aws.boto3("cloudfront", class).trim(), "PriceClass_All");
    assert_eq!(aws.listing(HOME, STACK), made, "an update in place makes and deletes nothing");

    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert_eq!(aws.listing(HOME, STACK), BTreeSet::new());
    println!("ministack: {} resources created, unchanged, updated, deleted; 0 left", made.len());
    for kind in [
        "ec2 vpcs",
        "ec2 vpc_endpoints",
        "s3 buckets",
        "dynamodb tables",
        "cloudfront distributions",
        "acm",
        "route53",
        "sns",
    ] {
        assert!(made.iter().any(|line| line.starts_with(&format!("{kind} "))), "no {kind} in {made:#?}");
    }
}
