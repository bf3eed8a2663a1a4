//! The bytes of a journal: a header, then frames that each carry their own checksum.
//!
//! Header (32 bytes, little-endian): magic 4, schema version u32, run id 16, crc32 of these 24,
//! and 4 bytes of zero. Frame: table u8, length of the payload u32, crc32 of the payload, crc32 of
//! the nine bytes before, payload (an Arrow IPC stream). The second checksum tells a torn frame
//! from a damaged length.

use std::io::{self, Read};

use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use uuid::Uuid;

use crate::{Error, Result, SCHEMA_VERSION, Table};

const MAGIC: [u8; 4] = *b"BBJ\x1a";
/// Length of the journal's header in bytes.
pub const HEADER_LEN: usize = 32;
/// Length of a frame's header in bytes.
pub const FRAME_HEADER_LEN: usize = 13;

/// The header of a journal of `run_id` in the version this build writes.
pub fn header(run_id: Uuid) -> [u8; HEADER_LEN] {
    header_of(run_id, SCHEMA_VERSION)
}

/// The header of a journal in any version.
pub fn header_of(run_id: Uuid, version: u32) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&version.to_le_bytes());
    bytes[8..24].copy_from_slice(run_id.as_bytes());
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Appends a frame with `batch` to `out`.
///
/// # Errors
/// Arrow refuses the rows, or they fill more than 4 GiB.
pub fn encode(table: Table, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let written = encode_at(table, batch, out, start);
    if written.is_err() {
        // Half a frame must not be written with the next one.
        out.truncate(start);
    }
    written.map_err(|cause| Error::Rows { table, cause })
}

fn encode_at(
    table: Table,
    batch: &RecordBatch,
    out: &mut Vec<u8>,
    start: usize,
) -> Result<(), arrow::error::ArrowError> {
    out.reserve(batch.get_array_memory_size() + 4096);
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    let mut writer = StreamWriter::try_new(&mut *out, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    seal(table, &mut out[start..])
}

/// Fills in the header that stands before the payload of a frame, for which there is room.
///
/// # Errors
/// The payload is longer than 4 GiB.
///
/// # Panics
/// If there is no room for the header.
pub fn seal(table: Table, frame: &mut [u8]) -> Result<(), arrow::error::ArrowError> {
    let (head, payload) = frame.split_at_mut(FRAME_HEADER_LEN);
    let len = u32::try_from(payload.len())
        .map_err(|_| arrow::error::ArrowError::InvalidArgumentError("a frame is longer than 4 GiB".into()))?;
    let crc = crc32fast::hash(payload);
    head[0] = table.code();
    head[1..5].copy_from_slice(&len.to_le_bytes());
    head[5..9].copy_from_slice(&crc.to_le_bytes());
    let head_crc = crc32fast::hash(&head[..9]);
    head[9..].copy_from_slice(&head_crc.to_le_bytes());
    Ok(())
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u64,
    pub(crate) run_id: Uuid,
}

/// One step through a journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// Something whole.
    Whole(T),
    /// Nothing more, exactly at a boundary.
    End,
    /// The file ends within what should follow: the writer died, or is writing now.
    Torn,
    /// The bytes fail their checksum or make no sense; the reason.
    Damaged(String),
}

/// A frame whose payload has the right checksum.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) table: Table,
    pub(crate) payload: Vec<u8>,
}

fn fill(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match reader.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The four bytes at `at`, little-endian.
///
/// # Panics
/// If there are not so many.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// Reads the journal's header.
pub(crate) fn read_header(reader: &mut impl Read) -> io::Result<Step<Header>> {
    let mut bytes = [0; HEADER_LEN];
    let filled = fill(reader, &mut bytes)?;
    let start = filled.min(MAGIC.len());
    if bytes[..start] != MAGIC[..start] {
        return Ok(Step::Damaged("it does not begin like a journal".into()));
    }
    if filled < HEADER_LEN {
        return Ok(Step::Torn);
    }
    if u32_at(&bytes, 24) != crc32fast::hash(&bytes[..24]) || u32_at(&bytes, 28) != 0 {
        return Ok(Step::Damaged("its header fails its checksum".into()));
    }
    let mut run_id = [0; 16];
    run_id.copy_from_slice(&bytes[8..24]);
    Ok(Step::Whole(Header { version: u64::from(u32_at(&bytes, 4)), run_id: Uuid::from_bytes(run_id) }))
}

/// Reads the next frame.
pub(crate) fn read_frame(reader: &mut impl Read) -> io::Result<Step<Frame>> {
    let mut head = [0; FRAME_HEADER_LEN];
    match fill(reader, &mut head)? {
        0 => return Ok(Step::End),
        FRAME_HEADER_LEN => {}
        _ => return Ok(Step::Torn),
    }
    if u32_at(&head, 9) != crc32fast::hash(&head[..9]) {
        return Ok(Step::Damaged("the header of a frame fails its checksum".into()));
    }
    let Some(table) = Table::from_code(head[0]) else {
        return Ok(Step::Damaged(format!("a frame is of an unknown table ({})", head[0])));
    };
    let len = u64::from(u32_at(&head, 1));
    let mut payload = Vec::new();
    reader.take(len).read_to_end(&mut payload)?;
    if (payload.len() as u64) < len {
        return Ok(Step::Torn);
    }
    if u32_at(&head, 5) != crc32fast::hash(&payload) {
        return Ok(Step::Damaged(format!("a frame of `{table}` fails its checksum")));
    }
    Ok(Step::Whole(Frame { table, payload }))
}
