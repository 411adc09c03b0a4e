//! What every verb is held to: an example that parses, and a line in the README.

use clap::{Command, CommandFactory, Parser};

use super::Cli;

const README: &str = include_str!("../../../README.md");

/// Calls `found` with every command that can be run and the words that name it: `assets push`.
fn leaves(command: &Command, words: &str, found: &mut impl FnMut(&str, &Command)) {
    let below = command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    for verb in below {
        let words = format!("{words} {}", verb.get_name()).trim().to_owned();
        if verb.has_subcommands() {
            leaves(verb, &words, found);
        } else {
            found(&words, verb);
        }
    }
}

/// The words of a line of shell up to a pipe or a redirection.
fn words(example: &str) -> Vec<&str> {
    example.split_whitespace().take_while(|word| !["|", ">", "&&"].contains(word)).collect()
}

#[test]
fn every_verb_has_an_example_that_parses() {
    let mut wrong = Vec::new();
    let mut count = 0;
    leaves(&Cli::command(), "", &mut |verb, command| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().filter_map(|line| line.trim().strip_prefix("Example: ")).collect();
        if examples.is_empty() {
            wrong.push(format!("{verb}: no line of its after_help begins with `Example: `"));
        }
        for example in examples {
            count += 1;
            if !example.starts_with(&format!("provision {verb}")) {
                wrong.push(format!("{verb}: its example is of something else: {example}"));
            }
            if let Err(error) = Cli::try_parse_from(words(example)) {
                wrong.push(format!("{verb}: {example}\n{error}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{count} examples parse");
}

#[test]
fn every_verb_is_in_the_readme() {
    let table = README.split("## The verbs").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("its table");
    let named: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let has = |verb: &str| named.iter().any(|cell| cell.contains(&format!("`{verb}`")));
    let command = Cli::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
    let missing: Vec<&str> = verbs.filter(|verb| !has(verb)).collect();
    assert!(missing.is_empty(), "no line in the README's table of verbs: {missing:?}");
}
