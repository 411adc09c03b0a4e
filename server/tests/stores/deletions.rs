//! The end of an account: nothing is left of it, whatever it was doing, and nobody else's is touched.

use std::sync::Arc;

use futures::future::join_all;
use server::domain::reconcile::Reconciler;
use server::store::{
    AppStore, BoardKey, Closing, DeleteOutcome, Event, Ledger, Order, PlayerId, PurchaseOutcome, ReceiptChange,
    ReceiptOutcome, ReceiptRow, ReceiptWrite, Reward, Rewards, ScoreOutcome, SettleOutcome, Settlement,
};

use crate::harness::Backend;
use crate::harness::samples::{account, at, board, event, grant, id, ledger_sum, order, player, row, score};

crate::contract![
    nothing_is_left_of_a_player_but_its_receipts,
    who_plays_in_a_season_that_is_being_settled_stays_until_it_is,
    who_is_deleted_while_playing_leaves_nothing,
    no_session_outlives_its_player,
    who_left_the_ledger_leaves_the_ranking_too,
    players_leave_a_board_and_its_build,
];

fn tell(write: &ReceiptWrite, player: &PlayerId, _: &ReceiptRow, change: ReceiptChange) -> Event {
    Event { id: write.event_id.clone(), ..event(player, change.reason(), write.at) }
}

fn receipt(claimant: Option<&PlayerId>, revoked: bool, second: i64) -> ReceiptWrite {
    ReceiptWrite {
        receipt_id: id(),
        store: AppStore::Apple,
        transaction_id: "t".to_owned(),
        order_id: None,
        product_id: "coins".to_owned(),
        coins: Some(70),
        claimant: claimant.cloned(),
        revoked,
        stated_at: at(second),
        acknowledge: false,
        max_balance: 1_000_000,
        at: at(second),
        tell,
        event_id: id(),
    }
}

async fn everything(ledger: &dyn Ledger, who: &PlayerId, key: &BoardKey) {
    ledger.insert_session(&crate::sessions::session(who, &id()[..20], at(1000))).await.expect("keeps");
    ledger.record_score(&score(who, key, 5, "r", at(1))).await.expect("records");
    let bought = ledger.buy(&order(who, "k", 100)).await.expect("buys");
    assert!(matches!(bought, PurchaseOutcome::Granted(_)));
    ledger.grant(&grant(who, "g", 50)).await.expect("grants");
    ledger.append_events(&[event(who, "seen", at(3))]).await.expect("keeps");
}

async fn nothing_is_left_of_a_player_but_its_receipts(backend: Backend) {
    let (ledger, key) = (backend.ledger().await, board());
    let ledger = &*ledger.store;
    let (account, other) = (account(1000), player(ledger, 1000).await);
    ledger.open_account(&account).await.expect("opens");
    let who = account.id.clone();
    for player in [&who, &other] {
        everything(ledger, player, &key).await;
    }
    let granted = ledger.settle_receipt(&receipt(Some(&who), false, 40)).await.expect("settles");
    assert!(matches!(granted, ReceiptOutcome::Granted(..)));
    // account, score, purchase, grant, event of each, and a receipt
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 11);

    assert_eq!(ledger.delete_player(&who, at(50)).await.expect("deletes"), DeleteOutcome::Deleted);
    assert_eq!(ledger.delete_player(&who, at(51)).await.expect("deletes"), DeleteOutcome::Deleted, "the repeat");
    assert_eq!(ledger.profile(&who, &key).await.expect("reads"), None);
    assert_eq!(ledger.score(&who, &key).await.expect("reads"), None);
    assert_eq!(ledger.purchase(&who, "k").await.expect("reads"), None);
    assert_eq!(ledger_sum(ledger, &who).await, (0, 0));
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 5);
    assert_eq!(ledger.record_score(&score(&who, &key, 6, "s", at(60))).await.expect("ok"), ScoreOutcome::UnknownPlayer);
    assert_eq!(ledger.buy(&order(&who, "l", 1)).await.expect("answers"), PurchaseOutcome::UnknownPlayer);
    assert_eq!(ledger.recent_deletions(at(50)).await.expect("reads"), std::slice::from_ref(&who));
    assert_eq!(ledger.recent_deletions(at(51)).await.expect("reads"), []);

    // The receipt is worth nothing to anybody else, and its refund has nobody to take from.
    let outcome = ledger.settle_receipt(&receipt(Some(&other), false, 60)).await.expect("answers");
    assert_eq!(outcome, ReceiptOutcome::OwnedByOther);
    let outcome = ledger.settle_receipt(&receipt(None, true, 70)).await.expect("answers");
    assert_eq!(outcome, ReceiptOutcome::UnknownPlayer);

    assert_eq!(ledger_sum(ledger, &other).await, (950, 3));
    assert_eq!(ledger.score(&other, &key).await.expect("reads").expect("there").key.score, 5);
    // The device begins anew.
    let again = server::store::NewAccount { id: PlayerId::parse(&id()).expect("an id"), ..account };
    let opened = ledger.open_account(&again).await.expect("opens");
    assert!(matches!(opened, server::store::AccountOutcome::Created(_)), "{opened:?}");
    // When the deletion is on record no longer, the player was never there.
    ledger.purge(at(100), at(0), 10).await.expect("purges");
    assert_eq!(ledger.delete_player(&who, at(101)).await.expect("answers"), DeleteOutcome::UnknownPlayer);
}

