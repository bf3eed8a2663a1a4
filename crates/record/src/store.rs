//! A store as its readers see it.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use benchbook_core::without_passwords;
use benchbook_journal::file::read_small;
use benchbook_journal::folder::run_folder;
use benchbook_journal::{MARKER, check_marker};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::parse_url_opts;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use tokio::runtime::Handle;
use url::Url;

use crate::examine::{Examined, Look, examine};
use crate::place::Place;
use crate::remote::Remote;
use crate::{Error, LocalStore, Result, RunEntry, RunRow, Table, parallel, rows_of};

/// A folder or object-store prefix of runs, for reading only.
///
/// Every method blocks; each may be called inside or outside of an asynchronous runtime.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    location: String,
    place: Place,
    // Not the one that `place` reads through: its connections belong to another runtime.
    object_store: Arc<dyn ObjectStore>,
    root: Url,
}

/// A store that is written to, for reading.
pub trait Readable {
    /// The same store for reading.
    ///
    /// # Errors
    /// As [`Store::local`].
    fn reader(&self) -> Result<Store>;
}

impl Readable for LocalStore {
    fn reader(&self) -> Result<Store> {
        Store::local(self.path())
    }
}

impl Store {
    /// Opens a store by path or URL (`file://`, `s3://`, `http(s)://`, `memory:///`).
    ///
    /// Credentials of object stores are taken from the usual environment variables. A server of
    /// `http(s)://` must be able to list its files (WebDAV).
    ///
    /// # Errors
    /// There is no store, a later benchbook wrote it, or it cannot be reached.
    pub fn open(location: &str) -> Result<Self> {
        Self::open_with(location, None)
    }

