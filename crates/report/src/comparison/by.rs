//! What differs between the two sides of a comparison.

use benchbook_core::baseline_of;
use benchbook_query::{Session, quoted};

use crate::row::rows;
use crate::{Error, Result};

/// What differs between baseline and candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Each implementation beside the baseline's.
    Implementation,
    /// Each implementation beside itself on another device.
    Device,
    /// Each implementation beside itself in another dtype.
    Dtype,
}

impl By {
    /// Everything that can differ.
    pub const ALL: [Self; 3] = [Self::Implementation, Self::Device, Self::Dtype];

    /// The name of the column, and of the option's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Implementation => "implementation",
            Self::Device => "device",
            Self::Dtype => "dtype",
        }
    }

    /// What counts as 1 when nobody names it: `naive`, `flex` or `f32` where a run has them, else the first by name.
    ///
    /// # Errors
    /// [`Error::Nothing`] for a run without trials.
    pub(crate) fn baseline(self, session: &Session, run_id: &str) -> Result<String> {
        let names = distinct(session, "trials", run_id, self.name())?;
        let usual = match self {
            Self::Implementation => baseline_of(names.iter().map(String::as_str)),
            Self::Device => names.iter().map(String::as_str).find(|name| *name == "flex"),
            Self::Dtype => names.iter().map(String::as_str).find(|name| *name == "f32"),
        };
        let nothing = || Error::Nothing(format!("run {run_id} has no trials, there is nothing to compare"));
        usual.map(str::to_owned).or_else(|| names.first().cloned()).ok_or_else(nothing)
    }
}

/// The values of a column of a table that belong to a run, in order.
pub(crate) fn distinct(session: &Session, table: &str, run_id: &str, column: &str) -> Result<Vec<String>> {
    let answer = session
        .sql(&format!("select distinct {column} as name from {table} where run_id = {} order by 1", quoted(run_id)))?;
    Ok(rows(&answer).filter_map(|row| row.text("name")).collect())
}
