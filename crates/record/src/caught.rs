//! Panics of libraries on what others wrote: errors, not the end of the program.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread now would become an error that names a damaged file.
///
/// A panic hook asks this before it tells anyone.
pub fn panics_are_caught() -> bool {
    CATCHING.get()
}

/// What `f` gives, or why a library gave up in it.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CATCHING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(outer);
    done.map_err(|panic| format!("it makes no sense: {}", said(panic.as_ref())))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
