//! The health gate: when a roll-out must be turned back. Auto Scaling itself goes on launching for an hour. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::progress::Member;
use crate::engine::waits::Pace;

/// How long an instance in service may not answer well: longer than the group's own grace.
const PATIENCE: Duration = Duration::from_secs(240);
/// Where AWS's time is scaled, processes still take their own to start.
const LEAST_PATIENCE: Duration = Duration::from_secs(60);

/// What is remembered of the instances of the new version.
pub struct Gate {
    patience: Duration,
    /// Since when each has not been well.
    unwell_since: BTreeMap<String, Instant>,
}

impl Gate {
    /// A gate for an endpoint of this pace.
    pub fn new(pace: Pace) -> Self {
        let patience = pace.here(PATIENCE);
        let is_scaled = pace.time_scale != 1.0;
        Self {
            patience: if is_scaled { patience.max(LEAST_PATIENCE) } else { patience },
            unwell_since: BTreeMap::new(),
        }
    }

    /// The instance of `version` that shows that it is not fit to serve, and why.
    pub fn judge<'a>(&mut self, members: &'a [Member], version: &str, now: Instant) -> Option<(&'a Member, String)> {
        self.unwell_since.retain(|id, _| members.iter().any(|member| member.id == *id));
        for member in members.iter().filter(|member| member.version == version) {
            if !member.is_well {
                return Some((member, format!("Auto Scaling found {} unhealthy{}", member.id, because(member))));
            }
            if member.serves() || !member.is_in_service() {
                self.unwell_since.remove(&member.id);
                continue;
            }
            let since = *self.unwell_since.entry(member.id.clone()).or_insert(now);
            let time = now.saturating_duration_since(since);
            if time > self.patience {
                let what = format!("{} did not become healthy within {} s", member.id, time.as_secs());
                return Some((member, format!("{what}{}", because(member))));
            }
        }
        None
    }

    /// The instances of `version` that are not well just now.
    pub fn unwell(&self) -> impl Iterator<Item = &String> {
        self.unwell_since.keys()
    }
}

fn because(member: &Member) -> String {
    if member.target.1.is_empty() { String::new() } else { format!(" ({})", member.target.1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, version: &str, lifecycle: &str, target: &str) -> Member {
        Member {
            id: id.into(),
            version: version.into(),
            lifecycle: lifecycle.into(),
            is_well: true,
            target: (target.into(), String::new()),
        }
    }

    #[test]
    fn an_instance_may_start_slowly_and_not_stay_away() {
        let mut gate = Gate::new(Pace::default());
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let starting = [member("i-1", "2", "InService", "unhealthy"), member("i-0", "1", "InService", "unhealthy")];
        assert!(gate.judge(&starting, "2", start).is_none());
        assert!(gate.judge(&starting, "2", after(230)).is_none());
        // It was well in between: the time begins anew.
        assert!(gate.judge(&[member("i-1", "2", "InService", "healthy")], "2", after(235)).is_none());
        assert!(gate.judge(&starting, "2", after(240)).is_none());
        assert!(gate.judge(&starting, "2", after(400)).is_none());
        let (bad, why) = gate.judge(&starting, "2", after(481)).expect("it is too late");
        assert_eq!((bad.id.as_str(), why.as_str()), ("i-1", "i-1 did not become healthy within 241 s"));
    }

    #[test]
    fn what_auto_scaling_gives_up_is_believed_at_once() {
        let mut gate = Gate::new(Pace::default());
        let bad = Member { is_well: false, ..member("i-1", "2", "Terminating", "draining") };
        assert!(gate.judge(std::slice::from_ref(&bad), "2", Instant::now()).is_some());
        assert!(gate.judge(&[bad], "3", Instant::now()).is_none());
    }
}
