//! Test players: made for a drill, remembered in the stack's bucket until they are deleted.
//!
//! Their devices are called `drill-<drill>-<number>`, and each device's secret follows from its name and the operator's key. So
//! what a killed drill leaves can be signed in and deleted by the next one, and no secret is written down.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use futures::future;
use futures::stream::{self, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::client::{Api, ApiError, Request};
use super::load::score;
use super::{DrillError, Options, api_failed};
use crate::aws::error::CallError;
use crate::engine::events::Event;
use crate::engine::session::Session;
use crate::kinds::{Cx, bucket, secret};

/// Players that are made, audited or deleted at once.
pub(super) const AT_ONCE: usize = 8;
/// For each request before and after the play. A database that has just failed over is waited for.
pub(super) const WITHIN: Duration = Duration::from_secs(120);
/// Where the stack's bucket remembers test players.
const ROSTERS: &str = "drills/";
/// Coins for so long, from the first purchase on.
const PROVISION: Duration = Duration::from_secs(2 * 3600);

/// What the bucket remembers of a drill.
#[derive(Debug, Serialize, Deserialize)]
struct Roster {
    drill: String,
    players: usize,
}

/// A test player.
pub(super) struct Player {
    pub device_id: String,
    device_secret: SecretString,
    user_id: OnceLock<String>,
    token: Mutex<SecretString>,
    /// An account may have been made, whether its id is known or not.
    asked: OnceLock<()>,
}

/// What is bought.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub id: String,
    pub price: i64,
    pub slot: Option<u8>,
}

/// What is played.
#[derive(Debug, Clone)]
pub(super) struct Game {
    pub item: Item,
    /// Whether the lowest score of the leaderboard is rank 1.
    pub ascending: bool,
}

/// The test players of a drill.
pub(super) struct Crew {
    pub api: Api,
    pub drill: String,
    pub players: Arc<Vec<Player>>,
    pub game: Game,
}

/// The operator's key, which signs for grants and deletions. It stays in memory.
pub(super) async fn operator_key(cx: &Cx) -> Result<SecretString, DrillError> {
    let name = secret::name(&cx.stack, secret::SIGNING);
    let read = secret::read(cx, &name, "operator").await;
    read.map_err(|source| DrillError::Kind { what: "cannot read the operator's key", source })
}

/// Whether the servers can delete players, asked by deleting one that cannot be.
pub(super) async fn check_cleaning(api: &Api) -> Result<(), DrillError> {
    let probe = Request::delete("/admin/v1/users/drill");
    match api.as_operator(&probe, WITHIN).await {
        Ok(_) => Ok(()),
        Err(ApiError::Refused { status: 404, title, .. }) if title.contains("player") => Ok(()),
        Err(ApiError::Refused { status: 404 | 405, .. }) => Err(DrillError::CannotClean(api.base().to_owned())),
        Err(error) => Err(api_failed("the servers do not answer the operator", error)),
    }
}

impl Player {
    fn new(operator: &SecretString, drill: &str, number: usize) -> Self {
        let device_id = format!("drill-{drill}-{number}");
        // A hash of a hash: nobody who sees one secret can make another of it.
        let inner = Sha256::new().chain_update(operator.expose_secret()).chain_update(&device_id).finalize();
        let outer = Sha256::new().chain_update(operator.expose_secret()).chain_update(inner).finalize();
        Self {
            device_secret: hex::encode(outer).into(),
            device_id,
            user_id: OnceLock::new(),
            token: Mutex::new(SecretString::from("")),
            asked: OnceLock::new(),
        }
    }

    /// The player's id; empty until it has signed in.
    pub fn user_id(&self) -> &str {
        self.user_id.get().map_or("", String::as_str)
    }

