//! Coins are never lost, doubled or negative.

use futures::future::join_all;
use server::store::{GrantOutcome, Ledger, PurchaseOutcome, PurchaseRow};

use crate::harness::Backend;
use crate::harness::samples::{account, at, board, grant, ledger_sum, order, player, player_id, score};

crate::contract![
    a_purchase_moves_coins_item_ledger_and_event,
    a_repeat_is_answered_from_the_first,
    the_balance_may_be_spent_to_the_last_coin,
    refusals_write_nothing,
    forty_at_once_grant_ten,
    one_key_twenty_times_at_once_buys_once,
    keys_are_compared_by_bytes_and_per_player,
    a_grant_is_made_once,
    no_balance_rises_above_the_limit,
    buying_granting_and_scoring_at_once_lose_nothing,
];

async fn coins(ledger: &dyn Ledger, who: &server::store::PlayerId) -> i64 {
    ledger.profile(who, &board()).await.expect("reads").expect("exists").player.coins
}

async fn a_purchase_moves_coins_item_ledger_and_event(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 1000).await;
    let first = order(&who, "k1", 100);
    let PurchaseOutcome::Granted(row) = ledger.buy(&first).await.expect("buys") else { panic!("not granted") };
    let expected = PurchaseRow {
        purchase_id: first.purchase_id.clone(),
        item_id: "101".to_owned(),
        slot: Some(1),
        price: 100,
        balance: 900,
        at: first.at,
        payload_hash: first.payload_hash.clone(),
    };
    assert_eq!(row, expected);
    assert_eq!(ledger.purchase(&who, "k1").await.expect("reads"), Some(expected));
    ledger.buy(&order(&who, "k2", 150)).await.expect("buys");
    let mut loose = order(&who, "k3", 0);
    (loose.slot, loose.item_id) = (None, "102".to_owned());
    ledger.buy(&loose).await.expect("buys");

    let profile = ledger.profile(&who, &board()).await.expect("reads").expect("exists");
    assert_eq!(profile.player.coins, 750);
    let items: Vec<_> = profile.items.iter().map(|i| (i.item_id.as_str(), i.slot, i.quantity)).collect();
    assert_eq!(items, [("101", Some(1), 2), ("102", None, 1)]);

    let entries = ledger.ledger(&who, None, 10).await.expect("reads");
    let moves: Vec<_> = entries.iter().map(|e| (e.delta, e.balance, e.reason.as_str())).collect();
    assert_eq!(moves, [(0, 750, "purchase"), (-150, 750, "purchase"), (-100, 900, "purchase"), (1000, 1000, "signup")]);
    assert_eq!(entries[2].reference, first.purchase_id);
    assert_eq!(entries[2].at, first.at);
    assert!(entries.windows(2).all(|pair| pair[0].seq > pair[1].seq));
    // Account and three purchases.
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 4);
}

async fn a_repeat_is_answered_from_the_first(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 100).await;
    let first = order(&who, "k", 100);
    let PurchaseOutcome::Granted(row) = ledger.buy(&first).await.expect("buys") else { panic!("not granted") };
    // The coins are gone: only the key says that this is no new purchase.
    let repeat = ledger.buy(&order(&who, "k", 100)).await.expect("answers");
    assert_eq!(repeat, PurchaseOutcome::Bound(row.clone()));
    ledger.grant(&grant(&who, "g", 500)).await.expect("grants");
    // And now they would suffice.
    let mut other = order(&who, "k", 50);
    other.payload_hash = vec![9; 32];
    assert_eq!(ledger.buy(&other).await.expect("answers"), PurchaseOutcome::Bound(row));
    assert_eq!(coins(&*ledger.store, &who).await, 500);
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (500, 3));
}

async fn the_balance_may_be_spent_to_the_last_coin(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 100).await;
    assert!(
        matches!(ledger.buy(&order(&who, "k", 100)).await.expect("buys"), PurchaseOutcome::Granted(r) if r.balance == 0)
    );
}

async fn refusals_write_nothing(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 99).await;
    let before = ledger.outbox_backlog().await.expect("reads").0;
    assert_eq!(
        ledger.buy(&order(&who, "k", 100)).await.expect("answers"),
        PurchaseOutcome::TooFewCoins { balance: 99 }
    );
    let nobody = player_id("nobody");
    assert_eq!(ledger.buy(&order(&nobody, "k", 1)).await.expect("answers"), PurchaseOutcome::UnknownPlayer);
    assert_eq!(ledger.grant(&grant(&nobody, "k", 1)).await.expect("answers"), GrantOutcome::UnknownPlayer);
    assert_eq!(ledger.purchase(&who, "k").await.expect("reads"), None);
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, before);
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (99, 1));
    // A refused purchase binds no key.
    ledger.grant(&grant(&who, "g", 1)).await.expect("grants");
    assert!(matches!(ledger.buy(&order(&who, "k", 100)).await.expect("buys"), PurchaseOutcome::Granted(_)));
}

