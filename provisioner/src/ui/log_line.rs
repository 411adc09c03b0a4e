//! A line of the servers' log for people: time, instance, level, message, fields.

use std::fmt::Write;

use owo_colors::{AnsiColors, OwoColorize};

use crate::engine::log_line::{Level, LogLine, Record};

/// Instances are told apart by these.
const COLORS: [AnsiColors; 5] =
    [AnsiColors::Cyan, AnsiColors::Magenta, AnsiColors::Blue, AnsiColors::Green, AnsiColors::BrightCyan];

/// One line, without its end.
pub fn render(line: &LogLine) -> String {
    let color = COLORS[line.instance.bytes().map(usize::from).sum::<usize>() % COLORS.len()];
    let at = line.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut text = format!("{} {} ", at.dimmed(), line.instance.color(color));
    match line.record() {
        Some(record) => of_record(&mut text, &record),
        None => text.push_str(&one_line(&line.text)),
    }
    text
}

fn of_record(text: &mut String, record: &Record) {
    let _ = match record.level {
        Some(Level::Error) => write!(text, "{}", "ERROR".red().bold()),
        Some(Level::Warn) => write!(text, "{}", "WARN ".yellow().bold()),
        Some(level) => write!(text, "{}", format!("{:<5}", level.as_str()).dimmed()),
        None => write!(text, "     "),
    };
    if !record.message.is_empty() {
        let _ = write!(text, " {}", one_line(&record.message));
    }
    for (name, value) in &record.fields {
        let value = one_line(value);
        let quoted = value.is_empty() || value.contains([' ', '"']);
        let value = if quoted { format!("{value:?}") } else { value };
        let _ = write!(text, " {}{value}", format!("{name}=").dimmed());
    }
}

/// What a player sends may be in it: nothing that breaks the line or moves the cursor is written to a terminal.
fn one_line(text: &str) -> String {
    text.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let at = "2026-05-04T03:02:01.5Z".parse().expect("a time");
        let line = LogLine { id: "1".into(), at, instance: "i-0abc".into(), text: text.into() };
        anstream::adapter::strip_str(&render(&line)).to_string()
    }

    #[test]
    fn lines_for_people() {
        let request = r#"{"timestamp":"2026-05-04T03:02:01.5Z","level":"INFO","message":"answered","status":200,
            "client":"127.0.0.1","target":"game_server","span":{"name":"request","route":"/v1/users/{id}"}}"#;
        let lines = [
            shown(request),
            shown(r#"{"level":"ERROR","message":"lost\u001b[2J the\ndatabase","reason":"it is \"gone\" now"}"#),
            shown(r#"{"level":"WARN","empty":""}"#),
            shown("thread 'main' panicked at src/main.rs\n"),
        ];
        insta::assert_snapshot!("lines_for_people", lines.join("\n"));
    }
}
