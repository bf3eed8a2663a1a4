//! What an answer leaves out, and why.

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use benchbook_record::Damaged;
use datafusion::common::Result;

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

pub(crate) fn read(batches: &[RecordBatch]) -> Result<Vec<Invalid>> {
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
pub(crate) fn sum(invalid: &[Invalid], runs: Option<&[String]>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for entry in invalid.iter().filter(|entry| runs.is_none_or(|runs| runs.contains(&entry.run_id))) {
        *sums.entry(entry.reason.clone()).or_insert(0) += entry.samples;
    }
    sums
}
