//! The two kinds of places a store can be in, as one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use arrow::record_batch::RecordBatch;
use benchbook_journal::file;
use benchbook_journal::folder::{MANIFEST, RUN_PREFIX, is_locked, run_folder};
use benchbook_journal::reader::{DAMAGED_JOURNAL, JOURNAL};

use crate::manifest::MANIFEST_DRAFT;
use crate::remote::Remote;
use crate::{Error, Result, Table, parquet_file};

/// A file that was changed this recently may change again without a new time stamp.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// A file of a run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileInfo {
    pub(crate) size_bytes: u64,
    /// Changes whenever the content does; none while that cannot be relied on.
    pub(crate) stamp: Option<String>,
}

/// A run's folder: the text after `run_id=` and the files by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) run_id: String,
    pub(crate) files: BTreeMap<String, FileInfo>,
    /// Links, pipes, folders in the place of a file and the like, by path relative to the store: what each is. Nothing
    /// of such a run is read.
    pub(crate) refused: BTreeMap<String, String>,
}

/// A journal opened for reading.
pub(crate) struct OpenJournal {
    pub(crate) reader: Box<dyn Read>,
    pub(crate) size_bytes: u64,
    /// Whether its writer holds the lock; an object store has no locks.
    pub(crate) live: bool,
}

/// Where a store is.
#[derive(Debug)]
pub(crate) enum Place {
    Local(PathBuf),
    Remote(Remote),
}

impl Place {
    /// Every run's folder with its files.
    pub(crate) fn listings(&self) -> Result<Vec<Listing>> {
        match self {
            Self::Local(root) => local_listings(root),
            Self::Remote(remote) => remote_listings(remote),
        }
    }

    /// The files of one run's folder now.
    pub(crate) fn listing(&self, run_id: &str) -> Result<Listing> {
        match self {
            Self::Local(root) => local_listing(root, run_id),
            Self::Remote(remote) => Ok(remote_listings(remote)?
                .into_iter()
                .find(|listing| listing.run_id == run_id)
                .unwrap_or_else(|| Listing { run_id: run_id.to_owned(), ..Listing::default() })),
        }
    }

    /// Passes a file's bytes to `to`, piece by piece.
    pub(crate) fn copy(&self, path: &str, to: &mut (dyn Write + Send)) -> Result<()> {
        match self {
            Self::Local(root) => {
                let path = root.join(path);
                let file = file::open_bounded(&path).map_err(Error::io("open", &path))?;
                let mut file = BufReader::with_capacity(1 << 17, file);
                io::copy(&mut file, to).map_err(Error::io("copy", &path))?;
                Ok(())
            }
            Self::Remote(remote) => remote.copy(path, to),
        }
    }

    /// A whole file.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.copy(path, &mut bytes)?;
        Ok(bytes)
    }

    /// Every batch of a Parquet file.
    pub(crate) fn parquet(&self, path: &str) -> Result<Vec<RecordBatch>> {
        match self {
            Self::Local(root) => {
                let file = root.join(path);
                parquet_file::read(path, file::open(&file).map_err(Error::io("open", &file))?)
            }
            Self::Remote(remote) => remote.parquet(path),
        }
    }

    /// Opens a journal and sees whether its writer is at work.
    pub(crate) fn journal(&self, path: &str) -> Result<OpenJournal> {
        match self {
            Self::Local(root) => {
                let path = root.join(path);
                let file = file::open(&path).map_err(Error::io("open", &path))?;
                // In this order: of a writer that is dead now, every byte is there.
                let live = is_locked(&file);
                let file = file::bounded(file).map_err(Error::io("read", &path))?;
                let size_bytes = file.limit();
                let reader = Box::new(BufReader::with_capacity(1 << 16, file));
                Ok(OpenJournal { reader, size_bytes, live })
            }
            Self::Remote(remote) => {
                let size_bytes = remote.size_bytes(path)?;
                Ok(OpenJournal { reader: Box::new(Cursor::new(self.read(path)?)), size_bytes, live: false })
            }
        }
    }
}

fn local_listings(root: &Path) -> Result<Vec<Listing>> {
    let mut listings = Vec::new();
    for entry in fs::read_dir(root).map_err(Error::io("read", root))? {
        let entry = entry.map_err(Error::io("read", root))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(run_id) = name.strip_prefix(RUN_PREFIX) {
            listings.push(local_listing(root, run_id)?);
        }
    }
    Ok(listings)
}

/// The files of one run's folder in the store at `root`.
pub(crate) fn local_listing(root: &Path, run_id: &str) -> Result<Listing> {
    let name = run_folder(run_id);
    let folder = &root.join(&name);
    let mut listing = Listing { run_id: run_id.to_owned(), ..Listing::default() };
    let now = SystemTime::now();
    if folder.is_symlink() {
        listing.refused.insert(name, "it is a symbolic link, not a folder".into());
        return Ok(listing);
    }
    // A file under a run's name is a run without files, and is named as one.
    if !folder.is_dir() {
        return Ok(listing);
    }
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        // That of a link itself.
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // A journal goes away when its run ends.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(cause) => return Err(Error::Io { doing: "read", path: entry.path().display().to_string(), cause }),
        };
        let file = entry.file_name().to_string_lossy().into_owned();
        if let Err(what) = file::regular(&metadata) {
            // What lies in a folder of someone's own is not looked for.
            if !metadata.is_dir() || is_ours(&file) {
                listing.refused.insert(format!("{name}/{file}"), what.to_string());
            }
            continue;
        }
        let changed = metadata.modified().ok();
        let settled = changed.filter(|at| now.duration_since(*at).is_ok_and(|age| age >= SETTLED_AFTER));
        let stamp = settled.and_then(|at| Some(at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos().to_string()));
        listing.files.insert(file, FileInfo { size_bytes: metadata.len(), stamp });
    }
    Ok(listing)
}

/// Whether a file of a run has this name.
fn is_ours(name: &str) -> bool {
    [JOURNAL, DAMAGED_JOURNAL, MANIFEST, MANIFEST_DRAFT].contains(&name)
        || Table::ALL.iter().any(|table| table.file_name() == name)
}

fn remote_listings(remote: &Remote) -> Result<Vec<Listing>> {
    let mut listings: BTreeMap<String, Listing> = BTreeMap::new();
    for object in remote.list()? {
        let path = object.location.as_ref();
        let Some((run_id, name)) = path.strip_prefix(RUN_PREFIX).and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        let listing = listings.entry(run_id.to_owned()).or_default();
        listing.run_id = run_id.to_owned();
        listing.files.insert(name.to_owned(), FileInfo { size_bytes: object.size, stamp: object.e_tag });
    }
    Ok(listings.into_values().collect())
}
