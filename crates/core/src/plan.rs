//! Which trials to measure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::no_name;
use crate::{DType, Error, Opaque, Params, Result, Value};

/// Whether every call sees the same input, or inputs that have left the caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheRegime {
    /// One input, again and again.
    #[default]
    Hot,
    /// Inputs rotate over at least four times the last-level cache.
    Cold,
}

impl CacheRegime {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }
}

/// One or many values of a parameter in a plan: a list is a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub struct Axis(pub Vec<Value>);

impl TryFrom<toml::Value> for Axis {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        let scalar = |value: toml::Value| match value {
            toml::Value::Integer(value) => Ok(Value::Int(value)),
            toml::Value::Float(value) => Ok(Value::Float(value)),
            toml::Value::String(value) => Ok(Value::Text(value)),
            toml::Value::Boolean(value) => Ok(Value::Bool(value)),
            other => Err(format!("a parameter is a number, a text, true or false, or a list of them, not {other}")),
        };
        match value {
            toml::Value::Array(values) if values.is_empty() => Err("a sweep needs at least one value".into()),
            toml::Value::Array(values) => values.into_iter().map(scalar).collect::<Result<_, _>>().map(Self),
            value => Ok(Self(vec![scalar(value)?])),
        }
    }
}

impl From<Axis> for toml::Value {
    fn from(axis: Axis) -> Self {
        let scalar = |value| match value {
            Value::Int(value) => Self::Integer(value),
            Value::Float(value) => Self::Float(value),
            Value::Text(value) => Self::String(value),
            Value::Bool(value) => Self::Boolean(value),
        };
        Self::Array(axis.0.into_iter().map(scalar).collect())
    }
}

/// Cases of one workload: a preset by name, or parameters whose lists are swept in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseSpec {
    /// Name of the workload.
    pub workload: String,
    /// Name of one of its presets; `params` then override each of its cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Parameters; absent ones take their default, lists are swept.
    #[serde(default)]
    pub params: BTreeMap<String, Axis>,
    /// Names of implementations; empty means all of the workload.
    #[serde(default)]
    pub implementations: Vec<String>,
}

impl CaseSpec {
    /// Every combination of the parameters' values, the last name varying fastest.
    pub fn combinations(&self) -> Vec<Params> {
        self.params.iter().fold(vec![Params::default()], |partial, (name, axis)| {
            let extend = |params: Params| axis.0.iter().map(move |value| params.clone().with(name, value.clone()));
            partial.into_iter().flat_map(extend).collect()
        })
    }
}

/// How many samples, and how long each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingSpec {
    /// Blocks per case and replicate, unless the time runs out first.
    pub blocks: u64,
    /// Least length of a sample in nanoseconds; iterations are chosen to reach it.
    pub min_sample_ns: u64,
    /// Least length of the warm-up of each trial in nanoseconds.
    pub warmup_ns: u64,
    /// Keep samples that the machine disturbed: for machines that are never quiet. What disturbed them is
    /// still recorded.
    pub keep_disturbed: bool,
    /// A worker that does not answer for so long is ended, and its trial fails (nanoseconds).
    pub timeout_ns: u64,
}

impl Default for SamplingSpec {
    fn default() -> Self {
        Self {
            blocks: 100,
            min_sample_ns: 1_000_000,
            warmup_ns: 200_000_000,
            keep_disturbed: false,
            timeout_ns: 300_000_000_000,
        }
    }
}

/// Everything that decides which trials a run measures, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name of the suite, a column of `runs`.
    #[serde(default = "default_suite")]
    pub suite: String,
    /// Words to find the run by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Seed of inputs and of the order within blocks.
    #[serde(default)]
    pub seed: u64,
    /// Fresh worker processes per variant.
    #[serde(default = "default_replicates")]
    pub replicates: u32,
    /// Wanted half-width of the 95 % interval of each ratio, as a share (0.005: half a percent). With it, the
    /// replicates above are a pilot (8 at least) that fixes, once, how many more are measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width: Option<f64>,
    /// Replicates that a wanted half-width may lead to.
    #[serde(default = "default_most_replicates")]
    pub most_replicates: u32,
    /// Budget of the whole run in seconds; without one every case takes all its blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_s: Option<f64>,
    /// Names of devices; empty means all that are present.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Element types.
    #[serde(default = "default_dtypes")]
    pub dtypes: Vec<DType>,
    /// Threads given to every variant; absent means all cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Hot or cold caches.
    #[serde(default)]
    pub cache: CacheRegime,
    /// How many samples, and how long each.
    #[serde(default)]
    pub sampling: SamplingSpec,
    /// What to measure.
    pub cases: Opaque<Vec<CaseSpec>>,
}

