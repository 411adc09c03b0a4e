//! Stands between every mutating call and AWS: the lease must be ours, and the journal must know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;

use super::journal::Journal;
use crate::aws::intercept::{Call, Watch};

/// The node name under which the lease itself is written: exempt from its own check.
pub const LEASE_NODE: &str = "lease";

/// Refuses mutations once the lease is not surely ours any more.
#[derive(Debug, Default)]
pub struct Guard {
    /// Boot-time milliseconds until which the lease is surely ours; 0: no lease is needed yet.
    deadline: AtomicU64,
    lost: AtomicBool,
    journal: std::sync::OnceLock<Arc<Journal>>,
}

/// The lease ran out under us.
#[derive(Debug, thiserror::Error)]
#[error("the lease of this stack is no longer held by this run, so nothing more is changed; run the command again")]
pub struct LeaseLost;

impl Guard {
    /// From now on every mutation is written to `journal`.
    pub fn journal_to(&self, journal: Arc<Journal>) {
        let _ = self.journal.set(journal);
    }

    /// The lease is ours for `time` from `since` (a [`boot_time`]).
    pub fn held_for(&self, since: Duration, time: Duration) {
        self.deadline.store(millis(since + time), Ordering::SeqCst);
    }

    /// No lease is needed (any more).
    pub fn stand_down(&self) {
        self.deadline.store(0, Ordering::SeqCst);
    }

    /// The lease is somebody else's.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    /// Whether the lease was lost.
    pub fn is_lost(&self) -> bool {
        let deadline = self.deadline.load(Ordering::SeqCst);
        self.lost.load(Ordering::SeqCst) || (deadline != 0 && millis(boot_time()) > deadline)
    }
}

impl Watch for Guard {
    fn may_mutate(&self, call: &Call) -> Result<(), BoxError> {
        if call.node.as_deref() != Some(LEASE_NODE) && self.is_lost() {
            return Err(Box::new(LeaseLost));
        }
        Ok(())
    }

    fn started(&self, call: &Call) {
        if let Some(journal) = self.journal.get().filter(|_| call.node.as_deref() != Some(LEASE_NODE)) {
            journal.call_started(call);
        }
    }

    fn finished(&self, call: &Call, ok: bool, request_id: Option<String>) {
        if let Some(journal) = self.journal.get().filter(|_| call.node.as_deref() != Some(LEASE_NODE)) {
            journal.call_finished(call, ok, request_id);
        }
    }
}

/// Time since boot, counting sleep: a laptop that slept knows that its lease ran out.
pub fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(node: &str) -> Call {
        Call { service: "EC2".into(), operation: "CreateVpc".into(), node: Some(node.into()) }
    }

    #[test]
    fn mutations_stop_when_the_deadline_has_passed() {
        let guard = Guard::default();
        assert!(guard.may_mutate(&call("vpc")).is_ok());
        guard.held_for(boot_time(), Duration::from_secs(60));
        assert!(guard.may_mutate(&call("vpc")).is_ok());
        guard.held_for(Duration::from_millis(1), Duration::from_millis(1));
        assert!(guard.may_mutate(&call("vpc")).is_err());
        assert!(guard.may_mutate(&call(LEASE_NODE)).is_ok());
    }
}
