//! Coins paid for are given once, to one player, and taken back once.

use futures::future::join_all;
use jiff::Timestamp;
use server::store::{
    AppStore, Event, Funds, GrantOutcome, Ledger, PlayerId, PurchaseOutcome, ReceiptChange, ReceiptOutcome, ReceiptRow,
    ReceiptWrite,
};

use crate::harness::Backend;
use crate::harness::samples::{at, board, event, grant, id, ledger_sum, order, player, player_id};

crate::contract![
    a_receipt_is_granted_once_however_often_it_is_sent,
    forty_at_once_grant_one,
    of_two_players_at_once_one_has_it,
    a_refund_is_owed_and_settled_first,
    a_refund_before_the_claim_is_for_ever_unless_it_is_reversed,
    an_older_statement_changes_nothing,
    refusals_of_receipts_write_nothing,
    what_is_to_be_acknowledged_is_claimed_by_one_at_a_time,
    a_turn_is_taken_by_one_of_many,
    revocations_and_grants_share_their_keys,
];

fn tell(write: &ReceiptWrite, player: &PlayerId, _: &ReceiptRow, change: ReceiptChange) -> Event {
    Event { id: write.event_id.clone(), ..event(player, change.reason(), write.at) }
}

pub fn receipt(transaction: &str, claimant: Option<&PlayerId>, coins: i64, stated_at: Timestamp) -> ReceiptWrite {
    ReceiptWrite {
        receipt_id: id(),
        store: AppStore::Apple,
        transaction_id: transaction.to_owned(),
        order_id: None,
        product_id: "coins".to_owned(),
        coins: Some(coins),
        claimant: claimant.cloned(),
        revoked: false,
        stated_at,
        acknowledge: false,
        max_balance: 1_000_000_000,
        at: at(30),
        tell,
        event_id: id(),
    }
}

pub fn refund(transaction: &str, stated_at: Timestamp) -> ReceiptWrite {
    ReceiptWrite { revoked: true, ..receipt(transaction, None, 0, stated_at) }
}

pub async fn funds(ledger: &dyn Ledger, who: &PlayerId) -> Funds {
    let player = ledger.profile(who, &board()).await.expect("reads").expect("exists").player;
    Funds { coins: player.coins, owed: player.owed }
}

async fn reasons(ledger: &dyn Ledger, who: &PlayerId) -> Vec<(String, i64, i64, i64)> {
    let mut entries = ledger.ledger(who, None, 100).await.expect("reads");
    entries.reverse();
    entries.into_iter().map(|e| (e.reason, e.delta, e.balance, e.owed)).collect()
}

async fn a_receipt_is_granted_once_however_often_it_is_sent(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 10).await;
    let (transaction, before) = (id(), ledger.outbox_backlog().await.expect("reads").0);
    let first = receipt(&transaction, Some(&who), 500, at(1));
    let after = Funds { coins: 510, owed: 0 };
    let ReceiptOutcome::Granted(row, given) = ledger.settle_receipt(&first).await.expect("settles") else {
        panic!("not granted")
    };
    assert_eq!((row.receipt_id.clone(), row.coins, given), (first.receipt_id, 500, after));
    // Even if the product is worth something else by now, or nothing.
    for coins in [Some(900), None] {
        let again = ReceiptWrite { coins, ..receipt(&transaction, Some(&who), 0, at(5)) };
        let outcome = ledger.settle_receipt(&again).await.expect("settles");
        assert_eq!(outcome, ReceiptOutcome::AlreadyGranted(row.clone(), after));
    }
    assert_eq!(funds(&*ledger.store, &who).await, after);
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (510, 2));
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, before + 1);
    let entries = ledger.ledger(&who, None, 1).await.expect("reads");
    assert_eq!((entries[0].reason.as_str(), &entries[0].reference), ("receipt", &row.receipt_id));
    // The other store's transactions are others.
    let other = ReceiptWrite { store: AppStore::Google, ..receipt(&transaction, Some(&who), 1, at(1)) };
    assert!(matches!(ledger.settle_receipt(&other).await.expect("settles"), ReceiptOutcome::Granted(..)));
}

async fn forty_at_once_grant_one(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, transaction) = (player(&*ledger.store, 0).await, id());
    let send = |_| {
        let (ledger, write) = (ledger.store.clone(), receipt(&transaction, Some(&who), 100, at(1)));
        tokio::spawn(async move { ledger.settle_receipt(&write).await.expect("settles") })
    };
    let outcomes = join_all((0..40).map(send)).await;
    let granted = outcomes.iter().filter(|o| matches!(o, Ok(ReceiptOutcome::Granted(..)))).count();
    let known = outcomes.iter().filter(|o| matches!(o, Ok(ReceiptOutcome::AlreadyGranted(_, f)) if f.coins == 100));
    assert_eq!((granted, known.count()), (1, 39));
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (100, 1));
}

