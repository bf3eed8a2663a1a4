//! The figures of a run.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use benchbook_query::{Answer, Session, quoted};

use super::{history_figures, scaling, scaling_figures};
use crate::Result;
use crate::charts::{Figure, distribution, speedup};
use crate::comparison::gaps::{Lost, lost};

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
    Ok(speedup(&scaling::renamed(&compared.batches, &names)?)?)
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
    let mut batches = samples.batches;
    batches.push(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))?);
    Ok(Some(distribution(&batches)?))
}
