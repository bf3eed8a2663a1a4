//! What being measured costs an engine in Python: a call as the worker times it, beside the timer that PyTorch brings, in one run.

use crate::ask::{number, text};
use crate::kernels;
use serde_json::Value;
use xtask::error::Result;
use xtask::workspace::Ready;

const PLANS: [(&str, &str); 1] = [("timing.toml", include_str!("timing.toml"))];

/// The implementation that the worker times, and the devices of both.
const WORKER: &str = "worker";
const DEVICES: [&str; 2] = [WORKER, "native"];

/// How long a call is on which the worker is judged, in nanoseconds, and how much longer it may say that it takes.
const CALL_NS: f64 = 1e6;
const MOST: f64 = 1.01;

const HEAD: &str = "The same product of PyTorch on one thread, in the same blocks, each side in a process of its own: as the worker in\n\
    Python times any engine, and by `torch.utils.benchmark`. The ratio is the worker's time to that of PyTorch's own timer, its\n\
    interval is over processes: above 1 the worker says that a call takes longer. The goal is for a call of 1 ms, and so for\n\
    the one that is nearest to that here.";

pub fn measure(ready: &Ready) -> Result<String> {
    let root = &ready.workspace.root;
    let [python, package, script] = [
        ready.python.executable.clone(),
        root.join("crates/engines/python"),
        root.join("crates/bench/src/native_timer.py"),
    ]
    .map(|path| path.display().to_string());
    let worker = format!("--worker=timers=env 'PYTHONPATH={package}' '{python}' -B '{script}'");
    let devices = DEVICES.map(str::to_owned);
    let measured = kernels::measured(ready, "timing", &PLANS, &[WORKER], Some(&worker), &devices)?;
    Ok(page(&measured.compared))
}

/// A line for each call, of which one is judged.
fn page(compared: &[Value]) -> String {
    let far = |row: &Value| (number(row, "candidate_ns") / CALL_NS).ln().abs();
    let nearest = (0..compared.len()).min_by(|a, b| far(&compared[*a]).total_cmp(&far(&compared[*b])));
    let mut lines = vec![
        HEAD.to_owned(),
        String::new(),
        "| call | by the worker | by `torch.utils.benchmark` | ratio, 95 % interval | goal |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (place, row) in compared.iter().enumerate() {
        let [ours, own] = ["baseline_ns", "candidate_ns"].map(|side| number(row, side) / 1e6);
        let goal = if nearest == Some(place) { judged(row) } else { "none".to_owned() };
        let (case, ratio, interval) = (text(row, "case_name"), number(row, "speedup"), interval(row));
        lines.push(format!("| matmul {case} | {ours:.4} ms | {own:.4} ms | {ratio:.4} ({interval}) | {goal} |"));
    }
    if compared.is_empty() {
        lines.push("| matmul | – | – | – | not measured: no row |".to_owned());
    }
    lines.join("\n")
}

/// The interval of a ratio as exactly as costs are, or why there is none.
fn interval(row: &Value) -> String {
    if row["low"].is_null() {
        return kernels::interval(row);
    }
    format!("{:.4} – {:.4}", number(row, "low"), number(row, "high"))
}

/// Whether the whole interval lies below what the worker may cost, or none of it.
fn judged(row: &Value) -> String {
    let (ratio, low, high) = (number(row, "speedup"), number(row, "low"), number(row, "high"));
    let verdict = if high <= MOST {
        "met".to_owned()
    } else if low > MOST {
        format!("**missed by {:.2} points**", 100.0 * (ratio - MOST))
    } else {
        "undecided".to_owned()
    };
    format!("at most {MOST}: {verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn timed(case: &str, own_ms: f64, low: Option<f64>, high: Option<f64>) -> Value {
        json!({ "case_name": case, "baseline_ns": 1.002 * own_ms * 1e6, "candidate_ns": own_ms * 1e6, "speedup": 1.002,
                "low": low, "high": high, "replicates": 3, "blocks": 60 })
    }

    #[test]
    fn the_call_that_is_nearest_to_a_millisecond_is_judged() {
        let page = page(&[
            timed("384³", 0.4, Some(1.0), Some(1.05)),
            timed("512³", 1.1, Some(1.0005), Some(1.0035)),
            timed("640³", 1.9, None, None),
        ]);
        let lines: Vec<&str> = page.lines().filter(|line| line.contains('³')).collect();
        assert_eq!(
            lines,
            [
                "| matmul 384³ | 0.4008 ms | 0.4000 ms | 1.0020 (1.0000 – 1.0500) | none |",
                "| matmul 512³ | 1.1022 ms | 1.1000 ms | 1.0020 (1.0005 – 1.0035) | at most 1.01: met |",
                "| matmul 640³ | 1.9038 ms | 1.9000 ms | 1.0020 (none: 60 blocks in 3 processes) | none |",
            ]
        );
        assert!(super::page(&[]).ends_with("| not measured: no row |"));
    }

    #[test]
    fn what_costs_too_much_is_told_with_how_much() {
        let said = |low, high| judged(&json!({ "speedup": 1.03, "low": low, "high": high }));
        assert_eq!(said(1.02, 1.04), "at most 1.01: **missed by 2.00 points**");
        assert_eq!(said(1.005, 1.055), "at most 1.01: undecided");
        assert_eq!(judged(&json!({ "speedup": 1.0, "low": null, "high": null })), "at most 1.01: undecided");
    }
}
