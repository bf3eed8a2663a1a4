//! Our kernels beside their rivals at their best, in the same blocks, and below the roofs that were measured with them.

use crate::ask::{self, number, rows, text};
use crate::goals;
use crate::parts::{Family, Part, Told};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use xtask::arguments::Choice;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::workspace::Ready;

const PARTS: [Part; 5] = [
    ("attention", include_str!("kernels_attention.toml")),
    ("caches", include_str!("kernels_caches.toml")),
    ("products", include_str!("kernels_products.toml")),
    ("bf16", include_str!("kernels_bf16.toml")),
    ("blocks", include_str!("kernels_blocks.toml")),
];

const ATTENTION: Family = Family {
    name: "attention",
    parts: &PARTS,
    rivals: &RIVALS,
    devices: &["flex", "libtorch", "libtorch-mkl", "torch", "torch-mkl", "onnxruntime", "openvino", "ort"],
};

const RIVALS: [&str; 12] = [
    "compile",
    "compile-frozen",
    "graph",
    "ort",
    "torch-sdpa",
    "torch-mm",
    "burn",
    "torch-addmm",
    "torch-linear",
    "torch-layer-norm",
    "torch-rms-norm",
    "torch-softmax",
];

/// Asks for the answer of a named query on the latest run.
const ROOFLINE: [&str; 5] = ["sql", "--query", "roofline", "--format", "json"];

/// What was measured of a family.
#[derive(Default)]
pub struct Measured {
    /// Verdicts beside each of the rivals, one after another.
    pub compared: Vec<Value>,
    /// What the query `roofline` says of every run.
    pub rooflines: Vec<Value>,
    /// Copies at their best.
    pub copies: Vec<Value>,
    /// Why variants have no times, in the words of the trials.
    pub lost: Vec<Value>,
    /// Where the store lies.
    pub folder: PathBuf,
}

impl Measured {
    /// Adds what the latest run of a store shows beside these rivals.
    fn add_latest(&mut self, ready: &Ready, folder: &Path, rivals: &[&str]) -> Result<()> {
        for rival in rivals {
            // On all of its devices, not only on the candidate's own; not every run has every rival.
            let paired = format!(
                "select * from verdicts where run_id = (select run_id from runs order by started_at desc limit 1) \
                 and baseline_implementation = '{rival}' and candidate_implementation <> '{rival}' \
                 order by first_trial, baseline, candidate"
            );
            let said = ask(ready, folder, &["sql", "--format", "json", &paired])?;
            self.compared.extend(rows(&said).filter(|row| row["speedup"].is_number()).cloned());
        }
        self.rooflines.extend(rows(&ask(ready, folder, &ROOFLINE)?).cloned());
        Ok(())
    }

    /// Adds what all runs of a store have of copies, and of variants without times.
    fn add_whole(&mut self, ready: &Ready, folder: &Path) -> Result<()> {
        for (rows_of, statement) in [(&mut self.copies, COPIES), (&mut self.lost, LOST)] {
            let said = ask(ready, folder, &["sql", "--format", "json", statement])?;
            rows_of.extend(rows(&said).cloned());
        }
        Ok(())
    }

    /// Adds all that a store of one run has.
    ///
    /// # Errors
    /// The program cannot be asked.
    pub fn add(&mut self, ready: &Ready, folder: &Path, rivals: &[&str]) -> Result<()> {
        self.add_latest(ready, folder, rivals)?;
        self.add_whole(ready, folder)
    }

    /// The same, where nothing exceeds a roof.
    fn below_roofs(self) -> Result<Self> {
        goals::none_exceeds(&goals::exceeded(&self.rooflines))?;
        Ok(self)
    }
}

/// The folder of a family, or of a part of one (`family/part`).
pub fn folder_of(ready: &Ready, family: &str) -> PathBuf {
    ready.workspace.target.join("bench/kernels").join(family)
}

