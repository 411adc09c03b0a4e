//! A command whose process number is known before it starts, and that ends in bounded time.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Ran;

/// Longer than any run without waits takes, retries and all.
const LIMIT: Duration = Duration::from_secs(240);

/// A process that waits for [`Held::go`] and then becomes the command.
#[derive(Debug)]
pub struct Held {
    child: Child,
    output: TempDir,
}

impl Held {
    /// Prepares `command`: program, arguments, environment and directory are taken over.
    pub fn new(command: &Command) -> Self {
        let output = TempDir::new().expect("a temporary directory");
        let file = |name: &str| File::create(output.path().join(name)).expect("a file for the output");
        let mut waiting = Command::new("sh");
        waiting
            .args(["-c", "read -r go && exec \"$0\" \"$@\" </dev/null"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => waiting.env(name, value),
                None => waiting.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            waiting.current_dir(directory);
        }
        waiting.stdin(Stdio::piped()).stdout(file("out")).stderr(file("err"));
        Self { child: waiting.spawn().expect("sh starts"), output }
    }

    /// Its process number, also of the command that it becomes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts the command.
    pub fn go(&mut self) {
        let mut stdin = self.child.stdin.take().expect("it has not been started yet");
        stdin.write_all(b"go\n").expect("it waits");
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Sends it a signal (`KILL`, `STOP`, `CONT`, `TERM`).
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Waits until it ends; what takes too long is killed, and says so.
    pub fn wait(mut self) -> Ran {
        let started = Instant::now();
        let mut late = "";
        while !self.ended() {
            if started.elapsed() > LIMIT {
                self.child.kill().expect("it can be killed");
                late = "\n(killed by the test: it did not end in time)";
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let code = self.child.wait().expect("it has ended").code();
        let read = |name: &str| {
            let bytes = std::fs::read(self.output.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ran { code, out: read("out"), err: read("err") + late }
    }

    /// Starts it and waits.
    pub fn run(mut self) -> Ran {
        self.go();
        self.wait()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
