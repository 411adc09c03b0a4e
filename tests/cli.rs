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

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description goes on, further to the right, where it is long.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help");
    names.map(str::to_owned).collect()
}

/// The help of a verb and of what is below it, without what is in the help of the whole.
fn help_of(words: &[&str], whole: &str, all: &mut String) -> usize {
    let ran = provision(&root(), &[words, &["--help"]].concat());
    assert_eq!(ran.code, Some(0), "{words:?}");
    let own: Vec<&str> = ran.out.lines().filter(|line| !whole.contains(*line) || line.is_empty()).collect();
    all.push_str(&format!("== {}\n{}\n", words.join(" "), own.join("\n").trim()));
    let below = listed(&ran.out);
    assert!(!below.is_empty() || ran.out.contains("Example: provision"), "the help of {words:?} has no example");
    below.iter().map(|verb| help_of(&[words, &[verb.as_str()]].concat(), whole, all)).sum::<usize>() + 1
}

#[test]
fn help_of_every_verb() {
    let whole = provision(&root(), &["--help"]);
    assert_eq!(whole.code, Some(0));
    insta::assert_snapshot!("help", whole.out);
    let mut all = String::new();
    let count: usize = listed(&whole.out).iter().map(|verb| help_of(&[verb], &whole.out, &mut all)).sum();
    assert!(count >= 12, "{count}");
    insta::assert_snapshot!("help_of_verbs", all);
}

/// Whether a program is on this machine.
fn is_here(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|ran| ran.status.success())
}

/// Runs a program and panics, with all it printed, unless it exits 0; returns what it printed.
fn output(program: &str, arguments: &[&str]) -> String {
    let ran = Ran::of(Command::new(program).args(arguments).env("MANPAGER", "cat").output().expect("it runs"));
    assert_eq!(ran.code, Some(0), "{program} {arguments:?}\n{}\n{}", ran.out, ran.err);
    ran.out
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let directory = tempfile::tempdir().expect("a directory");
    let verbs = listed(&provision(&root(), &["--help"]).out);
    for (shell, check) in
        [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"]), ("elvish", &[]), ("powershell", &[])]
    {
        let script = provision(&root(), &["completions", shell]);
        assert_eq!(script.code, Some(0), "{}", script.err);
        let missing: Vec<&String> = verbs.iter().filter(|verb| !script.out.contains(verb.as_str())).collect();
        assert!(missing.is_empty(), "{shell}: {missing:?}");
        let path = directory.path().join(shell);
        std::fs::write(&path, &script.out).expect("it is written");
        let path = path.to_str().expect("a path in UTF-8");
        if !check.is_empty() && (shell == "bash" || is_here(shell)) {
            output(shell, &[check, &[path]].concat());
            println!("{shell} reads its script");
        }
    }
    // What bash offers after `provision pl`.
    let script = directory.path().join("bash");
    let ask = format!(
        "source {}; COMP_WORDS=(provision pl); COMP_CWORD=1; _provision provision pl provision; echo \"${{COMPREPLY[*]}}\"",
        script.display()
    );
    assert_eq!(output("bash", &["--norc", "-c", &ask]).trim(), "plan");
    assert_eq!(provision(&root(), &["completions", "tcsh"]).code, Some(2));
}

#[test]
fn man_pages_of_every_verb() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages = directory.path().join("man1");
    let pages = pages.to_str().expect("a path in UTF-8");
    let written = provision(&root(), &["man", pages]);
    assert_eq!(written.code, Some(0), "{}", written.err);
    let verbs = listed(&provision(&root(), &["--help"]).out);
    for verb in &verbs {
        let path = format!("{pages}/provision-{verb}.1");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for section in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS"] {
            assert!(text.contains(section), "{path} has no {section}");
        }
        let has_own = std::fs::read_dir(pages).expect("a directory").flatten().any(|entry| {
            entry.file_name().to_str().is_some_and(|name| name.starts_with(&format!("provision-{verb}-")))
        });
        assert!(has_own || text.contains("Example: provision"), "{path} has no example");
    }
    let whole = format!("{pages}/provision.1");
    for (reader, arguments) in [("man", &["-l", "--warnings=w"][..]), ("mandoc", &["-T", "lint", "-W", "error"])] {
        if is_here(reader) {
            let shown = output(reader, &[arguments, &[&whole]].concat());
            assert!(reader != "man" || verbs.iter().all(|verb| shown.contains(verb.as_str())), "{shown}");
            println!("{reader} reads the pages of {} verbs", verbs.len());
        }
    }
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let refused = provision(&root(), &["man", file.to_str().expect("a path in UTF-8")]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
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
