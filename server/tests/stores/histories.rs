//! Whatever happens to a player's coins, in any order: they are what a simple model says.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use server::store::{Ledger, PlayerId};

use crate::harness::Backend;
use crate::harness::samples::{at, grant, id, ledger_sum, order, player};
use crate::receipts::{funds, receipt, refund};

crate::contract![any_history_of_coins_adds_up];

/// What can happen to a player's coins; a small number stands for a transaction, so that it comes again.
#[derive(Debug, Clone)]
enum Happening {
    Grant(i64),
    Revoke(i64),
    Buy(i64),
    Receipt { transaction: u8, stated: i64 },
    Refund { transaction: u8, stated: i64 },
}

fn happening() -> impl Strategy<Value = Happening> {
    let (transaction, stated) = (0..6_u8, 0..40_i64);
    prop_oneof![
        (1..300_i64).prop_map(Happening::Grant),
        (1..300_i64).prop_map(Happening::Revoke),
        (0..200_i64).prop_map(Happening::Buy),
        (transaction.clone(), stated.clone())
            .prop_map(|(transaction, stated)| Happening::Receipt { transaction, stated }),
        (transaction, stated).prop_map(|(transaction, stated)| Happening::Refund { transaction, stated }),
    ]
}

/// What a transaction of a history is worth.
fn worth(transaction: u8) -> i64 {
    100 * i64::from(transaction + 1)
}

/// The same in memory: coins less what is owed, and each transaction's last statement, with whether it was claimed.
#[derive(Default)]
struct Model {
    net: i64,
    receipts: std::collections::BTreeMap<u8, (i64, bool, bool)>,
}

impl Model {
    fn apply(&mut self, happening: &Happening) {
        match *happening {
            Happening::Grant(coins) => self.net += coins,
            Happening::Revoke(coins) => self.net -= coins,
            Happening::Buy(price) if self.net.max(0) >= price => self.net -= price,
            Happening::Buy(_) => {}
            Happening::Receipt { transaction, stated } => match self.receipts.get(&transaction).copied() {
                Some((last, refunded, _)) if last >= stated || !refunded => {}
                _ => {
                    self.receipts.insert(transaction, (stated, false, true));
                    self.net += worth(transaction);
                }
            },
            Happening::Refund { transaction, stated } => match self.receipts.get(&transaction).copied() {
                None => {
                    self.receipts.insert(transaction, (stated, true, false));
                }
                Some((last, refunded, _)) if last >= stated || refunded => {}
                Some((_, _, claimed)) => {
                    self.receipts.insert(transaction, (stated, true, claimed));
                    self.net -= worth(transaction);
                }
            },
        }
    }
}

async fn happen(ledger: &dyn Ledger, who: &PlayerId, history: &str, happening: &Happening) {
    let name = |transaction: u8| format!("{history}-{transaction}");
    match *happening {
        Happening::Grant(coins) => drop(ledger.grant(&grant(who, &id(), coins)).await.expect("grants")),
        Happening::Revoke(coins) => drop(ledger.grant(&grant(who, &id(), -coins)).await.expect("takes")),
        Happening::Buy(price) => drop(ledger.buy(&order(who, &id(), price)).await.expect("answers")),
        Happening::Receipt { transaction, stated } => {
            let write = receipt(&name(transaction), Some(who), worth(transaction), at(stated));
            drop(ledger.settle_receipt(&write).await.expect("settles"));
        }
        Happening::Refund { transaction, stated } => {
            drop(ledger.settle_receipt(&refund(&name(transaction), at(stated))).await.expect("settles"));
        }
    }
}

async fn any_history_of_coins_adds_up(backend: Backend) {
    let ledger = backend.ledger().await;
    let store = ledger.store.clone();
    let runtime = tokio::runtime::Handle::current();
    let histories = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        runner.run(&proptest::collection::vec(happening(), 1..40), |happenings| {
            runtime.block_on(async {
                let (who, history) = (player(&*store, 0).await, id());
                let mut model = Model::default();
                for happening in &happenings {
                    happen(&*store, &who, &history, happening).await;
                    model.apply(happening);
                    let now = funds(&*store, &who).await;
                    prop_assert_eq!((now.coins, now.owed), (model.net.max(0), (-model.net).max(0)), "{:?}", happening);
                }
                let now = funds(&*store, &who).await;
                prop_assert_eq!(ledger_sum(&*store, &who).await.0, now.coins);
                let last = store.ledger(&who, None, 1).await.expect("reads");
                prop_assert_eq!(last.first().map_or(0, |entry| entry.owed), now.owed);
                Ok(())
            })
        })
    });
    histories.await.expect("no panic").expect("every history adds up");
}
