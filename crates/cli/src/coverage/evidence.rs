//! What must exist in the running program for a row to work.

use std::fmt;

use benchbook_core::message::ImplementationInfo;
use benchbook_core::unknown;
use serde::Deserialize;

use super::{Available, Claim, beside};

/// One thing that must exist: `implementation`, `claim`, or a kind and a name as in `function:welch_p`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Evidence {
    /// An implementation that claims the row and has a device which is available.
    Implementation,
    /// A published claim of the row that was measured and judged, and none that still is to be.
    Claim,
    /// Something known by its name.
    Named(Kind, String),
}

/// What kinds of things have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A statistic as an SQL function.
    Function,
    /// A named query.
    Query,
    /// A column of the record, as `table.column`.
    Column,
    /// A command, with one of its options where that matters: `run`, `run --quick`.
    Command,
    /// A metric in the table `measures`.
    Measure,
    /// A metric that is judged: it is stated which side of it is better.
    Metric,
    /// A device.
    Device,
    /// A chart.
    Chart,
    /// A call of the library around code of one's own.
    Call,
    /// A model of the catalogue in the matrix: every technique switched on in turn, or why it does not suit the model.
    Matrix,
    /// A model in a workload that takes it whole and is solved here: `gpt2-124m by greedy-decoding`.
    Model,
    /// A parameter of a workload that is solved here: `generate prompt`, or with one of its words, or with a value that
    /// one of the presets has: `text-training text=brown`, `selective-scan seq=2048`.
    Parameter,
    /// A preset of a workload that is solved here: `generate chat`.
    Preset,
    /// A package by which rows of the Python worker claim the row.
    Python,
    /// A metric that the Python worker tells.
    Told,
    /// A word in the names of this machine's processors, of graphics too.
    Chip,
    /// Instructions that a roof is measured by.
    Roof,
}

/// What a look at the program gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is there: what and where.
    Found(String),
    /// It is not there: what is missing.
    Missing(String),
    /// It is there but cannot run on this machine: why.
    NotHere(String),
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Function,
        Self::Query,
        Self::Column,
        Self::Command,
        Self::Measure,
        Self::Metric,
        Self::Device,
        Self::Chart,
        Self::Call,
        Self::Matrix,
        Self::Model,
        Self::Parameter,
        Self::Preset,
        Self::Python,
        Self::Told,
        Self::Chip,
        Self::Roof,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Query => "query",
            Self::Column => "column",
            Self::Command => "command",
            Self::Measure => "measure",
            Self::Metric => "metric",
            Self::Device => "device",
            Self::Chart => "chart",
            Self::Call => "call",
            Self::Matrix => "matrix",
            Self::Model => "model",
            Self::Parameter => "parameter",
            Self::Preset => "preset",
            Self::Python => "python",
            Self::Told => "told",
            Self::Chip => "chip",
            Self::Roof => "roof",
        }
    }
}

impl TryFrom<String> for Evidence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some((kind, name)) = text.split_once(':') else {
            return match text.as_str() {
                "implementation" => Ok(Self::Implementation),
                "claim" => Ok(Self::Claim),
                other => Err(format!(
                    "evidence `{other}` must be `claim`, `implementation` or a kind and a name, `function:mad`"
                )),
            };
        };
        let Some(kind) = Kind::ALL.into_iter().find(|known| known.name() == kind) else {
            return Err(unknown("kind of evidence", kind, Kind::ALL.map(Kind::name)).to_string());
        };
        if name.trim().is_empty() || name != name.trim() {
            return Err(format!("evidence `{text}` must name a {} right after the colon", kind.name()));
        }
        if kind == Kind::Column && name.split('.').filter(|part| !part.is_empty()).count() != 2 {
            return Err(format!("evidence `{text}` must name table and column, `column:trials.flops`"));
        }
        Ok(Self::Named(kind, name.to_owned()))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Implementation => f.write_str("implementation"),
            Self::Claim => f.write_str("claim"),
            Self::Named(kind, name) => write!(f, "{} {name}", kind.name()),
        }
    }
}

impl Evidence {
    /// The name, if it is of this kind.
    pub fn name_of(&self, wanted: Kind) -> Option<&str> {
        match self {
            Self::Named(kind, name) if *kind == wanted => Some(name),
            _ => None,
        }
    }

