//! What every rule has at hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::{
    board::Boards,
    clock::World,
    cursor::Cursors,
    fallback::Totals,
    keys::SigningKeys,
    shop::Catalogue,
    token::{AccessTokens, RefreshTokens},
};
use crate::store::Stores;

/// The numbers of the game.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Coins of a new player.
    pub start_coins: i64,
    /// No balance rises above this.
    pub max_balance: i64,
    /// Item slots of a player, numbered from 1.
    pub slots: u8,
    /// How long an access token lives.
    pub access_lifetime: Duration,
    /// How long a refresh token lives.
    pub refresh_lifetime: Duration,
}

/// What the game's file may change while the server runs.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The boards.
    pub boards: Boards,
    /// What can be bought.
    pub catalogue: Catalogue,
}

/// A running game: its stores, its rules, its keys.
pub struct Game {
    /// The three stores.
    pub stores: Stores,
    /// Time and chance.
    pub world: World,
    definition: ArcSwap<Definition>,
    /// The numbers.
    pub rules: Rules,
    /// Access tokens.
    pub tokens: AccessTokens,
    /// Refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// Cursors.
    pub cursors: Cursors,
    /// Woken when events were put into the outbox.
    pub outbox_wake: Arc<Notify>,
    /// Totals of boards counted in the ledger.
    pub totals: Totals,
    ranking_doubtful: AtomicBool,
}

impl Game {
    /// A game over these stores.
    #[must_use]
    pub fn new(stores: Stores, world: World, definition: Definition, rules: Rules, keys: &SigningKeys) -> Self {
        Self {
            stores,
            world,
            definition: ArcSwap::from_pointee(definition),
            tokens: AccessTokens::new(keys, rules.access_lifetime),
            refresh_tokens: RefreshTokens::new(keys),
            cursors: Cursors::new(keys),
            rules,
            outbox_wake: Arc::new(Notify::new()),
            totals: Totals::default(),
            ranking_doubtful: AtomicBool::new(false),
        }
    }

    /// Boards and catalogue, as they are now: one request asks once.
    #[must_use]
    pub fn definition(&self) -> Arc<Definition> {
        self.definition.load_full()
    }

    /// Puts others in their place, for the requests that come.
    pub fn redefine(&self, definition: Definition) {
        self.definition.store(Arc::new(definition));
    }

    /// Notes that the ranking failed, so that the reconciler looks further back when it answers again.
    pub fn doubt_ranking(&self) {
        self.ranking_doubtful.store(true, Ordering::Release);
    }

    /// Whether the ranking failed since the last call.
    pub fn take_ranking_doubt(&self) -> bool {
        self.ranking_doubtful.swap(false, Ordering::AcqRel)
    }
}
