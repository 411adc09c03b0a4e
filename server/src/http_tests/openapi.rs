use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use super::harness::Server;
use crate::{error::KINDS, router};

/// The contract: what is written in the API table.
const ROUTES: &[(&str, &str)] = &[
    ("post", "/v1/sessions"),
    ("post", "/v1/sessions/refresh"),
    ("get", "/v1/users/{id}"),
    ("post", "/v1/users/{id}/scores"),
    ("get", "/v1/users/{id}/rank"),
    ("get", "/v1/leaderboard"),
    ("get", "/v1/leaderboards/{board}"),
    ("get", "/v1/leaderboards/{board}/around/{id}"),
    ("post", "/v1/leaderboards/{board}/friends"),
    ("post", "/v1/leaderboards/{board}/players"),
    ("get", "/v1/catalog"),
    ("get", "/v1/manifest"),
    ("post", "/v1/users/{id}/items"),
    ("get", "/v1/users/{id}/ledger"),
    ("post", "/v1/users/{id}/receipts"),
    ("post", "/v1/notifications/apple"),
    ("post", "/v1/events"),
    ("post", "/admin/v1/users/{id}/grants"),
    ("post", "/admin/v1/users/{id}/revocations"),
    ("delete", "/admin/v1/users/{id}"),
    ("get", "/admin/v1/events"),
    ("get", "/admin/v1/events/export"),
    ("get", "/problems/{slug}"),
    ("get", "/livez"),
    ("get", "/readyz"),
];

fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations").keys();
            methods.map(move |method| (method.clone(), path.clone()))
        })
        .collect()
}

async fn document(server: &Server) -> Value {
    server.get("/openapi.json", "").await.expect(200)
}

#[tokio::test]
async fn the_document_describes_the_contract_and_nothing_else() {
    let server = Server::start().await;
    let document = document(&server).await;
    assert_eq!(document["openapi"], "3.1.0");
    let contract = ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(operations(&document), contract);
}

/// Every described operation is routed: neither "nothing here" nor "not this method".
#[tokio::test]
async fn every_described_operation_answers() {
    let server = Server::start().await;
    for (method, path) in operations(&document(&server).await) {
        let path = path.replace("{id}", "x").replace("{board}", "main").replace("{slug}", "none");
        let method: Method = method.to_uppercase().parse().expect("a method");
        let answer = server.call(method.clone(), &path, "", None, None).await;
        let kind = answer.json()["type"].as_str().unwrap_or_default().to_owned();
        let unrouted = answer.status == 405 || (kind == "/problems/not-found" && !path.starts_with("/problems/"));
        assert!(!unrouted, "{method} {path} is described and not routed");
    }
}

/// Every route of the router is described: `routes!` describes what it routes, so nothing may be routed otherwise.
#[test]
fn nothing_is_routed_without_a_description() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join("router.rs")];
    let routes = std::fs::read_dir(root.join("routes")).expect("a directory");
    files.extend(routes.map(|entry| entry.expect("an entry").path()));
    // The document itself, and the metrics on their own port.
    let known = ["/openapi.json", "/metrics"];
    let mut described = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        described += text.matches("routes!(").count();
        for line in text.lines().filter(|line| line.contains(".route(")) {
            assert!(known.iter().any(|path| line.contains(path)), "{}: {line}", file.display());
        }
    }
    assert_eq!(described, ROUTES.len());
}

#[tokio::test]
async fn every_client_gets_the_same_document() {
    let server = Server::start().await;
    let generated = router::openapi().to_json().expect("JSON");
    for _ in 0..2 {
        let answer = server.get("/openapi.json", "").await;
        assert_eq!(answer.headers.get("content-type").expect("a type"), "application/json");
        assert!(answer.text == generated);
    }
}

/// The committed copy, for those who make clients. Written anew with `UPDATE_OPENAPI=1 cargo test -p server`.
#[test]
fn the_committed_document_is_the_generated_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut generated = serde_json::to_string_pretty(&router::openapi()).expect("JSON");
    generated.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &generated).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the committed document");
    assert!(committed == generated, "server/openapi.json is not what the code says; run with UPDATE_OPENAPI=1");
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_player_route_is_secured() {
    let server = Server::start().await;
    let document = document(&server).await;
    let text = document.to_string();
    for part in text.split("\"#").skip(1) {
        let pointer = part.split('"').next().expect("a quote");
        assert!(document.pointer(pointer).is_some(), "#{pointer} leads nowhere");
    }
    for (method, path) in operations(&document) {
        let open = path.starts_with("/v1/sessions")
            || path.starts_with("/v1/notifications/")
            // As public as on the CDN: assets may be loaded before there is a session.
            || path == "/v1/manifest"
            || !(path.starts_with("/v1/") || path.starts_with("/admin/"));
        let secured = document["paths"][&path][&method]["security"].is_array();
        assert_eq!(secured, !open, "{method} {path}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let server = Server::start().await;
    let page = server.get("/docs/", "").await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-initializer.js"]
    {
        assert!(page.text.contains(file));
        assert_eq!(server.get(&format!("/docs/{file}"), "").await.status, 200, "{file}");
    }
    assert!(server.get("/docs/swagger-initializer.js", "").await.text.contains("/openapi.json"));
}

#[test]
fn statuses_of_problems_are_errors() {
    assert!(KINDS.iter().all(|kind| kind.status.is_client_error() || kind.status.is_server_error()));
}
