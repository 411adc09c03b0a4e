//! The IAM policy that `provision policy` prints, held against the calls that are made, the names that resources get, and
//! AWS's service authorization reference (`authorization.json`, written by `authorization.py`).

use std::collections::{BTreeMap, BTreeSet};

use provision_tests::{LocalAws, root, without};
use serde_json::Value;

/// Calls that IAM names otherwise.
const NAMED: &[(&str, &str)] = &[
    ("cloudfront:CreateDistributionWithTags", "cloudfront:CreateDistribution"),
    ("s3:CompleteMultipartUpload", "s3:PutObject"),
    ("s3:CreateMultipartUpload", "s3:PutObject"),
    ("s3:DeleteObjects", "s3:DeleteObject"),
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("s3:UploadPart", "s3:PutObject"),
];

/// In the policy, and not among the calls of this test: why each is there all the same.
const TAGS: &str = "AWS asks for it where a create call has tags";
const DRILL: &str = "`drill` alone calls it, on real processes: tests/drill.rs";
#[rustfmt::skip]
const NOT_CALLED: &[(&str, &str)] = &[
    ("autoscaling:DescribeScalingActivities", "why a group does not become healthy: asked where it takes long"),
    ("dynamodb:UpdateTable", "lifts deletion protection, which the rehearsal has not: tests/blueprints.rs"),
    ("autoscaling:RollbackInstanceRefresh", "a deploy whose instances do not become healthy: tests/deploy.rs"),
    ("ec2:DeleteLaunchTemplateVersions", "those of releases that are not kept any more: tests/deploy.rs"),
    ("ec2:DeleteRoute", "a route that somebody added by hand, or that a zone lost with its gateway"),
    ("ec2:GetConsoleOutput", "what an instance says that does not become healthy: tests/deploy.rs"),
    ("ec2:TerminateInstances", DRILL),
    ("ec2:ReplaceRouteTableAssociation", "a subnet that somebody gave another table by hand"),
    ("elasticache:ResetCacheParameterGroup", "a parameter that somebody set by hand"),
    ("elasticache:TestFailover", DRILL),
    ("elasticloadbalancing:ModifyTargetGroup", "a health check that somebody changed by hand, or [servers] health"),
    ("elasticloadbalancing:SetSecurityGroups", "groups that somebody changed by hand"),
    ("iam:CreateServiceLinkedRole", "AWS asks for it at the account's first load balancer, group, database and cache"),
    ("iam:PassRole", "AWS asks for it where a role is put into an instance profile"),
    ("logs:GetLogEvents", "what an instance logs that does not become healthy: tests/deploy.rs"),
    ("pricing:GetProducts", "costs, which no run needs: tests/cost.rs"),
    ("rds:CreateDBSnapshot", "AWS asks for it where an instance is deleted with a final snapshot"),
    ("rds:RebootDBInstance", DRILL),
    ("rds:ResetDBParameterGroup", "a parameter that somebody set by hand"),
    ("route53:ListHostedZonesByName", "a zone that exists already, or a parent zone: the rehearsal makes its own"),
    ("s3:AbortMultipartUpload", "a large asset that a killed push left half uploaded"),
    ("s3:DeleteObjectVersion", "AWS asks for it where DeleteObjects names versions"),
    ("s3:PutBucketOwnershipControls", "ownership that somebody changed by hand: a new bucket has it"),
    ("s3:TagResource", TAGS),
    ("servicequotas:GetAWSDefaultServiceQuota", "a quota for which the account has no value of its own"),
    ("sns:Unsubscribe", "a subscription that was confirmed: the local AWS confirms none"),
];

/// Actions on `*` without a condition although AWS would take an ARN.
const LOOSE: &[(&str, &str)] = &[
    ("Prices", "the price list is AWS's own and the same for all"),
    ("Look", "lists are asked for the whole account and region, to find the stack's own by tags"),
    ("Untagged", "an origin access control has an id that AWS draws, and no tags"),
];

/// How the ARN of a resource is made of its id, where that is a name. The others' ids are drawn by AWS, or ARNs.
const ARNS: &[(&str, &str)] = &[
    ("alarm", "cloudwatch:eu-central-1:123456789012:alarm:"),
    ("auto_scaling_group", "autoscaling:eu-central-1:123456789012:autoScalingGroup:0-0:autoScalingGroupName/"),
    ("bucket", "s3:::"),
    ("cache_parameter_group", "elasticache:eu-central-1:123456789012:parametergroup:"),
    ("cache_subnet_group", "elasticache:eu-central-1:123456789012:subnetgroup:"),
    ("db_instance", "rds:eu-central-1:123456789012:db:"),
    ("db_parameter_group", "rds:eu-central-1:123456789012:pg:"),
    ("db_replica", "rds:eu-central-1:123456789012:db:"),
    ("db_subnet_group", "rds:eu-central-1:123456789012:subgrp:"),
    ("dynamodb_table", "dynamodb:eu-central-1:123456789012:table/"),
    ("iam_role", "iam::123456789012:role/"),
    ("instance_profile", "iam::123456789012:instance-profile/"),
    ("log_group", "logs:eu-central-1:123456789012:log-group:"),
    ("replication_group", "elasticache:eu-central-1:123456789012:replicationgroup:"),
];

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().expect("statements")
}

