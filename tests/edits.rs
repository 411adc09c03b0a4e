//! What an edit of the blueprint leads to: planned as announced, applied, and nothing left to do afterwards.

use provision_tests::held::Held;
use provision_tests::topology::{Reader, difference};
use provision_tests::{LocalAws, root, without};
use serde_json::json;

fn rehearsal() -> String {
    std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships")
}

/// `text` with `old` replaced, which must be there.
fn edited(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the blueprint does not say {old:?}");
    text.replacen(old, new, 1)
}

/// The plan as lines: action, address, impact, fields.
fn planned(aws: &LocalAws, blueprint: &str) -> String {
    let ran = aws.done(&["plan", blueprint, "--json"]);
    let document = ran.json();
    let mut lines = Vec::new();
    for change in document["changes"].as_array().expect("changes") {
        let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        let fields: Vec<&str> =
            change["fields"].as_array().into_iter().flatten().filter_map(|f| f["name"].as_str()).collect();
        let line = format!("{} {} ({}) {}", text("action"), text("address"), text("impact"), fields.join(" "));
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Plans the edit, applies it, and proves that nothing is left to do.
fn apply(aws: &LocalAws, name: &str, text: &str, flags: &[&str]) -> String {
    let blueprint = aws.blueprint(name, text);
    let plan = planned(aws, &blueprint);
    let mut arguments = vec!["up", &blueprint, "--yes", "--control-plane-only"];
    arguments.extend(flags);
    aws.done(&arguments);
    aws.done(&["plan", "--check", &blueprint]);
    plan
}

#[test]
fn edits_are_planned_and_applied() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = rehearsal();
    apply(&aws, "base.toml", &base, &[]);

    let replica = edited(&base, "read_replicas = 1", "read_replicas = 2");
    insta::assert_snapshot!("one_more_replica", apply(&aws, "replica.toml", &replica, &[]));

    let class = edited(&replica, "instance_class = \"db.t4g.micro\"", "instance_class = \"db.t4g.medium\"");
    insta::assert_snapshot!("a_larger_database", apply(&aws, "class.toml", &class, &[]));

    let servers = edited(&class, "instance_type = \"t3.small\"", "instance_type = \"t3.medium\"");
    insta::assert_snapshot!("another_instance_type", apply(&aws, "servers.toml", &servers, &[]));

    let assets = edited(&without(&servers, "assets"), "assets = \"assets.game.test\"\n", "");
    insta::assert_snapshot!("no_assets_any_more", apply(&aws, "assets.toml", &assets, &[]));
}

#[test]
fn another_range_is_refused_until_the_loss_of_data_is_allowed() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = rehearsal();
    apply(&aws, "base.toml", &base, &[]);
    let before = aws.listing("eu-central-1", "game-dev");
    let moved = aws.blueprint("moved.toml", &edited(&base, "10.0.0.0/16", "10.1.0.0/16"));
    insta::assert_snapshot!("another_range", planned(&aws, &moved));
    let up = aws.run(&["up", &moved, "--yes", "--control-plane-only"]);
    assert_eq!(up.code, Some(1), "{}", up.err);
    assert!(up.err.contains("--allow-data-loss") && up.err.contains("LOST"), "{}", up.err);
    assert_eq!(aws.listing("eu-central-1", "game-dev"), before);

    aws.done(&["up", &moved, "--yes", "--control-plane-only", "--allow-data-loss"]);
    aws.done(&["plan", "--check", &moved]);
    let vpcs = aws.boto3("ec2", "print([v['CidrBlock'] for v in api.describe_vpcs()['Vpcs'] if not v['IsDefault']])");
    assert_eq!(vpcs.trim(), "['10.1.0.0/16']");
    let down = aws.done(&["down", &moved, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert!(aws.listing("eu-central-1", "game-dev").is_empty());
}

/// Tags that change reach what is there: afterwards it is as if it had been made with them.
#[test]
#[allow(clippy::print_stdout, reason = "it prints what it counted")]
fn tags_reach_what_exists() {
    let tagged = |tags: &str| format!("{}\n[tags]\n{tags}\n", without(&rehearsal(), "tags"));
    let origin = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let mut reader = Reader::start();
    let empty = reader.read(&origin);
    let (before, after) =
        (tagged("team = \"blue\"\nowner = \"ann\""), tagged("team = \"red\"\n\"cost:center\" = \"42\""));
    let made_so = origin.copy(None);
    apply(&made_so, "after.toml", &after, &[]);
    let wanted = reader.read(&made_so);
    drop(made_so);

    let aws = origin.copy(None);
    apply(&aws, "before.toml", &before, &[]);
    // Somebody else's tag is none of ours.
    let topic = "arn = api.list_topics()['Topics'][0]['TopicArn']";
    aws.boto3(
        "sns",
        &format!("{topic}\napi.tag_resource(ResourceArn=arn, Tags=[{{'Key': 'theirs', 'Value': 'kept'}}])"),
    );
    aws.forget_calls();
    let plan = apply(&aws, "after.toml", &after, &[]);
    let changes: Vec<&str> = plan.lines().collect();
    assert!(changes.len() > 70, "{plan}");
    let others: Vec<_> =
        changes.iter().filter(|line| !(line.starts_with("update ") && line.ends_with(" (none) tags"))).collect();
    assert!(others.is_empty(), "{others:#?}");
    let calls = aws.calls();
    let to_ec2 = calls.iter().filter(|call| call.action == "CreateTags").count();
    let mutating = calls.iter().filter(|call| call.mutating && call.action != "PutObject").count();
    println!("{} retagged by {mutating} calls, {to_ec2} of them for all of EC2", changes.len());
    // One by one it would be thirty. Those that ask within a moment of each other go together: fewer on a slow machine.
    assert!(to_ec2 <= 10, "{to_ec2} calls of CreateTags");
    let theirs = format!(
        "{topic}\nprint([t['Value'] for t in api.list_tags_for_resource(ResourceArn=arn)['Tags'] if t['Key'] == 'theirs'])"
    );
    assert_eq!(aws.boto3("sns", &theirs).trim(), "['kept']");
    aws.boto3("sns", &format!("{topic}\napi.untag_resource(ResourceArn=arn, TagKeys=['theirs'])"));
    // What a launch template gives to instances to come, its next version says; a snapshot is of the past. AWS itself tags the
    // nodes of a cache with their group, and interfaces as the launch template says: the local AWS does not.
    let excused = ["launch_template_version", "rds db_snapshots", "cache_clusters", "ec2 network_interfaces"];
    let different: Vec<String> = difference(&wanted, &reader.read(&aws));
    let unexpected: Vec<_> = different.iter().filter(|line| !excused.iter().any(|part| line.contains(part))).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");

    // Taken away altogether.
    let bare = aws.blueprint("bare.toml", &without(&rehearsal(), "tags"));
    aws.done(&["up", &bare, "--yes", "--control-plane-only"]);
    aws.done(&["plan", "--check", &bare]);
    let down = aws.done(&["down", &bare, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert_eq!(difference(&empty, &reader.read(&aws)), Vec::<String>::new());
}

/// Kills a run of the edit after the first call of `action` was executed.
fn killed_after(aws: &LocalAws, blueprint: &str, service: &str, action: &str) {
    let held = Held::new(&aws.provision(&["up", blueprint, "--yes", "--control-plane-only"]));
    let rule = json!({"service": service, "action": action, "nth": 1, "kind": "kill_after", "pid": held.pid()});
    assert_eq!(aws.control("POST", "/_local/faults", &rule.to_string())["added"], 1);
    assert_eq!(held.run().code, None, "killed after {action}");
    aws.control("DELETE", "/_local/faults", "");
}

/// A replacement whose successor is made first goes on with that successor, wherever the run was killed.
#[test]
fn a_replacement_that_was_killed_goes_on() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = rehearsal();
    apply(&aws, "base.toml", &base, &[]);
    let edit = edited(&base, "\nport = 8080", "\nport = 8090");
    let moved = aws.blueprint("moved.toml", &edit);
    let groups = "print(sorted(g['Port'] for g in api.describe_target_groups()['TargetGroups']))";
    killed_after(&aws, &moved, "elbv2", "CreateTargetGroup");
    assert_eq!(aws.boto3("elbv2", groups).trim(), "[8080, 8090]");
    // The old one's ARN is drawn by lot.
    insta::with_settings!({filters => [(r"#arn:\S+", "#<arn>")]}, {
        insta::assert_snapshot!("a_killed_replacement", planned(&aws, &moved));
    });
    killed_after(&aws, &moved, "elbv2", "ModifyListener");
    aws.forget_calls();
    apply(&aws, "moved.toml", &edit, &[]);
    assert!(!aws.calls().iter().any(|call| call.action == "CreateTargetGroup"), "the successor was there");
    assert_eq!(aws.boto3("elbv2", groups).trim(), "[8090]");

    // Killed on the way back, and gone forward again.
    let back = aws.blueprint("base.toml", &base);
    killed_after(&aws, &back, "elbv2", "ModifyListener");
    apply(&aws, "moved.toml", &edit, &[]);
    assert_eq!(aws.boto3("elbv2", groups).trim(), "[8090]");
}

/// Where the answer to the successor's create is lost, what it replaces is not taken for it.
#[test]
fn what_is_replaced_is_not_its_successor() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = rehearsal();
    apply(&aws, "base.toml", &base, &[]);
    let lost = json!({"service": "elasticache", "action": "CreateCacheParameterGroup", "nth": 1, "kind": "lost"});
    assert_eq!(aws.control("POST", "/_local/faults", &lost.to_string())["added"], 1);
    let redis = "engine = \"redis\"\nengine_version = \"7.1\"";
    apply(&aws, "valkey.toml", &edited(&base, redis, "engine = \"valkey\"\nengine_version = \"8.0\""), &[]);
    assert_eq!(aws.control("GET", "/_local/faults", "")["faults"][0]["fired"], 1);
    let families = "print([g['CacheParameterGroupFamily'] for g in \
                    api.describe_cache_parameter_groups()['CacheParameterGroups'] if 'game' in g['CacheParameterGroupName']])";
    assert_eq!(aws.boto3("elasticache", families).trim(), "['valkey8']");
}
