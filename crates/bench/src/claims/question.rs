//! What the store is asked for a claim: one row a baseline, the ratio with its interval over fresh processes.

use super::entry::{BYTES, Entry, MEASURED, TIME, Values, is_word};

/// How what is claimed compares two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The baseline over the candidate.
    Speed,
    /// The candidate over the baseline.
    Ratio,
    /// The candidate less the baseline, such as a loss that is added.
    Difference,
}

impl Beside {
    /// That of a quantity of the ledger.
    pub fn of(quantity: &str) -> Self {
        match quantity {
            "speed" => Self::Speed,
            "loss_added" => Self::Difference,
            _ => Self::Ratio,
        }
    }
}

/// The statement whose rows are `candidate`, `baseline`, `case_name`, `against`, `value`, `low`, `high` (95 %, over one
/// number a replicate), `replicates` and `provenance`; the store holds this claim's run and nothing else.
pub fn question(entry: &Entry, beside: Beside) -> String {
    if entry.baselines.is_empty() {
        alone(entry)
    } else if entry.is_paired() {
        paired(entry, beside == Beside::Speed)
    } else {
        matched(entry, beside)
    }
}

/// Times in the same blocks: from where every verdict of the program is read.
fn paired(entry: &Entry, speed: bool) -> String {
    // The interval of fewer processes describes them alone.
    let across = "scope = 'across-replicates'";
    // A speedup is the baseline's time over the candidate's.
    let [ratio, low, high] = if speed { ["speedup", "low", "high"] } else { ["1 / speedup", "1 / high", "1 / low"] };
    format!(
        "SELECT candidate, baseline, case_name, case_name AS against, {ratio} AS value, \
         CASE WHEN {across} THEN {low} END AS low, CASE WHEN {across} THEN {high} END AS high, replicates, \
         '{MEASURED}' AS provenance FROM verdicts \
         WHERE candidate_implementation = {} AND baseline_implementation IN ({}) AND speedup IS NOT NULL",
        quoted(&entry.candidate),
        list(&entry.baselines)
    )
}

/// Sides that share a replicate but no block: its mean logarithms are subtracted, or its means where a difference is claimed.
fn matched(entry: &Entry, beside: Beside) -> String {
    let difference = if beside == Beside::Speed { "b.v - c.v" } else { "c.v - b.v" };
    let logarithm = beside != Beside::Difference;
    let told = |of: &str| if logarithm { format!("exp({of})") } else { of.to_owned() };
    let of = |values: &Values| -> String {
        let names = entry.against.keys().filter_map(|name| Some((name, values.get(name)?)));
        names.map(|(name, value)| format!(" AND {}", has(name, value))).collect()
    };
    format!(
        "WITH metrics AS ({}), sides AS (SELECT t.replicate, t.variant, t.case_name, f.v, f.provenance, \
         t.implementation = {}{} AS ours, t.implementation IN ({}){} AS theirs FROM metrics f \
         JOIN trials t ON t.run_id = f.run_id AND t.trial = f.trial), \
         differences AS (SELECT c.variant AS candidate, b.variant AS baseline, c.case_name, b.case_name AS against, \
         {difference} AS d, c.provenance FROM sides c \
         JOIN sides b ON b.replicate = c.replicate AND b.provenance = c.provenance WHERE c.ours AND b.theirs) \
         SELECT candidate, baseline, case_name, against, {} AS value, {} AS low, \
         {} AS high, count(*) AS replicates, provenance FROM differences \
         GROUP BY candidate, baseline, case_name, against, provenance",
        metrics(&entry.metric, logarithm),
        quoted(&entry.candidate),
        of(&entry.params),
        list(&entry.baselines),
        of(&entry.against),
        told(MIDDLE),
        told(LOW),
        told(HIGH),
    )
}

/// Whether a parameter of a trial has this value, a number or a word as TOML writes it.
fn has(name: &str, value: &str) -> String {
    if is_word(value) {
        let all = "(' ' || other_params(t.params, '') || ' ')";
        return format!("{all} LIKE {}", quoted(&format!("% {name}={} %", value.trim_matches('"'))));
    }
    format!("param(t.params, {}) = {value}", quoted(name))
}

/// A metric that stands for itself.
fn alone(entry: &Entry) -> String {
    format!(
        "WITH metrics AS ({}), one AS (SELECT t.variant AS candidate, t.case_name, f.v AS d, f.provenance FROM metrics f \
         JOIN trials t ON t.run_id = f.run_id AND t.trial = f.trial WHERE t.implementation = {}) \
         SELECT candidate, '' AS baseline, case_name, case_name AS against, {MIDDLE} AS value, {LOW} AS low, \
         {HIGH} AS high, count(*) AS replicates, provenance FROM one GROUP BY candidate, case_name, provenance",
        metrics(&entry.metric, false),
        quoted(&entry.candidate),
    )
}

