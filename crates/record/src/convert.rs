//! A journal becomes Parquet files and a manifest.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use benchbook_journal::folder::sync_folder;
use benchbook_journal::reader::{self, Ending, JOURNAL, Summary};
use benchbook_journal::{Disk, Sink, file};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::digest::Hashing;
use crate::manifest::{Manifest, ManifestFile};
use crate::parquet_file::properties;
use crate::{Ended, Error, Result, Table, caught};

/// The system's own answer where it is the system that refused.
fn refused(path: &Path) -> impl FnOnce(ParquetError) -> Error {
    move |error| {
        let path = path.display().to_string();
        match error {
            ParquetError::External(cause) => match cause.downcast::<io::Error>() {
                Ok(cause) => Error::Io { doing: "write", path, cause: *cause },
                Err(cause) => Error::Format { doing: "write", path, reason: cause.to_string() },
            },
            error => Error::Format { doing: "write", path, reason: error.to_string() },
        }
    }
}

struct Output {
    path: PathBuf,
    file: File,
    writer: ArrowWriter<Hashing<Sink>>,
    rows: u64,
}

impl Output {
    fn create(folder: &Path, table: Table, disk: &Disk) -> Result<Self> {
        let path = folder.join(table.file_name());
        let file = file::create(&path).map_err(Error::io("create", &path))?;
        let handle = file.try_clone().map_err(Error::io("open", &path))?;
        let writer = ArrowWriter::try_new(Hashing::new(disk(handle)), table.schema(), Some(properties()))
            .map_err(refused(&path))?;
        Ok(Self { path, file, writer, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(refused(&self.path))
    }

    fn close(mut self, table: Table) -> Result<ManifestFile> {
        // `into_inner` would turn a full disk into mere text.
        self.writer.finish().map_err(refused(&self.path))?;
        self.file.sync_all().map_err(Error::io("sync", &self.path))?;
        let (size_bytes, blake3) = self.writer.inner().result();
        Ok(ManifestFile { table: table.name().into(), name: table.file_name(), rows: self.rows, size_bytes, blake3 })
    }
}

/// Keeps a run that has ended as one Parquet file a table beside a manifest of checksums; the journal goes.
///
/// # Errors
/// The disk refuses; the journal is then still there.
pub fn to_parquet(ended: &Ended<'_>) -> Result<()> {
    convert(ended.folder, ended.run_id, ended.disk)?;
    let path = ended.folder.join(JOURNAL);
    fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    sync_folder(ended.folder)
}

/// Turns the whole frames of the journal in `folder` into Parquet files and writes the manifest;
/// the journal stays. The caller holds the journal's lock.
///
/// # Errors
/// The journal has no usable header, or writing fails: what was written is removed again.
pub(crate) fn convert(folder: &Path, run_id: &str, disk: &Disk) -> Result<(Manifest, Ending)> {
    let mut outputs = BTreeMap::new();
    let written = caught(|| -> Result<(Manifest, Ending)> {
        let (summary, ending) = write_tables(folder, run_id, disk, &mut outputs)?;
        let tables = std::mem::take(&mut outputs);
        let files =
            tables.into_iter().map(|(table, output): (Table, Output)| output.close(table)).collect::<Result<_>>()?;
        let manifest = Manifest {
            run_id: run_id.to_owned(),
            started_at_ns: summary.started_at_ns,
            suite: summary.suite,
            tags: summary.tags,
            finished: summary.finished,
            // A torn end is how a killed writer leaves its journal: nothing that was whole is missing.
            left_out: match &ending {
                Ending::Damaged(reason) => Some(reason.clone()),
                _ => None,
            },
            files,
            ..Manifest::default()
        };
        manifest.write(folder, disk)?;
        Ok((manifest, ending))
    });
    let path = folder.join(JOURNAL).display().to_string();
    let written = written.unwrap_or_else(|reason| Err(Error::Format { doing: "convert", path, reason }));
    if written.is_err() {
        drop(outputs);
        for table in Table::ALL {
            // Without a manifest they mean nothing, and a full disk can use the room.
            let _ = fs::remove_file(folder.join(table.file_name()));
        }
    }
    written
}

fn write_tables(
    folder: &Path,
    run_id: &str,
    disk: &Disk,
    outputs: &mut BTreeMap<Table, Output>,
) -> Result<(Summary, Ending)> {
    let take = |table: Table, batch: RecordBatch| {
        let output = match outputs.entry(table) {
            Entry::Vacant(place) => place.insert(Output::create(folder, table, disk)?),
            Entry::Occupied(output) => output.into_mut(),
        };
        output.write(&batch)
    };
    let (summary, ending) = reader::read_in(folder, run_id, |_| true, take)?;
    if let Ending::Unreadable(reason) = ending {
        return Err(Error::Damaged { path: folder.join(JOURNAL).display().to_string(), reason });
    }
    Ok((summary, ending))
}
