//! What the ports carry about coins.

use jiff::Timestamp;

use super::{Event, PlayerId};

/// What a player has and what it owes. Who owes has nothing: what comes in settles first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Funds {
    /// Never negative.
    pub coins: i64,
    /// What could not be taken when it was to be. Never negative.
    pub owed: i64,
}

/// A line for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Coins gained, or lost if negative.
    pub delta: i64,
    /// What the player has and owes after it.
    pub after: Funds,
    /// As in [`LedgerEntry`].
    pub reason: &'static str,
}

impl Funds {
    /// The movements of coins that come in: the coins, and what of them settles. Unset: more than `most` would be left.
    #[must_use]
    pub fn credit(self, coins: i64, reason: &'static str, most: i64) -> Option<Vec<Movement>> {
        let with = self.coins.checked_add(coins)?;
        let settled = coins.min(self.owed);
        if with - settled > most {
            return None;
        }
        let mut movements = vec![Movement { delta: coins, after: Self { coins: with, ..self }, reason }];
        if settled > 0 {
            let after = Self { coins: with - settled, owed: self.owed - settled };
            movements.push(Movement { delta: -settled, after, reason: "settlement" });
        }
        Some(movements)
    }

    /// The movement of coins that are taken back: what is not there is owed.
    #[must_use]
    pub fn debit(self, coins: i64, reason: &'static str) -> Movement {
        let taken = coins.min(self.coins);
        let owed = self.owed.saturating_add(coins - taken);
        Movement { delta: -taken, after: Self { coins: self.coins - taken, owed }, reason }
    }
}

/// A purchase to make.
#[derive(Debug, Clone)]
pub struct PurchaseOrder {
    /// The id it gets if granted; a ULID in text. Also the ledger entry's ref; its reason is `purchase`.
    pub purchase_id: String,
    /// Who buys.
    pub player: PlayerId,
    /// The Idempotency-Key: 1 to 128 characters, unique per player, compared by bytes.
    pub key: String,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
    /// What is bought, one piece.
    pub item_id: String,
    /// Where it goes.
    pub slot: Option<u8>,
    /// What it costs, at least 0.
    pub price: i64,
    /// Now.
    pub at: Timestamp,
    /// Goes to the outbox if granted.
    pub event: Event,
}

/// A granted purchase, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseRow {
    /// Its id.
    pub purchase_id: String,
    /// What was bought.
    pub item_id: String,
    /// Where it went.
    pub slot: Option<u8>,
    /// What was paid.
    pub price: i64,
    /// The coins left after it.
    pub balance: i64,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
}

/// What a purchase came to. Only `Granted` wrote anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurchaseOutcome {
    /// Paid and given.
    Granted(PurchaseRow),
    /// The key is bound already: the row it is bound to. The caller compares the payload.
    Bound(PurchaseRow),
    /// The balance is below the price.
    TooFewCoins {
        /// What the player has.
        balance: i64,
    },
    /// No such player.
    UnknownPlayer,
}

/// Coins to give to a player, or to take back.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The id it gets; a ULID in text. Also the ledger entry's ref; the entry's reason is `grant` or `revocation`.
    pub grant_id: String,
    /// Whose they are.
    pub player: PlayerId,
    /// The Idempotency-Key, as with purchases (but in a name space of its own).
    pub key: String,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
    /// How many; below 0 they are taken, and what the player does not have is owed.
    pub coins: i64,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// No balance may rise above this, nor what is owed.
    pub max_balance: i64,
    /// Now.
    pub at: Timestamp,
    /// Goes to the outbox if granted.
    pub event: Event,
}

/// A grant that was made, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its id.
    pub grant_id: String,
    /// How many coins; below 0: taken.
    pub coins: i64,
    /// Why.
    pub reason: String,
    /// The coins after it, and what is owed.
    pub after: Funds,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
}

impl Grant {
    /// What it does to what the player has and owes.
    ///
    /// # Errors
    /// When a limit forbids it.
    pub fn movements(&self, before: Funds) -> Result<Vec<Movement>, GrantOutcome> {
        if self.coins > 0 {
            let movements = before.credit(self.coins, "grant", self.max_balance);
            return movements.ok_or(GrantOutcome::TooManyCoins { balance: before.coins });
        }
        let movement = before.debit(self.coins.saturating_neg(), "revocation");
        if movement.after.owed > self.max_balance {
            return Err(GrantOutcome::TooMuchOwed { owed: before.owed });
        }
        Ok(vec![movement])
    }

    /// The row that is kept of it.
    #[must_use]
    pub fn row(&self, movements: &[Movement], at: Timestamp) -> GrantRow {
        GrantRow {
            grant_id: self.grant_id.clone(),
            coins: self.coins,
            reason: self.reason.clone(),
            after: movements.last().map_or_else(Funds::default, |movement| movement.after),
            at,
            payload_hash: self.payload_hash.clone(),
        }
    }
}

/// What a grant came to. Only `Granted` wrote anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantOutcome {
    /// The coins are there.
    Granted(GrantRow),
    /// The key is bound already: the row it is bound to. The caller compares the payload.
    Bound(GrantRow),
    /// The balance would rise above the limit.
    TooManyCoins {
        /// What the player has.
        balance: i64,
    },
    /// What is owed would rise above the limit.
    TooMuchOwed {
        /// What the player owes.
        owed: i64,
    },
    /// No such player.
    UnknownPlayer,
}

/// One movement of a player's coins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place: rises with every movement of a player (written under the player's row lock).
    pub seq: i64,
    /// Coins gained, or lost if negative.
    pub delta: i64,
    /// Coins after it.
    pub balance: i64,
    /// What is owed after it.
    pub owed: i64,
    /// `signup`, `purchase`, `grant`, `revocation`, `receipt`, `refund`, `refund_reversed`, and `settlement`: what of
    /// the movement before it went to what was owed.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The purchase, grant, receipt or player it stems from.
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Coins less what is owed is what came in less what was taken; who owes has nothing; the deltas add up.
        #[test]
        fn nothing_is_lost_between_coins_and_what_is_owed(amounts in proptest::collection::vec(-500..500_i64, 0..40)) {
            let (mut funds, mut net, mut sum) = (Funds::default(), 0, 0);
            for amount in amounts {
                let movements = if amount < 0 {
                    vec![funds.debit(-amount, "revocation")]
                } else {
                    funds.credit(amount, "grant", i64::MAX).expect("far from the limit")
                };
                net += amount;
                sum += movements.iter().map(|movement| movement.delta).sum::<i64>();
                funds = movements.last().expect("one at least").after;
                prop_assert_eq!((funds.coins, funds.owed), (net.max(0), (-net).max(0)));
                prop_assert_eq!(sum, funds.coins);
            }
        }
    }

    #[test]
    fn the_limit_is_of_what_is_left() {
        let owing = Funds { coins: 0, owed: 30 };
        assert!(owing.credit(130, "grant", 100).is_some());
        assert!(owing.credit(131, "grant", 100).is_none());
        assert!(Funds { coins: 1, owed: 0 }.credit(i64::MAX, "grant", i64::MAX).is_none());
    }
}
