//! The load: an operation starts at its time, whatever became of those before it, so an outage shows in full.
//!
//! Each is repeated with its own key until it is acknowledged, as a game does, or until it is given up. How long it took is
//! measured from when it was due.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::Options;
use super::client::{Answer, Api, Pauses, Request};
use super::players::{Crew, Game, Player};
use crate::engine::events::Event;
use crate::engine::session::Session;

/// How far from everybody's the scores of test players begin.
const FAR: i64 = 1_000_000_000;
/// Between two notes on how it goes.
const NEWS: Duration = Duration::from_secs(5);
/// After so many seconds without a failure it is calm.
const CALM: f64 = 2.0;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Purchase,
    Score,
    Rank,
}

impl Kind {
    pub fn writes(self) -> bool {
        self != Self::Rank
    }
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// The answer that it was acknowledged with.
    Acknowledged(Value),
    /// Nobody knows.
    GaveUp,
    /// It was answered that it cannot be.
    Refused(u16),
}

/// An operation that has ended. Times are seconds from the first operation.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub number: u64,
    pub kind: Kind,
    pub player: usize,
    pub due: f64,
    pub ended: f64,
    pub attempts: u32,
    pub outcome: Outcome,
}

impl Record {
    pub fn acknowledged(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Acknowledged(answer) => Some(answer),
            _ => None,
        }
    }

    pub fn latency(&self) -> f64 {
        self.ended - self.due
    }
}

/// All that was played.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// In the order of their numbers.
    pub records: Vec<Record>,
    /// When attempts failed.
    pub failures: Vec<f64>,
    /// Until the last operation was due.
    pub seconds: f64,
    /// By how much the load itself was late at worst, in seconds.
    pub late: f64,
}

/// What all operations share.
struct Stage {
    api: Api,
    drill: String,
    players: Arc<Vec<Player>>,
    game: Game,
    began: Instant,
    patience: Duration,
    stop: watch::Receiver<bool>,
    failures: Mutex<Vec<f64>>,
    acknowledged: AtomicU64,
    waiting: AtomicU64,
    /// Milliseconds from the beginning.
    last_write: AtomicU64,
    last_read: AtomicU64,
}

/// A load that is being played.
pub(super) struct Load {
    stage: Arc<Stage>,
    started_at: Timestamp,
    rate: f64,
    playing: JoinHandle<Played>,
}

/// The operation of this number: a purchase, a score, a rank, and then the next player's.
pub(super) fn role(number: u64, players: usize) -> (Kind, usize) {
    let kind = [Kind::Purchase, Kind::Score, Kind::Rank][(number % 3) as usize];
    (kind, usize::try_from(number / 3).unwrap_or(usize::MAX) % players)
}

/// The score of an operation: each better than the one before, and all so far behind that no player is displaced.
pub(super) fn score(number: u64, game: &Game) -> i64 {
    let descending = (-FAR).saturating_add_unsigned(number);
    if game.ascending { -descending } else { descending }
}

/// The request of an operation; the same each time that it is sent.
pub(super) fn request(kind: Kind, number: u64, drill: &str, player: &Player, game: &Game) -> Request {
    match kind {
        Kind::Purchase => {
            let item = &game.item;
            let mut body = json!({"item_id": item.id, "expected_price": item.price});
            if let Some(slot) = item.slot {
                body["slot"] = slot.into();
            }
            Request::post(player.path("/items"), body).key(format!("{drill}-{number}"))
        }
        Kind::Score => {
            let score = score(number, game);
            Request::post(player.path("/scores"), json!({"score": score, "run_id": format!("{drill}-{number}")}))
        }
        Kind::Rank => Request::get(player.path("/rank")),
    }
}

impl Load {
    /// Begins to play; no operation begins after `halt`.
    pub fn start(crew: &Crew, options: &Options, halt: watch::Receiver<bool>, stop: watch::Receiver<bool>) -> Self {
        let stage = Arc::new(Stage {
            api: crew.api.clone(),
            drill: crew.drill.clone(),
            players: crew.players.clone(),
            game: crew.game.clone(),
            began: Instant::now(),
            patience: options.patience,
            stop,
            failures: Mutex::default(),
            acknowledged: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            last_write: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
        });
        let playing = tokio::spawn(play(stage.clone(), options.rate, halt));
        Self { stage, started_at: Timestamp::now(), rate: options.rate, playing }
    }

    /// When the first operation was due.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Seconds from the first operation.
    pub fn elapsed(&self) -> f64 {
        self.stage.elapsed()
    }

    /// Goes on so long, or until the run is to stop: then `false`.
    pub async fn play_for(&self, session: &Session, time: Duration) -> bool {
        self.play_while(session, time, || true).await
    }

    /// Goes on until purchases, scores and ranks have been answered for a while, but at most so long.
    pub async fn play_until_calm(&self, session: &Session, most: Duration) {
        self.play_while(session, most, || !self.is_calm()).await;
    }

