//! Published claims: where each was made, the figure that it gives, and what was measured here.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::left_out::LeftOut;
use crate::wait::Threads;

/// The table's name.
pub(crate) const TABLE: &str = "claims";

/// The claims that come with benchbook.
const EMBEDDED: &str = include_str!("../../../datasets/claims.csv");

/// The query that judges them, the only place with the rule.
const JUDGED: &str = include_str!("../../../queries/claims.sql");

/// The columns: what was claimed, by hand, and what was measured, by `cargo xtask bench --claims`.
const COLUMNS: [(&str, DataType); 14] = [
    ("claim", DataType::Utf8),
    ("catalogue", DataType::Utf8),
    ("statement", DataType::Utf8),
    ("source", DataType::Utf8),
    ("quantity", DataType::Utf8),
    ("relation", DataType::Utf8),
    ("claimed", DataType::Float64),
    ("reason", DataType::Utf8),
    ("measured", DataType::Float64),
    ("low", DataType::Float64),
    ("high", DataType::Float64),
    ("replicates", DataType::Int64),
    ("machine", DataType::Utf8),
    ("how", DataType::Utf8),
];

/// How a figure may be claimed.
const RELATIONS: [&str; 3] = ["at least", "at most", "about"];

/// The claims that come with benchbook, each with its verdict; no store is needed.
///
/// Columns: `claim`, `catalogue` (ids of its rows there), `statement`, `source`, `quantity`, `relation`, `claimed`,
/// `measured` with its interval `low` – `high` over `replicates`, `verdict`, `reason`, `machine`, `how`.
///
/// # Errors
/// [`Error::Claims`] if the embedded table has a mistake, which a test rules out.
pub fn claims() -> Result<Answer> {
    let table = Arc::new(embedded()?);
    let asked = async {
        let context = SessionContext::new();
        context.register_table(TABLE, table)?;
        let frame = context.sql(JUDGED).await?;
        let schema = frame.schema().as_arrow().clone();
        Ok::<_, DataFusionError>((schema, frame.collect().await?))
    };
    let (schema, batches) = Threads::start()?.wait(asked)?;
    Ok(Answer::new(&schema, &batches, LeftOut::default())?)
}

/// The claims that come with benchbook, as a table.
pub(crate) fn embedded() -> Result<MemTable> {
    read(EMBEDDED.as_bytes(), Path::new("datasets/claims.csv"))
}

/// The claims of a CSV file, whose columns are known and whose rows are checked.
///
/// # Errors
/// [`Error::Csv`] with the line of a row that does not fit the columns, [`Error::Claims`] with the claim that is none.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<MemTable> {
    let bad = |reason: String| Error::Claims { path: path.to_owned(), reason };
    let names = COLUMNS.map(|(name, _)| name).join(",");
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if header.trim_ascii() != names.as_bytes() {
        return Err(bad(format!("a table of claims begins with the line `{names}`")));
    }
    let fields = COLUMNS.map(|(name, kind)| Field::new(name, kind, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let rows = ReaderBuilder::new(Arc::clone(&schema))
        .with_header(true)
        .build(bytes)
        .and_then(|reader| reader.collect::<std::result::Result<Vec<_>, _>>())
        .map_err(|error| Error::Csv { path: path.to_owned(), reason: error.to_string() })?;
    let mut seen = HashSet::new();
    match rows.iter().find_map(|batch| flaw(batch, &mut seen)) {
        Some(reason) => Err(bad(reason)),
        None => Ok(MemTable::try_new(schema, vec![rows])?),
    }
}

/// What keeps the first such row from being a claim.
fn flaw(batch: &RecordBatch, seen: &mut HashSet<String>) -> Option<String> {
    let text = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let number = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    (0..batch.num_rows()).find_map(|row| {
        let Some(claim) = text("claim", row) else {
            return Some("a row has no claim".to_owned());
        };
        if !seen.insert(claim.to_owned()) {
            return Some(format!("claim `{claim}` stands twice"));
        }
        let relation = text("relation", row).unwrap_or_default();
        if !RELATIONS.contains(&relation) {
            return Some(format!("claim `{claim}`: relation `{relation}` is none of {}", RELATIONS.join(", ")));
        }
        if number("claimed", row).is_none_or(|claimed| !claimed.is_finite()) && text("reason", row).is_none() {
            return Some(format!("claim `{claim}` gives neither a figure nor a reason why it has none"));
        }
        let measured = ["low", "measured", "high"].map(|name| number(name, row));
        let ordered = measured.iter().flatten().is_sorted();
        let whole = measured.iter().all(Option::is_some) || measured.iter().all(Option::is_none);
        (!(ordered && whole))
            .then(|| format!("claim `{claim}`: low, measured and high must all be there, in that order"))
    })
}
