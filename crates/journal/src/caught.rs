//! Panics of libraries as words: what they make of a hostile file or statement must not end a program.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is told by an error, and by nothing else.
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread now is told by an error; a panic hook that replaces ours asks this first.
pub fn panics_are_caught() -> bool {
    TOLD.get()
}

/// Keeps panics of this thread off the terminal, or no longer; says whether it did so before.
pub fn told_by_an_error(told: bool) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !TOLD.get() {
                others(panic);
            }
        }));
    });
    TOLD.replace(told)
}

/// The output, or what a panic said.
///
/// # Errors
/// It panicked.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = told_by_an_error(true);
    // What was begun goes with the call; what a library keeps is behind locks that a panic does not poison.
    let outcome = catch_unwind(AssertUnwindSafe(run));
    told_by_an_error(before);
    outcome.map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "it gave no reason".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_words() {
        assert_eq!(caught(|| 1), Ok(1));
        let number = std::hint::black_box(7);
        assert_eq!(caught(|| -> u8 { panic!("at {number}") }), Err("at 7".to_owned()));
        assert_eq!(caught(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
        assert!(!TOLD.get());
    }
}
