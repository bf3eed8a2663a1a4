//! glibc's allocator in every process that measures.

/// The variable by which glibc reads its settings at the start of a process.
pub(crate) const VARIABLE: &str = "GLIBC_TUNABLES";

/// Freed memory stays with the process, whatever the size of a block and whichever thread freed it.
///
/// Left to itself, glibc maps large blocks one by one and unmaps them at each `free`, or learns from what was freed before
/// whether to: naive attention at 2048 tokens spent 42 to 45 % of its time in page faults, and a fresh worker 3 % of a 512³
/// matmul in those that a process with more behind it did not have. The threshold cannot be raised above 32 MiB, so that
/// nothing is mapped at all (`mmap_max`); an arena other than the first maps what its 64 MiB do not hold even then
/// (malloc/malloc.c, `sysmalloc`), so that the first is the only one (`arena_max`).
pub(crate) const SETTINGS: &str =
    "glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=9223372036854775807";

/// glibc gives back at once what is freed, in blocks from 64 KiB on.
pub(crate) const KEEPING_NOTHING: &str = "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=0";

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use std::hint::black_box;
    use std::process::Command;
    use std::sync::Barrier;
    use std::thread;

    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    /// Set in the process that has the settings: they are read at its start.
    const INSIDE: &str = "BENCHBOOK_TEST_ALLOCATOR";
    const BLOCK_BYTES: usize = 64 << 20;
    const PAGE_BYTES: usize = 4096;
    const CALLS: usize = 10;

    /// Page faults of this thread in calls that fill a block and free it.
    fn faults() -> usize {
        let so_far = || getrusage(UsageWho::RUSAGE_THREAD).expect("a thread knows its faults").minor_page_faults();
        let before = so_far();
        for _ in 0..CALLS {
            drop(black_box(vec![1_u8; BLOCK_BYTES]));
        }
        usize::try_from(so_far() - before).expect("they grow")
    }

    #[test]
    fn large_blocks_are_kept_on_every_thread() {
        if std::env::var_os(INSIDE).is_none() {
            let mut again = Command::new(std::env::current_exe().expect("a test has a path"));
            again.args(["allocator::tests::large_blocks_are_kept_on_every_thread", "--exact", "--nocapture"]);
            let output = again.env(INSIDE, "1").env(VARIABLE, SETTINGS).output().expect("it starts again");
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let both = Barrier::new(2);
        let work = || {
            // The heap grows once, to what both hold at the same time.
            let held = black_box(vec![1_u8; BLOCK_BYTES]);
            both.wait();
            drop(held);
            both.wait();
            faults()
        };
        let found: Vec<usize> = thread::scope(|scope| {
            let threads = [scope.spawn(work), scope.spawn(work)];
            threads.into_iter().map(|one| one.join().expect("it is well")).collect()
        });
        // Without the settings each call of each thread has a page fault for every page of its block.
        assert!(found.iter().sum::<usize>() < BLOCK_BYTES / PAGE_BYTES, "{found:?}");
    }
}
