//! A game client on a bad network: it retries, taps twice, and sometimes gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::cluster::OPERATOR;
use crate::harness::Address;
use crate::harness::samples::id;

pub type Doors = Vec<Address>;

pub fn http_client() -> Http<HttpConnector, Body> {
    Http::builder(TokioExecutor::new()).build_http()
}

/// One request; a body unless it is null.
pub async fn send(
    http: &Http<HttpConnector, Body>,
    door: Address,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> (u16, Value) {
    let mut builder = axum::http::Request::builder()
        .method(method)
        .uri(format!("http://{}:{}{path}", door.host, door.port))
        .header("Content-Type", "application/json");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let answer = http.request(builder.body(Body::from(text)).expect("a request")).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Purchase,
    Score,
    Grant,
}

/// Something that was asked for, and what was answered.
#[derive(Debug, Clone)]
pub struct Operation {
    pub kind: Kind,
    pub player: String,
    pub key: String,
    pub points: i64,
    /// Unset: given up, so it may have happened or not.
    pub answer: Option<(u16, Value)>,
    /// Answers to repeats that were not the first one's.
    pub contradictions: Vec<Value>,
}

/// All that a client did.
pub struct Journal {
    pub player: String,
    pub token: String,
    pub operations: Vec<Operation>,
}

impl Journal {
    pub fn acknowledged(&self) -> usize {
        self.operations.iter().filter(|operation| operation.answer.is_some()).count()
    }

    pub fn given_up(&self) -> usize {
        self.operations.len() - self.acknowledged()
    }
}

pub struct Client {
    http: Http<HttpConnector, Body>,
    doors: Doors,
    journal: Journal,
}

struct Request {
    path: String,
    token: String,
    key: Option<String>,
    body: Value,
}

impl Client {
    /// Gets in with a device of its own.
    pub async fn enter(doors: Doors, n: usize) -> Self {
        let journal = Journal { player: String::new(), token: String::new(), operations: Vec::new() };
        let mut client = Self { http: http_client(), doors, journal };
        let body = json!({ "device_id": format!("device-{n}"), "device_secret": format!("{n:064x}") });
        let request = Request { path: "/v1/sessions".to_owned(), token: String::new(), key: None, body };
        let (_, session) = client.until_answered(&request).await;
        let text = |name: &str| session[name].as_str().expect("text").to_owned();
        client.journal.player = text("user_id");
        client.journal.token = text("access_token");
        client
    }

    pub fn player(&self) -> &str {
        &self.journal.player
    }

    /// One request of this player's, a POST if there is a body, and its only answer.
    pub async fn ask(&self, path: &str, body: Value) -> Option<(u16, Value)> {
        let token = self.journal.token.clone();
        self.once(&Request { path: path.to_owned(), token, key: None, body }).await
    }

    /// Does whatever comes to mind; what is begun in time is carried to its end.
    pub async fn play_until(mut self, done: Arc<AtomicBool>, everybody: Arc<Vec<String>>) -> Journal {
        while !done.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(rand::random_range(10..120))).await;
            let (mut operation, request) = self.think(&everybody);
            match rand::random_range(0..10) {
                // The app is closed: whatever has become of it.
                0 => drop(tokio::time::timeout(Duration::from_millis(3), self.once(&request)).await),
                // Tapped twice.
                1 | 2 => {
                    let (first, second) = tokio::join!(self.until_answered(&request), self.until_answered(&request));
                    operation.answered(first);
                    operation.answered(second);
                }
                // The answer was lost; asked again later, maybe at the other server.
                3 | 4 => {
                    operation.answered(self.until_answered(&request).await);
                    tokio::time::sleep(Duration::from_millis(rand::random_range(0..500))).await;
                    operation.answered(self.until_answered(&request).await);
                }
                _ => operation.answered(self.until_answered(&request).await),
            }
            self.journal.operations.push(operation);
        }
        self.journal
    }

    fn think(&self, everybody: &[String]) -> (Operation, Request) {
        let own = &self.journal.player;
        let (key, points) = (id(), rand::random_range(1..1000));
        let request = |path: String, token: &str, key: Option<&String>, body| Request {
            path,
            token: token.to_owned(),
            key: key.cloned(),
            body,
        };
        let (kind, player, request) = match rand::random_range(0..5) {
            0 | 1 => {
                let body = json!({ "item_id": "101", "expected_price": 100 });
                let request = request(format!("/v1/users/{own}/items"), &self.journal.token, Some(&key), body);
                (Kind::Purchase, own, request)
            }
            2 | 3 => {
                let body = json!({ "score": points, "run_id": key, "board": "total" });
                (Kind::Score, own, request(format!("/v1/users/{own}/scores"), &self.journal.token, None, body))
            }
            _ => {
                let other = &everybody[rand::random_range(0..everybody.len())];
                let body = json!({ "coins": points, "reason": "chaos" });
                (Kind::Grant, other, request(format!("/admin/v1/users/{other}/grants"), OPERATOR, Some(&key), body))
            }
        };
        let operation =
            Operation { kind, player: player.clone(), key, points, answer: None, contradictions: Vec::new() };
        (operation, request)
    }

    /// One attempt, at any of the servers. Unset: nothing is known of it.
    async fn once(&self, request: &Request) -> Option<(u16, Value)> {
        let door = self.doors[rand::random_range(0..self.doors.len())];
        let method = if request.body.is_null() { Method::GET } else { Method::POST };
        let mut builder = axum::http::Request::builder()
            .method(method)
            .uri(format!("http://{}:{}{}", door.host, door.port, request.path))
            .header("Content-Type", "application/json")
            .header("Authorization", format!("Bearer {}", request.token));
        if let Some(key) = &request.key {
            builder = builder.header("Idempotency-Key", key);
        }
        let request = builder.body(Body::from(request.body.to_string())).expect("a request");
        let answer = self.http.request(request).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).ok()?))
    }

    async fn until_answered(&self, request: &Request) -> (u16, Value) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match tokio::time::timeout(Duration::from_secs(10), self.once(request)).await {
                Ok(Some((status, body))) if status != 503 => return (status, body),
                _ => tokio::time::sleep(Duration::from_millis(rand::random_range(20..100))).await,
            }
            assert!(Instant::now() < deadline, "{} is not answered", request.path);
        }
    }
}

impl Operation {
    /// An answer to it: the first one, or one that must say the same.
    fn answered(&mut self, (status, mut body): (u16, Value)) {
        // Time goes on between two answers to a score: others play too.
        if let Some(body) = body.as_object_mut() {
            body.remove("rank");
            body.remove("request_id");
        }
        let expected: &[u16] = match self.kind {
            Kind::Purchase => &[201, 402],
            Kind::Score => &[200],
            Kind::Grant => &[201],
        };
        assert!(expected.contains(&status), "{:?} was answered with {status}: {body}", self.kind);
        match &self.answer {
            // Only a granted purchase binds its key; too few coins then may be enough now.
            None | Some((402, _)) => self.answer = Some((status, body)),
            Some(first) if *first == (status, body.clone()) => {}
            Some(_) => self.contradictions.push(body),
        }
    }
}
