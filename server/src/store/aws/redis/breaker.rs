//! Keeps requests from waiting for a server that takes connections and answers nobody: after one has waited in vain, the
//! others are refused at once, and one at a time tries whether it answers again.

use std::time::Duration;

use tokio::time::Instant;

/// For so long after a wait in vain nobody tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// Ask.
    Freely,
    /// Ask, once, for all: the others wait for what comes of it.
    ToProbe,
    /// Do not ask.
    Not,
}

/// What is known of a server.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    answered: Option<Instant>,
    /// Set: silent; when it is asked again.
    silent_until: Option<Instant>,
}

impl Breaker {
    /// Whether to ask now. Who is let in to probe keeps the others out for another pause.
    pub fn admit(&mut self, now: Instant) -> Admitted {
        match self.silent_until {
            None => Admitted::Freely,
            Some(until) if now < until => Admitted::Not,
            Some(_) => {
                self.silent_until = Some(now + PAUSE);
                Admitted::ToProbe
            }
        }
    }

    /// Whether it counts as silent.
    pub fn is_silent(&self) -> bool {
        self.silent_until.is_some()
    }

    /// It answered.
    pub fn answered(&mut self, now: Instant) {
        self.answered = Some(now);
        self.silent_until = None;
    }

    /// A call that was begun at `began` has waited in vain. Whether the server counts as silent now, and did not before.
    /// Where another call was answered meanwhile it is slow, not silent.
    pub fn waited_in_vain(&mut self, began: Instant, now: Instant) -> bool {
        if self.answered.is_some_and(|at| at >= began) {
            return false;
        }
        self.silent_until.replace(now + PAUSE).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_and_the_others_are_refused_until_a_probe_is_answered() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(breaker.admit(at(0)), Admitted::Freely);
        assert!(breaker.waited_in_vain(at(0), at(1000)), "it is silent from now on");
        assert!(!breaker.waited_in_vain(at(10), at(1010)), "counted once");
        assert_eq!(breaker.admit(at(1100)), Admitted::Not);
        assert_eq!((breaker.admit(at(1600)), breaker.admit(at(1601))), (Admitted::ToProbe, Admitted::Not));
        // The probe takes longer than the pause: another may follow it.
        assert_eq!(breaker.admit(at(2200)), Admitted::ToProbe);
        assert!(!breaker.waited_in_vain(at(1600), at(2600)));
        assert_eq!(breaker.admit(at(2700)), Admitted::Not);
        breaker.answered(at(3200));
        assert_eq!(breaker.admit(at(3201)), Admitted::Freely);
    }

    #[test]
    fn who_answers_another_is_not_silent() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        breaker.answered(start + Duration::from_millis(900));
        assert!(!breaker.waited_in_vain(start, start + Duration::from_millis(1000)));
        assert_eq!(breaker.admit(start + Duration::from_millis(1001)), Admitted::Freely);
    }
}
