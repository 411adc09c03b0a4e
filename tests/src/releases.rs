//! Releases for tests, each the released server itself: with bytes behind its end it is another release that serves as well;
//! with a word of its own text changed it is one that is broken in a known way.

use std::path::{Path, PathBuf};

use crate::binary;

/// What is wrong with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It asks for a setting that nobody makes, and exits.
    ExitsAtStart,
    /// A migration of its own is no SQL.
    FailsItsMigration,
    /// The write of its start-up check names a column that is not there.
    FailsItsStartUpCheck,
    /// It reads the ledger from [`VIEW`]: well while that is there, else it answers with 500.
    BreaksLater,
}

/// What a release that breaks later reads in place of `coin_ledger`.
pub const VIEW: &str = "coin_ledgex";
/// The migration that a broken release gets wrong.
pub const MIGRATION: i64 = 33;

/// The server as it is, but for its hash: `number` differs from release to release.
pub fn good(directory: &Path, number: u32) -> String {
    let mut server = server();
    server.extend_from_slice(format!("release {number} of a test").as_bytes());
    write(directory, &format!("good-{number}"), &server)
}

/// A broken one.
pub fn broken(directory: &Path, how: Broken) -> String {
    let (old, new) = match how {
        Broken::ExitsAtStart => ("GAME_SIGNING_SECRET", "GAME_MISSING_SECRET"),
        Broken::FailsItsMigration => (
            "ALTER TABLE scores ADD INDEX scores_by_rank_ascending",
            "ALTER TABLE scores ADD INDXE scores_by_rank_ascending",
        ),
        Broken::FailsItsStartUpCheck => (
            "INSERT INTO sessions (session_id, user_id, token_hash, rotated_at, expires_at) VALUES (?, '', '', 0, 0)",
            "INSERT INTO sessions (session_id, user_id, token_hash, rotated_at, expires_it) VALUES (?, '', '', 0, 0)",
        ),
        Broken::BreaksLater => (
            "booked_at FROM coin_ledger WHERE user_id = ? AND seq < ?",
            "booked_at FROM coin_ledgex WHERE user_id = ? AND seq < ?",
        ),
    };
    let mut server = server();
    let count = replace(&mut server, old.as_bytes(), new.as_bytes());
    assert!(count > 0, "the server's text does not hold {old:?}");
    write(directory, &format!("{how:?}"), &server)
}

fn server() -> Vec<u8> {
    let path = binary("game-server");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make release`", path.display()))
}

fn write(directory: &Path, name: &str, server: &[u8]) -> String {
    let path: PathBuf = directory.join(name);
    std::fs::write(&path, server).expect("the release is written");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Replaces every occurrence by something as long; how many there were.
fn replace(text: &mut [u8], old: &[u8], new: &[u8]) -> usize {
    assert_eq!(old.len(), new.len(), "a program's text cannot grow");
    let found: Vec<usize> =
        (0..=text.len().saturating_sub(old.len())).filter(|at| text[*at..].starts_with(old)).collect();
    for at in &found {
        text[*at..*at + new.len()].copy_from_slice(new);
    }
    found.len()
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn every_occurrence_is_replaced() {
        let mut text = b"one two one".to_vec();
        assert_eq!(replace(&mut text, b"one", b"six"), 2);
        assert_eq!(text, b"six two six");
        assert_eq!(replace(&mut text, b"seven", b"eight"), 0);
    }
}
