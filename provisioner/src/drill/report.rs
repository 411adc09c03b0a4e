//! The figures of a drill, from what was played, when it was broken, and what was found.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::audit::Audit;
use super::load::{Kind, Outcome, Played, Record};
use super::players::Crew;
use super::target::{Fault, Target};
use super::{Moments, Options, played_of};

/// What became of one sort of operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Begun.
    pub asked: u64,
    /// Answered with success, however often they had to be sent.
    pub acknowledged: u64,
    /// Acknowledged only after an attempt had failed: players waited, and saw nothing else.
    pub retried: u64,
    /// Not acknowledged for as long as they were repeated: players saw them fail.
    pub given_up: u64,
    /// Answered that they cannot be done.
    pub refused: u64,
}

/// When nothing of a sort was acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Blackout {
    /// Of all stretches together.
    pub seconds: f64,
    /// Of the longest one.
    pub longest_seconds: f64,
    /// From and to, in seconds from the first operation.
    pub stretches: Vec<(f64, f64)>,
}

/// How long operations took, from when they were due to their acknowledgement, in milliseconds. One that was given up counts
/// with how long it was waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half took no longer; unset where there were none.
    pub p50_ms: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_ms: Option<f64>,
}

/// Of writes and of reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latencies {
    /// Purchases and scores.
    pub writes: Latency,
    /// Ranks.
    pub reads: Latency,
}

/// By when operations were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Phases {
    /// Before the fault.
    pub before: Latencies,
    /// From the fault until AWS said that it was over.
    pub during: Latencies,
    /// After that.
    pub after: Latencies,
}

/// What is drawn: each operation, and each attempt that failed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Due at, in seconds; took, in milliseconds; whether it wrote; whether it was acknowledged.
    pub operations: Vec<(f64, f64, bool, bool)>,
    /// Seconds at which something was acknowledged.
    pub acknowledged: Vec<f64>,
    /// Seconds at which an attempt failed.
    pub failures: Vec<f64>,
}

/// A drill's report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was broken.
    pub fault: Fault,
    /// The stack's name.
    pub stack: String,
    /// Its region.
    pub region: String,
    /// The address that was played.
    pub api_url: String,
    /// SHA-256 of the release that was played.
    pub release: Option<String>,
    /// What was done.
    pub deed: String,
    /// What AWS showed afterwards; empty where it showed no end.
    pub outcome: String,
    /// When the first operation was due.
    pub started_at: Timestamp,
    /// From the first operation to the last one.
    pub seconds: f64,
    /// When the fault was made, in seconds from the first operation.
    pub fault_at_seconds: Option<f64>,
    /// When AWS said that it was over, likewise.
    pub over_at_seconds: Option<f64>,
    /// Operations a second.
    pub rate: f64,
    /// By how much the load itself was late at worst.
    pub load_late_ms: f64,
    /// The load's name: it begins the test players' device ids.
    pub drill: String,
    /// The test players, whose events stay in the log.
    pub player_ids: Vec<String>,
    /// Purchases.
    pub purchases: Count,
    /// Scores.
    pub scores: Count,
    /// Reads of ranks.
    pub ranks: Count,
    /// Ranks that were answered from the database, while the cache was away.
    pub stale_ranks: u64,
    /// Attempts that failed, those that were repeated among them.
    pub failed_attempts: u64,
    /// When no purchase and no score was acknowledged.
    pub without_writes: Blackout,
    /// When no rank was.
    pub without_reads: Blackout,
    /// How long operations took.
    pub latency: Phases,
    /// What the API had in the end of what it had acknowledged.
    pub audit: Audit,
    /// Somebody stopped it before its end.
    pub interrupted: bool,
    /// What is drawn.
    #[serde(skip)]
    pub series: Series,
}

