//! Training beside PyTorch, and the goals that were set for it: optimizers, fusion, compression, adapters, whole steps, checkpointing,
//! pools.

use crate::ask::{number, rows, text};
use crate::beside::{self, Goal, Ratio, goal, torch};
use crate::{goals, kernels};
use serde_json::Value;
use xtask::arguments::{Choice, TRAINING_STEPS};
use xtask::error::Result;
use xtask::workspace::Ready;

/// A plan and its name.
type Plan = (&'static str, &'static str);

const KERNELS: Plan = ("training.toml", include_str!("training.toml"));
const ADAPTERS: Plan = ("training_adapters.toml", include_str!("training_adapters.toml"));
const STEPS: Plan = ("training_steps.toml", include_str!("training_steps.toml"));
const QUICK: Plan = ("training_quick.toml", include_str!("training_quick.toml"));
const QUICK_STEPS: Plan = ("training_steps_quick.toml", include_str!("training_steps_quick.toml"));

/// What our own training has taken of memory and given back; a head alone as long as nobody has recorded it.
const RECORD: &str = include_str!("../../../datasets/allocations.csv");

/// A plan in which the recorded trace of allocations stands beside the seeded one, where there is a record.
fn replaying(plan: &str, record: &str) -> String {
    let is_recorded = record.lines().nth(1).is_some();
    let origins = if is_recorded { r#"origin = ["seeded", "recorded"]"# } else { SEEDED };
    plan.replace(SEEDED, origins)
}

/// The trace of allocations as a plan names it.
const SEEDED: &str = r#"origin = "seeded""#;

/// What is measured: all of it, or whole steps alone, in either form.
fn plans(choice: &Choice) -> &'static [Plan] {
    match (choice.family == TRAINING_STEPS, choice.quick) {
        (false, false) => &[KERNELS, ADAPTERS, STEPS],
        (false, true) => &[QUICK, ADAPTERS],
        (true, false) => &[STEPS],
        (true, true) => &[QUICK_STEPS],
    }
}

/// Where both sides are measured, as far as these are here.
const DEVICES: [&str; 3] = ["flex", "torch", "torch-mkl"];

/// Everything that any goal compares with.
const RIVALS: [&str; 19] = [
    "fused",
    "burn",
    "passes",
    "loop",
    "foreach",
    "torch-fused",
    "unfused",
    "eager",
    "compile",
    "checkpoint",
    "topk",
    "kept",
    "allocator",
    "glibc",
    "mimalloc",
    "jemalloc",
    "autograd",
    "peft-nf4",
    "two-workers",
];

/// A ratio to one of our own: with `fit`, it counts only where that is near its roof.
const fn own(least: f64, rivals: &'static [&'static str], fit: bool) -> Option<Ratio> {
    let beyond = if fit { Some(1.0) } else { None };
    Some(Ratio { least, rivals, foreign: false, beyond })
}

/// Five matrices in the place of ten, and 90 % of what that makes possible.
const FUSED: f64 = 0.9 * 10.0 / 5.0;

/// 60 % of the time of two reads, of three numbers that are read or written for each.
const OF_TWO_READS: f64 = 0.6 * 3.0 / 2.0;

/// Other people's allocators, which run on the device of ours.
const ALLOCATORS: Option<Ratio> = own(0.97, &["mimalloc", "jemalloc"], false);

const GOALS: [Goal; 22] = [
    goal(["adamw", "fused", "hot"], None, [torch(1.0, &["torch-fused", "foreach"]), torch(3.0, &["loop"])]),
    goal(["adamw", "fused-8bit", "hot"], None, [own(1.5, &["fused"], true), None]),
    // Told, and not judged: beside operations of tensors.
    goal(["adamw", "fused", "hot"], None, [own(0.0, &["burn"], false), None]),
    goal(["norm-chain", "fused", "hot"], None, [own(FUSED, &["unfused"], true), torch(1.3, &["compile"])]),
    // Told, and not judged: it is to be as fast.
    goal(["norm-chain", "fused-aggressive", "hot"], None, [own(0.0, &["fused"], false), None]),
    goal(
        ["norm-chain-gradients", "fused", "hot"],
        None,
        [own(0.0, &["unfused"], false), torch(0.0, &["eager", "compile"])],
    ),
    goal(["norm-chain-gradients", "fused-aggressive", "hot"], None, [own(0.0, &["fused"], false), None]),
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
    goal(
        ["gpt2-training", "checkpointed", "hot"],
        None,
        [own(1.0 / 1.3, &["kept"], false), torch(0.97, &["checkpoint"])],
    ),
    goal(["gpt2-training", "checkpointed-selective", "hot"], None, [own(1.0 / 1.05, &["kept"], false), None]),
    goal(["llama-training", "kept", "hot"], Some(("arithmetic", 0.85)), [torch(1.05, &["eager", "compile"]), None]),
    goal(
        ["llama-training", "checkpointed", "hot"],
        None,
        [own(1.0 / 1.3, &["kept"], false), torch(0.97, &["checkpoint"])],
    ),
    goal(["llama-training", "checkpointed-selective", "hot"], None, [own(1.0 / 1.05, &["kept"], false), None]),
    goal(["lora-step", "nf4-g64", "hot"], None, [torch(1.5, &["peft-nf4"]), torch(0.0, &["autograd"])]),
    Goal {
        case: Some("b1 w16777216 l2 2 steps trace1"),
        ..goal(["variable-batches", "pool", "hot"], None, [own(1.5, &["glibc"], false), ALLOCATORS])
    },
    Goal {
        case: Some("b64 w16384 l8 16 steps trace1"),
        ..goal(["variable-batches", "pool", "hot"], None, [own(0.0, &["glibc", "allocator"], false), ALLOCATORS])
    },
    // Told, and not judged: on one machine, sending takes hardly any time.
    goal(["text-training", "two-workers-int8", "hot"], None, [own(0.0, &["two-workers"], false), None]),
    goal(["text-training", "two-workers-top-k", "hot"], None, [own(0.0, &["two-workers"], false), None]),
];

