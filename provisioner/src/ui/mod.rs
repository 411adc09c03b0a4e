//! All output. Data goes to stdout, progress to stderr. `ui` is told events; it asks nobody but the user.

mod cost_view;
mod drill_view;
mod log_line;
mod plan_view;
mod progress;
mod screen;
mod status_view;

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::blueprint::BlueprintErrors;
use crate::cost::Bill;
use crate::drill::Report;
use crate::engine::apply::Outcome;
use crate::engine::events::{Event, Listener, chain};
use crate::engine::plan::Plan;
use progress::Progress;

pub use indicatif::HumanBytes;
pub use log_line::render as render_log_line;
pub use plan_view::{drift as render_drift, duration, render as render_plan};
pub use screen::Screen;
pub use status_view::{render as render_status, render_brief as render_status_brief, render_change};

/// How to talk.
pub struct Ui {
    /// Data and events as JSON.
    pub json: bool,
    streams: bool,
    color: bool,
    progress: Option<Arc<Progress>>,
}

impl Ui {
    /// `color: false` switches colours off everywhere; otherwise terminals get them.
    /// `streams`: with `json`, one event a line; otherwise one document and nothing else.
    pub fn new(json: bool, streams: bool, color: bool) -> Self {
        if !color {
            anstream::ColorChoice::Never.write_global();
        }
        let progress = (!json).then(|| Arc::new(Progress::new(std::io::stderr().is_terminal() && color_wanted(color))));
        Self { json, streams, color: color && std::io::stderr().is_terminal(), progress }
    }

    /// Where the engine's events go.
    pub fn listener(&self) -> Listener {
        match &self.progress {
            Some(progress) => {
                let progress = progress.clone();
                Arc::new(move |event| progress.event(&event))
            }
            None if self.streams => Arc::new(|event| event_line(&event)),
            None => Arc::new(|_| {}),
        }
    }

    /// Ends the live display.
    pub fn quiet(&self) {
        if let Some(progress) = &self.progress {
            progress.clear();
        }
    }

