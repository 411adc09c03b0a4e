//! The ledger on MySQL (8.4 on RDS; MariaDB stands in for it locally, so the SQL is what both understand).

mod accounts;
mod coins;
mod error;
mod funds;
mod grants;
mod group;
mod migrate;
mod outbox;
mod pool;
mod purchase_plan;
mod purchases;
mod ranked;
mod receipts;
mod rows;
mod score_plan;
mod scores;
mod seasons;
mod turns;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;

use self::group::GroupWriter;
use self::pool::Database;
use crate::store::{
    AccountOutcome, AppStore, BoardKey, Closing, DatabaseSettings, Event, Grant, GrantOutcome, Ledger, LedgerEntry,
    NewAccount, Order, PlayerId, Profile, PurchaseOrder, PurchaseOutcome, PurchaseRow, RankKey, RankedEntry,
    ReceiptOutcome, ReceiptRow, ReceiptWrite, ScoreCursor, ScoreOutcome, ScoreRow, ScoreWrite, SeasonRow, SessionRow,
    SettleOutcome, Settlement, StoreError,
};

/// Transactions at once of each sort of write that is grouped.
const WRITERS: u32 = 2;

/// Runs one attempt of `$work` with shared copies of `$name`s, which every attempt needs anew.
macro_rules! run {
    ($database:expr, $operation:literal, [$($name:ident = $value:expr),*], |$connection:ident| $work:expr) => {{
        $(let $name = Arc::new($value);)*
        $database.run($operation, move |$connection| {
            $(let $name = $name.clone();)*
            Box::pin(async move { $work.await })
        }).await
    }};
}

/// The truth, in MySQL.
pub struct MySqlLedger {
    primary: Database,
    /// Connections of their own: a flood of scores or of reads leaves purchases theirs.
    purchases: Database,
    scores: Database,
    replicas: Vec<Database>,
    next_replica: AtomicUsize,
    purchase_writer: GroupWriter<PurchaseOrder>,
    score_writer: GroupWriter<ScoreWrite>,
    session_writer: GroupWriter<SessionRow>,
}

impl MySqlLedger {
    /// Connects and migrates.
    ///
    /// # Errors
    /// When the database cannot be reached within a minute, or a migration fails.
    pub async fn open(settings: &DatabaseSettings, authorities: Vec<u8>) -> Result<Self, StoreError> {
        let options = pool::connect_options(settings, &settings.host, &authorities);
        migrate::migrate(&options, migrate::MIGRATIONS).await?;
        let general = settings.max_connections.saturating_sub(2 * WRITERS).max(2);
        let pool = |size| Database::new(settings, &settings.host, size, &authorities);
        let (primary, purchases, scores) = (pool(general), pool(WRITERS), pool(WRITERS));
        let replica = |host: &String| Database::new(settings, host, general, &authorities);
        Ok(Self {
            purchase_writer: GroupWriter::start(&purchases, WRITERS),
            score_writer: GroupWriter::start(&scores, WRITERS),
            session_writer: GroupWriter::start(&primary, WRITERS),
            primary,
            purchases,
            scores,
            replicas: settings.read_hosts.iter().map(replica).collect(),
            next_replica: AtomicUsize::new(0),
        })
    }

    /// Replicas in turn.
    fn replica(&self) -> Option<&Database> {
        let count = self.replicas.len();
        (count > 0).then(|| &self.replicas[self.next_replica.fetch_add(1, Ordering::Relaxed) % count])
    }

    /// A replica where there is one: for what may lag.
    fn any(&self) -> &Database {
        self.replica().unwrap_or(&self.primary)
    }

    /// A page of a ledger from a replica, if that holds the entry the page follows: then it holds all before it too.
    async fn page_of_replica(&self, player: &PlayerId, before: i64, limit: u32) -> Option<Vec<LedgerEntry>> {
        let replica = self.replica()?;
        let page = run!(replica, "reading a ledger's page", [player = player.clone()], |c| {
            coins::ledger(c, &player, Some(before.saturating_add(1)), limit.saturating_add(1))
        });
        match page {
            Ok(mut entries) if entries.first().is_some_and(|entry| entry.seq == before) => {
                entries.remove(0);
                Some(entries)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(error = %crate::store::chain(&error), "a replica does not answer");
                None
            }
        }
    }
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
        run!(self.any(), "counting a board", [board = board.clone(), up_to = up_to.cloned()], |c| {
            ranked::count(c, &board, order, Option::as_ref(&up_to))
        })
    }

    async fn ranked(&self, board: &BoardKey, order: Order, skip: u64, limit: u32) -> Result<Vec<RankKey>, StoreError> {
        run!(self.any(), "reading a board by rank", [board = board.clone()], |c| {
            ranked::slice(c, &board, order, skip, limit)
        })
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
        // It does not change any more: what a replica has of it is right, if it has all.
        if let Some(replica) = self.replica() {
            let page = run!(replica, "reading a final board", [key = key.clone()], |c| {
                seasons::page(c, &key, skip, limit)
            });
            if let Ok(entries) = page
                && entries.len() == limit as usize
            {
                return Ok(entries);
            }
        }
        run!(self.primary, "reading a final board", [key = key.clone()], |c| seasons::page(c, &key, skip, limit))
    }

    async fn final_lines(&self, key: &BoardKey, players: &[PlayerId]) -> Result<Vec<RankedEntry>, StoreError> {
        run!(self.primary, "reading final ranks", [key = key.clone(), players = players.to_vec()], |c| {
            seasons::lines(c, &key, &players)
        })
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
        if let Some(before) = before
            && let Some(page) = self.page_of_replica(player, before, limit).await
        {
            return Ok(page);
        }
        run!(self.primary, "reading a ledger", [player = player.clone()], |c| {
            coins::ledger(c, &player, before, limit)
        })
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
        self.scores.close().await;
        self.purchases.close().await;
        self.primary.close().await;
        for replica in &self.replicas {
            replica.close().await;
        }
    }
}
