//! History charts: how the time of a case moved over the runs of a store.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use benchbook_query::{Session, quoted};

use super::scaling::renamed;
use crate::Result;
use crate::charts::{Figure, history};
use crate::row::{Row, rows};

/// Fewer runs show no history.
const LEAST_RUNS: usize = 5;
/// What the runs of a figure share.
const SHARED: [&str; 4] = ["environment_id", "workload", "case_name", "cache"];

/// Time over the runs of the store: one figure for each case of a run, in the order of its plan, whose environment has at
/// least five runs of one variant of it.
///
/// # Errors
/// A store that cannot be read.
pub fn figures(session: &Session, run_id: &str) -> Result<Vec<Figure>> {
    if session.sql(&format!("select 1 from runs limit {LEAST_RUNS}"))?.rows() < LEAST_RUNS {
        return Ok(Vec::new());
    }
    let answer = session.named("history", &BTreeMap::new())?;
    let all = concat_batches(&answer.schema, &answer.batches)?;
    let text = |name: &str| all.column_by_name(name).and_then(|column| column.as_string_opt::<i32>().cloned());
    let shared: Vec<StringArray> = SHARED.into_iter().filter_map(text).collect();
    let mut cases: BTreeMap<Vec<String>, Vec<u32>> = BTreeMap::new();
    for (row, place) in (0..all.num_rows()).zip(0_u32..) {
        cases.entry(shared.iter().map(|column| value(column, row)).collect()).or_default().push(place);
    }
    let mut cases: Vec<(Vec<String>, Vec<u32>)> = cases.into_iter().collect();
    let planned = planned(session, run_id)?;
    cases.sort_by_key(|(case, _)| planned.iter().position(|one| case.get(1..) == Some(&one[..])));
    let mut figures = Vec::new();
    for (case, rows) in cases {
        let rows = take_record_batch(&all, &UInt32Array::from(rows))?;
        if is_long(&rows, run_id) {
            figures.push(history(&renamed(&[rows], &[("median_ns", "time_ns")])?)?.with_title(&title(&case)));
        }
    }
    Ok(figures)
}

/// Workload, case and cache regime of a run's cases, as its plan lists them.
fn planned(session: &Session, run_id: &str) -> Result<Vec<[String; 3]>> {
    let answer = session.sql(&format!(
        "select workload, case_name, cache from trials where run_id = {} \
         group by workload, case_name, cache order by min(trial)",
        quoted(run_id)
    ))?;
    let case = |row: Row<'_>| ["workload", "case_name", "cache"].map(|name| row.text(name).unwrap_or_default());
    Ok(rows(&answer).map(case).collect())
}

/// Whether the rows of a case hold that run, and enough runs of one variant.
fn is_long(rows: &RecordBatch, run_id: &str) -> bool {
    let text = |name: &str| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(runs), Some(variants)) = (text("run_id"), text("variant")) else { return false };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for variant in variants.iter().flatten() {
        *counts.entry(variant).or_default() += 1;
    }
    counts.values().any(|count| *count >= LEAST_RUNS) && runs.iter().flatten().any(|id| id == run_id)
}

/// The text of a row; empty where it is NULL.
fn value(column: &StringArray, row: usize) -> String {
    if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
}

/// `attention seq=64 over the runs`, with the cold regime where it needs saying.
fn title(case: &[String]) -> String {
    let [_, workload, case_name, cache] = case else { return "history".to_owned() };
    let cold = if cache == "cold" { " cold" } else { "" };
    format!("{workload} {case_name}{cold} over the runs")
}
