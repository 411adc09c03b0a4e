//! The port, each operation as work on a connection.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryFutureExt as _;
use jiff::Timestamp;

use super::{
    MySqlLedger, accounts, coins, deletions, grants, outbox, purchases, ranked, receipts, scores, seasons, turns,
    upkeep,
};
use crate::store::{
    AccountOutcome, AppStore, BoardKey, Closing, DeleteOutcome, Event, Grant, GrantOutcome, Ledger, LedgerEntry,
    NewAccount, Order, PlayerId, Profile, PurchaseOrder, PurchaseOutcome, PurchaseRow, RankKey, RankedEntry,
    ReceiptOutcome, ReceiptRow, ReceiptWrite, ScoreCursor, ScoreOutcome, ScoreRow, ScoreWrite, SeasonRow, SessionRow,
    SettleOutcome, Settlement, StoreError,
};

/// Runs attempts of `$work` on the primary, with shared copies of `$name`s, which every attempt needs anew.
macro_rules! run {
    ($database:expr, $operation:literal, [$($name:ident = $value:expr),*], |$connection:ident| $work:expr) => {{
        $(let $name = Arc::new($value);)*
        $database.run($operation, move |$connection| {
            $(let $name = $name.clone();)*
            Box::pin(async move { $work.await })
        }).await
    }};
}

/// As `run!` on the primary, unless a replica has the answer: `$of_replica` says so.
macro_rules! read {
    (
        $ledger:expr, $operation:literal, [$($name:ident = $value:expr),*],
        |$connection:ident| $of_replica:expr, |$primary:ident| $work:expr
    ) => {{
        $(let $name = Arc::new($value);)*
        let of_replica = {
            $(let $name = $name.clone();)*
            $ledger.replicas.read($operation, move |$connection| {
                $(let $name = $name.clone();)*
                Box::pin(async move { $of_replica.await })
            }).await
        };
        match of_replica {
            Some(answer) => Ok(answer),
            None => {
                $ledger.primary.run($operation, move |$primary| {
                    $(let $name = $name.clone();)*
                    Box::pin(async move { $work.await })
                }).await
            }
        }
    }};
}

#[async_trait]
impl Ledger for MySqlLedger {
    async fn check_write(&self) -> Result<(), StoreError> {
        run!(self.primary, "a write rolled back", [], |c| upkeep::check_write(c))
    }

    async fn open_account(&self, account: &NewAccount) -> Result<AccountOutcome, StoreError> {
        run!(self.primary, "opening an account", [account = account.clone()], |c| accounts::open(c, &account))
    }

    async fn profile(&self, player: &PlayerId, board: &BoardKey) -> Result<Option<Profile>, StoreError> {
        run!(self.primary, "reading a player", [player = player.clone(), board = board.clone()], |c| {
            accounts::profile(c, &player, &board)
        })
    }

    async fn player_exists(&self, player: &PlayerId) -> Result<bool, StoreError> {
        run!(self.primary, "looking for a player", [player = player.clone()], |c| accounts::exists(c, &player))
    }

    async fn delete_player(&self, player: &PlayerId, at: Timestamp) -> Result<DeleteOutcome, StoreError> {
        run!(self.primary, "deleting a player", [player = player.clone()], |c| deletions::delete(c, &player, at))
    }

    async fn recent_deletions(&self, since: Timestamp) -> Result<Vec<PlayerId>, StoreError> {
        run!(self.primary, "reading recent deletions", [], |c| deletions::recent(c, since))
    }

    async fn insert_session(&self, session: &SessionRow) -> Result<(), StoreError> {
        self.session_writer.record(session).await
    }

    async fn session(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        run!(self.primary, "reading a session", [id = id.to_owned()], |c| accounts::session(c, &id))
    }