/// Every action, in as many statements as it is.
fn actions(policy: &Value) -> BTreeSet<String> {
    statements(policy).iter().flat_map(|s| strings(&s["Action"])).map(str::to_owned).collect()
}

/// Whether `text` is what `pattern` allows, where `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            rest.is_empty() || (0..=text.len()).filter(|i| text.is_char_boundary(*i)).any(|i| fits(rest, &text[i..]))
        }),
    }
}

fn rehearsal() -> String {
    std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships")
}

fn edit(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the blueprint does not say {old:?}");
        text.replace(old, new)
    })
}

/// Assets, one of them in parts; then the bucket is emptied by hand, so that `down` need not lose data.
fn push_and_take_away(aws: &LocalAws, blueprint: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| std::fs::File::create(directory.path().join(name)).expect("made");
    file("large.bin").set_len(65 << 20).expect("a sparse file");
    let path = directory.path().to_str().expect("UTF-8");
    aws.done(&["assets", "push", path, blueprint]);
    file("small.txt");
    aws.done(&["assets", "push", path, blueprint]);
    aws.done(&["assets", "rollback", blueprint]);
    aws.done(&["assets", "list", blueprint]);
    let empty = "name = next(b['Name'] for b in api.list_buckets()['Buckets'] if '-assets-' in b['Name'])\n\
        page = api.list_object_versions(Bucket=name)\n\
        for o in page.get('Versions', []) + page.get('DeleteMarkers', []):\n    \
        api.delete_object(Bucket=name, Key=o['Key'], VersionId=o['VersionId'])";
    aws.boto3("s3", empty);
}

#[test]
fn every_call_is_in_the_policy_and_nothing_else_without_a_reason() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let allowed = actions(&aws.done(&["policy"]).json());
    let text = edit(&rehearsal(), &[("engine_version = \"8.4\"", "engine_version = \"8.4.4\"")]);
    let tagged = |tags: &str| format!("{}\n[tags]\n{tags}\n", without(&text, "tags"));
    let before = aws.blueprint("before.toml", &tagged("team = \"blue\""));
    let larger = edit(
        &tagged("owner = \"ops\""),
        &[
            ("read_replicas = 1", "read_replicas = 2"),
            ("engine_version = \"8.4.4\"", "engine_version = \"8.4.5\""),
            ("db.t4g.micro", "db.t4g.small"),
            ("t3.small", "t3.medium"),
            ("min = 2", "min = 3"),
            ("cache.t4g.micro", "cache.t4g.small"),
            ("replicas = 1             #", "replicas = 2             #"),
            ("retention_days = 7", "retention_days = 14"),
            ("http = \"serve\"", "http = \"redirect\""),
            ("multi_az = true", "multi_az = false"),
        ],
    );
    let wider = edit(
        &larger,
        &[
            ("zones = 2", "zones = 3"),
            ("nat = \"per-zone\"", "nat = \"single\""),
            ("\nport = 8080", "\nport = 8090"),
            ("replicas = 2             #", "replicas = 1             #"),
        ],
    );
    let moved = edit(&wider, &[("10.0.0.0/16", "10.1.0.0/16"), ("ops@", "dev@")]);
    let last = aws.blueprint("moved.toml", &moved);
    let up = |blueprint| aws.done(&["up", blueprint, "--yes", "--control-plane-only", "--allow-data-loss"]);
    for blueprint in [&before, &aws.blueprint("larger.toml", &larger), &aws.blueprint("wider.toml", &wider), &last] {
        up(blueprint);
    }
    aws.done(&["logs", &last]);
    push_and_take_away(&aws, &last);
    aws.done(&["down", &last, "--yes"]);
    let named = |call: &provision_tests::Call| {
        let prefix = match call.service.as_str() {
            "elbv2" => "elasticloadbalancing",
            "service-quotas" => "servicequotas",
            service => service,
        };
        let made = format!("{prefix}:{}", call.action);
        NAMED.iter().find(|(name, _)| *name == made).map_or(made.clone(), |(_, action)| (*action).to_owned())
    };
    let made: BTreeSet<String> = aws.calls().iter().map(named).collect();
    let missing: Vec<_> = made.difference(&allowed).collect();
    assert!(missing.is_empty(), "called, and not in the policy: {missing:#?}");
    let unused: BTreeSet<&str> = allowed.difference(&made).map(String::as_str).collect();
    let reasons: BTreeSet<&str> = NOT_CALLED.iter().map(|(action, _)| *action).collect();
    assert_eq!(unused, reasons, "left: in the policy and not called, right: those that have a reason");
    println!(
        "{} actions in the policy: {} called here, {} not, each for a reason",
        allowed.len(),
        made.len(),
        unused.len()
    );
}