/// The report.
pub(super) fn make(
    target: &Target,
    options: &Options,
    crew: &Crew,
    played: &Played,
    moments: &Moments,
    audit: Audit,
    interrupted: bool,
) -> Report {
    let stale = |record: &&Record| record.acknowledged().is_some_and(|answer| answer["stale"] == true);
    Report {
        fault: target.fault,
        stack: target.stack.clone(),
        region: target.region.clone(),
        api_url: target.api_url.clone(),
        release: target.release.clone(),
        deed: target.deed(),
        outcome: moments.outcome.clone(),
        started_at: moments.started_at.unwrap_or_default(),
        seconds: rounded(played.seconds),
        fault_at_seconds: moments.fault.map(rounded),
        over_at_seconds: moments.over.map(rounded),
        rate: options.rate,
        load_late_ms: rounded(played.late * 1000.0),
        drill: crew.drill.clone(),
        player_ids: crew.players.iter().map(|player| player.user_id().to_owned()).collect(),
        purchases: count(played, Kind::Purchase),
        scores: count(played, Kind::Score),
        ranks: count(played, Kind::Rank),
        stale_ranks: played_of(played, Kind::Rank).filter(stale).count() as u64,
        failed_attempts: played.failures.len() as u64,
        without_writes: blackout(played, options.rate * 2.0 / 3.0, true),
        without_reads: blackout(played, options.rate / 3.0, false),
        latency: phases(played, moments),
        audit,
        interrupted,
        series: series(played),
    }
}

