//! The buffers behind `RunWriter::step` and `RunWriter::step_value`: a loop has thousands of steps, so that rows are set
//! down by columns.

use std::mem::take;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringBuilder};
use arrow::record_batch::RecordBatch;

use crate::batch::body_schema;
use crate::columns::{FRAME_ROWS, Optional};
use crate::{Error, Result, StepRow, StepValueRow, Table};

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