fn default_suite() -> String {
    "custom".into()
}

pub(crate) fn default_replicates() -> u32 {
    5
}

/// Replicates that come before anything is planned, where `asked` are asked for.
pub(crate) fn first_replicates(asked: u32, pilot: bool) -> u32 {
    if pilot { asked.max(SMALLEST_PILOT) } else { asked }
}

fn default_most_replicates() -> u32 {
    100
}

fn default_dtypes() -> Vec<DType> {
    vec![DType::F32]
}

/// Replicates of a pilot at least: fewer say too little of how processes differ.
pub const SMALLEST_PILOT: u32 = 8;

/// Bounds beyond which a plan is a slip of the finger.
const MOST_REPLICATES: u32 = 10_000;
const MOST_THREADS: usize = 1_024;
const LEAST_TIMEOUT_NS: u64 = 100_000_000;

impl Plan {
    /// A plan of these cases with defaults for the rest.
    pub fn of(suite: &str, cases: Vec<CaseSpec>) -> Self {
        Self {
            suite: suite.into(),
            tags: Vec::new(),
            seed: 0,
            replicates: default_replicates(),
            half_width: None,
            most_replicates: default_most_replicates(),
            time_s: None,
            devices: Vec::new(),
            dtypes: default_dtypes(),
            threads: None,
            cache: CacheRegime::default(),
            sampling: SamplingSpec::default(),
            cases: cases.into(),
        }
    }

    /// Replicates that are measured before anything is planned: all of them, unless a half-width is wanted.
    pub fn first_replicates(&self) -> u32 {
        first_replicates(self.replicates, self.half_width.is_some())
    }

    /// Reads a plan from TOML.
    ///
    /// # Errors
    /// [`Error::PlanSyntax`] with line, column and the offending text; [`Error::Plan`] for values
    /// that cannot be run.
    pub fn from_toml(text: &str) -> Result<Self> {
        let plan = Self::parse(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Reads the plan of a recorded run, to measure it again. It has no tags: they name that run, which may be older
    /// than the rules for tags.
    ///
    /// # Errors
    /// As [`Plan::from_toml`].
    pub fn from_record(text: &str) -> Result<Self> {
        let plan = Self { tags: Vec::new(), ..Self::parse(text)? };
        plan.check()?;
        Ok(plan)
    }

    fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| Error::PlanSyntax(error.to_string().trim_end().into()))
    }

