//! A comparison in a line of text, as people paste it.

use benchbook_core::counted;
use benchbook_query::Answer;

use crate::row::{Row, rows};

/// A line for each candidate of a comparison of times: `NAME: 1.93× speedup, +93 % throughput, measured: faster in 1 of 1
/// case`. Of several cases it is the geometric mean; what is lost is counted among the cases, and enters no mean.
pub fn summary_lines(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in rows(answer).filter_map(|row| row.text("candidate")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.iter().map(|name| line(answer, name)).collect()
}

fn line(answer: &Answer, name: &str) -> String {
    let of_name = || rows(answer).filter(move |row| row.text("candidate").as_deref() == Some(name));
    let speedups: Vec<f64> = of_name().filter_map(|row| row.float("speedup")).filter(|ratio| *ratio > 0.0).collect();
    let cases = of_name().count();
    if speedups.is_empty() {
        return format!("{name}: nothing measured in {}", counted(cases, "case"));
    }
    let mean = (speedups.iter().map(|ratio| ratio.ln()).sum::<f64>() / speedups.len() as f64).exp();
    let gain = 100.0 * (mean - 1.0);
    let count = |verdict: &str| of_name().filter(|row| row.text("verdict").as_deref() == Some(verdict)).count();
    let said: Vec<String> = ["faster", "slower", "equivalent", "undecided"]
        .into_iter()
        .filter_map(|verdict| Some((verdict, count(verdict))).filter(|(_, count)| *count > 0))
        .map(|(verdict, count)| format!("{verdict} in {count}"))
        .collect();
    let said = if said.is_empty() { "judged in none".to_owned() } else { said.join(", ") };
    let interval = of_name().next().filter(|_| cases == 1).and_then(|row| interval(&row)).unwrap_or_default();
    let of = counted(cases, "case");
    format!("{name}: {mean:.2}× speedup, {gain:+.0} % throughput, measured: {said} of {of}{interval}")
}

fn interval(row: &Row<'_>) -> Option<String> {
    Some(format!(" (95 % interval {:.2} – {:.2})", row.float("low")?, row.float("high")?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::*;

    fn answer(rows: &[(&str, Option<f64>, &str)]) -> Answer {
        let word = |of: fn(&(&str, Option<f64>, &str)) -> String| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
        };
        let number = |by: f64| -> ArrayRef {
            Arc::new(rows.iter().map(|row| row.1.map(|ratio| ratio + by)).collect::<Float64Array>())
        };
        let columns: [(&str, ArrayRef); 5] = [
            ("candidate", word(|row| row.0.to_owned())),
            ("verdict", word(|row| row.2.to_owned())),
            ("speedup", number(0.0)),
            ("low", number(-0.03)),
            ("high", number(0.03)),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap().into()
    }

    #[test]
    fn a_candidate_is_a_line_that_people_paste() {
        let told = summary_lines(&answer(&[("fused", Some(1.93), "faster")]));
        let wanted =
            "fused: 1.93× speedup, +93 % throughput, measured: faster in 1 of 1 case (95 % interval 1.90 – 1.96)";
        assert_eq!(told, [wanted]);
    }

    #[test]
    fn of_several_cases_it_is_the_geometric_mean_and_what_is_lost_is_counted() {
        let all = [
            ("fused", Some(2.0), "faster"),
            ("naive", Some(0.8), "slower"),
            ("fused", Some(0.5), "undecided"),
            ("fused", None, "undecided"),
            ("lost", None, ""),
        ];
        let wanted = [
            "fused: 1.00× speedup, +0 % throughput, measured: faster in 1, undecided in 2 of 3 cases",
            "naive: 0.80× speedup, -20 % throughput, measured: slower in 1 of 1 case (95 % interval 0.77 – 0.83)",
            "lost: nothing measured in 1 case",
        ];
        assert_eq!(summary_lines(&answer(&all)), wanted);
        assert!(summary_lines(&answer(&[])).is_empty());
    }
}