/// Workloads that do little more than read and write, and are held to a copy: those implementations of ours.
const COPYING: [(&str, &str); 2] = [("adamw", "fused/flex"), ("norm-chain", "fused/flex")];

const HEAD: &str = "The same threads for both sides, samples in turns, interval over fresh processes. A ratio above 1 says that our\n\
    kernel is faster; it is that to the fastest form of PyTorch on the fastest of its devices, or to one of our own. Of steps\n\
    that compute activations again, the ratio is to the step that keeps them. What does little more than read and write is held\n\
    to a copy. A loop of steps is a sample; an optimizer writes in place, on both sides.\n\
    \n\
    Not here: DeepSpeed. A rival that this machine lacks is *not measured*, and all else goes on. Below a bandwidth of\n\
    `break_even_gb_s`, compression saves more time on the way than it takes.";

pub fn measure(ready: &Ready, choice: &Choice) -> Result<String> {
    let (devices, plans) = (kernels::here(ready, &DEVICES)?, plans(choice));
    let python = kernels::python(ready);
    let texts: Vec<(&str, String)> = plans.iter().map(|(name, plan)| (*name, replaying(plan, RECORD))).collect();
    let run: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let measured = kernels::measured(ready, &choice.family, &run, &RIVALS, Some(&python), &devices)?;
    let ran = kernels::ask(ready, &measured.folder, &["sql", "--format", "json", kernels::INSTRUCTIONS])?;
    let mut lines = vec![HEAD.to_owned(), String::new(), kernels::instructions(&ran), String::new()];
    lines.extend(beside::COLUMNS.map(str::to_owned));
    lines.extend(GOALS.iter().filter(|goal| is_asked(goal, plans)).flat_map(|goal| beside::table(goal, &measured)));
    lines.extend(copied(&measured.rooflines, &measured.copies));
    let mut told: Vec<Value> = Vec::new();
    for statement in [TOLD, BREAK_EVEN, TOGETHER] {
        told.extend(rows(&kernels::ask(ready, &measured.folder, &["sql", "--format", "json", statement])?).cloned());
    }
    lines.extend(told_of(&told));
    Ok(lines.join("\n"))
}

/// Whether a plan names an implementation, or another word.
fn names(plan: &str, word: &str) -> bool {
    plan.contains(&format!("\"{word}\""))
}

