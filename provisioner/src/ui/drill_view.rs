//! The report of a drill, as text.

use std::path::Path;

use crate::drill::{Blackout, Count, Latency, Report};

/// The report.
pub fn render(report: &Report, picture: &Path) -> String {
    let audit = &report.audit;
    let outcome = if report.outcome.is_empty() { String::new() } else { format!(": {}", report.outcome) };
    let mut text = format!("{} in {}: {}{outcome}\n", report.fault.name(), report.stack, report.deed);
    let mut row = |name: &str, value: String| text.push_str(&format!("  {name:<16} {value}\n"));
    row("purchases", count(report.purchases));
    row("scores", count(report.scores));
    row("ranks", format!("{}, {} from the database", count(report.ranks), report.stale_ranks));
    row("lost", audit.lost.to_string());
    row("doubled", audit.doubled.to_string());
    let others = [
        (audit.wrong_balances, "wrong balances"),
        (audit.wrong_items, "players with wrong items"),
        (audit.wrong_bests, "wrong best scores"),
        (audit.wrong_ranks, "wrong ranks"),
        (audit.not_audited, "players that could not be audited"),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        row("wrong", format!("{number} {what}"));
    }
    for finding in &audit.findings {
        row("", finding.clone());
    }
    row("answered late", format!("{} given up, asked again by the audit", audit.answered_late));
    row("without writes", blackout(&report.without_writes));
    row("without reads", blackout(&report.without_reads));
    row(
        "over after",
        match (report.fault_at_seconds, report.over_at_seconds) {
            (Some(fault), Some(over)) => format!("{:.1} s, AWS says", over - fault),
            (Some(_), None) => "AWS did not say that it is over".to_owned(),
            (None, _) => "nothing was broken".to_owned(),
        },
    );
    let phases = [&report.latency.before, &report.latency.during, &report.latency.after];
    row("p50 / p99 in ms", format!("{:<20} {:<20} {:<20}", "before", "during", "after").trim_end().to_owned());
    for (name, cells) in
        [("  writes", phases.map(|phase| latency(phase.writes))), ("  reads", phases.map(|phase| latency(phase.reads)))]
    {
        let [before, during, after] = cells;
        row(name, format!("{before:<20} {during:<20} {after:<20}").trim_end().to_owned());
    }
    row(
        "load",
        format!("{} a second for {:.0} s, at worst {:.0} ms late", report.rate, report.seconds, report.load_late_ms),
    );
    row("picture", picture.display().to_string());
    text
}

fn count(count: Count) -> String {
    let mut text = format!("{} acknowledged", count.acknowledged);
    for (number, what) in [
        (count.retried, "of them after failed attempts"),
        (count.given_up, "given up: players saw these fail"),
        (count.refused, "refused"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text
}

fn blackout(blackout: &Blackout) -> String {
    match blackout.stretches.len() {
        0 => "0 s".to_owned(),
        1 => format!("{:.1} s", blackout.seconds),
        n => format!("{:.1} s in {n} stretches, the longest {:.1} s", blackout.seconds, blackout.longest_seconds),
    }
}

fn latency(latency: Latency) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.0}"));
    format!("{} / {}", number(latency.p50_ms), number(latency.p99_ms))
}
