//! The one place where time is read.

use benchbook_core::message::Sampled;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Nanoseconds of the system's monotonic clock, the same in every process of a machine.
pub fn now_ns() -> i64 {
    // The call fails only for a clock that does not exist; this one always does.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// Nanoseconds of UTC since 1970, to name a moment; never to measure a duration.
pub fn utc_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// Processor time of all threads of this process so far, in nanoseconds.
pub fn process_cpu_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// Processor time of other processes so far, all their threads, in nanoseconds; one that has ended counts as nothing.
pub fn cpu_ns_of(processes: &[u32]) -> i64 {
    let of = |id: &u32| {
        let time = clock_gettime(clock_getcpuclockid(Pid::from_raw(id.cast_signed())).ok()?).ok()?;
        Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
    };
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

/// User and system time of the whole process so far, in nanoseconds.
fn cpu_ns() -> (i64, i64) {
    let ns = |time: TimeVal| time.tv_sec() * 1_000_000_000 + time.tv_usec() * 1_000;
    getrusage(UsageWho::RUSAGE_SELF).map_or((0, 0), |usage| (ns(usage.user_time()), ns(usage.system_time())))
}

/// Times `iterations` calls: nothing but the calls lies between the two readings of the clock.
pub fn time(work: &mut dyn FnMut(u64), iterations: u64) -> Sampled {
    let (user_before, system_before) = cpu_ns();
    let started_ns = now_ns();
    work(iterations);
    let elapsed_ns = now_ns() - started_ns;
    let (user_after, system_after) = cpu_ns();
    Sampled {
        iterations: iterations.cast_signed(),
        elapsed_ns,
        started_ns,
        cpu_user_ns: user_after - user_before,
        cpu_system_ns: system_after - system_before,
        disturbed: None,
    }
}
