//! Ranks in process: an order-statistics set of encoded keys for each board.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use wabi_tree::OSBTreeSet;

use crate::store::{BoardKey, Order, PlayerId, RankKey, RankPage, RankedEntry, Ranking, ScoreRow, StoreError};

#[derive(Default)]
struct Standings {
    /// Encoded keys; their order is the order of ranks.
    order: OSBTreeSet<Vec<u8>>,
    /// Each player's key, and its version in the ledger.
    players: HashMap<PlayerId, (Vec<u8>, i64)>,
    built: bool,
}

impl Standings {
    fn apply(&mut self, order: Order, row: &ScoreRow) {
        let key = row.key.encode(order);
        if let Some((old, version)) = self.players.get(&row.key.player) {
            if *version >= row.version {
                return;
            }
            self.order.remove(old);
        }
        self.order.insert(key.clone());
        self.players.insert(row.key.player.clone(), (key, row.version));
    }

    fn remove(&mut self, player: &PlayerId) {
        if let Some((key, _)) = self.players.remove(player) {
            self.order.remove(&key);
        }
    }

    fn total(&self) -> u64 {
        self.order.len() as u64
    }

    fn index_of(&self, player: &PlayerId) -> Option<usize> {
        self.players.get(player).and_then(|(key, _)| self.order.rank_of(key))
    }

    fn entry(&self, index: usize, order: Order) -> Option<Result<RankedEntry, StoreError>> {
        let bytes = self.order.get_by_rank(index)?;
        Some(RankKey::decode(bytes, order).map(|key| RankedEntry { rank: index as u64 + 1, key }))
    }

    /// The lines from `start`, at most `count`.
    fn slice(&self, start: usize, count: usize, order: Order) -> Result<RankPage, StoreError> {
        let entries = (start..start.saturating_add(count)).map_while(|index| self.entry(index, order));
        Ok(RankPage { entries: entries.collect::<Result<_, _>>()?, total: self.total() })
    }

    /// The index of the first line behind a key, which need not be on the board.
    fn behind(&self, key: &[u8]) -> usize {
        let range = (std::ops::Bound::Excluded(key.to_vec()), std::ops::Bound::Unbounded);
        let next = self.order.range::<Vec<u8>, _>(range).next();
        next.and_then(|next| self.order.rank_of(next)).unwrap_or(self.order.len())
    }
}

impl Place {
    fn apply(&mut self, order: Order, row: &ScoreRow) {
        self.standings.apply(order, row);
        if let Some((_, build)) = &mut self.build {
            build.apply(order, row);
        }
    }
}

/// Ranks of all boards of one process.
#[derive(Default)]
pub struct InProcessRanking {
    boards: RwLock<HashMap<(BoardKey, Order), Place>>,
}

/// A board, and the build that may take its place.
#[derive(Default)]
struct Place {
    standings: Standings,
    build: Option<(String, Standings)>,
}

impl InProcessRanking {
    // A panic cannot leave a board half changed in a way that a later apply does not mend, so poison is ignored.
    fn read<T>(&self, board: &BoardKey, order: Order, empty: T, read: impl FnOnce(&Standings) -> T) -> T {
        let boards = self.boards.read().unwrap_or_else(PoisonError::into_inner);
        boards.get(&(board.clone(), order)).map_or(empty, |place| read(&place.standings))
    }

    fn write<T>(&self, board: &BoardKey, order: Order, write: impl FnOnce(&mut Place) -> T) -> T {
        let mut boards = self.boards.write().unwrap_or_else(PoisonError::into_inner);
        write(boards.entry((board.clone(), order)).or_default())
    }
}

