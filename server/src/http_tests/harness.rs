//! A server without a port, with a clock that can be set and stores that can fail.

use std::{
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::faults::{FaultyLog, FaultyRanking};
use crate::{
    assets::Assets,
    config::Limits,
    domain::{
        Definition, Game, Rules,
        board::{Board, Boards, Rule},
        clock::{Clock, OsEntropy, World},
        keys::SigningKeys,
        receipts::AppStores,
        reconcile::Reconciler,
        shop::{Catalogue, CatalogueItem},
    },
    lifecycle::{About, Health},
    rate::{RateLimits, Rates},
    router,
    state::{App, Shared},
    store::{Order, Stores, embedded},
};

pub const OPERATOR: &str = "the operator key of the tests";

/// Stands still unless it is moved; then every reading is a microsecond later than the last.
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().expect("not poisoned");
        *now += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let mut now = self.0.lock().expect("not poisoned");
        *now += SignedDuration::from_micros(1);
        *now
    }
}

pub struct Server {
    pub app: Shared,
    pub router: Router,
    pub clock: Arc<TestClock>,
    pub log: Arc<FaultyLog>,
    pub ranking: Arc<FaultyRanking>,
    pub directory: Arc<TempDir>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Checks the status and gives the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// Checks the status, and that there is no body.
    #[track_caller]
    pub fn expect_empty(self, status: u16) {
        assert_eq!((self.status.as_u16(), self.text.as_str()), (status, ""));
    }

    /// Checks that it is a problem of this sort, whole and well-formed.
    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Value {
        let content_type = self.headers.get(header::CONTENT_TYPE).expect("a content type");
        assert_eq!(content_type, "application/problem+json", "{}", self.text);
        let id = self.headers.get("x-request-id").expect("a request id").to_str().expect("text").to_owned();
        let problem = self.expect(status);
        assert_eq!(problem["type"], format!("/problems/{slug}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], id);
        assert!(problem["title"].is_string());
        problem
    }
}

#[derive(Clone)]
pub struct Player {
    pub id: String,
    pub token: String,
    pub refresh: String,
}

pub fn rules() -> Rules {
    Rules {
        start_coins: 1000,
        max_balance: 1 << 53,
        slots: 3,
        access_lifetime: Duration::from_hours(1),
        refresh_lifetime: Duration::from_hours(24 * 90),
    }
}

fn boards() -> Boards {
    let laps = Board { order: Order::Ascending, ..Board::named("laps") };
    let total = Board { rule: Rule::Sum, ..Board::named("total") };
    Boards::new(Board::named("main"), vec![laps, total])
}

impl Server {
    pub async fn start() -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        let server = Self::over(directory, Catalogue::starter(), Limits::default()).await;
        Reconciler::new(server.app.game.clone()).round().await.expect("builds the boards");
        server
    }

    /// A server over a directory that another may have used before.
    pub async fn over(directory: Arc<TempDir>, items: Vec<CatalogueItem>, limits: Limits) -> Self {
        Self::limited(directory, items, limits, Rates::default()).await
    }

    pub async fn limited(directory: Arc<TempDir>, items: Vec<CatalogueItem>, limits: Limits, rates: Rates) -> Self {
        Self::made(directory, items, limits, rates, None, |_| AppStores::default()).await
    }

    /// A server that takes the receipts of these stores.
    pub async fn selling(stores: impl FnOnce(&World) -> AppStores) -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        Self::made(directory, Catalogue::starter(), Limits::default(), Rates::default(), None, stores).await
    }

    /// A server whose assets are at this address.
    pub async fn publishing(assets: Assets) -> Self {
        let (directory, limits) = (Arc::new(tempfile::tempdir().expect("a directory")), Limits::default());
        let stores = |_: &World| AppStores::default();
        Self::made(directory, Catalogue::starter(), limits, Rates::default(), Some(assets), stores).await
    }

    async fn made(
        directory: Arc<TempDir>,
        items: Vec<CatalogueItem>,
        limits: Limits,
        rates: Rates,
        assets: Option<Assets>,
        app_stores: impl FnOnce(&World) -> AppStores,
    ) -> Self {
        let stores = embedded::open(directory.path()).await.expect("stores");
        let log = Arc::new(FaultyLog::new(stores.events));
        let ranking = Arc::new(FaultyRanking {
            inner: stores.ranking,
            away: AtomicBool::new(false),
            other_leads: AtomicBool::new(false),
        });
        let stores = Stores { ledger: stores.ledger, ranking: ranking.clone(), events: log.clone() };
        let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).expect("in range");
        let clock = Arc::new(TestClock(Mutex::new(now)));
        let world = World { clock: clock.clone(), entropy: Arc::new(OsEntropy) };
        let app_stores = Arc::new(app_stores(&world));
        let keys = SigningKeys::from_base64("YSBrZXkgb2YgdGhlIHRlc3RzIHRoYXQgaXMgbG9uZyBlbm91Z2g=", None);
        let catalogue = Catalogue::new(items).expect("a catalogue");
        let game = Arc::new(Game::new(
            stores,
            world,
            Definition { boards: boards(), catalogue },
            rules(),
            &keys.expect("long enough"),
        ));
        let health = Arc::new(Health::new(About { release: Some("abc".to_owned()), ..About::default() }));
        let app = Arc::new(App {
            game,
            health,
            app_stores,
            assets,
            rates: RateLimits::new(rates),
            operator_key: SecretString::from(OPERATOR),
        });
        let router = router::router(app.clone(), &limits);
        Self { app, router, clock, log, ranking, directory }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).expect("a request")).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, None, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, None, Some(body)).await
    }

    pub async fn player(&self, device: &str) -> Player {
        let body = json!({ "device_id": device, "device_secret": secret_of(device) });
        let session = self.post("/v1/sessions", "", body).await;
        assert!(session.status.is_success(), "{}", session.text);
        let session = session.json();
        let text = |name: &str| session[name].as_str().expect("text").to_owned();
        Player { id: text("user_id"), token: text("access_token"), refresh: text("refresh_token") }
    }

    pub async fn score(&self, player: &Player, score: i64, run: &str) -> Value {
        let path = format!("/v1/users/{}/scores", player.id);
        self.post(&path, &player.token, json!({ "score": score, "run_id": run })).await.expect(200)
    }

    pub async fn buy(&self, player: &Player, key: &str, body: Value) -> Answer {
        let path = format!("/v1/users/{}/items", player.id);
        self.call(Method::POST, &path, &player.token, Some(key), Some(body)).await
    }

    pub async fn user(&self, player: &Player) -> Value {
        self.get(&format!("/v1/users/{}", player.id), &player.token).await.expect(200)
    }

    pub async fn grant(&self, player: &str, key: &str, coins: i64) -> Answer {
        let path = format!("/admin/v1/users/{player}/grants");
        let body = json!({ "coins": coins, "reason": "a test" });
        self.call(Method::POST, &path, OPERATOR, Some(key), Some(body)).await
    }

    /// The whole ledger, over as many pages as it takes.
    pub async fn ledger(&self, player: &Player, limit: u32) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/users/{}/ledger?limit={limit}{cursor}", player.id);
            let page = self.get(&path, &player.token).await.expect(200);
            entries.extend(page["entries"].as_array().expect("entries").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return entries,
            }
        }
    }
}

pub fn secret_of(device: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(device))
}
