//! Comparisons as people read them: one ratio with its interval, a verdict, and what could have been seen.

use benchbook_core::counted;
use benchbook_query::{Answer, TIME};

use crate::row::{Row, rows};
use crate::text::{Cells, duration, number, size};

/// What is said of times.
const TIMES: [&str; 2] = ["faster", "slower"];

impl Row<'_> {
    /// Text; absent and NULL are empty.
    fn word(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// A count; absent and NULL are 0.
    fn count(&self, name: &str) -> usize {
        self.integer(name).and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
    }

    /// The ratio of times, or of another metric; what is lost has none.
    fn effect(&self) -> Option<f64> {
        self.float("speedup").or_else(|| self.float("ratio"))
    }

    fn is_compared(&self) -> bool {
        self.effect().is_some()
    }

    fn may_gate(&self) -> bool {
        self.word("scope") == "across-replicates"
    }

    /// The case, with its workload and the cold regime where they need saying.
    pub(crate) fn case(&self) -> String {
        let cold = if self.word("cache") == "cold" { " cold" } else { "" };
        format!("{} {}{cold}", self.word("workload"), self.word("case_name"))
    }

    fn ratio(&self) -> String {
        self.effect().map_or_else(String::new, |ratio| format!("{ratio:.3}×"))
    }

    /// A time of the blocks that are compared; a lost comparison has none, and its reason says why.
    fn time(&self, name: &str) -> String {
        self.float(name).map_or_else(String::new, duration)
    }

    /// A value of a metric in its unit; empty where there is none.
    fn value(&self, name: &str) -> String {
        let Some(value) = self.float(name) else { return String::new() };
        match self.word("unit").as_str() {
            "ns" => duration(value),
            "bytes" => size(value),
            "1/s" => format!("{}/s", number(value)),
            "count" | "ratio" | "bool" | "" => number(value),
            unit => format!("{} {unit}", number(value)),
        }
    }

    /// The minimum detectable effect, as a share: the effect is on the logarithm, so that 0.1 is a change
    /// by a factor of e^0.1.
    fn minimum_detectable_effect(&self) -> String {
        let least = self.float("minimum_detectable_effect");
        least.map_or_else(|| "unknown".into(), |effect| format!("{:.1} %", 100.0 * effect.exp_m1()))
    }

    /// What is said of the two directions: of times, of what has a better side, and of what is known to have none.
    fn directions(&self) -> [&'static str; 2] {
        let metric = self.word("metric");
        if metric.is_empty() || metric == TIME || self.word("unit") == "ns" {
            TIMES
        } else if self.text("better").is_some() {
            ["better", "worse"]
        } else {
            ["less", "more"]
        }
    }

    fn interval(&self) -> String {
        match (self.float("low"), self.float("high")) {
            (Some(low), Some(high)) => format!("{low:.3} – {high:.3}"),
            _ => "none".into(),
        }
    }
}

/// Paired comparisons within a run, with the times behind each ratio; the minimum detectable effect is a share.
pub fn paired(answer: &Answer) -> Cells {
    let header = [
        "case",
        "baseline",
        "candidate",
        "baseline time",
        "time",
        "speedup",
        "95 % interval",
        "verdict",
        "why",
        "MDE",
        "CPUs in use",
        "blocks",
        "scope",
    ];
    let row = |row: Row<'_>| {
        vec![
            row.case(),
            row.word("baseline"),
            row.word("candidate"),
            row.time("baseline_ns"),
            row.time("candidate_ns"),
            row.ratio(),
            row.interval(),
            row.word("said"),
            row.word("reason").replace('-', " "),
            row.minimum_detectable_effect(),
            match (row.float("baseline_cpus"), row.float("candidate_cpus")) {
                (Some(baseline), Some(candidate)) => format!("{baseline:.2} and {candidate:.2}"),
                _ => "unknown".into(),
            },
            format!("{} in {}", row.count("blocks"), counted(row.count("replicates"), "replicate")),
            row.word("scope").replace('-', " "),
        ]
    };
    let numeric = ["baseline time", "time", "speedup", "95 % interval", "MDE"];
    table(&header, &numeric, rows(answer).map(row).collect())
}

/// Paired comparisons by metrics other than time, with the values behind each ratio.
pub fn metrics(answer: &Answer) -> Cells {
    let header = [
        "case",
        "metric",
        "baseline",
        "candidate",
        "baseline value",
        "value",
        "ratio",
        "95 % interval",
        "verdict",
        "why",
        "MDE",
        "values",
        "scope",
    ];
    let row = |row: Row<'_>| {
        vec![
            row.case(),
            row.word("metric"),
            row.word("baseline"),
            row.word("candidate"),
            row.value("baseline_value"),
            row.value("candidate_value"),
            row.ratio(),
            row.interval(),
            row.word("said"),
            row.word("reason").replace('-', " "),
            row.minimum_detectable_effect(),
            row.count("replicates").to_string(),
            row.word("scope").replace('-', " "),
        ]
    };
    let numeric = ["baseline value", "value", "ratio", "95 % interval", "MDE", "values"];
    table(&header, &numeric, rows(answer).map(row).collect())
}

