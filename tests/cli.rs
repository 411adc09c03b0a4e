//! What the command line says without AWS: help, blueprints written and checked, exit codes.

use std::path::Path;
use std::process::Command;

use provision_tests::{Ran, binary, root};

/// Runs `provision` in `directory`, without any AWS.
fn provision(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary("provision"));
    command.args(arguments).current_dir(directory).env("NO_COLOR", "1");
    for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    Ran::of(command.output().expect("it runs"))
}

#[test]
fn help_of_every_verb() {
    let whole = provision(&root(), &["--help"]);
    assert_eq!(whole.code, Some(0));
    insta::assert_snapshot!("help", whole.out);
    let verbs: Vec<&str> = whole
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 7, "{verbs:?}");
    let mut all = String::new();
    for verb in verbs {
        let ran = provision(&root(), &[verb, "--help"]);
        assert_eq!(ran.code, Some(0), "{verb}");
        assert!(ran.out.contains("Example: provision"), "the help of {verb} has no example");
        // The options of every verb are in the help of the whole.
        let own: Vec<&str> = ran.out.lines().filter(|line| !whole.out.contains(*line) || line.is_empty()).collect();
        all.push_str(&format!("== {verb}\n{}\n", own.join("\n").trim()));
    }
    insta::assert_snapshot!("help_of_verbs", all);
}

#[test]
fn blueprints_that_ship_are_valid() {
    for entry in std::fs::read_dir(root().join("blueprints")).expect("the directory is there") {
        let path = entry.expect("an entry").path();
        let ran = provision(&root(), &["validate", path.to_str().expect("UTF-8")]);
        assert_eq!(ran.code, Some(0), "{}: {}", path.display(), ran.err);
    }
}

#[test]
fn a_blueprint_is_written_and_is_valid() {
    let directory = tempfile::tempdir().expect("a directory");
    let init = ["init", "--name", "puzzle", "--environment", "live", "--region", "eu-west-1"];
    let ran = provision(directory.path(), &init);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let text = std::fs::read_to_string(directory.path().join("provision.toml")).expect("it is written");
    for line in ["\"puzzle\"", "\"live\"", "\"eu-west-1\""] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert_eq!(provision(directory.path(), &["validate"]).code, Some(0));
    let again = provision(directory.path(), &init);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("--force"), "{}", again.err);
    assert_eq!(std::fs::read_to_string(directory.path().join("provision.toml")).expect("still there"), text);
    let wrong = provision(directory.path(), &["init", "other.toml", "--name", "Not A Name"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    assert!(!directory.path().join("other.toml").exists());
}

#[test]
fn every_mistake_at_once_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "[stack]\nname = \"game\"\nenvironment = \"Dev\"\nregion = \"eu-central-1\"\n\n\
                [netwrok]\ncidr = \"10.0.0.0/16\"\n\n[database]\nstorage_gb = 5\nreplicas = 2\n";
    std::fs::write(directory.path().join("provision.toml"), text).expect("it is written");
    let ran = provision(directory.path(), &["validate"]);
    assert_eq!(ran.code, Some(2));
    insta::assert_snapshot!("every_mistake", ran.err);
    // A plan of it calls nothing on AWS: there are no credentials here, and nothing is said of them.
    let plan = provision(directory.path(), &["plan"]);
    assert_eq!((plan.code, plan.err), (Some(2), ran.err));
}

#[test]
fn wrong_usage() {
    let directory = tempfile::tempdir().expect("a directory");
    for arguments in [&["fly"][..], &["up", "--no-such-option"], &["validate", "a", "b"]] {
        let ran = provision(directory.path(), arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
    }
    let none = provision(directory.path(), &["validate"]);
    assert_eq!(none.code, Some(2), "{}", none.err);
    assert!(none.err.contains("provision.toml") && none.err.contains("provision init"), "{}", none.err);
}