async fn forty_at_once_grant_ten(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 1000).await;
    let buy = |n: usize| {
        let (ledger, order) = (ledger.store.clone(), order(&who, &format!("k{n}"), 100));
        tokio::spawn(async move { ledger.buy(&order).await.expect("answers") })
    };
    let outcomes = join_all((0..40).map(buy)).await;
    let granted = outcomes.iter().filter(|o| matches!(o, Ok(PurchaseOutcome::Granted(_)))).count();
    let refused = outcomes.iter().filter(|o| matches!(o, Ok(PurchaseOutcome::TooFewCoins { balance: 0 }))).count();
    assert_eq!((granted, refused), (10, 30));
    let profile = ledger.profile(&who, &board()).await.expect("reads").expect("exists");
    assert_eq!((profile.player.coins, profile.items[0].quantity), (0, 10));
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (0, 11));
}

async fn one_key_twenty_times_at_once_buys_once(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 1000).await;
    let buy = |_| {
        let (ledger, order) = (ledger.store.clone(), order(&who, "the key", 100));
        tokio::spawn(async move { ledger.buy(&order).await.expect("answers") })
    };
    let outcomes = join_all((0..20).map(buy)).await;
    let mut ids = Vec::new();
    let mut granted = 0;
    for outcome in outcomes {
        match outcome.expect("no panic") {
            PurchaseOutcome::Granted(row) => {
                granted += 1;
                ids.push(row.purchase_id);
            }
            PurchaseOutcome::Bound(row) => ids.push(row.purchase_id),
            other => panic!("{other:?}"),
        }
    }
    ids.dedup();
    assert_eq!((granted, ids.len()), (1, 1), "one purchase, told to all");
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (900, 2));
}

async fn keys_are_compared_by_bytes_and_per_player(backend: Backend) {
    let ledger = backend.ledger().await;
    let (one, two) = (player(&*ledger.store, 1000).await, player(&*ledger.store, 1000).await);
    for (who, key) in [(&one, "key"), (&one, "Key"), (&one, "key "), (&one, "ké"), (&one, "ke"), (&two, "key")] {
        let outcome = ledger.buy(&order(who, key, 1)).await.expect("buys");
        assert!(matches!(outcome, PurchaseOutcome::Granted(_)), "{key:?}: {outcome:?}");
    }
    assert_eq!(coins(&*ledger.store, &one).await, 995);
    let device = account(1);
    let mut upper = account(1);
    upper.device_id = format!("{} ", device.device_id);
    for account in [&device, &upper] {
        let outcome = ledger.open_account(account).await.expect("opens");
        assert!(matches!(outcome, server::store::AccountOutcome::Created(_)), "{outcome:?}");
    }
}

async fn a_grant_is_made_once(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 0).await;
    let give = |_| {
        let (ledger, grant) = (ledger.store.clone(), grant(&who, "g", 40));
        tokio::spawn(async move { ledger.grant(&grant).await.expect("answers") })
    };
    let outcomes = join_all((0..12).map(give)).await;
    let granted = outcomes.iter().filter(|o| matches!(o, Ok(GrantOutcome::Granted(r)) if r.after.coins == 40)).count();
    let bound = outcomes.iter().filter(|o| matches!(o, Ok(GrantOutcome::Bound(r)) if r.coins == 40)).count();
    assert_eq!((granted, bound), (1, 11));
    // Purchases have keys of their own.
    assert!(matches!(ledger.buy(&order(&who, "g", 40)).await.expect("buys"), PurchaseOutcome::Granted(_)));
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (0, 2));
}

async fn no_balance_rises_above_the_limit(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 10).await;
    let mut grant = grant(&who, "g", 91);
    grant.max_balance = 100;
    assert_eq!(ledger.grant(&grant).await.expect("answers"), GrantOutcome::TooManyCoins { balance: 10 });
    (grant.coins, grant.max_balance) = (i64::MAX, i64::MAX);
    assert_eq!(ledger.grant(&grant).await.expect("answers"), GrantOutcome::TooManyCoins { balance: 10 });
    (grant.coins, grant.max_balance) = (90, 100);
    assert!(matches!(ledger.grant(&grant).await.expect("grants"), GrantOutcome::Granted(r) if r.after.coins == 100));
}

/// A score posted during a credit must not wipe the credit, nor the other way round.
async fn buying_granting_and_scoring_at_once_lose_nothing(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, board) = (player(&*ledger.store, 1000).await, board());
    let task = |n: i64| {
        let (ledger, who, board) = (ledger.store.clone(), who.clone(), board.clone());
        tokio::spawn(async move {
            match n % 3 {
                0 => drop(ledger.grant(&grant(&who, &format!("g{n}"), 1000)).await.expect("grants")),
                1 => drop(ledger.buy(&order(&who, &format!("b{n}"), 100)).await.expect("buys")),
                _ => {
                    drop(ledger.record_score(&score(&who, &board, n, &format!("r{n}"), at(n))).await.expect("records"))
                }
            }
        })
    };
    for done in join_all((0..60).map(task)).await {
        done.expect("no panic");
    }
    let profile = ledger.profile(&who, &board).await.expect("reads").expect("exists");
    assert_eq!(profile.player.coins, 1000 + 20 * 1000 - 20 * 100);
    assert_eq!(profile.best_score, Some(59));
    assert_eq!(profile.items[0].quantity, 20);
    assert_eq!(ledger_sum(&*ledger.store, &who).await, (profile.player.coins, 41));
    let entries = ledger.ledger(&who, None, 100).await.expect("reads");
    assert!(entries.windows(2).all(|pair| pair[0].balance == pair[1].balance + pair[0].delta), "balances follow");
}
