//! Published claims: where each was made, the number that it gives, and what was measured here.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::memory::default_memory_bytes;
use crate::wait::Threads;

/// The table's name.
pub(crate) const TABLE: &str = "claims";

/// The claims that come with benchbook.
const EMBEDDED: &str = include_str!("../../../datasets/claims.csv");

/// The query that judges them, the only place with the rule.
const JUDGED: &str = include_str!("../../../queries/claims.sql");

/// The columns: what was claimed, by hand, and what became of it, by `cargo xtask bench --claims`.
///
/// A claim that says *at least* has no `claimed_high`, one that says *at most* no `claimed_low`; a point has both the same.
const COLUMNS: [(&str, DataType); 17] = [
    ("claim", DataType::Utf8),
    ("catalogue", DataType::Utf8),
    ("kind", DataType::Utf8),
    ("statement", DataType::Utf8),
    ("source", DataType::Utf8),
    ("quantity", DataType::Utf8),
    ("claimed_low", DataType::Float64),
    ("claimed_high", DataType::Float64),
    ("needs", DataType::Utf8),
    ("unjudged", DataType::Utf8),
    ("value", DataType::Float64),
    ("low", DataType::Float64),
    ("high", DataType::Float64),
    ("replicates", DataType::Int64),
    ("provenance", DataType::Utf8),
    ("machine", DataType::Utf8),
    ("how", DataType::Utf8),
];

/// What a row may be: only the first is counted as a published claim.
const KINDS: [&str; 3] = ["published", "target", "inference"];

/// What a claimed number may be of; `queries/claims.sql` says which of them are better when less.
const QUANTITIES: [&str; 13] = [
    "accuracy_lost",
    "accuracy_lost_ratio",
    "bits",
    "compression",
    "energy",
    "error",
    "loss_added",
    "memory",
    "memory_growth",
    "speed",
    "time",
    "time_growth",
    "waste",
];

/// Where a value may come from, as in the table `measures`.
const PROVENANCES: [&str; 3] = [MEASURED, "modelled", "quoted"];
const MEASURED: &str = "measured";

/// What a value has that was measured, and no other.
const OF_MEASURED: [&str; 4] = ["low", "high", "replicates", "machine"];

/// The claims that come with benchbook, each with its verdict; no store is needed.
///
/// Columns: `claim`, `catalogue` (ids of its rows there), `kind`, `statement`, `source`, `quantity`, `claimed` (in words)
/// from `claimed_low` to `claimed_high`, `value` with its interval `low` – `high` over `replicates` and its `provenance`,
/// `verdict`, `reason`, `machine`, `how`.
///
/// # Errors
/// [`Error::Claims`] if the embedded table has a mistake, which a test rules out; [`Error::MemoryVariable`].
pub fn claims() -> Result<Answer> {
    let (table, limit_bytes) = (Arc::new(embedded()?), default_memory_bytes()?);
    let asked = async {
        let context = SessionContext::new();
        context.register_table(TABLE, table)?;
        let frame = context.sql(JUDGED).await?;
        let schema = frame.schema().clone();
        Answer::new(&schema, &frame.collect().await?, limit_bytes)
    };
    Ok(Threads::start(limit_bytes)?.wait(asked)??)
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
    (0..batch.num_rows()).find_map(|row| {
        let row = Row { batch, row };
        let Some(claim) = row.text("claim") else {
            return Some("a row has no claim".to_owned());
        };
        if !seen.insert(claim.to_owned()) {
            return Some(format!("claim `{claim}` stands twice"));
        }
        row.breach().map(|breach| format!("claim `{claim}`: {breach}"))
    })
}

/// One row of a table of claims.
struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some_and(|column| column.is_valid(self.row))
    }

    fn text(&self, name: &str) -> Option<&str> {
        let column = self.batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(self.row).then(|| column.value(self.row))
    }

    fn number(&self, name: &str) -> Option<f64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(self.row).then(|| column.value(self.row))
    }

    /// The first rule that the row breaks.
    fn breach(&self) -> Option<String> {
        let word = |name: &str| self.text(name).unwrap_or_default();
        for (column, known) in [("kind", &KINDS[..]), ("quantity", &QUANTITIES[..])] {
            if !known.contains(&word(column)) {
                return Some(format!("{column} `{}` is none of {}", word(column), known.join(", ")));
            }
        }
        let numbers = |names: &[&str]| names.iter().filter_map(|name| self.number(name)).collect::<Vec<_>>();
        let (ends, interval) = (numbers(&["claimed_low", "claimed_high"]), numbers(&["low", "value", "high"]));
        let in_catalogue = word("catalogue").split(' ').any(|id| id.starts_with("CL"));
        let (value, measured) = (self.has("value"), word("provenance") == MEASURED);
        let rules = [
            (
                in_catalogue == (word("kind") != "inference"),
                "published claims and targets have a row CL, inferences none",
            ),
            (!ends.is_empty() || self.has("unjudged"), "gives neither a number nor a reason why it is not judged"),
            (ends.is_sorted() && ends.iter().all(|end| end.is_finite()), "claimed_low must not exceed claimed_high"),
            (!(value && self.has("unjudged")), "what is not judged carries no value"),
            (value == PROVENANCES.contains(&word("provenance")), "a value is measured, modelled or quoted"),
            (value == self.has("how"), "a value says how it came about"),
            (
                measured || !OF_MEASURED.iter().any(|name| self.has(name)),
                "what was not measured carries no interval, no replicates and no machine",
            ),
            (
                !measured || OF_MEASURED.iter().all(|name| self.has(name)) && interval.is_sorted(),
                "what was measured needs low, value and high in that order, replicates and a machine",
            ),
        ];
        rules.iter().find(|(kept, _)| !kept).map(|(_, rule)| (*rule).to_owned())
    }
}
