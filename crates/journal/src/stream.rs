//! The Arrow stream in a frame's payload; no length in it is believed beyond the payload's end.

use std::collections::HashMap;
use std::fmt::Display;

use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::root_as_message;
use arrow::record_batch::RecordBatch;

use crate::batch::body_schema;
use crate::frame::u32_at;
use crate::{Table, version};

/// What each message begins with; the length of its metadata follows.
const MARKER: [u8; 4] = [0xff; 4];

/// The batches in a frame's payload, with the columns that a frame of the table had under `version`.
///
/// # Errors
/// The payload is not what [`crate::frame::encode`] writes.
///
/// # Panics
/// Arrow does on some metadata that makes no sense: the caller catches it.
pub(crate) fn decode(table: Table, version: u64, mut payload: Vec<u8>) -> Result<Vec<RecordBatch>, ArrowError> {
    // The batches keep it.
    payload.shrink_to_fit();
    let schema = version::columns_of(table, version, &body_schema(table));
    let mut rest = Buffer::from_vec(payload);
    let mut begun = false;
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let start = take(&mut rest, 8)?;
        if start[..4] != MARKER {
            return Err(broken("a message does not begin like one"));
        }
        let metadata = take(&mut rest, i64::from(u32_at(&start, 4)))?;
        if metadata.is_empty() {
            break;
        }
        let message = root_as_message(&metadata).map_err(broken)?;
        let body = take(&mut rest, message.bodyLength())?;
        if !begun {
            let found = message.header_as_schema();
            begun = found.is_some_and(|found| version::same_columns(&fb_to_schema(found), &schema));
            if !begun {
                return Err(broken("its columns are not those of the table"));
            }
            continue;
        }
        // No frame is compressed; one that claims to be would grow to whatever length it names.
        let batch = message.header_as_record_batch().filter(|batch| batch.compression().is_none());
        let batch = batch.ok_or_else(|| broken("a message is no plain batch of rows"))?;
        batches.push(read_record_batch(&body, batch, schema.clone(), &HashMap::new(), None, &message.version())?);
    }
    Ok(batches)
}

fn take(rest: &mut Buffer, len: i64) -> Result<Buffer, ArrowError> {
    let len = usize::try_from(len).ok().filter(|len| *len <= rest.len());
    let len = len.ok_or_else(|| broken("a length in it points beyond its end"))?;
    let taken = rest.slice_with_length(0, len);
    rest.advance(len);
    Ok(taken)
}

fn broken(reason: impl Display) -> ArrowError {
    ArrowError::IpcError(reason.to_string())
}
