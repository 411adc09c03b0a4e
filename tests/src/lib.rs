//! Helpers of the end-to-end tests: a local AWS of one's own, the built binaries, and independent listings.

pub mod assets;
pub mod crash;
pub mod dice;
pub mod held;
pub mod load;
pub mod releases;
pub mod topology;

mod foreign;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A running local AWS; it and all its processes end with this value.
pub struct LocalAws {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// Its process; a copy is its maker's child.
    process: Option<Child>,
    state: TempDir,
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

/// A blueprint without the section `name`, which must be there.
pub fn without(text: &str, name: &str) -> String {
    let header = format!("[{name}]\n");
    let start = text.find(&header).expect("the section is there");
    let rest = &text[start + header.len()..];
    let end = rest.find("\n[").map_or(rest.len(), |at| at + 1);
    format!("{}{}", &text[..start], &rest[end..])
}

/// The Python of the local AWS, with boto3 and the stores' clients.
pub fn python() -> PathBuf {
    let python =
        std::env::var_os("LOCAL_AWS_PYTHON").expect("LOCAL_AWS_PYTHON is not set: run the tests by `make test-e2e`");
    PathBuf::from(python)
}

impl LocalAws {
    /// Starts one with these arguments (`--no-waits`, `--time-scale 20`, `--control-plane-only`).
    pub fn start(arguments: &[&str]) -> Self {
        let state = TempDir::new().expect("a temporary directory");
        let mut process = Command::new(python())
            .args(["-m", "local_aws", "--port", "0", "--state-dir"])
            .arg(state.path())
            .args(arguments)
            .current_dir(root().join("tests/emulator"))
            .env("PYTHONUNBUFFERED", "1")
            .env_remove("AWS_ENDPOINT_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(std::fs::File::create(state.path().join("log")).expect("a log file")))
            .spawn()
            .expect("the local AWS starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("local AWS ready on ").map(str::to_owned))
            .unwrap_or_else(|| {
                let log = std::fs::read_to_string(state.path().join("log")).unwrap_or_default();
                panic!("the local AWS did not start:\n{log}")
            });
        std::thread::spawn(move || lines.for_each(drop));
        Self { url, process: Some(process), state }
    }

    /// Another one with the same state, or with the state just before a recorded call; it ends with this one at the latest.
    pub fn copy(&self, recorded: Option<usize>) -> Self {
        let body = recorded.map_or(String::new(), |number| serde_json::json!({"recorded": number}).to_string());
        let answer = self.control("POST", "/_local/fork", &body);
        let url = answer["url"].as_str().unwrap_or_else(|| panic!("no copy was made: {answer}")).to_owned();
        Self { url, process: None, state: TempDir::new().expect("a temporary directory") }
    }

    /// `provision` with these arguments, its journals and prices kept in this value's own directory.
    pub fn provision(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("provision"));
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("XDG_STATE_HOME", self.state.path().join("journals"))
            .env("XDG_CACHE_HOME", self.state.path().join("cache"))
            .env_remove("AWS_PROFILE")
            .current_dir(root())
            .stdin(Stdio::null());
        command
    }

    /// Runs `provision` and returns what it printed.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.provision(arguments).output().expect("provision runs"))
    }

    /// Runs `provision` and panics, with all it printed, unless it exits 0.
    pub fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "provision {arguments:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// Runs `provision` on a terminal and answers its questions, a letter each; standard output is what the terminal showed.
    pub fn answering(&self, answers: &str, arguments: &[&str]) -> Ran {
        let provision = self.provision(arguments);
        let mut command = Command::new(python());
        command.arg(root().join("tests/terminal.py")).arg(answers).arg(provision.get_program()).args(arguments);
        for (name, value) in provision.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ran::of(command.env("NO_COLOR", "1").current_dir(root()).output().expect("python runs"))
    }