/// The load's own log: a line of JSON for each operation.
pub(super) fn log(played: &Played, crew: &Crew) -> String {
    let mut text = String::new();
    for record in &played.records {
        let (outcome, status) = match &record.outcome {
            Outcome::Acknowledged(_) => ("acknowledged", None),
            Outcome::GaveUp => ("given_up", None),
            Outcome::Refused(status) => ("refused", Some(*status)),
        };
        let line = json!({
            "number": record.number, "kind": record.kind, "user_id": crew.players[record.player].user_id(),
            "key": format!("{}-{}", crew.drill, record.number), "due_seconds": rounded(record.due),
            "latency_ms": rounded(record.latency() * 1000.0), "attempts": record.attempts,
            "outcome": outcome, "status": status, "answer": record.acknowledged(),
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    text
}

/// To a thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn count(played: &Played, kind: Kind) -> Count {
    let mut count = Count::default();
    for record in played_of(played, kind) {
        count.asked += 1;
        match record.outcome {
            Outcome::Acknowledged(_) => {
                count.acknowledged += 1;
                count.retried += u64::from(record.attempts > 1);
            }
            Outcome::GaveUp => count.given_up += 1,
            Outcome::Refused(_) => count.refused += 1,
        }
    }
    count
}

/// Stretches without an acknowledgement that are longer than a second, and than chance makes them at `rate` a second.
fn blackout(played: &Played, rate: f64, writes: bool) -> Blackout {
    let least = (5.0 / rate).max(1.0);
    let of_sort = |record: &&Record| record.kind.writes() == writes && record.acknowledged().is_some();
    let mut moments: Vec<f64> = played.records.iter().filter(of_sort).map(|record| record.ended).collect();
    moments.push(played.seconds);
    moments.sort_by(f64::total_cmp);
    let mut blackout = Blackout::default();
    let mut last = 0.0;
    for moment in moments {
        if moment - last > least {
            blackout.stretches.push((rounded(last), rounded(moment)));
            blackout.seconds += moment - last;
            blackout.longest_seconds = blackout.longest_seconds.max(moment - last);
        }
        last = f64::max(last, moment);
    }
    blackout.seconds = rounded(blackout.seconds);
    blackout.longest_seconds = rounded(blackout.longest_seconds);
    blackout
}

fn phases(played: &Played, moments: &Moments) -> Phases {
    let fault = moments.fault.unwrap_or(f64::INFINITY);
    let over = moments.over.unwrap_or(f64::INFINITY);
    let between = |from: f64, to: f64| {
        let of = |writes: bool| {
            let within = |r: &&Record| r.kind.writes() == writes && r.due >= from && r.due < to;
            let counts = |r: &&Record| !matches!(r.outcome, Outcome::Refused(_));
            let mut times: Vec<f64> =
                played.records.iter().filter(within).filter(counts).map(|r| r.latency() * 1000.0).collect();
            times.sort_by(f64::total_cmp);
            Latency { p50_ms: percentile(&times, 0.50), p99_ms: percentile(&times, 0.99) }
        };
        Latencies { writes: of(true), reads: of(false) }
    };
    Phases { before: between(0.0, fault), during: between(fault, over), after: between(over, f64::INFINITY) }
}

/// The nearest rank; `times` rise.
fn percentile(times: &[f64], share: f64) -> Option<f64> {
    let rank = (share * times.len() as f64).ceil().max(1.0) as usize;
    times.get(rank - 1).map(|time| (time * 10.0).round() / 10.0)
}

fn series(played: &Played) -> Series {
    let point = |r: &Record| (r.due, r.latency() * 1000.0, r.kind.writes(), r.acknowledged().is_some());
    Series {
        operations: played.records.iter().map(point).collect(),
        acknowledged: played.records.iter().filter(|r| r.acknowledged().is_some()).map(|r| r.ended).collect(),
        failures: played.failures.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn record(kind: Kind, due: f64, took: f64, outcome: Outcome) -> Record {
        Record { number: 0, kind, player: 0, due, ended: due + took, attempts: 1, outcome }
    }

    fn done() -> Outcome {
        Outcome::Acknowledged(Value::Null)
    }

    #[test]
    fn a_blackout_is_what_lies_between_two_acknowledgements() {
        let mut records: Vec<Record> =
            (0..100).map(|n| record(Kind::Score, f64::from(n) / 10.0, 0.01, done())).collect();
        // From 3 s on nothing is acknowledged until 6.5 s: then all that waited is.
        for record in &mut records[30..65] {
            record.ended = 6.5;
        }
        let played = Played { records, seconds: 9.9, ..Played::default() };
        let writes = blackout(&played, 10.0, true);
        assert_eq!(writes.stretches, [(2.91, 6.5)]);
        assert!((writes.seconds - 3.59).abs() < 1e-9, "{writes:?}");
        assert_eq!(writes.seconds, writes.longest_seconds);
        // Nobody read at all.
        assert_eq!(blackout(&played, 10.0, false).stretches, [(0.0, 9.9)]);
        // At two a second, two seconds without one are chance.
        let slow = Played { records: vec![record(Kind::Rank, 2.0, 0.0, done())], seconds: 4.0, ..Played::default() };
        assert_eq!(blackout(&slow, 2.0, false), Blackout::default());
    }

    #[test]
    fn latencies_are_told_apart_by_when_an_operation_was_due() {
        let records = (0..300)
            .map(|n| {
                let due = f64::from(n) / 10.0;
                let took = if (10.0..20.0).contains(&due) { 2.0 } else { 0.01 };
                record(Kind::Purchase, due, took, if n == 150 { Outcome::GaveUp } else { done() })
            })
            .collect();
        let played = Played { records, seconds: 30.0, ..Played::default() };
        let moments = Moments { fault: Some(10.0), over: Some(20.0), ..Moments::default() };
        let phases = phases(&played, &moments);
        assert_eq!(phases.before.writes, Latency { p50_ms: Some(10.0), p99_ms: Some(10.0) });
        assert_eq!(phases.during.writes.p99_ms, Some(2000.0));
        assert_eq!(phases.after.writes.p50_ms, Some(10.0));
        assert_eq!(phases.before.reads, Latency::default());
        assert_eq!(count(&played, Kind::Purchase).given_up, 1);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&times, 0.5), percentile(&times, 0.99)), (Some(100.0), Some(198.0)));
        assert_eq!((percentile(&[7.0], 0.99), percentile(&[], 0.5)), (Some(7.0), None));
    }
}
