//! Reads values from text and remembers what was wrong with them.

use std::{fmt, str::FromStr, time::Duration};

use serde::de::DeserializeOwned;

/// Reads variables and collects what is wrong with them.
pub(super) struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, problems: Vec::new() }
    }

    /// What was wrong.
    pub(super) fn finish(self) -> Vec<String> {
        self.problems
    }

    /// Empty is as good as unset.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn wrong(&mut self, name: &str, message: impl fmt::Display) {
        self.problems.push(format!("{name}: {message}"));
    }

    pub(super) fn required(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.wrong(name, "must be set with GAME_STORE=aws");
            String::new()
        })
    }

    pub(super) fn parsed<T: FromStr>(&mut self, name: &str, must_be: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.wrong(name, format_args!("{text:?} is not {must_be}"));
        }
        value
    }

    pub(super) fn number<T: FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let Some(value) = self.parsed::<T>(name, &format!("a number from {least} to {most}")) else { return default };
        if value < least || value > most {
            self.wrong(name, format_args!("{value} is not from {least} to {most}"));
            return default;
        }
        value
    }

    pub(super) fn seconds(&mut self, name: &str, default: u64, most: u64) -> Duration {
        Duration::from_secs(self.number(name, default, 0, most))
    }

    pub(super) fn tls(&mut self, name: &str) -> bool {
        match self.text(name).as_deref() {
            None | Some("required") => true,
            Some("off") => false,
            Some(other) => {
                self.wrong(name, format_args!("{other:?} is neither `required` nor `off`"));
                true
            }
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        match serde_json::from_str(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(name, format_args!("is not the JSON expected: {error}"));
                None
            }
        }
    }
}
