//! The binary itself: its start, its end, and what is there afterwards.

#[path = "../support/apple.rs"]
#[allow(dead_code, reason = "the unit tests make flawed ones")]
mod apple;
#[path = "../support/collector.rs"]
mod collector;
#[path = "../support/schemathesis.rs"]
mod schemathesis;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Ends the process with the test, whatever happens in it.
struct Server {
    child: Child,
    port: u16,
    metrics_port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_game-server"));
    command.env_clear().env("GAME_DATA_DIR", directory).env("GAME_LOG_FORMAT", "json").stderr(Stdio::null());
    command
}

impl Server {
    fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    fn start_with(directory: &Path, more: &[(&str, &str)]) -> Self {
        let (port, metrics_port) = (free_port(), free_port());
        let child = command(directory)
            .env("GAME_PORT", port.to_string())
            .env("GAME_METRICS_PORT", metrics_port.to_string())
            .env("GAME_DRAIN_SECONDS", "1")
            .envs(more.iter().copied())
            .spawn()
            .expect("the binary starts");
        let server = Self { child, port, metrics_port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.try_send(port, "GET", "/livez", "", "").is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "it does not become live");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn try_send(&self, port: u16, method: &str, path: &str, token: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = self.try_send(self.port, method, path, token, &body).expect("an answer");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn operator(directory: &Path) -> String {
        let keys = fs::read_to_string(directory.join("keys.json")).expect("keys");
        let keys: Value = serde_json::from_str(&keys).expect("JSON");
        keys["operator"].as_str().expect("a key").to_owned()
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    }

    /// The exit code, which must come soon.
    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn session(server: &Server) -> (String, String) {
    let body = json!({ "device_id": "d", "device_secret": "0123456789abcdef".repeat(4) });
    let (status, session) = server.send("POST", "/v1/sessions", "", &body);
    assert!(status == 200 || status == 201, "{session}");
    let text = |name: &str| session[name].as_str().expect("text").to_owned();
    (text("user_id"), text("access_token"))
}

#[test]
fn what_was_answered_is_there_after_a_kill_and_a_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut server = Server::start(directory.path());
    let (id, token) = session(&server);
    let score = json!({ "score": 7, "run_id": "r" });
    assert_eq!(server.send("POST", &format!("/v1/users/{id}/scores"), &token, &score).0, 200);
    let operator = &Server::operator(directory.path());
    server.child.kill().expect("killed");
    server.child.wait().expect("ended");

    let again = Server::start(directory.path());
    // The same keys, so the token is still good; the ranking is built from the ledger.
    let (status, rank) = again.send("GET", &format!("/v1/users/{id}/rank"), &token, &Value::Null);
    assert_eq!((status, &rank["rank"], &rank["stale"]), (200, &json!(1), &json!(false)));
    assert_eq!(session(&again).0, id);
    // What the killed one had leased is free again only when the lease is over.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, page) = again.send("GET", &format!("/admin/v1/events?user_id={id}"), operator, &Value::Null);
        if page["events"].as_array().is_some_and(|events| events.len() == 2) {
            break;
        }
        assert!(Instant::now() < deadline, "the events do not come: {page}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (_, metrics) = again.try_send(again.metrics_port, "GET", "/metrics", "", "").expect("metrics");
    assert!(metrics.contains("http_requests_total"), "{metrics}");
}

#[test]
fn told_to_stop_it_turns_traffic_away_serves_on_and_ends_well() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut server = Server::start(directory.path());
    let (id, token) = session(&server);
    server.terminate();
    let deadline = Instant::now() + Duration::from_millis(900);
    while server.send("GET", "/livez", "", &Value::Null).0 != 503 {
        assert!(Instant::now() < deadline, "it still wants traffic");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The load balancer has not noticed yet.
    assert_eq!(server.send("GET", &format!("/v1/users/{id}"), &token, &Value::Null).0, 200);
    assert_eq!(server.ended(), Some(0));
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
}

#[test]
fn a_wrong_configuration_is_told_whole_and_starts_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let Output { status, stderr, .. } = command(&directory.path().join("never"))
        .env("GAME_PORT", "many")
        .env("GAME_START_COINS", "-1")
        .stderr(Stdio::piped())
        .output()
        .expect("the binary starts");
    let told = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(2));
    assert!(told.contains("GAME_PORT") && told.contains("GAME_START_COINS"), "{told}");
    assert!(!directory.path().join("never").exists());
}

#[test]
fn a_port_in_use_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let output = command(directory.path())
        .env("GAME_PORT", port.to_string())
        .stderr(Stdio::piped())
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("cannot listen on 127.0.0.1:{port}")));
}

