use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde_json::json;

use super::harness::Server;
use crate::{config::Limits, domain::shop::Catalogue};

async fn with(limits: Limits) -> Server {
    let directory = Arc::new(tempfile::tempdir().expect("a directory"));
    Server::over(directory, Catalogue::starter(), limits).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_groups_load_does_not_use_up_anothers_room() {
    let server = with(Limits { scores: 1, ..Limits::default() }).await;
    let player = server.player("d").await;
    let path = format!("/v1/users/{}/scores", player.id);
    let posts = (0..50).map(|n| server.post(&path, &player.token, json!({ "score": n, "run_id": format!("{n}") })));
    let (scores, item) = tokio::join!(
        futures::future::join_all(posts),
        server.buy(&player, "k", json!({ "item_id": "101", "expected_price": 100 }))
    );
    item.expect(201);
    let shed: Vec<_> = scores.into_iter().filter(|answer| answer.status != StatusCode::OK).collect();
    assert!(!shed.is_empty());
    for answer in shed {
        assert_eq!(answer.headers.get("retry-after").expect("when"), "1");
        answer.problem(503, "overloaded");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    let server = with(Limits { deadline: Duration::from_nanos(1), ..Limits::default() }).await;
    let body = json!({ "device_id": "d", "device_secret": super::harness::secret_of("d") });
    let answer = server.post("/v1/sessions", "", body).await;
    assert!(answer.headers.contains_key("retry-after"));
    answer.problem(503, "timed-out");
}
