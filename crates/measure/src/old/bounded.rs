//! The messages of a process that nobody trusts: each is bounded and looked over before arrow reads any of it.
//!
//! Arrow allocates whatever length a message claims, and panics at columns and buffers that do not fit.

use std::io::{self, Cursor, Read};

use arrow::ipc::{Buffer, Field, FieldNode, RecordBatch, Schema, Type, root_as_message};

/// Length of a part of a message at most, in bytes: the cases of a large sweep take some millions.
const MOST_BYTES: usize = 64 << 20;

/// What stands before the length of a message since version 5 of the format.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// An Arrow IPC stream that is handed on message by message, once all of a message has come and fits.
pub struct Bounded<R> {
    pipe: R,
    message: Cursor<Vec<u8>>,
}

impl<R: Read> Bounded<R> {
    pub fn new(pipe: R) -> Self {
        Self { pipe, message: Cursor::default() }
    }

    /// So many bytes; the memory grows with what comes, not with what was claimed.
    fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.pipe.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        if bytes.len() < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }

    /// The next message with the length before it.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        // Nothing where a message would begin is the end of the stream, which arrow knows by this kind of error.
        let start = self.bytes(4)?;
        self.rest(start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => wrong("it ends within a message"),
            _ => error,
        })
    }

    /// A message of which these bytes have come.
    fn rest(&mut self, mut message: Vec<u8>) -> io::Result<Vec<u8>> {
        if message == CONTINUATION {
            message.append(&mut self.bytes(4)?);
        }
        let length = message.last_chunk::<4>().copied().map_or(0, i32::from_le_bytes);
        if length == 0 {
            // The end of the stream.
            return Ok(message);
        }
        let metadata = self.bytes(bounded(length.into())?)?;
        let body = body_length(&metadata)?;
        message.extend_from_slice(&metadata);
        message.append(&mut self.bytes(body)?);
        Ok(message)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.message.position() == self.message.get_ref().len() as u64 {
            self.message = Cursor::new(self.next()?);
        }
        self.message.read(buffer)
    }
}