    async fn rotate_session(
        &self,
        id: &str,
        expected: &[u8],
        token_hash: &[u8],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let rotation = accounts::Rotation {
            id: id.to_owned(),
            expected: expected.to_vec(),
            token_hash: token_hash.to_vec(),
            at,
            expires_at,
        };
        run!(self.primary, "renewing a session", [rotation = rotation], |c| accounts::rotate(c, &rotation))
    }

    async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        run!(self.primary, "removing a session", [id = id.to_owned()], |c| accounts::delete_session(c, &id))
    }

    async fn record_score(&self, write: &ScoreWrite) -> Result<ScoreOutcome, StoreError> {
        self.score_writer.record(write).await
    }

    async fn score(&self, player: &PlayerId, board: &BoardKey) -> Result<Option<ScoreRow>, StoreError> {
        run!(self.primary, "reading a score", [player = player.clone(), board = board.clone()], |c| {
            scores::score(c, &player, &board)
        })
    }

    async fn recent_scores(
        &self,
        since: Timestamp,
        after: Option<&ScoreCursor>,
        limit: u32,
    ) -> Result<(Vec<(BoardKey, ScoreRow)>, Option<ScoreCursor>), StoreError> {
        run!(self.primary, "reading recent scores", [after = after.cloned()], |c| {
            scores::recent(c, since, Option::as_ref(&after), limit)
        })
    }

    async fn count_ranked(&self, board: &BoardKey, order: Order, up_to: Option<&RankKey>) -> Result<u64, StoreError> {
        // For answers that are marked stale.
        read!(
            self,
            "counting a board",
            [board = board.clone(), up_to = up_to.cloned()],
            |c| ranked::count(c, &board, order, Option::as_ref(&up_to)).map_ok(Some),
            |c| ranked::count(c, &board, order, Option::as_ref(&up_to))
        )
    }

    async fn ranked(&self, board: &BoardKey, order: Order, skip: u64, limit: u32) -> Result<Vec<RankKey>, StoreError> {
        // As above.
        read!(
            self,
            "reading a board by rank",
            [board = board.clone()],
            |c| ranked::slice(c, &board, order, skip, limit).map_ok(Some),
            |c| ranked::slice(c, &board, order, skip, limit)
        )
    }

    async fn all_scores(
        &self,
        board: &BoardKey,
        after: Option<&PlayerId>,
        limit: u32,
    ) -> Result<Vec<ScoreRow>, StoreError> {
        // Not from a replica: what it lags behind by would be missing from the ranking.
        run!(self.primary, "reading a board", [board = board.clone(), after = after.cloned()], |c| {
            scores::all(c, &board, Option::as_ref(&after), limit)
        })
    }

    async fn season(&self, key: &BoardKey) -> Result<Option<SeasonRow>, StoreError> {
        run!(self.primary, "reading a season", [key = key.clone()], |c| seasons::read(c, &key))
    }

    async fn unsettled_seasons(&self) -> Result<Vec<SeasonRow>, StoreError> {
        run!(self.primary, "reading the seasons", [], |c| seasons::unsettled(c))
    }

    async fn close_season(&self, closing: &Closing) -> Result<(), StoreError> {
        run!(self.primary, "closing a season", [closing = closing.clone()], |c| seasons::close(c, &closing))
    }

    async fn settle_season(&self, settlement: &Settlement) -> Result<SettleOutcome, StoreError> {
        run!(self.primary, "settling a season", [settlement = settlement.clone()], |c| seasons::settle(c, &settlement))
    }

    async fn final_page(&self, key: &BoardKey, skip: u64, limit: u32) -> Result<Vec<RankedEntry>, StoreError> {
        // It does not change any more: a replica that knows of the season's end has all of it.
        read!(
            self,
            "reading a final board",
            [key = key.clone()],
            |c| seasons::settled_page(c, &key, skip, limit),
            |c| seasons::page(c, &key, skip, limit)
        )
    }

    async fn final_lines(&self, key: &BoardKey, players: &[PlayerId]) -> Result<Vec<RankedEntry>, StoreError> {
        read!(
            self,
            "reading final ranks",
            [key = key.clone(), players = players.to_vec()],
            |c| seasons::settled_lines(c, &key, &players),
            |c| seasons::lines(c, &key, &players)
        )
    }

    async fn purchase(&self, player: &PlayerId, key: &str) -> Result<Option<PurchaseRow>, StoreError> {
        run!(self.primary, "looking for a purchase", [player = player.clone(), key = key.to_owned()], |c| {
            purchases::purchase(c, &player, &key)
        })
    }

    async fn buy(&self, order: &PurchaseOrder) -> Result<PurchaseOutcome, StoreError> {
        self.purchase_writer.record(order).await
    }

    async fn grant(&self, grant: &Grant) -> Result<GrantOutcome, StoreError> {
        run!(self.primary, "a grant", [grant = grant.clone()], |c| grants::grant(c, &grant))
    }

    async fn settle_receipt(&self, write: &ReceiptWrite) -> Result<ReceiptOutcome, StoreError> {
        run!(self.primary, "settling a receipt", [write = write.clone()], |c| receipts::settle(c, &write))
    }

    async fn claim_acknowledgements(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ReceiptRow>, StoreError> {
        run!(self.primary, "claiming acknowledgements", [], |c| receipts::claim(c, now, until, limit))
    }

    async fn set_acknowledgement(
        &self,
        store: AppStore,
        transaction_id: &str,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        run!(self.primary, "noting an acknowledgement", [id = transaction_id.to_owned()], |c| {
            receipts::set_acknowledgement(c, store, &id, due)
        })
    }

    async fn ledger(&self, player: &PlayerId, before: Option<i64>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        let Some(before) = before else {
            return run!(self.primary, "reading a ledger", [player = player.clone()], |c| {
                coins::ledger(c, &player, None, limit)
            });
        };
        read!(
            self,
            "reading a ledger's page",
            [player = player.clone()],
            |c| coins::page_behind(c, &player, before, limit),
            |c| coins::ledger(c, &player, Some(before), limit)
        )
    }

    async fn append_events(&self, events: &[Event]) -> Result<(), StoreError> {
        run!(self.primary, "keeping events", [events = events.to_vec()], |c| upkeep::append(c, &events))
    }

    async fn claim_events(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let claim = outbox::Claim { owner: owner.to_owned(), now, until, limit };
        run!(self.primary, "claiming events", [claim = claim], |c| outbox::claim(c, &claim))
    }

    async fn complete_events(&self, ids: &[String]) -> Result<(), StoreError> {
        run!(self.primary, "removing delivered events", [ids = ids.to_vec()], |c| outbox::complete(c, &ids))
    }

    async fn release_events(&self, owner: &str, ids: &[String], due: Timestamp) -> Result<(), StoreError> {
        run!(self.primary, "giving events back", [owner = owner.to_owned(), ids = ids.to_vec()], |c| {
            outbox::release(c, &owner, &ids, due)
        })
    }

    async fn outbox_backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        run!(self.primary, "measuring the outbox", [], |c| outbox::backlog(c))
    }

    async fn take_turn(&self, task: &str, now: Timestamp, next: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        run!(self.primary, "taking a turn", [task = task.to_owned()], |c| turns::take(c, &task, now, next))
    }

    async fn turn_done(&self, task: &str, to: Timestamp) -> Result<(), StoreError> {
        run!(self.primary, "ending a turn", [task = task.to_owned()], |c| turns::done(c, &task, to))
    }

    async fn purge(&self, runs_before: Timestamp, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        run!(self.primary, "removing old rows", [], |c| upkeep::purge(c, runs_before, now, limit))
    }

    async fn close(&self) {
        self.watch.abort();
        self.scores.close().await;
        self.purchases.close().await;
        self.primary.close().await;
        self.replicas.close().await;
    }
}
