//! The charts of a report.

use benchbook_charts::{Figure, distribution, speedup};
use benchbook_query::{Answer, Session};

use super::scaling;
use crate::error::Failure;

/// The charts of a run: the comparison, scaling where something was swept, and every sample.
pub fn figures(session: &Session, run_id: &str, compared: &Answer) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    if compared.rows() > 0 {
        let batches = scaling::renamed(&compared.batches, &[("speedup", "ratio")])?;
        figures.push(speedup(&batches)?);
    }
    figures.extend(scaling::figures(session, run_id)?);
    let samples = session.sql(&format!(
        "select workload || ' ' || case_name as case_name, variant, time_ns from results where run_id = '{run_id}' and valid"
    ))?;
    if samples.rows() > 0 {
        figures.push(distribution(&samples.batches)?);
    }
    Ok(figures)
}
