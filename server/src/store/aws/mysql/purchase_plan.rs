//! What a group of purchases comes to. No SQL.

use std::collections::{BTreeMap, HashMap};

use super::rows::stored;
use crate::store::{Funds, PlayerId, PurchaseOrder, PurchaseOutcome, PurchaseRow};

/// The players that exist, each with what it has.
pub(super) type Purses = HashMap<PlayerId, Funds>;

/// Purchases by player and Idempotency-Key.
pub(super) type Bound = HashMap<(PlayerId, String), PurchaseRow>;

/// A purchase that is granted.
pub(super) struct Sale<'a> {
    pub order: &'a PurchaseOrder,
    pub row: PurchaseRow,
    pub after: Funds,
}

/// Pieces of an item that a player gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pieces<'a> {
    pub player: &'a PlayerId,
    pub item_id: &'a str,
    pub slot: Option<u8>,
    pub quantity: i64,
}

/// What each order comes to.
pub(super) struct Plan<'a> {
    /// In the order of the orders.
    pub outcomes: Vec<PurchaseOutcome>,
    /// The granted ones, in this order.
    pub sales: Vec<Sale<'a>>,
    /// What players who paid have then.
    pub paid: BTreeMap<&'a PlayerId, i64>,
}

impl<'a> Plan<'a> {
    /// Grants the orders one after the other, as far as the coins go. `bound`: what keys are bound to already.
    pub fn new(orders: &'a [PurchaseOrder], mut purses: Purses, bound: &Bound) -> Self {
        let mut plan = Self { outcomes: Vec::with_capacity(orders.len()), sales: Vec::new(), paid: BTreeMap::new() };
        let mut now = Bound::new();
        for order in orders {
            let key = (order.player.clone(), order.key.clone());
            let outcome = match (purses.get_mut(&order.player), bound.get(&key).or_else(|| now.get(&key))) {
                (None, _) => PurchaseOutcome::UnknownPlayer,
                (_, Some(row)) => PurchaseOutcome::Bound(row.clone()),
                (Some(funds), None) if funds.coins < order.price => {
                    PurchaseOutcome::TooFewCoins { balance: funds.coins }
                }
                (Some(funds), None) => {
                    funds.coins -= order.price;
                    let row = plan.grant(order, *funds);
                    now.insert(key, row.clone());
                    PurchaseOutcome::Granted(row)
                }
            };
            plan.outcomes.push(outcome);
        }
        plan
    }

    fn grant(&mut self, order: &'a PurchaseOrder, after: Funds) -> PurchaseRow {
        let row = PurchaseRow {
            purchase_id: order.purchase_id.clone(),
            item_id: order.item_id.clone(),
            slot: order.slot,
            price: order.price,
            balance: after.coins,
            at: stored(order.at),
            payload_hash: order.payload_hash.clone(),
        };
        if order.price != 0 {
            self.paid.insert(&order.player, after.coins);
        }
        self.sales.push(Sale { order, row: row.clone(), after });
        row
    }

    /// Whether somebody has too few coins. It may be the repeat of a purchase that took them.
    pub fn refuses(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, PurchaseOutcome::TooFewCoins { .. }))
    }

    /// The pieces to give, by player, item and slot: in this order, so that two groups cannot wait for each other.
    pub fn pieces(&self) -> Vec<Pieces<'a>> {
        let mut pieces: BTreeMap<_, i64> = BTreeMap::new();
        for Sale { order, .. } in &self.sales {
            *pieces.entry((&order.player, order.item_id.as_str(), order.slot)).or_default() += 1;
        }
        let piece = |((player, item_id, slot), quantity)| Pieces { player, item_id, slot, quantity };
        pieces.into_iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::Event;

    fn player(id: &str) -> PlayerId {
        PlayerId::parse(id).expect("an id")
    }

    fn order(id: &str, key: &str, price: i64) -> PurchaseOrder {
        let event = Event {
            id: key.to_owned(),
            player: player(id),
            name: "purchase".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            properties: serde_json::json!({}),
        };
        PurchaseOrder {
            purchase_id: format!("of {key}"),
            player: player(id),
            key: key.to_owned(),
            payload_hash: price.to_be_bytes().to_vec(),
            item_id: "7".to_owned(),
            slot: None,
            price,
            at: Timestamp::UNIX_EPOCH,
            event,
        }
    }

    fn purse(id: &str, coins: i64, owed: i64) -> (PlayerId, Funds) {
        (player(id), Funds { coins, owed })
    }

    #[test]
    fn purchases_of_one_player_in_a_group_follow_each_other() {
        let orders =
            [order("a", "k1", 60), order("a", "k2", 60), order("a", "k3", 40), order("b", "k1", 5), order("x", "k", 1)];
        let plan = Plan::new(&orders, Purses::from([purse("a", 100, 0), purse("b", 5, 0)]), &Bound::new());
        assert!(matches!(&plan.outcomes[0], PurchaseOutcome::Granted(row) if row.balance == 40));
        assert_eq!(plan.outcomes[1], PurchaseOutcome::TooFewCoins { balance: 40 });
        assert!(matches!(&plan.outcomes[2], PurchaseOutcome::Granted(row) if row.balance == 0));
        assert!(matches!(&plan.outcomes[3], PurchaseOutcome::Granted(row) if row.balance == 0));
        assert_eq!(plan.outcomes[4], PurchaseOutcome::UnknownPlayer);
        assert!(plan.refuses());
        assert_eq!(plan.paid, BTreeMap::from([(&player("a"), 0), (&player("b"), 0)]));
        let (a, b) = (player("a"), player("b"));
        let pieces = |player, quantity| Pieces { player, item_id: "7", slot: None, quantity };
        assert_eq!(plan.pieces(), [pieces(&a, 2), pieces(&b, 1)]);
    }

    #[test]
    fn a_key_is_bound_once_in_a_group_too_and_by_whom_it_was_bound_before() {
        let orders = [order("a", "k", 60), order("a", "k", 60), order("a", "old", 60)];
        let first = Plan::new(&orders[2..], Purses::from([purse("a", 60, 0)]), &Bound::new());
        let before = first.sales[0].row.clone();
        let bound = Bound::from([((player("a"), "old".to_owned()), before.clone())]);
        let plan = Plan::new(&orders, Purses::from([purse("a", 60, 0)]), &bound);
        let PurchaseOutcome::Granted(row) = &plan.outcomes[0] else { panic!("not granted") };
        assert_eq!(plan.outcomes[1], PurchaseOutcome::Bound(row.clone()));
        assert_eq!(plan.outcomes[2], PurchaseOutcome::Bound(before));
        assert_eq!((plan.sales.len(), plan.refuses()), (1, false));
    }

    #[test]
    fn what_is_free_can_be_had_by_who_owes_and_leaves_the_purse_alone() {
        let orders = [order("a", "k", 0)];
        let plan = Plan::new(&orders, Purses::from([purse("a", 0, 30)]), &Bound::new());
        assert!(matches!(plan.outcomes[0], PurchaseOutcome::Granted(_)));
        assert_eq!((plan.sales[0].after, plan.paid.len()), (Funds { coins: 0, owed: 30 }, 0));
    }
}
