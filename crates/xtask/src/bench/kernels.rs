//! Our kernels beside libtorch's, in the same blocks.

use super::ask::{self, number, rows, text};
use super::figures::median;
use crate::error::{Named, Result};
use crate::process;
use crate::setup::Ready;
use serde_json::Value;
use std::fs;
use std::path::Path;

const PLANS: [(&str, &str); 2] =
    [("kernels.toml", include_str!("kernels.toml")), ("kernels_bf16.toml", include_str!("kernels_bf16.toml"))];

const RIVALS: [&str; 2] = ["torch-sdpa", "torch-mm"];

/// How fast our kernel for a workload is to be, with the rival as 1.
const GOALS: [(&str, &str, f64); 3] =
    [("attention", "fused", 1.0), ("paged-attention", "paged", 1.0), ("matmul", "tiled", 0.9)];

/// Share of the copy's bandwidth that decoding is to reach.
const SHARE_OF_COPY: f64 = 0.7;

pub fn measure(ready: &Ready) -> Result<String> {
    let folder = ready.workspace.target.join("bench/kernels");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).named("create", &folder)?;
    let mut compared = Vec::new();
    for (name, plan) in PLANS {
        let path = folder.join(name);
        fs::write(&path, plan).named("write", &path)?;
        let mut run = ready.workspace.run("benchbook");
        process::run(run.arg("--store").arg(folder.join("store")).arg("run").arg(&path), "see its message above")?;
        for rival in RIVALS {
            let baseline = format!("baseline={rival}");
            // Of the latest run; one in bf16 has no product to compare.
            let query = ["sql", "--query", "speedup", "--param", &baseline, "--format", "json"];
            compared.extend(rows(&ask(ready, &folder, &query)?).cloned());
        }
    }
    let speeds = ask(ready, &folder, &["sql", "--format", "json", SPEEDS])?;
    let ran = ask(ready, &folder, &["sql", "--format", "json", INSTRUCTIONS])?;
    let matrix_units = rows(&ask(ready, &folder, &["sql", "--format", "json", MATRIX_UNITS])?).next().is_some();
    let mut lines = vec![
        "The same threads for both sides, samples in turns, interval over fresh processes. A ratio above 1 says that our\n\
         kernel is faster. A goal is met where the whole interval lies above it, and missed where none of it does; it is\n\
         stated against the rival at its best, the faster one of its devices."
            .to_owned(),
        String::new(),
        instructions(&ran),
        String::new(),
        "| case | ours | rival | ratio, 95 % interval | ours | rival | goal |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for row in &compared {
        let candidate = text(row, "candidate");
        let goal = match goal(text(row, "workload"), candidate) {
            Some(_) if !at_its_best(row, &compared) => "none: slower than the same on another device".to_owned(),
            Some(_) if matrix_units && candidate.contains("/bf16/") => "none: matrix units for bf16".to_owned(),
            Some(goal) => judged(row, goal),
            None => "none".to_owned(),
        };
        lines.push(format!(
            "| {} {} | {candidate} | {} | {:.2} ({}) | {} | {} | {goal} |",
            text(row, "workload"),
            text(row, "case_name"),
            text(row, "baseline"),
            number(row, "speedup"),
            interval(row),
            speed(&speeds, row, candidate),
            speed(&speeds, row, text(row, "baseline")),
        ));
    }
    lines.extend([String::new(), bandwidth(&speeds)]);
    Ok(lines.join("\n"))
}

/// Median speed of every variant on every case of the run.
const SPEEDS: &str = "select workload, case_name, seq_q, variant, median(time_ns) as time_ns, \
     max(flops) / median(time_ns) as gflops, max(bytes) / median(time_ns) as gigabytes_s, \
     seq_q = 1 or workload = 'paged-attention' as decoding \
     from results where valid group by workload, case_name, seq_q, variant order by workload, case_name, variant";

/// The instructions that ran, as the workers said it.
const INSTRUCTIONS: &str =
    "select distinct device, engine, engine_version from trials order by device, engine, engine_version";

