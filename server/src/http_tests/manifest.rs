//! The assets' manifest, from a CDN that can be away.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use reqwest::Url;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::harness::{Answer, Server};
use crate::assets::Assets;

/// What the CDN says, and what it was asked.
#[derive(Default)]
struct Cdn {
    status: u16,
    body: String,
    asked: Vec<Option<String>>,
}

type Shared = Arc<Mutex<Cdn>>;

async fn answer(State(cdn): State<Shared>, headers: HeaderMap) -> Response {
    let mut cdn = cdn.lock().expect("not poisoned");
    let etag = format!("\"{}\"", cdn.body.len());
    let has = headers.get(header::IF_NONE_MATCH).map(|value| value.to_str().expect("text").to_owned());
    cdn.asked.push(has.clone());
    if cdn.status == 200 && has.as_ref() == Some(&etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    (StatusCode::from_u16(cdn.status).expect("a status"), [(header::ETAG, etag)], cdn.body.clone()).into_response()
}

async fn cdn(status: u16, body: &str) -> (Shared, Url) {
    let cdn = Arc::new(Mutex::new(Cdn { status, body: body.to_owned(), asked: Vec::new() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/bucket", listener.local_addr().expect("an address"));
    let router = Router::new().route("/bucket/manifest.json", get(answer)).with_state(cdn.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (cdn, url.parse().expect("an address"))
}

fn set(cdn: &Shared, status: u16, body: &str) {
    let mut cdn = cdn.lock().expect("not poisoned");
    (cdn.status, cdn.body) = (status, body.to_owned());
}

fn pushed(version: u64) -> String {
    json!({ "format": 1, "version": version, "created_at": "2026-05-06T07:08:09Z", "files": vec![json!({}); 3] })
        .to_string()
        + &" ".repeat(usize::try_from(version).expect("small"))
}

async fn get_manifest(server: &Server, etag: Option<&str>) -> Answer {
    let mut request = Request::builder().uri("/v1/manifest");
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    server.send(request.body(Body::empty()).expect("a request")).await
}

fn etag(answer: &Answer) -> String {
    answer.headers[header::ETAG].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn one_conditional_request_tells_what_changed() {
    let (cdn, url) = cdn(200, &pushed(1)).await;
    let server = Server::publishing(Assets::impatient(&url)).await;
    let first = get_manifest(&server, None).await;
    assert_eq!((first.status, first.text.as_str()), (StatusCode::OK, pushed(1).as_str()));
    assert_eq!(first.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(first.headers[header::CONTENT_LOCATION], format!("{url}/manifest.json"));
    let one = etag(&first);
    assert_eq!(one, format!("\"{}\"", hex::encode(Sha256::digest(pushed(1)))));
    get_manifest(&server, Some(&one)).await.expect_empty(304);
    get_manifest(&server, Some(&format!("\"other\", W/{one}"))).await.expect_empty(304);

    set(&cdn, 200, &pushed(2));
    let second = get_manifest(&server, Some(&one)).await;
    assert_eq!((second.status, second.json()["version"].as_u64()), (StatusCode::OK, Some(2)));
    assert_ne!(etag(&second), one);
    // Asked with what was known, so that the CDN sends each manifest once.
    let asked = cdn.lock().expect("not poisoned").asked.clone();
    assert_eq!(asked.iter().filter(|etag| etag.is_none()).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn while_the_cdn_is_away_the_last_manifest_is_answered() {
    let (cdn, url) = cdn(200, &pushed(1)).await;
    let server = Server::publishing(Assets::impatient(&url)).await;
    let one = etag(&get_manifest(&server, None).await);
    for (status, body) in [(500, ""), (403, "<Error/>"), (200, "<html>a page</html>"), (200, "{\"version\": 2}")] {
        set(&cdn, status, body);
        let answer = get_manifest(&server, None).await;
        assert_eq!((answer.status.as_u16(), etag(&answer)), (200, one.clone()), "{status} {body}");
    }
    set(&cdn, 200, &pushed(2));
    assert_ne!(etag(&get_manifest(&server, Some(&one)).await), one);
}

#[tokio::test]
async fn what_cannot_be_given_says_why() {
    Server::start().await.get("/v1/manifest", "").await.problem(404, "assets-not-configured");
    let (cdn, url) = cdn(403, "<Error/>").await;
    let server = Server::publishing(Assets::impatient(&url)).await;
    get_manifest(&server, None).await.problem(404, "assets-unpublished");
    set(&cdn, 502, "");
    let away = get_manifest(&server, None).await;
    assert_eq!(away.headers[header::RETRY_AFTER], "5");
    away.problem(503, "assets-unavailable");
    let nobody = Url::parse("http://127.0.0.1:1").expect("an address");
    let server = Server::publishing(Assets::impatient(&nobody)).await;
    get_manifest(&server, None).await.problem(503, "assets-unavailable");
}

#[tokio::test]
async fn the_cdn_is_asked_once_for_many() {
    let (cdn, url) = cdn(200, &pushed(1)).await;
    let server = Server::publishing(Assets::new(&url).expect("a client")).await;
    let answers = futures::future::join_all((0..50).map(|_| get_manifest(&server, None))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let asked = cdn.lock().expect("not poisoned").asked.len();
    println!("50 requests at once: {asked} of them reached the CDN");
    assert_eq!(asked, 1);
}
