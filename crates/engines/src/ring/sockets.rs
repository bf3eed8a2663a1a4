//! The neighbours of a process, and the folder in which they find each other.

use std::fs::{DirBuilder, remove_dir_all};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::memory::Memory;
use super::round::{Broken, Link, Used};
use super::wire::{read_floats, write_floats};

/// Bytes of the folder that temporary ones are made in, at most: a socket's path has 107 at most.
const LONGEST: usize = 60;

/// Names that are tried: those that exist were left behind by a process that was killed.
const TRIES: usize = 1000;

/// A folder that nobody else may enter; it goes when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one, with a short path.
    ///
    /// # Errors
    /// There is no place where one can be made.
    pub fn new() -> io::Result<Self> {
        let named = std::env::temp_dir();
        let base = if named.as_os_str().len() <= LONGEST { named } else { PathBuf::from("/tmp") };
        Self::inside(&base)
    }

    fn inside(base: &Path) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..TRIES {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("ring-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => last = error,
            }
            if last.kind() != io::ErrorKind::AlreadyExists {
                break;
            }
        }
        Err(io::Error::new(last.kind(), format!("a folder for sockets in {}: {last}", base.display())))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Where worker `worker` of a ring listens.
pub fn socket(folder: &Path, worker: usize) -> PathBuf {
    folder.join(worker.to_string())
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Sockets that are connected live on without it.
        let _ = remove_dir_all(&self.0);
    }
}

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn folders_are_short_private_apart_and_removed() {
        let (first, second) = (Folder::new().unwrap(), Folder::new().unwrap());
        assert_ne!(first.path(), second.path());
        assert!(socket(first.path(), 255).as_os_str().len() < 108);
        assert_eq!(first.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
        let message = Folder::inside(Path::new("/no/such/place")).err().unwrap().to_string();
        assert!(message.contains("/no/such/place"), "{message}");
    }
}
