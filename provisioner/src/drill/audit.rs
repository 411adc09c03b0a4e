//! What the API has of what it had acknowledged: each purchase once, each score, and sums that are right.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future;
use futures::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::Value;

use super::client::{Api, ApiError, Request};
use super::load::{Kind, Outcome, Played, Record, request};
use super::players::{AT_ONCE, Crew, Game, Player, WITHIN};
use crate::engine::events::chain;

/// Findings that are told in words; all are counted.
const MOST_FINDINGS: usize = 20;
/// The ranking follows the database within seconds.
const RANKED_WITHIN: Duration = Duration::from_secs(20);

/// What the audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Purchases that were acknowledged, those of the audit's own repeats among them.
    pub purchases: u64,
    /// Scores, likewise.
    pub scores: u64,
    /// Writes that nobody knew of when the play ended; sent once more, as a game does when it is opened again, and
    /// acknowledged.
    pub answered_late: u64,
    /// Acknowledged and not there.
    pub lost: u64,
    /// There more than once, or never asked for.
    pub doubled: u64,
    /// Players whose balance is not the sum of their ledger.
    pub wrong_balances: u64,
    /// Players who do not have as many items as they bought.
    pub wrong_items: u64,
    /// Players whose best score is not the one that was acknowledged.
    pub wrong_bests: u64,
    /// Players whose rank shows another score than the database has.
    pub wrong_ranks: u64,
    /// Players that could not be audited, because the API did not answer.
    pub not_audited: u64,
    /// Some of what is wrong, in words.
    pub findings: Vec<String>,
}

impl Audit {
    /// Whether everything is as it was acknowledged.
    pub fn is_clean(&self) -> bool {
        let wrong = self.wrong_balances + self.wrong_items + self.wrong_bests + self.wrong_ranks;
        self.lost + self.doubled + wrong + self.not_audited == 0
    }

    fn add(mut self, other: Self) -> Self {
        self.purchases += other.purchases;
        self.scores += other.scores;
        self.answered_late += other.answered_late;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.wrong_balances += other.wrong_balances;
        self.wrong_items += other.wrong_items;
        self.wrong_bests += other.wrong_bests;
        self.wrong_ranks += other.wrong_ranks;
        self.not_audited += other.not_audited;
        let room = MOST_FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(other.findings.into_iter().take(room));
        self
    }

    fn find(&mut self, player: &Player, what: impl std::fmt::Display) {
        self.findings.push(format!("{}: {what}", player.user_id()));
    }
}

/// Audits every player.
pub(super) async fn audit(crew: &Crew, played: &Played) -> Audit {
    let mut of_player: Vec<Vec<&Record>> = vec![Vec::new(); crew.players.len()];
    for record in played.records.iter().filter(|record| record.kind.writes()) {
        of_player[record.player].push(record);
    }
    stream::iter(crew.players.iter().zip(of_player))
        .map(|(player, records)| async move {
            let mut audit = Audit::default();
            let one = One { api: &crew.api, drill: &crew.drill, game: &crew.game, player };
            if let Err(error) = one.audit(&records, &mut audit).await {
                audit.not_audited = 1;
                audit.find(player, chain(&error));
            }
            audit
        })
        .buffer_unordered(AT_ONCE)
        .fold(Audit::default(), |all, one| future::ready(all.add(one)))
        .await
}

/// What one player's books say.
#[derive(Debug, Default)]
struct Books {
    coins: i64,
    best: Option<i64>,
    pieces: i64,
    /// Newest first: delta, balance, reason, reference.
    ledger: Vec<(i64, i64, String, String)>,
}

struct One<'a> {
    api: &'a Api,
    drill: &'a str,
    game: &'a Game,
    player: &'a Player,
}