/// Runs a plan into the store of a folder, with more words for `benchbook run`.
///
/// # Errors
/// The run fails, or the plan cannot be written.
pub fn run(ready: &Ready, folder: &Path, (name, plan): (&str, &str), words: &[String]) -> Result<()> {
    fs::create_dir_all(folder).named("create", folder)?;
    let path = folder.join(name);
    fs::write(&path, plan).named("write", &path)?;
    let mut run = ready.workspace.run("benchbook");
    run.arg("--store").arg(folder.join("store")).arg("run").arg(&path).args(words);
    process::run(&mut run, "see its message above")
}

/// Runs plans in a folder of their own, beside what a word adds (`--python=…`), on some devices where the plans do not say on which,
/// and asks for the verdicts beside each of the rivals.
///
/// # Errors
/// A run fails, or a kernel exceeds a roof.
pub fn measured(
    ready: &Ready,
    family: &str,
    plans: &[(&str, &str)],
    rivals: &[&str],
    beside: Option<&str>,
    devices: &[String],
) -> Result<Measured> {
    let folder = folder_of(ready, family);
    let _ = fs::remove_dir_all(&folder);
    let mut words: Vec<String> = beside.map(str::to_owned).into_iter().collect();
    words.extend(on(devices));
    let mut found = Measured { folder: folder.clone(), ..Measured::default() };
    for plan in plans {
        run(ready, &folder, *plan, &words)?;
        found.add_latest(ready, &folder, rivals)?;
    }
    found.add_whole(ready, &folder)?;
    found.below_roofs()
}

/// Words that choose devices; none where there are none.
pub fn on(devices: &[String]) -> Vec<String> {
    if devices.is_empty() { Vec::new() } else { vec!["--device".to_owned(), devices.join(",")] }
}

/// The word that adds the engines of the project's Python.
pub fn python(ready: &Ready) -> String {
    format!("--python={}", ready.python.executable.display())
}

/// Those of some devices that this machine has.
///
/// # Errors
/// The program cannot be asked.
pub fn here(ready: &Ready, wanted: &[&str]) -> Result<Vec<String>> {
    Ok(available(&devices(ready)?, wanted))
}

/// Those of some devices that this machine does not have, each with why.
///
/// # Errors
/// The program cannot be asked.
pub fn absent(ready: &Ready, wanted: &[&str]) -> Result<Vec<String>> {
    Ok(unavailable(&devices(ready)?, wanted))
}

/// What the program knows of devices, those of the project's Python among them.
fn devices(ready: &Ready) -> Result<Value> {
    let mut command = ready.workspace.run("benchbook");
    ask::ask(command.args(["list", "devices", "--format", "json", &python(ready)]))
}

fn available(listed: &Value, wanted: &[&str]) -> Vec<String> {
    let here = |row: &&Value| text(row, "available") == "here" && wanted.contains(&text(row, "device"));
    rows(listed).filter(here).map(|row| text(row, "device").to_owned()).collect()
}

fn unavailable(listed: &Value, wanted: &[&str]) -> Vec<String> {
    let absent = |row: &&Value| text(row, "available") != "here" && wanted.contains(&text(row, "device"));
    rows(listed).filter(absent).map(|row| format!("{} ({})", text(row, "device"), text(row, "available"))).collect()
}

