//! What is known of each trial, gathered once: its run, its parameters, and whether it may be used.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use benchbook_record::{CAUTIOUS_PILOT, Damaged, Table, pilot_of};
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, exec_err};
use datafusion::datasource::MemTable;

use crate::params::{Params, Value};
use crate::validity::{Validity, word};

/// Why no sample of a trial may be used; NULL if they may.
pub(crate) const TRIAL_REASON: &str = "trial_reason";
/// The same as a word for people.
pub(crate) const TRIAL_LOST: &str = "trial_lost";
/// Number of the trial's run, case, replicate and cache regime: equal where blocks may be paired.
pub(crate) const PAIR_GROUP: &str = "pair_group";
/// Number of the variant.
pub(crate) const VARIANT_NUMBER: &str = "variant_number";
/// Replicates of the pilot that fixed the number of all; NULL where it was fixed beforehand, the most cautious
/// where the plan of the run cannot be read.
pub(crate) const PILOT: &str = "pilot";

/// The longest text of a trial.
const MOST_TEXT_BYTES: usize = 1 << 16;

/// Columns of `trials` that stand in `results` before the parameters, and after them.
const BEFORE: [&str; 2] = ["workload", "case_name"];
const AFTER: [&str; 11] = [
    "variant",
    "implementation",
    "device",
    "dtype",
    "threads",
    "build",
    "engine",
    "replicate",
    "isolation",
    "cache",
    "flops",
];

/// The trials of a store, one row each.
#[derive(Debug)]
pub(crate) struct Facts {
    /// run_id, trial, started_at, suite, trials' columns, parameters, and the five columns above.
    pub(crate) batch: RecordBatch,
    /// The columns of the parameters, in order.
    pub(crate) params: Vec<String>,
    /// Whether a trial may not be used.
    pub(crate) any_bad: bool,
    /// Trials of runs that no view has, since a text of theirs is too long.
    pub(crate) left_out: Vec<Damaged>,
}

/// The tables that [`Facts`] are gathered from, each as one list of batches.
pub(crate) struct Sources {
    pub(crate) runs: Vec<RecordBatch>,
    pub(crate) trials: Vec<RecordBatch>,
    pub(crate) outcomes: Vec<RecordBatch>,
    pub(crate) checks: Vec<RecordBatch>,
    /// Schemas of `runs` and `trials` as read.
    pub(crate) runs_schema: SchemaRef,
    pub(crate) trials_schema: SchemaRef,
    /// Runs whose writer is at work.
    pub(crate) live: HashSet<String>,
}

impl Facts {
    pub(crate) fn gather(sources: &Sources, damaged: &[Damaged]) -> Result<Self> {
        let (trials, left_out) = without_long_texts(&sources.trials)?;
        let trials = first_of_each(&concat_batches(&sources.trials_schema, &trials)?)?;
        let runs = concat_batches(&sources.runs_schema, &sources.runs)?;
        let run_ids = text(&trials, "run_id")?;
        let numbers = ints(&trials, "trial")?;

        let validity = Validity::gather(sources, damaged)?;
        let reasons: Vec<Option<&str>> =
            (0..trials.num_rows()).map(|row| validity.reason(run_ids.value(row), numbers.value(row))).collect();

        let run_rows = rows_by_run(&runs)?;
        let run_index: UInt32Array = run_ids.iter().map(|id| id.and_then(|id| run_rows.get(id).copied())).collect();
        let of_run = |name: &str| -> Result<ArrayRef> { Ok(take(column(&runs, name)?, &run_index, None)?) };

        let maps = column(&trials, "params")?;
        let params = Params::of(maps.as_map())?.columns();

        let mut columns: Vec<(String, ArrayRef)> = vec![
            ("run_id".into(), Arc::clone(column(&trials, "run_id")?)),
            ("trial".into(), Arc::clone(column(&trials, "trial")?)),
            ("started_at".into(), of_run("started_at")?),
            ("suite".into(), of_run("suite")?),
        ];
        for name in BEFORE {
            columns.push((name.into(), Arc::clone(column(&trials, name)?)));
        }
        let mut fixed: HashSet<&str> = crate::views::RESULT_COLUMNS.iter().copied().collect();
        fixed.extend([TRIAL_REASON, TRIAL_LOST, PAIR_GROUP, VARIANT_NUMBER, PILOT]);
        let mut names = Vec::with_capacity(params.len());
        for (name, values) in params {
            // No workload may have such a name; older and foreign stores do, and must not hide a column.
            let name = if fixed.contains(name.as_str()) { format!("param_{name}") } else { name };
            names.push(name.clone());
            columns.push((name, values));
        }
        for name in AFTER.into_iter().chain(["bytes"]) {
            columns.push((name.into(), Arc::clone(column(&trials, name)?)));
        }
        let any_bad = reasons.iter().any(Option::is_some);
        let words = reasons.iter().map(|reason| reason.map(word)).collect::<StringViewArray>();
        columns.push((TRIAL_LOST.into(), Arc::new(words)));
        columns.push((TRIAL_REASON.into(), Arc::new(reasons.into_iter().collect::<StringViewArray>())));
        columns
            .push((PAIR_GROUP.into(), number_of(&trials, &["run_id", "workload", "case_name", "replicate", "cache"])?));
        columns.push((VARIANT_NUMBER.into(), number_of(&trials, &["variant"])?));
        let plans = text(&runs, "plan")?;
        let pilots: Vec<Option<i64>> = plans.iter().map(|plan| plan.and_then(pilot_of)).collect();
        let pilot = |row: Option<u32>| row.map_or(Some(CAUTIOUS_PILOT), |row| pilots[row as usize]);
        columns.push((PILOT.into(), Arc::new(run_index.iter().map(pilot).collect::<Int64Array>())));

        let fields: Vec<Field> =
            columns.iter().map(|(name, values)| Field::new(name, values.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, values)| values).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        Ok(Self { batch, params: names, any_bad, left_out })
    }

