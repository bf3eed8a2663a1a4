//! Scaling charts: which parameter was swept, and one chart for each set of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Int64Type, Schema};
use benchbook_query::{Session, quoted, quoted_name};

use crate::Result;
use crate::charts::{Figure, scaling};

/// A line through fewer points says nothing about an exponent.
const LEAST_POINTS: usize = 3;

/// Time against size, one figure for each workload and set of fixed parameters with at least three sizes, in the order
/// of the plan.
///
/// # Errors
/// A store that cannot be read.
pub fn figures(session: &Session, run_id: &str) -> Result<Vec<Figure>> {
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
pub(crate) fn renamed(batches: &[RecordBatch], names: &[(&str, &str)]) -> Result<Vec<RecordBatch>> {
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
