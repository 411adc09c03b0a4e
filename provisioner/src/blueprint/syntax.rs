//! Mistakes of TOML itself.

use std::ops::Range;

use toml::de::Error;

use super::findings::Finding;

/// The syntax errors as findings, one a line, with those of `others` that a broken line cannot have caused.
pub(super) fn beside(text: &str, errors: &[Error], others: Vec<Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut broken: Vec<Range<usize>> = Vec::new();
    let span = |error: &Error| error.span().unwrap_or(text.len()..text.len());
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| span(error).start);
    for error in errors {
        let span = span(error);
        let line = line(text, span.start);
        // One slip often breaks the rest of its line too.
        if !broken.contains(&line) {
            findings.push(finding(text, error.message(), span));
            broken.push(line);
        }
    }
    let header = broken.iter().any(|line| text[line.clone()].trim_start().starts_with('['));
    let caused = |other: &Finding| {
        // What seems missing, or seems not to fit, may stand in the line that could not be read; what seems unknown,
        // below a header that could not be read.
        matches!(other.code, "missing_key" | "missing_section" | "needs_section" | "conflict")
            || (header && other.code.starts_with("unknown"))
            || broken.iter().any(|line| line.start <= other.span.start && other.span.start <= line.end)
    };
    findings.extend(others.into_iter().filter(|other| !caused(other)));
    findings
}

fn finding(text: &str, message: &str, span: Range<usize>) -> Finding {
    let mut message = message.replace(", expected nothing", "");
    if span.is_empty() && message.starts_with("string values must be quoted") {
        "the value is missing".clone_into(&mut message);
    }
    let token = text.get(span.clone()).unwrap_or_default().trim();
    let help = HELP
        .iter()
        .find(|(part, _)| message.contains(part))
        .map_or("write `key = value` on a line of its own, text in double quotes", |(_, help)| *help);
    let help = match token {
        "True" | "False" | "TRUE" | "FALSE" | "yes" | "no" | "on" | "off" => "write `true` or `false`".to_owned(),
        _ => help.to_owned(),
    };
    let short = !token.is_empty() && token.len() <= 40 && !message.contains('`') && !token.contains('\n');
    let message = if short { format!("{message}: `{token}`") } else { message };
    Finding { code: "syntax", message, help, span, line: 0, column: 0 }
}

/// What to do, by what the parser says. The first that fits counts.
const HELP: &[(&str, &str)] = &[
    ("string values must be quoted", "put text in double quotes; numbers and switches stand without any, alone"),
    ("duplicate key", "a section or a key can stand once: keep one of them"),
    ("unclosed table", "close the section's name: `[name]`"),
    ("comma", "put a comma between the items of a list, and `]` behind the last"),
    ("array", "close the list with `]`"),
    ("escape", "in double quotes a backslash begins an escape: double it, or use single quotes"),
    ("string", "close the text, on its own line, with the quote that it begins with"),
    ("key with no value", "write `key = value`"),
    ("leading zero", "leave the zero in front out, or put the value in quotes"),
    ("unquoted key", "a key is made of letters, digits, `-` and `_`; `=` follows it; a comment begins with `#`"),
    ("unexpected key or value", "only one key stands on a line: put the next one below"),
    ("boolean", "write `true` or `false`"),
    ("float", "write a whole number, or text in double quotes"),
    ("integer", "write a whole number, or text in double quotes"),
    ("recurs", "nothing in a blueprint is nested so deep: take the brackets away"),
];

fn line(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    start..end
}