    /// Refuses numbers with which nothing could be measured.
    ///
    /// # Errors
    /// [`Error::Plan`] that names the field and what would be right.
    pub fn check(&self) -> Result<()> {
        let wrong = |text: &str| Err(Error::Plan(text.into()));
        if self.cases.is_empty() {
            return wrong("`cases` is empty, name at least one workload");
        }
        if self.replicates == 0 {
            return wrong("`replicates` is 0, at least 1 is needed (5 for a verdict)");
        }
        if self.replicates > MOST_REPLICATES {
            return wrong("`replicates` is over 10000, no machine finishes that");
        }
        if self.most_replicates > MOST_REPLICATES {
            return wrong("`most_replicates` is over 10000, no machine finishes that");
        }
        if self.half_width.is_some_and(|share| !(share > 0.0 && share < 1.0)) {
            return wrong("`half_width` must be a share between 0 and 1 (0.005: half a percent)");
        }
        if self.half_width.is_some() && self.most_replicates < self.first_replicates() {
            return wrong("`most_replicates` is under the replicates of the pilot");
        }
        if self.threads.is_some_and(|threads| threads > MOST_THREADS) {
            return wrong("`threads` is over 1024");
        }
        if let Some((tag, why)) = self.tags.iter().find_map(|tag| Some((tag, no_name(tag)?))) {
            return wrong(&format!("the tag {tag:?} cannot name a run: {why}"));
        }
        if self.threads == Some(0) {
            return wrong("`threads` is 0, at least 1 is needed");
        }
        if self.dtypes.is_empty() {
            return wrong("`dtypes` is empty, name at least one (f32)");
        }
        if let Some(twice) = self.dtypes.iter().enumerate().find(|(i, dtype)| self.dtypes[..*i].contains(dtype)) {
            return wrong(&format!("`dtypes` names {} twice", twice.1));
        }
        if self.sampling.blocks == 0 {
            return wrong("`sampling.blocks` is 0, at least 1 is needed");
        }
        let numbers = [
            ("seed", self.seed),
            ("sampling.blocks", self.sampling.blocks),
            ("sampling.min_sample_ns", self.sampling.min_sample_ns),
            ("sampling.warmup_ns", self.sampling.warmup_ns),
            ("sampling.timeout_ns", self.sampling.timeout_ns),
        ];
        if let Some((name, _)) = numbers.iter().find(|(_, number)| i64::try_from(*number).is_err()) {
            return wrong(&format!("`{name}` is over {}, which neither TOML nor the record can hold", i64::MAX));
        }
        if self.sampling.timeout_ns < LEAST_TIMEOUT_NS {
            return wrong("`sampling.timeout_ns` is under 100 ms: every worker would be ended at once");
        }
        if self.time_s.is_some_and(|seconds| !seconds.is_finite() || seconds <= 0.0) {
            return wrong("`time_s` must be a positive number of seconds");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_swept_and_the_rest_is_default() {
        let plan = Plan::from_toml(
            "[[cases]]\nworkload = \"attention\"\nparams = { seq_q = [128, 256], causal = [false, true], heads = 8 }\n",
        )
        .unwrap();
        let combinations = plan.cases[0].combinations();
        assert_eq!(combinations.len(), 4);
        assert!(combinations.iter().all(|params| params.0["heads"] == Value::Int(8)));
        assert_eq!(plan.replicates, 5);
    }

    #[test]
    fn broken_toml_names_line_and_column() {
        let error = Plan::from_toml("suite = \"x\"\n[[cases]\n").unwrap_err().to_string();
        assert!(error.contains("line 2, column"), "{error}");
    }

    #[test]
    fn unknown_fields_and_impossible_numbers_are_refused() {
        let case = "[[cases]]\nworkload = \"matmul\"\n";
        for (line, part) in [
            ("replicats = 3", "replicats"),
            ("replicates = 0", "replicates"),
            ("time_s = -1.0", "time_s"),
            ("time_s = nan", "time_s"),
            ("half_width = 0.0", "half_width"),
            ("half_width = nan", "half_width"),
            ("half_width = 0.01\nmost_replicates = 7", "pilot"),
            ("threads = 0", "threads"),
            ("threads = 99999", "threads"),
            ("replicates = 4294967295", "replicates"),
            ("tags = [\"a\\u001b[31m\"]", "cannot name a run: give a word"),
            ("sampling = { timeout_ns = 1 }", "timeout_ns"),
            ("dtypes = [\"f31\"]", "f31"),
            ("dtypes = [\"f32\", \"f32\"]", "f32 twice"),
        ] {
            let error = Plan::from_toml(&format!("{line}\n{case}")).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn a_recorded_plan_is_measured_again_whatever_its_tags() {
        let text = "tags = [\"v1~1\"]\n[[cases]]\nworkload = \"matmul\"\n";
        assert!(Plan::from_toml(text).is_err());
        assert!(Plan::from_record(text).unwrap().tags.is_empty());
        assert!(Plan::from_record(&format!("replicates = 0\n{text}")).is_err());
    }

    #[test]
    fn what_the_record_cannot_hold_is_refused() {
        let plan = Plan::quick("x");
        assert!(plan.clone().seed(i64::MAX as u64).check().is_ok());
        for (plan, part) in [
            (plan.clone().seed(1 << 63), "`seed` is over"),
            (plan.clone().blocks(u64::MAX), "`sampling.blocks` is over"),
            (plan.clone().min_sample_ns(1 << 63), "`sampling.min_sample_ns` is over"),
            (Plan { sampling: SamplingSpec { timeout_ns: u64::MAX, ..plan.sampling.clone() }, ..plan }, "timeout_ns"),
        ] {
            let error = plan.check().unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_plan_survives_toml() {
        let plan =
            Plan::from_toml("time_s = 3.0\n[[cases]]\nworkload = \"matmul\"\nparams = { m = [1, 2] }\n").unwrap();
        assert_eq!(Plan::from_toml(&toml::to_string(&plan).unwrap()).unwrap(), plan);
    }
}
