//! Guest accounts and sessions.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    DomainError, Game,
    error::Checks,
    event,
    keys::{mac, same},
    reconcile,
};
use crate::store::{AccountOutcome, DeleteOutcome, NewAccount, PlayerId, Profile, SessionRow, chain};

/// A token that was exchanged may be exchanged once more this soon: the answer may have been lost on its way.
const REPLAY_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// What a client gets when it is let in.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who it is.
    pub player: PlayerId,
    /// Whether the account is new.
    pub created: bool,
    /// For the Authorization header.
    pub access_token: String,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// For the next session; valid once.
    pub refresh_token: String,
}

fn check_device(device_id: &str, device_secret: &str) -> Result<(), DomainError> {
    let mut checks = Checks::default();
    let printable = device_id.bytes().all(|b| b.is_ascii_graphic());
    checks.require(
        printable && (1..=128).contains(&device_id.len()),
        "device_id",
        "must be 1 to 128 printable ASCII characters without spaces",
    );
    let hex = device_secret.bytes().all(|b| b.is_ascii_hexdigit());
    let least = if hex { 64 } else { 43 };
    checks.require(
        device_secret.bytes().all(|b| b.is_ascii_graphic()) && (least..=512).contains(&device_secret.len()),
        "device_secret",
        "must be at least 32 random bytes in text (43 characters of base64url or 64 of hex), at most 512",
    );
    checks.finish()
}

/// What is kept of a device's secret. The device's id is the key, so that the signing keys can be changed without
/// locking every device out; the secret itself is too long to be guessed.
fn device_mac(device_id: &str, device_secret: &str) -> Vec<u8> {
    mac(format!("device secret of {device_id}").as_bytes(), device_secret.as_bytes()).to_vec()
}

/// Lets a device in, with a new account if it has none.
///
/// # Errors
/// When the secret is not the one the account was opened with.
pub async fn open_session(game: &Game, device_id: &str, device_secret: &str) -> Result<Session, DomainError> {
    check_device(device_id, device_secret)?;
    let now = game.world.now();
    let id = PlayerId::parse(&game.world.ulid()).expect("a ULID is a player id");
    let event = event::own(&game.world, &id, "account_created", now, json!({ "coins": game.rules.start_coins }));
    let device_mac = device_mac(device_id, device_secret);
    let account = NewAccount {
        id,
        device_id: device_id.to_owned(),
        device_mac: device_mac.clone(),
        coins: game.rules.start_coins,
        at: now,
        event,
    };
    let (account, created) = match game.stores.ledger.open_account(&account).await? {
        AccountOutcome::Created(account) => (account, true),
        AccountOutcome::Existing(account) => (account, false),
    };
    if !same(&account.device_mac, &device_mac) {
        return Err(DomainError::WrongDeviceSecret);
    }
    if created {
        game.outbox_wake.notify_one();
    }
    let id = game.world.ulid();
    let refresh_token = game.refresh_tokens.issue(&id, 1);
    let session = SessionRow {
        id,
        player: account.player.clone(),
        token_hash: hash(&refresh_token),
        previous_hash: None,
        rotated_at: now,
        expires_at: refresh_expiry(game, now),
    };
    game.stores.ledger.insert_session(&session).await?;
    Ok(session_of(game, account.player, created, refresh_token, now))
}

/// Exchanges a refresh token for new tokens; asked again soon, it answers the same refresh token. One that comes back
/// later has been copied: its session ends.
///
/// # Errors
/// When the token is not valid any more.
pub async fn refresh_session(game: &Game, token: &str) -> Result<Session, DomainError> {
    let now = game.world.now();
    let (id, place) = game.refresh_tokens.verify(token)?;
    let next_place = place.checked_add(1).ok_or(DomainError::WrongRefreshToken)?;
    let ledger = &game.stores.ledger;
    // The second round is for a concurrent exchange of the same token.
    for _ in 0..2 {
        let row = ledger.session(id).await?.ok_or(DomainError::WrongRefreshToken)?;
        if now >= row.expires_at {
            return Err(DomainError::WrongRefreshToken);
        }
        if same(&row.token_hash, &hash(token)) {
            let next = game.refresh_tokens.issue(id, next_place);
            if ledger.rotate_session(id, &row.token_hash, &hash(&next), now, refresh_expiry(game, now)).await? {
                return Ok(session_of(game, row.player, false, next, now));
            }
            continue;
        }
        let valid = game.refresh_tokens.candidates(id, next_place).find(|next| same(&row.token_hash, &hash(next)));
        return match valid {
            Some(next) if now.duration_since(row.rotated_at) <= REPLAY_GRACE => {
                Ok(session_of(game, row.player, false, next, now))
            }
            _ => {
                ledger.delete_session(id).await?;
                tracing::warn!(player = %row.player, "a refresh token was used again; its session was ended");
                Err(DomainError::WrongRefreshToken)
            }
        };
    }
    Err(DomainError::WrongRefreshToken)
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn refresh_expiry(game: &Game, now: Timestamp) -> Timestamp {
    now.saturating_add(game.rules.refresh_lifetime).unwrap_or(Timestamp::MAX)
}

fn session_of(game: &Game, player: PlayerId, created: bool, refresh_token: String, now: Timestamp) -> Session {
    Session {
        access_token: game.tokens.issue(&player, now),
        expires_in: game.tokens.lifetime().as_secs(),
        player,
        created,
        refresh_token,
    }
}

/// A player with best score and items.
///
/// # Errors
/// When there is no such player.
pub async fn profile(game: &Game, player: &PlayerId) -> Result<Profile, DomainError> {
    let board = game.definition().boards.default_board().key(game.world.now());
    game.stores.ledger.profile(player, &board).await?.ok_or(DomainError::UnknownPlayer)
}

/// Deletes a player for good. What is in the log stays there until its retention is over.
///
/// # Errors
/// When there is no such player, or a season that it played in is just being settled.
pub async fn delete(game: &Game, player: &PlayerId) -> Result<(), DomainError> {
    match game.stores.ledger.delete_player(player, game.world.now()).await? {
        DeleteOutcome::Deleted => {}
        DeleteOutcome::UnknownPlayer => return Err(DomainError::UnknownPlayer),
        DeleteOutcome::SeasonSettling => return Err(DomainError::SeasonSettling),
    }
    tracing::info!(%player, "a player was deleted");
    if let Err(error) = reconcile::remove(game, std::slice::from_ref(player)).await {
        // The reconciler does it as soon as the ranking answers.
        game.doubt_ranking();
        tracing::warn!(error = %chain(&error), "a deleted player could not be taken off the ranking yet");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_fewer_than_32_bytes_are_refused() {
        assert!(check_device("d", &"0f".repeat(31)).is_err());
        assert!(check_device("d", &"0f".repeat(32)).is_ok());
        assert!(check_device("d", &"xZ".repeat(21)).is_err());
        assert!(check_device("d", &format!("{}x", "xZ".repeat(21))).is_ok());
        assert!(check_device("", &"0f".repeat(32)).is_err());
        assert!(check_device("a b", &"0f".repeat(32)).is_err());
    }
}
