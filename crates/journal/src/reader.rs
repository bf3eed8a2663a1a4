//! Reading a journal: every whole frame, and what was left out after the last of them.

use std::io::{BufReader, Read};
use std::path::Path;

use arrow::record_batch::RecordBatch;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::batch::RunIds;
use crate::caught::caught;
use crate::folder::RUN_PREFIX;
use crate::frame::{FRAME_HEADER_LEN, HEADER_LEN, Step, read_frame, read_header};
use crate::stream::decode;
use crate::{Error, OutcomeRow, Result, RunRow, Status, Table, file, rows_of, version};

/// Name of the journal in a run's folder.
pub const JOURNAL: &str = "journal.bbj";

/// Name under which a damaged journal is kept once its whole frames are Parquet.
pub const DAMAGED_JOURNAL: &str = "journal.bbj.damaged";

/// How a journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// At a boundary: every byte was read.
    Clean,
    /// Within a frame: the writer died while writing it, or writes it now.
    Torn(String),
    /// In bytes that fail their checksum; nothing after them is read.
    Damaged(String),
    /// The header cannot be used: nothing is read, nothing may be converted.
    Unreadable(String),
}

impl Ending {
    /// What was left out, if anything was.
    pub fn left_out(&self) -> Option<&str> {
        match self {
            Self::Clean => None,
            Self::Torn(reason) | Self::Damaged(reason) | Self::Unreadable(reason) => Some(reason),
        }
    }
}

/// What a listing says of a run, gathered from its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// When it began, in nanoseconds since 1970 UTC.
    pub started_at_ns: i64,
    /// Name of its plan.
    pub suite: String,
    /// Names given by the user.
    pub tags: Vec<String>,
    /// Whether the run has an outcome other than `interrupted`.
    pub finished: bool,
}

impl Summary {
    /// All that the id tells.
    pub fn unknown(run_id: &str) -> Self {
        let started = Uuid::parse_str(run_id).ok().and_then(|id| id.get_timestamp()).map(|stamp| stamp.to_unix());
        let nanos = started.and_then(|(seconds, nanos)| {
            i64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(i64::from(nanos))
        });
        Self { started_at_ns: nanos.unwrap_or_default(), suite: String::new(), tags: Vec::new(), finished: false }
    }

    /// Takes in a batch of `runs` or `outcomes`.
    fn learn(&mut self, table: Table, batch: &RecordBatch) -> Result<()> {
        match table {
            Table::Runs => {
                for run in rows_of::<RunRow>(batch)? {
                    self.started_at_ns = run.started_at.timestamp_nanos_opt().unwrap_or(self.started_at_ns);
                    self.suite = run.suite;
                    self.tags = run.tags;
                }
            }
            Table::Outcomes => {
                for outcome in rows_of::<OutcomeRow>(batch)? {
                    if outcome.trial.is_none() {
                        self.finished = outcome.status != Status::Interrupted;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Hands every batch of the tables in `wanted` to `take`, with the columns of [`Table::schema`]; `summary` learns
/// from them first.
///
/// `path` and `total_bytes` serve the messages only: a live journal may have grown since.
///
/// # Errors
/// The file cannot be read, or `take` fails; damage is not an error but an [`Ending`].
pub fn read(
    path: &str,
    mut reader: impl Read,
    total_bytes: u64,
    run_id: &str,
    summary: &mut Summary,
    wanted: impl Fn(Table) -> bool,
    mut take: impl FnMut(Table, RecordBatch) -> Result<()>,
) -> Result<Ending> {
    let failed = |cause| Error::Io { doing: "read", path: path.to_owned(), cause };
    let header = match read_header(&mut reader).map_err(failed)? {
        Step::Whole(header) => header,
        Step::End | Step::Torn => {
            return Ok(Ending::Torn(format!("it ends within its header, {total_bytes} bytes are left out")));
        }
        Step::Damaged(reason) => return Ok(Ending::Unreadable(reason)),
    };
    if let Err(error) = version::check(path, header.version) {
        return Ok(Ending::Unreadable(error.to_string()));
    }
    if header.run_id.to_string() != run_id {
        return Ok(Ending::Unreadable(format!("it belongs to run {}", header.run_id)));
    }
    let mut ids = RunIds::new(run_id);
    let mut at = HEADER_LEN as u64;
    loop {
        let rest = total_bytes.saturating_sub(at);
        let frame = match read_frame(&mut reader).map_err(failed)? {
            Step::Whole(frame) => frame,
            Step::End => return Ok(Ending::Clean),
            Step::Torn => {
                return Ok(Ending::Torn(format!("its last frame is torn, {rest} bytes from byte {at} are left out")));
            }
            Step::Damaged(reason) => {
                return Ok(Ending::Damaged(format!("{reason}, {rest} bytes from byte {at} are left out")));
            }
        };
        let (table, len) = (frame.table, FRAME_HEADER_LEN + frame.payload.len());
        if wanted(table) {
            let batches = caught(|| whole_batches(table, frame.payload, header.version, &mut ids, summary))
                .and_then(|batches| batches.map_err(|error| error.to_string()));
            let batches = match batches {
                Ok(batches) => batches,
                Err(reason) => {
                    let reason = format!("a frame of `{table}` cannot be read: {reason}");
                    return Ok(Ending::Damaged(format!("{reason}, {rest} bytes from byte {at} are left out")));
                }
            };
            for batch in batches {
                take(table, batch)?;
            }
        }
        at += len as u64;
    }
}

/// As [`read`], of the journal in the folder of a run; what a listing says of it comes back too.
///
/// # Errors
/// As [`read`].
pub fn read_in(
    folder: &Path,
    run_id: &str,
    wanted: impl Fn(Table) -> bool,
    take: impl FnMut(Table, RecordBatch) -> Result<()>,
) -> Result<(Summary, Ending)> {
    let path = folder.join(JOURNAL);
    let file = file::open_bounded(&path).map_err(Error::io("open", &path))?;
    let total_bytes = file.limit();
    let reader = BufReader::with_capacity(1 << 16, file);
    let mut summary = Summary::unknown(run_id);
    let ending = read(&path.display().to_string(), reader, total_bytes, run_id, &mut summary, wanted, take)?;
    Ok((summary, ending))
}

/// Every row of a table in the journal of a run, whose folder this is, as they were written.
///
/// # Errors
/// There is no journal, a part of it cannot be read, or its rows are others.
pub fn rows_in<T: DeserializeOwned>(folder: &Path, table: Table) -> Result<Vec<T>> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let run_id = name.strip_prefix(RUN_PREFIX).unwrap_or_default();
    let mut rows = Vec::new();
    let take = |_: Table, batch: RecordBatch| -> Result<()> {
        rows.extend(rows_of::<T>(&batch)?);
        Ok(())
    };
    let (_, ending) = read_in(folder, run_id, |one| one == table, take)?;
    match ending.left_out() {
        None => Ok(rows),
        Some(reason) => {
            Err(Error::Damaged { path: folder.join(JOURNAL).display().to_string(), reason: reason.to_owned() })
        }
    }
}

fn whole_batches(
    table: Table,
    payload: Vec<u8>,
    version: u64,
    ids: &mut RunIds,
    summary: &mut Summary,
) -> Result<Vec<RecordBatch>> {
    let bodies = decode(table, version, payload).map_err(|cause| Error::Rows { table, cause })?;
    let batches = bodies
        .iter()
        .map(|body| version::upgrade(table, version, &ids.complete(table, body)?))
        .collect::<Result<Vec<_>>>()?;
    for batch in &batches {
        summary.learn(table, batch)?;
    }
    Ok(batches)
}
