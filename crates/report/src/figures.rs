//! The figures of a run, drawn from the answers of its store.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{Field, Int64Type, Schema};
use benchbook_query::{Answer, Session, quoted, quoted_name};

use crate::Result;
use crate::charts::{Figure, distribution, history, scaling, speedup};
use crate::comparison::gaps::{Lost, lost};
use crate::row::{Row, rows};

/// The figures of a run: the comparison, scaling where something was swept, every sample, and the history of its
/// cases where the store has one.
///
/// # Errors
/// A store that cannot be read, or columns that cannot be drawn.
pub fn figures(session: &Session, run_id: &str, compared: &Answer) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if compared.rows() > 0 {
        figures.push(speedup_figure(compared)?);
    }
    figures.extend(scaling_figures(session, run_id)?);
    figures.extend(distribution_figure(session, run_id)?);
    figures.extend(history_figures(session, run_id)?);
    Ok(figures)
}

/// Ratios with their intervals, from the rows of the named query `speedup`, verdicts in words.
///
/// # Errors
/// Columns that cannot be drawn.
pub fn speedup_figure(compared: &Answer) -> Result<Figure> {
    let names = [("speedup", "ratio"), ("verdict", "code"), ("said", "verdict"), ("first_trial", "case_place")];
    Ok(speedup(&renamed(&compared.batches, &names)?)?)
}

/// Every valid sample of a run, and why a variant of a case has none; nothing where none has.
///
/// # Errors
/// A store that cannot be read.
pub fn distribution_figure(session: &Session, run_id: &str) -> Result<Option<Figure>> {
    let samples = session.sql(&format!(
        "select workload || ' ' || case_name || case when cache = 'cold' then ' cold' else '' end as case_name, \
         trial as case_place, variant, time_ns, cast(null as varchar) as reason from results \
         where run_id = {} and valid",
        quoted(run_id)
    ))?;
    if samples.rows() == 0 {
        return Ok(None);
    }
    let lost = lost(session, run_id)?;
    let column =
        |of: fn(&Lost) -> &String| -> ArrayRef { Arc::new(lost.iter().map(of).map(Some).collect::<StringArray>()) };
    let places = lost.iter().map(|lost| Some(lost.first_trial)).collect::<Int64Array>();
    let columns: [(&str, ArrayRef); 5] = [
        ("case_name", column(|lost| &lost.case)),
        ("case_place", Arc::new(places)),
        ("variant", column(|lost| &lost.variant)),
        ("time_ns", Arc::new(Float64Array::new_null(lost.len()))),
        ("reason", column(|lost| &lost.why)),
    ];
    let mut batches = samples.batches.clone();
    batches.push(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))?);
    Ok(Some(distribution(&batches)?))
}

/// A line through fewer points says nothing about an exponent.
const LEAST_POINTS: usize = 3;

