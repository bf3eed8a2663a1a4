//! Training beside PyTorch, and the goals that were set for it: optimizers, fusion, compression, whole steps, checkpointing, pools.

use crate::ask::{number, rows, text};
use crate::beside::{self, Goal, Ratio, goal, torch};
use crate::{goals, kernels};
use serde_json::Value;
use xtask::error::Result;
use xtask::workspace::Ready;

const PLANS: [(&str, &str); 2] =
    [("training.toml", include_str!("training.toml")), ("training_steps.toml", include_str!("training_steps.toml"))];

/// Where both sides are measured, as far as these are here.
const DEVICES: [&str; 3] = ["flex", "torch", "torch-mkl"];

/// Everything that any goal compares with.
const RIVALS: [&str; 11] =
    ["fused", "passes", "loop", "foreach", "torch-fused", "unfused", "eager", "compile", "topk", "kept", "allocator"];

/// A ratio to one of our own: with `fit`, it counts only where that is near its roof.
const fn own(least: f64, rivals: &'static [&'static str], fit: bool) -> Option<Ratio> {
    let beyond = if fit { Some(1.0) } else { None };
    Some(Ratio { least, rivals, foreign: false, beyond })
}

/// Five matrices in the place of ten, and 90 % of what that makes possible.
const FUSED: f64 = 0.9 * 10.0 / 5.0;

/// 60 % of the time of two reads, of three numbers that are read or written for each.
const OF_TWO_READS: f64 = 0.6 * 3.0 / 2.0;

const GOALS: [Goal; 12] = [
    goal(["adamw", "fused", "hot"], None, [torch(1.0, &["torch-fused", "foreach"]), torch(3.0, &["loop"])]),
    goal(["adamw", "fused-8bit", "hot"], None, [own(1.5, &["fused"], true), None]),
    goal(["norm-chain", "fused", "hot"], None, [own(FUSED, &["unfused"], true), torch(1.3, &["compile"])]),
    // Told, and not judged: it is to be as fast.
    goal(["norm-chain", "fused-aggressive", "hot"], None, [own(0.0, &["fused"], false), None]),
    Goal {
        case: Some("24414×1024 10‰ feedback"),
        ..goal(["top-k-compression", "sampled", "hot"], Some(("memory", OF_TWO_READS)), [torch(5.0, &["topk"]), None])
    },
    Goal {
        case: Some("24414×1024 10‰"),
        ..goal(["top-k-compression", "sampled", "hot"], None, [torch(5.0, &["topk"]), None])
    },
    goal(["int8-compression", "fused", "hot"], None, [torch(0.0, &["eager"]), None]),
    goal(["power-sgd", "fused", "hot"], Some(("memory", 0.7)), [torch(1.5, &["eager"]), None]),
    goal(["gpt2-training", "kept", "hot"], Some(("arithmetic", 0.85)), [torch(1.05, &["eager", "compile"]), None]),
    // As shares of the time of a step: 1.30 and 1.05 times as long at most.
    goal(["gpt2-training", "checkpointed", "hot"], None, [own(1.0 / 1.3, &["kept"], false), None]),
    goal(["gpt2-training", "checkpointed-selective", "hot"], None, [own(1.0 / 1.05, &["kept"], false), None]),
    goal(["variable-batches", "pool", "hot"], None, [own(1.5, &["allocator"], false), None]),
];

/// Workloads that do little more than read and write, and are held to a copy: those implementations of ours.
const COPYING: [(&str, &str); 2] = [("adamw", "fused/flex"), ("norm-chain", "fused/flex")];

const HEAD: &str = "The same threads for both sides, samples in turns, interval over fresh processes. A ratio above 1 says that our\n\
    kernel is faster; it is that to the fastest form of PyTorch on the fastest of its devices, or to one of our own. Of steps\n\
    that compute activations again, the ratio is to the step that keeps them. What does little more than read and write is held\n\
    to a copy. A loop of steps is a sample; an optimizer writes in place, on both sides.\n\
    \n\
    Not here: SmolLM2, DeepSpeed, mimalloc, jemalloc and glibc without the settings of a worker.";

pub fn measure(ready: &Ready) -> Result<String> {
    let devices = kernels::here(ready, &DEVICES)?;
    let measured = kernels::measured(ready, "training", &PLANS, &RIVALS, Some(&kernels::python(ready)), &devices)?;
    let ran = kernels::ask(ready, &measured.folder, &["sql", "--format", "json", kernels::INSTRUCTIONS])?;
    let mut lines = vec![HEAD.to_owned(), String::new(), kernels::instructions(&ran), String::new()];
    lines.extend(beside::COLUMNS.map(str::to_owned));
    lines.extend(GOALS.iter().flat_map(|goal| beside::table(goal, &measured)));
    lines.extend(copied(&measured.rooflines, &measured.copies));
    let told = kernels::ask(ready, &measured.folder, &["sql", "--format", "json", TOLD])?;
    lines.extend(told_of(&rows(&told).cloned().collect::<Vec<Value>>()));
    Ok(lines.join("\n"))
}

