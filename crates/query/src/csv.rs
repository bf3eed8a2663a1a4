//! CSV files as tables: read whole, each column with the type that all of its values have.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use datafusion::datasource::MemTable;

use crate::error::{Error, Result};
use crate::infer::typed;

/// A column of text holds no more.
const MOST_BYTES: usize = i32::MAX as usize;

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    benchbook_record::read_bytes(path).map_err(|source| Error::CsvUnread { path: path.to_owned(), source })
}

/// The rows of a CSV file with a header; an empty cell is NULL, a column without values is text.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<MemTable> {
    let rows = rows(bytes).map_err(|reason| Error::Csv { path: path.to_owned(), reason })?;
    Ok(MemTable::try_new(rows.schema(), vec![vec![rows]])?)
}

fn rows(bytes: &[u8]) -> std::result::Result<RecordBatch, String> {
    if bytes.trim_ascii().is_empty() {
        return Err("it is empty, its first line must name the columns".to_owned());
    }
    if bytes.len() > MOST_BYTES {
        return Err("it is longer than 2 GiB, split it".to_owned());
    }
    let names = names(bytes)?;
    let texts = texts(bytes, &names).map_err(|error| error.to_string())?;
    let columns: Vec<ArrayRef> = texts.columns().iter().map(|column| typed(column.as_string::<i32>())).collect();
    let fields = names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns).map_err(|error| error.to_string())
}

/// The names of the columns, each of them once.
fn names(bytes: &[u8]) -> std::result::Result<Vec<String>, String> {
    // Looks at every row, since its errors name the line.
    let inferred = Format::default().with_header(true).infer_schema(bytes, None).map_err(|error| error.to_string())?.0;
    let names: Vec<String> = inferred.fields().iter().map(|field| field.name().clone()).collect();
    let mut seen = HashSet::new();
    for name in &names {
        if name.trim().is_empty() {
            return Err("a column has no name".to_owned());
        }
        if !seen.insert(name) {
            return Err(format!("two columns are called `{name}`"));
        }
    }
    Ok(names)
}

/// Every cell as it was written.
fn texts(bytes: &[u8], names: &[String]) -> std::result::Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let reader = ReaderBuilder::new(Arc::clone(&schema)).with_header(true).build(bytes)?;
    concat_batches(&schema, &reader.collect::<std::result::Result<Vec<_>, _>>()?)
}

/// Whether SQL finds a table of that name without quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(word) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampNanosecondArray;
    use arrow::compute::cast;
    use arrow::datatypes::{Float64Type, Int64Type};

    use super::*;

    /// Bytes below `below`, the same for the same seed.
    struct Bytes(u64);

    impl Bytes {
        fn below(&mut self, below: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % below
        }

        /// A date, or a time with or without a fraction; some do not exist.
        fn moment(&mut self) -> String {
            let [month, day, hour, minute, second] = [13, 32, 24, 60, 60].map(|below| self.below(below));
            let date = format!("2026-{month:02}-{day:02}");
            let time = format!("{hour:02}:{minute:02}:{second:02}");
            match self.below(4) {
                0 => date,
                1 => format!("{date} {time}"),
                2 => format!("{date}T{time}"),
                _ => format!("{date} {time}.{}", self.below(1_000)),
            }
        }
    }

    /// Whether a value says all that was written.
    fn keeps(column: &ArrayRef, row: usize, written: &str) -> bool {
        match column.data_type() {
            DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string() == written,
            DataType::Float64 => {
                let (value, wanted) = (column.as_primitive::<Float64Type>().value(row), written.parse::<f64>());
                let word = written.ends_with("inf") || written.eq_ignore_ascii_case("nan");
                wanted.is_ok_and(|wanted| wanted.to_bits() == value.to_bits()) && (value.is_finite() || word)
            }
            DataType::Boolean => column.as_boolean().value(row) == written.eq_ignore_ascii_case("true"),
            DataType::Utf8 => column.as_string::<i32>().value(row) == written,
            _ => {
                let shown = cast(column, &DataType::Utf8).unwrap();
                moment(shown.as_string::<i32>().value(row)) == moment(written)
            }
        }
    }

    /// A date or a time with a `T` before its hours, and without zeros at the end of its fraction.
    fn moment(text: &str) -> String {
        let text = text.replace(' ', "T");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }

    /// Whether a table of the bytes keeps them; nothing where they are no table.
    fn is_kept(text: &[u8]) -> Option<bool> {
        let table = rows(text).ok()?;
        let written = texts(text, &names(text).unwrap()).unwrap();
        let is_kept = |(column, cells): (&ArrayRef, &ArrayRef)| {
            let cells = cells.as_string::<i32>();
            (column.len(), column.null_count()) == (cells.len(), cells.null_count())
                && (0..cells.len()).all(|row| cells.is_null(row) || keeps(column, row, cells.value(row)))
        };
        Some(table.columns().iter().zip(written.columns()).all(is_kept))
    }

    #[test]
    fn a_lost_time_of_day_is_seen() {
        let midnight: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![0]));
        assert!(keeps(&midnight, 0, "1970-01-01 00:00:00.0"));
        assert!(!keeps(&midnight, 0, "1970-01-01T23:59:59"));
    }

    #[test]
    fn no_bytes_are_lost_and_none_end_it() {
        let alphabets: [&[u8]; 4] = [b"0123456789e.-+", b"truefalsTF01", b"2026-01-31T:09 .Z", b"nainfNaN-."];
        let marks = b",\n\"\r;\0\xff\xc3\xa9";
        let mut random = Bytes(13);
        for round in 0..4_000 {
            let alphabet = alphabets[round % alphabets.len()];
            let mut text = b"a,b\n".to_vec();
            for _ in 0..random.below(3) {
                for end in [b',', b'\n'] {
                    match random.below(4) {
                        0 => text.extend(random.moment().bytes()),
                        _ => text.extend((0..random.below(9)).map(|_| alphabet[random.below(alphabet.len())])),
                    }
                    text.push(end);
                }
            }
            assert_eq!(is_kept(&text), Some(true), "{}", String::from_utf8_lossy(&text));
            for _ in 0..=random.below(4) {
                let place = random.below(text.len());
                text[place] = marks[random.below(marks.len())];
            }
            assert_ne!(is_kept(&text), Some(false), "{}", String::from_utf8_lossy(&text));
        }
    }
}