    /// The facts as a table.
    pub(crate) fn table(&self) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(MemTable::try_new(self.batch.schema(), vec![vec![self.batch.clone()]])?))
    }

    /// The different texts of these columns, in order.
    pub(crate) fn names(&self, columns: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = columns
            .iter()
            .filter_map(|name| self.batch.column_by_name(name)?.as_string_view_opt())
            .flat_map(|column| column.iter().flatten().map(str::to_owned))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The trials of all runs but those with a longer text than any name or value of a parameter has: every sample would
/// carry it along.
fn without_long_texts(batches: &[RecordBatch]) -> Result<(Vec<RecordBatch>, Vec<Damaged>)> {
    let mut runs = BTreeSet::new();
    for batch in batches {
        let (run_ids, params) = (text(batch, "run_id")?, Params::of(column(batch, "params")?.as_map())?);
        let texts: Vec<&StringViewArray> =
            batch.columns().iter().filter_map(|column| column.as_string_view_opt()).collect();
        let is_long = |row: &usize| {
            let of_param = |(name, value): (&str, Value<'_>)| {
                name.len() > MOST_TEXT_BYTES || matches!(value, Value::Text(text) if text.len() > MOST_TEXT_BYTES)
            };
            let of_column =
                |column: &&StringViewArray| column.is_valid(*row) && column.value(*row).len() > MOST_TEXT_BYTES;
            texts.iter().any(of_column) || params.row(*row).any(of_param)
        };
        runs.extend((0..batch.num_rows()).filter(is_long).map(|row| run_ids.value(row).to_owned()));
    }
    if runs.is_empty() {
        return Ok((batches.to_vec(), Vec::new()));
    }
    let mut kept = Vec::with_capacity(batches.len());
    for batch in batches {
        let fits: BooleanArray = text(batch, "run_id")?.iter().map(|id| id.map(|id| !runs.contains(id))).collect();
        kept.push(filter_record_batch(batch, &fits)?);
    }
    let damaged = |run_id: String| Damaged {
        path: format!("run_id={run_id}/{}", Table::Trials.file_name()),
        reason: format!("a text of it is longer than {MOST_TEXT_BYTES} bytes: the views have none of its samples"),
    };
    Ok((kept, runs.into_iter().map(damaged).collect()))
}

/// The trials without repetitions of (run_id, trial), which would double every sample.
fn first_of_each(trials: &RecordBatch) -> Result<RecordBatch> {
    let (run_ids, numbers) = (text(trials, "run_id")?, ints(trials, "trial")?);
    let mut seen = HashSet::new();
    let kept: Vec<u32> = (0..trials.num_rows())
        .filter(|row| seen.insert((run_ids.value(*row), numbers.value(*row))))
        .filter_map(|row| u32::try_from(row).ok())
        .collect();
    if kept.len() == trials.num_rows() {
        return Ok(trials.clone());
    }
    Ok(arrow::compute::take_record_batch(trials, &UInt32Array::from(kept))?)
}

fn rows_by_run(runs: &RecordBatch) -> Result<HashMap<&str, u32>> {
    let ids = text(runs, "run_id")?;
    Ok((0..runs.num_rows()).filter_map(|row| Some((ids.value(row), u32::try_from(row).ok()?))).collect())
}

/// A number for each combination of the columns, equal where they are.
fn number_of(batch: &RecordBatch, names: &[&str]) -> Result<ArrayRef> {
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        let column = column(batch, name)?;
        parts.push(match column.data_type() {
            DataType::Int64 => arrow::compute::cast(column, &DataType::Utf8View)?,
            _ => Arc::clone(column),
        });
    }
    let mut numbers: HashMap<Vec<Option<String>>, i64> = HashMap::new();
    let rows = (0..batch.num_rows()).map(|row| {
        let value = |part: &ArrayRef| part.is_valid(row).then(|| part.as_string_view().value(row).to_owned());
        let key: Vec<Option<String>> = parts.iter().map(value).collect();
        let next = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        *numbers.entry(key).or_insert(next)
    });
    Ok(Arc::new(rows.collect::<Int64Array>()))
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    match batch.column_by_name(name) {
        Some(column) => Ok(column),
        None => exec_err!("column `{name}` is missing"),
    }
}

pub(crate) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray> {
    match column(batch, name)?.as_string_view_opt() {
        Some(column) => Ok(column),
        None => exec_err!("column `{name}` is not text"),
    }
}

pub(crate) fn ints<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array> {
    match column(batch, name)?.as_primitive_opt::<Int64Type>() {
        Some(column) => Ok(column),
        None => exec_err!("column `{name}` is not an integer"),
    }
}
