//! What the ports carry about seasons.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BoardKey, Event, Funds, Movement, Order, RankedEntry};

/// Coins for the ranks from `first` to `last`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reward {
    /// From 1.
    pub first: u64,
    /// Not below `first`.
    pub last: u64,
    /// At least 1.
    pub coins: i64,
}

/// What a season's end is worth, rank by rank; no rank is in two ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rewards(pub Vec<Reward>);

impl Rewards {
    /// The coins of a rank; 0: none.
    #[must_use]
    pub fn of(&self, rank: u64) -> i64 {
        self.0.iter().find(|reward| (reward.first..=reward.last).contains(&rank)).map_or(0, |reward| reward.coins)
    }
}

/// How far a season has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeasonState {
    /// Scores are recorded in it.
    Open,
    /// No score changes it any more; the final board is being archived and paid.
    Closed,
    /// The final board is archived and paid.
    Settled,
}

impl SeasonState {
    /// As it is stored.
    #[must_use]
    pub fn number(self) -> i8 {
        match self {
            Self::Open => 0,
            Self::Closed => 1,
            Self::Settled => 2,
        }
    }

    /// The reverse of [`SeasonState::number`].
    #[must_use]
    pub fn numbered(number: i8) -> Option<Self> {
        [Self::Open, Self::Closed, Self::Settled].into_iter().find(|state| state.number() == number)
    }
}

/// A season that has an end, from the first score recorded in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeasonRow {
    /// Which board and season.
    pub key: BoardKey,
    /// When it ends, as known at its first score, or when it was closed.
    pub ends_at: Timestamp,
    /// How far it has come.
    pub state: SeasonState,
    /// Players archived so far; all of them when it is settled.
    pub players: u64,
    /// Which score is first, whatever its board says since. Unset: it is not closed.
    pub order: Option<Order>,
}

/// A season to close. What it says is kept and decides how the season is settled.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Which board and season.
    pub key: BoardKey,
    /// When it ended.
    pub ends_at: Timestamp,
    /// Which score is first.
    pub order: Order,
    /// What the ranks are paid.
    pub rewards: Rewards,
}

/// The event of a reward, made from the closed season's key, its end, the player's final line and the coins alone: the
/// same each time. Its id is the ledger entry's ref.
pub type RewardEvent = fn(&BoardKey, Timestamp, &RankedEntry, i64) -> Event;

/// The next step of settling a closed season.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which board and season.
    pub key: BoardKey,
    /// Players in this step.
    pub limit: u32,
    /// No balance rises above this: of a reward that would make it so, only what fits is paid.
    pub max_balance: i64,
    /// Now.
    pub at: Timestamp,
    /// Makes the events.
    pub event: RewardEvent,
}

impl Settlement {
    /// The movements of a reward.
    #[must_use]
    pub fn movements(&self, before: Funds, coins: i64) -> Vec<Movement> {
        let room = self.max_balance.saturating_sub(before.coins).saturating_add(before.owed);
        let coins = coins.min(room);
        if coins <= 0 {
            return Vec::new();
        }
        before.credit(coins, "season_reward", self.max_balance).unwrap_or_default()
    }
}

/// What a step of settling came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleOutcome {
    /// So many players were archived, and so many of them paid; there may be more.
    Step {
        /// Archived.
        players: u64,
        /// Paid.
        paid: u64,
    },
    /// The season is settled (or was never closed).
    Done,
    /// Somebody else is at it just now.
    Elsewhere,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settlement(max_balance: i64) -> Settlement {
        let event = |_: &BoardKey, at: Timestamp, entry: &RankedEntry, _: i64| Event {
            id: "e".to_owned(),
            player: entry.key.player.clone(),
            name: "reward".to_owned(),
            at,
            properties: serde_json::Value::Null,
        };
        let key = BoardKey { board: "b".to_owned(), season: "s".to_owned() };
        Settlement { key, limit: 1, max_balance, at: Timestamp::UNIX_EPOCH, event }
    }

    #[test]
    fn a_rank_has_the_coins_of_its_range() {
        let rewards =
            Rewards(vec![Reward { first: 1, last: 1, coins: 500 }, Reward { first: 2, last: 10, coins: 100 }]);
        assert_eq!([1, 2, 10, 11].map(|rank| rewards.of(rank)), [500, 100, 100, 0]);
        assert_eq!(Rewards::default().of(1), 0);
    }

    #[test]
    fn a_reward_settles_what_is_owed_and_stops_at_the_limit() {
        let delta = |before, max| settlement(max).movements(before, 50).iter().map(|m| m.delta).collect::<Vec<_>>();
        assert_eq!(delta(Funds { coins: 10, owed: 0 }, 100), [50]);
        assert_eq!(delta(Funds { coins: 70, owed: 0 }, 100), [30]);
        assert_eq!(delta(Funds { coins: 100, owed: 0 }, 100), [0; 0]);
        assert_eq!(delta(Funds { coins: 0, owed: 20 }, 100), [50, -20]);
    }
}