pub fn measure(ready: &Ready, choice: &Choice) -> Result<Told> {
    ATTENTION.measure(ready, choice)?;
    let measured = ATTENTION.measured(ready, &PARTS)?;
    let Told { text: told, exceeding } = ATTENTION.told(ready, &measured)?;
    let matrix_units = !ATTENTION.asked(ready, &PARTS, &[MATRIX_UNITS])?.is_empty();
    let Measured { compared, rooflines, copies, .. } = measured;
    let fma = rooflines.iter().filter(|row| text(row, "workload") == "fma").map(|row| number(row, "gflops"));
    let fma = fma.fold(f64::NAN, f64::max);
    let mut lines = vec![
        "The same threads for both sides, samples in turns, interval over fresh processes. A ratio above 1 says that our\n\
         kernel is faster. The rival is the fastest one of its case, on the fastest of its devices. A goal is met where\n\
         the whole interval lies above it, and missed where none of it does. Beside each speed stands its share of the\n\
         roof of the same run: multiply-adds in registers, exponentials in registers, or reads of a buffer of about the\n\
         same size. Norms and softmax are held to a copy besides, the fastest of as many bytes. Of whole blocks, what is\n\
         counted are products and attention, and the time is that of all their parts; they are to be faster. In bf16 no roof\n\
         of arithmetic is measured: ours are computed in f32, and some rivals multiply bf16 as it is. Where a processor has units\n\
         for matrices of bf16, products of ours are held to the roof of f32, and the ratio is told.\n\
         \n\
         Not the same on both sides: of linear layers and feed-forward networks, our kernels take weights that were packed\n\
         before timing, as those of a model can be, and libtorch's calls pack what they need in each call, which those of\n\
         `compile-frozen` and the graphs of other engines do not; our kernels write into memory that is there, and PyTorch\n\
         allocates its results."
            .to_owned(),
        String::new(),
        told,
        String::new(),
        "| case | ours | rival | ratio, 95 % interval | ours | rival | goal |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    let of_ours = |row: &&Value| goals::ours(text(row, "candidate"));
    for row in compared.iter().filter(of_ours).filter(|row| at_its_best(row, &compared)) {
        let [candidate, baseline] = ["candidate", "baseline"].map(|side| text(row, side));
        let [ours, rival] = [candidate, baseline].map(|variant| roofline(&rooflines, row, variant));
        let goal = if matrix_units && candidate.contains("/bf16/") {
            goals::beside_matrix_units(row, ours, fma)
        } else {
            goals::judged(row, ours, rival, &copies)
        };
        lines.push(format!(
            "| {} {} | {candidate} | {baseline} | {:.2} ({}) | {} | {} | {goal} |",
            text(row, "workload"),
            text(row, "case_name"),
            number(row, "speedup"),
            interval(row),
            speed(ours),
            speed(rival),
        ));
    }
    lines.extend(unmeasured(&compared, &rooflines));
    Ok(Told { text: lines.join("\n"), exceeding })
}

/// The instructions that ran, as the workers said it.
pub const INSTRUCTIONS: &str =
    "select distinct device, engine, engine_version from trials order by device, engine, engine_version";

/// Each copy at its best: the bytes that it reads and writes, and how many of them in a nanosecond.
const COPIES: &str = "select max(bytes) as bytes, max(bytes) / min(time_ns) as gb_s from results \
                      where workload = 'copy' and valid group by run_id, case_name, variant";

/// Variants that have no times, each with why.
const LOST: &str = "select t.workload, t.case_name, t.cache, t.implementation, t.device, max(o.stop_reason) as reason \
                    from outcomes o join trials t on t.run_id = o.run_id and t.trial = o.trial where o.status <> 'ok' \
                    group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5";

/// Rows where the processor multiplies matrices of bf16 as one instruction: there libtorch has another path.
const MATRIX_UNITS: &str = "select run_id from runs where array_has(cpu_features, 'amx_bf16')";

/// Whether no other rival, and no other device of it, is faster than that of `row`, beside the same candidate on the same case.
fn at_its_best(row: &Value, all: &[Value]) -> bool {
    let same = |other: &&Value| ["workload", "case_name", "candidate"].iter().all(|name| other[*name] == row[*name]);
    !all.iter().filter(same).any(|other| number(other, "speedup") < number(row, "speedup"))
}

/// A line for each case that has a goal and no comparison: what was measured of it is on one side alone.
fn unmeasured(compared: &[Value], rooflines: &[Value]) -> Vec<String> {
    let same = |one: &Value, other: &Value| ["workload", "case_name"].iter().all(|name| one[*name] == other[*name]);
    let is_compared =
        |row: &Value| compared.iter().any(|beside| same(beside, row) && goals::ours(text(beside, "candidate")));
    let mut lines = Vec::new();
    for row in rooflines.iter().filter(|row| goals::is_judged(row) && !is_compared(row)) {
        let ours = rooflines.iter().any(|one| same(one, row) && goals::ours(text(one, "variant")));
        let lacking = if ours { "no row of a rival" } else { "no row of ours" };
        let case = format!("{} {}", text(row, "workload"), text(row, "case_name"));
        lines.push(format!("| {case} | – | – | – | – | – | not measured: {lacking} |"));
    }
    lines.dedup();
    lines
}

/// What ran, in a line.
pub fn instructions(ran: &Value) -> String {
    let one =
        |row: &Value| format!("{} {} on {}", text(row, "engine"), text(row, "engine_version"), text(row, "device"));
    let all: Vec<String> = rows(ran).map(one).collect();
    format!("What ran: {}.", all.join("; "))
}

/// The interval of a ratio, or why there is none.
pub fn interval(row: &Value) -> String {
    if row["low"].is_null() {
        let (replicates, blocks) = (number(row, "replicates"), number(row, "blocks"));
        return format!("none: {blocks} blocks in {replicates} processes");
    }
    format!("{:.2} – {:.2}", number(row, "low"), number(row, "high"))
}

/// What the query `roofline` says of a variant on the case of `row`.
fn roofline<'a>(rooflines: &'a [Value], row: &Value, variant: &str) -> &'a Value {
    let same = |one: &&Value| {
        text(one, "variant") == variant && ["workload", "case_name"].iter().all(|name| one[*name] == row[*name])
    };
    rooflines.iter().find(same).unwrap_or(&Value::Null)
}