/// Rows where the processor multiplies matrices of bf16 as one instruction: there libtorch has another path.
const MATRIX_UNITS: &str = "select run_id from runs where array_has(cpu_features, 'amx_bf16')";

/// The goal for a variant on a workload.
fn goal(workload: &str, candidate: &str) -> Option<f64> {
    let fits = |(of, ours, _): &&(&str, &str, f64)| *of == workload && candidate.starts_with(&format!("{ours}/"));
    GOALS.iter().find(fits).map(|(_, _, goal)| *goal)
}

/// Whether no other device of the rival is faster than that of `row`, beside the same candidate on the same case.
fn at_its_best(row: &Value, all: &[Value]) -> bool {
    let same = |other: &&Value| ["workload", "case_name", "candidate"].iter().all(|name| other[*name] == row[*name]);
    !all.iter().filter(same).any(|other| number(other, "speedup") < number(row, "speedup"))
}

/// What ran, in a line.
fn instructions(ran: &Value) -> String {
    let one =
        |row: &Value| format!("{} {} on {}", text(row, "engine"), text(row, "engine_version"), text(row, "device"));
    let all: Vec<String> = rows(ran).map(one).collect();
    format!("What ran: {}.", all.join("; "))
}

/// The interval of a ratio, or why there is none.
fn interval(row: &Value) -> String {
    if row["low"].is_null() {
        let (replicates, blocks) = (number(row, "replicates"), number(row, "blocks"));
        return format!("none: {blocks} blocks in {replicates} processes");
    }
    format!("{:.2} – {:.2}", number(row, "low"), number(row, "high"))
}

/// What a goal makes of an interval.
fn judged(row: &Value, goal: f64) -> String {
    let (ratio, low, high) = (number(row, "speedup"), number(row, "low"), number(row, "high"));
    if low >= goal {
        format!("at least {goal}: met")
    } else if high < goal {
        format!("at least {goal}: **missed by {:.0} %**", 100.0 * (goal / ratio - 1.0))
    } else {
        format!("at least {goal}: undecided")
    }
}

/// Time and throughput of a variant on the case of `row`.
fn speed(speeds: &Value, row: &Value, variant: &str) -> String {
    let same = |one: &&Value| {
        text(one, "variant") == variant
            && text(one, "workload") == text(row, "workload")
            && text(one, "case_name") == text(row, "case_name")
    };
    let Some(found) = rows(speeds).find(same) else { return "not measured".to_owned() };
    let time = number(found, "time_ns") / 1e6;
    // A single query reads every key once: bytes, not operations, are what it waits for.
    if found["decoding"] == true {
        format!("{time:.3} ms, {:.1} GB/s", number(found, "gigabytes_s"))
    } else {
        format!("{time:.3} ms, {:.0} GFLOP/s", number(found, "gflops"))
    }
}

/// Decoding's share of the bandwidth of a copy.
fn bandwidth(speeds: &Value) -> String {
    let of = |wanted: &dyn Fn(&Value) -> bool| -> Vec<(String, f64)> {
        let fit = rows(speeds).filter(|row| wanted(row));
        fit.map(|row| (text(row, "case_name").to_owned(), number(row, "gigabytes_s"))).collect()
    };
    let copies: Vec<f64> = of(&|row| text(row, "workload") == "copy").into_iter().map(|(_, speed)| speed).collect();
    if copies.is_empty() {
        return "The copy was not measured: no roof to compare with.".to_owned();
    }
    let roof = median(&copies);
    let mut lines =
        vec![format!("A copy moves {roof:.1} GB/s, read and written; decoding reads its cache with"), String::new()];
    for (case, speed) in
        of(&|row| row["decoding"] == true && goal(text(row, "workload"), text(row, "variant")).is_some())
    {
        let share = speed / roof;
        let verdict = if share >= SHARE_OF_COPY {
            "met".to_owned()
        } else {
            format!("**missed by {:.0} points**", 100.0 * (SHARE_OF_COPY - share))
        };
        lines.push(format!(
            "- {case}: {speed:.1} GB/s, {:.0} % of the copy; goal at least {:.0} %: {verdict}",
            100.0 * share,
            100.0 * SHARE_OF_COPY
        ));
    }
    lines.join("\n")
}

