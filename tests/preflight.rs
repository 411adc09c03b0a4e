//! What would fail an hour in is said before the first mutation, all of it at once.

use provision_tests::{LocalAws, root};

fn mutations(aws: &LocalAws) -> usize {
    aws.calls().iter().filter(|call| call.mutating).count()
}

#[test]
fn every_quota_that_the_plan_exceeds_is_named_at_once() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = root().join("blueprints/rehearsal.toml").to_str().expect("a path in UTF-8").to_owned();
    let none = r#"{"vpcs": 0, "internet_gateways": 0, "addresses": 1, "vcpus": 1, "db_instances": 1, "cache_nodes": 1,
        "load_balancers": 0, "groups": 0, "buckets": 0, "distributions": 0, "hosted_zones": 0, "certificates": 0, "roles": 0}"#;
    aws.control("POST", "/_local/quotas", none);
    let refused = aws.run(&["up", &blueprint, "--yes", "--control-plane-only"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    let named: Vec<&str> = [
        "VPCs per Region",
        "Internet gateways per Region",
        "EC2-VPC Elastic IPs",
        "Running On-Demand Standard instances (vCPUs)",
        "DB instances",
        "Nodes per Region",
        "Application Load Balancers per Region",
        "Auto Scaling groups per Region",
        "General purpose buckets",
        "Web distributions per AWS account",
        "Hosted zones",
        "ACM certificates",
        "Roles per account",
    ]
    .into_iter()
    .filter(|name| refused.err.contains(&format!("the quota \"{name}\" is")))
    .collect();
    assert_eq!(named.len(), 13, "{named:?}\n{}", refused.err);
    assert!(refused.err.contains("request-service-quota-increase"), "{}", refused.err);
    assert_eq!(mutations(&aws), 0);

    // Enough for what is made now, not for what `max` allows: a warning, and it goes on.
    aws.control("DELETE", "/_local/quotas", "");
    aws.control("POST", "/_local/quotas", r#"{"vcpus": 4, "vpcs": 20, "internet_gateways": 20, "addresses": 20}"#);
    let plan = aws.done(&["plan", &blueprint]);
    assert!(plan.out.contains("scaling out to"), "{}", plan.out);
    println!("{} quotas checked, 0 mutations", named.len());
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    // What is there needs no quota: nothing is asked about them.
    aws.forget_calls();
    aws.done(&["plan", &blueprint, "--check"]);
    assert!(aws.calls().iter().all(|call| call.service != "service-quotas"));
}

#[test]
fn what_the_region_does_not_offer_is_told_together() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let edited = text.replace("cache.t4g.micro", "cache.r9.48xlarge");
    assert_ne!(text, edited);
    aws.control("POST", "/_local/quotas", r#"{"db_instances": 0}"#);
    let blueprint = aws.blueprint("edited.toml", &edited);
    let refused = aws.run(&["up", &blueprint, "--yes"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("ElastiCache offers no cache.r9.48xlarge in eu-central-1"), "{}", refused.err);
    assert!(refused.err.contains("\"DB instances\""), "{}", refused.err);
    assert_eq!(mutations(&aws), 0);

    // Facts without which there is no plan: both in one message.
    let edited = text.replace("create_zone = true", "create_zone = false").replace("t3.small", "t9.medium");
    let blueprint = aws.blueprint("nowhere.toml", &edited);
    let refused = aws.run(&["up", &blueprint, "--yes"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("t9.medium") && refused.err.contains("no public hosted zone"), "{}", refused.err);
    assert_eq!(mutations(&aws), 0);
}

/// What is denied is told before anything is made, whether a database's whole service or one action of another.
#[test]
fn permissions_that_are_missing_are_named() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = root().join("blueprints/rehearsal.toml").to_str().expect("a path in UTF-8").to_owned();
    let denied =
        ["rds:CreateDBInstance", "rds:DeleteDBInstance", "cloudfront:CreateDistribution", "ec2:CreateNatGateway"];
    let list = denied.map(|action| format!("{action:?}")).join(", ");
    aws.control("POST", "/_local/denied", &format!("[{list}]"));
    aws.control("POST", "/_local/quotas", r#"{"db_instances": 0}"#);
    let refused = aws.run(&["up", &blueprint, "--yes", "--control-plane-only"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    for words in denied.iter().chain(&["provision policy", "\"DB instances\""]) {
        assert!(refused.err.contains(words), "{words} is not in\n{}", refused.err);
    }
    assert_eq!(mutations(&aws), 0);
    aws.control("DELETE", "/_local/quotas", "");

    // Told that the simulator is wrong, it tries; the simulator was right.
    let tried = aws.run(&["up", &blueprint, "--yes", "--control-plane-only", "--skip-preflight"]);
    assert_eq!(tried.code, Some(1), "{}", tried.err);
    assert!(tried.err.contains("You are not authorized to perform: rds:CreateDBInstance"), "{}", tried.err);
    aws.control("POST", "/_local/denied", "[]");
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    aws.done(&["plan", &blueprint, "--check"]);
}

/// A check that cannot be made is no obstacle: it is said.
#[test]
fn quotas_that_may_not_be_read_are_a_warning() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = root().join("blueprints/rehearsal.toml").to_str().expect("a path in UTF-8").to_owned();
    let denied = r#"{"service": "service-quotas", "action": "GetServiceQuota", "every": true, "kind": "error",
        "code": "AccessDeniedException", "message": "You are not authorized.", "status": 400}"#;
    aws.control("POST", "/_local/faults", denied);
    let plan = aws.done(&["plan", &blueprint]);
    assert!(plan.out.contains("could not be read and were not checked"), "{}", plan.out);
}

/// A bucket's name is taken by another account: said before anything is made.
#[test]
fn a_bucket_that_belongs_to_somebody_else() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = root().join("blueprints/rehearsal.toml").to_str().expect("a path in UTF-8").to_owned();
    let theirs = |action: &str| {
        format!(
            r#"{{"service": "s3", "action": "{action}", "kind": "error", "code": "AccessDenied", "message": "Access Denied", "status": 403}}"#
        )
    };
    aws.control("POST", "/_local/faults", &format!("[{}, {}]", theirs("GetBucketTagging"), theirs("HeadBucket")));
    let refused = aws.run(&["up", &blueprint, "--yes", "--control-plane-only"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("belongs to another account"), "{}", refused.err);
    assert!(refused.err.contains("choose another stack name"), "{}", refused.err);
    assert_eq!(mutations(&aws), 0);
}
