//! Products by weights of few bits and by fewer weights, caches of few bits, and the goals that were set for them.

use crate::ask::{number, text};
use crate::beside::{self, Goal, Ratio, goal, torch};
use crate::parts::{Family, Part, Told};
use crate::{goals, kernels};
use serde_json::Value;
use xtask::arguments::Choice;
use xtask::error::Result;
use xtask::workspace::Ready;

/// Products of one row and few out of memory, those whose sparsities are swept, and all others.
const COLD: Part = ("cold", include_str!("precision_cold.toml"));
const SPARSE: Part = ("sparse", include_str!("precision_sparse.toml"));
const PARTS: [Part; 9] = [
    COLD,
    ("nf4", include_str!("precision_nf4.toml")),
    ("nf4-hot", include_str!("precision_nf4_hot.toml")),
    ("caches", include_str!("precision_caches.toml")),
    ("hot", include_str!("precision_hot.toml")),
    ("integers", include_str!("precision_integers.toml")),
    SPARSE,
    ("channels", include_str!("precision_channels.toml")),
    ("factors", include_str!("precision_factors.toml")),
];

const PRECISION: Family = Family {
    name: "precision",
    parts: &PARTS,
    rivals: &RIVALS,
    devices: &["flex", "torch", "torch-mkl", "numpy", "onnxruntime", "openvino", "llama-cpp"],
};

/// Other people's products by sparse matrices, and those of both factors in whole numbers.
const CSR: [&str; 2] = ["torch-csr", "scipy-csr"];
const WHOLE: [&str; 3] = ["int8-dynamic", "torchao-int8-dynamic", "compressed-int8-a8"];

/// Everything that any goal compares with.
const RIVALS: [&str; 18] = [
    "tiled",
    "fused",
    "dense",
    "int8-fused",
    "int4-g32-fused",
    "e4m3-fused",
    "torch-csr",
    "scipy-csr",
    "int8-dynamic",
    "torchao-int8-dynamic",
    "int4-g32",
    "int4-g32-a8",
    "compressed-int8-a8",
    "compressed-int4-g32",
    "compressed-int4-g32-a8",
    "q4-0",
    "bitsandbytes-nf4",
    "svd-lowrank",
];

const ONE: Option<&str> = Some("1×4096·4096×11008");
const SQUARE: Option<&str> = Some("1×4096·4096×4096");
const MANY: Option<&str> = Some("512×4096·4096×4096");
const NINETY: Option<&str> = Some("128×4096·4096×4096 90 % zero, single");
const NINETY_BLOCKS: Option<&str> = Some("128×4096·4096×4096 90 % zero, blocks");

/// A ratio to one of our own.
const fn own(least: f64, rivals: &'static [&'static str]) -> Option<Ratio> {
    Some(Ratio { least, rivals, foreign: false, beyond: Some(1.0) })
}

