//! Waiting for another thread, with an ear for Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock;

/// How long an interrupted run waits for answers, all together, in nanoseconds.
const GRACE_NS: i64 = 2_000_000_000;

/// How often a wait looks whether the run was interrupted.
const SLICE: Duration = Duration::from_millis(100);

/// Why nothing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The run is to end.
    Interrupted,
    /// It took too long.
    Late,
    /// Nobody is left who could send it.
    Closed,
}

/// The flag by which a run learns that it is to end, and since when it was seen to be set, by whichever of its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interruption {
    asked: Arc<AtomicBool>,
    since_ns: Arc<OnceLock<i64>>,
}

impl Interruption {
    /// Follows this flag.
    pub fn of(asked: &Arc<AtomicBool>) -> Self {
        Self { asked: Arc::clone(asked), since_ns: Arc::default() }
    }

    /// Whether the run was to end so long ago that nothing is waited for any more, however soon it would come.
    fn is_over(&self) -> bool {
        if !self.asked.load(Ordering::Relaxed) {
            return false;
        }
        let now_ns = clock::now_ns();
        now_ns - self.since_ns.get_or_init(|| now_ns) >= GRACE_NS
    }
}

/// The moment by which a step of a trial has to be done, whatever it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(i64);

impl Deadline {
    /// So long after now.
    pub fn after(timeout: Duration) -> Self {
        let timeout_ns = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
        Self(clock::now_ns().saturating_add(timeout_ns))
    }

    /// What is left of the time.
    pub fn left(self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(clock::now_ns()).max(0).cast_unsigned())
    }
}

/// What comes within `timeout`; once a run is interrupted, nothing is waited for long.
pub(crate) fn wait<T>(from: &Receiver<T>, timeout: Duration, interruption: &Interruption) -> Result<T, Gone> {
    let mut waited = Duration::ZERO;
    loop {
        if interruption.is_over() {
            return Err(Gone::Interrupted);
        }
        let slice = SLICE.min(timeout.saturating_sub(waited));
        match from.recv_timeout(slice) {
            Ok(what) => return Ok(what),
            Err(RecvTimeoutError::Disconnected) => return Err(Gone::Closed),
            Err(RecvTimeoutError::Timeout) if slice.is_zero() => return Err(Gone::Late),
            Err(RecvTimeoutError::Timeout) => waited += slice,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_wait_ends_with_what_comes_or_with_the_reason() {
        let [calm, interrupted] = [false, true].map(|asked| Interruption::of(&Arc::new(AtomicBool::new(asked))));
        let (send, from) = channel();
        assert_eq!(wait(&from, Duration::from_millis(1), &calm), Err(Gone::Late));
        send.send(7).unwrap();
        assert_eq!(wait(&from, Duration::MAX, &interrupted), Ok(7), "what is there is taken");
        assert_eq!(wait(&from, Duration::MAX, &interrupted), Err(Gone::Interrupted));
        send.send(8).unwrap();
        assert_eq!(
            wait(&from, Duration::MAX, &interrupted),
            Err(Gone::Interrupted),
            "many quick answers take long too"
        );
        assert_eq!(wait(&from, Duration::MAX, &calm), Ok(8));
        drop(send);
        assert_eq!(wait(&from, Duration::MAX, &calm), Err(Gone::Closed));
    }

    #[test]
    fn the_grace_of_several_that_wait_in_turn_begins_with_the_first() {
        let first = Interruption::of(&Arc::new(AtomicBool::new(true)));
        let second = first.clone();
        assert!(!first.is_over() && second.since_ns.get().is_some());
    }

    #[test]
    fn what_is_left_of_a_time_becomes_less_and_ends() {
        let (soon, never) = (Deadline::after(Duration::from_millis(5)), Deadline::after(Duration::MAX));
        let first = soon.left();
        assert!(first <= Duration::from_millis(5) && never.left() > Duration::from_secs(1 << 30));
        while !soon.left().is_zero() {
            assert!(soon.left() <= first);
        }
    }
}
