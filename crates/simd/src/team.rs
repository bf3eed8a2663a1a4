//! Threads that wait awake for the next call.
#![expect(unsafe_code, reason = "helpers borrow what the calling thread has on its stack while it waits for them")]

use std::any::Any;
use std::cell::Cell;
use std::iter::once;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Looks at the state between two times that a waiting thread offers its processor to others.
const LOOKS: usize = 64;

/// Times that a helper offers its processor before it goes to sleep: a few hundred microseconds in all, since that is what
/// waking up costs where an idle processor of a virtual machine is halted.
const OFFERS: usize = 200;

/// Tasks of a thread, so that a late one does not hold up the rest for long.
const SHARES: usize = 4;

/// Numbers of a task at least: fewer are done before another thread has heard of them.
const LEAST: usize = 4096;

/// Bits of [`Team::state`]: how many helpers are at work, whether more may join, and from there on the number of the job.
const AT_WORK: u64 = (1 << 16) - 1;
const OPEN: u64 = 1 << 16;
const NEXT_JOB: u64 = 1 << 17;

/// What helpers do: takes tasks until there are none.
type Job<'a> = &'a (dyn Fn() + Sync + 'a);

static TEAM: Team = Team {
    state: AtomicU64::new(0),
    job: AtomicPtr::new(null_mut()),
    asleep: AtomicUsize::new(0),
    bed: Mutex::new(()),
    wake: Condvar::new(),
    helpers: Mutex::new(0),
    panic: Mutex::new(None),
};

thread_local! {
    /// Whether this thread works on a task: what that shares out, it does alone.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

struct Team {
    state: AtomicU64,
    /// Points to a [`Job`]; valid while the state is open, and while anybody is at work.
    job: AtomicPtr<()>,
    asleep: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
    /// How many helpers there are; whoever holds it has the team.
    helpers: Mutex<usize>,
    /// What the first helper that failed had to say.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A parallel for: calls `work` with every task, on this thread and on as many more as rayon's pool has, and returns
/// when all are done.
///
/// rayon wakes its threads for a call from outside of its pool, which takes longer than a small kernel. Helpers of this team
/// look out for the next call for a while before they sleep, and one that wakes too late is not waited for. A call from
/// within rayon's pool stays there; one from within a task is done by its own thread. Nothing is allocated.
///
/// # Panics
/// As `work` does, in this thread, after the other tasks.
pub fn parallel_for<I>(mut tasks: I, work: impl Fn(I::Item) + Sync)
where
    I: Iterator<Item: Send> + Send,
{
    let Some(first) = tasks.next() else { return };
    let Some(second) = tasks.next() else { return work(first) };
    let mut tasks = once(first).chain(once(second)).chain(tasks);
    let threads = rayon::current_num_threads();
    if threads == 1 || BUSY.get() {
        return tasks.for_each(work);
    }
    let tasks = Mutex::new(&mut tasks);
    let next = || locked(&tasks).next();
    let job = || {
        let _busy = Busy::start();
        while let Some(task) = next() {
            work(task);
        }
    };
    let outside = rayon::current_thread_index().is_none();
    if !(outside && TEAM.run(threads - 1, &job)) {
        within_pool(threads, &job);
    }
}

/// Of so many rows, those of a task; `width` is not 0.
pub fn each(rows: usize, width: usize) -> usize {
    rows.div_ceil(SHARES * rayon::current_num_threads()).max(LEAST.div_ceil(width))
}

/// `job` on `threads` threads of rayon's pool, as far as they have nothing else to do.
fn within_pool(threads: usize, job: Job) {
    if threads < 2 {
        return job();
    }
    rayon::join(|| within_pool(threads / 2, job), || within_pool(threads - threads / 2, job));
}

/// Marks this thread as busy, until dropped.
struct Busy;

impl Busy {
    fn start() -> Self {
        BUSY.set(true);
        Self
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

impl Team {
    /// Does `job` here and on `helpers` others; false where another thread has the team.
    fn run(&'static self, helpers: usize, job: Job) -> bool {
        let Ok(mut started) = self.helpers.try_lock() else { return false };
        while *started < helpers {
            let name = format!("benchbook-simd-{started}");
            // Whoever is there does the work.
            if thread::Builder::new().name(name).spawn(|| self.help()).is_err() {
                break;
            }
            *started += 1;
        }
        self.job.store((&raw const job).cast_mut().cast(), Ordering::Relaxed);
        let number = self.state.load(Ordering::Relaxed) / NEXT_JOB + 1;
        self.state.store((number * NEXT_JOB) | OPEN, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            drop(locked(&self.bed));
            self.wake.notify_all();
        }
        let mine = catch_unwind(AssertUnwindSafe(job));
        self.close();
        // Taken whoever failed: the next job shall not hear of it.
        let theirs = locked(&self.panic).take();
        drop(started);
        match mine.err().or(theirs) {
            Some(panic) => resume_unwind(panic),
            None => true,
        }
    }

    /// Lets nobody join any more, and waits for those who have.
    fn close(&self) {
        self.state.fetch_and(!OPEN, Ordering::Relaxed);
        let mut looks = 0_usize;
        while self.state.load(Ordering::Acquire) & AT_WORK != 0 {
            looks += 1;
            if looks.is_multiple_of(LOOKS) {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }

    /// The life of a helper.
    fn help(&self) {
        let mut last = 0;
        loop {
            let state = self.next_job(last);
            if self.state.compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                continue;
            }
            last = state / NEXT_JOB;
            let job = self.job.load(Ordering::Relaxed).cast_const().cast::<Job>();
            // SAFETY: whoever published the job waits, in `close`, until everybody who has joined is done.
            let done = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)() }));
            if let Err(panic) = done {
                locked(&self.panic).get_or_insert(panic);
            }
            self.state.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a job after number `last` that can be joined, and gives the state that says so.
    fn next_job(&self, last: u64) -> u64 {
        let there = |order| {
            let state = self.state.load(order);
            (state & OPEN != 0 && state / NEXT_JOB != last).then_some(state)
        };
        for _ in 0..OFFERS {
            for _ in 0..LOOKS {
                if let Some(state) = there(Ordering::Relaxed) {
                    return state;
                }
                std::hint::spin_loop();
            }
            thread::yield_now();
        }
        let mut bed = locked(&self.bed);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let state = loop {
            if let Some(state) = there(Ordering::SeqCst) {
                break state;
            }
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        state
    }
}

/// What a mutex holds, whoever failed meanwhile: nothing here is left half changed.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of `count` tasks is done.
    fn done(count: usize) -> Vec<usize> {
        let times: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        parallel_for(0..count, |task| {
            times[task].fetch_add(1, Ordering::Relaxed);
        });
        times.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn every_task_is_done_once_from_anywhere() {
        for round in 0..3000 {
            let count = round % 37;
            assert_eq!(done(count), vec![1; count]);
        }
        rayon::scope(|_| assert_eq!(done(100), vec![1; 100]));
        // Several threads want the team at once: those that do not get it use rayon's pool.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..300).for_each(|_| assert_eq!(done(20), vec![1; 20])));
            }
        });
    }

    #[test]
    fn tasks_are_neither_too_small_nor_too_few() {
        assert_eq!(each(1, 1 << 17), 1);
        assert_eq!(each(3, 7), LEAST.div_ceil(7));
        let threads = rayon::current_num_threads();
        assert_eq!(each(SHARES * threads * 100, 4096), 100);
    }

    #[test]
    fn a_task_may_share_out_its_own() {
        let inner = Mutex::new(Vec::new());
        parallel_for(0..8, |_| inner.lock().unwrap().push(done(5)));
        assert_eq!(inner.into_inner().unwrap(), vec![vec![1; 5]; 8]);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_others_go_on() {
        for _ in 0..50 {
            let finished = AtomicUsize::new(0);
            let failed = catch_unwind(AssertUnwindSafe(|| {
                parallel_for(0..40, |task| {
                    assert!(task != 7, "task seven");
                    finished.fetch_add(1, Ordering::Relaxed);
                });
            }));
            let said = failed.unwrap_err();
            assert!(said.downcast_ref::<&str>().is_some_and(|said| said.contains("task seven")));
            assert!((7..40).contains(&finished.into_inner()));
            assert_eq!(done(30), vec![1; 30]);
        }
    }

    #[test]
    fn what_failed_everywhere_is_said_once() {
        for _ in 0..50 {
            let failed = catch_unwind(|| parallel_for(0..40, |task| assert!(task == usize::MAX, "every task")));
            assert!(failed.is_err());
            assert_eq!(done(30), vec![1; 30]);
        }
    }

    #[test]
    fn helpers_that_went_to_sleep_come_back() {
        let asleep = || TEAM.asleep.load(Ordering::SeqCst);
        done(10);
        if rayon::current_num_threads() > 1 {
            // Other tests use the team too: it rests when they are done.
            while asleep() == 0 {
                thread::yield_now();
            }
        }
        // Tasks that wait for each other: as many as there are threads, two at most.
        let needed = 2.min(rayon::current_num_threads());
        let both = std::sync::Barrier::new(needed);
        let ids = Mutex::new(std::collections::HashSet::new());
        parallel_for(0..needed, |_| {
            both.wait();
            ids.lock().unwrap().insert(thread::current().id());
        });
        assert_eq!(ids.into_inner().unwrap().len(), needed);
    }
}
