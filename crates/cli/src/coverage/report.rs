//! Every row of the catalogue with its status and the reason for it.

use std::fmt;

use benchbook_core::message::{DeviceInfo, ImplementationInfo};
use serde::Serialize;

use super::catalogue::{Catalogue, Entry};
use super::error::Result;
use super::evidence::Finding;

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
    /// Commands, and each command with each of its long options: `run`, `run --quick`.
    pub commands: Vec<String>,
    /// Names in the table `measures`.
    pub measures: Vec<String>,
    /// Names of the charts.
    pub charts: Vec<String>,
    /// Published claims with what became of each.
    pub claims: Vec<Claim>,
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
pub(super) fn coverage_of(catalogue: &Catalogue, available: &Available) -> Result<Vec<CoverageRow>> {
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
        (None, None) => (Status::Works, found.join(", ")),
    }
}
