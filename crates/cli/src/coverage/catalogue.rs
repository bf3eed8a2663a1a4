//! The rows of the catalogue and what each needs, from the embedded table.

use std::collections::BTreeSet;

use benchbook_core::message::ImplementationInfo;
use benchbook_core::unknown;
use serde::Deserialize;

use super::evidence::{Evidence, Kind};
use super::{Error, Result};

const TABLE: &str = include_str!("catalogue.toml");

/// How every reason for `unavailable` begins.
const REASON: &str = "not testable here: ";

/// Every row, in the order in which people read them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Its sections.
    pub section: Vec<Section>,
}

/// Rows of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Letters that every row's id begins with.
    pub id: String,
    /// What the rows are.
    pub title: String,
    /// Whether its rows are techniques that can be switched on in a model.
    #[serde(default)]
    pub technique: bool,
    /// Its rows.
    pub rows: Vec<Entry>,
}

/// One row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its id, kept for good.
    pub id: String,
    /// What must work.
    pub title: String,
    /// What must exist in the running program, all of it.
    pub evidence: Vec<Evidence>,
    /// What is still absent although all the evidence may be there; holds the row at `not yet`.
    #[serde(default)]
    pub lacks: Option<String>,
    /// How far what works goes; stands behind the evidence that was found.
    #[serde(default)]
    pub limits: Option<String>,
    /// Why no machine of the project can run it; counts while the evidence is not there.
    #[serde(default)]
    pub unavailable: Option<String>,
}

impl Catalogue {
    /// The catalogue of this build.
    ///
    /// # Errors
    /// The table has a mistake: see [`Catalogue::parse`].
    pub fn embedded() -> Result<Self> {
        Self::parse(TABLE)
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// [`Error::Syntax`] with line and column, also for evidence of an unknown kind; an id that
    /// stands twice or in the wrong section; a reason that does not read as one; evidence that asks
    /// for an unknown row.
    pub fn parse(text: &str) -> Result<Self> {
        let catalogue: Self =
            toml::from_str(text).map_err(|error| Error::Syntax(error.to_string().trim_end().into()))?;
        catalogue.check()?;
        Ok(catalogue)
    }

    /// Every row with its section.
    pub fn entries(&self) -> impl Iterator<Item = (&Section, &Entry)> {
        self.section.iter().flat_map(|section| section.rows.iter().map(move |entry| (section, entry)))
    }

    /// Ids of the techniques that can be switched on in a model.
    pub fn techniques(&self) -> Vec<&str> {
        self.entries().filter(|(section, _)| section.technique).map(|(_, entry)| entry.id.as_str()).collect()
    }

    /// Refuses implementations that claim rows which are not there, or claim them without effect.
    ///
    /// # Errors
    /// [`Error::Claim`] with the nearest row, [`Error::IdleClaim`].
    pub fn check_claims(&self, implementations: &[ImplementationInfo]) -> Result<()> {
        for info in implementations {
            let (implementation, workload) = (info.name.clone(), info.workload.clone());
            for id in &info.catalogue {
                let Some((_, entry)) = self.entries().find(|(_, entry)| entry.id == *id) else {
                    return Err(Error::Claim { implementation, workload, cause: self.unknown_row(id) });
                };
                let counts = |one: &Evidence| *one == Evidence::Implementation || one.name_of(Kind::Python).is_some();
                if !entry.evidence.iter().any(counts) {
                    return Err(Error::IdleClaim { implementation, workload, id: id.clone() });
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for section in &self.section {
            if !seen.insert(section.id.as_str()) {
                return Err(Error::Duplicate(section.id.clone()));
            }
        }
        for (section, entry) in self.entries() {
            let number = entry.id.strip_prefix(section.id.as_str()).unwrap_or_default();
            if number.starts_with('0') || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Error::Id { id: entry.id.clone(), section: section.id.clone() });
            }
            if !seen.insert(entry.id.as_str()) {
                return Err(Error::Duplicate(entry.id.clone()));
            }
            let reason = entry.unavailable.as_deref();
            if reason.is_some_and(|reason| reason.strip_prefix(REASON).is_none_or(str::is_empty)) {
                return Err(Error::Reason(entry.id.clone()));
            }
        }
        for (_, entry) in self.entries() {
            for model in entry.evidence.iter().filter_map(|evidence| evidence.name_of(Kind::Matrix)) {
                if !self.entries().any(|(_, entry)| entry.id == model) {
                    return Err(Error::Matrix { row: entry.id.clone(), cause: self.unknown_row(model) });
                }
            }
        }
        Ok(())
    }

    fn unknown_row(&self, id: &str) -> benchbook_core::Error {
        unknown("catalogue row", id, self.entries().map(|(_, entry)| entry.id.as_str()))
    }
}
