//! Emulators of AWS that others wrote, each started for one test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{LocalAws, root};

/// What LocalStack is told to load: its free services without DynamoDB, which downloads a program at first use.
const LOCALSTACK_SERVICES: &str = "acm,cloudwatch,ec2,iam,logs,route53,s3,secretsmanager,sns,ssm,sts";

impl LocalAws {
    /// Starts ministack.
    pub fn ministack() -> Self {
        let state = TempDir::new().expect("a temporary directory");
        let port = free_port();
        let mut command = Command::new(environment("ministack").with_file_name("ministack"));
        command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        Self::foreign(command, state, port, "/_ministack/health")
    }

    /// Starts LocalStack's free edition.
    pub fn localstack() -> Self {
        let state = TempDir::new().expect("a temporary directory");
        let port = free_port();
        let mut command = Command::new(environment("localstack"));
        command
            .args(["-m", "localstack.runtime.main"])
            // The default gateway binds every interface.
            .env("GATEWAY_SERVER", "hypercorn")
            .env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
            .env("SERVICES", LOCALSTACK_SERVICES)
            .env("DNS_ADDRESS", "0")
            .env("DISABLE_EVENTS", "1")
            .env("SKIP_SSL_CERT_DOWNLOAD", "1")
            .env("EAGER_SERVICE_LOADING", "0")
            .env("OVERRIDE_IN_DOCKER", "0")
            .env("FILESYSTEM_ROOT", state.path())
            .env("LOCALSTACK_VOLUME_DIR", state.path());
        Self::foreign(command, state, port, "/_localstack/health")
    }

    fn foreign(mut command: Command, state: TempDir, port: u16, health: &str) -> Self {
        let log = || {
            Stdio::from(
                std::fs::File::options().append(true).create(true).open(state.path().join("log")).expect("a log"),
            )
        };
        let process = command
            .current_dir(state.path())
            .env_remove("AWS_ENDPOINT_URL")
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("the endpoint starts");
        let mut endpoint = Self { url: format!("http://127.0.0.1:{port}"), process: Some(process), state };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
                && !endpoint.control("GET", health, "").is_null()
            {
                return endpoint;
            }
            if !matches!(endpoint.process.as_mut().map(Child::try_wait), Some(Ok(None))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!(
            "the endpoint did not start:\n{}",
            std::fs::read_to_string(endpoint.state.path().join("log")).unwrap_or_default()
        )
    }
}

/// The Python of the endpoint's environment, which is made where it is missing.
fn environment(name: &str) -> std::path::PathBuf {
    let output = Command::new(root().join("tests/endpoints/setup.sh")).arg(name).output().expect("setup.sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().into()
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("its address").port()
}
