//! Boards, their seasons, and what a new score does on them.

use croner::Cron;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;

use super::DomainError;
use crate::store::{Advance, BoardKey, Order, Rewards};

/// Which of a player's scores counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The best one.
    Best,
    /// The last one.
    Latest,
    /// All of them together.
    Sum,
}

/// When a board's seasons end.
#[derive(Debug, Clone)]
pub enum Seasons {
    /// Never: one season of this name.
    Endless(String),
    /// One season that ends; then the board takes no more scores, until it is given another.
    Until {
        /// The season's name.
        name: String,
        /// When it ends.
        ends: Timestamp,
    },
    /// At each of these moments (UTC) one ends and the next begins. Each is named by its end.
    Cron(Box<Cron>),
}

/// A season of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Season {
    /// As a board's name.
    pub name: String,
    /// The first moment that is not in it; unset: it does not end.
    pub ends: Option<Timestamp>,
}

impl Season {
    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }
}

/// The name of the season that ends then: `2026-11-23t00-00-00z`.
#[must_use]
pub fn named_by_end(ends: Timestamp) -> String {
    ends.strftime("%Y-%m-%dt%H-%M-%Sz").to_string()
}

impl Seasons {
    /// The season at this moment; of a board whose only season has ended, that one.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Season {
        match self {
            Self::Endless(name) => Season { name: name.clone(), ends: None },
            Self::Until { name, ends } => Season { name: name.clone(), ends: Some(*ends) },
            Self::Cron(cron) => match next_end(cron, now) {
                Some(ends) => Season { name: named_by_end(ends), ends: Some(ends) },
                // The pattern names its years, and they are over.
                None => Season { name: "last".to_owned(), ends: None },
            },
        }
    }

    /// When a season ends that was begun with this end: the end of a named season can be moved. Unset: never.
    #[must_use]
    pub fn end_of(&self, season: &str, begun_with: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Until { name, ends } if name == season => Some(*ends),
            Self::Endless(name) if name == season => None,
            _ => Some(begun_with),
        }
    }
}

/// The first moment of the pattern after this one.
#[must_use]
pub fn next_end(cron: &Cron, now: Timestamp) -> Option<Timestamp> {
    let next = cron.find_next_occurrence(&now.to_zoned(TimeZone::UTC), false).ok()?;
    Some(next.timestamp())
}

/// A board.
#[derive(Debug, Clone)]
pub struct Board {
    /// 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    /// Which score counts.
    pub rule: Rule,
    /// Which score is first.
    pub order: Order,
    /// When its seasons end.
    pub seasons: Seasons,
    /// What the end of a season is worth.
    pub rewards: Rewards,
}

type Standing = (i64, Timestamp);

fn highest(standing: Option<Standing>, score: i64, at: Timestamp) -> Option<Standing> {
    standing.is_none_or(|(best, _)| score > best).then_some((score, at))
}

fn lowest(standing: Option<Standing>, score: i64, at: Timestamp) -> Option<Standing> {
    standing.is_none_or(|(best, _)| score < best).then_some((score, at))
}

fn latest(standing: Option<Standing>, score: i64, at: Timestamp) -> Option<Standing> {
    // The same score again was reached the first time.
    standing.is_none_or(|(last, _)| score != last).then_some((score, at))
}

fn sum(standing: Option<Standing>, score: i64, at: Timestamp) -> Option<Standing> {
    let before = standing.map_or(0, |(total, _)| total);
    let after = before.saturating_add(score);
    (standing.is_none() || after != before).then_some((after, at))
}

impl Board {
    /// The default board of a game: the best score counts, the highest is first, and it never ends.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rule: Rule::Best,
            order: Order::Descending,
            seasons: Seasons::Endless("all".to_owned()),
            rewards: Rewards::default(),
        }
    }

    /// The ranking at this moment.
    #[must_use]
    pub fn key(&self, now: Timestamp) -> BoardKey {
        self.key_of(self.seasons.at(now).name)
    }

    /// The ranking of a season.
    #[must_use]
    pub fn key_of(&self, season: String) -> BoardKey {
        BoardKey { board: self.name.clone(), season }
    }

    /// What a new score does here.
    #[must_use]
    pub fn advance(&self) -> Advance {
        match (self.rule, self.order) {
            (Rule::Best, Order::Descending) => highest,
            (Rule::Best, Order::Ascending) => lowest,
            (Rule::Latest, _) => latest,
            (Rule::Sum, _) => sum,
        }
    }
}

