//! The end of the kernel with the program that has started it: a server that is killed asks nobody to end.

use std::os::unix::process::parent_id;
use std::process::exit;
use std::thread::{Builder, sleep};
use std::time::Duration;

use crate::session::Session;

/// Set by Jupyter to its process id, where the kernel is to end with it.
const PARENT: &str = "JPY_PARENT_PID";

/// How often is looked: a kernel that measures must not be woken for this.
const PAUSE: Duration = Duration::from_secs(10);

/// Begins to watch whoever has started this process, if that wants it.
pub(crate) fn end_with_it(session: &Session) {
    let named = std::env::var(PARENT).ok().and_then(|id| id.parse::<u32>().ok());
    // One that has gone by now, or has started somebody else to start this, is not watched.
    let Some(parent) = named.filter(|id| *id == parent_id()) else { return };
    let session = session.clone();
    let watch = move || {
        while parent_id() == parent {
            sleep(PAUSE);
        }
        session.finish();
        exit(1);
    };
    // Where there is no thread, the kernel stays, as others do.
    let _ = Builder::new().name("parent".into()).spawn(watch);
}
