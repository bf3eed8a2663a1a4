//! Ring attention: one sequence over several workers, as threads and as processes, without burn; and which program the
//! workers of a ring of processes run.

mod crew;
mod member;
pub(crate) mod memory;
mod merge;
mod processes;
mod round;
mod shard;
mod sockets;
mod split;
mod threads;
pub(crate) mod wire;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub use member::member_main;
pub use split::ROWS;

/// The first argument of a worker of a ring.
const WORD: &str = "ring";

/// Whether this program calls [`member_main`].
static THIS_ONE: AtomicBool = AtomicBool::new(false);

/// This program becomes a worker of a ring when it is asked to.
fn this_one_may_be_a_worker() {
    THIS_ONE.store(true, Ordering::Relaxed);
}

/// Where the program lies: this one if it may be a worker, else `BENCHBOOK_WORKER`, else beside this one, as for the
/// workers that measure.
///
/// # Errors
/// There is none, and what to do.
pub(crate) fn program() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
    if THIS_ONE.load(Ordering::Relaxed) { Ok(here) } else { other(std::env::var_os("BENCHBOOK_WORKER"), &here) }
}

fn other(named: Option<OsString>, here: &Path) -> Result<PathBuf, String> {
    let folder = here.parent().unwrap_or(Path::new("."));
    let places = match named.filter(|named| !named.is_empty()) {
        Some(named) => vec![PathBuf::from(named)],
        // Test programs lie one folder below the programs they drive.
        None => vec![folder.join("benchbook-worker"), folder.join("../benchbook-worker")],
    };
    places.iter().find(|place| place.is_file()).cloned().ok_or_else(|| {
        let place = places[0].display();
        format!("no worker program at {place}: build it with `cargo build --release`, or set BENCHBOOK_WORKER")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_program_comes_first_and_none_is_an_error_that_helps() {
        let this = std::env::current_exe().unwrap();
        assert_eq!(other(Some(this.clone().into()), Path::new("/no/such/test")), Ok(this.clone()));
        for (named, here, part) in [
            (Some("/no/such/worker".into()), this.as_path(), "/no/such/worker"),
            (None, Path::new("/no/such/test"), "/no/such/benchbook-worker"),
            (Some("".into()), Path::new("/no/such/test"), "/no/such/benchbook-worker"),
        ] {
            let message = other(named, here).unwrap_err();
            assert!(message.contains(part) && message.contains("BENCHBOOK_WORKER"), "{message}");
        }
    }
}