/// Time against size, one figure for each workload and set of fixed parameters with at least three sizes, in the order
/// of the plan.
///
/// # Errors
/// A store that cannot be read.
pub fn scaling_figures(session: &Session, run_id: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (workload, swept) in swept(session, run_id)? {
        let Some((x, along)) = swept.split_first() else { continue };
        let params = BTreeMap::from([
            ("run".to_owned(), run_id.to_owned()),
            ("x".to_owned(), x.clone()),
            ("along".to_owned(), along.join(",")),
        ]);
        let answer = session.named("scaling", &params)?;
        if answer.rows() == 0 {
            continue;
        }
        let all = concat_batches(&answer.schema, &answer.batches)?;
        let text = |name: &str| all.column_by_name(name).and_then(|column| column.as_string_opt::<i32>().cloned());
        let (Some(workloads), Some(fixed)) = (text("workload"), text("fixed")) else { continue };
        let mut groups: Vec<&str> = Vec::new();
        for group in fixed.iter().flatten() {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        for group in groups {
            let mask: BooleanArray = (0..all.num_rows())
                .map(|row| Some(workloads.value(row) == workload && fixed.value(row) == group))
                .collect();
            let rows = filter_record_batch(&all, &mask)?;
            if points(&rows) >= LEAST_POINTS {
                let rows = with_text(&rows, "x_name", Some(x))?;
                figures.push(scaling(&[rows])?.with_title(&format!("{workload} over {x} ({})", readable(group))));
            }
        }
    }
    Ok(figures)
}

/// `batch=1 causal=false masked=true` as `batch 1, masked`.
fn readable(fixed: &str) -> String {
    let word = |pair: &str| match pair.split_once('=') {
        Some((_, "false")) => None,
        Some((name, "true")) => Some(name.to_owned()),
        Some((name, value)) => Some(format!("{name} {value}")),
        None => Some(pair.to_owned()),
    };
    fixed.split_whitespace().filter_map(word).collect::<Vec<_>>().join(", ")
}

/// Different sizes in a group.
fn points(rows: &RecordBatch) -> usize {
    let Some(sizes) = rows.column_by_name("x") else { return 0 };
    let Ok(sizes) = arrow::compute::cast(sizes, &arrow::datatypes::DataType::Float64) else { return 0 };
    let sizes = sizes.as_primitive::<arrow::datatypes::Float64Type>();
    let mut bits: Vec<u64> = sizes.iter().flatten().map(f64::to_bits).collect();
    bits.sort_unstable();
    bits.dedup();
    bits.len()
}

/// Per workload, the integer parameter with the most values, then those that mostly equal it.
fn swept(session: &Session, run_id: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let probe = session.sql("select * from results limit 0")?;
    let fixed: Vec<String> = ["trials", "samples", "runs"]
        .into_iter()
        .map(|table| session.sql(&format!("select * from {table} limit 0")))
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .flat_map(|answer| answer.schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>())
        .collect();
    let is_param =
        |field: &&Arc<Field>| *field.data_type() == arrow::datatypes::DataType::Int64 && !fixed.contains(field.name());
    let params: Vec<String> = probe.schema.fields().iter().filter(is_param).map(|field| field.name().clone()).collect();
    if params.is_empty() {
        return Ok(BTreeMap::new());
    }
    let counts: Vec<String> = params.iter().map(|name| format!("count(distinct {})", quoted_name(name))).collect();
    let counted = session.sql(&format!(
        "select workload, {} from results where run_id = {} group by workload",
        counts.join(", "),
        quoted(run_id)
    ))?;
    let mut swept = BTreeMap::new();
    for batch in &counted.batches {
        for row in 0..batch.num_rows() {
            let workload = batch.column(0).as_string::<i32>().value(row).to_owned();
            let values = |index: usize| batch.column(index + 1).as_primitive::<Int64Type>().value(row);
            // The first of equals: parameters stand in the order of their names.
            let Some(most) = (0..params.len()).map(values).max().filter(|most| *most >= LEAST_POINTS as i64) else {
                continue;
            };
            let along: Vec<String> =
                (0..params.len()).filter(|index| values(*index) == most).map(|i| params[i].clone()).collect();
            swept.insert(workload, prefer_query_length(along));
        }
    }
    Ok(swept)
}

/// Attention is read against the number of queries, which `seq_kv` follows.
fn prefer_query_length(mut along: Vec<String>) -> Vec<String> {
    along.sort_by_key(|name| name.as_str() != "seq_q");
    along
}

/// A batch with one more column that holds `text` in every row.
pub(crate) fn with_text(batch: &RecordBatch, name: &str, text: Option<&str>) -> Result<RecordBatch> {
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(name, arrow::datatypes::DataType::Utf8, true)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec![text; batch.num_rows()])) as ArrayRef);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The same batches with some columns under other names.
fn renamed(batches: &[RecordBatch], names: &[(&str, &str)]) -> Result<Vec<RecordBatch>> {
    let rename = |field: &Arc<Field>| {
        let new = names.iter().find(|(old, _)| old == field.name());
        new.map_or_else(|| Arc::clone(field), |(_, new)| Arc::new(field.as_ref().clone().with_name(*new)))
    };
    let one = |batch: &RecordBatch| -> Result<RecordBatch> {
        let schema = Arc::new(Schema::new(batch.schema().fields().iter().map(rename).collect::<Vec<_>>()));
        Ok(RecordBatch::try_new(schema, batch.columns().to_vec())?)
    };
    batches.iter().map(one).collect()
}

/// Fewer runs show no history.
const LEAST_RUNS: usize = 5;
/// What the runs of a figure share.
const SHARED: [&str; 4] = ["environment_id", "workload", "case_name", "cache"];

/// Time over the runs of the store: one figure for each case of a run, in the order of its plan, whose environment has at
/// least five runs of one variant of it.
///
/// # Errors
/// A store that cannot be read.
pub fn history_figures(session: &Session, run_id: &str) -> Result<Vec<Figure>> {
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
