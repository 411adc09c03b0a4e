//! Redis, in place of ElastiCache.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use server::store::CacheSettings;

use super::process::{Address, Process};

/// Certificates for TLS.
pub struct Tls {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A server without persistence: killed, it comes back empty.
pub struct Redis {
    pub address: Address,
    options: Vec<String>,
    process: Process,
}

impl Redis {
    /// The one that most tests share, each with boards of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    pub fn start(options: &[&str]) -> Self {
        Self::start_at(Address::free(), options)
    }

    pub fn start_at(address: Address, options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let process = launch(address, &options);
        Self { address, options, process }
    }

    /// A replica, in step with its primary: another host, the same port.
    pub fn replica_of(primary: &Self) -> Self {
        let (host, port) = (primary.address.host.to_string(), primary.address.port.to_string());
        let replica = Self::start_at(primary.address.neighbour(), &["--replicaof", &host, &port]);
        replica.wait_for("master_link_status:up");
        replica
    }

    /// Waits until the server says this of its replication.
    pub fn wait_for(&self, said: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.command::<String>(&["INFO", "replication"]).contains(said) {
            assert!(Instant::now() < deadline, "redis does not come to {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Speaks TLS alone.
    pub fn with_tls(address: Address, tls: &Tls, password: &str) -> Self {
        let text = |path: &Path| path.display().to_string();
        let (port, certificate, key) = (address.port.to_string(), text(&tls.certificate), text(&tls.key));
        let options = ["--port", "0", "--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let more = ["--tls-auth-clients", "no", "--requirepass", password];
        Self::start_at(address, &[&options[..], &more[..]].concat())
    }

    /// Sends a signal to the server, by name.
    pub fn signal(&self, name: &str, pid: u32) {
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
        assert!(sent.expect("kill runs").success(), "{name} to {pid}");
    }

    /// The server's process number.
    pub fn pid(&self) -> u32 {
        let info = self.command::<String>(&["INFO", "server"]);
        let line = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        line.expect("it says so").trim().parse().expect("a number")
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it and starts it again, empty.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(self.address, &self.options);
    }

    pub fn client(&self) -> redis::Client {
        redis::Client::open(format!("redis://{}:{}/", self.address.host, self.address.port)).expect("a URL")
    }

    /// One command, to look behind the ranking's back.
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.client().get_connection().expect("connects");
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).expect("answers")
    }

    pub fn settings(&self) -> CacheSettings {
        CacheSettings {
            host: self.address.host.to_string(),
            port: self.address.port,
            reader_host: None,
            auth_token: None::<SecretString>,
            tls: false,
        }
    }
}

fn launch(address: Address, options: &[String]) -> Process {
    let directory = tempfile::Builder::new().prefix("game-redis-").tempdir().expect("a directory").keep();
    let (host, port, place) = (address.host.to_string(), address.port.to_string(), directory.display().to_string());
    let mut command = vec!["redis-server", "--bind", &host, "--port", &port, "--dir", &place];
    command.extend(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
    command.extend(options.iter().map(String::as_str));
    let log = directory.join("log");
    let process = Process::start(&command, &directory, &log);
    process.wait("redis-server (Debian package redis-server)", &log, || address.answers());
    process
}
