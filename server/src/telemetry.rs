//! Logs to the console and, in a copy, to whoever ships them.

use std::io::{self, IsTerminal as _, Write};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::mpsc;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::Logging,
    shipping::TARGET,
    store::BoxError,
    traces::{self, Traces},
};

/// Lines that wait to be shipped; more are counted and dropped, so that logging never waits.
const BUFFER: usize = 20_000;

/// A line of the log and when it was written (milliseconds).
pub struct Line {
    /// Milliseconds since 1970.
    pub at: i64,
    /// JSON.
    pub text: String,
}

#[derive(Clone)]
struct Copies(mpsc::Sender<Line>);

/// Collects one line.
struct Copy {
    to: Option<mpsc::Sender<Line>>,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Copies {
    type Writer = Copy;

    fn make_writer(&'a self) -> Copy {
        Copy { to: Some(self.0.clone()), bytes: Vec::with_capacity(256) }
    }

    fn make_writer_for(&'a self, metadata: &tracing::Metadata<'_>) -> Copy {
        // What the shipping says of itself would feed on itself.
        let own = metadata.target() == TARGET;
        Copy { to: (!own).then(|| self.0.clone()), bytes: Vec::with_capacity(256) }
    }
}

impl Write for Copy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let Some(to) = &self.to else { return };
        let text = String::from_utf8_lossy(&self.bytes).trim_end().to_owned();
        let line = Line { at: jiff::Timestamp::now().as_millisecond(), text };
        if !line.text.is_empty() && to.try_send(line).is_err() {
            metrics::counter!("log_lines_dropped_total").increment(1);
        }
    }
}

/// Starts logging, and traces if they are wanted. Answers the lines to ship, if they are to be shipped.
///
/// # Errors
/// When logging was started before in this process, or the variables of the traces cannot be understood.
pub fn start_logging(logging: &Logging) -> Result<(Option<mpsc::Receiver<Line>>, Option<Traces>), BoxError> {
    let traces = logging.traces.then(Traces::start).transpose()?;
    // One filter for all: with one for each layer, lines got lost.
    let filter = match &traces {
        Some(_) => EnvFilter::try_new(format!("{},{}=debug", logging.filter, traces::TARGET))?,
        None => EnvFilter::try_new(&logging.filter)?,
    };
    let console = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let console = if logging.json {
        console.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        console.boxed()
    };
    let (shipped, lines) = if logging.group.is_some() {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(Copies(sender))
            .with_ansi(false)
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false);
        (Some(layer), Some(receiver))
    } else {
        (None, None)
    };
    let traced = traces.as_ref().map(Traces::layer);
    tracing_subscriber::registry().with(filter).with(traced).with(console).with(shipped).try_init()?;
    Ok((lines, traces))
}

/// Starts collecting metrics.
///
/// # Errors
/// When that was started before in this process.
pub fn start_metrics() -> Result<PrometheusHandle, BoxError> {
    const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    /// The names in calls of the macros, in all files below a directory.
    fn used(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                used(&path, names);
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            for call in text.split("metrics::").skip(1) {
                let Some((before, rest)) = call.split_once('"') else { continue };
                if matches!(before.trim_end(), "counter!(" | "gauge!(" | "histogram!(") {
                    names.extend(rest.split('"').next().map(str::to_owned));
                }
            }
        }
    }

    #[test]
    fn every_metric_is_in_the_readme_and_no_other() {
        let mut names = BTreeSet::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        let (_, section) = include_str!("../README.md").split_once("## Metrics").expect("a section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.filter_map(|row| row.split('|').nth(1));
        let listed: BTreeSet<String> =
            cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
        assert_eq!(listed, names);
    }
}
