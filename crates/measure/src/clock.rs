//! The one place where time is read.

use std::collections::BTreeMap;
use std::fs::{DirEntry, read_dir};

use benchbook_core::message::Ran;
use benchbook_core::{Loop, endless};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::disturbance::Own;
use crate::steps::Room;

/// What a clock shows, in nanoseconds; nothing where there is no such clock.
fn read(clock: ClockId) -> Option<i64> {
    let time = clock_gettime(clock).ok()?;
    Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// The clock that a run goes by: [`now_ns`], or one that a test moves. Work is timed by [`time`] alone.
pub type Now<'a> = &'a dyn Fn() -> i64;

/// Nanoseconds of the system's monotonic clock, the same in every process of a machine.
pub fn now_ns() -> i64 {
    // The call fails only for a clock that does not exist; this one always does.
    read(ClockId::CLOCK_MONOTONIC).unwrap_or(0)
}

/// Nanoseconds of UTC since 1970, to name a moment; never to measure a duration.
pub fn utc_ns() -> i64 {
    read(ClockId::CLOCK_REALTIME).unwrap_or(0)
}

/// Processor time of each thread of this process so far, in nanoseconds, by its number.
///
/// The clock of the process does not serve: what a thread has done on another processor enters it with that processor's next
/// tick, milliseconds later. That of a thread is exact (`clockid_t` of a thread: Linux, `posix-timers_types.h`).
fn thread_cpu_ns() -> BTreeMap<i32, i64> {
    /// Per thread, and what the scheduler has counted.
    const OF_THREAD: i32 = 4 | 2;
    let of = |entry: DirEntry| {
        let thread: i32 = entry.file_name().to_str()?.parse().ok()?;
        Some((thread, read(ClockId::from_raw((!thread << 3) | OF_THREAD))?))
    };
    read_dir("/proc/self/task").into_iter().flatten().flatten().filter_map(of).collect()
}

/// Processor time of the thread that asks so far, in nanoseconds.
pub(crate) fn this_thread_cpu_ns() -> i64 {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0)
}

/// Processor time of processes so far, all their threads, in nanoseconds; one that has ended counts as nothing.
pub fn cpu_ns_of(processes: &[u32]) -> i64 {
    let of = |id: &u32| read(clock_getcpuclockid(Pid::from_raw(id.cast_signed())).ok()?);
    processes.iter().filter_map(of).sum()
}

/// The smallest step seen between two readings, in nanoseconds: resolution and cost of a reading together.
pub fn observed_step_ns() -> i64 {
    let step = |_| {
        let first = now_ns();
        let mut next = now_ns();
        while next == first {
            next = now_ns();
        }
        next - first
    };
    (0..1000).map(step).min().unwrap_or(1)
}

/// User and system time of the whole process so far, in nanoseconds: right in the long run, off by a tick at any moment.
fn cpu_ns() -> (i64, i64) {
    let ns = |time: TimeVal| time.tv_sec() * 1_000_000_000 + time.tv_usec() * 1_000;
    getrusage(UsageWho::RUSAGE_SELF).map_or((0, 0), |usage| (ns(usage.user_time()), ns(usage.system_time())))
}

/// Processor time of all threads between two readings, in nanoseconds; one that has ended in between counts as nothing.
fn grown(before: &BTreeMap<i32, i64>, after: &BTreeMap<i32, i64>) -> i64 {
    after.iter().map(|(thread, ns)| (ns - before.get(thread).unwrap_or(&0)).max(0)).sum()
}

/// The part of an exact sum that the system took, where both parts were counted coarsely.
fn system_of(exact: i64, user: i64, system: i64) -> i64 {
    (exact as f64 * system as f64 / (user + system).max(1) as f64).round() as i64
}

/// Times `iterations` calls: nothing but the calls lies between the two readings of the clock.
pub fn time(work: &mut dyn FnMut(u64), iterations: u64) -> Ran {
    around(iterations, || {
        let started_ns = now_ns();
        work(iterations);
        (started_ns, now_ns() - started_ns)
    })
}

/// Times a loop that has begun, a step at a time: nothing but the step lies between the two readings of each, and nothing but
/// the setting down of what it was lies between two steps. The loop takes the time from the first of all readings to the last.
///
/// # Errors
/// A step fails, or there are more of them than `room` has room for.
pub(crate) fn time_steps(looped: &mut dyn Loop, room: &mut Room) -> Result<Ran, String> {
    room.clear();
    let mut ended = Ok(());
    let ran = around(1, || {
        ended = steps(looped, room);
        room.span()
    });
    ended.map(|()| ran)
}

