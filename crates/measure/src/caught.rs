//! Whether a kernel runs whose panic is a failed trial, not the end of the program.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Whether a panic now, on whatever thread, would be recorded as a kernel's failure.
///
/// A panic hook asks this before it tells anyone.
pub fn kernel_panics_are_caught() -> bool {
    RUNNING.load(Ordering::Relaxed) > 0
}

/// While one lives, panics are caught.
pub(crate) struct Caught;

impl Caught {
    pub(crate) fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
