//! What an edit of the blueprint leads to: planned as announced, applied, and nothing left to do afterwards.

use provision_tests::{LocalAws, root};

fn rehearsal() -> String {
    std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships")
}

/// `text` with `old` replaced, which must be there.
fn edited(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the blueprint does not say {old:?}");
    text.replacen(old, new, 1)
}

/// `text` without the section `name`.
fn without(text: &str, name: &str) -> String {
    let header = format!("[{name}]\n");
    let start = text.find(&header).expect("the section is there");
    let rest = &text[start + header.len()..];
    let end = rest.find("\n[").map_or(rest.len(), |at| at + 1);
    format!("{}{}", &text[..start], &rest[end..])
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
