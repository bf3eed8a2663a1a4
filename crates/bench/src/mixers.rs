//! Our mixers and mixtures of experts beside PyTorch, and the goals that were set for them.

use crate::ask::{number, text};
use crate::goals;
use crate::kernels::{self, Measured};
use crate::lengths;
use serde_json::Value;
use xtask::error::Result;
use xtask::workspace::Ready;

const PLANS: [(&str, &str); 2] =
    [("mixers.toml", include_str!("mixers.toml")), ("mixers_decoding.toml", include_str!("mixers_decoding.toml"))];

/// Where both sides are measured, as far as these are here: where MKL takes its fast path by itself, there is no other way to it.
const DEVICES: [&str; 5] = ["flex", "torch", "torch-mkl", "transformers", "transformers-mkl"];

/// What PyTorch has for a recurrence, whatever the form.
const PYTORCH: [&str; 5] = ["loop", "compile-step", "associative", "compile-associative", "mambapy"];

/// What Transformers has for experts.
const TRANSFORMERS: [&str; 2] = ["eager", "grouped-mm"];

/// Everything that any goal compares with.
const RIVALS: [&str; 11] = [
    "loop",
    "compile-step",
    "associative",
    "compile-associative",
    "mambapy",
    "chunked",
    "compile-chunked",
    "parallel",
    "dense",
    "eager",
    "grouped-mm",
];

/// Where a baseline of our own lies below this share of its roof, a ratio to it says nothing.
const FIT_BASELINE: f64 = 0.9;

/// What a kernel of ours is to reach.
struct Goal {
    workload: &'static str,
    /// Ours.
    implementation: &'static str,
    /// Hot for arithmetic, cold for memory.
    cache: &'static str,
    /// Which roof holds it, and the share of it to reach.
    roof: Option<(&'static str, f64)>,
    ratios: [Option<Ratio>; 2],
}

/// How many times as fast as the fastest of some rivals.
#[derive(Clone, Copy)]
struct Ratio {
    least: f64,
    rivals: &'static [&'static str],
    /// Whether they are other people's: these are not on the device of ours.
    foreign: bool,
    /// Operations that they make for each that is counted, where the baseline is our own.
    beyond: Option<f64>,
}

/// A ratio to PyTorch, and to what is built on it.
const fn torch(least: f64, rivals: &'static [&'static str]) -> Option<Ratio> {
    Some(Ratio { least, rivals, foreign: true, beyond: None })
}

