//! How tables are laid out in Parquet, and how many rows a file has by its own footer.
//!
//! A footer is read by hand, in Thrift's compact form: the library reserves memory for as many row groups as one names.

use std::io::{self, Write};

use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;

use crate::{Error, Result, caught};

/// Columns whose values hardly repeat: a dictionary would only cost time.
const WITHOUT_DICTIONARY: [&str; 5] = ["sample", "elapsed_ns", "started_ns", "cpu_user_ns", "cpu_system_ns"];

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Light compression, dictionaries where values repeat, statistics of every page.
pub(crate) fn properties() -> WriterProperties {
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    WITHOUT_DICTIONARY
        .iter()
        .fold(builder, |builder, name| builder.set_column_dictionary_enabled(ColumnPath::from(*name), false))
        .build()
}

/// Every batch of a Parquet file.
pub(crate) fn read(path: &str, input: impl ChunkReader + 'static) -> Result<Vec<RecordBatch>> {
    let refused = |reason| Err(Error::Format { doing: "read", path: path.to_owned(), reason });
    caught(|| batches(path, input)).unwrap_or_else(refused)
}

fn batches(path: &str, input: impl ChunkReader + 'static) -> Result<Vec<RecordBatch>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(Error::format("read", path))?;
    // The reader's batches lack the metadata of the file's schema.
    let schema = builder.schema().clone();
    let reader = builder.with_batch_size(65_536).build().map_err(Error::format("read", path))?;
    reader
        .map(|batch| RecordBatch::try_new(schema.clone(), batch?.columns().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(Error::format("read", path))
}

/// The longest footer that is read, in bytes; that of a billion samples is shorter.
const FOOTER_BYTES: usize = 4 << 20;

/// How deep structures may lie in each other.
const DEPTH: u8 = 16;

/// Types of Thrift.
const I64: u8 = 6;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Keeps the end of what is written to it.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        let len = self.0.len();
        if len > 2 * FOOTER_BYTES {
            self.0.drain(..len - FOOTER_BYTES);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tail {
    /// The rows of the file; nothing where there is no footer, or its sum is not that of its row groups.
    pub(crate) fn rows(&self) -> Option<u64> {
        let (rest, magic) = self.0.split_last_chunk::<4>()?;
        let (rest, len) = rest.split_last_chunk::<4>()?;
        if magic != b"PAR1" {
            return None;
        }
        let start = rest.len().checked_sub(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
        let (mut total, mut grouped) = (None, 0_i64);
        Thrift(&rest[start..]).fields(DEPTH, |footer, id, kind| match (id, kind) {
            (3, I64) => {
                total = Some(footer.integer()?);
                Some(true)
            }
            (4, LIST) => {
                let (len, kind) = footer.list()?;
                if len > 0 && kind != STRUCT {
                    return None;
                }
                for _ in 0..len {
                    footer.fields(DEPTH, |group, id, kind| {
                        let counts = (id, kind) == (3, I64);
                        if counts {
                            grouped = grouped.checked_add(group.integer()?)?;
                        }
                        Some(counts)
                    })?;
                }
                Some(true)
            }
            _ => Some(false),
        })?;
        u64::try_from(total.filter(|total| *total == grouped)?).ok()
    }
}

/// What is left to read; whatever makes no sense is nothing.
struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
    /// Hands each field of a structure to `take`, by id and type; what `take` says it has not read is skipped.
    fn fields(&mut self, depth: u8, mut take: impl FnMut(&mut Self, i64, u8) -> Option<bool>) -> Option<()> {
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => self.integer()?,
                step => id.checked_add(i64::from(step))?,
            };
            let kind = head & 15;
            // The type of a truth value is its value.
            if !take(self, id, kind)? && kind > 2 {
                self.skip(kind, depth)?;
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1..=3 => self.jump(1),
            4..=I64 => self.varint().map(|_| ()),
            7 => self.jump(8),
            8 => {
                let len = self.varint()?;
                self.jump(len)
            }
            LIST | 10 => {
                let (len, kind) = self.list()?;
                (0..len).try_for_each(|_| self.skip(kind, depth))
            }
            STRUCT => self.fields(depth, |_, _, _| Some(false)),
            _ => None,
        }
    }

    /// How many elements of which type a list has; each takes a byte at least.
    fn list(&mut self) -> Option<(usize, u8)> {
        let head = self.byte()?;
        let len = match head >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        let len = usize::try_from(len).ok().filter(|len| *len <= self.0.len())?;
        Some((len, head & 15))
    }

    fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn jump(&mut self, len: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(len).ok()?..)?;
        Some(())
    }
}
