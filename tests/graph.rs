//! `provision graph` on the local AWS: the topology needs no AWS at all, and what is planned carries its colour's class.

use std::process::Command;

use provision_tests::{LocalAws, python, root};

fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the blueprint does not say {old:?}");
        text.replacen(old, new, 1)
    })
}

/// The classes of the card with this id in an SVG.
fn class_of<'a>(svg: &'a str, id: &str) -> &'a str {
    let end = svg.find(&format!("\" data-node=\"{id}\"")).unwrap_or_else(|| panic!("no card {id} in\n{svg}"));
    let start = svg[..end].rfind('"').expect("a class begins");
    &svg[start + 1..end]
}

#[test]
fn what_is_planned_is_coloured() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let base = aws.blueprint("base.toml", &text);

    // Nothing is there yet: all of it is new.
    let fresh = aws.done(&["graph", &base, "--plan"]).out;
    for id in ["vpc", "load-balancer", "servers", "database", "cache", "log", "cdn", "dns", "subnet/app-1", "nat/2"] {
        assert!(class_of(&fresh, id).ends_with(" create"), "{id}: {}", class_of(&fresh, id));
    }
    aws.done(&["up", &base, "--yes", "--control-plane-only"]);

    // The blueprint alone needs no call, and colours nothing.
    aws.forget_calls();
    let plain = aws.done(&["graph", &base]).out;
    assert_eq!(aws.calls(), [], "the topology is drawn without AWS");
    assert_eq!(class_of(&plain, "database"), "band");
    assert!(plain.contains("zone 1") && !plain.contains("eu-central-1a"), "the zones are AWS's choice");
    let unchanged = aws.done(&["graph", &base, "--plan"]).out;
    assert!(unchanged.contains("plan: no changes") && unchanged.contains("eu-central-1a"), "{unchanged}");
    assert_eq!(class_of(&unchanged, "database"), "band");

    let text = edited(
        &text,
        &[
            ("instance_class = \"db.t4g.micro\"", "instance_class = \"db.t4g.medium\""),
            ("read_replicas = 1", "read_replicas = 2"),
            ("replicas = 1             #", "replicas = 2             #"),
            ("\n[assets]\nprice_class = \"PriceClass_100\"\n", ""),
            ("assets = \"assets.game.test\"\n", ""),
            ("http_port = 8080", "http_port = 8081"),
        ],
    );
    let edit = aws.blueprint("edited.toml", &text);
    let svg = aws.done(&["graph", &edit, "--plan"]).out;
    for (id, class) in [
        ("database", "band update"),
        ("database/primary", "card update"),
        ("database-replica/1", "card update"),
        ("database-replica/2", "card create"),
        ("cache", "band update"),
        ("cache/replica-2", "card create"),
        ("cdn", "card delete"),
        ("assets", "card delete"),
        ("dns", "card update"),
        ("load-balancer", "band update"),
        ("log", "card"),
        ("nat/1", "card"),
        ("vpc", "vpc"),
    ] {
        assert_eq!(class_of(&svg, id), class, "{id}");
    }
    assert!(svg.contains("db.t4g.micro → db.t4g.medium"), "the tooltips say what changes");
    assert!(aws.calls().iter().all(|call| !call.mutating), "a graph changes nothing");

    let dot = aws.done(&["graph", &edit, "--plan", "--format", "dot"]).out;
    assert!(dot.contains("\"assets\" [label=\"− delete: S3: assets") && dot.contains("class=\"delete\""), "{dot}");
    let path = aws.blueprint("graph.mmd", "");
    aws.done(&["graph", &edit, "--plan", "--out", &path]);
    let mermaid = std::fs::read_to_string(&path).expect("it is written");
    let classes = mermaid.lines().find(|line| line.starts_with("  class ") && line.ends_with(" delete"));
    assert!(classes.is_some_and(|line| line.contains("n_cdn") && line.contains("n_assets")), "{mermaid}");

    // Python's parser takes both pictures.
    for (name, text) in [("plain.svg", &plain), ("planned.svg", &svg)] {
        let path = aws.blueprint(name, text);
        let parse = "import sys, xml.dom.minidom as dom; print(dom.parse(sys.argv[1]).documentElement.tagName)";
        let parsed = Command::new(python()).args(["-c", parse, &path]).output().expect("python runs");
        assert_eq!(
            String::from_utf8_lossy(&parsed.stdout).trim(),
            "svg",
            "{}",
            String::from_utf8_lossy(&parsed.stderr)
        );
    }
}
