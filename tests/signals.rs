//! Ctrl-C and SIGTERM: once, what is in flight finishes; twice, it ends at once. Both times the next run converges.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provision_tests::{LocalAws, Ran, root};

const HOME: &str = "eu-central-1";

/// Starts `verb`, sends `signals` after `calls` mutating calls, and returns how it ended.
fn interrupted(aws: &LocalAws, verb: &[&str], calls: usize, signals: &[&str]) -> Ran {
    aws.forget_calls();
    let mut command = aws.provision(verb);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let started = Instant::now();
    while aws.calls().iter().filter(|c| c.mutating).count() < calls {
        assert!(started.elapsed() < Duration::from_secs(120), "no {calls} mutating calls");
        std::thread::sleep(Duration::from_millis(20));
    }
    for signal in signals {
        let sent = Command::new("kill").arg(signal).arg(running.id().to_string()).status();
        assert!(sent.expect("kill runs").success(), "it ended before the signal");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ran::of(running.wait_with_output().expect("it ends"))
}

#[test]
fn once_or_twice_the_next_run_converges() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let up = ["up", &blueprint, "--yes", "--control-plane-only"];
    let down = ["down", &blueprint, "--yes", "--allow-data-loss"];

    let once = interrupted(&aws, &up, 20, &["-INT"]);
    assert_eq!(once.code, Some(130), "{}", once.err);
    assert!(once.err.contains("not started:") && once.err.contains("run `provision up` again"), "{}", once.err);
    // The lease was handed back: nobody is told to wait.
    let status = aws.done(&["status", &blueprint, "--json"]).json();
    assert_eq!(status["lease"], serde_json::Value::Null, "{status:#}");

    let once = interrupted(&aws, &up, 15, &["-TERM"]);
    assert_eq!(once.code, Some(130), "{}", once.err);
    let twice = interrupted(&aws, &up, 10, &["-INT", "-INT"]);
    assert_eq!(twice.code, Some(130), "{}", twice.err);
    aws.done(&up);
    aws.done(&["plan", "--check", &blueprint]);

    let once = interrupted(&aws, &down, 10, &["-INT"]);
    assert_eq!(once.code, Some(130), "{}", once.err);
    let twice = interrupted(&aws, &down, 10, &["-TERM", "-TERM"]);
    assert_eq!(twice.code, Some(130), "{}", twice.err);
    let last = aws.done(&down);
    assert!(last.out.contains("0 left"), "{}", last.out);
    assert!(aws.listing(HOME, "game-dev").is_empty());
}
