//! `provision logs`

use std::ops::ControlFlow;

use jiff::{SpanRelativeTo, Timestamp, Unit};
use regex_lite::Regex;
use serde_json::json;

use super::{Exit, Outcome, Run, Which};
use crate::engine::log_line::{Level, LogLine};
use crate::engine::logs::{Query, Reader};
use crate::kinds::log_group;
use crate::ui::render_log_line;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision logs --stack game-dev --region eu-central-1 --follow --level warn")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Begin there: so long ago (`90s`, `10m`, `1h30m`, `2d`), or at a time (`2026-05-04T03:00:00Z`)
    #[arg(long, value_name = "WHEN", default_value = "10m", value_parser = since)]
    since: Timestamp,
    /// Only instances whose id begins so
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// Only lines of this level or a higher one
    #[arg(long, value_enum)]
    level: Option<Wanted>,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "PATTERN")]
    grep: Option<Regex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Wanted> for Level {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Error => Self::Error,
            Wanted::Warn => Self::Warn,
            Wanted::Info => Self::Info,
            Wanted::Debug => Self::Debug,
            Wanted::Trace => Self::Trace,
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum SinceError {
    #[error("it is neither a length of time (`90s`, `10m`, `1h30m`, `2d`) nor a time (`2026-05-04T03:00:00Z`)")]
    Unknown,
    #[error("it lies in the future")]
    Future,
    #[error("it lies too far back")]
    TooFar,
}

fn since(text: &str) -> Result<Timestamp, SinceError> {
    ago(text, Timestamp::now())
}

/// When `text` is, seen from `now`.
fn ago(text: &str, now: Timestamp) -> Result<Timestamp, SinceError> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let span: jiff::Span = text.parse().map_err(|_| SinceError::Unknown)?;
            let relative = SpanRelativeTo::days_are_24_hours();
            let seconds = span.total((Unit::Second, relative)).map_err(|_| SinceError::Unknown)?;
            let length = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(|_| SinceError::TooFar)?;
            now.checked_sub(length).map_err(|_| SinceError::TooFar)?
        }
    };
    match at {
        at if at > now => Err(SinceError::Future),
        // CloudWatch counts from 1970.
        at if at < Timestamp::UNIX_EPOCH => Err(SinceError::TooFar),
        at => Ok(at),
    }
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let (session, stack) = run.stack(&args.which).await?;
    let level = args.level.map(Level::from);
    let query = Query {
        group: log_group::servers_name(&stack),
        since: args.since,
        instance: args.instance.clone(),
        pattern: level.and_then(Level::pattern),
    };
    let mut print = |lines: Vec<LogLine>| {
        let wanted = |line: &LogLine| {
            level.is_none_or(|level| line.is_at_least(level))
                && args.grep.as_ref().is_none_or(|pattern| pattern.is_match(&line.text))
        };
        let text = lines.iter().filter(|line| wanted(line)).map(|line| shown(run, line));
        match run.ui.lines(text) {
            Ok(()) => ControlFlow::Continue(()),
            // Nobody reads any more (`| head`).
            Err(_) => ControlFlow::Break(()),
        }
    };
    let mut reader = Reader::new(&session.aws, &query, run.stop.clone());
    let read = if args.follow { reader.follow(&mut print).await } else { reader.read(&mut print).await };
    match read {
        Ok(()) if session.stopped() => Ok(Exit::Interrupted),
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            let help = error.is_not_found().then_some(
                "the stack has no log group of servers: it has no [servers], or it is not up; see `provision status`",
            );
            Err(run.fail(Exit::Failed, &error, help))
        }
    }
}

fn shown(run: &Run, line: &LogLine) -> String {
    if run.ui.json {
        let value = line.value();
        json!({"event": "log", "id": line.id, "at": line.at, "instance": line.instance, "line": value}).to_string()
    } else {
        render_log_line(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_and_times() {
        let now: Timestamp = "2026-05-04T12:00:00Z".parse().expect("a time");
        let seconds = |text| ago(text, now).map(|at| now.duration_since(at).as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("2d"), Ok(172_800));
        assert_eq!(seconds("2026-05-04T11:59:00Z"), Ok(60));
        assert_eq!(seconds("2026-05-04T13:59:00+02:00"), Ok(60));
        for unknown in ["", "ten minutes", "10", "3mo", "yesterday"] {
            assert_eq!(seconds(unknown), Err(SinceError::Unknown), "{unknown}");
        }
        assert_eq!(seconds("2026-05-04T12:00:01Z"), Err(SinceError::Future));
        assert_eq!(seconds("-10m"), Err(SinceError::Future));
        assert_eq!(seconds("1969-12-31T00:00:00Z"), Err(SinceError::TooFar));
        assert_eq!(seconds("90000d"), Err(SinceError::TooFar));
    }
}