async fn of_two_players_at_once_one_has_it(backend: Backend) {
    let ledger = backend.ledger().await;
    let (one, two) = (player(&*ledger.store, 0).await, player(&*ledger.store, 0).await);
    for _ in 0..10 {
        let transaction = id();
        let send = |who: &PlayerId| {
            let (ledger, write) = (ledger.store.clone(), receipt(&transaction, Some(who), 100, at(1)));
            tokio::spawn(async move { ledger.settle_receipt(&write).await.expect("settles") })
        };
        let (first, second) = tokio::join!(send(&one), send(&two));
        let (first, second) = (first.expect("no panic"), second.expect("no panic"));
        let owned = [&first, &second].into_iter().filter(|o| **o == ReceiptOutcome::OwnedByOther).count();
        let granted = [&first, &second].into_iter().filter(|o| matches!(o, ReceiptOutcome::Granted(..))).count();
        assert_eq!((granted, owned), (1, 1), "{first:?} {second:?}");
    }
    let (one, two) = (funds(&*ledger.store, &one).await.coins, funds(&*ledger.store, &two).await.coins);
    assert_eq!(one + two, 1000);
}

async fn a_refund_is_owed_and_settled_first(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, transaction) = (player(&*ledger.store, 0).await, id());
    ledger.settle_receipt(&receipt(&transaction, Some(&who), 500, at(1))).await.expect("settles");
    ledger.buy(&order(&who, "k", 400)).await.expect("buys");
    for _ in 0..2 {
        let outcome = ledger.settle_receipt(&refund(&transaction, at(2))).await.expect("settles");
        assert!(matches!(outcome, ReceiptOutcome::Refunded(_, Funds { coins: 0, owed: 400 })), "{outcome:?}");
    }
    let refused = ledger.buy(&order(&who, "l", 1)).await.expect("answers");
    assert_eq!(refused, PurchaseOutcome::TooFewCoins { balance: 0 });
    assert!(matches!(ledger.buy(&order(&who, "free", 0)).await.expect("buys"), PurchaseOutcome::Granted(_)));
    ledger.grant(&grant(&who, "g", 150)).await.expect("grants");
    let outcome = ledger.settle_receipt(&receipt(&id(), Some(&who), 300, at(3))).await.expect("settles");
    assert!(matches!(outcome, ReceiptOutcome::Granted(_, Funds { coins: 50, owed: 0 })), "{outcome:?}");
    let told = reasons(&*ledger.store, &who).await;
    let told: Vec<_> = told.iter().map(|(reason, delta, balance, owed)| (&**reason, *delta, *balance, *owed)).collect();
    let expected = [
        ("receipt", 500, 500, 0),
        ("purchase", -400, 100, 0),
        ("refund", -100, 0, 400),
        ("purchase", 0, 0, 400),
        ("grant", 150, 150, 400),
        ("settlement", -150, 0, 250),
        ("receipt", 300, 300, 250),
        ("settlement", -250, 50, 0),
    ];
    assert_eq!(told, expected);
}

async fn a_refund_before_the_claim_is_for_ever_unless_it_is_reversed(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, transaction) = (player(&*ledger.store, 0).await, id());
    let buried = ledger.settle_receipt(&refund(&transaction, at(5))).await.expect("settles");
    assert!(matches!(buried, ReceiptOutcome::Refunded(ReceiptRow { player: None, .. }, _)), "{buried:?}");
    let old = ledger.settle_receipt(&receipt(&transaction, Some(&who), 100, at(4))).await.expect("settles");
    assert!(matches!(old, ReceiptOutcome::Refunded(_, Funds { coins: 0, owed: 0 })), "{old:?}");
    let new = ledger.settle_receipt(&receipt(&transaction, Some(&who), 100, at(6))).await.expect("settles");
    assert!(matches!(new, ReceiptOutcome::Granted(_, Funds { coins: 100, owed: 0 })), "{new:?}");
    let other = player(&*ledger.store, 0).await;
    let stolen = ledger.settle_receipt(&receipt(&transaction, Some(&other), 100, at(7))).await.expect("settles");
    assert_eq!(stolen, ReceiptOutcome::OwnedByOther);
}

