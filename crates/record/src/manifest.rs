//! The manifest of a finished run: what it holds, and the checksum of each file.
//!
//! It is written last, by rename, so its presence decides that the Parquet files count. Its own
//! checksum is that of its bytes with the checksum's digits replaced by zeros.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use benchbook_journal::folder::{MANIFEST, sync_folder};
use benchbook_journal::{Disk, file, version};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, SCHEMA_VERSION, Table};

/// Name of a manifest that is still being written.
pub(crate) const MANIFEST_DRAFT: &str = "manifest.json.new";

const DIGITS: usize = 64;

/// What a finished run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    pub(crate) run_id: String,
    pub(crate) started_at_ns: i64,
    pub(crate) suite: String,
    pub(crate) tags: Vec<String>,
    /// Whether the run has an outcome other than `interrupted`.
    pub(crate) finished: bool,
    /// What the journal held that could not be read when it became Parquet.
    pub(crate) left_out: Option<String>,
    pub(crate) files: Vec<ManifestFile>,
    pub(crate) checksum: String,
}

/// One Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManifestFile {
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) size_bytes: u64,
    pub(crate) blake3: String,
}

impl ManifestFile {
    pub(crate) fn table(&self) -> Result<Table> {
        Table::from_name(&self.table)
    }
}

/// The checksum of a manifest's bytes, without the digits of the checksum itself.
pub(crate) fn checksum(bytes: &[u8], digits: &str) -> Option<String> {
    let at = bytes.windows(DIGITS).position(|window| window == digits.as_bytes())?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..at]).update(&[b'0'; DIGITS]).update(&bytes[at + DIGITS..]);
    Some(hasher.finalize().to_hex().to_string())
}

impl Manifest {
    /// The bytes to write, with the checksum filled in.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let zeros = "0".repeat(DIGITS);
        let render = |digits: &str| {
            let manifest = Self { checksum: digits.to_owned(), ..self.clone() };
            serde_json::to_vec_pretty(&manifest).map_err(Error::format("write", MANIFEST))
        };
        let blank = render(&zeros)?;
        let digits = checksum(&blank, &zeros).unwrap_or_default();
        render(&digits)
    }

    /// Reads and checks a manifest; `path` names it in messages.
    ///
    /// # Errors
    /// Its bytes fail their checksum, a later benchbook wrote it, or it speaks of unknown things.
    pub(crate) fn from_bytes(path: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |reason: &str| Error::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| damaged("it is not JSON"))?;
        let digits = value["checksum"].as_str().unwrap_or_default();
        if digits.len() != DIGITS || checksum(bytes, digits).as_deref() != Some(digits) {
            return Err(damaged("it fails its checksum"));
        }
        version::check(path, value["schema_version"].as_u64().unwrap_or_default())?;
        let manifest: Self = serde_json::from_value(value).map_err(|error| damaged(&error.to_string()))?;
        let mut tables = BTreeSet::new();
        for file in &manifest.files {
            let table = file.table()?;
            if table.file_name() != file.name || !version::has(u64::from(manifest.schema_version), table) {
                return Err(damaged(&format!("it names a strange file `{}`", file.name)));
            }
            if !tables.insert(table) {
                return Err(damaged(&format!("it names `{}` twice", file.name)));
            }
        }
        Ok(manifest)
    }

    /// Writes the manifest into `folder`, whole or not at all.
    pub(crate) fn write(&self, folder: &Path, disk: &Disk) -> Result<()> {
        let bytes = self.to_bytes()?;
        let (path, draft) = (folder.join(MANIFEST), folder.join(MANIFEST_DRAFT));
        let file = file::create(&draft).map_err(Error::io("create", &draft))?;
        let handle = file.try_clone().map_err(Error::io("open", &draft))?;
        let written = disk(file).write_all(&bytes).and_then(|()| handle.sync_all());
        if let Err(cause) = written.and_then(|()| fs::rename(&draft, &path)) {
            // The draft means nothing to a reader; failing to remove it changes nothing.
            let _ = fs::remove_file(&draft);
            return Err(Error::Io { doing: "write", path: path.display().to_string(), cause });
        }
        sync_folder(folder)
    }
}

/// An empty manifest of the version this build writes.
impl Default for Manifest {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run_id: String::new(),
            started_at_ns: 0,
            suite: String::new(),
            tags: Vec::new(),
            finished: false,
            left_out: None,
            files: Vec::new(),
            checksum: String::new(),
        }
    }
}
