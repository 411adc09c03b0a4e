//! Progress on stderr: live on a terminal (a bar for the whole, a line for each resource in flight), plain lines in a pipe.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use owo_colors::OwoColorize;

use super::plan_view::duration;
use crate::engine::events::Event;
use crate::engine::steps::Doing;

/// A pipe is told of an upload this often.
const TELL_UPLOAD: Duration = Duration::from_secs(5);

pub struct Progress {
    live: bool,
    bars: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    whole: Option<ProgressBar>,
    ready_at: Arc<Mutex<Option<Instant>>>,
    lines: BTreeMap<String, ProgressBar>,
    waiting_for: BTreeMap<String, String>,
    /// When an upload was last told of.
    told: Option<Instant>,
}

impl State {
    fn expect(&mut self, seconds: u64) {
        let ready_at = Instant::now() + Duration::from_secs(seconds);
        *self.ready_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(ready_at);
    }
}

impl Progress {
    pub fn new(live: bool) -> Self {
        Self { live, bars: MultiProgress::new(), state: Mutex::default() }
    }

    pub fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines.clear();
        state.whole = None;
        let _ = self.bars.clear();
    }

    pub fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Phase { name } => self.line(&format!("{}", name.dimmed())),
            Event::Applying { steps, expected_seconds } => self.begin(&mut state, *steps, *expected_seconds),
            Event::Started { address, doing, expected_seconds } => {
                let text = format!("{address} {}", ongoing(*doing));
                if self.live {
                    let bar = self.bars.add(ProgressBar::new_spinner());
                    bar.set_style(style("  {spinner} {elapsed:>4} {msg}"));
                    bar.enable_steady_tick(Duration::from_millis(120));
                    bar.set_message(text);
                    state.lines.insert(address.clone(), bar);
                } else {
                    let expected = if *expected_seconds > 5 {
                        format!(" (about {})", duration(*expected_seconds))
                    } else {
                        String::new()
                    };
                    self.line(&format!("  {text}{expected}"));
                }
            }
            Event::Waiting { address, state: what } => {
                let news = state.waiting_for.insert(address.clone(), what.clone()).as_ref() != Some(what);
                match state.lines.get(address) {
                    Some(bar) => bar.set_message(format!("{address} {}", what.dimmed())),
                    None if news && !self.live => self.line(&format!("  {address} waits: {what}")),
                    None => {}
                }
            }
            Event::Finished { address, doing, seconds, left_seconds } => {
                Self::drop_line(&mut state, address);
                if let Some(whole) = &state.whole {
                    whole.inc(1);
                }
                state.expect(*left_seconds);
                self.line(&format!(
                    "  {} {address} {} {}",
                    "✓".green(),
                    finished(*doing),
                    format!("{seconds:.1} s").dimmed()
                ));
            }
            Event::Failed { address, doing, error } => {
                Self::drop_line(&mut state, address);
                self.line(&format!("  {} {address} not {}: {error}", "✗".red(), finished(*doing)));
            }
            Event::Stopped { address, state: what } => {
                Self::drop_line(&mut state, address);
                self.line(&format!("  {} {address} not waited for any longer: {what}", "…".cyan()));
            }
            Event::OnItsWay { address, state: what, ready_in_seconds } => {
                Self::drop_line(&mut state, address);
                let ready = duration(*ready_in_seconds);
                self.line(&format!("  {} {address} goes on by itself: {what}, ready in about {ready}", "…".cyan()));
            }
            Event::Uploading { objects, bytes } => self.begin_upload(&mut state, *objects, *bytes),
            Event::Uploaded { objects, of_objects, bytes, of_bytes, bytes_per_second } => {
                let all = objects == of_objects;
                if let Some(whole) = state.whole.take_if(|_| all) {
                    whole.finish_and_clear();
                }
                match &state.whole {
                    Some(whole) => {
                        whole.set_position(*bytes);
                        whole.set_message(format!("{objects}/{of_objects} objects"));
                    }
                    None if all || state.told.is_none_or(|told| told.elapsed() >= TELL_UPLOAD) => {
                        state.told = Some(Instant::now());
                        let (bytes, of_bytes) = (HumanBytes(*bytes), HumanBytes(*of_bytes));
                        let speed = HumanBytes(*bytes_per_second);
                        self.line(&format!("  {objects}/{of_objects} objects, {bytes} of {of_bytes}, {speed}/s"));
                    }
                    None => {}
                }
            }
            Event::Note { text } => self.line(text),
        }
    }

    fn begin(&self, state: &mut State, steps: usize, seconds: u64) {
        if self.live {
            let whole = self.bars.add(ProgressBar::new(steps as u64));
            state.expect(seconds);
            let ready_at = state.ready_at.clone();
            // Counts down between events too.
            let left = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let ready_at = *ready_at.lock().unwrap_or_else(PoisonError::into_inner);
                let left = ready_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
                let _ = write!(out, "about {} left", duration(left.as_secs()));
            };
            whole.set_style(style("  {bar:30} {pos}/{len} {elapsed} {left}").with_key("left", left));
            whole.enable_steady_tick(Duration::from_secs(1));
            state.whole = Some(whole);
        } else {
            self.line(&format!("{steps} steps, about {}", duration(seconds)));
        }
    }

    fn begin_upload(&self, state: &mut State, objects: usize, bytes: u64) {
        self.line(&format!("uploading {objects} objects, {}", HumanBytes(bytes)));
        state.told = Some(Instant::now());
        if self.live {
            let whole = self.bars.add(ProgressBar::new(bytes));
            whole.set_style(style("  {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta} left"));
            whole.enable_steady_tick(Duration::from_secs(1));
            state.whole = Some(whole);
        }
    }

    fn drop_line(state: &mut State, address: &str) {
        state.waiting_for.remove(address);
        if let Some(bar) = state.lines.remove(address) {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        if self.live {
            let _ = self.bars.println(text);
        } else {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn ongoing(doing: Doing) -> &'static str {
    match doing {
        Doing::Create => "creating",
        Doing::Update => "updating",
        Doing::Await => "waiting",
        Doing::Delete => "deleting",
    }
}

fn finished(doing: Doing) -> &'static str {
    match doing {
        Doing::Create => "created",
        Doing::Update => "updated",
        Doing::Await => "ready",
        Doing::Delete => "deleted",
    }
}