/// What is the same in every process has no spread and needs no interval; the middle is then that value itself.
const MIDDLE: &str = "CASE WHEN min(d) = max(d) THEN min(d) ELSE avg(d) END";
const LOW: &str = "CASE WHEN min(d) = max(d) AND count(*) > 1 THEN min(d) ELSE ci_low(d) END";
const HIGH: &str = "CASE WHEN min(d) = max(d) AND count(*) > 1 THEN max(d) ELSE ci_high(d) END";

/// The metric `v` of each trial with valid samples, or its logarithm, with its provenance.
fn metrics(metric: &str, logarithm: bool) -> String {
    let of = |value: &str| if logarithm { format!("avg(ln({value}))") } else { format!("avg({value})") };
    let results = |value: &str, provenance: &str| {
        let v = of(value);
        format!(
            "SELECT run_id, trial, {v} AS v, '{provenance}' AS provenance FROM results WHERE valid GROUP BY run_id, trial"
        )
    };
    match metric {
        TIME => results("time_ns", MEASURED),
        // What the work must move is counted from its shapes.
        BYTES => results("bytes", "modelled"),
        name => format!(
            "SELECT m.run_id, m.trial, {} AS v, m.provenance FROM {} m \
             JOIN (SELECT DISTINCT run_id, trial FROM results WHERE valid) g \
             ON g.run_id = m.run_id AND g.trial = m.trial WHERE m.name = {} GROUP BY m.run_id, m.trial, m.provenance",
            of("m.value"),
            table_of(name),
            quoted(name)
        ),
    }
}

/// Where a metric stands: what steps tell is a view over them.
fn table_of(metric: &str) -> &'static str {
    let of_steps = metric.ends_with("_last") || metric.ends_with("_mean") || metric.starts_with("steps_to_");
    if !of_steps {
        return "measures";
    }
    "(SELECT run_id, trial, metric AS name, value, 'measured' AS provenance FROM metric_values)"
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn list(texts: &[String]) -> String {
    texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(metric: &str, baselines: &[&str]) -> Entry {
        Entry {
            candidate: "ours".into(),
            baselines: baselines.iter().map(|name| (*name).to_owned()).collect(),
            metric: metric.into(),
            params: Values::from([("n".into(), "8".into()), ("t".into(), "\"x\"".into())]),
            ..Entry::default()
        }
    }

    #[test]
    fn times_of_one_case_are_paired_and_turned_round_where_more_is_worse() {
        let asked = question(&entry(TIME, &["a", "it's"]), Beside::Speed);
        assert!(asked.contains("IN ('a', 'it''s')") && asked.contains("THEN low END AS low"), "{asked}");
        assert!(question(&entry(TIME, &["a"]), Beside::Ratio).contains("THEN 1 / high END AS low"));
    }

    #[test]
    fn sides_are_told_apart_by_what_differs() {
        let asked = question(
            &Entry { against: Values::from([("n".into(), "1".into())]), ..entry(TIME, &["a"]) },
            Beside::Speed,
        );
        assert!(asked.contains("= 'ours' AND param(t.params, 'n') = 8 AS ours"), "{asked}");
        assert!(asked.contains("IN ('a') AND param(t.params, 'n') = 1 AS theirs"), "{asked}");
        assert!(asked.contains("b.v - c.v") && !asked.contains("'t'"), "{asked}");
        let words = Entry { against: Values::from([("t".into(), "\"y\"".into())]), ..entry(TIME, &["a"]) };
        let asked = question(&words, Beside::Speed);
        assert!(
            asked.contains("|| ' ') LIKE '% t=x %' AS ours") && asked.contains("LIKE '% t=y %' AS theirs"),
            "{asked}"
        );
    }

    #[test]
    fn a_metric_alone_is_no_ratio() {
        let asked = question(&entry("relative_error", &[]), Beside::Ratio);
        assert!(asked.contains("m.name = 'relative_error'") && !asked.contains("exp("), "{asked}");
        let modelled = question(&entry(BYTES, &["a"]), Beside::Ratio);
        assert!(modelled.contains("avg(ln(bytes)) AS v, 'modelled' AS provenance"), "{modelled}");
    }
    #[test]
    fn what_is_added_is_a_difference_of_what_steps_tell() {
        let asked = question(&entry("loss_last", &["a"]), Beside::of("loss_added"));
        assert!(asked.contains("c.v - b.v AS d") && asked.contains("avg(m.value) AS v"), "{asked}");
        assert!(asked.contains("FROM metric_values) m") && !asked.contains("exp("), "{asked}");
        let ratio = question(&entry("peak", &["a"]), Beside::of("memory"));
        assert!(ratio.contains("FROM measures m") && ratio.contains("avg(ln(m.value))"), "{ratio}");
        assert!(
            ratio.contains("exp(CASE") && question(&entry("peak", &["a"]), Beside::of("speed")).contains("b.v - c.v")
        );
    }
}
