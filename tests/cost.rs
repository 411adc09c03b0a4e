//! What a stack costs, by a price list that this test makes up: no local AWS has AWS's own. Its documents have the form in
//! which `GetProducts` answers.

use provision_tests::{LocalAws, Ran, root};
use serde_json::{Value, json};

/// A product: service, family, usage type, further attributes, unit, price.
fn product(service: &str, family: &str, usage: &str, more: &[(&str, &str)], unit: &str, price: &str) -> Value {
    let mut attributes = json!({"servicecode": service, "regionCode": "eu-central-1", "usagetype": usage});
    for (name, value) in more {
        attributes[*name] = (*value).into();
    }
    let sku = format!("{service}{usage}");
    let dimension = json!({"unit": unit, "beginRange": "0", "endRange": "Inf", "description": "made up",
        "rateCode": format!("{sku}.T.1"), "appliesTo": [], "pricePerUnit": {"USD": price}});
    json!({"serviceCode": service, "version": "1", "publicationDate": "2026-11-01T00:00:00Z",
        "product": {"sku": sku, "productFamily": family, "attributes": attributes},
        "terms": {"OnDemand": {format!("{sku}.T"): {"sku": sku, "offerTermCode": "T", "termAttributes": {},
            "effectiveDate": "2026-11-01T00:00:00Z", "priceDimensions": {format!("{sku}.T.1"): dimension}}}}})
}

/// Prices of all that the rehearsal blueprint pays for by the month, and of some that it pays for by use.
fn prices() -> Value {
    let linux = [
        ("instanceType", "t3.small"),
        ("operatingSystem", "Linux"),
        ("tenancy", "Shared"),
        ("preInstalledSw", "NA"),
        ("capacitystatus", "Used"),
    ];
    let database =
        |option| [("instanceType", "db.t4g.micro"), ("databaseEngine", "MySQL"), ("deploymentOption", option)];
    let storage =
        |option| [("volumeType", "General Purpose-GP3"), ("deploymentOption", option), ("databaseEngine", "Any")];
    let node = [("instanceType", "cache.t4g.micro"), ("cacheEngine", "Redis")];
    let balancer = "Load Balancer-Application";
    let alarm = |region| [("regionCode", region)];
    json!([
        product("AmazonEC2", "Compute Instance", "EUC1-BoxUsage:t3.small", &linux, "Hrs", "0.0240000000"),
        product(
            "AmazonEC2",
            "Storage",
            "EUC1-EBS:VolumeUsage.gp3",
            &[("volumeApiName", "gp3")],
            "GB-Mo",
            "0.0952000000"
        ),
        product("AmazonEC2", "NAT Gateway", "EUC1-NatGateway-Hours", &[], "Hrs", "0.0520000000"),
        product("AmazonEC2", "NAT Gateway", "EUC1-NatGateway-Bytes", &[], "GB", "0.0520000000"),
        product("AmazonVPC", "VpcEndpoint", "EUC1-PublicIPv4:IdleAddress", &[], "Hrs", "0.9"),
        product("AmazonVPC", "VpcEndpoint", "EUC1-PublicIPv4:InUseAddress", &[], "Hrs", "0.0050000000"),
        product(
            "AmazonRDS",
            "Database Instance",
            "EUC1-Multi-AZUsage:db.t4g.micro",
            &database("Multi-AZ"),
            "Hrs",
            "0.034"
        ),
        product(
            "AmazonRDS",
            "Database Instance",
            "EUC1-InstanceUsage:db.t4g.micro",
            &database("Single-AZ"),
            "Hrs",
            "0.017"
        ),
        product(
            "AmazonRDS",
            "Database Storage",
            "EUC1-RDS:Multi-AZ-GP3-Storage",
            &storage("Multi-AZ"),
            "GB-Mo",
            "0.274"
        ),
        product("AmazonRDS", "Database Storage", "EUC1-RDS:GP3-Storage", &storage("Single-AZ"), "GB-Mo", "0.137"),
        product("AmazonElastiCache", "Cache Instance", "EUC1-NodeUsage:cache.t4g.micro", &node, "Hrs", "0.018"),
        product("AWSELB", balancer, "EUC1-LoadBalancerUsage", &[], "Hrs", "0.027"),
        product("AWSELB", balancer, "EUC1-LCUUsage", &[], "LCU-Hrs", "0.008"),
        product("AWSSecretsManager", "Secret", "EUC1-AWSSecretsManager-Secrets", &[], "Secrets", "0.4"),
        product("AmazonCloudWatch", "Alarm", "EUC1-CW:AlarmMonitorUsage", &alarm("eu-central-1"), "Alarms", "0.1"),
        product("AmazonCloudWatch", "Alarm", "CW:AlarmMonitorUsage", &alarm("us-east-1"), "Alarms", "0.1"),
        product("AmazonRoute53", "DNS Zone", "HostedZone", &[("regionCode", "")], "HostedZone", "0.5"),
    ])
}

fn asked(aws: &LocalAws) -> usize {
    aws.calls().iter().filter(|call| call.service == "pricing" && call.action == "GetProducts").count()
}

/// Runs `provision` with a cache of its own.
fn with_cache(aws: &LocalAws, cache: &tempfile::TempDir, arguments: &[&str]) -> Ran {
    let mut command = aws.provision(arguments);
    let ran = Ran::of(command.env("XDG_CACHE_HOME", cache.path()).output().expect("provision runs"));
    assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.out, ran.err);
    ran
}

