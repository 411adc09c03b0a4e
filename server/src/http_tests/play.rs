//! A Google Play on this machine: its token endpoint and the part of its API that is used.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    domain::{clock::World, receipts::google::Google},
    play::{Play, ServiceAccount},
};

pub const PACKAGE: &str = "com.example.game";

/// What it knows and how it behaves.
#[derive(Default)]
pub struct Shop {
    pub purchases: HashMap<String, Value>,
    pub voided: Vec<Value>,
    /// Answers each call of the API with this, if set.
    pub answer: Option<u16>,
    /// Never answers.
    pub hangs: bool,
    pub tokens_given: usize,
    pub good_token: String,
    pub consumed: Vec<String>,
    pub asked_since: Vec<i64>,
}

pub struct FakePlay {
    pub shop: Arc<Mutex<Shop>>,
    url: reqwest::Url,
    key: String,
}

#[derive(Clone)]
struct Desk {
    shop: Arc<Mutex<Shop>>,
    public_key: Arc<Vec<u8>>,
}

impl FakePlay {
    pub async fn start() -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
        let shop = Arc::new(Mutex::new(Shop::default()));
        let desk = Desk { shop: shop.clone(), public_key: Arc::new(key.der_bytes().to_vec()) };
        let products = "/androidpublisher/v3/applications/{package}/purchases/products/{product}/tokens/{token}";
        let router = Router::new()
            .route("/token", post(token))
            .route(products, get(purchase).post(consume))
            .route("/androidpublisher/v3/applications/{package}/purchases/voidedpurchases", get(voided))
            .with_state(desk);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { shop, url: url.parse().expect("a URL"), key: key.serialize_pem() }
    }

    pub fn shop(&self) -> std::sync::MutexGuard<'_, Shop> {
        self.shop.lock().expect("not poisoned")
    }

    /// A purchase, paid.
    pub fn sell(&self, token: &str, more: Value) {
        let mut purchase = json!({
            "kind": "androidpublisher#productPurchase", "purchaseTimeMillis": "1700000000000", "purchaseState": 0,
            "consumptionState": 0, "acknowledgementState": 0, "orderId": format!("GPA.{token}"), "regionCode": "DE",
        });
        let fields = purchase.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        self.shop().purchases.insert(token.to_owned(), purchase);
    }

    pub fn google(&self, world: World, sandbox: bool) -> Google {
        let key = json!({
            "type": "service_account", "client_email": "server@example.iam.gserviceaccount.com",
            "private_key": self.key, "private_key_id": "k1", "token_uri": format!("{}token", self.url),
        });
        let account = ServiceAccount::from_json(&SecretString::from(key.to_string())).expect("a key file");
        let play = Play::new(self.url.clone(), PACKAGE.to_owned(), account, world).expect("a client");
        Google { package: PACKAGE.to_owned(), api: Arc::new(play), sandbox }
    }
}

/// The receipt of a purchase: its original JSON.
pub fn receipt(token: &str) -> String {
    json!({ "packageName": PACKAGE, "productId": "coins_500", "purchaseToken": token, "quantity": 1 }).to_string()
}

async fn token(State(desk): State<Desk>, body: String) -> Response {
    let form = reqwest::Url::parse(&format!("http://form/?{body}")).expect("a form");
    let form: HashMap<String, String> = form.query_pairs().into_owned().collect();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_rsa_der(&desk.public_key);
    let Ok(claims) = decode::<Value>(&form["assertion"], &key, &validation) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let claims = claims.claims;
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/androidpublisher");
    assert_eq!(claims["iss"], "server@example.iam.gserviceaccount.com");
    assert!(claims["aud"].as_str().expect("an audience").ends_with("/token"));
    let mut shop = desk.shop.lock().expect("not poisoned");
    shop.tokens_given += 1;
    shop.good_token = format!("token-{}", shop.tokens_given);
    Json(json!({ "access_token": shop.good_token, "expires_in": 3599, "token_type": "Bearer" })).into_response()
}

/// What keeps a call from being answered as it should be.
async fn hindered(desk: &Desk, headers: &HeaderMap, package: &str) -> Option<Response> {
    let (answer, hangs, good) = {
        let shop = desk.shop.lock().expect("not poisoned");
        (shop.answer, shop.hangs, format!("Bearer {}", shop.good_token))
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    if headers.get("authorization").is_none_or(|value| *value != good) {
        return Some(StatusCode::UNAUTHORIZED.into_response());
    }
    if package != PACKAGE {
        return Some(StatusCode::NOT_FOUND.into_response());
    }
    answer.map(|status| {
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [("retry-after", "7")], "no").into_response()
    })
}

async fn purchase(
    State(desk): State<Desk>,
    Path((package, product, token)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(hindrance) = hindered(&desk, &headers, &package).await {
        return hindrance;
    }
    let shop = desk.shop.lock().expect("not poisoned");
    match shop.purchases.get(&token) {
        Some(purchase) if product == "coins_500" => Json(purchase.clone()).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn consume(
    State(desk): State<Desk>,
    Path((package, _, token)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(hindrance) = hindered(&desk, &headers, &package).await {
        return hindrance;
    }
    let token = token.strip_suffix(":consume").expect("the only method").to_owned();
    let mut shop = desk.shop.lock().expect("not poisoned");
    let purchase = shop.purchases.get_mut(&token).expect("consumed only if it is there");
    if purchase["consumptionState"] == 1 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    purchase["consumptionState"] = json!(1);
    shop.consumed.push(token);
    StatusCode::NO_CONTENT.into_response()
}

/// Two a page.
async fn voided(
    State(desk): State<Desk>,
    Path(package): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(hindrance) = hindered(&desk, &headers, &package).await {
        return hindrance;
    }
    let mut shop = desk.shop.lock().expect("not poisoned");
    shop.asked_since.push(query["startTime"].parse().expect("milliseconds"));
    let from: usize = query.get("token").map_or(0, |token| token.parse().expect("ours"));
    let page: Vec<Value> = shop.voided.iter().skip(from).take(2).cloned().collect();
    let more = shop.voided.len() > from + 2;
    let pages = if more { json!({ "nextPageToken": (from + 2).to_string() }) } else { json!({}) };
    Json(json!({ "voidedPurchases": page, "tokenPagination": pages })).into_response()
}