/// A line for each of ours that is held to a copy.
fn copied(rooflines: &[Value], copies: &[Value]) -> Vec<String> {
    let held = |row: &&Value| {
        COPYING
            .iter()
            .any(|(workload, begins)| text(row, "workload") == *workload && text(row, "variant").starts_with(begins))
    };
    let line = |row: &Value| {
        let (workload, case) = (text(row, "workload"), text(row, "case_name"));
        format!("| {workload} {case} | {} | {} |", kernels::speed(row), goals::of_a_copy(row, copies))
    };
    let head = ["", "| case | ours | goal |", "|---|---|---|"].map(str::to_owned);
    head.into_iter().chain(rooflines.iter().filter(held).map(line)).collect()
}

/// What is told beside times, the median over trials: what waits for the pass back, page faults of a step, what a pool leaves
/// unused, what states take, and what a format loses.
const TOLD: &str = "select workload, case_name, variant, metric, order_summary(value)['median'] as value \
    from metric_values where metric in ('activation_bytes', 'page_faults_mean', 'fragmentation_share', 'state_bytes', \
    'relative_error', 'compression_ratio') group by 1, 2, 3, 4 order by 1, 2, 4, 3";

fn told_of(found: &[Value]) -> Vec<String> {
    let value = |workload: &str, name: &str, metric: &str| {
        let one = |row: &&Value| {
            text(row, "workload") == workload
                && text(row, "metric") == metric
                && text(row, "variant").split('/').next() == Some(name)
        };
        found.iter().find(one).map_or(f64::NAN, |row| number(row, "value"))
    };
    let of = |row: &Value| {
        let (workload, variant, metric) = (text(row, "workload"), text(row, "variant"), text(row, "metric"));
        let now = number(row, "value");
        let most = |most: f64| if now <= most { "met" } else { "**missed**" };
        let kept = || now / value(workload, "kept", metric);
        let goal = match (metric, variant.split('/').next().unwrap_or_default()) {
            ("activation_bytes", "checkpointed-selective") => {
                format!("at most 60 % of what is kept: {}", if kept() <= 0.6 { "met" } else { "**missed**" })
            }
            ("page_faults_mean", "pool") => format!("none: {}", most(0.0)),
            ("fragmentation_share", "pool") => format!("at most 10 %: {}", most(0.1)),
            _ => "none".to_owned(),
        };
        format!("| {workload} {} | {variant} | {metric} | {now:.4} | {goal} |", text(row, "case_name"))
    };
    let head = ["", "| case | variant | metric | value | goal |", "|---|---|---|---:|---|"].map(str::to_owned);
    head.into_iter().chain(found.iter().map(of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_told_beside_times_has_goals_too() {
        let row = |workload: &str, variant: &str, metric: &str, value: f64| json!({ "workload": workload, "case_name": "c", "variant": variant, "metric": metric, "value": value });
        let found = [
            row("gpt2-training", "checkpointed-selective/flex/f32/2t", "activation_bytes", 62.0),
            row("gpt2-training", "kept/flex/f32/2t", "activation_bytes", 100.0),
            row("variable-batches", "pool/flex/f32/2t", "page_faults_mean", 0.0),
            row("variable-batches", "pool/flex/f32/2t", "fragmentation_share", 0.04),
            row("variable-batches", "allocator/flex/f32/2t", "page_faults_mean", 16.0),
        ];
        let lines = told_of(&found);
        let ends = ["60 % of what is kept: **missed** |", "| none |", "none: met |", "at most 10 %: met |", "| none |"];
        assert_eq!(lines.len(), 3 + ends.len());
        for (line, end) in lines[3..].iter().zip(ends) {
            assert!(line.ends_with(end), "{line}");
        }
    }

    #[test]
    fn only_ours_are_held_to_a_copy() {
        let row = |variant: &str| json!({ "workload": "adamw", "case_name": "c", "variant": variant, "gb_s": 28.0, "median_ns": 1e6 });
        let copies = [json!({ "bytes": 28e6, "gb_s": 30.0 })];
        let lines = copied(
            &[row("fused/flex/f32/2t"), row("torch-fused/torch/f32/2t"), row("fused-8bit/flex/f32/2t")],
            &copies,
        );
        assert_eq!(lines.len(), 4);
        assert!(lines[3].ends_with("| 90 % of a copy: met |"), "{}", lines[3]);
    }

    #[test]
    fn every_rival_of_a_goal_is_asked_for() {
        for ratio in GOALS.iter().flat_map(|goal| goal.ratios.iter().flatten()) {
            for rival in ratio.rivals {
                assert!(RIVALS.contains(rival), "{rival}");
            }
        }
    }
}
