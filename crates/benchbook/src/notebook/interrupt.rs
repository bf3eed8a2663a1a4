//! An interrupt of the cell that runs: whoever looks at it stops, and the variables stay.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::Builder;

/// Names the socket at which a Jupyter kernel of ours tells of interrupts.
const SOCKET: &str = "BENCHBOOK_CELLS_SOCKET";
/// By which the kernel tells this process from others at its socket.
const HELLO: &[u8] = b"cells\n";

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// What a cell panics with that stops for an interrupt.
pub(super) struct Interrupted;

/// A flag that is set once the cell that runs is interrupted: runs end in order by it, and questions without an answer.
pub fn interrupted() -> &'static Arc<AtomicBool> {
    &ASKED
}

/// Stops the cell if it is interrupted: for loops of your own that take long.
///
/// # Panics
/// The cell is interrupted; variables of earlier cells stay.
pub fn look() {
    look_at(&ASKED);
}

fn look_at(flag: &AtomicBool) {
    if flag.load(Ordering::Relaxed) {
        panic_any(Interrupted);
    }
}

/// An interrupt of an earlier cell ends no later one.
pub(super) fn clear() {
    ASKED.store(false, Ordering::Relaxed);
}

/// Whether a Jupyter kernel of ours runs this process.
pub(crate) fn is_ours() -> bool {
    std::env::var_os(SOCKET).is_some()
}

/// Listens to the kernel.
///
/// # Errors
/// It is not there, or the system gives no thread.
pub(super) fn listen() -> std::io::Result<()> {
    let Some(socket) = std::env::var_os(SOCKET) else { return Ok(()) };
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(HELLO)?;
    let hear = move || {
        // A byte for each interrupt, until the kernel has gone.
        while stream.read_exact(&mut [0]).is_ok() {
            ASKED.store(true, Ordering::Relaxed);
        }
    };
    Builder::new().name("interrupts".into()).spawn(hear).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_looks_stops() {
        let flag = AtomicBool::new(false);
        look_at(&flag);
        flag.store(true, Ordering::Relaxed);
        let stopped = std::panic::catch_unwind(|| look_at(&flag)).expect_err("it stops");
        assert!(stopped.is::<Interrupted>());
    }
}
