//! Boards and what a new score does on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DomainError;
use crate::store::{Advance, BoardKey, Order};

/// Which of a player's scores counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The best one.
    Best,
    /// The last one.
    Latest,
    /// All of them together.
    Sum,
}

/// A board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    /// Which score counts.
    #[serde(default = "default_rule")]
    pub rule: Rule,
    /// Which score is first.
    #[serde(default = "default_order")]
    pub order: Order,
}

fn default_rule() -> Rule {
    Rule::Best
}

fn default_order() -> Order {
    Order::Descending
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
    /// The default board of a game.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), rule: default_rule(), order: default_order() }
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
pub struct Boards {
    boards: Vec<Board>,
    season: String,
}

impl Boards {
    /// Boards in a running season. There is at least one board.
    #[must_use]
    pub fn new(first: Board, others: Vec<Board>, season: String) -> Self {
        let mut boards = vec![first];
        boards.extend(others);
        Self { boards, season }
    }

    /// The default board.
    #[must_use]
    pub fn default_board(&self) -> &Board {
        &self.boards[0]
    }

    /// The board of this name, or the default one.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn find(&self, name: Option<&str>) -> Result<&Board, DomainError> {
        let Some(name) = name else {
            return Ok(self.default_board());
        };
        self.boards.iter().find(|board| board.name == name).ok_or(DomainError::UnknownBoard)
    }

    /// The running season.
    #[must_use]
    pub fn season(&self) -> &str {
        &self.season
    }

    /// The ranking of a board in the running season.
    #[must_use]
    pub fn key(&self, board: &Board) -> BoardKey {
        BoardKey { board: board.name.clone(), season: self.season.clone() }
    }

    /// Every board.
    pub fn all(&self) -> impl Iterator<Item = &Board> {
        self.boards.iter()
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

    #[test]
    fn sums_stop_at_the_end_of_the_range() {
        let board = Board { rule: Rule::Sum, ..Board::named("total") };
        assert_eq!((board.advance())(Some((i64::MAX - 1, t(1))), 5, t(2)), Some((i64::MAX, t(2))));
        assert_eq!((board.advance())(Some((i64::MAX, t(2))), 5, t(3)), None);
    }
}
