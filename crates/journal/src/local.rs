//! A store in a local folder, the only kind that is written to.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::file;
use crate::folder::{STAGING_PREFIX, sync_folder};
use crate::{Error, Result, SCHEMA_VERSION, version};

/// Name of the file that makes a folder a store.
pub const MARKER: &str = "benchbook-store.json";

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    schema_version: u64,
    #[serde(default)]
    about: String,
}

/// Checks the bytes of a store's marker.
///
/// # Errors
/// They are none, or a later benchbook wrote them.
pub fn check_marker(location: &str, bytes: &[u8]) -> Result<()> {
    let marker: Marker = serde_json::from_slice(bytes)
        .map_err(|error| Error::Damaged { path: format!("{location}/{MARKER}"), reason: error.to_string() })?;
    version::check(&format!("the store `{location}`"), marker.schema_version)
}

/// A store that can be written to.
#[derive(Debug, Clone)]
pub struct LocalStore {
    path: PathBuf,
}

impl LocalStore {
    /// Opens the store at `path`; a folder that is absent or empty becomes one.
    ///
    /// # Errors
    /// The folder holds other things, a later benchbook wrote it, or it cannot be written to.
    pub fn create_or_open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let location = path.display().to_string();
        let marker = path.join(MARKER);
        match file::read_small(&marker) {
            Ok(bytes) => check_marker(&location, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Another process may be making the same folder a store at this moment.
                let others = fs::read_dir(path)
                    .map_err(Error::io("read", path))?
                    .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                    .any(|name| !name.starts_with(STAGING_PREFIX) && name != MARKER);
                if others {
                    return Err(Error::NotAStore {
                        location,
                        reason: "it holds other files; name an empty or a new folder for a store".into(),
                    });
                }
                write_marker(path, &marker)?;
            }
            Err(cause) => return Err(Error::Io { doing: "read", path: marker.display().to_string(), cause }),
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn write_marker(folder: &Path, marker: &Path) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let content = Marker {
        schema_version: u64::from(SCHEMA_VERSION),
        about: "a store of benchbook runs: see `benchbook store --help`".into(),
    };
    let mut bytes = serde_json::to_vec_pretty(&content).map_err(Error::format("write", MARKER))?;
    bytes.push(b'\n');
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let draft = folder.join(format!("{STAGING_PREFIX}marker-{}-{count}", std::process::id()));
    file::create(&draft)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, marker))
        .map_err(Error::io("write", marker))?;
    sync_folder(folder)
}