/// How to read comparisons by one metric; `beside` says with what each is compared.
pub(crate) fn reading(answer: &Answer, beside: &str) -> String {
    let Some(row) = rows(answer).next() else { return String::new() };
    let (metric, unit) = (row.word("metric"), row.word("unit"));
    let above = match row.word("better").as_str() {
        "higher" => "more, which is better",
        "lower" => "less, which is better",
        _ => "less",
    };
    let margin = number(100.0 * row.float("margin").unwrap_or_default());
    format!(
        "{metric} ({unit}), one value in a replicate, paired by replicate, {beside}. A ratio above 1 means that the \
         candidate has {above}; verdicts hold at 95 % over all comparisons of this metric, equivalence means within \
         {margin} %."
    )
}

/// Two runs, unpaired and sequential.
pub fn sequential(answer: &Answer) -> Cells {
    let header = [
        "case",
        "variant",
        "baseline",
        "candidate",
        "speedup",
        "95 % interval",
        "verdict",
        "why",
        "Welch p",
        "replicates",
    ];
    let row = |row: Row<'_>| {
        vec![
            row.case(),
            row.word("variant"),
            time(row.float("baseline_ns")),
            time(row.float("candidate_ns")),
            row.ratio(),
            row.interval(),
            row.word("verdict"),
            row.word("reason").replace('-', " "),
            row.float("welch_p").map_or_else(String::new, |p| format!("{p:.2e}")),
            format!("{} and {}", row.count("baseline_replicates"), row.count("candidate_replicates")),
        ]
    };
    table(&header, &["baseline", "candidate", "speedup", "95 % interval", "Welch p"], rows(answer).map(row).collect())
}

fn time(ns: Option<f64>) -> String {
    ns.map_or_else(|| "not measured".into(), duration)
}

fn table(header: &[&str], numeric: &[&str], rows: Vec<Vec<String>>) -> Cells {
    Cells {
        header: header.iter().map(|name| (*name).to_owned()).collect(),
        numeric: header.iter().map(|name| numeric.contains(name)).collect(),
        rows,
    }
}

/// How many comparisons ended how, in words.
pub fn counts(answer: &Answer) -> String {
    let ended: Vec<(String, String)> = rows(answer).map(|row| (row.word("verdict"), row.word("said"))).collect();
    let [less, more] = rows(answer).next().map_or(TIMES, |row| row.directions());
    let words = [less, more, "equivalent", "undecided"].map(|verdict| {
        let said: Vec<&str> = ended.iter().filter(|one| one.0 == verdict).map(|one| one.1.as_str()).collect();
        // Where some were seen in fewer processes than others, the longer word holds for all.
        format!("{} {}", said.len(), said.iter().max_by_key(|said| said.len()).unwrap_or(&verdict))
    });
    format!("{}: {}", counted(ended.len(), "comparison"), words.join(", "))
}

/// Whether a comparison that may gate, across replicates, ended with this verdict.
pub fn gated(answer: &Answer, verdict: &str) -> bool {
    rows(answer).any(|row| row.may_gate() && row.word("verdict") == verdict)
}

/// Whether a comparison rests on too little to gate.
pub fn weak(answer: &Answer) -> bool {
    rows(answer).any(|row| row.is_compared() && !row.may_gate())
}

/// Whether any comparison is lost: it has a reason in place of a ratio.
pub(crate) fn lost(answer: &Answer) -> bool {
    rows(answer).any(|row| !row.is_compared())
}

/// Whether anything is undecided, lost, or decided on too little to gate.
pub fn undecided(answer: &Answer) -> bool {
    rows(answer).any(|row| !row.may_gate() || row.word("verdict") == "undecided")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    use super::*;

    fn answer(rows: &[(&'static str, &'static str)]) -> Answer {
        let text = |of: fn(&(&'static str, &'static str)) -> &'static str| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
        };
        let replicates: ArrayRef = Arc::new(Int64Array::from(vec![5; rows.len()]));
        let columns = [("verdict", text(|row| row.0)), ("said", text(|row| row.1)), ("replicates", replicates)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Answer::from(batch)
    }

    #[test]
    fn people_read_what_could_not_be_seen() {
        let seen = "equivalent in the processes seen";
        let some = answer(&[("faster", "faster"), ("equivalent", "equivalent"), ("equivalent", seen)]);
        assert_eq!(counts(&some), format!("3 comparisons: 1 faster, 0 slower, 2 {seen}, 0 undecided"));
        let cells = paired(&some);
        let column = cells.header.iter().position(|name| name == "verdict").unwrap();
        let verdicts: Vec<String> = cells.rows.into_iter().map(|row| row[column].clone()).collect();
        assert_eq!(verdicts, ["faster", "equivalent", seen]);
        let all = answer(&[("equivalent", "equivalent")]);
        assert_eq!(counts(&all), "1 comparison: 0 faster, 0 slower, 1 equivalent, 0 undecided");
    }
}
