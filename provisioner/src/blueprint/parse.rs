//! TOML text -> blueprint, or every mistake in it.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::findings::{BlueprintErrors, Finding};
use super::model::Blueprint;
use super::problem::{Problem, unknown_sections};
use super::reader::{Notes, Section};
use super::sections::{alarms, assets, cache, database, domain, log, network, servers, stack, tags};
use super::{rules, syntax};

/// Reads and checks the blueprint in the file at `path`.
pub fn load(path: &Path) -> Result<Blueprint, BlueprintErrors> {
    let name = path.display().to_string();
    let unreadable = |text: &str, message: String, help: String, span| {
        let finding = Finding { code: "unreadable", message, help, span, line: 0, column: 0 };
        BlueprintErrors::new(&name, text, vec![finding])
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::IsADirectory => "name the file in it".to_owned(),
            std::io::ErrorKind::PermissionDenied => "let yourself read it, or name another file".to_owned(),
            _ => format!("name a file that is there, or write one: `provision init {name}`"),
        };
        unreadable("", format!("it cannot be read: {error}"), help, 0..0)
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => parse(&name, &text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let message = "it is not UTF-8 text".to_owned();
            Err(unreadable(&text, message, "save the file as UTF-8".to_owned(), at..at + 1))
        }
    }
}

/// Checks the blueprint `text`. `file_name` is for the messages.
pub fn parse(file_name: &str, text: &str) -> Result<Blueprint, BlueprintErrors> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut notes = Notes::default();
    let blueprint = read(root.get_ref(), &mut notes);
    let mut findings = notes.findings;
    if !errors.is_empty() {
        findings = syntax::beside(text, &errors, findings);
    }
    if findings.is_empty() { Ok(blueprint) } else { Err(BlueprintErrors::new(file_name, text, findings)) }
}

fn read(root: &DeTable<'_>, notes: &mut Notes) -> Blueprint {
    unknown_sections(root, notes);
    let there = |name: &str| {
        root.iter().any(|(key, value)| key.get_ref() == name && matches!(value.get_ref(), DeValue::Table(_)))
    };
    let stack = match Section::open("stack", root, notes) {
        Some(mut section) => Some(stack::read(&mut section)),
        None => {
            if !there("stack") && !notes.given("stack") {
                let help = "add [stack] with `name`, `environment` and `region`";
                notes.add("stack", 0..0, Problem::new("missing_section", "there is no [stack]", help));
            }
            None
        }
    };
    let mut blueprint = Blueprint::empty("", "", "");
    if let Some(stack) = stack {
        blueprint.stack = stack;
    }
    let region = blueprint.stack.region.clone();
    blueprint.network =
        Section::open("network", root, notes).map(|mut s| network::read(&mut s, &region, there("servers")));
    blueprint.database = Section::open("database", root, notes).map(|mut s| database::read(&mut s));
    blueprint.cache = Section::open("cache", root, notes).map(|mut s| cache::read(&mut s));
    blueprint.log = Section::open("log", root, notes).map(|mut s| log::read(&mut s));
    blueprint.servers = Section::open("servers", root, notes).map(|mut s| servers::read(&mut s, there("domain")));
    blueprint.assets = Section::open("assets", root, notes).map(|mut s| assets::read(&mut s));
    blueprint.domain =
        Section::open("domain", root, notes).map(|mut s| domain::read(&mut s, there("servers"), there("assets")));
    blueprint.alarms = Section::open("alarms", root, notes).map(|mut s| alarms::read(&mut s));
    blueprint.tags = Section::open("tags", root, notes).map(|mut s| tags::read(&mut s)).unwrap_or_default();
    rules::check(&blueprint, notes);
    blueprint
}
