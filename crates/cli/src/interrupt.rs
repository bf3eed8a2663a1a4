//! Ctrl-C: once to end in order, twice to end at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{EXIT_ERROR, Failure, say};

/// A flag that Ctrl-C sets, `doing` said then; a second Ctrl-C ends the program at once.
pub fn interrupt_flag(doing: &'static str) -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let handler = move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_ERROR.into());
        }
        say(format_args!("interrupted: {doing}, once more to stop at once"));
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::while_doing("listening for Ctrl-C", error))?;
    Ok(flag)
}
