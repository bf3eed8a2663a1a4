//! The buffers behind `RunWriter::sample`: rows are set down whole, then spread over columns in small groups that are
//! still in the nearest cache. And those behind `RunWriter::step` and `RunWriter::step_value`: a loop has thousands of
//! steps, so that rows are set down by columns.

use std::mem::take;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringBuilder};
use arrow::buffer::NullBuffer;
use arrow::record_batch::RecordBatch;

use crate::batch::body_schema;
use crate::{Error, Result, SampleRow, StepRow, StepValueRow, Table};

/// Samples of one frame.
pub const FRAME_ROWS: usize = 65_536;

/// Samples that are spread at once; a whole number of groups makes a frame.
const GROUP_ROWS: usize = 256;

/// A column of integers that may be unknown.
#[derive(Debug, Default)]
pub(crate) struct Optional {
    values: Vec<i64>,
    known: Vec<bool>,
}

impl Optional {
    fn extend(&mut self, rows: &[SampleRow], value: impl Fn(&SampleRow) -> Option<i64>) {
        self.values.extend(rows.iter().map(|row| value(row).unwrap_or_default()));
        self.known.extend(rows.iter().map(|row| value(row).is_some()));
    }

    pub(crate) fn push(&mut self, value: Option<i64>) {
        self.values.push(value.unwrap_or_default());
        self.known.push(value.is_some());
    }

    pub(crate) fn take(&mut self) -> ArrayRef {
        let nulls = Some(NullBuffer::from(take(&mut self.known))).filter(|nulls| nulls.null_count() > 0);
        Arc::new(Int64Array::new(take(&mut self.values).into(), nulls))
    }
}

/// Samples that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct SampleColumns {
    group: Vec<SampleRow>,
    trial: Vec<i64>,
    sample: Vec<i64>,
    block: Vec<i64>,
    position: Vec<i64>,
    iterations: Vec<i64>,
    elapsed_ns: Vec<i64>,
    started_ns: Vec<i64>,
    cpu_user_ns: Optional,
    cpu_system_ns: Optional,
    valid: Vec<bool>,
    // Few samples have one.
    reasons: Vec<(usize, &'static str)>,
}

impl SampleColumns {
    pub(crate) fn new() -> Self {
        Self { group: Vec::with_capacity(GROUP_ROWS), ..Self::default() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.trial.len() + self.group.len()
    }

    /// Sets down a row; says whether a frame is full.
    #[inline]
    pub(crate) fn push(&mut self, row: &SampleRow) -> bool {
        self.group.push(*row);
        self.group.len() == GROUP_ROWS && self.spread()
    }

    #[inline(never)]
    fn spread(&mut self) -> bool {
        let rows = self.group.as_slice();
        let first = self.trial.len();
        let reasons = rows.iter().enumerate().filter_map(|(index, row)| Some((first + index, row.invalid_reason?)));
        self.reasons.extend(reasons);
        self.trial.extend(rows.iter().map(|row| row.trial));
        self.sample.extend(rows.iter().map(|row| row.sample));
        self.block.extend(rows.iter().map(|row| row.block));
        self.position.extend(rows.iter().map(|row| row.position));
        self.iterations.extend(rows.iter().map(|row| row.iterations));
        self.elapsed_ns.extend(rows.iter().map(|row| row.elapsed_ns));
        self.started_ns.extend(rows.iter().map(|row| row.started_ns));
        self.cpu_user_ns.extend(rows, |row| row.cpu_user_ns);
        self.cpu_system_ns.extend(rows, |row| row.cpu_system_ns);
        self.valid.extend(rows.iter().map(|row| row.valid));
        self.group.clear();
        self.trial.len() >= FRAME_ROWS
    }

    /// The rows so far as the body of a frame; the buffers are empty afterwards.
    pub(crate) fn take(&mut self) -> Result<RecordBatch> {
        self.spread();
        let rows = self.trial.len();
        let mut reasons = StringBuilder::with_capacity(rows, 0);
        for (at, reason) in self.reasons.drain(..) {
            reasons.append_nulls(at - arrow::array::ArrayBuilder::len(&reasons));
            reasons.append_value(reason);
        }
        reasons.append_nulls(rows - arrow::array::ArrayBuilder::len(&reasons));
        let ints = |values: &mut Vec<i64>| -> ArrayRef {
            let array = Int64Array::from(take(values));
            // A full frame is likely to be followed by another.
            if rows == FRAME_ROWS {
                values.reserve_exact(FRAME_ROWS);
            }
            Arc::new(array)
        };
        let columns: Vec<ArrayRef> = vec![
            ints(&mut self.trial),
            ints(&mut self.sample),
            ints(&mut self.block),
            ints(&mut self.position),
            ints(&mut self.iterations),
            ints(&mut self.elapsed_ns),
            ints(&mut self.started_ns),
            self.cpu_user_ns.take(),
            self.cpu_system_ns.take(),
            Arc::new(BooleanArray::from(take(&mut self.valid))),
            Arc::new(reasons.finish()),
        ];
        RecordBatch::try_new(body_schema(Table::Samples), columns)
            .map_err(|cause| Error::Rows { table: Table::Samples, cause })
    }
}

/// Steps that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct StepColumns {
    trial: Vec<i64>,
    sample: Vec<i64>,
    step: Vec<i64>,
    started_ns: Vec<i64>,
    elapsed_ns: Vec<i64>,
    tokens: Optional,
}

impl StepColumns {
    pub(crate) fn rows(&self) -> usize {
        self.trial.len()
    }

    /// Sets down a row; says whether a frame is full.
    pub(crate) fn push(&mut self, row: &StepRow) -> bool {
        self.trial.push(row.trial);
        self.sample.push(row.sample);
        self.step.push(row.step);
        self.started_ns.push(row.started_ns);
        self.elapsed_ns.push(row.elapsed_ns);
        self.tokens.push(row.tokens);
        self.rows() >= FRAME_ROWS
    }

    /// The rows so far as the body of a frame; the buffers are empty afterwards.
    pub(crate) fn take(&mut self) -> Result<RecordBatch> {
        let columns = vec![
            ints(&mut self.trial),
            ints(&mut self.sample),
            ints(&mut self.step),
            ints(&mut self.started_ns),
            ints(&mut self.elapsed_ns),
            self.tokens.take(),
        ];
        body(Table::Steps, columns)
    }
}

/// Values of steps that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct StepValueColumns {
    trial: Vec<i64>,
    sample: Vec<i64>,
    step: Vec<i64>,
    names: StringBuilder,
    values: Vec<f64>,
    units: StringBuilder,
}

impl StepValueColumns {
    pub(crate) fn rows(&self) -> usize {
        self.trial.len()
    }

    /// Sets down a row; says whether a frame is full.
    pub(crate) fn push(&mut self, row: &StepValueRow) -> bool {
        self.trial.push(row.trial);
        self.sample.push(row.sample);
        self.step.push(row.step);
        self.names.append_value(&row.name);
        self.values.push(row.value);
        self.units.append_value(&row.unit);
        self.rows() >= FRAME_ROWS
    }

    /// The rows so far as the body of a frame; the buffers are empty afterwards.
    pub(crate) fn take(&mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            ints(&mut self.trial),
            ints(&mut self.sample),
            ints(&mut self.step),
            Arc::new(self.names.finish()),
            Arc::new(Float64Array::from(take(&mut self.values))),
            Arc::new(self.units.finish()),
        ];
        body(Table::StepValues, columns)
    }
}

fn ints(values: &mut Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(take(values)))
}

fn body(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(body_schema(table), columns).map_err(|cause| Error::Rows { table, cause })
}