/// Whether one of these plans measures what a goal is for.
fn is_asked(goal: &Goal, plans: &[Plan]) -> bool {
    plans.iter().any(|(_, plan)| names(plan, goal.workload) && names(plan, goal.implementation))
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
/// unused, what states take, what a format loses, and where a training on text has come to; how many steps it took to a loss, where
/// each trial has come to it.
const TOLD: &str = "with told as (select workload, case_name, variant, metric, order_summary(value)['median'] as value, \
    count(value) as known, count(*) as asked \
    from metric_values where metric in ('activation_bytes', 'page_faults_mean', 'fragmentation_share', 'state_bytes', \
    'relative_error', 'compression_ratio', 'recent_loss_last', 'steps_to_recent_loss') group by 1, 2, 3, 4) \
    select workload, case_name, variant, metric, \
    case when metric = 'steps_to_recent_loss' and known < asked then null else value end as value \
    from told order by 1, 2, 4, 3";

/// The bandwidth at which what compression saves on the way is as long as what it takes, in bytes a nanosecond.
const BREAK_EVEN: &str = "with times as (select workload, case_name, variant, replicate_median(time_ns, replicate) as ns \
    from results where valid and workload <> 'text-training' group by 1, 2, 3), \
    sent as (select workload, case_name, variant, max(value) filter (where metric = 'compressed_bytes') as bytes, \
    max(value) filter (where metric = 'compression_ratio') as ratio from metric_values group by 1, 2, 3) \
    select t.workload, t.case_name, t.variant, 'break_even_gb_s' as metric, (s.ratio - 1) * s.bytes / t.ns as value \
    from times t join sent s on s.workload = t.workload and s.case_name = t.case_name and s.variant = t.variant \
    where s.bytes is not null order by 1, 2, 3";

/// The same of two workers, by their own steps: what a compressed step takes longer than a whole one, process by process, on a way
/// that takes hardly any time; and, where it does so in every process, the bandwidth at which what it saves on the way is as long,
/// in bytes a nanosecond. Where the first is negative, compression pays on this way already.
const TOGETHER: &str = "with sent as (select run_id, case_name, variant, max(value) as bytes from metric_values \
    where workload = 'text-training' and metric = 'compressed_bytes' group by 1, 2, 3), \
    steps as (select run_id, case_name, variant, replicate, value as ns from metric_values \
    where workload = 'text-training' and metric = 'step_time' and lost is null and value is not null), \
    added as (select a.case_name, a.variant, order_summary(a.ns - b.ns)['median'] as ns, min(a.ns - b.ns) as least_ns, \
    max(w.bytes - s.bytes) as saved \
    from steps a join steps b on b.run_id = a.run_id and b.case_name = a.case_name and b.replicate = a.replicate \
    join sent s on s.run_id = a.run_id and s.case_name = a.case_name and s.variant = a.variant \
    join sent w on w.run_id = b.run_id and w.case_name = b.case_name and w.variant = b.variant \
    where split_part(b.variant, '/', 1) = 'two-workers' and starts_with(a.variant, 'two-workers-') group by 1, 2) \
    select 'text-training' as workload, case_name, variant, 'step_time_added_ns' as metric, ns as value from added \
    union all select 'text-training', case_name, variant, 'break_even_gb_s', saved / ns from added where least_ns > 0 \
    order by 2, 3, 4";

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
        let shown = if now.is_nan() { "–".to_owned() } else { format!("{now:.4}") };
        format!("| {workload} {} | {variant} | {metric} | {shown} | {goal} |", text(row, "case_name"))
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
            row("text-training", "two-workers-top-k/flex/f32/2t", "steps_to_recent_loss", f64::NAN),
        ];
        let lines = told_of(&found);
        let ends = [
            "60 % of what is kept: **missed** |",
            "| none |",
            "none: met |",
            "at most 10 %: met |",
            "| 16.0000 | none |",
            "| steps_to_recent_loss | – | none |",
        ];
        assert_eq!(lines.len(), 3 + ends.len());
        for (line, end) in lines[3..].iter().zip(ends) {
            assert!(line.ends_with(end), "{line}");
        }
    }

    /// What a goal needs stands in the plans by which it is measured.
    fn held(choice: &Choice) -> usize {
        let plans = plans(choice);
        let asked: Vec<&Goal> = GOALS.iter().filter(|goal| is_asked(goal, plans)).collect();
        for goal in &asked {
            for ratio in goal.ratios.iter().flatten() {
                let is_named = |rival: &&str| plans.iter().any(|(_, plan)| names(plan, rival));
                assert!(ratio.rivals.iter().any(is_named), "{} has no rival", goal.workload);
            }
        }
        for (name, plan) in plans {
            assert!(names(plan, "fma") && plan.contains("replicates = 5\n"), "{name}: no roof, or no interval");
        }
        asked.len()
    }

    #[test]
    fn either_form_has_its_goals_with_a_rival_for_each() {
        let form = |family: &str, quick| Choice { family: family.into(), quick, ..Choice::default() };
        let found = [("training", false), ("training", true), (TRAINING_STEPS, false), (TRAINING_STEPS, true)]
            .map(|(family, quick)| held(&form(family, quick)));
        // The shorter forms leave out a ratio that is told alone, activations that a smaller model computes again, and a second model.
        assert_eq!(found, [GOALS.len(), GOALS.len() - 1, 6, 2]);
    }

    #[test]
    fn each_scheme_of_two_workers_is_beside_itself_without_error_feedback() {
        for scheme in ["int8", "top-k", "power-sgd"] {
            let named = |name: String| names(KERNELS.1, &name);
            assert!(named(format!("two-workers-{scheme}")) && named(format!("two-workers-{scheme}-plain")), "{scheme}");
        }
    }

    #[test]
    fn a_recorded_trace_stands_beside_the_seeded_one_once_there_is_a_record() {
        let head = "event,block,numbers\n";
        let recorded = format!("{head}take,0,5\ngive,0,\n");
        for (name, plan) in [KERNELS, QUICK] {
            assert!(names(plan, "allocation-trace") && replaying(plan, head) == plan, "{name}");
            let both = replaying(plan, &recorded);
            assert!(names(&both, "recorded") && names(&both, "seeded"), "{name}: {both}");
        }
        assert_eq!(replaying(STEPS.1, &recorded), STEPS.1);
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
