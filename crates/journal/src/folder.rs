//! Folders of runs on a local disk: made in secret and renamed, guarded by a lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::file;
use crate::reader::JOURNAL;
use crate::{Error, Result};

/// What the name of a run's folder begins with; the run id follows.
pub const RUN_PREFIX: &str = "run_id=";

/// Name of the manifest in a run's folder.
pub const MANIFEST: &str = "manifest.json";

/// What the name of a folder begins with while it is being made.
pub const STAGING_PREFIX: &str = ".new-";

/// The folder of a run, relative to its store.
pub fn run_folder(run_id: &str) -> String {
    format!("{RUN_PREFIX}{run_id}")
}

/// A run's folder that readers do not see yet; removed unless it is committed.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    committed: bool,
}

impl Staging {
    /// A folder in the making in the store at `store`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new(store: &Path, run_id: &str) -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = store.join(format!("{STAGING_PREFIX}{run_id}-{}-{count}", std::process::id()));
        fs::create_dir(&path).map_err(Error::io("create", &path))?;
        Ok(Self { path, committed: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder visible as that of `run_id`: the only moment at which two writers can meet.
    ///
    /// # Errors
    /// The run is there already, or the disk refuses.
    pub fn commit(mut self, store: &Path, run_id: &str) -> Result<PathBuf> {
        let folder = store.join(run_folder(run_id));
        if let Err(cause) = fs::rename(&self.path, &folder) {
            return Err(match refuse_existing(&folder, run_id) {
                Err(taken) => taken,
                Ok(()) => Error::Io { doing: "create", path: folder.display().to_string(), cause },
            });
        }
        self.committed = true;
        sync_folder(store)?;
        Ok(folder)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.committed {
            // What remains is removed by a repair.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// An error if the run is there already, live or not.
pub(crate) fn refuse_existing(folder: &Path, run_id: &str) -> Result<()> {
    // A link that leads nowhere has taken the name too.
    if fs::symlink_metadata(folder).is_err() {
        return Ok(());
    }
    let live =
        !folder.join(MANIFEST).exists() && file::open(&folder.join(JOURNAL)).is_ok_and(|journal| is_locked(&journal));
    let run_id = run_id.to_owned();
    Err(if live { Error::Busy { run_id } } else { Error::Exists { run_id } })
}

/// Creates a file that this handle alone may write, locked before anyone can see it.
///
/// # Errors
/// Another handle holds the lock, or the disk refuses.
pub fn create_locked(path: &Path, run_id: &str) -> Result<File> {
    let file =
        OpenOptions::new().read(true).append(true).create_new(true).open(path).map_err(Error::io("create", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { run_id: run_id.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(Error::Io { doing: "lock", path: path.display().to_string(), cause }),
    }
}

/// Whether another handle holds the lock of a journal.
pub fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            // Closing the file would do the same, later.
            let _ = file.unlock();
            false
        }
        Err(TryLockError::WouldBlock) => true,
        // A file system without locks cannot have a live run on it: its writer was refused.
        Err(TryLockError::Error(_)) => false,
    }
}

/// Takes the lock of a dead journal, or nothing if a writer holds it.
///
/// # Errors
/// The disk refuses.
pub fn lock_dead(path: &Path) -> Result<Option<File>> {
    let file = match file::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::Io { doing: "open", path: path.display().to_string(), cause }),
    };
    // A reader asks for the lock for an instant to see whether the run is live.
    for _ in 0..5 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::Error(cause)) => {
                return Err(Error::Io { doing: "lock", path: path.display().to_string(), cause });
            }
        }
    }
    Ok(None)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// The disk refuses.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", folder))
}
