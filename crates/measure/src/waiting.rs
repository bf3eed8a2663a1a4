//! Waiting for another thread, with an ear for Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long an interrupted run waits for the answer under way.
const GRACE: Duration = Duration::from_secs(2);

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

/// What comes within `timeout`; once `interrupted` is set, it is not waited for long.
pub(crate) fn wait<T>(from: &Receiver<T>, timeout: Duration, interrupted: &AtomicBool) -> Result<T, Gone> {
    let (mut waited, mut since_interrupt) = (Duration::ZERO, Duration::ZERO);
    loop {
        let slice = SLICE.min(timeout.saturating_sub(waited));
        match from.recv_timeout(slice) {
            Ok(what) => return Ok(what),
            Err(RecvTimeoutError::Disconnected) => return Err(Gone::Closed),
            Err(RecvTimeoutError::Timeout) if slice.is_zero() => return Err(Gone::Late),
            Err(RecvTimeoutError::Timeout) => waited += slice,
        }
        if interrupted.load(Ordering::Relaxed) {
            since_interrupt += slice;
            if since_interrupt >= GRACE {
                return Err(Gone::Interrupted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_wait_ends_with_what_comes_or_with_the_reason() {
        let (calm, interrupted) = (AtomicBool::new(false), AtomicBool::new(true));
        let (send, from) = channel();
        assert_eq!(wait(&from, Duration::from_millis(1), &calm), Err(Gone::Late));
        send.send(7).unwrap();
        assert_eq!(wait(&from, Duration::MAX, &interrupted), Ok(7), "what is there is taken");
        assert_eq!(wait(&from, Duration::MAX, &interrupted), Err(Gone::Interrupted));
        drop(send);
        assert_eq!(wait(&from, Duration::MAX, &calm), Err(Gone::Closed));
    }
}
