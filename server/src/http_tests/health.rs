use std::sync::atomic::Ordering;

use serde_json::json;

use super::harness::Server;
use crate::lifecycle::start_up_check;

#[tokio::test]
async fn live_after_the_start_up_check_until_told_to_stop() {
    let server = Server::start().await;
    assert_eq!(server.get("/livez", "").await.expect(503)["status"], "starting");
    start_up_check(&server.app.game).await.expect("all is well");
    server.app.health.set_live();
    assert_eq!(server.get("/livez", "").await.expect(200)["status"], "live");
    server.app.health.set_draining();
    assert_eq!(server.get("/livez", "").await.expect(503)["status"], "draining");
    assert_eq!(server.get("/readyz", "").await.expect(503)["status"], "draining");
    server.app.health.set_live();
    assert_eq!(server.get("/livez", "").await.status.as_u16(), 503);
}

#[tokio::test]
async fn ready_says_who_it_is() {
    let server = Server::start().await;
    server.app.health.set_live();
    let ready = server.get("/readyz", "").await.expect(200);
    assert_eq!((&ready["status"], &ready["release"]), (&json!("ready"), &json!("abc")));
    assert_eq!(ready["checks"], json!({ "cache": "ok", "database": "ok", "log": "ok" }));
}

#[tokio::test]
async fn ready_needs_the_ranking_but_not_the_log() {
    let server = Server::start().await;
    server.app.health.set_live();
    server.log.away.store(true, Ordering::SeqCst);
    let ready = server.get("/readyz", "").await.expect(200);
    assert_ne!(ready["checks"]["log"], "ok");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    server.ranking.away.store(true, Ordering::SeqCst);
    assert_eq!(server.get("/readyz", "").await.expect(503)["status"], "degraded");
    assert!(start_up_check(&server.app.game).await.is_err());
    // The load balancer does not take every instance away because of one cache.
    assert_eq!(server.get("/livez", "").await.status.as_u16(), 200);
}
