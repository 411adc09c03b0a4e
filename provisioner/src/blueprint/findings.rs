//! What is wrong with a blueprint: every mistake, each with its place and its fix.

use std::fmt::Display;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

/// One mistake in a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Finding {
    /// What sort of mistake, stable: `syntax`, `unknown_key`, `wrong_type`, ...
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Where: bytes of the file.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(format!("blueprint::{}", self.code)))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::underline(self.span.clone()))))
    }
}

/// Every mistake of one blueprint, in the order of the file.
///
/// `Display` is the summary. As a [`Diagnostic`] it shows each finding with its lines; [`BlueprintErrors::render`]
/// does so by itself, and [`BlueprintErrors::lines`] gives one line a finding.
#[derive(Debug, thiserror::Error)]
#[error("{file} has {}", count(findings.len()))]
pub struct BlueprintErrors {
    /// The file's name as it was given.
    pub file: String,
    /// The mistakes; never empty.
    pub findings: Vec<Finding>,
    text: NamedSource<String>,
}

impl BlueprintErrors {
    /// `findings` hold a span each; line and column are worked out here, and the order is the file's.
    pub(super) fn new(file: &str, text: &str, mut findings: Vec<Finding>) -> Self {
        let starts = line_starts(text);
        for finding in &mut findings {
            finding.span = within(text, &finding.span);
            (finding.line, finding.column) = line_and_column(text, &starts, finding.span.start);
        }
        findings.sort_by(|a, b| (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message)));
        findings.dedup();
        let text = NamedSource::new(file, text.to_owned()).with_language("TOML");
        Self { file: file.to_owned(), findings, text }
    }

    /// The whole report for people: each finding under its lines, with colours or without.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text,
            Err(_) => self.lines(),
        }
    }

    /// One line a finding, as compilers write them: `file:line:column: message; help`.
    pub fn lines(&self) -> String {
        let line = |f: &Finding| format!("{}:{}:{}: {}; {}\n", self.file, f.line, f.column, f.message, f.help);
        self.findings.iter().map(line).collect()
    }
}

impl Diagnostic for BlueprintErrors {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().map(|finding| finding as &dyn Diagnostic)))
    }
}

fn count(findings: usize) -> String {
    if findings == 1 { "1 mistake".to_owned() } else { format!("{findings} mistakes") }
}

/// The span cut to the text, on character boundaries.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end).max(start);
    start..end
}

/// Where each line starts.
fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
}

/// Line and column, from 1, of the character at byte `at`.
fn line_and_column(text: &str, starts: &[usize], at: usize) -> (usize, usize) {
    let line = starts.partition_point(|start| *start <= at);
    let start = starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
    // A byte order mark is there, but nobody sees it.
    let seen = text[start..at].chars().filter(|c| *c != '\u{feff}').count();
    (line, seen + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let text = "a = 1\nö = 2\n";
        let starts = line_starts(text);
        assert_eq!(line_and_column(text, &starts, 0), (1, 1));
        assert_eq!(line_and_column(text, &starts, 6), (2, 1));
        assert_eq!(line_and_column(text, &starts, 9), (2, 3));
        assert_eq!(line_and_column(text, &starts, text.len()), (3, 1));
    }

    #[test]
    fn a_span_inside_a_character_or_past_the_end_is_cut() {
        assert_eq!(within("ö", &(1..9)), 0..2);
        assert_eq!(within("", &(5..7)), 0..0);
    }
}