/// In dollars, by another way than provision's: in units of 10^-4.
const TOTAL: u64 = 2 * 520 * 730 // NAT gateways
    + 4 * 50 * 730 // their addresses, and those of the load balancer
    + 2 * 240 * 730 + 2 * 8 * 952 // servers and their volumes
    + 340 * 730 + 20 * 2740 // the database
    + 170 * 730 + 20 * 1370 // its replica
    + 2 * 180 * 730 // the cache
    + 270 * 730 // the load balancer
    + 2 * 4000 + 16 * 1000 + 5000; // secrets, alarms, the zone

fn dollars(amount: u64) -> String {
    let text = format!("{}.{:04}", amount / 10_000, amount % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn a_stack_is_counted_by_the_price_list() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let cache = tempfile::tempdir().expect("a directory");

    // No price list: all is unknown, nothing is nothing, one question was enough, and a plan is made all the same.
    let none = with_cache(&aws, &cache, &["cost", &blueprint]);
    assert!(none.out.contains("unknown: no price is known") && !none.out.contains('$'), "{}", none.out);
    assert!(none.err.contains("warning:"), "{}", none.err);
    assert_eq!(asked(&aws), 1);
    let plan = with_cache(&aws, &cache, &["plan", &blueprint]);
    assert!(plan.out.contains("monthly cost unknown: `provision cost`"), "{}", plan.out);

    // One product a page.
    aws.control("POST", "/_local/prices?page=1", &prices().to_string());
    aws.forget_calls();
    let cost = with_cache(&aws, &cache, &["cost", &blueprint, "--json"]).json();
    let first = asked(&aws);
    assert!(first > 20, "{first} calls");
    assert_eq!(cost["monthly"], json!(dollars(TOTAL)), "{cost:#}");
    assert_eq!(cost["at_most"], json!(dollars(TOTAL + 2 * 240 * 730 + 2 * 8 * 952)));
    let lines = cost["lines"].as_array().expect("lines");
    let unknown: Vec<&Value> = lines.iter().filter(|line| !line["unknown"].is_null()).collect();
    assert!(
        unknown.iter().all(|line| line["by_use"] == json!(true)),
        "all that is not by use has its price: {unknown:#?}"
    );
    assert!(unknown.iter().all(|line| line["monthly"].is_null() && line["unit_price"].is_null()), "{unknown:#?}");
    assert_eq!(cost["unknown"], json!(unknown.len()));

    // Asked for once.
    aws.forget_calls();
    let again = with_cache(&aws, &cache, &["cost", &blueprint]);
    assert_eq!(asked(&aws), 0);
    for part in ["at least $221.42 a month", "(today)", "(at most $70.08)", "alarm (16)", "not in it:", "$0.052"] {
        assert!(again.out.contains(part), "{part:?} is not in\n{}", again.out);
    }
    with_cache(&aws, &cache, &["cost", &blueprint, "--refresh"]);
    assert_eq!(asked(&aws), first);

    // A plan has what it changes: of nothing, and of what is there.
    let plan = with_cache(&aws, &cache, &["plan", &blueprint, "--json"]).json();
    assert_eq!(
        (&plan["cost"]["before"], &plan["cost"]["after"]),
        (&json!("0"), &json!(dollars(TOTAL))),
        "{:#}",
        plan["cost"]
    );
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    let edited = aws.blueprint("edited.toml", &text.replace("read_replicas = 1", "read_replicas = 2"));
    let plan = with_cache(&aws, &cache, &["plan", &edited]);
    assert!(plan.out.contains("+$15.15 a month"), "{}", plan.out);
    assert!(plan.out.contains("at least $221.42 a month now, $236.87 afterwards"), "{}", plan.out);
    let larger = aws.blueprint("larger.toml", &text.replace("t3.small", "t3.medium"));
    let plan = with_cache(&aws, &cache, &["plan", &larger]);
    assert!(
        plan.out.contains("cost unknown") && plan.out.contains("$186.38 without servers (unknown) afterwards"),
        "{}",
        plan.out
    );
}

#[test]
fn a_price_list_that_does_not_answer_keeps_nobody() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    aws.control("POST", "/_local/prices", &prices().to_string());
    let cache = tempfile::tempdir().expect("a directory");
    let slow = r#"{"service": "pricing", "action": "GetProducts", "every": true, "kind": "latency", "ms": 3600000}"#;
    aws.control("POST", "/_local/faults", slow);
    let plan = with_cache(&aws, &cache, &["plan", &blueprint]);
    assert!(plan.out.contains("monthly cost unknown"), "{}", plan.out);
    let offline = with_cache(&aws, &cache, &["cost", &blueprint, "--offline"]);
    assert!(offline.out.contains("unknown: the price list was not asked"), "{}", offline.out);

    aws.control("DELETE", "/_local/faults", "");
    aws.control("POST", "/_local/denied", "[\"pricing:GetProducts\"]");
    let denied = with_cache(&aws, &cache, &["cost", &blueprint]);
    assert!(denied.err.contains("AccessDenied") && denied.out.contains("unknown"), "{}\n{}", denied.out, denied.err);
    // `up` needs no prices: the permission is not among those that it asks for.
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
}
