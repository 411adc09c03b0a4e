//! Why an instance is not well, in its own words: its stream in the servers' log group, and its console.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::kinds::{Cx, log_group};

/// So many lines of each source are shown.
const LINES: usize = 8;
/// So many of the newest events are read to find them.
const EVENTS: i32 = 200;

/// What an instance said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The instance.
    pub instance: String,
    /// `log` (its stream in CloudWatch Logs) or `console`.
    pub source: &'static str,
    /// The last lines that say that something is wrong; of a console the last lines.
    pub lines: Vec<String>,
}

/// What an instance's own log says is wrong, and where it says nothing, the end of its console. What cannot be had is left
/// out: this is told beside a failure, and must not hide it.
pub async fn of_instance(cx: &Cx, instance: &str) -> Option<Evidence> {
    let (source, lines) = match troubles(cx, instance).await {
        lines if lines.is_empty() => ("console", console(cx, instance).await),
        lines => ("log", lines),
    };
    Some(Evidence { instance: instance.to_owned(), source, lines }).filter(|evidence| !evidence.lines.is_empty())
}

async fn troubles(cx: &Cx, instance: &str) -> Vec<String> {
    let request = cx.aws.logs.get_log_events().log_group_name(log_group::servers_name(&cx.stack));
    let Ok(answer) = request.log_stream_name(instance).start_from_head(false).limit(EVENTS).send().await else {
        return Vec::new();
    };
    let lines = answer.events().iter().filter_map(|event| trouble(event.message()?));
    last_of(lines.collect())
}

/// A line of the server's log in short, where it tells of a warning or an error.
fn trouble(line: &str) -> Option<String> {
    let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { return Some(line.trim().to_owned()) };
    let level = event["level"].as_str().unwrap_or_default();
    if !["WARN", "ERROR"].contains(&level) {
        return None;
    }
    let field = |name: &str| event["fields"][name].as_str().or(event[name].as_str());
    let message = field("message").unwrap_or_default();
    let more = ["what", "error"].map(field).into_iter().flatten();
    Some(std::iter::once(message).chain(more).collect::<Vec<_>>().join(": "))
}

async fn console(cx: &Cx, instance: &str) -> Vec<String> {
    let ask = |latest: bool| cx.aws.ec2.get_console_output().instance_id(instance).set_latest(latest.then_some(true));
    // Only Nitro instances have their latest output; the others what they said when they booted.
    let answer = match ask(true).send().await {
        Ok(answer) => Ok(answer),
        Err(_) => ask(false).send().await,
    };
    let output = answer.ok().and_then(|answer| BASE64_STANDARD.decode(answer.output?).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    last_of(text.lines().filter(|line| !line.trim().is_empty()).filter_map(trouble).collect())
}

/// The last few lines, each of a repeated one once.
fn last_of(lines: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for line in lines.into_iter().rev() {
        if kept.len() < LINES && !kept.contains(&line) {
            kept.push(line);
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_is_told_in_short() {
        let line = r#"{"timestamp":"t","level":"WARN","fields":{"message":"not available yet; trying again","error":"no table","what":"stores"}}"#;
        assert_eq!(trouble(line).as_deref(), Some("not available yet; trying again: stores: no table"));
        let flat = r#"{"level":"ERROR","message":"the server stops","error":"cannot listen"}"#;
        assert_eq!(trouble(flat).as_deref(), Some("the server stops: cannot listen"));
        assert_eq!(trouble(r#"{"level":"INFO","message":"ready"}"#), None);
        assert_eq!(trouble("panicked at main.rs").as_deref(), Some("panicked at main.rs"));
    }

    #[test]
    fn what_is_said_again_and_again_is_told_once() {
        let lines = ["a", "b", "b", "c", "b"].map(str::to_owned).to_vec();
        assert_eq!(last_of(lines), ["a", "c", "b"]);
    }
}