/// Time, throughput, and share of the roof.
pub fn speed(roofline: &Value) -> String {
    if roofline.is_null() {
        return "not measured".to_owned();
    }
    let rate = match text(roofline, "roof") {
        "memory" => format!("{:.1} GB/s", number(roofline, "gb_s")),
        "exponentials" => format!("{:.2} G exponentials/s", number(roofline, "gexp_s")),
        "int8" => format!("{:.0} GOP/s of bytes", number(roofline, "int8_gops")),
        _ => format!("{:.0} GFLOP/s", number(roofline, "gflops")),
    };
    let share = number(roofline, "of_the_roof");
    let share = if share.is_nan() { String::new() } else { format!(", {:.0} % of the roof", 100.0 * share) };
    format!("{:.3} ms, {rate}{share}", number(roofline, "median_ns") / 1e6)
}

pub fn ask(ready: &Ready, folder: &Path, words: &[&str]) -> Result<Value> {
    let mut command = ready.workspace.run("benchbook");
    ask::ask(command.arg("--store").arg(folder.join("store")).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_fastest_rival_stands_for_all() {
        let row = |case: &str, baseline: &str, speedup: f64| {
            json!({ "workload": "matmul", "case_name": case, "candidate": "tiled/flex/f32/2t", "baseline": baseline,
                    "speedup": speedup })
        };
        let all = [
            row("64³", "torch-mm/libtorch/f32/2t", 1.9),
            row("64³", "torch-mm/libtorch-mkl/f32/2t", 0.8),
            row("64³", "burn/flex/f32/2t", 0.9),
            row("32³", "torch-mm/libtorch/f32/2t", 0.7),
        ];
        assert_eq!(all.each_ref().map(|row| at_its_best(row, &all)), [false, true, false, true]);
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
    fn blocks_of_models_stand_beside_compilers_and_graphs() {
        let [.., (_, plan)] = PARTS;
        let judged = ["linear", "layer-norm", "rms-norm", "softmax", "transformer-block"];
        let named = |case: &str, name: &str| case.contains(&format!("{name:?}"));
        let is_judged = |case: &&str| judged.iter().any(|workload| named(case, workload));
        let cases: Vec<&str> = plan.split("[[cases]]").filter(is_judged).collect();
        assert!(cases.len() > judged.len(), "{cases:?}");
        for case in cases {
            let compiled = ["compile", "compile-frozen"].iter().any(|name| RIVALS.contains(name) && named(case, name));
            assert!(compiled && RIVALS.contains(&"graph") && named(case, "graph"), "{case}");
        }
    }

    #[test]
    fn each_part_has_the_roofs_of_its_own_run() {
        // A share of the roof is known where both are: which of them is the limit is not known before.
        for (name, plan) in PARTS.iter().filter(|(name, _)| *name != "bf16") {
            for roof in ["fma", "read"] {
                assert!(plan.contains(&format!("workload = {roof:?}")), "{name} has {roof}");
            }
        }
    }

    #[test]
    fn what_has_a_goal_and_nothing_beside_it_is_told() {
        let line = |workload: &str, case: &str, variant: &str| json!({ "workload": workload, "case_name": case, "variant": variant });
        let rooflines = [
            line("transformer-block", "s128", "torch-sdpa/libtorch/f32/2t"),
            line("transformer-block", "s128", "graph/openvino/f32/2t"),
            line("transformer-block", "s512", "fused/flex/f32/2t"),
            line("matmul", "64³", "tiled/flex/f32/2t"),
            line("fma", "f32", "chains/flex/f32/2t"),
        ];
        let compared =
            [json!({ "workload": "matmul", "case_name": "64³", "candidate": "tiled/flex/f32/2t", "speedup": 1.0 })];
        assert_eq!(
            unmeasured(&compared, &rooflines),
            [
                "| transformer-block s128 | – | – | – | – | – | not measured: no row of ours |",
                "| transformer-block s512 | – | – | – | – | – | not measured: no row of a rival |",
            ]
        );
    }

    #[test]
    fn a_device_that_is_not_here_is_not_asked_for() {
        let listed = json!([
            { "device": "flex", "available": "here" },
            { "device": "torch", "available": "here" },
            { "device": "torch-mkl", "available": "same path: MKL takes its fast path on this processor by itself" },
            { "device": "numpy", "available": "here" },
        ]);
        assert_eq!(available(&listed, &["flex", "torch", "torch-mkl"]), ["flex", "torch"]);
        let why = "torch-mkl (same path: MKL takes its fast path on this processor by itself)";
        assert_eq!(unavailable(&listed, &["flex", "torch-mkl"]), [why]);
    }

    #[test]
    fn an_interval_or_why_there_is_none() {
        assert_eq!(interval(&json!({ "speedup": 1.0, "low": 0.812, "high": 1.3 })), "0.81 – 1.30");
        let few = json!({ "speedup": 2.6, "low": null, "high": null, "replicates": 3, "blocks": 10 });
        assert_eq!(interval(&few), "none: 10 blocks in 3 processes");
    }

    #[test]
    fn a_speed_stands_beside_its_roof() {
        let row = json!({ "workload": "attention", "case_name": "a" });
        let rooflines = [
            json!({ "workload": "attention", "case_name": "b", "variant": "fused/flex", "median_ns": 1.0 }),
            json!({ "workload": "attention", "case_name": "a", "variant": "fused/flex", "median_ns": 2e6,
                    "roof": "memory", "gb_s": 15.04, "gflops": 7.0, "of_the_roof": 0.75 }),
            json!({ "workload": "attention", "case_name": "a", "variant": "torch-sdpa/libtorch", "median_ns": 2e6,
                    "roof": null, "gb_s": 15.0, "gflops": 7.2, "of_the_roof": null }),
        ];
        let said = |variant| speed(roofline(&rooflines, &row, variant));
        assert_eq!(said("fused/flex"), "2.000 ms, 15.0 GB/s, 75 % of the roof");
        assert_eq!(said("torch-sdpa/libtorch"), "2.000 ms, 7 GFLOP/s");
        assert_eq!(said("nobody"), "not measured");
    }
}