/// Makes all steps of a loop.
fn steps(looped: &mut dyn Loop, room: &mut Room) -> Result<(), String> {
    for _ in 0..room.most() {
        let values = room.values();
        let started_ns = now_ns();
        let made = looped.step(values);
        let elapsed_ns = now_ns() - started_ns;
        let made = made.map_err(|error| error.to_string())?;
        room.set(started_ns, elapsed_ns, made.tokens);
        if !made.more {
            return Ok(());
        }
    }
    Err(endless(room.most()))
}

/// What is timed, with what happened to this process meanwhile, which is read outside of it.
fn around(iterations: u64, timed: impl FnOnce() -> (i64, i64)) -> Ran {
    let own = Own::now();
    let threads_before = thread_cpu_ns();
    let (user_before, system_before) = cpu_ns();
    let (started_ns, elapsed_ns) = timed();
    let exact = grown(&threads_before, &thread_cpu_ns());
    let (user_after, system_after) = cpu_ns();
    let system_ns = system_of(exact, user_after - user_before, system_after - system_before);
    let (cpu_ns, system_ns) = (Some(exact), Some(system_ns));
    own.tell(Ran { iterations, started_ns, elapsed_ns, cpu_ns, system_ns, ..Ran::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Steps;
    use benchbook_core::{Array, Step, StepsOf};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    #[test]
    fn processor_time_is_exact_in_sum_and_counted_in_its_parts() {
        assert_eq!(system_of(1000, 3, 1), 250);
        assert_eq!(system_of(1000, 0, 0), 0);
        let before = BTreeMap::from([(1, 100), (2, 50)]);
        assert_eq!(grown(&before, &BTreeMap::from([(1, 160), (3, 7)])), 67);
    }

    /// A loop of so many steps, of a tenth of a millisecond each.
    struct Spinning(usize);

    impl Loop for Spinning {
        fn begin(&mut self) {}

        fn step(&mut self, values: &mut [f64]) -> benchbook_core::Result<Step> {
            let end = now_ns() + 100_000;
            while now_ns() < end {}
            self.0 -= 1;
            values[0] = self.0 as f64;
            Ok(Step { tokens: 2, more: self.0 > 0 })
        }

        fn outputs(&mut self) -> benchbook_core::Result<Vec<Array>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn each_step_is_timed_within_its_loop() {
        let of = StepsOf { most: 4, tokens: Some(8), values: vec![("left".into(), "count".into())] };
        let mut room = Room::new(&of);
        let ran = time_steps(&mut Spinning(4), &mut room).unwrap();
        let steps = Steps::heard(&of, &room.told()).unwrap();
        steps.believed(&of, &ran).unwrap();
        assert!(steps.elapsed_ns.iter().all(|ns| *ns >= 100_000) && ran.elapsed_ns >= 400_000, "{steps:?}");
        assert_eq!((ran.iterations, &steps.values[0].2[..]), (1, &[3.0, 2.0, 1.0, 0.0][..]));
        let endless = time_steps(&mut Spinning(5), &mut room).unwrap_err();
        assert!(endless.contains("more than 4 steps"), "{endless}");
    }

    #[test]
    fn who_times_tells_what_has_happened_to_its_thread() {
        let ran = time(&mut |_| std::hint::spin_loop(), 1);
        let told = std::fs::exists("/proc/thread-self/schedstat").unwrap();
        assert_eq!((ran.waited_ns.is_some(), ran.cpu_before.is_some(), ran.cpu_after.is_some()), (told, true, true));
    }

    #[test]
    fn what_a_thread_does_elsewhere_shows_at_once() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let stop = &stop;
            scope.spawn(move || {
                tell.send(nix::unistd::gettid().as_raw()).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let thread = told.recv().unwrap();
            // A clock that is read at ticks grows by a millisecond or more, or not at all.
            let in_part = (0..1000).any(|_| {
                let before = thread_cpu_ns()[&thread];
                std::thread::sleep(std::time::Duration::from_micros(300));
                (50_000..900_000).contains(&(thread_cpu_ns()[&thread] - before))
            });
            stop.store(true, Ordering::Relaxed);
            assert!(in_part, "no look has seen a part of a tick");
        });
    }
}
