//! How long things take: what the journals of earlier runs at this endpoint say, else the kinds' own table.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::journal::{self, RunLine, StepLine};
use super::plan::TAGS;
use crate::kinds::{AnyKind, Phase};

/// The newest journals of an endpoint that are read, over all stacks.
const JOURNALS: usize = 30;
/// The newest observations that a median is taken of.
const SEEN: usize = 9;

/// How long something takes on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// AWS's time, not the endpoint's.
    pub time: Duration,
    /// Of how many observations it is the median; `None`: it comes from the table.
    pub learned_from: Option<usize>,
}

/// What earlier runs at one endpoint took, newest first.
#[derive(Debug, Clone, Default)]
pub struct Times {
    seen: BTreeMap<(String, String), Vec<f64>>,
}

impl Times {
    /// Reads the journals below `state_home`. What cannot be read teaches nothing.
    pub fn learn(state_home: &Path, endpoint: &str) -> Self {
        let mut times = Self::default();
        let mut read = 0;
        for path in newest_first(state_home) {
            if read == JOURNALS {
                break;
            }
            read += usize::from(times.read(&path, endpoint).is_some());
        }
        times
    }

    /// How long a phase of something like `props` takes. `fields` are those that an update changes.
    pub fn expected(&self, kind: &dyn AnyKind, phase: Phase, props: &Value, fields: &[String]) -> Expected {
        if phase == Phase::Update && fields == [TAGS] {
            return Expected { time: Duration::from_secs(2), learned_from: None };
        }
        let key = (kind.name().to_owned(), class(kind, phase, props, fields));
        match self.seen.get(&key).and_then(|seen| median(seen)) {
            Some(seconds) => Expected {
                time: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
                learned_from: self.seen.get(&key).map(Vec::len),
            },
            None => Expected { time: kind.expected(phase, props), learned_from: None },
        }
    }

    /// One journal, where it is of this endpoint and of one where time passes.
    fn read(&mut self, path: &Path, endpoint: &str) -> Option<()> {
        let mut lines = BufReader::new(fs::File::open(path).ok()?).lines().map_while(Result::ok);
        let run: RunLine = serde_json::from_str(&lines.next()?).ok()?;
        if run.endpoint != endpoint || run.time_scale <= 0.0 {
            return None;
        }
        let mut steps: Vec<StepLine> = lines.filter_map(|line| journal::step_of(&line)).collect();
        steps.reverse();
        for step in steps.into_iter().filter(|step| step.error.is_none() && step.doing != "await") {
            let seen = self.seen.entry((step.kind, step.class)).or_default();
            if seen.len() < SEEN {
                seen.push(step.seconds * run.time_scale);
            }
        }
        Some(())
    }
}

/// What is comparable: the phase, the class of the resource and, of an update, the fields that differ.
pub fn class(kind: &dyn AnyKind, phase: Phase, props: &Value, fields: &[String]) -> String {
    let mut parts = vec![
        match phase {
            Phase::Create => "create",
            Phase::Update => "update",
            Phase::Delete => "delete",
        }
        .to_owned(),
        kind.class(props),
    ];
    if phase == Phase::Update {
        parts.extend(fields.iter().cloned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// Journals of every stack; their names begin with the time.
fn newest_first(state_home: &Path) -> Vec<PathBuf> {
    let entries = |directory: &Path| {
        fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
    };
    let mut journals: Vec<PathBuf> = entries(&state_home.join("provision"))
        .flat_map(|stack| entries(&stack).collect::<Vec<_>>())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    journals.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    journals
}

fn median(seen: &[f64]) -> Option<f64> {
    let mut sorted = seen.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { (sorted[middle - 1] + upper) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::named;
    use serde_json::json;

    fn journal(home: &Path, stack: &str, name: &str, endpoint: &str, time_scale: f64, steps: &[(&str, f64, bool)]) {
        let directory = home.join("provision").join(stack);
        fs::create_dir_all(&directory).expect("a directory");
        let mut text = format!("{}\n", json!({"what": "run", "endpoint": endpoint, "time_scale": time_scale}));
        for (doing, seconds, fails) in steps {
            let error = fails.then_some("it failed");
            let class = format!("{doing} db.t4g.micro multi-az");
            text.push_str(&format!(
                "{}\n",
                json!({"what": "step", "address": "database", "kind": "db_instance", "class": class, "doing": doing,
                       "seconds": seconds, "error": error})
            ));
        }
        // What a killed run leaves.
        text.push_str("{\"what\": \"step\", \"addr");
        fs::write(directory.join(name), text).expect("written");
    }

    #[test]
    fn the_median_of_this_endpoint_in_aws_time() {
        let home = tempfile::tempdir().expect("a directory");
        journal(home.path(), "a", "20260101.jsonl", "local", 60.0, &[("create", 10.0, false), ("create", 900.0, true)]);
        journal(home.path(), "b", "20260102.jsonl", "local", 20.0, &[("create", 36.0, false), ("await", 1.0, false)]);
        journal(home.path(), "a", "20260103.jsonl", "local", 60.0, &[("create", 11.0, false)]);
        journal(home.path(), "a", "20260104.jsonl", "local", 0.0, &[("create", 0.1, false)]);
        journal(home.path(), "a", "20260105.jsonl", "aws", 1.0, &[("create", 500.0, false)]);
        let database = named("db_instance").expect("registered");
        let times = Times::learn(home.path(), "local");
        let key = |doing: &str| ("db_instance".to_owned(), format!("{doing} db.t4g.micro multi-az"));
        assert_eq!(times.seen[&key("create")], [660.0, 720.0, 600.0]);
        assert_eq!(median(&times.seen[&key("create")]), Some(660.0));
        assert_eq!(times.seen.len(), 1, "{times:?}");
        // Of another class nothing is known, and of no class at all neither.
        let unknown = times.expected(database, Phase::Delete, &Value::Null, &[]);
        assert_eq!(unknown.learned_from, None);
        assert!(unknown.time > Duration::ZERO);
        assert_eq!(Times::learn(home.path(), "aws").seen[&key("create")], [500.0]);
    }

    #[test]
    fn an_even_number_has_a_median_too() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }
}
