//! A folder for sockets.

use std::fs::{DirBuilder, remove_dir_all};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

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