/// The same as [`goal`] for one case.
const fn only(
    case: Option<&'static str>,
    of: [&'static str; 3],
    roof: Option<(&'static str, f64)>,
    ratios: [Option<Ratio>; 2],
) -> Goal {
    Goal { case, ..goal(of, roof, ratios) }
}

const fn cold(name: &'static str, least: f64, rivals: &'static [&'static str]) -> Goal {
    cold_beside(name, own(least, rivals), None)
}

/// The same beside other people's too.
const fn cold_beside(name: &'static str, own: Option<Ratio>, others: Option<Ratio>) -> Goal {
    only(ONE, ["matmul", name, "cold"], Some(("memory", 0.9)), [own, others])
}

/// Beside the goals in the cold regime: how near the roof of its own working set the same product comes.
const fn hot(name: &'static str, rivals: &'static [&'static str]) -> Goal {
    only(ONE, ["matmul", name, "hot"], None, [own(0.0, rivals), None])
}

/// 95 % of what leaving out so much can give.
const fn pruned(name: &'static str, kept: f64) -> Goal {
    goal(["mlp", name, "hot"], None, [own(0.95 / kept, &["fused"]), None])
}

const GOALS: [Goal; 35] = [
    cold("e4m3-fused", 3.6, &["tiled"]),
    // ONNX Runtime with the left factor in f32 is told, and not judged.
    cold_beside("int4-g32-fused", own(6.4, &["tiled"]), torch(0.0, &["int4-g32"])),
    cold_beside("w4a8-g32-dynamic", own(6.4, &["tiled"]), torch(1.5, &["int4-g32-a8"])),
    only(ONE, ["matmul", "w4a8-g32-dynamic", "cold"], None, [torch(1.2, &["q4-0"]), None]),
    // No goal names OpenVINO's weights of 4 bits.
    only(ONE, ["matmul", "int4-g32-fused", "cold"], None, [torch(0.0, &["compressed-int4-g32"]), None]),
    only(ONE, ["matmul", "w4a8-g32-dynamic", "cold"], None, [torch(0.0, &["compressed-int4-g32-a8"]), None]),
    cold("mxfp4-rceil-fused", 0.95, &["int4-g32-fused"]),
    cold("mxfp8-rceil-fused", 0.95, &["e4m3-fused"]),
    // With its scales 6¼ bits in the place of eight.
    cold("mxfp6-e2m3-floor-fused", 1.2, &["e4m3-fused"]),
    cold("nf4-g64-fused", 0.95, &["int4-g32-fused"]),
    only(SQUARE, ["matmul", "nf4-g64-fused", "cold"], Some(("memory", 0.9)), [torch(1.5, &["bitsandbytes-nf4"]), None]),
    cold("2of4", 1.7, &["tiled"]),
    cold("2of4-int8", 1.45, &["int8-fused"]),
    hot("e4m3-fused", &["tiled"]),
    hot("int4-g32-fused", &["tiled"]),
    hot("w4a8-g32-dynamic", &["tiled"]),
    hot("mxfp4-rceil-fused", &["int4-g32-fused"]),
    hot("mxfp8-rceil-fused", &["e4m3-fused"]),
    hot("mxfp6-e2m3-floor-fused", &["e4m3-fused"]),
    hot("nf4-g64-fused", &["int4-g32-fused"]),
    only(SQUARE, ["matmul", "nf4-g64-fused", "hot"], None, [torch(0.0, &["bitsandbytes-nf4"]), None]),
    hot("2of4", &["tiled"]),
    hot("2of4-int8", &["int8-fused"]),
    only(MANY, ["matmul", "w8a8-dynamic", "hot"], Some(("int8", 0.65)), [own(2.2, &["tiled"]), torch(1.3, &WHOLE)]),
    // Of an eighth of the rank, a quarter of the operations.
    only(MANY, ["matmul", "low-rank-8th", "hot"], None, [own(0.9 * 4.0, &["tiled"]), None]),
    goal(["randomised-svd", "cholesky-qr", "hot"], None, [torch(1.3, &["svd-lowrank"]), None]),
    only(NINETY, ["sparse-matmul", "csr", "hot"], None, [own(3.0, &["dense"]), torch(4.0, &CSR)]),
    only(NINETY_BLOCKS, ["sparse-matmul", "blocks16", "hot"], None, [own(6.0, &["dense"]), None]),
    pruned("channels-25", 0.75),
    pruned("channels-50", 0.5),
    pruned("channels-75", 0.25),
    goal(["attention", "int8-cache", "cold"], Some(("memory", 0.9)), [own(3.3, &["fused"]), None]),
    goal(["attention", "int4-cache", "cold"], Some(("memory", 0.9)), [own(6.0, &["fused"]), None]),
    // As they are: there is no goal for two of four with many rows.
    only(MANY, ["matmul", "2of4", "hot"], None, [own(0.0, &["tiled"]), None]),
    only(MANY, ["matmul", "2of4-int8", "hot"], None, [own(0.0, &["int8-fused"]), None]),
];

const HEAD: &str = "The same threads for both sides, samples in turns, interval over fresh processes. Products of one row and decoding are\n\
    judged cold, with copies of the weights that fill four times the last-level cache; beside them stand hot ones, below the\n\
    read roof of their own size. A variant is held to the bytes and operations that are its own. A ratio is asked for as far\n\
    as the roof of ours lets it, and to a baseline of our own it counts only where that is at 90 % of its own roof. Where a\n\
    share is missed, the reason is told as what each kind of work would take alone.\n\
    \n\
    Formats of other engines are not ours to the bit: each is right by its own codes, whose error stands below, and its weights\n\
    fill memory as ours do. ONNX Runtime rounds rows in groups of 32 (`int4-g32-a8`) or whole matrices (`int8-dynamic`),\n\
    OpenVINO (`compressed-…-a8`) and llama.cpp (`q4-0`) in groups of 32, bitsandbytes computes in bf16. SciPy multiplies on one\n\
    thread. oneDNN is met through PyTorch, whose `_int_mm` torchao calls, and through OpenVINO.";

pub fn measure(ready: &Ready, choice: &Choice) -> Result<Told> {
    PRECISION.measure(ready, choice)?;
    let measured = PRECISION.measured(ready, &PARTS)?;
    let asked = |parts: &[Part], words: &[&str]| PRECISION.asked(ready, parts, words);
    let Told { text, exceeding } = PRECISION.told(ready, &measured)?;
    let mut lines = vec![HEAD.to_owned(), String::new(), text, String::new()];
    lines.extend(beside::COLUMNS.map(str::to_owned));
    lines.extend(GOALS.iter().flat_map(|goal| beside::table(goal, &measured)));
    lines.extend(kept(&asked(&[COLD], &[KEPT])?));
    let crossed = ["x=zero_percent", "other_x=zero_percent", "along=", "baseline=sparse-matmul dense%"];
    let crossed = crossed.into_iter().flat_map(|param| ["--param", param]);
    let words: Vec<&str> = ["--query", "crossover"].into_iter().chain(crossed).collect();
    lines.extend(break_even(&asked(&[SPARSE], &words)?));
    lines.extend(errors(&asked(&PARTS, &[ERRORS])?));
    Ok(Told { text: lines.join("\n"), exceeding })
}

/// Of products in whole numbers, the rate of a row in company as a share of that alone, over processes.
const KEPT: &str = "with medians as (select t.implementation, t.replicate, param(t.params, 'm') as m, \
    order_summary(r.time_ns)['median'] as ns from results r join trials t on t.run_id = r.run_id and t.trial = r.trial \
    where r.valid and r.workload = 'matmul' and r.cache = 'cold' \
    and t.implementation in ('w4a8-g32-dynamic', 'int4-g32-fused') group by 1, 2, 3) \
    select b.implementation, b.m, replicate_median(a.ns / b.ns, b.replicate) as speedup, \
    replicate_low(a.ns / b.ns, b.replicate) as low, replicate_high(a.ns / b.ns, b.replicate) as high \
    from medians a join medians b on b.implementation = a.implementation and b.replicate = a.replicate \
    where a.m = 1 and b.m > 1 group by b.implementation, b.m order by b.implementation, b.m";

/// What the time of one row may be, as a share of that of a few.
const OF_ONE_ROW: f64 = 0.8;

fn kept(rows: &[Value]) -> Vec<String> {
    let line = |row: &Value| {
        let goal = match text(row, "implementation") {
            "w4a8-g32-dynamic" => goals::ratio(row, OF_ONE_ROW),
            _ => "none".to_owned(),
        };
        format!(
            "| {} | {} | {:.2} ({}) | {goal} |",
            text(row, "implementation"),
            number(row, "m"),
            number(row, "speedup"),
            kernels::interval(row),
        )
    };
    titled("| weights | rows | rate of one row × rows that is kept, 95 % interval | goal |", rows.iter().map(line))
}

/// From which sparsity on leaving out is faster than multiplying by zeros, of lines with the same zeros.
fn break_even(crossed: &[Value]) -> Vec<String> {
    let structure = |row: &Value, side: &str| {
        text(row, side).split(' ').find(|word| word.starts_with("structure=")).map(str::to_owned)
    };
    let alike = crossed.iter().filter(|row| structure(row, "candidate") == structure(row, "baseline"));
    let line = |row: &Value| {
        let [value, low, high] = ["crossover", "low", "high"].map(|name| number(row, name));
        let from = match text(row, "reason") {
            "" if low.is_nan() => format!("{value:.1} %, without an interval"),
            "" => format!("{value:.1} % ({low:.1} – {high:.1})"),
            reason => reason.to_owned(),
        };
        format!("| {} | {} | {from} |", text(row, "candidate"), text(row, "baseline"))
    };
    titled("| leaves zeros out | beside | breaks even at this share of zeros, 95 % interval |", alike.map(line))
}

/// How far a variant is from what it should give, by whether it is the kernel or the format that errs, and what it holds.
const ERRORS: &str = "with checked as (select run_id, trial, max(max_scaled_error) as kernel, max(tolerance) as allowed \
    from checks group by run_id, trial), \
    told as (select run_id, trial, max(value) filter (where name = 'relative_error') as format, \
    max(value) filter (where name in ('weight_bytes', 'cache_bytes')) as held from measures group by run_id, trial) \
    select t.workload, t.case_name, t.implementation, max(c.kernel) as kernel, max(c.allowed) as allowed, \
    median(d.format) as format, max(d.held) as held from trials t \
    join checked c on c.run_id = t.run_id and c.trial = t.trial join told d on d.run_id = t.run_id and d.trial = t.trial \
    where d.held is not null group by t.workload, t.case_name, t.implementation \
    order by min(t.run_id), min(t.trial)";

fn errors(rows: &[Value]) -> Vec<String> {
    let line = |row: &Value| {
        let format = number(row, "format");
        let format = if format.is_nan() { "none".to_owned() } else { format!("{format:.4}") };
        format!(
            "| {} {} | {} | {:.1e} of {:.0e} | {format} | {:.2} MB |",
            text(row, "workload"),
            text(row, "case_name"),
            text(row, "implementation"),
            number(row, "kernel"),
            number(row, "allowed"),
            number(row, "held") / 1e6,
        )
    };
    titled(
        "| case | variant | error of the kernel, of what is allowed | error of the format | weights or cache |",
        rows.iter().map(line),
    )
}

/// A table with this head, and a line before it.
fn titled(head: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    let columns = head.matches('|').count() - 1;
    let rule = format!("|{}", "---|".repeat(columns));
    [String::new(), head.to_owned(), rule].into_iter().chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_goal_names_what_its_parts_measure() {
        for goal in &GOALS {
            let quoted = |name: &str| format!("\"{name}\"");
            let name = quoted(goal.implementation);
            let plans = PARTS.iter().filter(|(_, plan)| plan.contains("cache = \"cold\"") == (goal.cache == "cold"));
            let plans: Vec<&str> = plans.map(|(_, plan)| *plan).filter(|plan| plan.contains(&name)).collect();
            assert!(!plans.is_empty(), "{name} is measured {}", goal.cache);
            for rival in goal.ratios.iter().flatten().flat_map(|ratio| ratio.rivals) {
                assert!(RIVALS.contains(rival), "{rival} is asked for");
                assert!(plans.iter().any(|plan| plan.contains(&quoted(rival))), "{rival} beside {name}");
            }
        }
    }

    #[test]
    fn nf4_is_told_hot_beside_reads_of_as_many_bytes() {
        let hot = GOALS.iter().find(|goal| goal.case == SQUARE && goal.cache == "hot").expect("a goal of hot weights");
        let rivals = hot.ratios[0].map(|ratio| ratio.rivals);
        assert_eq!((hot.implementation, rivals), ("nf4-g64-fused", Some(&["bitsandbytes-nf4"][..])));
        let plans = PARTS.iter().map(|(_, plan)| *plan).filter(|plan| !plan.contains("cache = \"cold\""));
        let plan = plans.filter(|plan| plan.contains("\"bitsandbytes-nf4\"")).collect::<String>();
        // Four bits and an `f32` scale for 64 weights, a row to the left and one that is written; reads go by 64 KiB.
        let bytes = 4096 * 4096 / 2 + 4096 * 4096 / 64 * 4 + 2 * 4 * 4096_usize;
        let reads = format!("kib = [{}, ", bytes.div_ceil(1024).next_multiple_of(64));
        assert!(plan.contains(&reads), "{reads} in {plan}");
    }

    #[test]
    fn company_is_judged_for_whole_numbers_alone() {
        let row = |name: &str| json!({ "implementation": name, "m": 4, "speedup": 0.9, "low": 0.85, "high": 0.95 });
        let told = kept(&[row("w4a8-g32-dynamic"), row("int4-g32-fused")]);
        assert_eq!(told[2], "|---|---|---|---|");
        assert_eq!(told[3], "| w4a8-g32-dynamic | 4 | 0.90 (0.85 – 0.95) | at least 0.80: met |");
        assert_eq!(told[4], "| int4-g32-fused | 4 | 0.90 (0.85 – 0.95) | none |");
    }

    #[test]
    fn lines_with_the_same_zeros_break_even() {
        let line = |name: &str, of: &str| format!("sparse-matmul {name}/flex/f32/2t k=8 m=4 n=8 structure={of}");
        let row = |of: [&str; 2], crossing: Value| {
            json!({ "candidate": line("csr", of[0]), "baseline": line("dense", of[1]), "crossover": crossing,
                    "low": null, "high": null, "reason": null })
        };
        let mut told = row(["single"; 2], json!(61.26));
        (told["low"], told["high"]) = (json!(60.0), json!(62.5));
        let never = json!({ "candidate": line("csr", "single"), "baseline": line("dense", "single"), "crossover": null,
                            "reason": "not faster at the longest" });
        let rows = [told, row(["single", "blocks"], json!(1.0)), row(["blocks"; 2], json!(20.0)), never];
        let found: Vec<String> = break_even(&rows).split_off(3);
        let ends: Vec<&str> = found.iter().map(|line| line.rsplit("| ").next().unwrap_or_default()).collect();
        assert_eq!(ends, ["61.3 % (60.0 – 62.5) |", "20.0 %, without an interval |", "not faster at the longest |"]);
    }

    #[test]
    fn both_errors_stand_beside_each_other() {
        let told = errors(&[
            json!({ "workload": "matmul", "case_name": "8³", "implementation": "int4-g32-fused", "kernel": 2.1e-7,
                    "allowed": 1e-5, "format": 0.0953, "held": 288.0 }),
            json!({ "workload": "matmul", "case_name": "8³", "implementation": "tiled", "kernel": 1e-7, "allowed": 1e-5,
                    "format": null, "held": 256.0 }),
        ]);
        assert_eq!(told[3], "| matmul 8³ | int4-g32-fused | 2.1e-7 of 1e-5 | 0.0953 | 0.00 MB |");
        assert!(told[4].contains("| none |"), "{told:?}");
    }
}
