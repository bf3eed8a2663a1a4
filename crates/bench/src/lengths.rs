//! How the time of our mixers grows with the length, and from which length on they are faster than our own attention.

use crate::ask::{number, text};
use crate::parts::{Family, Part};
use serde_json::Value;
use xtask::error::Result;
use xtask::workspace::Ready;

/// Parameters that are a length, each with those that grow along with it.
const LENGTHS: [[&str; 2]; 2] = [["x=seq", "along="], ["x=seq_q", "along=seq_kv"]];

/// What mixers stand beside, and what stacks of layers do.
const BASELINES: [&str; 2] = ["baseline=attention%", "baseline=hybrid-stack%pattern=AAAA%"];

const HEAD: &str = "The same kernels at several lengths, beside our own causal attention of the same width, and stacks of four layers beside\n\
    four of attention. An exponent is the slope of a straight line through the logarithms of one process's medians; a crossing\n\
    lies between the last length at which a line is not faster and the next one, in each process by itself. Both have their\n\
    95 % interval over processes.";

/// What the part of a family shows whose lengths are swept.
pub fn told(ready: &Ready, family: &Family, part: Part) -> Result<String> {
    let asked = |query: &str, params: &[&str]| -> Result<Vec<Value>> {
        let given = params.iter().flat_map(|param| ["--param", *param]);
        let words: Vec<&str> = ["--query", query].into_iter().chain(given).collect();
        family.asked(ready, &[part], &words)
    };
    let (mut grown, mut crossed) = (Vec::new(), Vec::new());
    for params in LENGTHS {
        grown.extend(asked("scaling", &params)?);
    }
    for baseline in BASELINES {
        crossed.extend(asked("crossover", &[baseline])?);
    }
    Ok(page(&grown, &crossed))
}

/// A line for each line of the sweep, and what the query `crossover` found of it beside lines of its kind.
fn page(grown: &[Value], crossed: &[Value]) -> String {
    let mut lines = vec![
        HEAD.to_owned(),
        String::new(),
        "| line | lengths | exponent, 95 % interval | beside | faster from, 95 % interval |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut names: Vec<String> = grown.iter().map(name).collect();
    names.dedup();
    for name in names {
        let points: Vec<&Value> = grown.iter().filter(|row| self::name(row) == name).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        let lengths = format!("{}, {} to {}", points.len(), number(first, "x"), number(last, "x"));
        let exponent = estimate(first, ["exponent", "exponent_low", "exponent_high"], 2);
        let of_kind =
            |row: &&Value| text(row, "candidate") == name && is_stack(text(row, "baseline")) == is_stack(&name);
        let mut beside = crossed.iter().filter(of_kind).map(|row| (text(row, "baseline"), crossing(row))).peekable();
        if beside.peek().is_none() {
            lines.push(format!("| {name} | {lengths} | {exponent} | – | – |"));
        }
        lines.extend(
            beside.map(|(baseline, from)| format!("| {name} | {lengths} | {exponent} | {baseline} | {from} |")),
        );
    }
    lines.join("\n")
}

/// What a line of a sweep is called by the query `crossover`, of a row of `scaling`.
fn name(row: &Value) -> String {
    format!("{} {} {}", text(row, "workload"), text(row, "variant"), text(row, "fixed")).trim_end().to_owned()
}

fn is_stack(line: &str) -> bool {
    line.starts_with("hybrid-stack ")
}

/// From which length on a line is faster, or why there is no such length.
fn crossing(row: &Value) -> String {
    match text(row, "reason") {
        "" => estimate(row, ["crossover", "low", "high"], 0),
        reason => reason.to_owned(),
    }
}

/// A number with its interval, or that there is none.
fn estimate(row: &Value, names: [&str; 3], digits: usize) -> String {
    let [value, low, high] = names.map(|name| number(row, name));
    if low.is_nan() || high.is_nan() {
        return format!("{value:.digits$}, without an interval");
    }
    format!("{value:.digits$} ({low:.digits$} – {high:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point(workload: &str, fixed: &str, x: f64, low: Option<f64>) -> Value {
        json!({ "workload": workload, "variant": "fused/flex/f32/2t", "fixed": fixed, "x": x, "exponent": 1.254,
                "exponent_low": low, "exponent_high": low.map(|low| low + 0.5) })
    }

    fn beside(candidate: &str, baseline: &str, crossover: Option<f64>, reason: Option<&str>) -> Value {
        json!({ "candidate": candidate, "baseline": baseline, "crossover": crossover, "low": crossover.map(|x| x - 9.6),
                "high": crossover.map(|x| x + 10.4), "reason": reason })
    }

    #[test]
    fn every_line_has_its_exponent_and_what_it_crosses_of_its_kind() {
        let (scan, attention) = ("scan fused/flex/f32/2t channels=8", "attention fused/flex/f32/2t");
        let stacks = ["AAAA", "MMMM"].map(|pattern| format!("hybrid-stack fused/flex/f32/2t pattern={pattern}"));
        let grown = [
            point("scan", "channels=8", 256.0, Some(0.9)),
            point("scan", "channels=8", 512.0, Some(0.9)),
            point("hybrid-stack", "pattern=MMMM", 256.0, None),
            point("attention", "", 256.0, Some(1.0)),
        ];
        let crossed = [
            beside(scan, attention, Some(700.2), None),
            beside(&stacks[1], attention, Some(1.0), None),
            beside(scan, &stacks[0], Some(1.0), None),
            beside(&stacks[1], &stacks[0], None, Some("faster at every length")),
        ];
        let page = page(&grown, &crossed);
        let lines: Vec<&str> = page.lines().filter(|line| line.contains("fused")).collect();
        assert_eq!(
            lines,
            [
                format!("| {scan} | 2, 256 to 512 | 1.25 (0.90 – 1.40) | {attention} | 700 (691 – 711) |"),
                format!(
                    "| {} | 1, 256 to 256 | 1.25, without an interval | {} | faster at every length |",
                    stacks[1], stacks[0]
                ),
                format!("| {attention} | 1, 256 to 256 | 1.25 (1.00 – 1.50) | – | – |"),
            ]
        );
    }
}