    async fn play_while(&self, session: &Session, most: Duration, go_on: impl Fn() -> bool) -> bool {
        let until = Instant::now() + most;
        let mut stop = session.stop.clone();
        let mut news = Instant::now() + NEWS;
        while Instant::now() < until && go_on() {
            if *stop.borrow_and_update() {
                return false;
            }
            let next = until.min(news).min(Instant::now() + Duration::from_millis(250));
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                _ = stop.changed() => {}
            }
            if Instant::now() >= news {
                news += NEWS;
                self.tell(session);
            }
        }
        !session.stopped()
    }

    /// How it goes, for people.
    pub fn tell(&self, session: &Session) {
        let stage = &self.stage;
        let (done, waiting) = (stage.acknowledged.load(Ordering::Relaxed), stage.waiting.load(Ordering::Relaxed));
        let failed = stage.failures.lock().unwrap_or_else(PoisonError::into_inner).len();
        let seconds = self.elapsed();
        let text = format!("  {seconds:>5.0} s  {done} answered, {waiting} waiting, {failed} failed attempts");
        (session.listener)(Event::Note { text });
    }

    /// Whether nothing has failed for a while, and everything is answered.
    fn is_calm(&self) -> bool {
        let stage = &self.stage;
        let now = self.elapsed();
        let quiet = CALM.max(9.0 / self.rate);
        let last = |at: &AtomicU64| at.load(Ordering::Relaxed) as f64 / 1000.0;
        let failed = stage.failures.lock().unwrap_or_else(PoisonError::into_inner).last().copied().unwrap_or(0.0);
        let answered = |at: &AtomicU64| now - last(at) < quiet;
        now - failed > quiet && answered(&stage.last_write) && answered(&stage.last_read)
    }

    /// What was played, when every operation has ended.
    pub async fn end(self) -> Played {
        let mut played = self.playing.await.unwrap_or_default();
        played.records.sort_by_key(|record| record.number);
        played.failures = std::mem::take(&mut *self.stage.failures.lock().unwrap_or_else(PoisonError::into_inner));
        played
    }
}

/// Waits until it is told to stop.
async fn told(watch: &mut watch::Receiver<bool>) {
    let _ = watch.wait_for(|told| *told).await;
}

/// Starts each operation when it is due, and collects what they came to.
async fn play(stage: Arc<Stage>, rate: f64, mut halt: watch::Receiver<bool>) -> Played {
    let mut played = Played::default();
    let mut operations = JoinSet::new();
    for number in 0_u64.. {
        let due = number as f64 / rate;
        let at = stage.began + Duration::from_secs_f64(due);
        loop {
            tokio::select! {
                biased;
                () = told(&mut halt) => {}
                () = tokio::time::sleep_until(at) => break,
                Some(Ok(record)) = operations.join_next() => {
                    played.records.push(record);
                    continue;
                }
            }
            while let Some(ended) = operations.join_next().await {
                played.records.extend(ended);
            }
            return played;
        }
        played.seconds = due;
        played.late = played.late.max(stage.elapsed() - due);
        operations.spawn(operate(stage.clone(), number, due));
    }
    played
}

async fn operate(stage: Arc<Stage>, number: u64, due: f64) -> Record {
    let (kind, index) = role(number, stage.players.len());
    let player = &stage.players[index];
    let request = request(kind, number, &stage.drill, player, &stage.game);
    stage.waiting.fetch_add(1, Ordering::Relaxed);
    let mut attempts = 0;
    let outcome = stage.repeat(&request, player, due, &mut attempts).await;
    stage.waiting.fetch_sub(1, Ordering::Relaxed);
    let ended = stage.elapsed();
    if matches!(outcome, Outcome::Acknowledged(_)) {
        stage.acknowledged.fetch_add(1, Ordering::Relaxed);
        let last = if kind.writes() { &stage.last_write } else { &stage.last_read };
        last.fetch_max((ended * 1000.0) as u64, Ordering::Relaxed);
    }
    Record { number, kind, player: index, due, ended, attempts, outcome }
}

impl Stage {
    fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    async fn repeat(&self, request: &Request, player: &Player, due: f64, attempts: &mut u32) -> Outcome {
        let mut pauses = Pauses::default();
        let mut stop = self.stop.clone();
        loop {
            *attempts += 1;
            let after = match self.api.attempt(request, Some(&player.token())).await {
                Ok(Answer::Done(value)) => return Outcome::Acknowledged(value),
                Ok(Answer::Refused { status, .. }) => return Outcome::Refused(status),
                Ok(Answer::Again { after, .. }) => after,
                Ok(Answer::Unauthorized) => match player.sign_in(&self.api).await {
                    Ok(()) => Some(Duration::ZERO),
                    Err(_) => None,
                },
                Err(_) => return Outcome::Refused(0),
            };
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(self.elapsed());
            let pause = pauses.next(after);
            if *stop.borrow() || self.elapsed() - due + pause.as_secs_f64() > self.patience.as_secs_f64() {
                return Outcome::GaveUp;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told(&mut stop) => return Outcome::GaveUp,
            }
        }
    }
}
