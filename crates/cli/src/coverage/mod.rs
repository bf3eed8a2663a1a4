//! What of the catalogue works in this build, told from what the program holds.

mod beside;
mod catalogue;
mod evidence;
#[cfg(test)]
mod tests;

use std::fmt;

use benchbook_core::message::{DeviceInfo, ImplementationInfo};
use serde::Serialize;

use self::catalogue::{Catalogue, Entry};
use self::evidence::Finding;

/// What exists in the running program, asked of its parts and never written down by hand.
#[derive(Debug, Clone, Default)]
pub struct Available {
    /// Implementations that the worker describes.
    pub implementations: Vec<ImplementationInfo>,
    /// Devices that the worker describes, present or not.
    pub devices: Vec<DeviceInfo>,
    /// Names of the SQL functions.
    pub functions: Vec<String>,
    /// Names of the named queries.
    pub queries: Vec<String>,
    /// Columns of the record, as `table.column`.
    pub columns: Vec<String>,
    /// Commands, those of commands too, and each with each of its long options, `run` with each category too: `run`,
    /// `run --quick`, `run --category cpu`, `notebook run --jobs`.
    pub commands: Vec<String>,
    /// Names in the table `measures`.
    pub measures: Vec<String>,
    /// Names of the metrics of which it is stated which side is better.
    pub metrics: Vec<String>,
    /// Names of the charts.
    pub charts: Vec<String>,
    /// Names of the library's calls around code of one's own.
    pub calls: Vec<String>,
    /// Published claims with what became of each.
    pub claims: Vec<Claim>,
    /// Models of the matrix, by their rows.
    pub models: Vec<Model>,
    /// Models, each with a workload that takes it whole and is solved here: `gpt2-124m by greedy-decoding`.
    pub posed: Vec<String>,
    /// Parameters of workloads that are solved here, and each with its words and with the values of its presets.
    pub parameters: Vec<String>,
    /// Presets of workloads that are solved here: `generate chat`.
    pub presets: Vec<String>,
    /// The Python worker that the program carries, not started.
    pub python: Carried,
    /// This machine's processors, of graphics too; where there are none of these, why.
    pub chips: Vec<String>,
}

/// The Python worker, as far as its text and the files of a Python tell of it.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// Ids of the rows that its table claims.
    pub claims: Vec<String>,
    /// Names of the metrics that it tells.
    pub told: Vec<String>,
    /// Names of the packages that lie in the Python it would be started in.
    pub packages: Vec<String>,
    /// Why there is no such Python.
    pub absent: Option<String>,
}

/// A model of the matrix.
#[derive(Debug, Clone)]
pub struct Model {
    /// The id of its row.
    pub id: String,
    /// Why none of its cells can be measured; nothing where they can.
    pub not_here: Option<String>,
    /// Ids of the rows of techniques of which it has a cell: measured, or with why they do not suit it.
    pub techniques: Vec<String>,
}

/// A published claim, as far as its rows need to know.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Ids of its rows.
    pub catalogue: Vec<String>,
    /// As the query `claims` gives it: `confirmed`, `exceeded`, `refuted` (each of them perhaps `by definition`),
    /// `undecided`, `not judged`, `not testable here` or `not measured yet`.
    pub verdict: String,
    /// Why it cannot be judged or tested here, if so.
    pub reason: String,
}

/// Whether a row works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// Everything it needs is in the program and runs on this machine.
    #[serde(rename = "works")]
    Works,
    /// Something it needs is not in the program.
    #[serde(rename = "not yet")]
    NotYet,
    /// It cannot run here, and the reason says why.
    #[serde(rename = "unavailable")]
    Unavailable,
}

impl Status {
    /// The words that people see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::NotYet => "not yet",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoverageRow {
    /// Its id (`AT1`).
    pub id: String,
    /// Title of its section.
    pub section: String,
    /// What must work.
    pub title: String,
    /// Whether it works.
    pub status: Status,
    /// The evidence found, the first piece missing, or why it cannot run here.
    pub because: String,
}

/// Every row of the catalogue, in its order.
///
/// # Errors
/// The embedded table has a mistake, or an implementation claims a row that is not there.
pub fn coverage(available: &Available) -> Result<Vec<CoverageRow>> {
    coverage_of(&Catalogue::embedded()?, available)
}

/// [`coverage`] of any catalogue.
fn coverage_of(catalogue: &Catalogue, available: &Available) -> Result<Vec<CoverageRow>> {
    catalogue.check_claims(&available.implementations)?;
    let techniques = catalogue.techniques();
    let rows = catalogue.entries().map(|(section, entry)| {
        let (status, because) = judge(entry, &techniques, available);
        CoverageRow {
            id: entry.id.clone(),
            section: section.title.clone(),
            title: entry.title.clone(),
            status,
            because,
        }
    });
    Ok(rows.collect())
}

fn judge(entry: &Entry, techniques: &[&str], available: &Available) -> (Status, String) {
    let (mut found, mut missing, mut not_here) = (Vec::new(), Vec::new(), Vec::new());
    for evidence in &entry.evidence {
        match evidence.find(&entry.id, techniques, available) {
            Finding::Found(text) => found.push(text),
            Finding::Missing(text) => missing.push(text),
            Finding::NotHere(text) => not_here.push(text),
        }
    }
    let missing = match (missing.into_iter().next(), &entry.lacks) {
        (Some(first), _) => Some(first),
        (None, Some(lacks)) => Some(lacks.clone()),
        (None, None) if entry.evidence.is_empty() => Some("nothing in the program does this".to_owned()),
        (None, None) => None,
    };
    match (missing, not_here.into_iter().next()) {
        (Some(missing), _) => match &entry.unavailable {
            Some(reason) => (Status::Unavailable, reason.clone()),
            None => (Status::NotYet, missing),
        },
        (None, Some(reason)) => (Status::Unavailable, reason),
        (None, None) => {
            found.extend(entry.limits.iter().map(|limits| format!("within limits: {limits}")));
            (Status::Works, found.join(", "))
        }
    }
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of the catalogue; each is a mistake in this program, never in its input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not TOML, a field that is not known, or a piece of evidence that cannot be read.
    #[error("its table cannot be read: {0}")]
    Syntax(String),
    /// Two rows or two sections with one id.
    #[error("`{0}` stands twice, ids are given once and kept for good")]
    Duplicate(String),
    /// An id that is not the section's letters and a number.
    #[error("row `{id}` stands in section {section}, its id must be {section} and a number from 1")]
    Id {
        /// The row.
        id: String,
        /// The section it stands in.
        section: String,
    },
    /// A reason that does not read as one.
    #[error("row `{0}`: `unavailable` must begin with `not testable here: ` and say why")]
    Reason(String),
    /// Evidence that asks for a row which is not there.
    #[error("row `{row}`: {cause}")]
    Matrix {
        /// The row whose evidence it is.
        row: String,
        /// The unknown row, with the nearest known one.
        cause: benchbook_core::Error,
    },
    /// An implementation that claims a row which is not there.
    #[error("implementation {implementation} of {workload} claims a row that is not there: {cause}")]
    Claim {
        /// The implementation.
        implementation: String,
        /// Its workload.
        workload: String,
        /// The unknown row, with the nearest known one.
        cause: benchbook_core::Error,
    },
    /// An implementation that claims a row which no implementation can make work.
    #[error(
        "implementation {implementation} of {workload} claims {id} without effect: \
         give that row the evidence `implementation` or `python`, or drop the claim"
    )]
    IdleClaim {
        /// The implementation.
        implementation: String,
        /// Its workload.
        workload: String,
        /// The row.
        id: String,
    },
}