    /// Looks for it on behalf of the row `id`; `techniques` are the ids a model is crossed with.
    pub fn find(&self, id: &str, techniques: &[&str], available: &Available) -> Finding {
        let (kind, name) = match self {
            Self::Implementation => return implementation(id, available),
            Self::Claim => return claim(id, available),
            Self::Named(kind, name) => (kind, name),
        };
        let names = match kind {
            Kind::Function => &available.functions,
            Kind::Query => &available.queries,
            Kind::Column => &available.columns,
            Kind::Command => &available.commands,
            Kind::Measure => &available.measures,
            Kind::Metric => &available.metrics,
            Kind::Chart => &available.charts,
            Kind::Call => &available.calls,
            Kind::Model => &available.posed,
            Kind::Parameter => &available.parameters,
            Kind::Preset => &available.presets,
            Kind::Told => &available.python.told,
            Kind::Python => return beside::python(name, id, available),
            Kind::Chip => return beside::chip(name, available),
            Kind::Roof => return beside::roof(name, available),
            Kind::Device => return device(name, available),
            Kind::Matrix => return matrix(name, techniques, available),
        };
        if names.contains(name) { Finding::Found(self.to_string()) } else { Finding::Missing(format!("no {self}")) }
    }
}

fn device(name: &str, available: &Available) -> Finding {
    match available.devices.iter().find(|device| device.name == name) {
        None => Finding::Missing(format!("no device {name}")),
        Some(device) => match &device.unavailable {
            None => Finding::Found(format!("device {name}")),
            Some(reason) => Finding::NotHere(format!("device {name}: {reason}")),
        },
    }
}

pub(super) fn implementation(id: &str, available: &Available) -> Finding {
    let claiming: Vec<&ImplementationInfo> =
        available.implementations.iter().filter(|info| info.catalogue.iter().any(|claimed| claimed == id)).collect();
    let running: Vec<String> = claiming.iter().filter_map(|info| running(info, available)).collect();
    match claiming.first() {
        None => Finding::Missing(format!("no implementation claims {id}")),
        Some(_) if !running.is_empty() => Finding::Found(format!("implementation {}", running.join(", "))),
        Some(info) => {
            let devices = info.devices.iter().map(|name| device(name, available));
            let reason = devices.into_iter().find_map(|finding| match finding {
                Finding::NotHere(reason) => Some(reason),
                Finding::Found(_) | Finding::Missing(_) => None,
            });
            match reason {
                Some(reason) => Finding::NotHere(format!("implementation {}, {reason}", label(info))),
                None => Finding::Missing(format!("no known device for implementation {}", label(info))),
            }
        }
    }
}

fn claim(id: &str, available: &Available) -> Finding {
    let of_row = |claim: &&Claim| claim.catalogue.iter().any(|row| row == id);
    let claims: Vec<&Claim> = available.claims.iter().filter(of_row).collect();
    if let Some(open) = claims.iter().find(|claim| claim.verdict == "not measured yet") {
        return Finding::Missing(format!("claim {} is not measured yet", open.name));
    }
    if let Some(open) = claims.iter().find(|claim| claim.verdict == "not judged") {
        return Finding::Missing(format!("claim {} is not judged: {}", open.name, open.reason));
    }
    let judged: Vec<String> = claims
        .iter()
        .filter(|claim| claim.verdict != "not testable here")
        .map(|claim| format!("claim {} is {}", claim.name, claim.verdict))
        .collect();
    match claims.first() {
        None => Finding::Missing(format!("no claim of {id} in the table of claims")),
        Some(_) if !judged.is_empty() => Finding::Found(judged.join(", ")),
        Some(claim) => Finding::NotHere(format!("not testable here: {}", claim.reason)),
    }
}

fn matrix(model: &str, techniques: &[&str], available: &Available) -> Finding {
    let Some(known) = available.models.iter().find(|known| known.id == model) else {
        return Finding::Missing(format!("no model is {model}"));
    };
    if let Some(why) = &known.not_here {
        return Finding::Missing(format!("no cell of {model} is measured: {why}"));
    }
    let has_cell = |technique: &&str| known.techniques.iter().any(|one| one == technique);
    let missing: Vec<&str> = techniques.iter().copied().filter(|technique| !has_cell(technique)).collect();
    let done = techniques.len() - missing.len();
    match missing.first() {
        Some(first) => {
            let total = techniques.len();
            Finding::Missing(format!("{done} of {total} techniques in {model}, none in the matrix is {first}"))
        }
        None => Finding::Found(format!("all {done} techniques in {model}")),
    }
}

/// Name and workload, with the devices it can use here; nothing if it can use none.
fn running(info: &ImplementationInfo, available: &Available) -> Option<String> {
    let usable = |name: &&String| matches!(device(name, available), Finding::Found(_));
    let devices: Vec<&str> = info.devices.iter().filter(usable).map(String::as_str).collect();
    (!devices.is_empty()).then(|| format!("{} on {}", label(info), devices.join(" and ")))
}

/// Implementations of two workloads may share a name.
pub(super) fn label(info: &ImplementationInfo) -> String {
    format!("{}/{}", info.workload, info.name)
}