fn reward(key: &BoardKey, ended_at: jiff::Timestamp, entry: &server::store::RankedEntry, _: i64) -> Event {
    Event { id: format!("{}{}", key.season, entry.key.player), ..event(&entry.key.player, "reward", ended_at) }
}

async fn who_plays_in_a_season_that_is_being_settled_stays_until_it_is(backend: Backend) {
    let (ledger, key) = (backend.ledger().await, board());
    let ledger = &*ledger.store;
    let mut players = Vec::new();
    for n in 0..6 {
        let who = player(ledger, 0).await;
        let mut write = score(&who, &key, 100 - n, "r", at(n));
        write.ends_at = Some(at(1000));
        ledger.record_score(&write).await.expect("records");
        players.push(who);
    }
    let rewards = Rewards(vec![Reward { first: 1, last: 6, coins: 10 }]);
    let closing = Closing { key: key.clone(), ends_at: at(1000), order: Order::Descending, rewards };
    ledger.close_season(&closing).await.expect("closes");
    let step = Settlement { key: key.clone(), limit: 2, max_balance: 1000, at: at(1001), event: reward };
    let mut archived = 0;
    loop {
        match ledger.settle_season(&step).await.expect("settles") {
            SettleOutcome::Step { players, .. } => archived += players,
            SettleOutcome::Elsewhere => {}
            SettleOutcome::Done => break,
        }
        if ledger.season(&key).await.expect("reads").expect("there").state != server::store::SeasonState::Settled {
            let outcome = ledger.delete_player(&players[0], at(1002)).await.expect("answers");
            assert_eq!(outcome, DeleteOutcome::SeasonSettling);
        }
    }
    assert_eq!(archived, 6);
    assert_eq!(ledger.delete_player(&players[1], at(1003)).await.expect("deletes"), DeleteOutcome::Deleted);
    let lines = ledger.final_page(&key, 0, 10).await.expect("reads");
    let ranks: Vec<_> = lines.iter().map(|line| line.rank).collect();
    assert_eq!(ranks, [1, 3, 4, 5, 6], "the others keep their ranks");
    assert_eq!(ledger.final_lines(&key, &players[..2]).await.expect("reads").len(), 1);
}

