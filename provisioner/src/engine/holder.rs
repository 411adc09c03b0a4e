//! Who holds a lease: the object's contents, and whether its holder still lives.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a lease lasts without renewal, and how often it is renewed.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Lasts this long after the last renewal.
    pub expiry: Duration,
    /// Renewed this often.
    pub heartbeat: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { expiry: Duration::from_secs(60), heartbeat: Duration::from_secs(15) }
    }
}

/// What the lease object says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host, process 123`.
    pub who: String,
    /// When it was taken.
    pub since: Timestamp,
    /// When it ends unless renewed.
    pub until: Timestamp,
    /// Handed back.
    pub released: bool,
    /// Differs in every write, so that equal contents never share an ETag.
    pub nonce: String,
    /// The boot of the machine that holds it, to see whether the process still lives.
    pub boot: String,
    /// The process, with its start time, likewise.
    pub process: String,
}

impl Holder {
    /// This process, from now on; since then where it only renews.
    pub fn me(terms: Terms, since: Option<Timestamp>) -> Self {
        let now = Timestamp::now();
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let user = set("USER").or_else(|| set("LOGNAME")).unwrap_or_else(|| "somebody".into());
        let host = first_line("/proc/sys/kernel/hostname").unwrap_or_else(|| "a machine".into());
        Self {
            who: format!("{user}@{host}, process {}", std::process::id()),
            since: since.unwrap_or(now),
            until: now + terms.expiry,
            released: false,
            nonce: nonce(),
            boot: boot_id(),
            process: process(std::process::id()).unwrap_or_default(),
        }
    }

    /// Released, run out, or its process is gone from this very machine.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.released || self.until < now || self.process_is_gone()
    }

    /// Whether its process ended on this very machine.
    pub fn process_is_gone(&self) -> bool {
        let same_machine = !self.boot.is_empty() && self.boot == boot_id();
        let pid = self.process.split(':').next().and_then(|pid| pid.parse().ok());
        same_machine && pid.is_some_and(|pid| process(pid).as_deref() != Some(&self.process))
    }
}

/// Differs at every call.
pub fn nonce() -> String {
    use rand::RngExt;
    format!("{:016x}", rand::rng().random::<u64>())
}

/// This boot of this machine, and whose processes are seen from here: containers share the one and not the other. Empty
/// where that cannot be told.
fn boot_id() -> String {
    let boot = first_line("/proc/sys/kernel/random/boot_id");
    let seen = std::fs::read_link("/proc/self/ns/pid").ok();
    boot.zip(seen).map_or_else(String::new, |(boot, seen)| format!("{boot} {}", seen.display()))
}

/// `pid:start time` of a live process of this machine.
fn process(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit(')').next()?;
    let mut fields = after_name.split_whitespace();
    // A zombie is dead to us.
    if fields.next()? == "Z" {
        return None;
    }
    Some(format!("{pid}:{}", fields.nth(18)?))
}

fn first_line(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.lines().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_over_when_released_run_out_or_its_process_is_gone() {
        let now = Timestamp::now();
        let mine = Holder::me(Terms::default(), None);
        assert!(!mine.is_over(now));
        assert!(Holder { released: true, ..mine.clone() }.is_over(now));
        assert!(mine.is_over(now + Duration::from_secs(61)));
        assert!(Holder { process: format!("{}:1", std::process::id()), ..mine.clone() }.is_over(now));
        let elsewhere = Holder { boot: "another".into(), process: "1:1".into(), ..mine };
        assert!(!elsewhere.is_over(now));
    }
}
