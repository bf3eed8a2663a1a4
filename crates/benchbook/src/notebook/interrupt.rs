//! An interrupt of the cell that runs: whoever looks at it stops, and the variables stay.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::Builder;

/// Names the socket at which a Jupyter kernel of ours tells of interrupts.
const SOCKET: &str = "BENCHBOOK_CELLS_SOCKET";
/// By which the kernel tells this process from others at its socket.
const HELLO: &[u8] = b"cells\n";

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The cell of the notebook that runs, and the one that was interrupted last; 0 is none. They come by different ways, and
/// either may be the first.
#[derive(Debug, Default, Clone, Copy)]
struct Numbers {
    runs: u64,
    interrupted: u64,
}

impl Numbers {
    fn asks(self) -> bool {
        self.runs != 0 && self.runs == self.interrupted
    }
}

static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { runs: 0, interrupted: 0 });

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

/// A cell begins: an interrupt of another one does not end it.
pub(super) fn begin(cell: u64) {
    change(|numbers| numbers.runs = cell);
}

fn change(set: impl FnOnce(&mut Numbers)) {
    let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
    set(&mut numbers);
    ASKED.store(numbers.asks(), Ordering::Relaxed);
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
        // A line for each interrupt, the number of its cell, until the kernel has gone.
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            change(|numbers| numbers.interrupted = line.parse().unwrap_or(0));
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

    #[test]
    fn an_interrupt_is_for_the_cell_that_it_names() {
        let asks = |runs, interrupted| Numbers { runs, interrupted }.asks();
        assert!(asks(3, 3));
        assert!(!asks(3, 2) && !asks(2, 3) && !asks(0, 0));
    }
}
