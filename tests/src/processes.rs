//! Processes that a test has started, as the system shows them.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// Time between two looks, so that looking takes no core from what is looked at.
pub const LOOK: Duration = Duration::from_millis(2);

/// Looks before something counts as not happening: half a minute at least.
const MOST_LOOKS: u32 = 15_000;

/// Processes whose parent is `parent`.
pub fn children(parent: u32) -> BTreeSet<i32> {
    // A child belongs to the thread that started it.
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let texts = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    texts.flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Whether a process runs.
pub fn alive(id: i32) -> bool {
    // A zombie has ended; only its parent has not asked yet.
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Waits for something that happens in other processes.
///
/// # Panics
/// If it does not happen within half a minute.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..MOST_LOOKS {
        if done() {
            return;
        }
        sleep(LOOK);
    }
    panic!("{what} did not happen within half a minute");
}
