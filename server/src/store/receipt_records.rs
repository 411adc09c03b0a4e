//! What the ports carry about coins paid for in an app store.

use jiff::Timestamp;

use super::{Event, Funds, Movement, PlayerId};

/// Where the app was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AppStore {
    /// Apple's App Store.
    Apple,
    /// Google Play.
    Google,
}

impl AppStore {
    /// As in requests, rows and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Apple => "apple",
            Self::Google => "google",
        }
    }

    /// The store of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Apple, Self::Google].into_iter().find(|store| store.name() == name)
    }
}

/// What an app store says of a transaction, to be acted on.
#[derive(Debug, Clone)]
pub struct ReceiptWrite {
    /// The id it gets if it is new; a ULID in text. Also the ledger entries' ref.
    pub receipt_id: String,
    /// Who says it.
    pub store: AppStore,
    /// The store's own id, unique in it; 1 to 1024 bytes.
    pub transaction_id: String,
    /// The store's number for people.
    pub order_id: Option<String>,
    /// What was bought.
    pub product_id: String,
    /// What it is worth; unset: no such product.
    pub coins: Option<i64>,
    /// Who says that it is theirs; unset: the store itself speaks.
    pub claimant: Option<PlayerId>,
    /// Whether it was refunded or voided.
    pub revoked: bool,
    /// When the store said so: an older statement changes nothing.
    pub stated_at: Timestamp,
    /// Whether the store waits to be told that the coins were given.
    pub acknowledge: bool,
    /// No balance may rise above this.
    pub max_balance: i64,
    /// Now.
    pub at: Timestamp,
    /// Makes the event for the outbox, if something changes.
    pub tell: Tell,
    /// Its id.
    pub event_id: String,
}

/// Makes the event of a change.
pub type Tell = fn(&ReceiptWrite, &PlayerId, &ReceiptRow, ReceiptChange) -> Event;

/// What is known of a transaction, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Its id.
    pub receipt_id: String,
    /// The store.
    pub store: AppStore,
    /// Its id there.
    pub transaction_id: String,
    /// What was bought.
    pub product_id: String,
    /// Who got the coins; unset: it was refunded before anybody claimed it.
    pub player: Option<PlayerId>,
    /// How many.
    pub coins: i64,
    /// Whether they were taken back.
    pub refunded: bool,
    /// When the store said what stands.
    pub stated_at: Timestamp,
}

/// What happens to a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptChange {
    /// The coins are given.
    Granted,
    /// They are taken back.
    Refunded,
    /// They are given again.
    Reinstated,
}

impl ReceiptChange {
    /// The ledger entry's reason.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Granted => "receipt",
            Self::Refunded => "refund",
            Self::Reinstated => "refund_reversed",
        }
    }
}

/// What a statement of an app store came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptOutcome {
    /// The coins were given now.
    Granted(ReceiptRow, Funds),
    /// They had been given before; nothing was written.
    AlreadyGranted(ReceiptRow, Funds),
    /// They were taken back, now or before, or will never be given.
    Refunded(ReceiptRow, Funds),
    /// Another player has them.
    OwnedByOther,
    /// Nobody claims it.
    Unclaimed,
    /// There is no such product.
    UnknownProduct,
    /// The balance would rise above the limit.
    TooManyCoins {
        /// What the player has.
        balance: i64,
    },
    /// No such player.
    UnknownPlayer,
}

/// What is to be done about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptStep {
    /// Keep the row, new or changed, and move its coins of this player.
    Move(ReceiptRow, PlayerId, ReceiptChange),
    /// Keep the row: refunded, and nobody's.
    Bury(ReceiptRow),
    /// Nothing: the row stands.
    Stand(ReceiptRow),
    /// Nothing, and this is why.
    Refuse(ReceiptOutcome),
}

impl ReceiptWrite {
    fn row(&self, player: Option<PlayerId>, coins: i64) -> ReceiptRow {
        ReceiptRow {
            receipt_id: self.receipt_id.clone(),
            store: self.store,
            transaction_id: self.transaction_id.clone(),
            product_id: self.product_id.clone(),
            player,
            coins,
            refunded: self.revoked,
            stated_at: self.stated_at,
        }
    }

    /// What a change does to what the player has and owes. Unset: the limit forbids it.
    #[must_use]
    pub fn movements(&self, before: Funds, coins: i64, change: ReceiptChange) -> Option<Vec<Movement>> {
        match change {
            ReceiptChange::Refunded => Some(vec![before.debit(coins, change.reason())]),
            _ => before.credit(coins, change.reason(), self.max_balance),
        }
    }

    /// When the store is to be told of a new row.
    #[must_use]
    pub fn acknowledge_at(&self, row: &ReceiptRow) -> Option<Timestamp> {
        (self.acknowledge && row.player.is_some()).then_some(self.at)
    }

    /// The rule: the last statement of the store counts, and the first player who brings a transaction has it.
    #[must_use]
    pub fn decide(&self, known: Option<ReceiptRow>) -> ReceiptStep {
        let Some(row) = known else { return self.first() };
        if self.claimant.is_some() && row.player.is_some() && self.claimant != row.player {
            return ReceiptStep::Refuse(ReceiptOutcome::OwnedByOther);
        }
        let news = self.stated_at > row.stated_at && self.revoked != row.refunded;
        if !news {
            return ReceiptStep::Stand(row);
        }
        match row.player.clone() {
            Some(player) if self.revoked => {
                let changed = ReceiptRow { refunded: true, stated_at: self.stated_at, ..row };
                ReceiptStep::Move(changed, player, ReceiptChange::Refunded)
            }
            Some(player) => {
                let changed = ReceiptRow { refunded: false, stated_at: self.stated_at, ..row };
                ReceiptStep::Move(changed, player, ReceiptChange::Reinstated)
            }
            // It had been refunded before anybody brought it, and was reinstated.
            None => match self.first() {
                ReceiptStep::Move(first, player, change) => {
                    ReceiptStep::Move(ReceiptRow { receipt_id: row.receipt_id, ..first }, player, change)
                }
                other => other,
            },
        }
    }

    fn first(&self) -> ReceiptStep {
        if self.revoked {
            return ReceiptStep::Bury(self.row(None, self.coins.unwrap_or(0)));
        }
        let Some(player) = self.claimant.clone() else { return ReceiptStep::Refuse(ReceiptOutcome::Unclaimed) };
        match self.coins {
            Some(coins) => ReceiptStep::Move(self.row(Some(player.clone()), coins), player, ReceiptChange::Granted),
            None => ReceiptStep::Refuse(ReceiptOutcome::UnknownProduct),
        }
    }
}