fn wrong(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

fn bounded(length: i64) -> io::Result<usize> {
    let fits = usize::try_from(length).ok().filter(|length| *length <= MOST_BYTES);
    fits.ok_or_else(|| wrong(format!("it claims a length of {length} bytes, {MOST_BYTES} are the most")))
}

/// Length of the body that follows this description of a message, which must be the columns of ours or a row of them.
fn body_length(metadata: &[u8]) -> io::Result<usize> {
    let message = root_as_message(metadata).map_err(|_| wrong("it is no message of Arrow"))?;
    let body = bounded(message.bodyLength())?;
    let fits = match (message.header_as_schema(), message.header_as_record_batch()) {
        (Some(schema), _) => has_our_columns(schema),
        (_, Some(batch)) => holds_one_row(batch, body),
        (None, None) => false,
    };
    if fits { Ok(body) } else { Err(wrong("it has other columns than a message, or not one row of them")) }
}

/// Whether the first column is text and each other one of whole numbers, however many there are.
fn has_our_columns(schema: Schema<'_>) -> bool {
    let fits = |(place, field): (usize, Field<'_>)| {
        let whole = || field.type_as_int().is_some_and(|int| int.bitWidth() == 64 && int.is_signed());
        field.dictionary().is_none() && if place == 0 { field.type_type() == Type::Utf8 } else { whole() }
    };
    schema.fields().is_some_and(|fields| !fields.is_empty() && fields.iter().enumerate().all(fits))
}

/// Whether a batch is one row, not compressed, in buffers that lie within the body.
fn holds_one_row(batch: RecordBatch<'_>, body: usize) -> bool {
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else { return false };
    let within = |buffer: &Buffer| {
        let end = buffer.offset().checked_add(buffer.length()).and_then(|end| usize::try_from(end).ok());
        buffer.offset() >= 0 && buffer.length() >= 0 && end.is_some_and(|end| end <= body)
    };
    // Text has three buffers, a number two; the first of each tells what is null.
    let tells_nulls = |column: usize| {
        let place = if column == 0 { 0 } else { 2 * column + 1 };
        place < buffers.len() && buffers.get(place).length() > 0
    };
    let fits = |(column, node): (usize, &FieldNode)| {
        let nulls = node.null_count();
        node.length() == 1 && (nulls == 0 || (nulls == 1 && tells_nulls(column)))
    };
    let plain = batch.compression().is_none() && batch.variadicBufferCounts().is_none_or(|counts| counts.is_empty());
    plain && batch.length() == 1 && buffers.iter().all(within) && nodes.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::array::{RecordBatch, new_null_array};
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::ipc::writer::StreamWriter;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::message::Reply;
    use super::super::wire::{PROTOCOL, PROTOCOL_KEY, Receiver, SAMPLE, Sender};
    use crate::Result;
    use crate::executor::Sampled;

    /// Damaged streams that are read.
    const ROUNDS: usize = 20_000;
    /// Numbers that lengths, offsets and counts are damaged to.
    const EXTREMES: [i64; 8] = [-1, 0, 1, 64, 9_000_000_000, 1 << 60, i64::MAX, i64::MIN];

    /// A stream with a message of each kind, and where the last one begins.
    fn stream() -> (Vec<u8>, usize) {
        let sample = Sampled { rested: true, ..SAMPLE };
        let mut bytes = Vec::new();
        Sender::new(&mut bytes).unwrap().send(&Reply::Sampled(sample.clone())).unwrap();
        let start = bytes.len();
        let mut whole = Vec::new();
        let mut sender = Sender::new(&mut whole).unwrap();
        sender.send(&Reply::Sampled(sample)).unwrap();
        sender.send(&Reply::Failed { message: "x".repeat(1_000) }).unwrap();
        drop(sender);
        (whole, start)
    }

    /// Reads all messages of a stream; their number.
    fn read(bytes: &[u8]) -> Result<usize> {
        let mut receiver = Receiver::new(bytes)?;
        let mut count = 0;
        while receiver.receive()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn no_length_that_is_claimed_is_believed() {
        let (whole, start) = stream();
        assert_eq!(read(&whole).unwrap(), 2);
        // Four bytes of continuation, four of the metadata's length, the metadata, the body.
        let metadata = start + 8..start + 8 + u32::from_le_bytes(*whole[start + 4..].first_chunk().unwrap()) as usize;
        let body = (whole.len() - metadata.end) as i64;
        for claimed in [1_i64 << 60, 9_000_000_000, -1] {
            let at_body = |at: &usize| whole[*at..*at + 8] == body.to_le_bytes();
            let told = (metadata.start..metadata.end - 7).filter(at_body).filter_map(|at| {
                let mut bytes = whole.clone();
                bytes[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
                read(&bytes).err().map(|error| error.to_string())
            });
            let told: Vec<String> = told.collect();
            let named = format!("a length of {claimed} bytes");
            assert!(told.iter().any(|text| text.contains(&named)), "{named}: {told:?}");
        }
        for claimed in [i32::MAX, -1] {
            let mut bytes = whole.clone();
            bytes[start + 4..start + 8].copy_from_slice(&claimed.to_le_bytes());
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains(&format!("a length of {claimed} bytes")), "{error}");
        }
    }

    #[test]
    fn other_columns_and_other_than_one_row_are_refused() {
        let text = || Field::new("body", DataType::Utf8, true);
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let others = [DataType::Int64, DataType::LargeUtf8, DataType::Utf8View, DataType::Null, dictionary];
        let mut wrong: Vec<(Vec<Field>, usize)> =
            others.map(|kind| (vec![Field::new("body", kind, true)], 1)).into_iter().collect();
        wrong.push((vec![text(), Field::new("iterations", DataType::Utf8, true)], 1));
        wrong.push((vec![text(), Field::new("iterations", DataType::UInt64, true)], 1));
        wrong.push((Vec::new(), 0));
        wrong.extend([0, 2].map(|rows| (vec![text(), Field::new("iterations", DataType::Int64, true)], rows)));
        for (fields, rows) in wrong {
            let metadata = HashMap::from([(PROTOCOL_KEY.to_owned(), PROTOCOL.to_string())]);
            let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
            let mut bytes = Vec::new();
            let mut writer = StreamWriter::try_new(&mut bytes, &schema).unwrap();
            if !schema.fields().is_empty() {
                let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
                writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
            }
            drop(writer);
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains("other columns than a message, or not one row"), "{schema:?}, {rows}: {error}");
        }
    }

    #[test]
    fn whatever_is_damaged_is_a_message_or_an_error_and_nothing_worse() {
        let (whole, _) = stream();
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let mut refused = 0;
        for _ in 0..ROUNDS {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len() - 16);
                match rng.random_range(0..4) {
                    0 => bytes[at] ^= 1_u8 << rng.random_range(0..8_u32),
                    1 => {
                        let number = EXTREMES[rng.random_range(0..EXTREMES.len())];
                        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
                    }
                    2 => drop(bytes.drain(at..at + 8)),
                    _ => bytes.truncate(at + 32),
                }
            }
            refused += usize::from(read(&bytes).is_err());
        }
        assert!((ROUNDS / 10..ROUNDS).contains(&refused), "{refused} of {ROUNDS} were refused");
    }
}