    /// A document for programs, on stdout.
    pub fn document(&self, value: &impl Serialize) {
        let text = if self.streams { serde_json::to_string(value) } else { serde_json::to_string_pretty(value) };
        let text = text.unwrap_or_default();
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// The event `name` with one value of that name, for programs: a line on stdout.
    pub fn named(&self, name: &str, value: &impl Serialize) {
        let line = serde_json::json!({"event": name, name: value});
        let _ = writeln!(anstream::stdout(), "{line}");
    }

    /// Text for people, on stdout.
    pub fn say(&self, text: &str) {
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// Lines of data, on stdout. An error where nobody reads them any more.
    pub fn lines(&self, lines: impl Iterator<Item = String>) -> std::io::Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        let mut out = anstream::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Text for people that is no data, on stderr.
    pub fn note(&self, text: &str) {
        if self.json && self.streams {
            return event_line(&Event::Note { text: text.to_owned() });
        }
        self.quiet();
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Shows a plan: on stdout as the answer of `plan`, on stderr before a question.
    pub fn plan(&self, plan: &Plan, is_answer: bool) {
        if self.json {
            return if is_answer { self.document(plan) } else { self.named("plan", plan) };
        }
        self.quiet();
        let text = render_plan(plan);
        if is_answer {
            self.say(&text);
        } else {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// An error with its causes and what to do next.
    pub fn error(&self, error: &(dyn std::error::Error + 'static), help: Option<&str>) {
        self.quiet();
        let mut text = format!("{} {error}", "error:".red().bold());
        let mut shown = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let next = cause.to_string();
            if !shown.ends_with(&next) {
                text.push_str(&format!("\n  {} {next}", "caused by:".red()));
                shown = next;
            }
            source = cause.source();
        }
        if let Some(help) = help {
            text.push_str(&format!("\n  {} {help}", "next:".cyan()));
        }
        if self.json {
            let line = serde_json::json!({"event": "error", "error": chain(error), "next": help});
            let _ = writeln!(anstream::stdout(), "{line}");
        }
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Something that went wrong and did not end the run, and what comes of it.
    pub fn warn(&self, error: &(dyn std::error::Error + 'static), so: &str) {
        self.quiet();
        let _ = writeln!(anstream::stderr(), "{} {}\n  {so}", "warning:".yellow().bold(), chain(error));
    }

    /// What a stack costs in a month.
    pub fn bill(&self, stack: &str, bill: &Bill, now: Timestamp) {
        self.say(&format!("{} {}", "stack".dimmed(), stack.bold()));
        if !bill.lines.is_empty() {
            self.table(&["RESOURCE", "WHAT", "A MONTH"], cost_view::fixed_rows(bill));
            self.say("");
            self.table(&["PAID BY USE", "WHAT", "EACH"], cost_view::by_use_rows(bill));
            self.say("");
        }
        self.say(&cost_view::total(bill, now));
    }

    /// Every mistake of a blueprint, with its lines.
    pub fn blueprint_errors(&self, errors: &BlueprintErrors) {
        if self.json {
            return self.document(&serde_json::json!({"event": "blueprint", "findings": errors.findings}));
        }
        self.quiet();
        let _ = write!(anstream::stderr(), "{}", errors.render(self.color));
    }

    /// What failed, what was done, what was not.
    pub fn outcome(&self, outcome: &Outcome) {
        if self.json {
            return self.named("outcome", outcome);
        }
        self.quiet();
        let mut text = String::new();
        for failed in &outcome.failed {
            text.push_str(&format!("{} {}: {}\n", "failed:".red().bold(), failed.address.bold(), failed.error));
            if let Some(advice) = failed.advice {
                text.push_str(&format!("  {} {advice}\n", "next:".cyan()));
            }
        }
        if !outcome.stopped.is_empty() {
            text.push_str(&format!("begun, not waited for any longer: {}\n", outcome.stopped.join(", ")));
        }
        for step in &outcome.on_its_way {
            let ready = duration(step.ready_in_seconds);
            text.push_str(&format!("on its way: {} ({}, ready in about {ready})\n", step.address.bold(), step.state));
        }
        if !outcome.left_to_next.is_empty() {
            text.push_str(&format!("left to the next `provision up`: {}\n", outcome.left_to_next.join(", ")));
        }
        if !outcome.skipped.is_empty() {
            text.push_str(&format!("not tried, because it depends on what failed: {}\n", outcome.skipped.join(", ")));
        }
        if !outcome.not_started.is_empty() {
            text.push_str(&format!("not started: {}\n", outcome.not_started.join(", ")));
        }
        text.push_str(&format!("{} done, {} failed", outcome.done.len(), outcome.failed.len()));
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// What a drill came to.
    pub fn drill(&self, report: &Report, picture: &Path) {
        if self.json {
            return self.named("drill", report);
        }
        self.quiet();
        self.say(drill_view::render(report, picture).trim_end());
    }

    /// A table on stdout.
    pub fn table(&self, header: &[&str], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        table.add_rows(rows);
        self.say(&table.to_string());
    }

    /// Asks until `stopped`; `None` where nobody can answer, or nobody did.
    pub fn ask(&self, question: &str, stopped: impl Fn() -> bool) -> Option<bool> {
        if !std::io::stdin().is_terminal() || self.json {
            return None;
        }
        self.quiet();
        let _ = write!(anstream::stderr(), "{} [y/N] ", question.bold());
        let _ = std::io::stderr().flush();
        let (heard, hears) = std::sync::mpsc::channel();
        // It may wait for ever: it ends with the process.
        std::thread::spawn(move || {
            let mut answer = String::new();
            let read = std::io::stdin().lock().read_line(&mut answer);
            let _ = heard.send(read.map(|_| answer));
        });
        let answer = loop {
            match hears.recv_timeout(std::time::Duration::from_millis(50)) {
                Ok(answer) => break answer.ok()?,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if !stopped() => {}
                Err(_) => {
                    let _ = writeln!(anstream::stderr());
                    return None;
                }
            }
        };
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}

fn color_wanted(color: bool) -> bool {
    color && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn event_line(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        let _ = writeln!(anstream::stdout(), "{line}");
    }
}
