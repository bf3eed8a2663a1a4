//! Waiting until a process has stopped working.
//!
//! OpenMP's threads go on spinning for milliseconds after a call. Without this wait, one variant's
//! spinning would be timed as another's slowness, and random order does not cancel that.

use std::thread::sleep;
use std::time::Duration;

use crate::clock::process_cpu_ns;

/// Length of one look.
const LOOK: Duration = Duration::from_millis(1);
/// Processor time within a look that counts as rest: the look itself costs some microseconds.
const REST_NS: i64 = 100_000;
/// Looks before giving up: a library that never rests cannot be waited for.
const MOST_LOOKS: u32 = 100;

/// Waits until this process has rested for a millisecond, for a tenth of a second at most.
pub fn wait_for_rest() {
    wait_with(process_cpu_ns, || sleep(LOOK));
}

/// [`wait_for_rest`] with the clock and the pause passed in; returns the looks it took.
fn wait_with(mut cpu_ns: impl FnMut() -> i64, mut pause: impl FnMut()) -> u32 {
    let mut before = cpu_ns();
    for look in 1..=MOST_LOOKS {
        pause();
        let now = cpu_ns();
        if now - before < REST_NS {
            return look;
        }
        before = now;
    }
    MOST_LOOKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_the_end_of_the_spinning_and_no_longer() {
        let mut readings = [0, 1_000_000, 2_000_000, 2_400_000, 2_410_000, 2_420_000].into_iter();
        assert_eq!(wait_with(|| readings.next().unwrap(), || ()), 4);
    }

    #[test]
    fn it_gives_up_on_what_never_rests() {
        let mut spent = 0;
        let cpu_ns = || {
            spent += 1_000_000;
            spent
        };
        assert_eq!(wait_with(cpu_ns, || ()), MOST_LOOKS);
    }
}
