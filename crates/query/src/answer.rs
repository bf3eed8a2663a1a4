//! What a query gives, what it leaves out, and why.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::{Deref, DerefMut};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use benchbook_record::{Damaged, Opaque};
use datafusion::common::{DFSchema, Result};
use datafusion::error::DataFusionError;

/// The rows of a query, and what they leave out; its fields are those of [`Parts`].
#[derive(Debug, Clone)]
pub struct Answer(Opaque<Parts>);

/// What an answer holds.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The columns; text is plain Utf8, and no two have one name.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Samples that may not be used, and files that could not be read.
    pub left_out: LeftOut,
}

impl Deref for Answer {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Answer {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

impl Answer {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows with plain text of `limit_bytes` at most; what was left out is to be filled in.
    pub(crate) fn new(schema: &DFSchema, batches: &[RecordBatch], limit_bytes: u64) -> Result<Self, DataFusionError> {
        // Rows share the text of a view, and each gets its own copy.
        let texts = batches.iter().flat_map(RecordBatch::columns).map(text_bytes).sum::<u64>();
        if texts > limit_bytes {
            return Err(DataFusionError::ResourcesExhausted(format!("{texts} bytes of text")));
        }
        let schema = plain(schema);
        let batches = batches
            .iter()
            .map(|batch| {
                let columns = batch.columns().iter().zip(schema.fields());
                let columns = columns.map(|(column, field)| cast(column, field.data_type()));
                Ok(batch_of(&schema, columns.collect::<Result<_, _>>()?, batch.num_rows())?)
            })
            .collect::<Result<_, DataFusionError>>()?;
        Ok(Self(Parts { schema, batches, left_out: LeftOut::default() }.into()))
    }
}

/// Rows that leave nothing out.
impl From<RecordBatch> for Answer {
    fn from(batch: RecordBatch) -> Self {
        Self(Parts { schema: batch.schema(), batches: vec![batch], left_out: LeftOut::default() }.into())
    }
}

/// The bytes that a column of views takes as plain text.
fn text_bytes(column: &ArrayRef) -> u64 {
    let views = column.as_string_view_opt();
    views.map_or(0, |views| views.iter().flatten().map(|text| text.len() as u64).sum())
}

/// The schema with plain text; of columns of one name, all but the first are called by their table too.
fn plain(schema: &DFSchema) -> SchemaRef {
    let mut seen = HashSet::new();
    let fields = schema.iter().map(|(table, field)| {
        let mut name = field.name().clone();
        if let Some(table) = table.filter(|_| seen.contains(&name)) {
            name = format!("{}.{name}", table.table());
        }
        while !seen.insert(name.clone()) {
            name.push('_');
        }
        let kind = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        field.as_ref().clone().with_name(name).with_data_type(kind)
    });
    SchemaRef::new(Schema::new_with_metadata(fields.collect::<Vec<Field>>(), schema.metadata().clone()))
}

fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
}

/// Samples that may not be used, and files that could not be read.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    /// How many samples of the runs in question are not valid, by reason. Filled where a query reads a
    /// view.
    pub samples: BTreeMap<String, u64>,
    /// Files of the store that are damaged: nothing of them is in the answer.
    pub damaged: Vec<Damaged>,
}

impl LeftOut {
    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.damaged.is_empty()
    }

    /// How many samples are not valid.
    pub fn sample_count(&self) -> u64 {
        self.samples.values().sum()
    }

    /// What was left out, one text each; names in them come from the store and may hold anything, new lines included.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::with_capacity(self.damaged.len() + 1);
        if !self.samples.is_empty() {
            let reasons: Vec<String> = self.samples.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            lines.push(format!("{} samples are not valid: {}", self.sample_count(), reasons.join(", ")));
        }
        lines.extend(self.damaged.iter().map(|file| format!("left out {}: {}", file.path, file.reason)));
        lines
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Samples that are not valid: how many of a run, for a reason.
#[derive(Debug, Clone)]
pub(crate) struct Invalid {
    pub(crate) run_id: String,
    pub(crate) reason: String,
    pub(crate) samples: u64,
}

/// Counts of the samples' own marks. Files whose statistics show no such sample are not read.
pub(crate) const OWN_MARKS: &str = "SELECT run_id, \
    CASE WHEN NOT valid THEN coalesce(invalid_reason, 'unspecified') ELSE 'no_iterations' END, count(*) \
    FROM samples WHERE valid = false OR iterations <= 0 GROUP BY 1, 2";

/// Counts where some trial may not be used at all.
pub(crate) const ALL_MARKS: &str = "SELECT run_id, invalid_reason, count(*) FROM results WHERE NOT valid GROUP BY 1, 2";

pub(crate) fn invalid(batches: &[RecordBatch]) -> Result<Vec<Invalid>> {
    let mut all = Vec::new();
    for batch in batches {
        let texts = [0, 1].map(|index| cast(batch.column(index), &DataType::Utf8));
        let [run_ids, reasons] = texts;
        let (run_ids, reasons) = (run_ids?, reasons?);
        let counts = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            all.push(Invalid {
                run_id: run_ids.as_string::<i32>().value(row).to_owned(),
                reason: reasons.as_string::<i32>().value(row).to_owned(),
                samples: u64::try_from(counts.value(row)).unwrap_or(0),
            });
        }
    }
    Ok(all)
}

/// The sums by reason, of some runs or of all.
pub(crate) fn by_reason(invalid: &[Invalid], runs: Option<&[String]>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for entry in invalid.iter().filter(|entry| runs.is_none_or(|runs| runs.contains(&entry.run_id))) {
        *sums.entry(entry.reason.clone()).or_insert(0) += entry.samples;
    }
    sums
}