    pub fn token(&self) -> SecretString {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs in: the device's account, which is made if there is none.
    pub async fn sign_in(&self, api: &Api) -> Result<(), ApiError> {
        let body = json!({"device_id": self.device_id, "device_secret": self.device_secret.expose_secret()});
        let _ = self.asked.set(());
        let session = api.until_done(&Request::post("/v1/sessions", body), None, WITHIN).await?;
        let text = |name: &str| session.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let _ = self.user_id.set(text("user_id"));
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = text("access_token").into();
        Ok(())
    }

    /// A path below the player's own.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/users/{}{rest}", self.user_id())
    }

    async fn prepare(&self, api: &Api, drill: &str, coins: i64, first: i64) -> Result<(), ApiError> {
        self.sign_in(api).await?;
        let mut coins = coins;
        while coins > 0 {
            let path = format!("/admin/v1/users/{}/grants", self.user_id());
            let grant =
                Request::post(path, json!({"coins": coins, "reason": "a drill"})).key(format!("{drill}-{coins}"));
            match api.as_operator(&grant, WITHIN).await {
                Ok(_) => break,
                // More than a player may have.
                Err(ApiError::Refused { status: 409 | 422, .. }) => coins /= 10,
                Err(error) => return Err(error),
            }
        }
        let score = json!({"score": first, "run_id": format!("{drill}-first")});
        api.until_done(&Request::post(self.path("/scores"), score), Some(&self.token()), WITHIN).await?;
        Ok(())
    }

