//! Reads typed values out of a parsed TOML table, and notes what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::Finding;
use super::problem::{Problem, kind, not_one_of, unknown_key, whole, wrong_type};
use super::schema::{self, Absent, Key, Takes};

/// What has been found so far, and where everything is.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub findings: Vec<Finding>,
    spans: BTreeMap<String, Range<usize>>,
    bad: BTreeSet<String>,
}

impl Notes {
    /// Notes a problem of the value (or section) at `path`, at `span`.
    pub fn add(&mut self, path: &str, span: Range<usize>, problem: Problem) {
        self.bad.insert(path.to_owned());
        let Problem { code, message, help } = problem;
        self.findings.push(Finding { code, message, help, span, line: 0, column: 0 });
    }

    /// Where the value at `path` is; where it is left out, its section; else the start of the file.
    pub fn place(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return span.clone();
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return 0..0,
            }
        }
    }

    /// Whether the file itself says something at `path`.
    pub fn given(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }

    /// Checks something that several values must meet together; points at the first path. Nothing is said where one
    /// of them is wrong by itself already.
    pub fn rule(&mut self, paths: &[&str], met: bool, problem: impl FnOnce() -> Problem) {
        let Some(first) = paths.first() else { return };
        if !met && !paths.iter().any(|path| self.bad.contains(*path)) {
            self.add(first, self.place(first), problem());
        }
    }
}

/// A section that is being read.
pub(super) struct Section<'a, 't> {
    path: &'static str,
    table: &'a DeTable<'t>,
    notes: &'a mut Notes,
}

/// A value in the file.
pub(super) struct Given<'a, 't> {
    pub path: String,
    pub span: Range<usize>,
    pub value: &'a DeValue<'t>,
}

impl<'a, 't> Section<'a, 't> {
    /// The table `name` of `parent` as the section at `path`, if it is there and a table. Unknown keys are noted.
    pub fn open(path: &'static str, parent: &'a DeTable<'t>, notes: &'a mut Notes) -> Option<Self> {
        let name = path.rsplit('.').next().unwrap_or(path);
        let (key, value) = find(parent, name)?;
        notes.spans.insert(path.to_owned(), key.span());
        let DeValue::Table(table) = value.get_ref() else {
            let problem = Problem::new(
                "wrong_type",
                format!("`{path}` must be a section, not {}", kind(value.get_ref())),
                format!("write `[{path}]` on a line of its own and its keys below it"),
            );
            notes.add(path, key.span(), problem);
            return None;
        };
        let section = schema::SECTIONS.iter().find(|section| section.path == path);
        let keys: &'static [&'static Key] = section.map_or(&[], |section| section.keys);
        if !keys.is_empty() {
            for (key, _) in table {
                unknown_key(path, keys, key, notes);
            }
        }
        Some(Self { path, table, notes })
    }

    /// The section inside this one.
    pub fn inner(&mut self, path: &'static str) -> Option<Section<'_, 't>> {
        Section::open(path, self.table, self.notes)
    }

    /// The notes.
    pub fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    /// Every entry, for a section with free keys.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, Given<'a, 't>)> + use<'a, 't> {
        let path = self.path;
        self.table.iter().map(move |(key, value)| {
            let given = Given { path: format!("{path}.{}", key.get_ref()), span: value.span(), value: value.get_ref() };
            (key.get_ref().as_ref(), key.span(), given)
        })
    }

    /// The value of `key`, noted as given; a required one that is missing is a finding.
    pub fn given(&mut self, key: &Key) -> Option<Given<'a, 't>> {
        let path = format!("{}.{}", self.path, key.name);
        if let Some((_, value)) = find(self.table, key.name) {
            self.notes.spans.insert(path.clone(), value.span());
            return Some(Given { path, span: value.span(), value: value.get_ref() });
        }
        if key.absent == Absent::Required {
            let problem = Problem::new(
                "missing_key",
                format!("[{}] lacks `{}`", self.path, key.name),
                format!("add `{} = {}`", key.name, key.example),
            );
            let place = self.notes.place(&path);
            self.notes.add(&path, place, problem);
        }
        None
    }

    /// Text that `check` turns into what it stands for. `None` where it is left out or wrong.
    pub fn text<T>(&mut self, key: &Key, check: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        let given = self.given(key)?;
        let outcome = match given.value {
            DeValue::String(text) => check(text.as_ref()),
            other => Err(wrong_type(key, other)),
        };
        outcome.map_err(|problem| self.notes.add(&given.path, given.span, problem)).ok()
    }

    /// A switch.
    pub fn boolean(&mut self, key: &Key) -> Option<bool> {
        let given = self.given(key)?;
        match given.value {
            DeValue::Boolean(value) => Some(*value),
            other => {
                self.notes.add(&given.path, given.span, wrong_type(key, other));
                None
            }
        }
    }

    /// A whole number in the key's range (or list).
    pub fn integer<T: TryFrom<i64>>(&mut self, key: &Key) -> Option<T> {
        let given = self.given(key)?;
        match whole(key, given.value) {
            Ok(number) => T::try_from(number).ok(),
            Err(problem) => {
                self.notes.add(&given.path, given.span, problem);
                None
            }
        }
    }

    /// One of the key's words, turned into what it stands for by its place in the list.
    pub fn choice<T: Copy>(&mut self, key: &Key, meanings: &[T]) -> Option<T> {
        let Takes::OneOf(words) = key.takes else { return None };
        self.text(key, |text| {
            let found = words.iter().position(|word| *word == text).and_then(|at| meanings.get(at)).copied();
            found.ok_or_else(|| not_one_of(key.name, text, words))
        })
    }
}

fn find<'a, 't>(
    table: &'a DeTable<'t>,
    name: &str,
) -> Option<(&'a Spanned<std::borrow::Cow<'t, str>>, &'a Spanned<DeValue<'t>>)> {
    table.iter().find(|(key, _)| key.get_ref().as_ref() as &str == name)
}