impl One<'_> {
    async fn audit(&self, records: &[&Record], audit: &mut Audit) -> Result<(), ApiError> {
        let late = self.ask_again(records).await?;
        audit.answered_late = late.len() as u64;
        let answers = |kind: Kind| {
            let known =
                records.iter().filter(move |r| r.kind == kind).filter_map(|r| Some((r.number, r.acknowledged()?)));
            let late = late.iter().filter(move |(record, _)| record.kind == kind).map(|(r, answer)| (r.number, answer));
            known.chain(late).collect::<Vec<_>>()
        };
        let (purchases, scores) = (answers(Kind::Purchase), answers(Kind::Score));
        (audit.purchases, audit.scores) = (purchases.len() as u64, scores.len() as u64);
        let books = self.books().await?;
        self.compare_purchases(&purchases, &books, audit);
        for (number, answer) in &scores {
            let again = self.send(Kind::Score, *number).await?;
            if !same_score(answer, &again) {
                audit.lost += 1;
                audit.find(self.player, format!("the score of operation {number} was {answer} and is {again}"));
            }
        }
        self.compare_best(&scores, &books, audit);
        self.compare_rank(&books, audit).await
    }

    async fn send(&self, kind: Kind, number: u64) -> Result<Value, ApiError> {
        let request = request(kind, number, self.drill, self.player, self.game);
        self.read(&request).await
    }

    async fn read(&self, request: &Request) -> Result<Value, ApiError> {
        match self.api.until_done(request, Some(&self.player.token()), WITHIN).await {
            Err(ApiError::Refused { status: 401, .. }) => {
                self.player.sign_in(self.api).await?;
                self.api.until_done(request, Some(&self.player.token()), WITHIN).await
            }
            answer => answer,
        }
    }

    /// What was given up is sent once more, with its own key: afterwards nothing is unknown.
    async fn ask_again<'r>(&self, records: &[&'r Record]) -> Result<Vec<(&'r Record, Value)>, ApiError> {
        let mut late = Vec::new();
        for &record in records.iter().filter(|record| record.outcome == Outcome::GaveUp) {
            match self.send(record.kind, record.number).await {
                Ok(answer) => late.push((record, answer)),
                // It was not done, and never will be.
                Err(ApiError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(late)
    }

    async fn books(&self) -> Result<Books, ApiError> {
        let profile = self.read(&Request::get(self.player.path(""))).await?;
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_i64);
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let items = list(&profile, "items");
        let mut books = Books {
            coins: number(&profile, "coins").unwrap_or_default(),
            best: number(&profile, "best_score"),
            pieces: items
                .iter()
                .filter(|item| text(item, "item_id") == self.game.item.id)
                .filter_map(|item| number(item, "quantity"))
                .sum(),
            ledger: Vec::new(),
        };
        let mut cursor = String::new();
        loop {
            let page = self.read(&Request::get(self.player.path(&format!("/ledger?limit=200{cursor}")))).await?;
            for line in list(&page, "entries") {
                let (delta, balance) = (number(&line, "delta"), number(&line, "balance"));
                let line =
                    (delta.unwrap_or_default(), balance.unwrap_or_default(), text(&line, "reason"), text(&line, "ref"));
                books.ledger.push(line);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(books),
            }
        }
    }

    fn compare_purchases(&self, answers: &[(u64, &Value)], books: &Books, audit: &mut Audit) {
        let mut booked: BTreeMap<&str, u64> = BTreeMap::new();
        let mut pieces = 0;
        for (_, _, reason, reference) in &books.ledger {
            if reason == "purchase" {
                *booked.entry(reference).or_default() += 1;
                pieces += 1;
            }
        }
        let mut open = booked.clone();
        for (number, answer) in answers {
            let id = answer.get("purchase_id").and_then(Value::as_str).unwrap_or_default();
            // An id that two operations were answered with stands for one purchase alone.
            if open.remove(id).is_none() {
                audit.lost += 1;
                audit.find(self.player, format!("the purchase {id} of operation {number} is not in the ledger"));
            }
        }
        let again: u64 = booked.values().map(|count| count - 1).sum();
        let unasked = open.len() as u64;
        if again + unasked > 0 {
            audit.doubled += again + unasked;
            audit.find(self.player, format!("{again} purchases are booked again, {unasked} that nobody asked for"));
        }
        let sum: i64 = books.ledger.iter().map(|line| line.0).sum();
        let newest = books.ledger.first().map_or(0, |line| line.1);
        if sum != books.coins || newest != books.coins {
            audit.wrong_balances += 1;
            audit.find(self.player, format!("{} coins, and a ledger that adds up to {sum}", books.coins));
        }
        if books.pieces != pieces {
            audit.wrong_items += 1;
            audit.find(self.player, format!("{} pieces for {pieces} purchases", books.pieces));
        }
    }

    fn compare_best(&self, answers: &[(u64, &Value)], books: &Books, audit: &mut Audit) {
        let best = |answer: &&Value| answer.get("best").and_then(Value::as_i64);
        let answers = || answers.iter().map(|(_, answer)| *answer);
        let reached = |answer: &&Value| answer.get("achieved_at")?.as_str()?.parse::<jiff::Timestamp>().ok();
        let latest = answers().max_by_key(reached).as_ref().and_then(best);
        // Highest, lowest or latest: which, the board's rule says.
        let expected = [latest, answers().filter_map(|a| best(&a)).max(), answers().filter_map(|a| best(&a)).min()];
        if latest.is_some() && !expected.contains(&books.best) {
            audit.wrong_bests += 1;
            audit.find(self.player, format!("the best score is {:?}, and {latest:?} was acknowledged", books.best));
        }
    }

    async fn compare_rank(&self, books: &Books, audit: &mut Audit) -> Result<(), ApiError> {
        let started = tokio::time::Instant::now();
        loop {
            let rank = match self.read(&Request::get(self.player.path("/rank"))).await {
                // Another season has begun.
                Err(ApiError::Refused { status: 404, .. }) => return Ok(()),
                answer => answer?,
            };
            let shown = rank.get("score").and_then(Value::as_i64);
            if shown == books.best {
                return Ok(());
            }
            if started.elapsed() > RANKED_WITHIN {
                audit.wrong_ranks += 1;
                audit.find(self.player, format!("ranked with {shown:?} instead of {:?}", books.best));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Whether two answers to one run are the same: the rank is of the moment, all else was settled by the first.
fn same_score(first: &Value, again: &Value) -> bool {
    ["best", "previous_best", "improved", "achieved_at", "season", "board"]
        .iter()
        .all(|name| first.get(name) == again.get(name))
}
