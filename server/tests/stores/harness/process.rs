//! Child processes that never outlive the tests.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Where a server listens: a loopback address of its own and a free port on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    pub host: Ipv4Addr,
    pub port: u16,
}

impl Address {
    pub fn free() -> Self {
        loop {
            let host = Ipv4Addr::new(127, rand::random_range(64..250), rand::random(), rand::random_range(2..250));
            if let Ok(listener) = TcpListener::bind((host, 0)) {
                let port = listener.local_addr().expect("a bound socket has an address").port();
                return Self { host, port };
            }
        }
    }

    /// Another host, the same port: as the hosts of one endpoint are.
    pub fn neighbour(self) -> Self {
        loop {
            let other = Self::free();
            if other.host != self.host && TcpListener::bind((other.host, self.port)).is_ok() {
                return Self { host: other.host, port: self.port };
            }
        }
    }

    pub fn answers(self) -> bool {
        let address = SocketAddrV4::new(self.host, self.port);
        TcpStream::connect_timeout(&address.into(), Duration::from_millis(200)).is_ok()
    }
}

/// Runs the program given as arguments until standard input ends, which it does when the tests exit, however they do;
/// then removes the directory named first, unless a line was read. Signals of the terminal are not for this.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
dir=$1; log=$2; shift 2
"$@" </dev/null >"$log" 2>&1 & child=$!
while read -r line; do dir=; done
kill -KILL $child
wait $child 2>/dev/null
[ -z "$dir" ] || rm -rf "$dir"
"#;

/// The path with where daemons live, which is not on everybody's.
pub fn with_daemons() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// A running server, killed when this is dropped.
pub struct Process {
    watchdog: Child,
    input: Option<ChildStdin>,
}

impl Process {
    /// Starts a program. The directory `scratch` is removed after it; its output goes to `log`.
    pub fn start(command: &[&str], scratch: &Path, log: &Path) -> Self {
        let mut watchdog = Command::new("sh")
            .env("PATH", with_daemons())
            .args(["-c", WATCHDOG, "sh"])
            .arg(scratch)
            .arg(log)
            .args(command)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let input = watchdog.stdin.take();
        Self { watchdog, input }
    }

    /// Waits until `ready` holds.
    pub fn wait(&self, what: &str, log: &Path, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ready() {
            let output = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(Instant::now() < deadline, "{what} is not ready; its output:\n{}", output());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Kills it, as a power failure would.
    pub fn kill(&mut self) {
        drop(self.input.take());
        self.watchdog.wait().expect("the watchdog is our child");
    }

    /// Kills it and leaves its directory.
    pub fn kill_and_keep(&mut self) {
        let mut input = self.input.take().expect("running");
        input.write_all(b"keep\n").expect("the watchdog reads");
        drop(input);
        self.watchdog.wait().expect("the watchdog is our child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
