//! A line of the servers' log: what CloudWatch keeps, and what the server wrote into it.

use std::str::FromStr;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// One line as CloudWatch Logs has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// CloudWatch's id of it.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// The instance that wrote it.
    pub instance: String,
    /// What was written: a JSON object, if the server wrote it.
    pub text: String,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For those who look for a fault.
    Debug,
    /// What happens.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

const LEVELS: [(Level, &str); 5] = [
    (Level::Trace, "TRACE"),
    (Level::Debug, "DEBUG"),
    (Level::Info, "INFO"),
    (Level::Warn, "WARN"),
    (Level::Error, "ERROR"),
];

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        LEVELS.iter().find(|(_, name)| *name == text).map(|(level, _)| *level).ok_or(())
    }
}

impl Level {
    /// As the server writes it.
    pub fn as_str(self) -> &'static str {
        LEVELS.iter().find(|(level, _)| *level == self).map_or("", |(_, name)| name)
    }

    /// CloudWatch's filter for lines of this level or a higher one; `None` where that is every line.
    pub fn pattern(self) -> Option<String> {
        if self == Self::Trace {
            return None;
        }
        let wanted = LEVELS.iter().filter(|(level, _)| *level >= self);
        let tests: Vec<String> = wanted.map(|(_, name)| format!("$.level = \"{name}\"")).collect();
        Some(format!("{{ {} }}", tests.join(" || ")))
    }
}

/// What the server wrote: `timestamp`, `level`, `message`, fields, `target` and the span around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The level.
    pub level: Option<Level>,
    /// The message; empty where there is none.
    pub message: String,
    /// Name and value of each field, then of each of the span's.
    pub fields: Vec<(String, String)>,
}

impl LogLine {
    /// Reads one; `None` where CloudWatch leaves out what makes it one.
    pub fn of(event: FilteredLogEvent) -> Option<Self> {
        Some(Self {
            id: event.event_id?,
            at: Timestamp::from_millisecond(event.timestamp?).ok()?,
            instance: event.log_stream_name.unwrap_or_default(),
            text: event.message?,
        })
    }

    /// What was written, as JSON: the server's object, or a text.
    pub fn value(&self) -> Value {
        self.object().map_or_else(|| Value::String(self.text.clone()), Value::Object)
    }

    fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(&self.text).ok()
    }

    /// The server's record; `None` where it wrote something else.
    pub fn record(&self) -> Option<Record> {
        let mut object = self.object()?;
        let mut text = |name: &str| match object.remove(name) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let level = text("level").parse().ok();
        let message = text("message");
        for shown_elsewhere in ["timestamp", "target"] {
            object.remove(shown_elsewhere);
        }
        let span = match object.remove("span") {
            Some(Value::Object(span)) => span,
            _ => Map::new(),
        };
        let named = |(name, value): (String, Value)| (name, plain(&value));
        let around = span.into_iter().filter(|(name, _)| name != "name" && !name.starts_with("otel."));
        Some(Record { level, message, fields: object.into_iter().map(named).chain(around.map(named)).collect() })
    }

    /// Whether it is at least of this level. What is no record of the server's has none.
    pub fn is_at_least(&self, level: Level) -> bool {
        self.record().and_then(|record| record.level).is_some_and(|own| own >= level)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { id: "1".into(), at: Timestamp::UNIX_EPOCH, instance: "i-1".into(), text: text.into() }
    }

    #[test]
    fn a_record_has_its_fields_and_its_spans() {
        let text = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"WARN","message":"slow","millis":12,"client":"-",
            "target":"game_server::pool","span":{"request_id":"r1","name":"request","otel.kind":"server"}}"#;
        let record = line(text).record().expect("a record");
        assert_eq!((record.level, record.message.as_str()), (Some(Level::Warn), "slow"));
        let fields: Vec<String> = record.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["client=-", "millis=12", "request_id=r1"]);
        assert!(line(text).is_at_least(Level::Info) && !line(text).is_at_least(Level::Error));
    }

    #[test]
    fn what_is_no_record_is_text() {
        assert_eq!(line("panicked").record(), None);
        assert_eq!(line("panicked").value(), Value::String("panicked".into()));
        assert!(!line("panicked").is_at_least(Level::Trace));
    }

    #[test]
    fn cloudwatch_filters_levels() {
        assert_eq!(Level::Trace.pattern(), None);
        assert_eq!(Level::Warn.pattern().as_deref(), Some(r#"{ $.level = "WARN" || $.level = "ERROR" }"#));
    }
}