#[async_trait]
impl Ranking for InProcessRanking {
    async fn apply(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError> {
        self.write(board, order, |place| rows.iter().for_each(|row| place.apply(order, row)));
        Ok(())
    }

    async fn apply_one(
        &self,
        board: &BoardKey,
        order: Order,
        row: &ScoreRow,
    ) -> Result<(RankedEntry, u64), StoreError> {
        self.write(board, order, |place| {
            place.apply(order, row);
            let standings = &place.standings;
            let entry = standings.index_of(&row.key.player).and_then(|index| standings.entry(index, order));
            let missing = || StoreError::Corrupt { store: "cache", what: format!("{board} lost {}", row.key.player) };
            Ok((entry.unwrap_or_else(|| Err(missing()))?, standings.total()))
        })
    }

    async fn rank(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
    ) -> Result<Option<(RankedEntry, u64)>, StoreError> {
        self.read(board, order, Ok(None), |standings| {
            let entry = standings.index_of(player).and_then(|index| standings.entry(index, order)).transpose()?;
            Ok(entry.map(|entry| (entry, standings.total())))
        })
    }

    async fn page(
        &self,
        board: &BoardKey,
        order: Order,
        after: Option<&RankKey>,
        limit: u32,
    ) -> Result<RankPage, StoreError> {
        self.read(board, order, Ok(RankPage::default()), |standings| {
            let start = after.map_or(0, |key| standings.behind(&key.encode(order)));
            standings.slice(start, limit as usize, order)
        })
    }

    async fn around(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
        radius: u32,
    ) -> Result<Option<RankPage>, StoreError> {
        let radius = radius as usize;
        self.read(board, order, Ok(None), |standings| {
            let Some(index) = standings.index_of(player) else {
                return Ok(None);
            };
            let start = index.saturating_sub(radius);
            standings.slice(start, index - start + 1 + radius, order).map(Some)
        })
    }

    async fn among(&self, board: &BoardKey, order: Order, players: &[PlayerId]) -> Result<RankPage, StoreError> {
        self.read(board, order, Ok(RankPage::default()), |standings| {
            let mut indices: Vec<usize> = players.iter().filter_map(|player| standings.index_of(player)).collect();
            indices.sort_unstable();
            indices.dedup();
            let entries = indices.into_iter().filter_map(|index| standings.entry(index, order));
            Ok(RankPage { entries: entries.collect::<Result<_, _>>()?, total: standings.total() })
        })
    }

    async fn remove(&self, board: &BoardKey, players: &[PlayerId]) -> Result<(), StoreError> {
        let mut boards = self.boards.write().unwrap_or_else(PoisonError::into_inner);
        for place in boards.iter_mut().filter(|((of, _), _)| of == board).map(|(_, place)| place) {
            for player in players {
                place.standings.remove(player);
                if let Some((_, build)) = &mut place.build {
                    build.remove(player);
                }
            }
        }
        Ok(())
    }

    async fn is_built(&self, board: &BoardKey, order: Order) -> Result<bool, StoreError> {
        Ok(self.read(board, order, false, |standings| standings.built))
    }

    async fn begin_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError> {
        Ok(self.write(board, order, |place| {
            let free = place.build.as_ref().is_none_or(|(builder, _)| builder == owner);
            if free {
                place.build = Some((owner.to_owned(), Standings::default()));
            }
            free
        }))
    }

    async fn build(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError> {
        self.write(board, order, |place| {
            if let Some((_, build)) = &mut place.build {
                rows.iter().for_each(|row| build.apply(order, row));
            }
        });
        Ok(())
    }

    async fn finish_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError> {
        let finished = self.write(board, order, |place| {
            let Some((_, mut built)) = place.build.take_if(|(builder, _)| builder == owner) else { return false };
            built.built = true;
            place.standings = built;
            true
        });
        if finished {
            self.write(board, order.reverse(), |place| place.standings = Standings::default());
        }
        Ok(finished)
    }

    async fn lead(&self, _: &str, _: Duration) -> Result<bool, StoreError> {
        // Nobody shares it.
        Ok(true)
    }

    async fn forget(&self, board: &BoardKey) -> Result<(), StoreError> {
        self.boards.write().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != board);
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn row(player: usize, score: i64, micros: i64, version: i64) -> ScoreRow {
        let key = RankKey {
            score,
            achieved_at: Timestamp::from_microsecond(micros).expect("in range"),
            player: PlayerId::parse(&format!("p{player:02}")).expect("an id"),
        };
        ScoreRow { key, version }
    }

    proptest! {
        /// Against a plain sorted list, whatever the order in which versions arrive.
        #[test]
        fn agrees_with_a_sorted_list(
            writes in proptest::collection::vec((0..12_usize, -5..5_i64, 0..4_i64, 1..6_i64), 0..60)
        ) {
            let order = Order::Descending;
            let mut standings = Standings::default();
            let mut model: HashMap<PlayerId, ScoreRow> = HashMap::new();
            for (player, score, micros, version) in writes {
                let row = row(player, score, micros, version);
                standings.apply(order, &row);
                let held = model.get(&row.key.player).map_or(0, |held| held.version);
                if row.version > held {
                    model.insert(row.key.player.clone(), row);
                }
            }
            let mut expected: Vec<RankKey> = model.into_values().map(|row| row.key).collect();
            expected.sort_by_key(|key| key.encode(order));
            let got = standings.slice(0, 100, order).expect("readable");
            prop_assert_eq!(got.entries.iter().map(|e| e.key.clone()).collect::<Vec<_>>(), expected.clone());
            for (index, key) in expected.iter().enumerate() {
                prop_assert_eq!(standings.index_of(&key.player), Some(index));
                prop_assert_eq!(standings.behind(&key.encode(order)), index + 1);
            }
        }
    }
}