async fn an_older_statement_changes_nothing(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, transaction) = (player(&*ledger.store, 0).await, id());
    let state = |write: ReceiptWrite| {
        let ledger = ledger.store.clone();
        async move {
            match ledger.settle_receipt(&write).await.expect("settles") {
                ReceiptOutcome::Granted(_, funds) => ("granted", funds.coins),
                ReceiptOutcome::AlreadyGranted(_, funds) => ("known", funds.coins),
                ReceiptOutcome::Refunded(_, funds) => ("refunded", funds.coins),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(state(receipt(&transaction, Some(&who), 100, at(5))).await, ("granted", 100));
    assert_eq!(state(refund(&transaction, at(4))).await, ("known", 100));
    assert_eq!(state(refund(&transaction, at(6))).await, ("refunded", 0));
    assert_eq!(state(receipt(&transaction, Some(&who), 100, at(5))).await, ("refunded", 0));
    let reversed = ReceiptWrite { claimant: None, ..receipt(&transaction, None, 100, at(7)) };
    assert_eq!(state(reversed.clone()).await, ("granted", 100));
    assert_eq!(state(reversed).await, ("known", 100));
    assert_eq!(state(refund(&transaction, at(6))).await, ("known", 100));
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (100, 3));
}

async fn refusals_of_receipts_write_nothing(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 10).await;
    let before = ledger.outbox_backlog().await.expect("reads").0;
    let transaction = id();
    let first = receipt(&transaction, Some(&who), 100, at(1));
    for (write, expected) in [
        (ReceiptWrite { claimant: None, ..first.clone() }, ReceiptOutcome::Unclaimed),
        (ReceiptWrite { coins: None, ..first.clone() }, ReceiptOutcome::UnknownProduct),
        (ReceiptWrite { max_balance: 109, ..first.clone() }, ReceiptOutcome::TooManyCoins { balance: 10 }),
        (ReceiptWrite { claimant: Some(player_id("nobody")), ..first.clone() }, ReceiptOutcome::UnknownPlayer),
    ] {
        assert_eq!(ledger.settle_receipt(&write).await.expect("answers"), expected);
    }
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, before);
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (10, 1));
    assert!(matches!(ledger.settle_receipt(&first).await.expect("settles"), ReceiptOutcome::Granted(..)));
}

async fn what_is_to_be_acknowledged_is_claimed_by_one_at_a_time(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 0).await;
    let mut due = Vec::new();
    for _ in 0..12 {
        let write = ReceiptWrite { store: AppStore::Google, acknowledge: true, ..receipt(&id(), Some(&who), 1, at(1)) };
        due.push(write.transaction_id.clone());
        ledger.settle_receipt(&write).await.expect("settles");
    }
    ledger.settle_receipt(&receipt(&id(), Some(&who), 1, at(1))).await.expect("settles");
    assert!(ledger.claim_acknowledgements(at(29), at(90), 10).await.expect("claims").is_empty());
    let claim = |_| {
        let ledger = ledger.store.clone();
        tokio::spawn(async move { ledger.claim_acknowledgements(at(30), at(90), 5).await.expect("claims") })
    };
    let mut claimed: Vec<String> = Vec::new();
    for rows in join_all((0..4).map(claim)).await {
        claimed.extend(rows.expect("no panic").into_iter().map(|row| row.transaction_id));
    }
    claimed.extend(
        ledger.claim_acknowledgements(at(30), at(90), 20).await.expect("claims").into_iter().map(|r| r.transaction_id),
    );
    claimed.sort();
    due.sort();
    assert_eq!(claimed, due);
    ledger.set_acknowledgement(AppStore::Google, &due[0], None).await.expect("noted");
    ledger.set_acknowledgement(AppStore::Google, &due[1], Some(at(40))).await.expect("put off");
    let early: Vec<_> = ledger.claim_acknowledgements(at(40), at(95), 20).await.expect("claims");
    assert_eq!(early.iter().map(|row| &row.transaction_id).collect::<Vec<_>>(), [&due[1]]);
    assert_eq!(ledger.claim_acknowledgements(at(99), at(199), 20).await.expect("claims").len(), 11);
}

async fn a_turn_is_taken_by_one_of_many(backend: Backend) {
    let ledger = backend.ledger().await;
    let task = id();
    let take = |now, next| {
        let (ledger, task) = (ledger.store.clone(), task.clone());
        tokio::spawn(async move { ledger.take_turn(&task, now, next).await.expect("answers") })
    };
    let taken = join_all((0..8).map(|_| take(at(0), at(10)))).await;
    let taken: Vec<_> = taken.into_iter().filter_map(|turn| turn.expect("no panic")).collect();
    assert_eq!(taken, [Timestamp::UNIX_EPOCH]);
    ledger.turn_done(&task, at(7)).await.expect("noted");
    assert_eq!(take(at(9), at(20)).await.expect("no panic"), None);
    assert_eq!(take(at(10), at(20)).await.expect("no panic"), Some(at(7)));
}

async fn revocations_and_grants_share_their_keys(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 100).await;
    let GrantOutcome::Granted(row) = ledger.grant(&grant(&who, "k", -150)).await.expect("takes") else {
        panic!("not taken")
    };
    assert_eq!((row.coins, row.after), (-150, Funds { coins: 0, owed: 50 }));
    assert_eq!(ledger.grant(&grant(&who, "k", 150)).await.expect("answers"), GrantOutcome::Bound(row));
    let mut much = grant(&who, "l", -100);
    much.max_balance = 149;
    assert_eq!(ledger.grant(&much).await.expect("answers"), GrantOutcome::TooMuchOwed { owed: 50 });
    assert_eq!(reasons(&*ledger.store, &who).await[1..], [("revocation".to_owned(), -100, 0, 50)]);
}
