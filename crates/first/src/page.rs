//! What a person sees: a table, and bars.

use std::fmt::Write;

use crate::found::{Row, SIDES};

/// Cells of the longest bar.
const BAR: f64 = 40.0;

/// The times of each case and their ratio.
pub fn table(rows: &[Row]) -> String {
    let width = width(rows);
    let [baseline, candidate] = SIDES;
    let mut text = format!("{:width$}  {baseline:>9}  {candidate:>9}  {:>8}  95 % interval\n", "case", "speedup");
    for row in rows {
        let [baseline, candidate] = row.times_ns.map(|time| time.map_or_else(|| "–".to_owned(), duration));
        let ratio = row.speedup.map_or_else(
            || "no interval: fewer than five processes".to_owned(),
            |ratio| format!("{:>7.2}×  {:.2} – {:.2}", ratio.estimate, ratio.low, ratio.high),
        );
        line(&mut text, format_args!("{:width$}  {baseline:>9}  {candidate:>9}  {ratio}", row.case));
        if let Some(first) = row.lost.first() {
            line(&mut text, format_args!("{:width$}  left out: {} of its trials, first {first}", "", row.lost.len()));
        }
    }
    text
}

/// The times of each case as bars, the longest as long as any.
pub fn chart(rows: &[Row]) -> String {
    let width = width(rows);
    let mut text = String::new();
    for row in rows {
        let longest = row.times_ns.into_iter().flatten().fold(0.0, f64::max);
        let known = SIDES.into_iter().zip(row.times_ns).filter_map(|(name, time)| Some((name, time?)));
        for (place, (name, time)) in known.enumerate() {
            let case = if place == 0 { row.case.as_str() } else { "" };
            let bar = "█".repeat((BAR * time / longest).round().max(1.0) as usize);
            line(&mut text, format_args!("{case:width$}  {name:>6} {bar} {}", duration(time)));
        }
    }
    text
}

fn width(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.case.chars().count()).max().unwrap_or(0).max("case".len())
}

/// Text takes everything that is written to it.
fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{what}");
}

fn duration(ns: f64) -> String {
    if ns < 1e6 { format!("{:.1} µs", ns / 1e3) } else { format!("{:.2} ms", ns / 1e6) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_stats::Interval;

    fn rows() -> [Row; 2] {
        let speedup = Interval { estimate: 4.0, low: 3.9, high: 4.1, level: 0.95 };
        let whole = Row {
            case: "b1 h8 s512 d64".into(),
            times_ns: [Some(4e6), Some(1e6)],
            speedup: Some(speedup),
            lost: Vec::new(),
        };
        let lost = vec!["fused, process 3: noise".to_owned(), "fused, process 4: noise".to_owned()];
        [whole, Row { case: "s64".into(), times_ns: [Some(900.0), None], speedup: None, lost }]
    }

    #[test]
    fn the_table_says_what_was_found_and_what_was_lost() {
        let text = table(&rows());
        for part in ["4.00 ms", "1.00 ms", "4.00×  3.90 – 4.10", "0.9 µs", "–", "2 of its trials", "process 3: noise"]
        {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }

    #[test]
    fn bars_are_as_long_as_their_times() {
        let text = chart(&rows());
        let bars: Vec<usize> = text.lines().map(|line| line.matches('█').count()).collect();
        assert_eq!(bars, [40, 10, 40], "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
