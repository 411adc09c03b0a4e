//! The servers' log, across instances: read from CloudWatch Logs in the order of time, and followed.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::log_line::LogLine;
use crate::aws::Aws;
use crate::aws::error::CallError;

/// FilterLogEvents is allowed five times a second, an account and region.
const CALL_EVERY: Duration = Duration::from_millis(200);
/// How often a log that is followed is looked at.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// A look goes back so far behind the newest line: servers ship their lines every 5 s, and CloudWatch takes a few more.
const OVERLAP: SignedDuration = SignedDuration::from_secs(20);
/// One look in so many goes back further, for lines that a server could not ship at once.
const LATE_EVERY: u32 = 10;
/// That far.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// In a quiet log the newest line counts as written so long ago at most: clocks may differ by that.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Which lines are read.
#[derive(Debug, Clone)]
pub struct Query {
    /// The log group.
    pub group: String,
    /// Lines before this are left out.
    pub since: Timestamp,
    /// Only instances whose id begins so.
    pub instance: Option<String>,
    /// A filter in CloudWatch's syntax that spares lines the way; endpoints that do not know it send all.
    pub pattern: Option<String>,
}

/// Takes lines, oldest first; `Break` where nobody wants more.
pub type Sink<'a> = &'a mut dyn FnMut(Vec<LogLine>) -> ControlFlow<()>;

/// A reader of one log group.
pub struct Reader<'a> {
    aws: &'a Aws,
    query: &'a Query,
    stop: watch::Receiver<bool>,
    pace: Interval,
}

impl<'a> Reader<'a> {
    /// `stop` turns true when no more shall be read.
    pub fn new(aws: &'a Aws, query: &'a Query, stop: watch::Receiver<bool>) -> Self {
        let mut pace = interval(CALL_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { aws, query, stop, pace }
    }

    /// Everything up to now.
    pub async fn read(&mut self, sink: Sink<'_>) -> Result<(), CallError> {
        let now = Timestamp::now();
        let _ = self.pages(self.query.since, Some(now), sink).await?;
        Ok(())
    }

    /// Everything, and then what comes, each line once, until it is stopped or nobody wants more. A line that arrives
    /// later than others is still told, out of its order, unless it is more than five minutes late.
    pub async fn follow(&mut self, sink: Sink<'_>) -> Result<(), CallError> {
        let mut seen = Seen::new(self.query.since);
        loop {
            let from = seen.begin(Timestamp::now());
            let flow = self.pages(from, None, &mut |lines| sink(seen.fresh(lines))).await?;
            if flow.is_break() || self.stopped(POLL_EVERY).await {
                return Ok(());
            }
        }
    }

    /// Page by page; a page may be empty and not the last.
    async fn pages(
        &mut self,
        from: Timestamp,
        to: Option<Timestamp>,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, CallError> {
        let mut token = None;
        loop {
            self.pace.tick().await;
            let mut stop = self.stop.clone();
            let page = tokio::select! {
                biased;
                Ok(_) = stop.wait_for(|stop| *stop) => return Ok(ControlFlow::Break(())),
                page = self.page(from, to, token) => page?,
            };
            let (lines, next) = page;
            if !lines.is_empty() && sink(lines).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if next.is_none() {
                return Ok(ControlFlow::Continue(()));
            }
            token = next;
        }
    }

    async fn page(
        &self,
        from: Timestamp,
        to: Option<Timestamp>,
        token: Option<String>,
    ) -> Result<(Vec<LogLine>, Option<String>), CallError> {
        let query = self.query;
        let call = self.aws.logs.filter_log_events().log_group_name(&query.group).start_time(from.as_millisecond());
        let call = call.set_end_time(to.map(Timestamp::as_millisecond)).set_next_token(token);
        let call = call.set_log_stream_name_prefix(query.instance.clone()).set_filter_pattern(query.pattern.clone());
        // AWS merges the streams whatever this says; other endpoints only when told.
        #[allow(deprecated)]
        let answer = call.interleaved(true).send().await?;
        let wanted = |line: &LogLine| query.instance.as_ref().is_none_or(|begin| line.instance.starts_with(begin));
        let events = answer.events.unwrap_or_default();
        let mut lines: Vec<LogLine> = events.into_iter().filter_map(LogLine::of).filter(wanted).collect();
        lines.sort_by_key(|line| line.at);
        Ok((lines, answer.next_token))
    }

    /// Waits; true where it was stopped.
    async fn stopped(&self, time: Duration) -> bool {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            _ = stop.wait_for(|stop| *stop) => true,
        }
    }
}

/// What a follower has told already.
struct Seen {
    since: Timestamp,
    newest: Timestamp,
    looks: u32,
    told: HashMap<String, Timestamp>,
}

impl Seen {
    fn new(since: Timestamp) -> Self {
        Self { since, newest: since, looks: 0, told: HashMap::new() }
    }

    /// Where the next look begins. What lies so far back that no look reaches it is forgotten.
    fn begin(&mut self, now: Timestamp) -> Timestamp {
        let newest = self.newest.max(now - CLOCKS).min(now);
        let back = if self.looks.is_multiple_of(LATE_EVERY) { LATE } else { OVERLAP };
        let first = self.looks == 0;
        self.looks += 1;
        if first {
            return self.since;
        }
        let oldest = newest - LATE - CLOCKS;
        self.told.retain(|_, at| *at >= oldest);
        self.since.max(newest - back)
    }

    /// Those that were not told before.
    fn fresh(&mut self, lines: Vec<LogLine>) -> Vec<LogLine> {
        let mut fresh = Vec::with_capacity(lines.len());
        for line in lines {
            self.newest = self.newest.max(line.at);
            if self.told.insert(line.id.clone(), line.at).is_none() {
                fresh.push(line);
            }
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, second: i64) -> LogLine {
        let at = Timestamp::from_second(second).expect("a time");
        LogLine { id: id.into(), at, instance: "i-1".into(), text: String::new() }
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn ids(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.id.as_str()).collect()
    }

    #[test]
    fn each_line_is_told_once_and_late_ones_too() {
        let mut seen = Seen::new(time(1_000));
        assert_eq!(seen.begin(time(2_000)), time(1_000), "the first look is at everything");
        assert_eq!(ids(&seen.fresh(vec![line("a", 1_990), line("b", 1_995)])), ["a", "b"]);
        assert_eq!(seen.begin(time(2_002)), time(1_975), "the next one overlaps");
        assert_eq!(ids(&seen.fresh(vec![line("a", 1_990), line("late", 1_991), line("b", 1_995)])), ["late"]);
        // Every tenth look goes back further.
        let looks: Vec<i64> = (0..9).map(|_| seen.begin(time(2_004)).as_second()).collect();
        assert_eq!(looks[..8], [1_975; 8]);
        assert_eq!(looks[8], 1_695);
        assert_eq!(ids(&seen.fresh(vec![line("very late", 1_700), line("b", 1_995)])), ["very late"]);
    }

    #[test]
    fn a_quiet_log_is_not_read_again_from_its_last_line() {
        let mut seen = Seen::new(time(1_000));
        seen.begin(time(1_000));
        seen.fresh(vec![line("a", 1_000)]);
        seen.looks = 1;
        assert_eq!(seen.begin(time(9_000)), time(9_000 - 60 - 20));
        assert!(seen.told.is_empty(), "what no look reaches any more is forgotten");
        // A server whose clock is ahead does not hide the others.
        seen.fresh(vec![line("ahead", 9_900)]);
        seen.looks = 1;
        assert_eq!(seen.begin(time(9_010)), time(9_010 - 20));
    }
}
