//! How each claim is measured, from the data file.

use saphyr::{LoadableYamlNode, Yaml};
use std::collections::BTreeMap;

const ENTRIES: &str = include_str!("claims.yaml");

/// The metric that is compared where none is named.
pub const TIME: &str = "time";
/// The metric that `results` itself holds: bytes that the work must move.
pub const BYTES: &str = "bytes";

/// The provenance of a metric that a run has measured; any other is the same in every run.
pub const MEASURED: &str = "measured";

/// Parameters, each value as TOML writes it.
pub type Values = BTreeMap<String, String>;

/// What measures a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub claim: String,
    pub workload: String,
    /// Parameters of the candidate's case.
    pub params: Values,
    /// Those of them that the baseline's case has otherwise.
    pub against: Values,
    pub candidate: String,
    /// Empty where the metric stands for itself.
    pub baselines: Vec<String>,
    /// [`TIME`], [`BYTES`] or a name in the table `measures`.
    pub metric: String,
    /// [`MEASURED`], or as `measures` has it.
    pub provenance: String,
    /// Empty for all that are here.
    pub devices: Vec<String>,
    /// Whether the engines of the project's Python are among them.
    pub python: bool,
    /// Element types; empty for `f32` alone.
    pub dtypes: Vec<String>,
    /// Samples of a trial, and the budget of the run in seconds, where these are not the usual ones.
    pub blocks: Option<u32>,
    pub seconds: Option<u32>,
}

impl Entry {
    /// Parameters of the baseline's case.
    pub fn baseline_params(&self) -> Values {
        self.params.iter().chain(&self.against).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether both sides stand in the same blocks, so that their times are paired.
    pub fn is_paired(&self) -> bool {
        self.metric == TIME && self.against.is_empty()
    }
}

/// Every entry of the data file.
pub fn entries() -> Result<Vec<Entry>, String> {
    parse(ENTRIES)
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("is no YAML: {error}"))?;
    let claims = documents.first().and_then(Yaml::as_mapping).ok_or("has no claims with what measures them")?;
    let entry = |(claim, yaml): (&Yaml<'_>, &Yaml<'_>)| {
        let claim = claim.as_str().unwrap_or_default();
        one(claim, yaml).map_err(|problem| format!("claim `{claim}` {problem}"))
    };
    claims.iter().map(entry).collect()
}

fn one(claim: &str, yaml: &Yaml<'_>) -> Result<Entry, String> {
    let mut entry = Entry {
        claim: claim.into(),
        metric: TIME.into(),
        provenance: MEASURED.into(),
        devices: vec!["flex".into()],
        ..Entry::default()
    };
    for (key, value) in yaml.as_mapping().ok_or("has no settings")?.iter() {
        match key.as_str().unwrap_or_default() {
            "workload" => entry.workload = word(value)?,
            "params" => entry.params = values(value)?,
            "against" => entry.against = values(value)?,
            "candidate" => entry.candidate = word(value)?,
            "baseline" => entry.baselines = words(value)?,
            "metric" => entry.metric = word(value)?,
            "provenance" => entry.provenance = word(value)?,
            "devices" => entry.devices = words(value)?,
            "python" => entry.python = value.as_bool().ok_or("has a `python` that is neither true nor false")?,
            "dtypes" => entry.dtypes = words(value)?,
            "blocks" => entry.blocks = Some(count(value)?),
            "time_s" => entry.seconds = Some(count(value)?),
            other => return Err(format!("has `{other}`, which means nothing")),
        }
    }
    if entry.workload.is_empty() || entry.candidate.is_empty() {
        return Err("needs a workload and a candidate".to_owned());
    }
    // Cases are told apart by numbers or by words, and both must name them.
    let told =
        |values: &Values, tells: fn(&str) -> bool, name: &str| values.get(name).is_some_and(|value| tells(value));
    let alike = |name: &&String| {
        [is_number, is_word].iter().any(|tells| told(&entry.params, *tells, name) && told(&entry.against, *tells, name))
    };
    if let Some(name) = entry.against.keys().find(|name| !alike(name)) {
        return Err(format!("needs a number for `{name}`, or a word, in `params` and in `against`"));
    }
    if !entry.against.is_empty() && entry.baselines.is_empty() {
        entry.baselines = vec![entry.candidate.clone()];
    }
    if entry.baselines.is_empty() && entry.metric == TIME {
        return Err("needs a baseline: a time says nothing by itself".to_owned());
    }
    Ok(entry)
}

fn is_number(value: &str) -> bool {
    value.parse::<f64>().is_ok()
}

