//! Players, their devices and sessions.

use futures::future::BoxFuture;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::error::{DbError, is_duplicate};
use super::group::Grouped;
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_player, get_slot, get_time, runs, values};
use super::{coins, outbox};
use crate::store::{
    Account, AccountOutcome, BoardKey, Funds, Item, Movement, NewAccount, Player, PlayerId, Profile, SessionRow,
};

/// Opens an account, or finds the device's.
pub(super) async fn open(connection: &mut MySqlConnection, account: &NewAccount) -> Result<AccountOutcome, DbError> {
    if let Some(existing) = of_device(connection, &account.device_id).await? {
        return Ok(AccountOutcome::Existing(existing));
    }
    begin(connection).await?;
    let inserted =
        sqlx::query("INSERT INTO players (user_id, device_id, device_mac, coins, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(account.id.as_str())
            .bind(account.device_id.as_bytes())
            .bind(&account.device_mac)
            .bind(account.coins)
            .bind(account.at.as_microsecond())
            .execute(&mut *connection)
            .await;
    match inserted {
        Ok(_) => {}
        Err(error) if is_duplicate(&error) => {
            rollback(connection).await?;
            // The device's other call was faster; a duplicate player id stays an error.
            let existing = of_device(connection, &account.device_id).await?.ok_or(error)?;
            return Ok(AccountOutcome::Existing(existing));
        }
        Err(error) => return Err(error.into()),
    }
    if account.coins != 0 {
        let after = Funds { coins: account.coins, owed: 0 };
        let entry = coins::Entry {
            player: &account.id,
            movement: Movement { delta: account.coins, after, reason: "signup" },
            reference: account.id.as_str(),
            at: account.at,
        };
        coins::book(connection, &[entry]).await?;
    }
    outbox::append(connection, &[&account.event]).await?;
    commit(connection).await?;
    Ok(AccountOutcome::Created(Account { player: account.id.clone(), device_mac: account.device_mac.clone() }))
}

async fn of_device(connection: &mut MySqlConnection, device_id: &str) -> Result<Option<Account>, DbError> {
    let row = sqlx::query("SELECT user_id, device_mac FROM players WHERE device_id = ?")
        .bind(device_id.as_bytes())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok(Account { player: get_player(&row, "user_id")?, device_mac: get(&row, "device_mac")? }))
        .transpose()
}

/// Everything of a player in one statement, hence of one instant.
pub(super) async fn profile(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    board: &BoardKey,
) -> Result<Option<Profile>, DbError> {
    let rows = sqlx::query(
        "SELECT p.coins, p.owed, p.created_at, s.score, i.item_id, i.slot, i.quantity FROM players p \
         LEFT JOIN scores s ON s.board = ? AND s.season = ? AND s.user_id = p.user_id \
         LEFT JOIN items i ON i.user_id = p.user_id \
         WHERE p.user_id = ? ORDER BY i.item_id, i.slot",
    )
    .bind(&board.board)
    .bind(&board.season)
    .bind(player.as_str())
    .fetch_all(connection)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut items = Vec::new();
    for row in &rows {
        if let Some(item_id) = get::<Option<String>>(row, "item_id")? {
            items.push(Item { item_id, slot: get_slot(row, "slot")?, quantity: get(row, "quantity")? });
        }
    }
    let owner = Player {
        id: player.clone(),
        coins: get(first, "coins")?,
        owed: get(first, "owed")?,
        created_at: get_time(first, "created_at")?,
    };
    Ok(Some(Profile { player: owner, best_score: get(first, "score")?, items }))
}

/// Whether the player exists.
pub(super) async fn exists(connection: &mut MySqlConnection, player: &PlayerId) -> Result<bool, DbError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM players WHERE user_id = ?")
        .bind(player.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

impl Grouped for SessionRow {
    type Outcome = ();
    type Kind = ();
    const OPERATION: &'static str = "keeping a session";

    fn kind(&self) {}

    fn record<'c>(
        connection: &'c mut MySqlConnection,
        sessions: &'c [Self],
    ) -> BoxFuture<'c, Result<Vec<()>, DbError>> {
        Box::pin(insert_sessions(connection, sessions))
    }
}

/// Keeps sessions. An id is random, so a duplicate is this very insert, repeated after its answer was lost; each
/// statement is a transaction of its own.
async fn insert_sessions(connection: &mut MySqlConnection, sessions: &[SessionRow]) -> Result<Vec<()>, DbError> {
    for run in runs(sessions) {
        let sql = format!(
            "INSERT INTO sessions (session_id, user_id, token_hash, previous_hash, rotated_at, expires_at) VALUES {} \
             ON DUPLICATE KEY UPDATE session_id = VALUES(session_id)",
            values(run.len(), 6)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for session in run {
            query = query
                .bind(&session.id)
                .bind(session.player.as_str())
                .bind(&session.token_hash)
                .bind(&session.previous_hash)
                .bind(session.rotated_at.as_microsecond())
                .bind(session.expires_at.as_microsecond());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(vec![(); sessions.len()])
}

/// The session of this id, unless its player is gone.
pub(super) async fn session(connection: &mut MySqlConnection, id: &str) -> Result<Option<SessionRow>, DbError> {
    let row = sqlx::query(
        "SELECT s.user_id, s.token_hash, s.previous_hash, s.rotated_at, s.expires_at FROM sessions s \
         JOIN players p ON p.user_id = s.user_id WHERE s.session_id = ?",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(SessionRow {
            id: id.to_owned(),
            player: get_player(&row, "user_id")?,
            token_hash: get(&row, "token_hash")?,
            previous_hash: get(&row, "previous_hash")?,
            rotated_at: get_time(&row, "rotated_at")?,
            expires_at: get_time(&row, "expires_at")?,
        })
    })
    .transpose()
}

/// What a token is exchanged for.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub id: String,
    pub expected: Vec<u8>,
    pub token_hash: Vec<u8>,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// Exchanges the token if it is the expected one.
pub(super) async fn rotate(connection: &mut MySqlConnection, rotation: &Rotation) -> Result<bool, DbError> {
    // MySQL assigns from left to right: previous_hash gets the old token.
    let changed = sqlx::query(
        "UPDATE sessions SET previous_hash = token_hash, token_hash = ?, rotated_at = ?, expires_at = ? \
         WHERE session_id = ? AND token_hash = ?",
    )
    .bind(&rotation.token_hash)
    .bind(rotation.at.as_microsecond())
    .bind(rotation.expires_at.as_microsecond())
    .bind(&rotation.id)
    .bind(&rotation.expected)
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() > 0 {
        return Ok(true);
    }
    // An attempt whose answer was lost may have done it: the new token is random, so nobody else wrote it.
    let now = session(connection, &rotation.id).await?;
    Ok(now.is_some_and(|session| session.token_hash == rotation.token_hash))
}

/// Removes a session.
pub(super) async fn delete_session(connection: &mut MySqlConnection, id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM sessions WHERE session_id = ?").bind(id).execute(connection).await?;
    Ok(())
}
