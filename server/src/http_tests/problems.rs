use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::json;

use super::harness::Server;
use crate::router::MAX_BODY;

async fn raw(server: &Server, content_type: Option<&str>, body: impl Into<Body>) -> super::harness::Answer {
    let mut request = Request::builder().method(Method::POST).uri("/v1/sessions");
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    server.send(request.body(body.into()).expect("a request")).await
}

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_a_problem() {
    let server = Server::start().await;
    raw(&server, Some("application/json"), "{").await.problem(400, "malformed-request");
    raw(&server, Some("application/json"), "{}").await.problem(422, "invalid-request");
    raw(&server, None, "{}").await.problem(415, "unsupported-media-type");
    raw(&server, Some("application/json"), " ".repeat(MAX_BODY + 1)).await.problem(413, "request-too-large");
    server.get("/v1/nothing", "").await.problem(404, "not-found");
    server.get("/problems/%ff", "").await.problem(400, "malformed-request");
    let wrong = server.call(Method::DELETE, "/v1/leaderboard", "", None, None).await;
    assert!(wrong.headers.contains_key("allow"));
    wrong.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_problems_type_can_be_looked_up() {
    let server = Server::start().await;
    let problem = server.get("/v1/nothing", "").await.problem(404, "not-found");
    let about = server.get(problem["type"].as_str().expect("a type"), "").await.expect(200);
    assert_eq!((&about["type"], &about["title"]), (&problem["type"], &problem["title"]));
    server.get("/problems/none", "").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_request_keeps_the_id_it_came_with() {
    let server = Server::start().await;
    for (sent, kept) in [("abc-123", true), ("with space", false), ("", false)] {
        let request = Request::builder().uri("/v1/nothing").header("x-request-id", sent).body(Body::empty());
        let answer = server.send(request.expect("a request")).await;
        let id = answer.problem(404, "not-found")["request_id"].clone();
        assert_eq!(id == json!(sent), kept);
    }
}
