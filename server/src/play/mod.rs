//! Google Play's Developer API, over HTTP.

mod account;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::{Deserialize, de::DeserializeOwned};

pub use self::account::{AccountError, ServiceAccount};
use crate::{
    domain::{
        clock::World,
        receipts::google::{PlayError, PlayPurchase, PlayStore, PurchaseState, VoidedPage},
    },
    store::BoxError,
};

/// Where Google serves it.
pub const ENDPOINT: &str = "https://androidpublisher.googleapis.com";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);

/// The API, for one app.
pub struct Play {
    http: Client,
    endpoint: Url,
    package: String,
    account: ServiceAccount,
    world: World,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProductPurchase {
    purchase_state: i64,
    #[serde(default)]
    consumption_state: i64,
    purchase_type: Option<i64>,
    order_id: Option<String>,
    product_id: Option<String>,
    quantity: Option<i64>,
    obfuscated_external_account_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VoidedPurchases {
    #[serde(default)]
    voided_purchases: Vec<VoidedPurchase>,
    token_pagination: Option<TokenPagination>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VoidedPurchase {
    purchase_token: String,
    order_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenPagination {
    next_page_token: Option<String>,
}

impl Play {
    /// For one app, in the name of a service account.
    ///
    /// # Errors
    /// When the HTTP client cannot be made (no certificates to trust).
    pub fn new(endpoint: Url, package: String, account: ServiceAccount, world: World) -> Result<Self, BoxError> {
        // The TLS library takes no part in choosing when several parts of a program use it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).build()?;
        Ok(Self { http, endpoint, package, account, world })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["androidpublisher", "v3", "applications", &self.package, "purchases"]);
            segments.extend(path);
        }
        url
    }

    /// Sends it with a token; with a new one if Google refuses the one there was.
    async fn send(&self, request: RequestBuilder) -> Result<Response, PlayError> {
        let again = request.try_clone();
        let response = self.attempt(request).await?;
        match again {
            Some(again) if response.status() == StatusCode::UNAUTHORIZED => {
                self.account.forget();
                checked(self.attempt(again).await?)
            }
            _ => checked(response),
        }
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<Response, PlayError> {
        let token = self.account.token(&self.http, self.world.now()).await.map_err(unavailable)?;
        request.bearer_auth(token).send().await.map_err(unavailable)
    }
}

fn unavailable(source: impl Into<BoxError>) -> PlayError {
    PlayError::Unavailable { retry_after: None, source: source.into() }
}

/// What a status means. That we are refused (401, 403) is ours to mend: the player's receipt may be good.
fn checked(response: Response) -> Result<Response, PlayError> {
    let status = response.status();
    match status.as_u16() {
        200..=299 => Ok(response),
        400 | 404 | 410 => Err(PlayError::Unknown),
        _ => {
            let header = response.headers().get(reqwest::header::RETRY_AFTER);
            let retry_after = header.and_then(|value| value.to_str().ok()?.parse().ok());
            Err(PlayError::Unavailable { retry_after, source: format!("it answered {status}").into() })
        }
    }
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, PlayError> {
    response.json().await.map_err(unavailable)
}

#[async_trait]
impl PlayStore for Play {
    async fn purchase(&self, product_id: &str, token: &str) -> Result<PlayPurchase, PlayError> {
        let request = self.http.get(self.url(&["products", product_id, "tokens", token]));
        let purchase: ProductPurchase = json(self.send(request).await?).await?;
        let state = match purchase.purchase_state {
            0 => PurchaseState::Purchased,
            1 => PurchaseState::Canceled,
            2 => PurchaseState::Pending,
            other => return Err(unavailable(format!("purchaseState {other} is not known"))),
        };
        Ok(PlayPurchase {
            state,
            consumed: purchase.consumption_state == 1,
            test: purchase.purchase_type == Some(0),
            quantity: purchase.quantity.unwrap_or(1),
            order_id: purchase.order_id,
            product_id: purchase.product_id,
            account_token: purchase.obfuscated_external_account_id,
        })
    }

    async fn consume(&self, product_id: &str, token: &str) -> Result<(), PlayError> {
        let url = self.url(&["products", product_id, "tokens", &format!("{token}:consume")]);
        // Google wants a length even where there is nothing.
        let request = self.http.post(url).header(reqwest::header::CONTENT_LENGTH, 0);
        self.send(request).await.map(|_| ())
    }

    async fn voided(&self, since: Timestamp, page: Option<&str>) -> Result<VoidedPage, PlayError> {
        let mut url = self.url(&["voidedpurchases"]);
        url.query_pairs_mut().append_pair("startTime", &since.as_millisecond().to_string());
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("token", page);
        }
        let voided: VoidedPurchases = json(self.send(self.http.get(url)).await?).await?;
        Ok(VoidedPage {
            purchases: voided.voided_purchases.into_iter().map(|void| (void.purchase_token, void.order_id)).collect(),
            next: voided.token_pagination.and_then(|pages| pages.next_page_token),
        })
    }
}
