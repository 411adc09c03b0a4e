//! The ledger on SQLite: each operation is in the file of its noun.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    account, coins,
    db::{Db, failed},
    deletions, grants, outbox, receipts, scores, seasons, turns,
};
use crate::store::{
    AccountOutcome, AppStore, BoardKey, Closing, DeleteOutcome, Event, Grant, GrantOutcome, Ledger, LedgerEntry,
    NewAccount, Order, PlayerId, Profile, PurchaseOrder, PurchaseOutcome, PurchaseRow, RankKey, RankedEntry,
    ReceiptOutcome, ReceiptRow, ReceiptWrite, ScoreCursor, ScoreOutcome, ScoreRow, ScoreWrite, SeasonRow, SessionRow,
    SettleOutcome, Settlement, StoreError,
};

/// The ledger in a SQLite file.
#[derive(Debug)]
pub(super) struct SqliteLedger {
    db: Db,
}

impl SqliteLedger {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn check_write(&self) -> Result<(), StoreError> {
        let mut tx = self.db.write("check").await?;
        sqlx::query("INSERT INTO sessions VALUES ('check', 'check', x'', NULL, 0, 0)")
            .execute(&mut *tx)
            .await
            .map_err(failed("check"))?;
        tx.rollback().await.map_err(failed("check"))
    }

    async fn open_account(&self, account: &NewAccount) -> Result<AccountOutcome, StoreError> {
        account::open(&self.db, account).await
    }

    async fn profile(&self, player: &PlayerId, board: &BoardKey) -> Result<Option<Profile>, StoreError> {
        account::profile(&self.db, player, board).await
    }

    async fn player_exists(&self, player: &PlayerId) -> Result<bool, StoreError> {
        account::exists(&self.db, player).await
    }

    async fn delete_player(&self, player: &PlayerId, at: Timestamp) -> Result<DeleteOutcome, StoreError> {
        deletions::delete(&self.db, player, at).await
    }

    async fn recent_deletions(&self, since: Timestamp) -> Result<Vec<PlayerId>, StoreError> {
        deletions::recent(&self.db, since).await
    }

    async fn insert_session(&self, session: &SessionRow) -> Result<(), StoreError> {
        account::insert_session(&self.db, session).await
    }

    async fn session(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        account::session(&self.db, id).await
    }

    async fn rotate_session(
        &self,
        id: &str,
        expected: &[u8],
        token_hash: &[u8],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        account::rotate_session(&self.db, id, expected, token_hash, at, expires_at).await
    }

