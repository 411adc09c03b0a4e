//! The catalogue and purchases.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{DomainError, Game, error::Checks, event, keys::same};
use crate::store::{PlayerId, PurchaseOrder, PurchaseOutcome, PurchaseRow};

/// Whether an item lies in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// As the buyer likes.
    #[default]
    Any,
    /// In none: pieces are only counted.
    Stackable,
    /// In one.
    Slot,
}

impl Placement {
    /// As in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Stackable => "stackable",
            Self::Slot => "slot",
        }
    }

    fn check(self, slot: Option<u8>) -> Result<(), DomainError> {
        let mut checks = Checks::default();
        checks.require(self != Self::Stackable || slot.is_none(), "slot", "must be left out: the item is stackable");
        checks.require(self != Self::Slot || slot.is_some(), "slot", "must be given: the item lies in a slot");
        checks.finish()
    }
}

/// Something that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueItem {
    /// 1 to 64 of letters, digits, `_`, `-`.
    pub item_id: String,
    /// For people.
    pub name: String,
    /// In coins.
    pub price: i64,
    /// What sort of thing it is.
    #[serde(default = "consumable")]
    pub kind: String,
    /// Whether it lies in a slot.
    #[serde(default)]
    pub placement: Placement,
}

fn consumable() -> String {
    "consumable".to_owned()
}

/// A catalogue that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// An id that is not one.
    #[error("item_id {0:?} is not 1 to 64 letters, digits, '_' or '-'")]
    Id(String),
    /// Twice the same id.
    #[error("item_id {0:?} is there twice")]
    Twice(String),
    /// A price below zero.
    #[error("the price of item {0:?} is negative")]
    Price(String),
}

/// Everything that can be bought, and a tag that changes with it.
#[derive(Debug, Clone)]
pub struct Catalogue {
    items: Vec<CatalogueItem>,
    etag: String,
}

impl Catalogue {
    /// A catalogue of these items.
    ///
    /// # Errors
    /// When an id is unusable or there twice, or a price is negative.
    pub fn new(items: Vec<CatalogueItem>) -> Result<Self, CatalogueError> {
        let mut seen = std::collections::HashSet::new();
        for item in &items {
            let id = &item.item_id;
            if !is_item_id(id) {
                return Err(CatalogueError::Id(id.clone()));
            }
            if !seen.insert(id) {
                return Err(CatalogueError::Twice(id.clone()));
            }
            if item.price < 0 {
                return Err(CatalogueError::Price(id.clone()));
            }
        }
        let text = serde_json::to_vec(&items).expect("plain data");
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(text)[..16]));
        Ok(Self { items, etag })
    }

    /// What a game starts with.
    #[must_use]
    pub fn starter() -> Vec<CatalogueItem> {
        let item = |id: &str, name: &str, price| CatalogueItem {
            item_id: id.to_owned(),
            name: name.to_owned(),
            price,
            kind: consumable(),
            placement: Placement::Any,
        };
        vec![item("101", "Bomb", 100), item("102", "Time Bonus", 150)]
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[CatalogueItem] {
        &self.items
    }

    /// A strong entity tag, with its quotes.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    fn find(&self, id: &str) -> Option<&CatalogueItem> {
        self.items.iter().find(|item| item.item_id == id)
    }
}

fn is_item_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Whether this can be an Idempotency-Key.
#[must_use]
pub fn is_idempotency_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a client wants to buy.
#[derive(Debug, Clone, Serialize)]
pub struct Wish {
    /// From the catalogue.
    pub item_id: String,
    /// Where it goes.
    pub slot: Option<u8>,
    /// What the client believes that it costs.
    pub expected_price: i64,
}

/// A purchase, and whether it had been made before.
#[derive(Debug, Clone)]
pub struct Bought {
    /// The purchase.
    pub row: PurchaseRow,
    /// The key had been used for it.
    pub repeated: bool,
}

fn same_payload(row: PurchaseRow, payload_hash: &[u8]) -> Result<Bought, DomainError> {
    if same(&row.payload_hash, payload_hash) {
        Ok(Bought { row, repeated: true })
    } else {
        Err(DomainError::IdempotencyKeyReused)
    }
}

/// Buys one piece of an item. With the same key it is bought once, whatever happens.
///
/// # Errors
/// When it cannot be bought, with the reason; then nothing was paid and the key is still free.
pub async fn buy(game: &Game, player: &PlayerId, key: &str, wish: Wish) -> Result<Bought, DomainError> {
    let slots = game.rules.slots;
    let mut checks = Checks::default();
    checks.require(wish.slot.is_none_or(|slot| (1..=slots).contains(&slot)), "slot", format!("must be 1 to {slots}"));
    checks.require(wish.expected_price >= 0, "expected_price", "must not be negative");
    checks.finish()?;
    let payload_hash = Sha256::digest(serde_json::to_vec(&wish).expect("plain data")).to_vec();
    let definition = game.definition();
    let refusal = match definition.catalogue.find(&wish.item_id) {
        None => Some(DomainError::UnknownItem),
        Some(item) if item.price != wish.expected_price => Some(DomainError::PriceChanged { price: item.price }),
        Some(item) => item.placement.check(wish.slot).err(),
    };
    if let Some(refusal) = refusal {
        // A repeat is answered as the first time, even if the item has gone or its price has changed since.
        let bound = game.stores.ledger.purchase(player, key).await?;
        return bound.map_or(Err(refusal), |row| same_payload(row, &payload_hash));
    }
    let order = order(game, player, key, &wish, payload_hash);
    match game.stores.ledger.buy(&order).await? {
        PurchaseOutcome::Granted(row) => {
            game.outbox_wake.notify_one();
            Ok(Bought { row, repeated: false })
        }
        PurchaseOutcome::Bound(row) => same_payload(row, &order.payload_hash),
        PurchaseOutcome::TooFewCoins { balance } => Err(DomainError::TooFewCoins { balance, price: order.price }),
        PurchaseOutcome::UnknownPlayer => Err(DomainError::UnknownPlayer),
    }
}

fn order(game: &Game, player: &PlayerId, key: &str, wish: &Wish, payload_hash: Vec<u8>) -> PurchaseOrder {
    let now = game.world.now();
    let purchase_id = game.world.ulid();
    let properties = json!({
        "purchase_id": purchase_id, "item_id": wish.item_id, "slot": wish.slot, "price": wish.expected_price,
    });
    PurchaseOrder {
        event: event::own(&game.world, player, "purchase", now, properties),
        purchase_id,
        player: player.clone(),
        key: key.to_owned(),
        payload_hash,
        item_id: wish.item_id.clone(),
        slot: wish.slot,
        price: wish.expected_price,
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_changes_with_the_catalogue() {
        let starter = Catalogue::new(Catalogue::starter()).expect("valid");
        let mut items = Catalogue::starter();
        items[0].price += 1;
        assert_ne!(starter.etag(), Catalogue::new(items).expect("valid").etag());
    }

    #[test]
    fn impossible_catalogues_are_refused() {
        let mut twice = Catalogue::starter();
        twice[1].item_id = "101".to_owned();
        assert!(matches!(Catalogue::new(twice), Err(CatalogueError::Twice(_))));
        let mut negative = Catalogue::starter();
        negative[0].price = -1;
        assert!(matches!(Catalogue::new(negative), Err(CatalogueError::Price(_))));
    }
}