#[test]
fn the_walk_of_the_readme_works() {
    let directory = tempfile::tempdir().expect("a directory");
    let (apple, root) = (apple::Apple::new(), directory.path().join("root.der"));
    fs::write(&root, &apple.root).expect("written");
    let server = Server::start_with(
        directory.path(),
        &[
            ("GAME_APPLE_BUNDLE_ID", "com.example.game"),
            ("GAME_APPLE_ROOT", root.to_str().expect("text")),
            ("GAME_PRODUCTS", r#"[{"product_id":"coins_500","coins":500}]"#),
        ],
    );
    let (_, section) = include_str!("../../README.md").split_once("## A walk").expect("a section");
    let script = section.split("```").nth(1).and_then(|block| block.strip_prefix("sh\n")).expect("a script");
    let output = Command::new("sh")
        .args(["-eu", "-c", script])
        .env("API", format!("http://127.0.0.1:{}", server.port))
        .env("RECEIPT", apple.sign(&apple::transaction("1", jiff::Timestamp::now().as_millisecond())))
        .env("OPERATOR", Server::operator(directory.path()))
        .output()
        .expect("sh starts");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && wrong.is_empty(), "{wrong}\n{said}");
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [score, rank, board, bought, again, receipt, revoked, user, ledger] = answers.as_slice() else {
        panic!("{said}")
    };
    assert_eq!((&score["best"], &rank["rank"], &board["total"]), (&json!(4200), &json!(1), &json!(1)));
    assert_eq!((bought, &bought["balance"]), (again, &json!(900)));
    assert_eq!((&receipt["state"], &receipt["balance"]), (&json!("granted"), &json!(1400)));
    assert_eq!((&revoked["balance"], &revoked["owed"]), (&json!(0), &json!(100)));
    assert_eq!((&user["coins"], &user["owed"]), (&json!(0), &json!(100)));
    assert_eq!(ledger["entries"].as_array().map(Vec::len), Some(4));
}

#[test]
fn the_api_keeps_to_its_description_on_embedded_stores() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start_with(
        directory.path(),
        &[("GAME_RATE_PLAYER", "0"), ("GAME_RATE_ADDRESS", "0"), ("GAME_APPLE_BUNDLE_ID", "com.example.game")],
    );
    let (user_id, access_token) = session(&server);
    let operator_key = Server::operator(directory.path());
    let caller = schemathesis::Caller { user_id: &user_id, access_token: &access_token, operator_key: &operator_key };
    let cases = schemathesis::run(&format!("http://127.0.0.1:{}", server.port), &caller);
    eprintln!("schemathesis on embedded stores: {cases}");
}

#[test]
fn traces_that_wait_are_sent_before_the_end() {
    let (directory, collector) = (tempfile::tempdir().expect("a directory"), collector::Collector::start());
    let more = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
    let mut server = Server::start_with(directory.path(), &more);
    session(&server);
    assert!(collector.spans().is_empty(), "they wait");
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    let spans = collector.spans();
    let request = spans.iter().find(|span| span.name == "POST /v1/sessions").unwrap_or_else(|| panic!("{spans:?}"));
    assert_eq!((request.trace_id.len(), request.parent_id.as_str()), (32, ""));
    assert!(request.attribute("request_id").is_some_and(|id| id.len() == 26), "{request:?}");
}
