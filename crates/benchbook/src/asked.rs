//! What questions are asked of: a store, and what stands beside it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use benchbook_query::{Session, default_memory_bytes};
use benchbook_record::{LocalStore, Readable, Store};

use crate::{ErrorKind, Result, notebook, opened};

/// The store that the program takes where it is told no other, and the variable that names one.
const USUAL: (&str, &str) = ("results", "BENCHBOOK_STORE");

/// A store, and what questions to it may take.
pub(crate) struct Asked {
    pub(crate) store: Arc<LocalStore>,
    /// CSV files that stand beside the store, by the name of their table.
    csvs: Mutex<BTreeMap<String, PathBuf>>,
    /// What a question may take.
    memory_bytes: AtomicU64,
}

/// The one that a notebook has opened last, of which its cells of SQL ask.
static LAST: Mutex<Option<Arc<Asked>>> = Mutex::new(None);

/// What a panic has left is still whole: each of these holds one value.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asked {
    pub(crate) fn open(store: &Path) -> Result<Arc<Self>> {
        let (store, memory_bytes) = (opened::shared(store)?, AtomicU64::new(default_memory_bytes()?));
        let asked = Arc::new(Self { store, csvs: Mutex::default(), memory_bytes });
        if notebook::live() {
            *held(&LAST) = Some(Arc::clone(&asked));
        }
        Ok(asked)
    }

    /// The one that was opened last, or else the usual store where there is one.
    ///
    /// # Errors
    /// There is neither.
    pub(crate) fn last() -> Result<Arc<Self>> {
        if let Some(last) = held(&LAST).as_ref() {
            return Ok(Arc::clone(last));
        }
        let (folder, variable) = USUAL;
        let named = std::env::var_os(variable).filter(|named| !named.is_empty());
        let store = Path::new(named.as_deref().unwrap_or(OsStr::new(folder)));
        // A question makes no store.
        if store.is_dir() {
            return Self::open(store);
        }
        Err(ErrorKind::NoStore { looked_for: store.display().to_string() }.into())
    }

    pub(crate) fn csv(&self, name: &str, path: &Path) -> Result<()> {
        self.session()?.add_csv(name, path)?;
        held(&self.csvs).insert(name.to_owned(), path.to_owned());
        Ok(())
    }

    pub(crate) fn memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn reader(&self) -> Result<Store> {
        Ok(self.store.reader()?)
    }

    pub(crate) fn session(&self) -> Result<Session> {
        let mut session = Session::open_within(&self.reader()?, self.memory_bytes.load(Ordering::Relaxed))?;
        session.interrupted_by(notebook::interrupted());
        for (name, path) in held(&self.csvs).iter() {
            session.add_csv(name, path)?;
        }
        Ok(session)
    }
}
