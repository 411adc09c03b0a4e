//! Coins that the operator gives and takes, and the ledger.

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{DomainError, Game, error::Checks, event, keys::same};
use crate::store::{Grant, GrantOutcome, GrantRow, LedgerEntry, PlayerId};

/// Entries in one answer.
pub const MAX_PAGE: u32 = 200;

#[derive(Serialize)]
struct Payload<'a> {
    coins: i64,
    reason: &'a str,
}

/// Which way the coins go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the player.
    Grant,
    /// From the player; what it does not have is owed.
    Revocation,
}

/// Gives coins to a player or takes them back, once for each key.
///
/// # Errors
/// When the player is unknown, the balance (or what is owed) would be too high, or the key was used for something else.
pub async fn adjust(
    game: &Game,
    player: &PlayerId,
    key: &str,
    direction: Direction,
    coins: i64,
    reason: &str,
) -> Result<GrantRow, DomainError> {
    let mut checks = Checks::default();
    let most = game.rules.max_balance;
    checks.require((1..=most).contains(&coins), "coins", format!("must be 1 to {most}"));
    let length = reason.chars().count();
    checks.require((1..=200).contains(&length), "reason", "must be 1 to 200 characters");
    checks.finish()?;
    let now = game.world.now();
    let grant_id = game.world.ulid();
    let (name, properties) = match direction {
        Direction::Grant => ("grant", json!({ "grant_id": grant_id, "coins": coins, "reason": reason })),
        Direction::Revocation => ("revocation", json!({ "revocation_id": grant_id, "coins": coins, "reason": reason })),
    };
    let coins = if direction == Direction::Grant { coins } else { -coins };
    let payload_hash = Sha256::digest(serde_json::to_vec(&Payload { coins, reason }).expect("plain data")).to_vec();
    let grant = Grant {
        event: event::own(&game.world, player, name, now, properties),
        grant_id,
        player: player.clone(),
        key: key.to_owned(),
        payload_hash,
        coins,
        reason: reason.to_owned(),
        max_balance: most,
        at: now,
    };
    match game.stores.ledger.grant(&grant).await? {
        GrantOutcome::Granted(row) => {
            game.outbox_wake.notify_one();
            Ok(row)
        }
        GrantOutcome::Bound(row) if same(&row.payload_hash, &grant.payload_hash) => Ok(row),
        GrantOutcome::Bound(_) => Err(DomainError::IdempotencyKeyReused),
        GrantOutcome::TooManyCoins { balance } => Err(DomainError::TooManyCoins { balance }),
        GrantOutcome::TooMuchOwed { owed } => Err(DomainError::TooMuchOwed { owed }),
        GrantOutcome::UnknownPlayer => Err(DomainError::UnknownPlayer),
    }
}

/// A page of a player's ledger, newest first, and the cursor for the next.
///
/// # Errors
/// When the player is unknown or the cursor is not of this listing.
pub async fn ledger(
    game: &Game,
    player: &PlayerId,
    limit: u32,
    cursor: Option<&str>,
) -> Result<(Vec<LedgerEntry>, Option<String>), DomainError> {
    let mut checks = Checks::default();
    checks.require((1..=MAX_PAGE).contains(&limit), "limit", format!("must be 1 to {MAX_PAGE}"));
    checks.finish()?;
    let listing = format!("ledger/{player}");
    let before: Option<i64> = cursor.map(|cursor| game.cursors.open(&listing, cursor)).transpose()?;
    let store = &game.stores.ledger;
    let mut entries = store.ledger(player, before, limit + 1).await?;
    if entries.is_empty() && !store.player_exists(player).await? {
        return Err(DomainError::UnknownPlayer);
    }
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|last| game.cursors.seal(&listing, &last.seq));
    Ok((entries, next))
}