const fn goal(
    [workload, implementation, cache]: [&'static str; 3],
    roof: Option<(&'static str, f64)>,
    ratios: [Option<Ratio>; 2],
) -> Goal {
    Goal { workload, implementation, cache, roof, ratios }
}

/// Eight of 64 experts: of what dense computes, an eighth is counted.
const DENSE: Ratio = Ratio { least: 6.5, rivals: &["dense"], foreign: false, beyond: Some(8.0) };

const GOALS: [Goal; 11] = [
    goal(["selective-scan", "fused", "hot"], Some(("exponentials", 0.7)), [torch(8.0, &PYTORCH), None]),
    goal(
        ["state-space-duality", "fused", "hot"],
        Some(("arithmetic", 0.65)),
        [torch(4.0, &["chunked", "compile-chunked"]), None],
    ),
    goal(["state-space-duality", "fused", "cold"], Some(("memory", 0.85)), [None; 2]),
    goal(
        ["retention", "chunkwise", "hot"],
        Some(("arithmetic", 0.75)),
        [torch(3.0, &["chunked", "compile-chunked", "parallel"]), None],
    ),
    goal(["rwkv-6", "fused", "hot"], Some(("arithmetic", 0.6)), [torch(20.0, &["loop"]), None]),
    goal(["rwkv-7", "fused", "hot"], Some(("arithmetic", 0.6)), [torch(20.0, &["loop"]), None]),
    goal(["rwkv-6", "fused", "cold"], Some(("memory", 0.9)), [None; 2]),
    goal(["rwkv-7", "fused", "cold"], Some(("memory", 0.9)), [None; 2]),
    goal(["hybrid-stack", "fused", "cold"], Some(("memory", 0.9)), [None; 2]),
    goal(["mixture-of-experts", "sorted", "hot"], None, [Some(DENSE), torch(2.0, &TRANSFORMERS)]),
    goal(["mixture-of-experts", "sorted", "cold"], Some(("memory", 0.85)), [torch(2.0, &TRANSFORMERS), None]),
];

const HEAD: &str = "The same threads for both sides, samples in turns, interval over fresh processes; hot caches where arithmetic\n\
    is the limit, and cold ones where memory is. A ratio above 1 says that our kernel is faster; it is that to the fastest\n\
    form of PyTorch on the fastest of its devices. A ratio is asked for as far as the roof lets it. Beside each speed stands\n\
    its share of the roof of the same run: multiply-adds or exponentials in registers, or reads and copies. Where a share\n\
    is missed, the reason is told as what each kind of work would take alone: what adds up to nearly all of the time does\n\
    not overlap, and what is left over is none of it, such as waiting for a sum.";

pub fn measure(ready: &Ready) -> Result<String> {
    let devices = kernels::here(ready, &DEVICES)?;
    let measured = kernels::measured(ready, "mixers", &PLANS, &RIVALS, Some(&kernels::python(ready)), &devices)?;
    let ran = kernels::ask(ready, &measured.folder, &["sql", "--format", "json", kernels::INSTRUCTIONS])?;
    let mut lines = vec![
        HEAD.to_owned(),
        String::new(),
        kernels::instructions(&ran),
        String::new(),
        "| case | ours | goal of the roof | rival | ratio, 95 % interval | rival's speed | goal of the ratio |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(GOALS.iter().flat_map(|goal| table(goal, &measured)));
    lines.extend([String::new(), lengths::measure(ready)?]);
    Ok(lines.join("\n"))
}

/// A line for each case of a goal and each of its ratios.
fn table(goal: &Goal, measured: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    let begins = format!("{}/", goal.implementation);
    let mine = measured.rooflines.iter().filter(|row| {
        text(row, "workload") == goal.workload
            && text(row, "cache") == goal.cache
            && text(row, "variant").starts_with(&begins)
    });
    for ours in mine {
        let case = format!("{} {} {}", goal.workload, text(ours, "case_name"), goal.cache);
        let of_ours = format!("{}, {}", text(ours, "variant"), kernels::speed(ours));
        let head = format!("| {case} | {of_ours} | {} |", roof(goal, ours));
        if goal.ratios.iter().all(Option::is_none) {
            lines.push(format!("{head} – | – | – | none |"));
        }
        for ratio in goal.ratios.iter().flatten() {
            lines.push(match fastest(ratio, ours, &measured.compared) {
                Some(row) => {
                    let rival = roofline_of(&measured.rooflines, row);
                    let (speed, judged) = (kernels::speed(rival), judged(ratio, row, rival));
                    let found = format!("{:.2} ({})", number(row, "speedup"), kernels::interval(row));
                    format!("{head} {} | {found} | {speed} | {judged} |", text(row, "baseline"))
                }
                None => format!("{head} {} | – | – | not measured |", ratio.rivals.join(", ")),
            });
        }
    }
    if lines.is_empty() {
        lines.push(format!("| {} {} | not measured | – | – | – | – | – |", goal.workload, goal.cache));
    }
    lines
}

/// What the share of its roof is to be, and whether it is; where it is not, why.
fn roof(goal: &Goal, ours: &Value) -> String {
    let Some((wanted, share)) = goal.roof else { return "none".to_owned() };
    let (held, verdict) = (text(ours, "roof"), goals::of_the_roof(ours, share));
    // A roof that stands lower for this machine: the share is of that.
    let verdict = if held == wanted || held.is_empty() { verdict } else { format!("held by {held}: {verdict}") };
    match goals::spent(ours) {
        Some(spent) if number(ours, "of_the_roof") < share => format!("{verdict}: {spent}"),
        _ => verdict,
    }
}

/// The comparison with the fastest of the rivals, beside the variant and the case of `ours`.
fn fastest<'a>(ratio: &Ratio, ours: &Value, compared: &'a [Value]) -> Option<&'a Value> {
    let same = |row: &&Value| {
        ["workload", "case_name", "cache"].iter().all(|name| row[*name] == ours[*name])
            && row["candidate"] == ours["variant"]
            && ratio.rivals.contains(&text(row, "baseline_implementation"))
            && (text(row, "baseline_device") != "flex") == ratio.foreign
    };
    compared.iter().filter(same).min_by(|a, b| number(a, "speedup").total_cmp(&number(b, "speedup")))
}

/// What the query `roofline` says of the baseline of a comparison.
fn roofline_of<'a>(rooflines: &'a [Value], row: &Value) -> &'a Value {
    let same = |one: &&Value| {
        one["variant"] == row["baseline"]
            && ["workload", "case_name", "cache"].iter().all(|name| one[*name] == row[*name])
    };
    rooflines.iter().find(same).unwrap_or(&Value::Null)
}

