//! Accounts and their sessions.

use futures::future::join_all;
use jiff::Timestamp;
use server::store::{AccountOutcome, PlayerId, SessionRow};

use crate::harness::Backend;
use crate::harness::samples::{account, at, board, id, ledger_sum, player, player_id};

crate::contract![
    a_device_has_one_account,
    a_device_opened_from_many_sides_has_one_account,
    an_unknown_player_has_no_profile,
    a_session_is_kept_renewed_and_removed,
    a_token_is_exchanged_once,
    a_write_is_checked_and_leaves_nothing,
];

pub fn session(player: &PlayerId, id: &str, expires_at: Timestamp) -> SessionRow {
    SessionRow {
        id: id.to_owned(),
        player: player.clone(),
        token_hash: vec![1; 32],
        previous_hash: None,
        rotated_at: at(0),
        expires_at,
    }
}

async fn a_device_has_one_account(backend: Backend) {
    let ledger = backend.ledger().await;
    let first = account(1000);
    let AccountOutcome::Created(made) = ledger.open_account(&first).await.expect("opens") else { panic!("not new") };
    assert_eq!((&made.player, &made.device_mac), (&first.id, &first.device_mac));
    let mut again = account(1000);
    again.device_id = first.device_id.clone();
    again.device_mac = vec![8; 32];
    assert_eq!(ledger.open_account(&again).await.expect("opens"), AccountOutcome::Existing(made));
    assert!(ledger.player_exists(&first.id).await.expect("reads"));
    assert!(!ledger.player_exists(&again.id).await.expect("reads"));
    let profile = ledger.profile(&first.id, &board()).await.expect("reads").expect("exists");
    assert_eq!((profile.player.coins, profile.player.created_at), (1000, first.at));
    assert_eq!((profile.best_score, profile.items.len()), (None, 0));
    let entries = ledger.ledger(&first.id, None, 10).await.expect("reads");
    assert_eq!((entries[0].reason.as_str(), entries[0].reference.as_str()), ("signup", first.id.as_str()));
    assert_eq!(ledger.outbox_backlog().await.expect("reads"), (1, Some(first.at)));
    let poor = account(0);
    ledger.open_account(&poor).await.expect("opens");
    assert_eq!(ledger_sum(&*ledger.store, &poor.id).await, (0, 0), "no coins, no entry");
}

async fn a_device_opened_from_many_sides_has_one_account(backend: Backend) {
    let ledger = backend.ledger().await;
    let device = id();
    let open = |_| {
        let (ledger, mut account) = (ledger.store.clone(), account(1000));
        account.device_id.clone_from(&device);
        tokio::spawn(async move { ledger.open_account(&account).await.expect("opens") })
    };
    let mut players = Vec::new();
    let mut created = 0;
    for outcome in join_all((0..16).map(open)).await {
        match outcome.expect("no panic") {
            AccountOutcome::Created(account) => {
                created += 1;
                players.push(account.player);
            }
            AccountOutcome::Existing(account) => players.push(account.player),
        }
    }
    players.dedup();
    assert_eq!((created, players.len()), (1, 1));
    assert_eq!(ledger_sum(&*ledger.store, &players[0]).await, (1000, 1));
}

async fn an_unknown_player_has_no_profile(backend: Backend) {
    let ledger = backend.ledger().await;
    let nobody = player_id("nobody");
    assert_eq!(ledger.profile(&nobody, &board()).await.expect("reads"), None);
    assert!(!ledger.player_exists(&nobody).await.expect("reads"));
    assert_eq!(ledger.ledger(&nobody, None, 10).await.expect("reads"), []);
}

async fn a_session_is_kept_renewed_and_removed(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 0).await;
    let first = session(&who, &id(), at(100));
    ledger.insert_session(&first).await.expect("keeps");
    assert_eq!(ledger.session(&first.id).await.expect("reads"), Some(first.clone()));
    assert!(ledger.rotate_session(&first.id, &[1; 32], &[2; 32], at(5), at(200)).await.expect("renews"));
    let renewed = SessionRow {
        token_hash: vec![2; 32],
        previous_hash: Some(vec![1; 32]),
        rotated_at: at(5),
        expires_at: at(200),
        ..first.clone()
    };
    assert_eq!(ledger.session(&first.id).await.expect("reads"), Some(renewed.clone()));
    assert!(!ledger.rotate_session(&first.id, &[1; 32], &[3; 32], at(6), at(300)).await.expect("answers"), "replayed");
    assert_eq!(ledger.session(&first.id).await.expect("reads"), Some(renewed));
    assert!(!ledger.rotate_session("none", &[1; 32], &[3; 32], at(6), at(300)).await.expect("answers"));
    ledger.delete_session(&first.id).await.expect("removes");
    ledger.delete_session(&first.id).await.expect("removes nothing");
    assert_eq!(ledger.session(&first.id).await.expect("reads"), None);
}

async fn a_token_is_exchanged_once(backend: Backend) {
    let ledger = backend.ledger().await;
    let who = player(&*ledger.store, 0).await;
    let row = session(&who, &id(), at(100));
    ledger.insert_session(&row).await.expect("keeps");
    let rotate = |n: u8| {
        let (ledger, id) = (ledger.store.clone(), row.id.clone());
        tokio::spawn(async move {
            ledger.rotate_session(&id, &[1; 32], &[10 + n; 32], at(5), at(200)).await.expect("answers")
        })
    };
    let outcomes: Vec<_> = join_all((0..12).map(rotate)).await.into_iter().map(|o| o.expect("no panic")).collect();
    assert_eq!(outcomes.iter().filter(|done| **done).count(), 1);
}

async fn a_write_is_checked_and_leaves_nothing(backend: Backend) {
    let ledger = backend.ledger().await;
    ledger.check_write().await.expect("takes writes");
    ledger.check_write().await.expect("takes them again");
    assert_eq!(ledger.outbox_backlog().await.expect("reads"), (0, None));
    assert_eq!(ledger.purge(at(1_000_000), at(1_000_000), 10).await.expect("purges"), 0);
}
