//! What a reader is told of a run, and what a query may read at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use benchbook_journal::folder::run_folder;
use chrono::DateTime;
use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::examine::Look;
use crate::{Result, Store, Table};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It ended by itself.
    Finished,
    /// Its writer is at work.
    Live,
    /// Its writer was stopped, by a person or by force; what was written is there.
    Interrupted,
    /// Something of it fails its checksum; the reason. The rest is there.
    Damaged(String),
}

impl RunState {
    /// The state in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Live => "live",
            Self::Interrupted => "interrupted",
            Self::Damaged(_) => "damaged",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A file that was left out, whole or from some byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file, relative to the store.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its name in the run's folder.
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A run as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// UUIDv7 as lower-case text.
    pub run_id: String,
    /// When it began, in nanoseconds since 1970 UTC; from the id where nothing else says it.
    pub started_at_ns: i64,
    /// Name of its plan; empty where nothing says it.
    pub suite: String,
    /// Names given by the user.
    pub tags: Vec<String>,
    /// Where it stands.
    pub state: RunState,
    /// Its files, by name.
    pub files: Vec<RunFile>,
}

impl fmt::Display for RunEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let started = DateTime::from_timestamp_nanos(self.started_at_ns);
        write!(f, "{} ({} {}", self.run_id, started.format("%Y-%m-%d %H:%M:%S"), self.suite)?;
        if !self.tags.is_empty() {
            write!(f, ", tags {}", self.tags.join(" "))?;
        }
        f.write_str(")")
    }
}

/// A Parquet file whose checksum was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetFile {
    /// Its table.
    pub table: Table,
    /// Its run.
    pub run_id: String,
    /// Where it is in [`Snapshot::object_store`].
    pub path: Path,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// Everything that may be read of a store, and what may not.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Files of runs that have ended, oldest run first.
    pub parquet: Vec<ParquetFile>,
    /// Rows of runs that have only a journal, with [`Table::schema`].
    pub batches: BTreeMap<Table, Vec<RecordBatch>>,
    /// What was left out.
    pub damaged: Vec<Damaged>,
    /// The object store that [`ParquetFile::path`] is relative to; it reaches nothing else.
    pub object_store: Arc<dyn ObjectStore>,
    /// A URL that stands for the store, to register `object_store` under.
    pub root: Url,
    /// Where each run stands.
    pub states: BTreeMap<String, RunState>,
}

impl Store {
    /// Looks at every run and checks every checksum; only what is whole is offered.
    ///
    /// # Errors
    /// The store cannot be listed; damaged files are not errors but [`Snapshot::damaged`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut snapshot = Snapshot {
            parquet: Vec::new(),
            batches: BTreeMap::new(),
            damaged: Vec::new(),
            object_store: self.object_store(),
            root: self.root().clone(),
            states: BTreeMap::new(),
        };
        for found in self.examine(Look { keep_batches: true, trust_cache: true })? {
            let run_id = found.entry.run_id;
            let folder = run_folder(&run_id);
            snapshot.parquet.extend(found.parquet.into_iter().map(|(table, file)| ParquetFile {
                table,
                run_id: run_id.clone(),
                path: Path::from(format!("{folder}/{}", file.name)),
                size_bytes: file.size_bytes,
                rows: file.rows,
            }));
            for (table, batches) in found.batches {
                snapshot.batches.entry(table).or_default().extend(batches);
            }
            snapshot.damaged.extend(found.damaged);
            snapshot.states.insert(run_id, found.entry.state);
        }
        Ok(snapshot)
    }
}