fn judged(ratio: &Ratio, row: &Value, rival: &Value) -> String {
    let Some(beyond) = ratio.beyond else { return goals::ratio_to(row, ratio.least, rival) };
    let share = beyond * number(rival, "of_the_roof");
    let verdict = goals::ratio(row, ratio.least);
    if share >= FIT_BASELINE {
        return verdict;
    }
    format!("{verdict}, which counts only if the baseline were at 90 % of its roof: it is at {:.0} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(variant: &str, roof: &str, share: f64) -> Value {
        json!({ "workload": "w", "case_name": "a", "cache": "hot", "variant": variant, "median_ns": 2e6, "roof": roof,
                "of_the_roof": share, "gexp_s": 3.0, "gflops": 100.0, "gb_s": 9.0 })
    }

    fn beside(baseline: &str, speedup: f64) -> Value {
        let parts: Vec<&str> = baseline.split('/').collect();
        json!({ "workload": "w", "case_name": "a", "cache": "hot", "candidate": "fused/flex/f32/2t", "baseline": baseline,
                "baseline_implementation": parts[0], "baseline_device": parts[1], "speedup": speedup,
                "low": speedup - 0.5, "high": speedup + 0.5 })
    }

    #[test]
    fn the_fastest_rival_decides_and_a_missing_one_is_told() {
        let goal =
            goal(["w", "fused", "hot"], Some(("exponentials", 0.7)), [torch(8.0, &["loop", "compile-step"]), None]);
        let rooflines = vec![
            line("fused/flex/f32/2t", "exponentials", 0.75),
            line("compile-step/torch/f32/2t", "exponentials", 0.02),
        ];
        let compared = vec![
            beside("loop/flex/f32/2t", 2.0),
            beside("loop/torch/f32/2t", 40.0),
            beside("compile-step/torch/f32/2t", 9.0),
        ];
        let measured =
            |compared| Measured { compared, rooflines: rooflines.clone(), copies: Vec::new(), folder: "x".into() };
        assert_eq!(
            table(&goal, &measured(compared)),
            [
                "| w a hot | fused/flex/f32/2t, 2.000 ms, 3.00 G exponentials/s, 75 % of the roof | 70 % of the roof: met \
              | compile-step/torch/f32/2t | 9.00 (8.50 – 9.50) | 2.000 ms, 3.00 G exponentials/s, 2 % of the roof \
              | at least 8.00: met |"
            ]
        );
        let without = table(&goal, &measured(Vec::new()));
        assert!(without[0].ends_with("| loop, compile-step | – | – | not measured |"), "{without:?}");
        let none = Measured { compared: Vec::new(), rooflines: Vec::new(), copies: Vec::new(), folder: "x".into() };
        assert_eq!(table(&goal, &none), ["| w hot | not measured | – | – | – | – | – |"]);
    }

    #[test]
    fn a_ratio_is_capped_by_the_roof_and_a_slow_baseline_counts_not() {
        let row = beside("loop/torch/f32/2t", 3.0);
        let foreign = Ratio { least: 8.0, rivals: &["loop"], foreign: true, beyond: None };
        let capped = judged(&foreign, &row, &line("loop/torch/f32/2t", "arithmetic", 0.5));
        assert_eq!(capped, "at least 1.90: met (of 8.00, as far as the roof lets it)");
        let dense = |share: f64| {
            judged(&DENSE, &beside("dense/flex/f32/2t", 7.5), &line("dense/flex/f32/2t", "arithmetic", share))
        };
        assert_eq!(dense(0.115), "at least 6.50: met");
        assert!(dense(0.1).ends_with("90 % of its roof: it is at 80 %"), "{}", dense(0.1));
    }

    #[test]
    fn another_roof_is_named() {
        let goal = goal(["w", "fused", "hot"], Some(("arithmetic", 0.6)), [None; 2]);
        assert_eq!(roof(&goal, &line("fused/flex", "arithmetic", 0.5)), "60 % of the roof: **missed by 10 points**");
        assert_eq!(roof(&goal, &line("fused/flex", "memory", 0.7)), "held by memory: 60 % of the roof: met");
        let told = json!({ "roof": "arithmetic", "of_the_roof": 0.5, "gflops": 100.0, "peak_gflops": 200.0 });
        assert_eq!(
            roof(&goal, &told),
            "60 % of the roof: **missed by 10 points**: arithmetic 50 % of its time, each at its roof"
        );
        let without = json!({ "roof": null, "of_the_roof": null });
        assert_eq!(roof(&goal, &without), "60 % of the roof: no roof was measured");
    }
}
