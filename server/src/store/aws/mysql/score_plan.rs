//! What a batch of scores comes to. No SQL.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::rows::stored;
use crate::store::{PlayerId, RankKey, ScoreOutcome, ScoreResult, ScoreRow, ScoreWrite};

/// What a player has on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub score: i64,
    pub achieved_at: Timestamp,
    pub version: i64,
}

impl Standing {
    fn row(self, player: &PlayerId) -> ScoreRow {
        let key = RankKey { score: self.score, achieved_at: self.achieved_at, player: player.clone() };
        ScoreRow { key, version: self.version }
    }
}

/// The players that exist, each with what it has on the board.
pub(super) type Standings = HashMap<PlayerId, Option<Standing>>;

/// The runs recorded before, each with its payload and its answer.
pub(super) type Recorded = HashMap<(PlayerId, String), (Vec<u8>, ScoreResult)>;

/// What each write comes to.
pub(super) struct Plan {
    steps: Vec<Step>,
    /// The new runs: which write, and what it led to.
    pub fresh: Vec<(usize, ScoreResult)>,
    standings: Standings,
    /// When standings changed, in the order of the players' ids.
    changed: BTreeMap<PlayerId, Timestamp>,
}

enum Step {
    Recorded(PlayerId, ScoreResult),
    Repeated(PlayerId, ScoreResult),
    Conflict,
    Unknown,
    Over,
}

impl Plan {
    /// Applies the writes one after the other; where the season is not `open`, only repeats are answered.
    pub fn new(writes: &[ScoreWrite], standings: Standings, before: &Recorded, open: bool) -> Self {
        let mut plan =
            Self { steps: Vec::with_capacity(writes.len()), fresh: Vec::new(), standings, changed: BTreeMap::new() };
        let mut now = Recorded::new();
        for (index, write) in writes.iter().enumerate() {
            let run = (write.player.clone(), write.run_id.clone());
            let step = match before.get(&run).or_else(|| now.get(&run)) {
                _ if !plan.standings.contains_key(&write.player) => Step::Unknown,
                Some((hash, _)) if *hash != write.payload_hash => Step::Conflict,
                Some((_, result)) => Step::Repeated(run.0, result.clone()),
                None if !open || write.is_late() => Step::Over,
                None => {
                    let result = plan.advance(write);
                    plan.fresh.push((index, result.clone()));
                    now.insert(run, (write.payload_hash.clone(), result.clone()));
                    Step::Recorded(write.player.clone(), result)
                }
            };
            plan.steps.push(step);
        }
        plan
    }

    fn advance(&mut self, write: &ScoreWrite) -> ScoreResult {
        let slot = self.standings.entry(write.player.clone()).or_default();
        let at = stored(write.at);
        let next = (write.advance)(slot.map(|s| (s.score, s.achieved_at)), write.score, at);
        let previous_best = slot.map(|s| s.score);
        let improved = next.is_some() || slot.is_none();
        // The first score always stands, whatever the rule.
        let (score, achieved_at) = match (next, *slot) {
            (Some((score, reached)), _) => (score, stored(reached)),
            (None, Some(standing)) => (standing.score, standing.achieved_at),
            (None, None) => (write.score, at),
        };
        if improved {
            let version = slot.map_or(0, |s| s.version) + 1;
            *slot = Some(Standing { score, achieved_at, version });
            self.changed.insert(write.player.clone(), at);
        }
        ScoreResult { previous_best, best: score, improved, achieved_at, season: write.board.season.clone() }
    }

    /// The rows to write: player, what stands, since when.
    pub fn changes(&self) -> Vec<(&PlayerId, Standing, Timestamp)> {
        let row = |(player, at): (&'_ PlayerId, &Timestamp)| {
            self.standings.get(player).copied().flatten().map(|standing| (standing, *at))
        };
        self.changed.iter().filter_map(|entry| row(entry).map(|(standing, at)| (entry.0, standing, at))).collect()
    }