    /// Writes a blueprint and returns its path.
    pub fn blueprint(&self, name: &str, text: &str) -> String {
        let path = self.state.path().join(name);
        std::fs::write(&path, text).expect("the blueprint is written");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    /// Everything in the account that carries a stack tag or a stack's name, asked through boto3: `service kind id`.
    pub fn listing(&self, region: &str, stack: &str) -> BTreeSet<String> {
        self.listing_of(region, stack, &[])
    }

    /// As [`LocalAws::listing`], some parts of `listing.py` only, for an endpoint that lacks the others.
    pub fn listing_of(&self, region: &str, stack: &str, parts: &[&str]) -> BTreeSet<String> {
        let output = Command::new(python())
            .arg(root().join("tests/listing.py"))
            .args([&self.url, region, stack])
            .args(parts)
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .output()
            .expect("the listing runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Runs Python with `api`, a boto3 client of `service`; returns what it prints.
    pub fn boto3(&self, service: &str, code: &str) -> String {
        let script = format!(
            "import boto3\napi = boto3.client({service:?}, endpoint_url={:?}, region_name='eu-central-1')\n{code}\n",
            self.url
        );
        let output = Command::new(python())
            .args(["-c", &script])
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .output()
            .expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks the local AWS's own control, for example `GET`, `/_local/calls`.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Value {
        ask(&self.url, method, path, body).expect("the local AWS answers")
    }

    /// The calls since the last [`LocalAws::forget_calls`], in order.
    pub fn calls(&self) -> Vec<Call> {
        let answer = self.control("GET", "/_local/calls?list=1", "");
        let list = answer["list"].as_array().expect("a list of calls");
        let call = |c: &Value| Call {
            service: c["service"].as_str().unwrap_or_default().to_owned(),
            action: c["action"].as_str().unwrap_or_default().to_owned(),
            mutating: c["mutating"].as_bool().unwrap_or_default() && c["status"].as_u64().is_some_and(|s| s < 400),
            refused: c["refused_by"]
                .as_str()
                .map(|by| (by.to_owned(), c["code"].as_str().unwrap_or_default().to_owned())),
        };
        list.iter().map(call).collect()
    }

    /// Starts to count calls anew.
    pub fn forget_calls(&self) {
        self.control("DELETE", "/_local/calls", "");
    }

    /// The data plane's processes.
    pub fn processes(&self) -> Vec<Value> {
        let answer = self.control("GET", "/_local/processes", "");
        answer.as_array().or_else(|| answer["processes"].as_array()).cloned().unwrap_or_default()
    }
}

/// One request to `http://ADDRESS:PORT` and its JSON answer; null where it is none.
pub fn ask(url: &str, method: &str, path: &str, body: &str) -> std::io::Result<Value> {
    let address = url.strip_prefix("http://").expect("plain http");
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(serde_json::from_str(body).unwrap_or(Value::Null))
}

impl Drop for LocalAws {
    #[allow(clippy::print_stderr, reason = "only here can a test that fails still say what its local AWS said")]
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            // It may have ended already.
            let _ = ask(&self.url, "POST", "/_local/stop", "");
            return;
        };
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.state.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the local AWS said at last:\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
        let pid = process.id().to_string();
        // SIGTERM lets it stop its processes; they also die with it.
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        for _ in 0..150 {
            if matches!(process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// One AWS call as the local AWS counted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Service, in botocore's words.
    pub service: String,
    /// Action.
    pub action: String,
    /// Whether it changed something: a mutating action that was not refused.
    pub mutating: bool,
    /// Where the request itself was refused: by botocore's `model` or by the service's `rules`, and the code.
    pub refused: Option<(String, String)>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Reads a finished command's output.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}):\n{}\n{}", self.out, self.err))
    }
}

/// A built binary: `$PROVISION` names `provision`; others lie beside it.
pub fn binary(name: &str) -> PathBuf {
    let provision = std::env::var_os("PROVISION").expect("PROVISION is not set: run the tests by `make test-e2e`");
    Path::new(&provision).with_file_name(name)
}
