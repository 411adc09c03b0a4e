//! `[tags]`

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::blueprint::problem::{Problem, kind};
use crate::blueprint::reader::Section;

/// AWS takes 50 a resource; the rest is the stack's own.
const MOST: usize = 40;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
const RESERVED: &[&str] = &["aws:", "rds:", "provision:"];

/// Reads it; a tag that is wrong is noted and left out.
pub fn read(section: &mut Section<'_, '_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let entries: Vec<_> = section.entries().collect();
    if entries.len() > MOST {
        let problem = Problem::new(
            "too_many",
            format!("[tags] has {} tags", entries.len()),
            format!("use at most {MOST}: AWS takes 50 a resource, and the stack needs some of its own"),
        );
        let place = section.notes().place("tags");
        section.notes().add("tags", place, problem);
    }
    for (key, key_span, given) in entries {
        if let Err(problem) = check_key(key) {
            section.notes().add(&given.path, key_span, problem);
        }
        match check_value(key, given.value) {
            Ok(value) => {
                tags.insert(key.to_owned(), value);
            }
            Err(problem) => section.notes().add(&given.path, given.span, problem),
        }
    }
    tags
}

fn check_key(key: &str) -> Result<(), Problem> {
    let lower = key.to_lowercase();
    if let Some(prefix) = RESERVED.iter().find(|prefix| lower.starts_with(**prefix)) {
        let help = format!("`{prefix}` is reserved; choose another beginning");
        return Err(Problem::new("reserved", format!("a tag cannot be called {key:?}"), help));
    }
    check_text("a tag's name", key, LONGEST_KEY)
}

fn check_value(key: &str, value: &DeValue<'_>) -> Result<String, Problem> {
    let DeValue::String(text) = value else {
        let help = match value {
            DeValue::Integer(number) => format!("put it in quotes: `{key} = \"{}\"`", number.as_str()),
            DeValue::Boolean(on) => format!("put it in quotes: `{key} = \"{on}\"`"),
            DeValue::Table(_) => "put a name with dots in quotes: `\"team.name\" = \"...\"`".to_owned(),
            _ => "write it as text in quotes".to_owned(),
        };
        return Err(Problem::new("wrong_type", format!("the tag {key:?} must be text, not {}", kind(value)), help));
    };
    check_text("a tag's value", text, LONGEST_VALUE)?;
    Ok(text.to_string())
}

fn check_text(what: &str, text: &str, longest: usize) -> Result<(), Problem> {
    let length = text.chars().count();
    if length == 0 || length > longest {
        let message =
            if length == 0 { format!("{what} is empty") } else { format!("{what} is {length} characters long") };
        return Err(Problem::new("too_long", message, format!("use 1 to {longest} characters")));
    }
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        let help = "some AWS services refuse it: use letters, digits, spaces and _ . : / = + - @";
        return Err(Problem::malformed(format!("{what} cannot contain {bad:?}"), help));
    }
    if text.trim() != text {
        return Err(Problem::malformed(format!("{what} begins or ends with a space"), "take the space away"));
    }
    Ok(())
}
