//! Ctrl-C and SIGTERM at random moments of `up` and `down`: once, what is in flight finishes; twice, it ends at once. The next
//! run converges every time.

#![allow(clippy::print_stdout, reason = "it prints what it drew and counted")]

use std::time::{Duration, Instant};

use provision_tests::dice::Dice;
use provision_tests::held::Held;
use provision_tests::topology::{Reader, difference};
use provision_tests::{LocalAws, Ran, root};

/// How often each of `up` and `down` is stopped, once and twice.
const OFTEN: usize = 2;

/// The command that is stopped, and how many mutating calls it makes where nobody does.
struct Verb<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    calls: u64,
}

fn mutations(aws: &LocalAws) -> u64 {
    aws.calls().iter().filter(|call| call.mutating).count() as u64
}

/// Starts the command and sends the signals once it has made `calls` mutating calls, and a moment has passed.
fn stopped(aws: &LocalAws, verb: &Verb<'_>, calls: u64, moment: Duration, signals: &[&str]) -> Ran {
    aws.forget_calls();
    let mut running = Held::new(&aws.provision(&verb.arguments));
    running.go();
    let started = Instant::now();
    while mutations(aws) < calls && !running.ended() {
        assert!(started.elapsed() < Duration::from_secs(120), "no {calls} mutating calls");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(moment);
    for signal in signals {
        if running.ended() {
            break;
        }
        running.signal(signal);
        std::thread::sleep(Duration::from_millis(20));
    }
    running.wait()
}

/// A run that was stopped says so and how to go on; one that was through already has simply done its work.
fn ended_as_promised(ran: &Ran, what: &str, signals: &[&str]) -> bool {
    let was_stopped = ran.code != Some(0);
    if was_stopped {
        assert_eq!(ran.code, Some(130), "{what}\n{}\n{}", ran.out, ran.err);
    }
    if was_stopped && signals.len() == 1 {
        assert!(ran.err.contains("again"), "{what}: it does not say how to go on\n{}", ran.err);
    }
    was_stopped
}

#[test]
fn at_any_moment_the_next_run_converges() {
    let mut dice = Dice::cast();
    let origin = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = origin.blueprint("rehearsal.toml", &text);
    let mut reader = Reader::start();
    let empty = reader.read(&origin);
    let mut up = Verb { name: "up", arguments: vec!["up", &blueprint, "--yes", "--control-plane-only"], calls: 0 };
    let mut down = Verb { name: "down", arguments: vec!["down", &blueprint, "--yes", "--allow-data-loss"], calls: 0 };
    let made = origin.copy(None);
    made.done(&up.arguments);
    let complete = reader.read(&made);
    up.calls = mutations(&made);
    let calm = made.copy(None);
    calm.forget_calls();
    calm.done(&down.arguments);
    down.calls = mutations(&calm);
    drop(calm);

    let mut counts = (0, 0);
    for verb in [&up, &down] {
        for turn in 0..2 * OFTEN {
            let aws = if verb.name == "up" { origin.copy(None) } else { made.copy(None) };
            let twice = turn % 2 == 1;
            let signal = |dice: &mut Dice| if dice.roll(2) == 0 { "INT" } else { "TERM" };
            let signals: Vec<&str> = (0..=usize::from(twice)).map(|_| signal(&mut dice)).collect();
            let (calls, moment) = (1 + dice.roll(verb.calls), Duration::from_millis(dice.roll(60)));
            let what = format!("{} stopped by {signals:?} after {calls} calls and {moment:?}", verb.name);
            let ran = stopped(&aws, verb, calls, moment, &signals);
            let was_stopped = ended_as_promised(&ran, &what, &signals);
            if was_stopped && !twice {
                // The lease was handed back: nobody is told to wait.
                let status = aws.done(&["status", &blueprint, "--json"]).json();
                assert_eq!(status["lease"], serde_json::Value::Null, "{what}\n{status:#}");
            }
            aws.done(&verb.arguments);
            let wanted = if verb.name == "up" { &complete } else { &empty };
            let different = difference(wanted, &reader.read(&aws));
            assert!(different.is_empty(), "{what}\n{different:#?}");
            if verb.name == "up" && turn == 2 * OFTEN - 1 {
                aws.done(&down.arguments);
                let different = difference(&empty, &reader.read(&aws));
                assert!(different.is_empty(), "{what}, then down\n{different:#?}");
            }
            counts.0 += 1;
            counts.1 += usize::from(was_stopped);
            println!("{what}: exit {:?}, then converged", ran.code);
        }
    }
    println!("{} signalled, {} of them before their end; each next run converged, 0 left", counts.0, counts.1);
    assert!(counts.1 * 2 > counts.0, "hardly any was stopped in time");
}

/// Ctrl-C where a question is open is a no, at once: nothing was changed, and the next run is not kept waiting.
#[test]
fn ctrl_c_at_a_question_is_a_no() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = root().join("blueprints/rehearsal.toml").display().to_string();
    let up = ["up", &blueprint, "--control-plane-only"];
    let ran = aws.answering("^", &up);
    assert_eq!(ran.code, Some(130), "{}", ran.out);
    assert!(ran.out.contains("nothing was changed"), "{}", ran.out);
    assert_eq!(mutations(&aws), 0);
    aws.done(&["up", &blueprint, "--control-plane-only", "--yes"]);
    aws.forget_calls();
    let ran = aws.answering("^", &["down", &blueprint, "--allow-data-loss"]);
    assert_eq!((ran.code, mutations(&aws)), (Some(130), 0), "{}", ran.out);
}
