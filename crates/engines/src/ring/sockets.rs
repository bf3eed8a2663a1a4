//! The neighbours of a process.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use super::folder::socket;
use super::memory::Memory;
use super::order::{Broken, Used};
use super::round::Link;
use super::wire::{read_floats, write_floats};

/// How often a neighbour is looked for, and the pause between two looks: ten seconds in all.
const LOOKS: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(1);

/// Streams to the next worker and from the one before, and a second block to receive into.
pub struct Sockets {
    to: UnixStream,
    from: UnixStream,
    spare: Vec<f32>,
    memory: Memory,
    lost: fn(),
}

impl Sockets {
    /// Finds both neighbours, when all workers listen: `listener` is this one's own, `next` the worker after it.
    /// `spare` has room for a block; `lost` is called as soon as a neighbour is gone, while this worker may still
    /// compute.
    ///
    /// # Errors
    /// A neighbour that is not there.
    pub fn join(
        listener: &UnixListener,
        folder: &Path,
        next: usize,
        spare: Vec<f32>,
        memory: Memory,
        lost: fn(),
    ) -> io::Result<Self> {
        // Whoever listens is connected to before it accepts: nobody waits for anybody here.
        let to = UnixStream::connect(socket(folder, next))?;
        listener.set_nonblocking(true)?;
        let from = accept(listener)?;
        from.set_nonblocking(false)?;
        Ok(Self { to, from, spare, memory, lost })
    }
}

/// The worker before this one; it may have died, so it is not waited for without end.
fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    for _ in 0..LOOKS {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the worker before it has not come within ten seconds"))
}

impl Link for Sockets {
    /// Sends and receives while it computes, so that the next block is there when the next round begins (Liu et al.,
    /// arXiv 2310.01889, section 3). As both run at once, a full socket stops nobody for good.
    fn pass(
        &mut self,
        block: Vec<f32>,
        compute: &mut dyn FnMut(&[f32]) -> Result<(), Broken>,
    ) -> Result<Vec<f32>, Broken> {
        let mut arriving = std::mem::take(&mut self.spare);
        let (mut to, mut from, lost) = (&self.to, &self.from, self.lost);
        let done = std::thread::scope(|scope| {
            let sent = scope.spawn(|| write_floats(&mut to, &block).inspect_err(|_| lost()));
            let received = scope.spawn(|| read_floats(&mut from, &mut arriving).inspect_err(|_| lost()));
            let computed = compute(&block);
            let carried = [sent.join(), received.join()].map(|done| matches!(done, Ok(Ok(()))));
            computed.and(if carried == [true; 2] { Ok(()) } else { Err(Broken::Elsewhere) })
        });
        self.spare = block;
        done.map(|()| arriving)
    }

    fn used(&self) -> Used {
        self.memory.used()
    }
}
