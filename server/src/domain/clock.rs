//! Time and chance, as the rules see them.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, to the microsecond.
    fn now(&self) -> Timestamp;
}

/// Gives unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Stores keep microseconds: what is answered must equal what is read back.
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// The thread's generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        rand::fill(buffer);
    }
}

/// Both together.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) }
    }
}

impl World {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Unpredictable bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A new id in text, ordered by time.
    #[must_use]
    pub fn ulid(&self) -> String {
        ulid_at(self.now(), self.bytes())
    }
}

fn ulid_at(at: Timestamp, random: [u8; 10]) -> String {
    let mut wide = [0; 16];
    wide[6..].copy_from_slice(&random);
    let millis = u128::from(u64::try_from(at.as_millisecond()).unwrap_or(0));
    Ulid((millis << 80) | u128::from_be_bytes(wide)).to_string()
}

/// An id that follows from its parts alone, so that a repeat makes the same one.
#[must_use]
pub fn derived_ulid(at: Timestamp, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut random = [0; 10];
    random.copy_from_slice(&hash.finalize()[..10]);
    ulid_at(at, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_with_time_and_are_ids_of_players() {
        let world = World::default();
        let early = ulid_at(Timestamp::from_millisecond(1_000).expect("in range"), world.bytes());
        let late = ulid_at(Timestamp::from_millisecond(1_001).expect("in range"), world.bytes());
        assert!(early < late);
        assert_eq!(early.len(), 26);
        assert!(crate::store::PlayerId::parse(&early).is_some());
    }

    #[test]
    fn derived_ids_follow_from_every_part() {
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(derived_ulid(at, &[b"a", b"b"]), derived_ulid(at, &[b"a", b"b"]));
        assert_ne!(derived_ulid(at, &[b"a", b"b"]), derived_ulid(at, &[b"ab", b""]));
    }
}
