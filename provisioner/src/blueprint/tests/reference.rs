//! The reference page says what the schema says.

use std::collections::BTreeSet;

use crate::blueprint::schema::{Absent, Key, SECTIONS, Takes};

const PAGE: &str = include_str!("../../../../docs/blueprint.md");

/// The first cells of a key's row.
fn row(key: &Key) -> String {
    let takes = match key.takes {
        Takes::Text(what) => what.to_owned(),
        Takes::Boolean => "`true` or `false`".to_owned(),
        Takes::Integer(min, max) => format!("{min} to {max}"),
        Takes::OneOf(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Takes::OneOfIntegers(numbers) => numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
        Takes::Zones(max) => format!("1 to {max}, or a list of names"),
    };
    let absent = match key.absent {
        Absent::Required => "required".to_owned(),
        Absent::Default(value) => format!("`{value}`"),
        Absent::Otherwise(words) => words.to_owned(),
    };
    format!("| `{}` | {takes} | {absent} |", key.name)
}

/// The part of the page below the section's heading.
fn part(path: &str) -> &'static str {
    let heading = format!("## `[{path}]`");
    let start = PAGE.find(&heading).unwrap_or_else(|| panic!("the page lacks the heading {heading}"));
    let rest = &PAGE[start + heading.len()..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

#[test]
fn every_key_has_its_row() {
    let missing: Vec<String> = SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(|key| (section.path, row(key))))
        .filter(|(path, row)| {
            !part(path).lines().any(|line| line.starts_with(row.as_str()) && line.len() > row.len() + 5)
        })
        .map(|(path, row)| format!("[{path}] {row}"))
        .collect();
    assert!(missing.is_empty(), "docs/blueprint.md lacks, with words about it:\n{}", missing.join("\n"));
}

#[test]
fn no_row_is_about_a_key_that_is_not_there() {
    for section in SECTIONS {
        let keys: BTreeSet<&str> = section.keys.iter().map(|key| key.name).collect();
        let rows = part(section.path).lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        for name in rows {
            assert!(keys.contains(name), "docs/blueprint.md has `{name}` in [{}]", section.path);
        }
    }
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("## `[")?.strip_suffix("]`"));
    for path in headings {
        assert!(SECTIONS.iter().any(|section| section.path == path), "there is no section [{path}]");
    }
}
