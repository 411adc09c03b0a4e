//! The order of a board, as bytes: comparing encoded keys compares standings.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PlayerId, StoreError};

/// Names one ranking: a board in a season.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BoardKey {
    /// The board's name: 1 to 64 of `a-z 0-9 - _`.
    pub board: String,
    /// The season's name, in the same characters.
    pub season: String,
}

impl fmt::Display for BoardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.board, self.season)
    }
}

/// Which scores come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The highest score is rank 1.
    Descending,
    /// The lowest score is rank 1 (race times).
    Ascending,
}

impl Order {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Descending, Self::Ascending];

    /// The one that it is not.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::Descending => Self::Ascending,
            Self::Ascending => Self::Descending,
        }
    }

    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Descending => "descending",
            Self::Ascending => "ascending",
        }
    }

    /// The reverse of [`Order::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|order| order.name() == name)
    }
}

/// What decides a rank: the score, then who reached it first, then the id (so that no two are equal).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RankKey {
    /// Any i64.
    pub score: i64,
    /// When this score was reached, to the microsecond.
    pub achieved_at: Timestamp,
    /// Whose it is.
    pub player: PlayerId,
}

/// Maps i64 to u64 so that unsigned order equals signed order.
fn ordered(value: i64) -> u64 {
    value.cast_unsigned() ^ (1 << 63)
}

fn unordered(value: u64) -> i64 {
    (value ^ (1 << 63)).cast_signed()
}

impl RankKey {
    /// Eight bytes of score, eight of time, the id: ascending bytes are ascending ranks, rank 1 first.
    #[must_use]
    pub fn encode(&self, order: Order) -> Vec<u8> {
        let ascending = ordered(self.score);
        let score = match order {
            Order::Ascending => ascending,
            Order::Descending => !ascending,
        };
        let mut bytes = Vec::with_capacity(16 + self.player.as_str().len());
        bytes.extend_from_slice(&score.to_be_bytes());
        bytes.extend_from_slice(&ordered(self.achieved_at.as_microsecond()).to_be_bytes());
        bytes.extend_from_slice(self.player.as_str().as_bytes());
        bytes
    }

    /// The reverse of [`RankKey::encode`].
    ///
    /// # Errors
    /// When the bytes are not such a key.
    pub fn decode(bytes: &[u8], order: Order) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { store: "cache", what: "a member of a board".to_owned() };
        let (score, rest) = bytes.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let (time, id) = rest.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let score = match order {
            Order::Ascending => u64::from_be_bytes(*score),
            Order::Descending => !u64::from_be_bytes(*score),
        };
        let micros = unordered(u64::from_be_bytes(*time));
        let id = std::str::from_utf8(id).map_err(|_| corrupt())?;
        Ok(Self {
            score: unordered(score),
            achieved_at: Timestamp::from_microsecond(micros).map_err(|_| corrupt())?,
            player: PlayerId::parse(id).ok_or_else(corrupt)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(score: i64, micros: i64, id: &str) -> RankKey {
        RankKey {
            score,
            achieved_at: Timestamp::from_microsecond(micros).expect("in range"),
            player: PlayerId::parse(id).expect("an id"),
        }
    }

    proptest! {
        #[test]
        fn bytes_order_as_standings_do(
            a in (any::<i64>(), 0..4_000_000_000_000_000_i64, "[0-9a-z]{1,26}"),
            b in (any::<i64>(), 0..4_000_000_000_000_000_i64, "[0-9a-z]{1,26}"),
        ) {
            let (x, y) = (key(a.0, a.1, &a.2), key(b.0, b.1, &b.2));
            let descending = b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2));
            let ascending = a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2));
            prop_assert_eq!(x.encode(Order::Descending).cmp(&y.encode(Order::Descending)), descending);
            prop_assert_eq!(x.encode(Order::Ascending).cmp(&y.encode(Order::Ascending)), ascending);
        }

        #[test]
        fn decoding_reverses_encoding(score in any::<i64>(), micros in 0..4_000_000_000_000_000_i64) {
            for order in [Order::Descending, Order::Ascending] {
                let before = key(score, micros, "01jd");
                prop_assert_eq!(RankKey::decode(&before.encode(order), order).expect("valid"), before);
            }
        }
    }

    #[test]
    fn neighbours_beyond_two_to_the_53_differ() {
        let high = key((1 << 53) + 1, 0, "a").encode(Order::Descending);
        let low = key(1 << 53, 0, "a").encode(Order::Descending);
        assert!(high < low);
    }
}