#[test]
fn every_limit_is_one_that_aws_takes() {
    let reference = std::fs::read_to_string(root().join("tests/authorization.json")).expect("the reference ships");
    let reference: BTreeMap<String, Value> = serde_json::from_str(&reference).expect("JSON");
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let production = root().join("blueprints/production.toml");
    let production = production.to_str().expect("a path in UTF-8");
    let (mut arns, mut conditions, mut loose) = (0, 0, 0);
    let inside = edit(&rehearsal(), &[("cidr =", "vpc = \"vpc-0123456789abcdef0\"\ncidr =")]);
    let inside = aws.blueprint("inside.toml", &inside);
    for asked in [&["policy"][..], &["policy", "--stack", "game-dev"], &["policy", production], &["policy", &inside]] {
        let policy = aws.done(asked).json();
        for statement in statements(&policy) {
            let sid = statement["Sid"].as_str().expect("a name");
            let keys: Vec<&String> = statement["Condition"]
                .as_object()
                .into_iter()
                .flat_map(|operators| operators.values())
                .flat_map(|test| test.as_object().expect("keys and values").keys())
                .collect();
            let resources = strings(&statement["Resource"]);
            for action in strings(&statement["Action"]) {
                let known =
                    reference.get(action).unwrap_or_else(|| panic!("no reference for {action}: authorization.py"));
                let takes = strings(&known["resources"]);
                if resources == ["*"] {
                    let limited = takes.is_empty() || !keys.is_empty() || LOOSE.iter().any(|(name, _)| *name == sid);
                    assert!(limited, "{sid}: {action} is allowed on everything");
                    loose += usize::from(keys.is_empty());
                } else {
                    let fit = resources.iter().any(|arn| takes.iter().any(|pattern| fits(pattern, arn)));
                    assert!(fit, "{sid}: {action} takes {takes:?}, not {resources:?}");
                    arns += 1;
                }
                for key in &keys {
                    let plain = key.split_once("Tag/").map_or(key.to_string(), |(tag, _)| format!("{tag}Tag/"));
                    assert!(strings(&known["conditions"]).contains(&plain.as_str()), "{sid}: {action} knows no {key}");
                    conditions += 1;
                }
            }
            for resource in resources.iter().filter(|resource| **resource != "*") {
                let used = strings(&statement["Action"])
                    .iter()
                    .any(|action| strings(&reference[*action]["resources"]).iter().any(|p| fits(p, resource)));
                assert!(used, "{sid}: no action takes {resource}");
            }
        }
        let parts = aws.done(&[asked, &["--split"]].concat()).json();
        let parts = parts.as_array().expect("policies");
        assert!(parts.iter().all(|part| part.to_string().len() <= 6144), "too long for a managed policy");
        assert_eq!(
            parts.iter().flat_map(statements).collect::<Vec<_>>(),
            statements(&policy).iter().collect::<Vec<_>>()
        );
    }
    println!("{arns} limited to ARNs, {conditions} by conditions, {loose} that nothing limits");
}

#[test]
fn every_resource_is_one_that_the_policy_names() {
    let longest = rehearsal()
        .replace("name = \"game\"", "name = \"a-game-with-the-longest-name-30\"")
        .replace("environment = \"dev\"", "environment = \"environment-of-20-ch\"")
        .replace("a-game-with-the-longest-name-30", "a-game-with-a-name-of-30-chars");
    let mut checked = 0;
    for text in [rehearsal(), longest] {
        let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
        let blueprint = aws.blueprint("blueprint.toml", &text);
        let policy = aws.done(&["policy", &blueprint]).json();
        let patterns: Vec<&str> = statements(&policy).iter().flat_map(|s| strings(&s["Resource"])).collect();
        aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
        let status = aws.done(&["status", &blueprint, "--json"]).json();
        for resource in status["resources"].as_array().expect("resources") {
            let (kind, id) = (resource["kind"].as_str().expect("a kind"), resource["id"].as_str().expect("an id"));
            let made = ARNS.iter().find(|(named, _)| *named == kind).map(|(_, arn)| format!("arn:aws:{arn}{id}"));
            // A scaling policy is changed by permission on its group.
            if kind == "scaling_policy" {
                continue;
            }
            let Some(arn) = made.or_else(|| id.starts_with("arn:").then(|| id.to_owned())) else { continue };
            let allowed = patterns.iter().any(|pattern| *pattern != "*" && fits(pattern, &arn));
            assert!(allowed, "{} {arn} is not in\n{patterns:#?}", resource["address"]);
            checked += 1;
        }
    }
    println!("{checked} resources with names or ARNs are in their stack's policy");
    assert!(checked >= 80, "{checked}");
}
