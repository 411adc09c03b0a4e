use std::{num::NonZeroU32, sync::Arc};

use axum::{body::Body, http::Request};

use super::harness::{Answer, Server};
use crate::{
    config::Limits,
    domain::shop::Catalogue,
    rate::{Rate, Rates},
};

/// Regains nothing while a test runs.
fn only(burst: u32) -> Option<Rate> {
    Some(Rate { per_minute: NonZeroU32::MIN, burst: NonZeroU32::new(burst)? })
}

async fn with(rates: Rates) -> Server {
    let directory = Arc::new(tempfile::tempdir().expect("a directory"));
    Server::limited(directory, Catalogue::starter(), Limits::default(), rates).await
}

async fn from(server: &Server, path: &str, forwarded: &str) -> Answer {
    let request = Request::get(path).header("X-Forwarded-For", forwarded);
    server.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn a_player_who_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let server = with(Rates { player: only(3), address: None }).await;
    let (eager, calm) = (server.player("a").await, server.player("b").await);
    for _ in 0..3 {
        server.user(&eager).await;
    }
    let refused = server.get("/v1/catalog", &eager.token).await;
    let wait = refused.headers.get("retry-after").expect("when").to_str().expect("text").to_owned();
    assert!((1..=60).contains(&wait.parse::<u32>().expect("seconds")), "{wait}");
    refused.problem(429, "rate-limited");
    server.user(&calm).await;
}

#[tokio::test]
async fn an_address_is_the_last_one_forwarded_whatever_the_client_makes_up() {
    let server = with(Rates { player: None, address: only(2) }).await;
    for made_up in ["9.9.9.1", "9.9.9.2"] {
        assert_eq!(from(&server, "/v1/catalog", &format!("{made_up}, 192.0.2.1")).await.status, 401);
    }
    from(&server, "/v1/catalog", "9.9.9.3, 192.0.2.1").await.problem(429, "rate-limited");
    assert_eq!(from(&server, "/v1/catalog", "192.0.2.1, 192.0.2.2").await.status, 401);
    assert_ne!(from(&server, "/livez", "192.0.2.1").await.status, 429);
}
