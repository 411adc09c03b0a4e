//! Players and sessions in SQLite.

use jiff::Timestamp;
use sqlx::Sqlite;

use super::{
    coins,
    db::{Db, column, failed, player as player_in, timestamp},
    outbox,
};
use crate::store::{
    Account, AccountOutcome, BoardKey, Funds, Item, Movement, NewAccount, Player, PlayerId, Profile, SessionRow,
    StoreError,
};

async fn account_of(
    device_id: &str,
    executor: impl sqlx::Executor<'_, Database = Sqlite>,
) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query("SELECT id, device_mac FROM players WHERE device_id = ?")
        .bind(device_id)
        .fetch_optional(executor)
        .await
        .map_err(failed("open_account"))?;
    row.map(|row| Ok(Account { player: player_in(&row, "id")?, device_mac: column(&row, "device_mac")? })).transpose()
}

pub(super) async fn open(db: &Db, account: &NewAccount) -> Result<AccountOutcome, StoreError> {
    const OPERATION: &str = "open_account";
    if let Some(existing) = account_of(&account.device_id, db.readers()).await? {
        return Ok(AccountOutcome::Existing(existing));
    }
    let mut tx = db.write(OPERATION).await?;
    if let Some(existing) = account_of(&account.device_id, &mut *tx).await? {
        return Ok(AccountOutcome::Existing(existing));
    }
    sqlx::query("INSERT INTO players (id, device_id, device_mac, coins, created_at) VALUES (?, ?, ?, ?, ?)")
        .bind(account.id.as_str())
        .bind(&account.device_id)
        .bind(&account.device_mac)
        .bind(account.coins)
        .bind(account.at.as_microsecond())
        .execute(&mut *tx)
        .await
        .map_err(failed(OPERATION))?;
    if account.coins != 0 {
        let after = Funds { coins: account.coins, owed: 0 };
        let movement = Movement { delta: account.coins, after, reason: "signup" };
        let line = coins::Line { player: &account.id, movement, at: account.at, reference: account.id.as_str() };
        line.insert(&mut tx).await?;
    }
    outbox::insert(&mut tx, std::slice::from_ref(&account.event)).await?;
    tx.commit().await.map_err(failed(OPERATION))?;
    Ok(AccountOutcome::Created(Account { player: account.id.clone(), device_mac: account.device_mac.clone() }))
}

pub(super) async fn profile(db: &Db, id: &PlayerId, board: &BoardKey) -> Result<Option<Profile>, StoreError> {
    const OPERATION: &str = "profile";
    let mut tx = db.read(OPERATION).await?;
    let row = sqlx::query(
        "SELECT p.id, p.coins, p.owed, p.created_at, s.score FROM players p \
         LEFT JOIN scores s ON s.player = p.id AND s.board = ? AND s.season = ? WHERE p.id = ?",
    )
    .bind(&board.board)
    .bind(&board.season)
    .bind(id.as_str())
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed(OPERATION))?;
    let Some(row) = row else { return Ok(None) };
    let items = sqlx::query("SELECT item_id, slot, quantity FROM items WHERE player = ? ORDER BY item_id, slot")
        .bind(id.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(OPERATION))?;
    let items = items
        .iter()
        .map(|item| {
            let slot: u8 = column(item, "slot")?;
            Ok(Item {
                item_id: column(item, "item_id")?,
                slot: (slot != 0).then_some(slot),
                quantity: column(item, "quantity")?,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    let player = Player {
        id: player_in(&row, "id")?,
        coins: column(&row, "coins")?,
        owed: column(&row, "owed")?,
        created_at: timestamp(&row, "created_at")?,
    };
    Ok(Some(Profile { player, best_score: column(&row, "score")?, items }))
}

pub(super) async fn exists(db: &Db, id: &PlayerId) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM players WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(db.readers())
        .await
        .map_err(failed("player_exists"))?;
    Ok(found.is_some())
}

pub(super) async fn insert_session(db: &Db, session: &SessionRow) -> Result<(), StoreError> {
    const OPERATION: &str = "insert_session";
    let mut tx = db.write(OPERATION).await?;
    sqlx::query(
        "INSERT INTO sessions (id, player, token_hash, previous_hash, rotated_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&session.id)
    .bind(session.player.as_str())
    .bind(&session.token_hash)
    .bind(&session.previous_hash)
    .bind(session.rotated_at.as_microsecond())
    .bind(session.expires_at.as_microsecond())
    .execute(&mut *tx)
    .await
    .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}

pub(super) async fn session(db: &Db, id: &str) -> Result<Option<SessionRow>, StoreError> {
    let row = sqlx::query("SELECT s.* FROM sessions s JOIN players p ON p.id = s.player WHERE s.id = ?")
        .bind(id)
        .fetch_optional(db.readers())
        .await
        .map_err(failed("session"))?;
    row.map(|row| {
        Ok(SessionRow {
            id: column(&row, "id")?,
            player: player_in(&row, "player")?,
            token_hash: column(&row, "token_hash")?,
            previous_hash: column(&row, "previous_hash")?,
            rotated_at: timestamp(&row, "rotated_at")?,
            expires_at: timestamp(&row, "expires_at")?,
        })
    })
    .transpose()
}

pub(super) async fn rotate_session(
    db: &Db,
    id: &str,
    expected: &[u8],
    token_hash: &[u8],
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    const OPERATION: &str = "rotate_session";
    let mut tx = db.write(OPERATION).await?;
    let changed = sqlx::query(
        "UPDATE sessions SET previous_hash = token_hash, token_hash = ?, rotated_at = ?, expires_at = ? \
         WHERE id = ? AND token_hash = ?",
    )
    .bind(token_hash)
    .bind(at.as_microsecond())
    .bind(expires_at.as_microsecond())
    .bind(id)
    .bind(expected)
    .execute(&mut *tx)
    .await
    .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))?;
    Ok(changed.rows_affected() == 1)
}

pub(super) async fn delete_session(db: &Db, id: &str) -> Result<(), StoreError> {
    const OPERATION: &str = "delete_session";
    let mut tx = db.write(OPERATION).await?;
    sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id).execute(&mut *tx).await.map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}