fn ask(ready: &Ready, folder: &Path, words: &[&str]) -> Result<Value> {
    let mut command = ready.workspace.run("benchbook");
    ask::ask(command.arg("--store").arg(folder.join("store")).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_goal_is_one_kernel_s_on_one_workload() {
        assert_eq!(goal("matmul", "tiled/flex/f32/2t"), Some(0.9));
        assert_eq!(goal("attention", "fused/flex/bf16/2t"), Some(1.0));
        assert_eq!(goal("matmul", "burn/flex/f32/2t"), None);
        assert_eq!(goal("attention-gradients", "fused/flex/f32/2t"), None);
    }

    #[test]
    fn a_goal_is_stated_against_the_faster_device() {
        let row = |case: &str, baseline: &str, speedup: f64| {
            json!({ "workload": "matmul", "case_name": case, "candidate": "tiled/flex/f32/2t", "baseline": baseline,
                    "speedup": speedup })
        };
        let all = [
            row("64³", "torch-mm/libtorch/f32/2t", 1.9),
            row("64³", "torch-mm/libtorch-mkl/f32/2t", 0.8),
            row("32³", "torch-mm/libtorch/f32/2t", 0.7),
        ];
        assert_eq!(all.each_ref().map(|row| at_its_best(row, &all)), [false, true, true]);
        let ran = json!([
            { "device": "flex", "engine": "benchbook-simd", "engine_version": "0.1.0 AVX2" },
            { "device": "libtorch", "engine": "libtorch", "engine_version": "2.9.0 MKL generic" },
        ]);
        assert_eq!(
            instructions(&ran),
            "What ran: benchbook-simd 0.1.0 AVX2 on flex; libtorch 2.9.0 MKL generic on libtorch."
        );
    }

    #[test]
    fn a_goal_is_met_missed_or_open() {
        let row = |low: f64, high: f64| json!({ "speedup": (low * high).sqrt(), "low": low, "high": high });
        assert_eq!(judged(&row(1.1, 1.3), 1.0), "at least 1: met");
        assert_eq!(judged(&row(0.9, 1.1), 1.0), "at least 1: undecided");
        assert_eq!(judged(&row(0.8, 0.8), 1.0), "at least 1: **missed by 25 %**");
        assert_eq!(interval(&row(0.812, 1.3)), "0.81 – 1.30");
        let few = json!({ "speedup": 2.6, "low": null, "high": null, "replicates": 3, "blocks": 10 });
        assert_eq!(judged(&few, 1.0), "at least 1: undecided");
        assert_eq!(interval(&few), "none: 10 blocks in 3 processes");
    }

    #[test]
    fn decoding_is_measured_by_the_copy() {
        let speeds = json!([
            { "workload": "copy", "case_name": "64 MiB", "variant": "memcpy/flex", "gigabytes_s": 20.0 },
            { "workload": "attention", "case_name": "a", "decoding": true, "variant": "fused/flex", "gigabytes_s": 15.0 },
            { "workload": "attention", "case_name": "b", "decoding": true, "variant": "fused/flex", "gigabytes_s": 13.0 },
            { "workload": "attention", "case_name": "c", "decoding": null, "variant": "fused/flex", "gigabytes_s": 13.0 },
        ]);
        let said = bandwidth(&speeds);
        assert!(said.contains("a: 15.0 GB/s, 75 % of the copy; goal at least 70 %: met"), "{said}");
        assert!(said.contains("b: 13.0 GB/s, 65 %") && said.contains("**missed by 5 points**"), "{said}");
        assert!(!said.contains("c:"), "{said}");
        assert!(bandwidth(&json!([])).contains("not measured"));
    }
}