    async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        account::delete_session(&self.db, id).await
    }

    async fn record_score(&self, write: &ScoreWrite) -> Result<ScoreOutcome, StoreError> {
        scores::record(&self.db, write).await
    }

    async fn score(&self, player: &PlayerId, board: &BoardKey) -> Result<Option<ScoreRow>, StoreError> {
        scores::score(&self.db, player, board).await
    }

    async fn recent_scores(
        &self,
        since: Timestamp,
        after: Option<&ScoreCursor>,
        limit: u32,
    ) -> Result<(Vec<(BoardKey, ScoreRow)>, Option<ScoreCursor>), StoreError> {
        scores::recent(&self.db, since, after, limit).await
    }

    async fn count_ranked(&self, board: &BoardKey, order: Order, up_to: Option<&RankKey>) -> Result<u64, StoreError> {
        scores::count_ranked(&self.db, board, order, up_to).await
    }

    async fn ranked(&self, board: &BoardKey, order: Order, skip: u64, limit: u32) -> Result<Vec<RankKey>, StoreError> {
        scores::ranked(&self.db, board, order, skip, limit).await
    }

    async fn all_scores(
        &self,
        board: &BoardKey,
        after: Option<&PlayerId>,
        limit: u32,
    ) -> Result<Vec<ScoreRow>, StoreError> {
        scores::all(&self.db, board, after, limit).await
    }

    async fn season(&self, key: &BoardKey) -> Result<Option<SeasonRow>, StoreError> {
        seasons::read(&self.db, key).await
    }

    async fn unsettled_seasons(&self) -> Result<Vec<SeasonRow>, StoreError> {
        seasons::unsettled(&self.db).await
    }

    async fn close_season(&self, closing: &Closing) -> Result<(), StoreError> {
        seasons::close(&self.db, closing).await
    }

    async fn settle_season(&self, settlement: &Settlement) -> Result<SettleOutcome, StoreError> {
        seasons::settle(&self.db, settlement).await
    }

    async fn final_page(&self, key: &BoardKey, skip: u64, limit: u32) -> Result<Vec<RankedEntry>, StoreError> {
        seasons::page(&self.db, key, skip, limit).await
    }

    async fn final_lines(&self, key: &BoardKey, players: &[PlayerId]) -> Result<Vec<RankedEntry>, StoreError> {
        seasons::lines(&self.db, key, players).await
    }

    async fn purchase(&self, player: &PlayerId, key: &str) -> Result<Option<PurchaseRow>, StoreError> {
        coins::purchase(&self.db, player, key).await
    }

    async fn buy(&self, order: &PurchaseOrder) -> Result<PurchaseOutcome, StoreError> {
        coins::buy(&self.db, order).await
    }

    async fn grant(&self, grant: &Grant) -> Result<GrantOutcome, StoreError> {
        grants::grant(&self.db, grant).await
    }

    async fn settle_receipt(&self, write: &ReceiptWrite) -> Result<ReceiptOutcome, StoreError> {
        receipts::settle(&self.db, write).await
    }

    async fn claim_acknowledgements(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ReceiptRow>, StoreError> {
        receipts::claim(&self.db, now, until, limit).await
    }

    async fn set_acknowledgement(
        &self,
        store: AppStore,
        transaction_id: &str,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        receipts::set_acknowledgement(&self.db, store, transaction_id, due).await
    }

    async fn ledger(&self, player: &PlayerId, before: Option<i64>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        coins::ledger(&self.db, player, before, limit).await
    }

    async fn append_events(&self, events: &[Event]) -> Result<(), StoreError> {
        outbox::append(&self.db, events).await
    }

    async fn claim_events(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        outbox::claim(&self.db, owner, now, until, limit).await
    }

    async fn complete_events(&self, ids: &[String]) -> Result<(), StoreError> {
        outbox::complete(&self.db, ids).await
    }

    async fn release_events(&self, owner: &str, ids: &[String], due: Timestamp) -> Result<(), StoreError> {
        outbox::release(&self.db, owner, ids, due).await
    }

    async fn outbox_backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        outbox::backlog(&self.db).await
    }

    async fn take_turn(&self, task: &str, now: Timestamp, next: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        turns::take(&self.db, task, now, next).await
    }

    async fn turn_done(&self, task: &str, to: Timestamp) -> Result<(), StoreError> {
        turns::done(&self.db, task, to).await
    }

    async fn purge(&self, runs_before: Timestamp, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.db.write("purge").await?;
        let runs = sqlx::query("DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs WHERE at < ? LIMIT ?)")
            .bind(runs_before.as_microsecond())
            .bind(limit)
            .execute(&mut *tx)
            .await
            .map_err(failed("purge"))?;
        let sessions =
            sqlx::query("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ?)")
                .bind(now.as_microsecond())
                .bind(limit)
                .execute(&mut *tx)
                .await
                .map_err(failed("purge"))?;
        let deletions =
            sqlx::query("DELETE FROM deletions WHERE player IN (SELECT player FROM deletions WHERE at < ? LIMIT ?)")
                .bind(runs_before.as_microsecond())
                .bind(limit)
                .execute(&mut *tx)
                .await
                .map_err(failed("purge"))?;
        tx.commit().await.map_err(failed("purge"))?;
        Ok(runs.rows_affected() + sessions.rows_affected() + deletions.rows_affected())
    }

    async fn close(&self) {
        self.db.close().await;
    }
}