/// Whether this can name a board or a season.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// All boards of the game; the first is the default one.
#[derive(Debug, Clone)]
pub struct Boards(Vec<Board>);

impl Boards {
    /// There is at least one board.
    #[must_use]
    pub fn new(first: Board, others: Vec<Board>) -> Self {
        let mut boards = vec![first];
        boards.extend(others);
        Self(boards)
    }

    /// The default board.
    #[must_use]
    pub fn default_board(&self) -> &Board {
        &self.0[0]
    }

    /// The board of this name, or the default one.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn find(&self, name: Option<&str>) -> Result<&Board, DomainError> {
        let Some(name) = name else {
            return Ok(self.default_board());
        };
        self.0.iter().find(|board| board.name == name).ok_or(DomainError::UnknownBoard)
    }

    /// Every board.
    pub fn all(&self) -> impl Iterator<Item = &Board> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn best_keeps_the_first_who_reached_it() {
        let advance = Board::named("main").advance();
        assert_eq!(advance(None, -3, t(1)), Some((-3, t(1))));
        assert_eq!(advance(Some((10, t(1))), 10, t(2)), None);
        assert_eq!(advance(Some((10, t(1))), 9, t(2)), None);
        assert_eq!(advance(Some((10, t(1))), 11, t(2)), Some((11, t(2))));
    }

    #[test]
    fn ascending_boards_take_the_lowest() {
        let board = Board { order: Order::Ascending, ..Board::named("laps") };
        assert_eq!((board.advance())(Some((10, t(1))), 9, t(2)), Some((9, t(2))));
        assert_eq!((board.advance())(Some((10, t(1))), 11, t(2)), None);
    }

    fn cron(pattern: &str) -> Seasons {
        Seasons::Cron(Box::new(pattern.parse().expect("a pattern")))
    }

    #[test]
    fn a_season_ends_with_the_moment_the_next_begins() {
        let weekly = cron("0 0 * * MON");
        let end: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
        let before = weekly.at(end - jiff::SignedDuration::from_micros(1));
        assert_eq!(before, Season { name: "2026-11-23t00-00-00z".to_owned(), ends: Some(end) });
        assert_eq!(weekly.at(end).name, "2026-11-30t00-00-00z");
        assert!(is_name(&before.name) && before.is_over(end) && !weekly.at(end).is_over(end));
        let years = cron("0 0 0 1 1 * 2026");
        assert_eq!(years.at(end), Season { name: "last".to_owned(), ends: None });
    }

    #[test]
    fn the_end_of_a_named_season_can_be_moved() {
        let seasons = Seasons::Until { name: "winter".to_owned(), ends: t(50) };
        assert!(!seasons.at(t(49)).is_over(t(49)) && seasons.at(t(50)).is_over(t(50)));
        assert_eq!(seasons.end_of("winter", t(10)), Some(t(50)));
        assert_eq!(seasons.end_of("autumn", t(10)), Some(t(10)));
        assert_eq!(Seasons::Endless("all".to_owned()).end_of("all", t(10)), None);
    }

    proptest::proptest! {
        /// Each moment is in one season, and going from end to end misses none.
        #[test]
        fn seasons_follow_each_other(second in 0..4_000_000_000_i64, pattern in 0..5_usize) {
            let patterns = ["0 0 * * *", "0 0 * * MON", "0 0 1 * *", "*/7 * * * *", "30 4 29 2 *"];
            let seasons = cron(patterns[pattern]);
            let season = seasons.at(t(second));
            let ends = season.ends.expect("these go on for ever");
            proptest::prop_assert!(ends > t(second));
            proptest::prop_assert_eq!(seasons.at(ends - jiff::SignedDuration::from_micros(1)), season.clone());
            let next = seasons.at(ends);
            proptest::prop_assert!(next.ends > season.ends && next.name != season.name && next.name > season.name);
        }
    }

    #[test]
    fn sums_stop_at_the_end_of_the_range() {
        let board = Board { rule: Rule::Sum, ..Board::named("total") };
        assert_eq!((board.advance())(Some((i64::MAX - 1, t(1))), 5, t(2)), Some((i64::MAX, t(2))));
        assert_eq!((board.advance())(Some((i64::MAX, t(2))), 5, t(3)), None);
    }
}