    /// Deletes the account, if there may be one.
    async fn delete(&self, api: &Api) -> Result<(), ApiError> {
        if self.asked.get().is_none() {
            return Ok(());
        }
        if self.user_id().is_empty() {
            self.sign_in(api).await?;
        }
        let path = format!("/admin/v1/users/{}", self.user_id());
        match api.as_operator(&Request::delete(path), WITHIN).await {
            Ok(_) | Err(ApiError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Crew {
    /// Names the players and remembers them in the stack's bucket. None has an account yet.
    pub async fn enroll(cx: &Cx, api: Api, drill: &str, count: usize) -> Result<Self, DrillError> {
        let roster = Roster { drill: drill.to_owned(), players: count };
        let body = serde_json::to_vec(&roster).unwrap_or_default();
        let put = cx.aws.s3.put_object().bucket(stack_bucket(cx)).key(key(drill)).body(ByteStream::from(body));
        put.send().await.map_err(|error| call("cannot remember the test players", error.into()))?;
        Ok(Self::of(api, drill, count))
    }

    fn of(api: Api, drill: &str, count: usize) -> Self {
        let players = (0..count).map(|number| Player::new(api.operator(), drill, number)).collect();
        let game = Game { item: Item { id: String::new(), price: 0, slot: None }, ascending: false };
        Self { api, drill: drill.to_owned(), players: Arc::new(players), game }
    }

    /// Makes the accounts, with coins to buy with and a score to be ranked by.
    pub async fn open(&mut self, options: &Options, stop: &watch::Receiver<bool>) -> Result<(), DrillError> {
        let failed = |source| api_failed("cannot make the test players", source);
        self.players[0].sign_in(&self.api).await.map_err(failed)?;
        let token = self.players[0].token();
        let read = async |path| self.api.until_done(&Request::get(path), Some(&token), WITHIN).await.map_err(failed);
        let (catalog, board) = (read("/v1/catalog").await?, read("/v1/leaderboard?limit=1").await?);
        self.game.ascending = board.get("order").and_then(Value::as_str) == Some("ascending");
        self.game.item = cheapest(&catalog)
            .ok_or_else(|| DrillError::Unfit("the catalogue is empty, so nothing can be bought".to_owned()))?;
        let purchases = (options.rate / 3.0 / self.players.len() as f64 * PROVISION.as_secs_f64()).ceil();
        let coins = self.game.item.price.saturating_mul(purchases as i64);
        let (api, drill, first) = (&self.api, &self.drill, score(0, &self.game));
        let mut preparing = stream::iter(self.players.iter())
            .map(|player| async move {
                if *stop.borrow() { Ok(()) } else { player.prepare(api, drill, coins, first).await }
            })
            .buffer_unordered(AT_ONCE);
        while let Some(prepared) = preparing.next().await {
            prepared.map_err(failed)?;
        }
        if *stop.borrow() { Err(DrillError::Interrupted) } else { Ok(()) }
    }

    /// Deletes the accounts and forgets the players. Those that could not be deleted stay remembered.
    pub async fn dismiss(&self, cx: &Cx) -> Result<(), DrillError> {
        let api = &self.api;
        let deleting = stream::iter(self.players.iter()).map(|player| player.delete(api)).buffer_unordered(AT_ONCE);
        let failed: Vec<ApiError> = deleting.filter_map(|deleted| future::ready(deleted.err())).collect().await;
        let left = failed.len();
        if let Some(source) = failed.into_iter().next() {
            return Err(DrillError::Left { left, drill: self.drill.clone(), source });
        }
        let forget = bucket::delete_keys(cx, &stack_bucket(cx), &key(&self.drill)).await;
        forget.map_err(|source| DrillError::Kind { what: "cannot forget the test players", source })
    }
}

/// Deletes what drills that were killed have left.
pub(super) async fn clean_leftovers(session: &Session, cx: &Cx, api: &Api) -> Result<(), DrillError> {
    let listed = bucket::keys(cx, &stack_bucket(cx), ROSTERS).await;
    let listed = listed.map_err(|source| DrillError::Kind { what: "cannot look for left test players", source })?;
    for (key, _) in listed {
        let get = cx.aws.s3.get_object().bucket(stack_bucket(cx)).key(&key).send().await;
        let object = get.map_err(|error| call("cannot read who was left", error.into()))?;
        let body = object.body.collect().await.map(|body| body.into_bytes()).unwrap_or_default();
        let Ok(roster) = serde_json::from_slice::<Roster>(&body) else { continue };
        let text = format!("deleting {} test players that drill {} left", roster.players, roster.drill);
        (session.listener)(Event::Note { text });
        let crew = Crew::of(api.clone(), &roster.drill, roster.players);
        for player in crew.players.iter() {
            let _ = player.asked.set(());
        }
        crew.dismiss(cx).await?;
    }
    Ok(())
}

fn stack_bucket(cx: &Cx) -> String {
    cx.stack.bucket_name(bucket::STACK)
}

fn key(drill: &str) -> String {
    format!("{ROSTERS}{drill}.json")
}

fn call(what: &'static str, source: CallError) -> DrillError {
    DrillError::Call { what, source }
}

/// The cheapest item of a catalogue, rather one that lies in no slot.
fn cheapest(catalog: &Value) -> Option<Item> {
    let items = catalog.get("items")?.as_array()?.iter();
    let item = |item: &Value| {
        let slot = (item.get("placement").and_then(Value::as_str) == Some("slot")).then_some(1);
        Some(Item { id: item.get("item_id")?.as_str()?.to_owned(), price: item.get("price")?.as_i64()?, slot })
    };
    items.filter_map(item).min_by_key(|item| (item.slot.is_some(), item.price))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_follow_from_the_key_and_the_device_alone() {
        let secret = |key: &str, number| {
            let player = Player::new(&SecretString::from(key), "d", number);
            player.device_secret.expose_secret().to_owned()
        };
        assert_eq!(secret("key", 1), secret("key", 1));
        assert_ne!(secret("key", 1), secret("key", 2));
        assert_ne!(secret("key", 1), secret("other", 1));
        // What the servers take as 32 bytes in hex.
        assert_eq!(secret("key", 1).len(), 64);
    }

    #[test]
    fn the_cheapest_item_without_a_slot_is_bought() {
        let catalog = json!({"items": [
            {"item_id": "1", "price": 5, "placement": "slot"},
            {"item_id": "2", "price": 30, "placement": "any"},
            {"item_id": "3", "price": 20, "placement": "stackable"},
        ]});
        let item = cheapest(&catalog).expect("there are items");
        assert_eq!((item.id.as_str(), item.price, item.slot), ("3", 20, None));
        assert!(cheapest(&json!({"items": []})).is_none());
    }
}
