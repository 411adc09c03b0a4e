//! Stops a run at one AWS call, starts it again, and compares what AWS holds in the end.
//!
//! One `up` and one `down` are recorded, with the state before each of their mutating calls. An experiment begins in one of those
//! states and makes its call go wrong in one way.

use serde_json::{Value, json};

use crate::held::Held;
use crate::topology::{Reader, difference};
use crate::{LocalAws, Ran};

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The run is killed (-9) and the call not executed.
    KilledBefore,
    /// The call is executed and the run killed (-9) before it has the answer.
    KilledAfter,
    /// The call is refused once: throttled, or by a server fault.
    Refused,
    /// The call is executed and the connection cut; the run goes on without the answer.
    AnswerLost,
}

/// Every way.
pub const WAYS: [Way; 4] = [Way::KilledBefore, Way::KilledAfter, Way::Refused, Way::AnswerLost];

/// The command that is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `up`
    Up,
    /// `down`
    Down,
}

/// A mutating call, as the local AWS recorded it.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Its number in the recording.
    pub number: usize,
    /// Whose it is.
    pub verb: Verb,
    service: String,
    action: String,
    resource: Vec<String>,
    nth: usize,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, verb, service, action, resource, nth } = self;
        write!(f, "{verb:?} #{number} {service} {action} {} (nth {nth})", resource.join(" "))
    }
}

/// A recorded cycle of one blueprint.
pub struct Recording {
    /// The local AWS that keeps the states.
    pub aws: LocalAws,
    /// Every mutating call, in order.
    pub stops: Vec<Stop>,
    /// How many resources the stack has.
    pub resources: usize,
    blueprint: String,
    empty: Vec<String>,
    complete: Vec<String>,
}

/// What an experiment showed.
#[derive(Debug)]
pub struct Shown {
    /// Whether the call was made at all: a run that resumes may have found its work done.
    pub reached: bool,
    /// Why it did not survive.
    pub fault: Option<String>,
}

impl Recording {
    /// Records `up` and `down` of a blueprint on a control plane without waits.
    pub fn of(blueprint: &str) -> Self {
        let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
        aws.blueprint("game-server", &small_program());
        let blueprint = blueprint.replace("[servers]", "[servers]\nartifact = \"game-server\"");
        let blueprint = aws.blueprint("recorded.toml", &blueprint);
        let mut reader = Reader::start();
        let empty = reader.read(&aws);
        aws.control("POST", "/_local/recording", "");
        aws.done(&up(&blueprint));
        let of_up = stops(&aws).len();
        let complete = reader.read(&aws);
        let status = aws.done(&["status", &blueprint, "--json"]).json();
        let resources = status["resources"].as_array().expect("resources").len();
        aws.done(&down(&blueprint));
        let left = difference(&empty, &reader.read(&aws));
        assert!(left.is_empty(), "{left:#?}");
        let mut stops = stops(&aws);
        for stop in &mut stops[of_up..] {
            stop.verb = Verb::Down;
        }
        // A run takes the lease before anything else and releases it after.
        let is_lease = |stop: &&mut Stop| stop.resource.iter().any(|r| r == "lease/holder");
        if let Some(release) = stops[..of_up].iter_mut().rfind(is_lease) {
            release.nth = 2;
        }
        Self { aws, stops, resources, blueprint, empty, complete }
    }

    /// Lets one call go wrong in one way, runs the command again, and looks.
    pub fn try_out(&self, reader: &mut Reader, stop: &Stop, way: Way) -> Shown {
        let aws = self.aws.copy(Some(stop.number));
        let command = match stop.verb {
            Verb::Up => up(&self.blueprint),
            Verb::Down => down(&self.blueprint),
        };
        let held = Held::new(&aws.provision(&command));
        let added = aws.control("POST", "/_local/faults", &stop.rule(way, held.pid()).to_string());
        assert_eq!(added["added"], 1, "{added}");
        let first = held.run();
        let fired = aws.control("GET", "/_local/faults", "")["faults"][0]["fired"].as_u64();
        aws.control("DELETE", "/_local/faults", "");
        let reached = fired == Some(1);
        let killed = matches!(way, Way::KilledBefore | Way::KilledAfter);
        let expected = if reached && killed { None } else { Some(0) };
        let mut faults = Vec::new();
        if first.code != expected {
            faults.push(format!("the first run ended with {:?} instead of {expected:?}\n{}", first.code, tail(&first)));
        }
        self.finish(&aws, reader, stop.verb, &mut faults);
        Shown { reached, fault: (!faults.is_empty()).then(|| faults.join("\n")) }
    }

    fn finish(&self, aws: &LocalAws, reader: &mut Reader, verb: Verb, faults: &mut Vec<String>) {
        let mut again = |name: &str, arguments: &[&str], wanted: &[String]| {
            let ran = Held::new(&aws.provision(arguments)).run();
            if ran.code != Some(0) {
                faults.push(format!("{name} ended with {:?}\n{}", ran.code, tail(&ran)));
            }
            let different = difference(wanted, &reader.read(aws));
            if !different.is_empty() {
                faults.push(format!("after {name} the account differs:\n{}", different.join("\n")));
            }
        };
        if verb == Verb::Up {
            again("up again", &up(&self.blueprint), &self.complete);
            again("down", &down(&self.blueprint), &self.empty);
        } else {
            again("down again", &down(&self.blueprint), &self.empty);
        }
    }
}

impl Stop {
    fn of((number, call): (usize, &Value)) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = call["resource"].as_array().into_iter().flatten().map(text).filter(|r| !is_drawn(r)).collect();
        let (service, action) = (text(&call["service"]), text(&call["action"]));
        Self { number, verb: Verb::Up, service, action, resource, nth: 1 }
    }

    fn rule(&self, way: Way, pid: u32) -> Value {
        let refusals = ["throttle", "error500", "error503"];
        let kind = match way {
            Way::KilledBefore => "kill_before",
            Way::KilledAfter => "kill_after",
            Way::Refused => refusals[self.number % refusals.len()],
            Way::AnswerLost => "lost",
        };
        json!({"service": self.service, "action": self.action, "resource": self.resource, "nth": self.nth, "kind": kind, "pid": pid})
    }
}

/// Drawn by lot or by the clock in every run: the stack's incarnation, the name of a journal.
fn is_drawn(name: &str) -> bool {
    let hex = name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit());
    hex || (name.starts_with("journal/") && name != "journal/")
}

fn stops(aws: &LocalAws) -> Vec<Stop> {
    let recorded = aws.control("GET", "/_local/recording", "");
    recorded["calls"].as_array().expect("recorded calls").iter().enumerate().map(Stop::of).collect()
}

/// The header of an x86-64 program and nothing more: every run hashes and uploads the release.
fn small_program() -> String {
    let ident = "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
    let (executable, x86_64, version) = ("\x02\0", "\x3e\0", "\x01\0\0\0");
    let (offsets, flags) = ("\0".repeat(24), "\0".repeat(4));
    let (own_size, tables) = ("\x40\0", "\x38\0\0\0\x40\0\0\0\0\0");
    [ident, executable, x86_64, version, &offsets, &flags, own_size, tables].concat()
}

fn up(blueprint: &str) -> [&str; 4] {
    ["up", blueprint, "--yes", "--control-plane-only"]
}

fn down(blueprint: &str) -> [&str; 4] {
    ["down", blueprint, "--yes", "--allow-data-loss"]
}

fn tail(ran: &Ran) -> String {
    let lines: Vec<&str> = ran.err.lines().chain(ran.out.lines()).collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
