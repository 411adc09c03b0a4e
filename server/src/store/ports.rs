//! The three ports.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{Timestamp, civil::Date};

use super::{
    AccountOutcome, AppStore, BoardKey, Closing, DeleteOutcome, Event, EventPage, Grant, GrantOutcome, LedgerEntry,
    LogPosition, NewAccount, Order, PlayerId, Profile, PurchaseOrder, PurchaseOutcome, PurchaseRow, RankKey, RankPage,
    RankedEntry, ReceiptOutcome, ReceiptRow, ReceiptWrite, ScoreOutcome, ScoreRow, ScoreWrite, SeasonRow, SessionRow,
    SettleOutcome, Settlement, StoreError, WriteReport, settings::Endpoint,
};

/// The truth: players, sessions, scores, coins, items, and the outbox. Migrated and usable once it is opened.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Writes a row and rolls back: the database can be written to.
    async fn check_write(&self) -> Result<(), StoreError>;

    /// Opens an account for a device, or finds the one it has. Concurrent calls for one device make one account.
    async fn open_account(&self, account: &NewAccount) -> Result<AccountOutcome, StoreError>;
    /// The player, its score on this board and its items, as of the last commit (from the primary).
    async fn profile(&self, player: &PlayerId, board: &BoardKey) -> Result<Option<Profile>, StoreError>;
    /// Whether the player exists.
    async fn player_exists(&self, player: &PlayerId) -> Result<bool, StoreError>;
    /// Removes a player with device, sessions, scores, lines of final boards, items, purchases, ledger, and events that
    /// wait in the outbox: all or nothing. Receipts stay, so that none is worth coins twice. Calling it again is success,
    /// as long as [`Ledger::purge`] leaves the deletion on record.
    async fn delete_player(&self, player: &PlayerId, at: Timestamp) -> Result<DeleteOutcome, StoreError>;
    /// Players deleted at or after `since`: for the reconciler.
    async fn recent_deletions(&self, since: Timestamp) -> Result<Vec<PlayerId>, StoreError>;

    /// Keeps a new session.
    async fn insert_session(&self, session: &SessionRow) -> Result<(), StoreError>;
    /// The session of this id, expired or not. One that was kept while its player was being deleted is as good as none.
    async fn session(&self, id: &str) -> Result<Option<SessionRow>, StoreError>;
    /// Replaces the token if `expected` is still the valid one (which becomes the previous one). False: it was not.
    async fn rotate_session(
        &self,
        id: &str,
        expected: &[u8],
        token_hash: &[u8],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Removes a session; removing none is success.
    async fn delete_session(&self, id: &str) -> Result<(), StoreError>;

    /// Records a run and what it does to the player's standing; one transaction with its event.
    async fn record_score(&self, write: &ScoreWrite) -> Result<ScoreOutcome, StoreError>;
    /// The player's standing on a board.
    async fn score(&self, player: &PlayerId, board: &BoardKey) -> Result<Option<ScoreRow>, StoreError>;
    /// Standings changed at or after `since`, of all boards: for the reconciler. At most `limit`, ordered by change time
    /// and then by (player, board, season); `after` goes on behind the last row of the answer before.
    async fn recent_scores(
        &self,
        since: Timestamp,
        after: Option<&ScoreCursor>,
        limit: u32,
    ) -> Result<(Vec<(BoardKey, ScoreRow)>, Option<ScoreCursor>), StoreError>;
    /// How many standings of a board rank up to this key (which need not be one), or all. For when the ranking is away.
    async fn count_ranked(&self, board: &BoardKey, order: Order, up_to: Option<&RankKey>) -> Result<u64, StoreError>;
    /// Standings in order of rank, behind the first `skip` of them. For when the ranking is away.
    async fn ranked(&self, board: &BoardKey, order: Order, skip: u64, limit: u32) -> Result<Vec<RankKey>, StoreError>;
    /// All standings of a board in the order of player ids, behind `after`: for a rebuild.
    async fn all_scores(
        &self,
        board: &BoardKey,
        after: Option<&PlayerId>,
        limit: u32,
    ) -> Result<Vec<ScoreRow>, StoreError>;

    /// A season that has an end, if a score was recorded in it.
    async fn season(&self, key: &BoardKey) -> Result<Option<SeasonRow>, StoreError>;
    /// The seasons that are not settled yet.
    async fn unsettled_seasons(&self) -> Result<Vec<SeasonRow>, StoreError>;
    /// Closes an open season: waits for the scores that are being recorded in it, and takes no more. Changes nothing
    /// that was closed before.
    async fn close_season(&self, closing: &Closing) -> Result<(), StoreError>;
    /// The next step of settling a closed season, the best players first: their final lines, rewards, ledger entries and
    /// events, all or nothing. Of concurrent calls one does the step.
    async fn settle_season(&self, settlement: &Settlement) -> Result<SettleOutcome, StoreError>;
    /// The final lines of a settled season, behind the first `skip`.
    async fn final_page(&self, key: &BoardKey, skip: u64, limit: u32) -> Result<Vec<RankedEntry>, StoreError>;
    /// The final lines of these players in a settled season, in order of rank.
    async fn final_lines(&self, key: &BoardKey, players: &[PlayerId]) -> Result<Vec<RankedEntry>, StoreError>;

    /// The purchase that this key is bound to.
    async fn purchase(&self, player: &PlayerId, key: &str) -> Result<Option<PurchaseRow>, StoreError>;
    /// Debits, gives the item, writes ledger, purchase and event: all or nothing.
    async fn buy(&self, order: &PurchaseOrder) -> Result<PurchaseOutcome, StoreError>;
    /// Credits or takes back, writes ledger, grant and event: all or nothing.
    async fn grant(&self, grant: &Grant) -> Result<GrantOutcome, StoreError>;
    /// Acts on what an app store says of a transaction: moves coins, writes ledger, receipt and event, all or nothing.
    /// Concurrent calls for one transaction grant it once, to one player.
    async fn settle_receipt(&self, write: &ReceiptWrite) -> Result<ReceiptOutcome, StoreError>;
    /// Up to `limit` receipts whose store is to be told, since `now` or before, that the coins were given; nobody else
    /// gets them before `until`.
    async fn claim_acknowledgements(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ReceiptRow>, StoreError>;
    /// When a receipt's store is to be told; unset: it has been, or will never be.
    async fn set_acknowledgement(
        &self,
        store: AppStore,
        transaction_id: &str,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError>;
    /// A player's ledger, newest first, with `seq` below `before`.
    async fn ledger(&self, player: &PlayerId, before: Option<i64>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError>;

    /// Puts events into the outbox. An event whose id is there already is skipped.
    async fn append_events(&self, events: &[Event]) -> Result<(), StoreError>;
    /// Leases up to `limit` events, the oldest first, that are due and whose lease is free or over: nobody else gets
    /// them before `until`. Two callers never get the same event at once.
    async fn claim_events(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;
    /// Removes delivered events, whoever leases them.
    async fn complete_events(&self, ids: &[String]) -> Result<(), StoreError>;
    /// Gives events that this owner leases back; they are not due before `due`.
    async fn release_events(&self, owner: &str, ids: &[String], due: Timestamp) -> Result<(), StoreError>;
    /// How many events wait, up to [`MOST_COUNTED`], and since when the oldest does.
    async fn outbox_backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError>;

    /// Takes a task's turn if it is due, for one caller of many, and puts the next one off until `next`. Answers how far
    /// the task had come. Unset: it is not due.
    async fn take_turn(&self, task: &str, now: Timestamp, next: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// Notes how far a task has come.
    async fn turn_done(&self, task: &str, to: Timestamp) -> Result<(), StoreError>;

    /// Removes runs recorded and records of deletions made before `runs_before`, and sessions that expired before `now`,
    /// at most `limit` of each.
    /// Answers how many rows went.
    async fn purge(&self, runs_before: Timestamp, now: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Closes the connections after what is in flight.
    async fn close(&self);
}

/// Events of the outbox that are counted at most.
pub const MOST_COUNTED: u32 = 100_000;

/// Where a listing of recent standings goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreCursor {
    /// The change time of the last row.
    pub changed_at: Timestamp,
    /// Its player.
    pub player: PlayerId,
    /// Its board.
    pub board: BoardKey,
}

/// Ranks, in real time. Holds nothing that the ledger does not hold.
#[async_trait]
pub trait Ranking: Send + Sync {
    /// Takes standings, each only if its version is higher than the one held for that player.
    async fn apply(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError>;
    /// [`Ranking::apply`] of one row, and the rank the player has then with the board's total.
    async fn apply_one(&self, board: &BoardKey, order: Order, row: &ScoreRow)
    -> Result<(RankedEntry, u64), StoreError>;
    /// The player's line and the board's total. Unset: not on the board.
    async fn rank(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
    ) -> Result<Option<(RankedEntry, u64)>, StoreError>;
    /// The lines behind `after` (the key need not be on the board any more), from rank 1 if unset.
    async fn page(
        &self,
        board: &BoardKey,
        order: Order,
        after: Option<&RankKey>,
        limit: u32,
    ) -> Result<RankPage, StoreError>;
    /// Up to `radius` lines above and below the player's, and it. Unset: not on the board.
    async fn around(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
        radius: u32,
    ) -> Result<Option<RankPage>, StoreError>;
    /// The lines of these players, in order of rank; who is not on the board is left out.
    async fn among(&self, board: &BoardKey, order: Order, players: &[PlayerId]) -> Result<RankPage, StoreError>;
    /// Takes players off the board, whatever its order, and off the build beside it. Who is not on it is left out.
    async fn remove(&self, board: &BoardKey, players: &[PlayerId]) -> Result<(), StoreError>;
    /// Whether a build in this order was finished since it was last empty: false after a loss of data, or a change of order.
    async fn is_built(&self, board: &BoardKey, order: Order) -> Result<bool, StoreError>;
    /// Begins to build a board anew beside the one there is; from here on [`Ranking::apply`] reaches both. What this
    /// owner had begun before is dropped. False: another is building it.
    async fn begin_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError>;
    /// Takes standings into the build, as [`Ranking::apply`] does.
    async fn build(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError>;
    /// Puts the build in the board's place, at once, if it is whole and still this owner's. False: it is not. What there
    /// was in the other order goes: nobody keeps it true any more, should the order change back.
    async fn finish_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError>;
    /// Whether this process shall keep the ranking for all that share it: one `owner` at a time, until it has not asked
    /// for this long.
    async fn lead(&self, owner: &str, at_most: Duration) -> Result<bool, StoreError>;
    /// Drops a board that is not asked for any more, whatever its order.
    async fn forget(&self, board: &BoardKey) -> Result<(), StoreError>;
    /// Reaches the ranking.
    async fn check(&self) -> Result<(), StoreError>;
    /// Closes the connections.
    async fn close(&self) {}
}

/// The log for marketing: append only, keyed by day, shard, player and event id.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Writes events; any number of them. Writing one again changes nothing.
    /// An error means that nothing is known of the whole batch.
    async fn write(&self, events: &[Event]) -> Result<WriteReport, StoreError>;
    /// A player's events of a UTC day behind `after` (a sort key).
    async fn of_player(
        &self,
        day: Date,
        player: &PlayerId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<EventPage, StoreError>;
    /// All events of a UTC day, shard by shard. A page may be empty though more follow.
    async fn of_day(&self, day: Date, after: Option<&LogPosition>, limit: u32) -> Result<EventPage, StoreError>;
    /// Reaches the log.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Tells which replicas the database has; they come and go while servers run.
#[async_trait]
pub trait ReplicaSource: Send + Sync {
    /// Those that there are now, fit to be read from or not.
    async fn replicas(&self) -> Result<Vec<Endpoint>, StoreError>;
}

/// The three together.
#[derive(Clone)]
pub struct Stores {
    /// The truth.
    pub ledger: Arc<dyn Ledger>,
    /// The ranks.
    pub ranking: Arc<dyn Ranking>,
    /// The log.
    pub events: Arc<dyn EventLog>,
}
