//! Stops `up` and `down` of the whole rehearsal topology at each of their mutating calls.
//!
//! `sampled` tries 40 of the experiments, drawn with `$SEED`; `every_call`, which is ignored unless asked for, all of them.

#![allow(clippy::print_stdout, reason = "it prints what it drew and what survived")]

use std::collections::VecDeque;
use std::sync::Mutex;

use provision_tests::crash::{Recording, Stop, Verb, WAYS, Way};
use provision_tests::dice::Dice;
use provision_tests::root;
use provision_tests::topology::Reader;

const SIDE_BY_SIDE: usize = 2;

fn record() -> Recording {
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let recording = Recording::of(&text);
    let count = |verb| recording.stops.iter().filter(|stop| stop.verb == verb).count();
    println!("{} resources; mutating calls: up {}, down {}", recording.resources, count(Verb::Up), count(Verb::Down));
    recording
}

fn all(recording: &Recording) -> Vec<(Stop, Way)> {
    recording.stops.iter().flat_map(|stop| WAYS.map(|way| (stop.clone(), way))).collect()
}

/// Tries them two side by side; panics with what went wrong.
fn survive(recording: &Recording, experiments: Vec<(Stop, Way)>) {
    let total = experiments.len();
    let waiting = Mutex::new(VecDeque::from(experiments));
    let (passed_by, faults) = (Mutex::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                let mut reader = Reader::start();
                loop {
                    let (next, left) = {
                        let mut waiting = waiting.lock().expect("no test panics with it");
                        (waiting.pop_front(), waiting.len())
                    };
                    let Some((stop, way)) = next else { break };
                    if left % 50 == 0 {
                        println!("{left} of {total} to go");
                    }
                    let shown = recording.try_out(&mut reader, &stop, way);
                    *passed_by.lock().expect("no test panics with it") += usize::from(!shown.reached);
                    if let Some(fault) = shown.fault {
                        println!("{way:?} {stop}\n{fault}\n");
                        faults.lock().expect("no test panics with it").push(format!("{way:?} {stop}"));
                    }
                }
            });
        }
    });
    let (passed_by, faults) = (passed_by.into_inner().expect("unpoisoned"), faults.into_inner().expect("unpoisoned"));
    println!("survived/total {}/{total}; in {passed_by} the resumed run had no need of the call", total - faults.len());
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(passed_by * 20 <= total, "{passed_by} of {total} calls were not made again");
}

#[test]
fn sampled() {
    let mut dice = Dice::cast();
    let recording = record();
    let experiments = dice.draw(all(&recording), 40);
    survive(&recording, experiments);
}

#[test]
#[ignore = "about an hour: `make test-crash`"]
fn every_call() {
    let mut dice = Dice::cast();
    let recording = record();
    let mut experiments = all(&recording);
    let count = experiments.len();
    assert!(count >= 2 * WAYS.len() * recording.resources, "{count} experiments");
    if let Ok(only) = std::env::var("ONLY") {
        experiments.retain(|(stop, _)| stop.to_string().contains(&only));
    }
    // In any order: what is wrong in many places shows early.
    survive(&recording, dice.draw(experiments, count));
}
