//! Events on their way: none lost, none given to two at once.

use std::collections::HashSet;

use futures::future::join_all;
use server::store::Event;

use crate::harness::Backend;
use crate::harness::samples::{at, event, player_id};

crate::contract![
    events_come_out_as_they_went_in_oldest_first,
    a_lease_keeps_others_away_until_it_is_over,
    released_events_wait_until_they_are_due,
    claims_at_once_never_share_an_event,
];

fn some(count: i64) -> Vec<Event> {
    let mut events: Vec<_> = (0..count).map(|n| event(&player_id("p1"), &format!("e{n}"), at(n))).collect();
    // Ids made within one millisecond are in no order.
    for (n, event) in events.iter_mut().enumerate() {
        event.id = format!("01JD{n:022}");
    }
    events
}

fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

async fn events_come_out_as_they_went_in_oldest_first(backend: Backend) {
    let ledger = backend.ledger().await;
    let events = some(150);
    ledger.append_events(&events).await.expect("keeps");
    ledger.append_events(&events[..100]).await.expect("keeps nothing new");
    ledger.append_events(&[]).await.expect("keeps nothing");
    assert_eq!(ledger.outbox_backlog().await.expect("reads"), (150, Some(at(0))));
    let first = ledger.claim_events("me", at(1000), at(1030), 90).await.expect("claims");
    assert_eq!(first, events[..90]);
    let second = ledger.claim_events("me", at(1000), at(1030), 90).await.expect("claims");
    assert_eq!(second, events[90..]);
    ledger.complete_events(&ids(&first)).await.expect("removes");
    ledger.complete_events(&ids(&first)).await.expect("removes nothing");
    assert_eq!(ledger.outbox_backlog().await.expect("reads"), (60, Some(at(90))));
    ledger.complete_events(&ids(&second)).await.expect("removes");
    assert_eq!(ledger.outbox_backlog().await.expect("reads"), (0, None));
}

async fn a_lease_keeps_others_away_until_it_is_over(backend: Backend) {
    let ledger = backend.ledger().await;
    let events = some(5);
    ledger.append_events(&events).await.expect("keeps");
    let mine = ledger.claim_events("me", at(1000), at(1030), 3).await.expect("claims");
    assert_eq!(mine.len(), 3);
    let yours = ledger.claim_events("you", at(1010), at(1040), 10).await.expect("claims");
    assert_eq!(yours, events[3..]);
    // I have died; at 1030 my lease is over.
    let after = ledger.claim_events("you", at(1031), at(1060), 10).await.expect("claims");
    assert_eq!(after, events[..3]);
    // And now I am back: what is not mine any more is not mine to give back.
    ledger.release_events("me", &ids(&mine), at(0)).await.expect("answers");
    assert_eq!(ledger.claim_events("other", at(1041), at(1060), 10).await.expect("claims"), events[3..]);
}

async fn released_events_wait_until_they_are_due(backend: Backend) {
    let ledger = backend.ledger().await;
    let events = some(2);
    ledger.append_events(&events).await.expect("keeps");
    let mine = ledger.claim_events("me", at(1000), at(1030), 10).await.expect("claims");
    ledger.release_events("me", &ids(&mine[..1]), at(1100)).await.expect("releases");
    assert_eq!(ledger.claim_events("you", at(1099), at(1200), 10).await.expect("claims"), events[1..]);
    assert_eq!(ledger.claim_events("you", at(1101), at(1200), 10).await.expect("claims"), events[..1]);
}

async fn claims_at_once_never_share_an_event(backend: Backend) {
    let ledger = backend.ledger().await;
    let events = some(400);
    ledger.append_events(&events).await.expect("keeps");
    let claim = |n: usize| {
        let ledger = ledger.store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let some = ledger.claim_events(&format!("r{n}"), at(1000), at(1030), 10).await.expect("claims");
                if some.is_empty() {
                    return mine;
                }
                // Deliveries go on while others claim.
                ledger.complete_events(&ids(&some[..5])).await.expect("removes");
                mine.extend(ids(&some));
            }
        })
    };
    let mut all = Vec::new();
    for mine in join_all((0..8).map(claim)).await {
        all.extend(mine.expect("no panic"));
    }
    let unique: HashSet<_> = all.iter().cloned().collect();
    assert_eq!(unique.len(), all.len(), "claimed twice");
    // Who met locked rows may have stopped early; nothing is lost.
    let rest = ledger.claim_events("last", at(2000), at(2030), 1000).await.expect("claims");
    let left: HashSet<_> = ids(&rest).into_iter().collect();
    assert_eq!(left.len() as u64, ledger.outbox_backlog().await.expect("reads").0);
    assert_eq!(unique.union(&left).count(), 400);
}