async fn who_is_deleted_while_playing_leaves_nothing(backend: Backend) {
    let (ledger, key) = (backend.ledger().await, board());
    let ledger: Arc<dyn Ledger> = ledger.store.clone();
    let players = join_all((0..8).map(|_| player(&*ledger, 1000))).await;
    let writes = players.iter().flat_map(|who| (0..20).map(move |n| (who.clone(), n))).map(|(who, n)| {
        let (ledger, key) = (ledger.clone(), key.clone());
        tokio::spawn(async move {
            match n % 3 {
                0 => drop(ledger.record_score(&score(&who, &key, n, &format!("r{n}"), at(n))).await.expect("ok")),
                1 => drop(ledger.buy(&order(&who, &format!("k{n}"), 10)).await.expect("ok")),
                _ => drop(ledger.grant(&grant(&who, &format!("g{n}"), 10)).await.expect("ok")),
            }
        })
    });
    let writes: Vec<_> = writes.collect();
    let deletions = players.iter().map(|who| ledger.delete_player(who, at(99)));
    for outcome in join_all(deletions).await {
        assert_eq!(outcome.expect("deletes"), DeleteOutcome::Deleted);
    }
    for write in writes {
        write.await.expect("no panic");
    }
    for who in &players {
        assert_eq!(ledger_sum(&*ledger, who).await, (0, 0));
        assert_eq!(ledger.score(who, &key).await.expect("reads"), None);
    }
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 0);
}

async fn no_session_outlives_its_player(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 0).await;
    let [before, late] = [id(), id()].map(|id| crate::sessions::session(&who, &id, at(1000)));
    ledger.insert_session(&before).await.expect("keeps");
    assert_eq!(ledger.delete_player(&who, at(1)).await.expect("deletes"), DeleteOutcome::Deleted);
    // A device that was let in just before the deletion.
    ledger.insert_session(&late).await.expect("answers");
    for gone in [before, late] {
        assert_eq!(ledger.session(&gone.id).await.expect("reads"), None);
    }
}

async fn who_left_the_ledger_leaves_the_ranking_too(backend: Backend) {
    let (stores, board) = (backend.stores().await, board());
    let game = crate::healing::game(&stores, &board);
    Reconciler::new(game.clone()).round().await.expect("builds");
    let leaves = crate::healing::commit(&stores, &board, 10).await;
    let stays = crate::healing::commit(&stores, &board, 20).await;
    Reconciler::new(game.clone()).round().await.expect("ranks");
    let late = stores.ledger.score(&leaves, &board).await.expect("reads").expect("there");
    server::domain::account::delete(&game, &leaves).await.expect("deletes");
    assert_eq!(crate::healing::ranked(&stores, &board).await, [(1, stays.clone())]);
    // A server that had recorded the score before tells the ranking after.
    stores.ranking.apply_one(&board, Order::Descending, &late).await.expect("takes");
    assert_eq!(crate::healing::ranked(&stores, &board).await.len(), 2);
    Reconciler::new(game).round().await.expect("heals");
    assert_eq!(crate::healing::ranked(&stores, &board).await, [(1, stays)]);
}

async fn players_leave_a_board_and_its_build(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let down = Order::Descending;
    ranking.apply(&board, down, &[row("a", 10, 1, 1), row("b", 20, 1, 1)]).await.expect("takes");
    assert!(ranking.begin_build(&board, down, "me").await.expect("begins"));
    ranking.build(&board, down, &[row("a", 10, 1, 1), row("b", 20, 1, 1), row("c", 30, 1, 1)]).await.expect("takes");
    let gone = ["a", "c", "nobody"].map(|id| PlayerId::parse(id).expect("an id"));
    ranking.remove(&board, &gone).await.expect("removes");
    let names = async || {
        let page = ranking.page(&board, down, None, 10).await.expect("reads");
        page.entries.into_iter().map(|entry| entry.key.player.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["b"]);
    assert!(ranking.finish_build(&board, down, "me").await.expect("finishes"), "it is whole");
    assert_eq!(names().await, ["b"]);
    ranking.remove(&board, &gone).await.expect("removes none");
    assert!(ranking.is_built(&board, down).await.expect("answers"));
    let (entry, total) = ranking.apply_one(&board, down, &row("a", 50, 2, 1)).await.expect("takes");
    assert_eq!((entry.rank, total), (1, 2));
}