/// Whether a value is a text, of letters and digits alone.
pub fn is_word(value: &str) -> bool {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.is_some_and(|word| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric()))
}

fn word(yaml: &Yaml<'_>) -> Result<String, String> {
    yaml.as_str().map(str::to_owned).ok_or_else(|| "has something that must be a word".to_owned())
}

fn words(yaml: &Yaml<'_>) -> Result<Vec<String>, String> {
    match yaml.as_sequence() {
        Some(list) => list.iter().map(word).collect(),
        None => Ok(vec![word(yaml)?]),
    }
}

fn count(yaml: &Yaml<'_>) -> Result<u32, String> {
    let count = yaml.as_integer().and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    count.ok_or_else(|| "has something that must be a whole number above 0".to_owned())
}

fn values(yaml: &Yaml<'_>) -> Result<Values, String> {
    let pairs = yaml.as_mapping().ok_or("needs names with values for its parameters")?;
    pairs.iter().map(|(name, value)| Ok((word(name)?, toml(value)?))).collect()
}

/// A value as TOML writes it.
fn toml(yaml: &Yaml<'_>) -> Result<String, String> {
    if let Some(number) = yaml.as_integer() {
        Ok(number.to_string())
    } else if let Some(flag) = yaml.as_bool() {
        Ok(flag.to_string())
    } else if let Some(number) = yaml.as_floating_point() {
        Ok(format!("{number:?}"))
    } else {
        Ok(format!("{:?}", word(yaml)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_with_what_it_leaves_out() -> Result<(), String> {
        let text =
            "a:\n  workload: w\n  params: { n: 8, f: 0.5, t: x, b: true }\n  candidate: c\n  against: { n: 1 }\n";
        let entry = parse(text)?.remove(0);
        let values: Vec<&str> = entry.params.values().map(String::as_str).collect();
        assert_eq!(values, ["true", "0.5", "8", "\"x\""]);
        assert_eq!((entry.metric.as_str(), entry.is_paired()), (TIME, false));
        assert_eq!(entry.provenance, MEASURED);
        assert_eq!((entry.baselines.join(" "), entry.devices.join(" ")), ("c".to_owned(), "flex".to_owned()));
        assert_eq!(entry.baseline_params()["n"], "1");
        let two =
            parse("a: { workload: w, candidate: c, baseline: [d, e], devices: [], provenance: p, python: true }")?
                .remove(0);
        assert_eq!((two.baselines.len(), two.is_paired(), two.devices.len()), (2, true, 0));
        assert_eq!((entry.python, two.python), (false, true));
        assert_eq!(two.provenance, "p");
        assert_eq!((entry.blocks, entry.seconds, entry.dtypes.len()), (None, None, 0));
        let long =
            parse("a: { workload: w, candidate: c, baseline: d, dtypes: [x, y], blocks: 1, time_s: 9 }")?.remove(0);
        assert_eq!((long.blocks, long.seconds, long.dtypes.join(" ")), (Some(1), Some(9), "x y".to_owned()));
        let words = parse("a: { workload: w, candidate: c, params: { t: x }, against: { t: y } }")?.remove(0);
        assert_eq!((words.params["t"].as_str(), words.against["t"].as_str()), ("\"x\"", "\"y\""));
        Ok(())
    }

    #[test]
    fn mistakes_name_the_claim() {
        for (settings, part) in [
            ("workload: w", "needs a workload and a candidate"),
            ("workload: w, candidate: c", "needs a baseline"),
            ("workload: w, candidate: c, baselin: d", "`baselin`, which means nothing"),
            ("workload: w, candidate: c, against: { n: 2 }", "needs a number for `n`"),
            ("workload: w, candidate: c, params: { n: x }, against: { n: 2 }", "needs a number for `n`, or a word"),
            ("workload: w, candidate: c, params: { n: x y }, against: { n: z }", "needs a number for `n`, or a word"),
            ("workload: [w], candidate: c", "must be a word"),
            ("workload: w, candidate: c, python: yes please", "neither true nor false"),
            ("workload: w, candidate: c, blocks: 0", "a whole number above 0"),
        ] {
            let problem = parse(&format!("a: {{ {settings} }}")).expect_err(settings);
            assert!(problem.starts_with("claim `a` ") && problem.contains(part), "{settings}: {problem}");
        }
        assert!(parse("a: [").is_err_and(|problem| problem.contains("no YAML")));
        assert!(parse("").is_err_and(|problem| problem.contains("has no claims")));
    }
}