    /// As [`Store::open`], reading through the multi-threaded runtime behind `handle`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(location: &str, handle: Handle) -> Result<Self> {
        Self::open_with(location, Some(handle))
    }

    fn open_with(location: &str, handle: Option<Handle>) -> Result<Self> {
        if let Some(folder) = folder_of(location)? {
            return Self::local(folder);
        }
        let told = without_passwords(location);
        let url = Url::parse(location).map_err(Error::location(location))?;
        // Text that is not UTF-8 is no option of an object store.
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut options: Vec<(String, String)> = variables.filter(|(name, _)| name.starts_with("AWS_")).collect();
        if url.scheme() == "http" {
            options.push(("allow_http".into(), "true".into()));
        }
        let connect = || -> Result<Arc<dyn ObjectStore>> {
            let (store, prefix) = parse_url_opts(&url, options.clone()).map_err(Error::location(location))?;
            Ok(Arc::new(PrefixStore::new(store, prefix)))
        };
        Self::remote(&told, connect()?, connect()?, handle)
    }

    /// Opens the store in a folder.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn local(path: impl AsRef<FilePath>) -> Result<Self> {
        let path = path.as_ref();
        let location = path.display().to_string();
        if !path.is_dir() {
            let reason = "there is no such folder; `benchbook run` makes one, `--store` names another".into();
            return Err(Error::NotAStore { location, reason });
        }
        let root = path.canonicalize().map_err(Error::io("open", path))?;
        let marker = match read_small(&root.join(MARKER)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(no_marker(&location)),
            Err(cause) => {
                return Err(Error::Io { doing: "read", path: root.join(MARKER).display().to_string(), cause });
            }
        };
        check_marker(&location, &marker)?;
        let object_store = LocalFileSystem::new_with_prefix(&root)
            .map_err(|cause| Error::Remote { location: location.clone(), cause: cause.into() })?;
        Self::assemble(root.display().to_string(), Place::Local(root), Arc::new(object_store))
    }

    /// Opens the store under `prefix` of an object store that is connected already.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn from_object_store(store: Arc<dyn ObjectStore>, prefix: Path) -> Result<Self> {
        let location = format!("{store}/{prefix}");
        let rooted: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(store, prefix));
        Self::remote(&location, rooted.clone(), rooted, None)
    }

    fn remote(
        location: &str,
        ours: Arc<dyn ObjectStore>,
        theirs: Arc<dyn ObjectStore>,
        handle: Option<Handle>,
    ) -> Result<Self> {
        let place = Place::Remote(Remote::new(location, ours, handle)?);
        match place.read(MARKER) {
            Ok(bytes) => check_marker(location, &bytes)?,
            Err(error) if error.is_absent() => return Err(no_marker(location)),
            Err(error) => return Err(error),
        }
        Self::assemble(location.to_owned(), place, theirs)
    }

    fn assemble(location: String, place: Place, object_store: Arc<dyn ObjectStore>) -> Result<Self> {
        let host = &blake3::hash(location.as_bytes()).to_hex()[..16];
        let root = Url::parse(&format!("benchbook://{host}/"))
            .map_err(|error| Error::Location { location: location.clone(), reason: error.to_string() })?;
        Ok(Self { inner: Arc::new(Inner { location, place, object_store, root }) })
    }

    /// Where the store is: the full path of its folder, or its URL without a password.
    pub fn location(&self) -> &str {
        &self.inner.location
    }

    /// The object store rooted at this store; nothing outside of the store can be reached with it.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.inner.object_store.clone()
    }

    /// A URL that stands for this store, to register [`Store::object_store`] under.
    pub fn root(&self) -> &Url {
        &self.inner.root
    }

    pub(crate) fn place(&self) -> &Place {
        &self.inner.place
    }

    /// Every run looked at, oldest first.
    pub(crate) fn examine(&self, look: Look) -> Result<Vec<Examined>> {
        let listings = self.place().listings()?;
        let mut found = parallel::map(&listings, |listing| examine(self.place(), self.location(), listing, look));
        found.sort_by(|a, b| (a.entry.started_at_ns, &a.entry.run_id).cmp(&(b.entry.started_at_ns, &b.entry.run_id)));
        Ok(found)
    }

    /// Every run with its state, oldest first.
    ///
    /// # Errors
    /// The store cannot be listed; a run that cannot be read is [`crate::RunState::Damaged`].
    pub fn runs(&self) -> Result<Vec<RunEntry>> {
        let look = Look { keep_batches: false, trust_cache: true };
        Ok(self.examine(look)?.into_iter().map(|found| found.entry).collect())
    }

    /// All that is known of a run and its machine.
    ///
    /// # Errors
    /// The run is absent, or its row in `runs` is damaged.
    pub fn run_row(&self, run_id: &str) -> Result<RunRow> {
        let listing = self
            .place()
            .listing(run_id)
            .map_err(|error| if error.is_absent() { self.no_such_run(run_id) } else { error })?;
        if listing.files.is_empty() && listing.refused.is_empty() {
            return Err(self.no_such_run(run_id));
        }
        let look = Look { keep_batches: true, trust_cache: true };
        let found = examine(self.place(), self.location(), &listing, look);
        let batches = match found.parquet.iter().find(|(table, _)| *table == Table::Runs) {
            Some((_, file)) => self.place().parquet(&format!("{}/{}", run_folder(run_id), file.name))?,
            None => found.batches.get(&Table::Runs).cloned().unwrap_or_default(),
        };
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(rows_of::<RunRow>(batch)?);
        }
        rows.into_iter().next().ok_or_else(|| Error::Damaged {
            path: run_folder(run_id),
            reason: found
                .damaged
                .first()
                .map_or_else(|| "its row in `runs` was never written".to_owned(), ToString::to_string),
        })
    }

    fn no_such_run(&self, run_id: &str) -> Error {
        let candidates = format!("the store {} has no such run; `benchbook store ls` lists its runs", self.location());
        Error::NoRun { selector: run_id.to_owned(), candidates }
    }
}

/// The folder that a location means: a path, or a `file://` URL; nothing where the URL is of another kind.
///
/// # Errors
/// A URL that is none, or that means no path on this machine.
pub fn folder_of(location: &str) -> Result<Option<PathBuf>> {
    if !location.contains("://") {
        return Ok(Some(location.into()));
    }
    let url = Url::parse(location).map_err(Error::location(location))?;
    if url.scheme() != "file" {
        return Ok(None);
    }
    url.to_file_path().map(Some).map_err(|()| Error::location(location)("it is not a path on this machine"))
}

/// The error for a location without a marker.
fn no_marker(location: &str) -> Error {
    Error::NotAStore {
        location: location.to_owned(),
        reason: format!("it has no {MARKER}; name the folder that `benchbook run --store` wrote to, or run one there"),
    }
}
