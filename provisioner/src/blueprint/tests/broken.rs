//! Broken blueprints: each file of `fixtures/` and what is said about it.
//!
//! A line `#~ MESSAGE` in a fixture says that the line above it must have a finding that contains MESSAGE, so the right
//! line is checked even when snapshots are accepted without a look.

use std::path::PathBuf;

use crate::blueprint::{load, parse};

fn fixtures() -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/blueprint/fixtures");
    let mut found: Vec<(String, String)> = std::fs::read_dir(directory)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        })
        .collect();
    found.sort();
    found
}

/// The lines that must have a finding, with a part of its message.
fn expected(text: &str) -> Vec<(usize, &str)> {
    let mut line = 0;
    let mut expected = Vec::new();
    for (at, text) in text.lines().enumerate() {
        match text.strip_prefix("#~ ") {
            Some(message) => expected.push((line, message)),
            None => line = at + 1,
        }
    }
    expected
}

#[test]
fn each_says_the_right_thing_at_the_right_line() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 30, "only {} fixtures", fixtures.len());
    for (name, text) in fixtures {
        let errors = parse(&format!("{name}.toml"), &text).expect_err(&name);
        let expected = expected(&text);
        assert!(!expected.is_empty(), "{name} expects nothing");
        for (line, message) in &expected {
            let found = errors.findings.iter().any(|f| f.line == *line && f.message.contains(message));
            assert!(found, "{name}: no {message:?} at line {line} in\n{}", errors.lines());
        }
        assert_eq!(errors.findings.len(), expected.len(), "{name}:\n{}", errors.lines());
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../fixtures/snapshots" }, {
            insta::assert_snapshot!(name, errors.render(false));
        });
    }
}

#[test]
fn findings_have_a_form_for_machines() {
    let text = "[stack]\nname = 1\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n";
    let errors = parse("game.toml", text).expect_err("it is broken");
    assert_eq!(
        serde_json::to_value(&errors.findings).expect("it serialises"),
        serde_json::json!([{
            "code": "wrong_type",
            "message": "`name` must be text, not a whole number",
            "help": "put it in quotes: `name = \"1\"`",
            "span": {"start": 15, "end": 16},
            "line": 2,
            "column": 8,
        }])
    );
    assert_eq!(errors.to_string(), "game.toml has 1 mistake");
}

#[test]
fn files_that_cannot_be_read_are_findings() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("none.toml");
    let errors = load(&path).expect_err("it is not there");
    assert!(errors.lines().contains("it cannot be read"), "{}", errors.lines());
    std::fs::write(&path, b"[stack]\nname = \"\xff\"\n").expect("written");
    let errors = load(&path).expect_err("it is not text");
    assert_eq!((errors.findings[0].line, errors.findings[0].column), (2, 9));
    assert!(!errors.render(true).is_empty());
}