    /// The answers, in the order of the writes. Every row is the player's standing after the whole batch.
    pub fn outcomes(&self) -> Vec<ScoreOutcome> {
        self.steps
            .iter()
            .map(|step| {
                let (player, result) = match step {
                    Step::Unknown => return ScoreOutcome::UnknownPlayer,
                    Step::Conflict => return ScoreOutcome::RunConflict,
                    Step::Over => return ScoreOutcome::SeasonOver,
                    Step::Recorded(player, result) | Step::Repeated(player, result) => (player, result.clone()),
                };
                // A run of another season still has its answer: what it led to.
                let standing = self.standings.get(player).copied().flatten().unwrap_or(Standing {
                    score: result.best,
                    achieved_at: result.achieved_at,
                    version: 0,
                });
                let row = standing.row(player);
                match step {
                    Step::Recorded(..) => ScoreOutcome::Recorded { result, row },
                    _ => ScoreOutcome::Repeated { result, row },
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BoardKey, Event};

    fn player(id: &str) -> PlayerId {
        PlayerId::parse(id).expect("an id")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn best(now: Option<(i64, Timestamp)>, score: i64, reached: Timestamp) -> Option<(i64, Timestamp)> {
        now.is_none_or(|(best, _)| score > best).then_some((score, reached))
    }

    fn write(id: &str, score: i64, run: &str, second: i64) -> ScoreWrite {
        let event = Event {
            id: run.to_owned(),
            player: player(id),
            name: "score".to_owned(),
            at: at(second),
            properties: serde_json::json!({}),
        };
        ScoreWrite {
            player: player(id),
            board: BoardKey { board: "b".to_owned(), season: "s".to_owned() },
            score,
            run_id: run.to_owned(),
            payload_hash: score.to_be_bytes().to_vec(),
            at: at(second),
            ends_at: None,
            advance: best,
            event,
        }
    }

    #[test]
    fn runs_of_one_player_in_a_batch_follow_each_other() {
        let writes =
            [write("a", 10, "r1", 1), write("a", 30, "r2", 2), write("a", 20, "r3", 3), write("b", 5, "r4", 4)];
        let plan =
            Plan::new(&writes, HashMap::from([(player("a"), None), (player("b"), None)]), &Recorded::new(), true);
        let results: Vec<_> = plan.fresh.iter().map(|(_, r)| (r.previous_best, r.best, r.improved)).collect();
        assert_eq!(results, [(None, 10, true), (Some(10), 30, true), (Some(30), 30, false), (None, 5, true)]);
        let a = Standing { score: 30, achieved_at: at(2), version: 2 };
        let b = Standing { score: 5, achieved_at: at(4), version: 1 };
        assert_eq!(plan.changes(), [(&player("a"), a, at(2)), (&player("b"), b, at(4))]);
    }

    #[test]
    fn a_repeat_inside_the_batch_changes_nothing() {
        let writes = [write("a", 10, "r", 1), write("a", 10, "r", 2), write("a", 11, "r", 3), write("x", 1, "r", 4)];
        let plan = Plan::new(&writes, HashMap::from([(player("a"), None)]), &Recorded::new(), true);
        let outcomes = plan.outcomes();
        assert!(matches!(&outcomes[0], ScoreOutcome::Recorded { row, .. } if row.version == 1));
        assert!(matches!(&outcomes[1], ScoreOutcome::Repeated { result, .. } if result.best == 10));
        assert_eq!(outcomes[2..], [ScoreOutcome::RunConflict, ScoreOutcome::UnknownPlayer]);
        assert_eq!(plan.fresh.len(), 1);
    }

    #[test]
    fn a_season_that_is_over_answers_repeats_alone() {
        let late = ScoreWrite { ends_at: Some(at(5)), ..write("a", 20, "new", 5) };
        let first = Plan::new(&[write("a", 10, "r", 1)], HashMap::from([(player("a"), None)]), &Recorded::new(), true);
        let known = Recorded::from([(
            (player("a"), "r".to_owned()),
            (vec![0, 0, 0, 0, 0, 0, 0, 10], first.fresh[0].1.clone()),
        )]);
        let writes = [write("a", 10, "r", 6), late.clone()];
        for open in [true, false] {
            let plan = Plan::new(&writes, HashMap::from([(player("a"), None)]), &known, open);
            assert!(matches!(&plan.outcomes()[..], [ScoreOutcome::Repeated { .. }, ScoreOutcome::SeasonOver]));
            assert!(plan.changes().is_empty());
        }
        let punctual = ScoreWrite { at: at(4), ..late };
        let plan = Plan::new(&[punctual], HashMap::from([(player("a"), None)]), &Recorded::new(), false);
        assert_eq!(plan.outcomes(), [ScoreOutcome::SeasonOver], "it was closed before");
    }
}
