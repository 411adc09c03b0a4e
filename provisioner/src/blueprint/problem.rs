//! What can be wrong with a value, in words that say what to do.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Notes;
use super::schema::{self, Key, Takes};
use super::suggest::{closest, listed};

/// What is wrong with a value, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub code: &'static str,
    pub message: String,
    pub help: String,
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into() }
    }

    /// A value that is not written as such a thing is.
    pub fn malformed(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new("malformed", message, help)
    }
}

/// The whole number that `value` must be.
pub(super) fn whole(key: &Key, value: &DeValue<'_>) -> Result<i64, Problem> {
    let DeValue::Integer(integer) = value else { return Err(wrong_type(key, value)) };
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
    let out = |help: String| {
        let shown = number.map_or_else(|| integer.as_str().to_owned(), |n| n.to_string());
        Problem::new("out_of_range", format!("`{}` cannot be {shown}", key.name), help)
    };
    match (key.takes, number) {
        (Takes::Integer(min, max), Some(number)) if (min..=max).contains(&number) => Ok(number),
        (Takes::Integer(min, max), _) => Err(out(format!("choose a number from {min} to {max}"))),
        (Takes::OneOfIntegers(list), Some(n)) if list.iter().any(|allowed| i64::from(*allowed) == n) => Ok(n),
        (Takes::OneOfIntegers(list), _) => {
            let near = number.and_then(|n| list.iter().min_by_key(|allowed| i64::from(**allowed).abs_diff(n)));
            let near = near.map_or_else(String::new, |near| format!("; the nearest is {near}"));
            let list: Vec<String> = list.iter().map(u16::to_string).collect();
            Err(out(format!("choose one of {}{near}", list.join(", "))))
        }
        (Takes::Zones(max), Some(n)) if (1..=i64::from(max)).contains(&n) => Ok(n),
        (Takes::Zones(max), _) => Err(out(format!("choose a number from 1 to {max}, or list the zones' names"))),
        (_, number) => number.ok_or_else(|| out("choose a smaller number".to_owned())),
    }
}

/// The problem of a value of another type.
pub(super) fn wrong_type(key: &Key, value: &DeValue<'_>) -> Problem {
    let name = key.name;
    let (want, help) = match (key.takes, value) {
        (Takes::Boolean, DeValue::String(_)) => ("`true` or `false`", format!("write `{name} = true` without quotes")),
        (Takes::Boolean, _) => ("`true` or `false`", format!("write `{name} = true` or `{name} = false`")),
        (Takes::Integer(..) | Takes::OneOfIntegers(_), DeValue::String(text)) if text.parse::<i64>().is_ok() => {
            ("a whole number", format!("write `{name} = {text}` without quotes"))
        }
        (Takes::Integer(..) | Takes::OneOfIntegers(_), _) => {
            ("a whole number", format!("write for example `{name} = {}`", key.example))
        }
        (Takes::Zones(_), _) => ("a number or a list of zone names", format!("write for example `{name} = 3`")),
        (_, DeValue::Integer(n)) => ("text", format!("put it in quotes: `{name} = \"{}\"`", n.as_str())),
        (_, DeValue::Float(n)) => ("text", format!("put it in quotes: `{name} = \"{}\"`", n.as_str())),
        _ => ("text", format!("write for example `{name} = {}`", key.example)),
    };
    Problem::new("wrong_type", format!("`{name}` must be {want}, not {}", kind(value)), help)
}

/// The problem of a word that is none of `words`.
pub(super) fn not_one_of(name: &str, text: &str, words: &[&str]) -> Problem {
    let meant = closest(text, words.iter().copied());
    let meant = meant.map_or_else(String::new, |word| format!("did you mean `{word}`? "));
    let help = format!("{meant}It takes {}", listed(words.iter().copied()));
    Problem::new("not_one_of", format!("`{name}` cannot be {text:?}"), help)
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a switch (true or false)",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// Notes the tables and keys at the top of the file that are no sections.
pub(super) fn unknown_sections(root: &DeTable<'_>, notes: &mut Notes) {
    for (key, value) in root {
        let name: &str = key.get_ref();
        if schema::tables("").any(|section| section == name) {
            continue;
        }
        let homes = schema::homes(name);
        let problem = if !homes.is_empty() && !value.get_ref().is_table() {
            let help = format!("put it below {}", sections(&homes));
            Problem::new("unknown_key", format!("`{name}` stands outside its section"), help)
        } else {
            let help = match closest(name, schema::tables("")) {
                Some(meant) => format!("did you mean `[{meant}]`?"),
                None => format!("the sections are {}", listed(schema::tables(""))),
            };
            Problem::new("unknown_section", format!("there is no section `{name}`"), help)
        };
        notes.add(name, key.span(), problem);
    }
}

/// Notes a key that its section does not have.
pub(super) fn unknown_key(path: &str, keys: &[&Key], key: &Spanned<std::borrow::Cow<'_, str>>, notes: &mut Notes) {
    let name: &str = key.get_ref();
    let known = || keys.iter().map(|key| key.name).chain(schema::tables(path));
    if known().any(|known| known == name) {
        return;
    }
    let homes = schema::homes(name);
    let help = if let Some(meant) = closest(name, known()) {
        format!("did you mean `{meant}`?")
    } else if homes.is_empty() {
        format!("the keys of [{path}] are {}", listed(known()))
    } else {
        format!("it belongs in {}", sections(&homes))
    };
    let problem = Problem::new("unknown_key", format!("[{path}] has no key `{name}`"), help);
    notes.add(&format!("{path}.{name}"), key.span(), problem);
}

fn sections(paths: &[&str]) -> String {
    paths.iter().map(|path| format!("[{path}]")).collect::<Vec<_>>().join(" or ")
}
