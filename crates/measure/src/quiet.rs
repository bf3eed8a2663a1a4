//! Waiting until a process has stopped working.
//!
//! OpenMP's threads go on spinning for milliseconds after a call. Without this wait, one variant's
//! spinning would be timed as another's slowness, and random order does not cancel that.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::clock::thread_cpu_ns;

/// Length of one look.
const LOOK: Duration = Duration::from_millis(1);
/// Processor time of a thread within a look that counts as rest: the look itself costs some microseconds.
const REST_NS: i64 = 100_000;
/// Looks before giving up: a library that never rests cannot be waited for.
const MOST_LOOKS: u32 = 100;

/// Waits until every thread of this process has rested for a millisecond, for a tenth of a second at most; whether they
/// have.
pub fn wait_for_rest() -> bool {
    wait_with(thread_cpu_ns, || sleep(LOOK)).is_some()
}

/// [`wait_for_rest`] with the clocks of the threads and the pause passed in; returns the looks it took, nothing where they
/// were too many.
fn wait_with(mut cpu_ns: impl FnMut() -> BTreeMap<i32, i64>, mut pause: impl FnMut()) -> Option<u32> {
    let mut before = cpu_ns();
    for look in 1..=MOST_LOOKS {
        pause();
        let now = cpu_ns();
        // One that began in between has worked since.
        let worked = |(thread, ns): (&i32, &i64)| ns - before.get(thread).unwrap_or(&0) >= REST_NS;
        if !now.iter().any(worked) {
            return Some(look);
        }
        before = now;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings of a process whose second thread has worked so long.
    fn readings(second: &[i64]) -> impl FnMut() -> BTreeMap<i32, i64> + '_ {
        let mut second = second.iter().copied();
        move || BTreeMap::from([(1, 5_000_000), (2, second.next().unwrap())])
    }

    #[test]
    fn it_waits_for_the_end_of_the_spinning_and_no_longer() {
        let spinning = [0, 1_000_000, 2_000_000, 2_400_000, 2_410_000, 2_420_000];
        assert_eq!(wait_with(readings(&spinning), || ()), Some(4));
    }

    #[test]
    fn a_thread_that_ends_does_not_hide_one_that_works() {
        let mut readings = [[(1, 0), (2, 9_000_000)], [(1, 900_000), (3, 0)], [(1, 900_000), (3, 0)]].into_iter();
        assert_eq!(wait_with(|| readings.next().unwrap().into(), || ()), Some(2));
    }

    #[test]
    fn it_gives_up_on_what_never_rests_and_says_so() {
        let mut spent = 0;
        let cpu_ns = || {
            spent += 1_000_000;
            BTreeMap::from([(7, spent)])
        };
        assert_eq!(wait_with(cpu_ns, || ()), None);
    }
}
