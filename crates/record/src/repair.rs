//! Ending what a dead writer could not.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use benchbook_journal::folder::{MANIFEST, RUN_PREFIX, STAGING_PREFIX, is_locked, lock_dead, sync_folder};
use benchbook_journal::reader::{DAMAGED_JOURNAL, Ending, JOURNAL};
use benchbook_journal::{Disk, disk, file};

use crate::convert::convert;
use crate::examine::{Look, examine};
use crate::place::local_listing;
use crate::{Error, LocalStore, Readable, Result};

/// A folder in the making has no lock for an instant; an old one without a lock is dead.
const STAGING_DEAD_AFTER: Duration = Duration::from_secs(60);

/// What was done for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The run; the folder's name where there is no run.
    pub run_id: String,
    /// What was done, for a person.
    pub action: String,
    /// What of the journal could not be read.
    pub left_out: Option<String>,
    /// Whether nothing was done, for the reason in `left_out`.
    pub untouched: bool,
}

impl Repaired {
    fn done(run_id: &str, action: &str, left_out: Option<String>) -> Self {
        Self { run_id: run_id.to_owned(), action: action.to_owned(), left_out, untouched: false }
    }

    fn not_done(run_id: &str, reason: String) -> Self {
        Self { untouched: true, ..Self::done(run_id, "left it as it is", Some(reason)) }
    }
}

/// Turns the journals of dead runs into Parquet and removes what crashes left over.
///
/// Live runs are not touched, and neither is a journal whose header is damaged or of a later
/// version. A journal that is damaged in the middle is kept beside its Parquet files under another
/// name. A second repair finds nothing to do, but for runs that it must leave as they are: one that holds a link, or
/// whatever else is no regular file, since writing there could change what is not the store's. A run that cannot be
/// repaired keeps nobody from the others, and says why.
///
/// # Errors
/// The folder of the store cannot be read.
pub fn repair(store: &LocalStore) -> Result<Vec<Repaired>> {
    repair_on(store, &disk())
}

pub(crate) fn repair_on(store: &LocalStore, disk: &Disk) -> Result<Vec<Repaired>> {
    let mut done = Vec::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(store.path()).map_err(Error::io("read", store.path()))? {
        let entry = entry.map_err(Error::io("read", store.path()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    for name in names {
        let path = store.path().join(&name);
        let run_id = name.strip_prefix(RUN_PREFIX);
        let repaired = match run_id {
            Some(run_id) => repair_folder(store, &path, run_id, disk),
            None if name.starts_with(STAGING_PREFIX) => remove_unborn(&path, &name),
            None => Ok(None),
        };
        let not_done = |error: Error| Some(Repaired::not_done(run_id.unwrap_or(&name), error.to_string()));
        done.extend(repaired.unwrap_or_else(not_done));
    }
    Ok(done)
}

/// Removes the folder of a run that never began.
fn remove_unborn(path: &Path, name: &str) -> Result<Option<Repaired>> {
    if in_use(path) {
        return Ok(None);
    }
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(Error::io("remove", path))?;
    Ok(Some(Repaired::done(name, "removed a run that never began", None)))
}

fn repair_folder(store: &LocalStore, folder: &Path, run_id: &str, disk: &Disk) -> Result<Option<Repaired>> {
    let refused = local_listing(store.path(), run_id)?.refused.pop_first();
    match refused {
        Some((path, what)) => Ok(Some(Repaired::not_done(run_id, format!("{path}: {what}")))),
        None if folder.is_dir() => repair_run(store, folder, run_id, disk),
        None => Ok(None),
    }
}

/// Whether someone may still be making this folder.
pub(crate) fn in_use(path: &Path) -> bool {
    let locked = fs::read_dir(path).is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file::open(&file.path()).is_ok_and(|file| is_locked(&file))))
    });
    let found = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let age = found.map(|at| SystemTime::now().duration_since(at));
    locked || !matches!(age, Ok(Ok(age)) if age >= STAGING_DEAD_AFTER)
}

fn repair_run(store: &LocalStore, folder: &Path, run_id: &str, disk: &Disk) -> Result<Option<Repaired>> {
    let journal = folder.join(JOURNAL);
    let Some(lock) = lock_dead(&journal)? else { return Ok(None) };
    let repaired = |action: &str, left_out| Ok(Some(Repaired::done(run_id, action, left_out)));
    if folder.join(MANIFEST).exists() && is_whole(store, run_id)? {
        remove(&journal)?;
        sync_folder(folder)?;
        return repaired("removed the journal of a run whose Parquet files are whole", None);
    }
    let (manifest, ending) = match convert(folder, run_id, disk) {
        Ok(converted) => converted,
        // Its header cannot be used: a person may know more.
        Err(Error::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if matches!(ending, Ending::Damaged(_)) {
        let kept = folder.join(DAMAGED_JOURNAL);
        fs::rename(&journal, &kept).map_err(Error::io("rename", &journal))?;
    } else {
        remove(&journal)?;
    }
    sync_folder(folder)?;
    drop(lock);
    let rows: u64 = manifest.files.iter().map(|file| file.rows).sum();
    let left_out = ending.left_out().map(str::to_owned);
    repaired(&format!("turned the journal into Parquet, {rows} rows"), left_out)
}

/// Whether the Parquet files of a run are all there, every checksum computed anew.
fn is_whole(store: &LocalStore, run_id: &str) -> Result<bool> {
    let reader = store.reader()?;
    let listing = reader.place().listing(run_id)?;
    let look = Look { keep_batches: false, trust_cache: false };
    Ok(examine(reader.place(), reader.location(), &listing, look).damaged.is_empty())
}

fn remove(path: &Path) -> Result<()> {
    file::remove(path).map_err(Error::io("remove", path))
}
