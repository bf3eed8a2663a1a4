//! The rows of the table of real models: a variant each, and of those that are missing the reason.

use super::pace::{self, Known};
use super::part::{Part, Says};
use crate::ask::{number, rows, text};
use crate::kernels;
use serde_json::Value;
use std::path::Path;
use xtask::error::Result;
use xtask::workspace::Ready;

/// The head of the table.
pub const COLUMNS: [&str; 2] = [
    "| model | engine | how | what is told of it | with its interval | weights | a call adds | off by |",
    "|---|---|---|---|---|---|---|---|",
];

/// Characters of a reason at most: the record has all of it.
const REASON: usize = 160;

/// What a run has of a part.
#[derive(Default)]
pub struct Found {
    /// The query `summary`.
    measured: Vec<Value>,
    /// The query `steps`, of a part that tells tokens.
    steps: Vec<Value>,
    /// What trials tell beside their times.
    metrics: Vec<Value>,
    /// Why trials of variants have ended otherwise than well.
    why: Vec<Value>,
}

const METRICS: &str = "select case_name, variant, metric, median(value) as value, max(low) as low, max(high) as high, \
    max(items) as items from metric_values where run_id = 'RUN' and lost is null group by case_name, variant, metric";

const WHY: &str = "select t.case_name, t.variant, max(o.stop_reason) as reason from trials t \
    join outcomes o on o.run_id = t.run_id and o.trial = t.trial where t.run_id = 'RUN' and o.status <> 'ok' \
    group by t.case_name, t.variant order by min(t.trial)";

impl Found {
    /// Asks a store for what a run has of a part.
    ///
    /// # Errors
    /// The program cannot be asked.
    pub fn of(ready: &Ready, folder: &Path, part: &Part, run: &str) -> Result<Self> {
        let asked = |words: &[&str]| -> Result<Vec<Value>> {
            let all = [&["sql", "--format", "json"][..], words].concat();
            Ok(rows(&kernels::ask(ready, folder, &all)?).cloned().collect())
        };
        let of_run = format!("run={run}");
        let named = |query: &str| asked(&["--query", query, "--param", of_run.as_str()]);
        Ok(Self {
            measured: named("summary")?,
            steps: if part.says == Says::Tokens { named("steps")? } else { Vec::new() },
            metrics: asked(&[METRICS.replace("RUN", run).as_str()])?,
            why: asked(&[WHY.replace("RUN", run).as_str()])?,
        })
    }

    /// A line for each variant of a case, the fastest first; one that was not measured says why.
    pub fn table(&self, part: &Part) -> Vec<String> {
        let mut measured: Vec<&Value> = self.measured.iter().collect();
        let time = |row: &Value| {
            let time = number(row, "median_ns");
            if time.is_nan() { f64::INFINITY } else { time }
        };
        measured.sort_by(|a, b| text(a, "case_name").cmp(text(b, "case_name")).then(time(a).total_cmp(&time(b))));
        // What a variant says that it cannot do has no row in a summary.
        measured.extend(self.why.iter().filter(|row| of(&self.measured, row).is_none()));
        measured.into_iter().map(|row| self.line(part, row)).collect()
    }

    fn line(&self, part: &Part, row: &Value) -> String {
        let metric = |name: &str| self.metrics.iter().find(|one| is_of(one, row) && text(one, "metric") == name);
        let bytes = |name: &str| match metric(name) {
            Some(found) => format!("{:.1} MB", number(found, "value") / 1e6),
            None => "–".to_owned(),
        };
        let lost = || lost(row, of(&self.why, row));
        let step = of(&self.steps, row);
        let [value, bounds] = match part.says {
            Says::Tokens => step.map_or_else(lost, |step| tokens(step, part.replicates)),
            Says::Calls if number(row, "median_ns").is_nan() => lost(),
            Says::Calls => call(row, part.replicates),
            Says::Quality(name) => metric(name).map_or_else(lost, |found| estimate(name, found)),
        };
        let [weights, added] = ["weight_bytes", "peak_added_bytes"].map(bytes);
        // Of tokens it says nothing, whose numbers are names.
        let off = metric("relative_error").filter(|_| part.says == Says::Calls);
        let off = off.map_or_else(|| "–".to_owned(), |found| format!("{:.2} %", 100.0 * number(found, "value")));
        let case = text(row, "case_name");
        let (how, engine, dtype) = labelled(text(row, "variant"));
        let precision = precision(how, dtype);
        let told = format!("{value} | {bounds} | {weights} | {added} | {off}");
        format!("| {}: {case} | {engine} | {how}, {precision} | {told} |", part.model)
    }

    /// Whether it tells of an implementation on a device.
    fn has(&self, how: &str, device: &str) -> bool {
        let same = |row: &Value| {
            let (own, on, _) = labelled(text(row, "variant"));
            (own, on) == (how, device)
        };
        self.measured.iter().chain(&self.why).any(same)
    }
}

/// Of parts with what there is of them, a sentence for each device of which rows are missing: why, and which; `listed` are all
/// variants that there are, and whether each can be measured here.
pub fn missing(listed: &Value, parts: &[(&Part, Found)], quick: bool) -> Vec<String> {
    let mut devices: Vec<(String, Vec<&str>)> = Vec::new();
    for (part, found) in parts {
        let taken = part.taken(quick);
        for row in rows(listed).filter(|row| text(row, "workload") == part.workload) {
            let (how, device, _) = labelled(text(row, "variant"));
            if !taken.contains(&how) || found.has(how, device) {
                continue;
            }
            let why = match text(row, "available") {
                "here" => "came after the others were measured: `--again`".to_owned(),
                reason => cell(reason),
            };
            let device = format!("{device} ({why})");
            let place = devices.iter().position(|(name, _)| *name == device).unwrap_or_else(|| {
                devices.push((device, Vec::new()));
                devices.len() - 1
            });
            if !devices[place].1.contains(&how) {
                devices[place].1.push(how);
            }
        }
    }
    devices.into_iter().map(|(device, names)| format!("{device}: {}", names.join(", "))).collect()
}

/// The line of a part of which no run says anything.
pub fn absent(part: &Part) -> String {
    let Part { model, name, data, .. } = part;
    format!(
        "| {model} | – | {name} | not measured yet: again, where `cargo xtask data {data}` was run | – | – | – | – |"
    )
}

/// What is told of all parts and not in their rows: which are not complete, and which rows are missing, each with why.
pub fn closing(parts: &[&Part], known: &[Known], missing: &[String], quick: bool) -> Vec<String> {
    let lacking: Vec<String> = parts.iter().zip(known).filter_map(|(part, known)| pace::lacking(part, known)).collect();
    let mut left_out: Vec<&str> = Vec::new();
    for part in parts {
        let taken = part.taken(quick);
        for name in part.taken(false) {
            if !taken.contains(&name) && !left_out.contains(&name) {
                left_out.push(name);
            }
        }
    }
    let mut lines = Vec::new();
    if !lacking.is_empty() {
        lines.push(format!("Not complete, each for another call: {}.", lacking.join("; ")));
    }
    if !missing.is_empty() {
        lines.push(format!("Rows that are missing: {}.", missing.join("; ")));
    }
    if !left_out.is_empty() {
        lines.push(format!("A quick look leaves out: {}.", left_out.join(", ")));
    }
    lines.into_iter().flat_map(|line| [String::new(), line]).collect()
}

/// Implementation, device and dtype of a variant by its label.
fn labelled(variant: &str) -> (&str, &str, &str) {
    let mut parts = variant.split('/');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

fn is_of(one: &Value, other: &Value) -> bool {
    ["case_name", "variant"].iter().all(|name| one[*name] == other[*name])
}

/// The row of the same variant on the same case.
fn of<'a>(all: &'a [Value], row: &Value) -> Option<&'a Value> {
    all.iter().find(|one| is_of(one, row))
}

/// What weights are in: what stands at the end of a name, or the dtype.
fn precision<'a>(how: &str, dtype: &'a str) -> &'a str {
    ["bf16", "int8", "int4", "q4-1"].into_iter().find(|bits| how.contains(&format!("-{bits}"))).unwrap_or(dtype)
}

/// Why there is no value: in the words of its trials, or in the one of a summary.
fn lost(row: &Value, why: Option<&Value>) -> [String; 2] {
    let words = [why.map_or("", |why| text(why, "reason")), text(row, "reason"), "no value"];
    let reason = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
    [format!("not measured: {}", cell(reason)), "–".to_owned()]
}

/// Words that a cell of Markdown can hold: a line, and not a long one.
fn cell(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
    if line.chars().count() <= REASON {
        return line;
    }
    line.chars().take(REASON).chain(['…']).collect()
}

/// Tokens a second, of which the longest step makes the fewest.
fn tokens(step: &Value, wanted: u32) -> [String; 2] {
    let rate = |name: &str| 1e9 / number(step, name);
    let bounds = interval([rate("step_high_ns"), rate("step_low_ns")], 1);
    [format!("{:.1} tokens/s", rate("step_ns")), bounds.unwrap_or_else(|| too_few(step, wanted))]
}

fn call(row: &Value, wanted: u32) -> [String; 2] {
    let ms = |name: &str| number(row, name) / 1e6;
    let bounds = interval([ms("median_low_ns"), ms("median_high_ns")], 2);
    [format!("{:.2} ms", ms("median_ns")), bounds.unwrap_or_else(|| too_few(row, wanted))]
}

fn estimate(name: &str, found: &Value) -> [String; 2] {
    let of = |column: &str| number(found, column);
    let bounds = interval([of("low"), of("high")], 3);
    let value = format!("{name} {:.3} over {} items", of("value"), of("items"));
    [value, bounds.unwrap_or_else(|| "none".to_owned())]
}

/// An interval, where there is one.
fn interval([low, high]: [f64; 2], digits: usize) -> Option<String> {
    (!low.is_nan() && !high.is_nan()).then(|| format!("{low:.digits$} – {high:.digits$}"))
}

fn too_few(row: &Value, wanted: u32) -> String {
    format!("none: {} of {wanted} processes", number(row, "replicates"))
}

#[cfg(test)]
mod tests {
    use super::super::part::part;
    use super::*;
    use serde_json::json;

    #[test]
    fn each_variant_has_a_line_and_what_is_lost_its_reason() {
        let found = Found {
            measured: vec![
                json!({ "case_name": "a", "variant": "model/transformers/f32/2t", "median_ns": 9e8, "reason": null }),
                json!({ "case_name": "a", "variant": "kv-cache-int4/flex/f32/2t", "median_ns": 3e8, "reason": null }),
                json!({ "case_name": "a", "variant": "kv-cache/ctranslate2/f32/2t", "median_ns": null,
                        "reason": "wrong" }),
                json!({ "case_name": "a", "variant": "numpy/numpy/f32/2t", "median_ns": null, "reason": "failed" }),
            ],
            steps: vec![
                json!({ "case_name": "a", "variant": "kv-cache-int4/flex/f32/2t", "replicates": 5, "step_ns": 4e6,
                        "step_low_ns": 2e6, "step_high_ns": 5e6 }),
                json!({ "case_name": "a", "variant": "model/transformers/f32/2t", "replicates": 3, "step_ns": 2e7,
                        "step_low_ns": null, "step_high_ns": null }),
            ],
            metrics: vec![json!({ "case_name": "a", "variant": "kv-cache-int4/flex/f32/2t", "metric": "weight_bytes",
                                  "value": 7.5e7 })],
            why: vec![
                json!({ "case_name": "a", "variant": "numpy/numpy/f32/2t", "reason": "no memory:\n a|b" }),
                json!({ "case_name": "a", "variant": "kv-cache-q4-1/llama-cpp/f32/2t", "reason": "no such layers" }),
            ],
        };
        let model = "SmolLM2-135M: a";
        assert_eq!(
            found.table(part("tokens")),
            [
                format!("| {model} | flex | kv-cache-int4, int4 | 250.0 tokens/s | 200.0 – 500.0 | 75.0 MB | – | – |"),
                format!("| {model} | transformers | model, f32 | 50.0 tokens/s | none: 3 of 5 processes | – | – | – |"),
                format!("| {model} | ctranslate2 | kv-cache, f32 | not measured: wrong | – | – | – | – |"),
                format!("| {model} | numpy | numpy, f32 | not measured: no memory: a/b | – | – | – | – |"),
                format!("| {model} | llama-cpp | kv-cache-q4-1, q4-1 | not measured: no such layers | – | – | – | – |"),
            ]
        );
    }

    #[test]
    fn calls_have_times_and_estimates_their_items() {
        let of = |row: Value, metrics: Vec<Value>| Found { measured: vec![row], metrics, ..Found::default() };
        let row = json!({ "case_name": "b1", "variant": "fused/flex/f32/2t", "median_ns": 12.5e6, "median_low_ns": 12e6,
                          "median_high_ns": 13e6, "replicates": 5 });
        let told = of(row.clone(), Vec::new()).table(part("texts-1"));
        assert_eq!(told, ["| all-MiniLM-L6-v2: b1 | flex | fused, f32 | 12.50 ms | 12.00 – 13.00 | – | – | – |"]);
        let off =
            json!({ "case_name": "b1", "variant": "fused/flex/f32/2t", "metric": "relative_error", "value": 0.0312 });
        let told = of(row, vec![off]).table(part("texts-1"));
        assert!(told[0].ends_with("| – | – | 3.12 % |"), "{told:?}");
        let row = json!({ "case_name": "s", "variant": "encoder-int8-rounded/flex/f32/2t" });
        let found = json!({ "case_name": "s", "variant": "encoder-int8-rounded/flex/f32/2t", "metric": "f1_macro",
                            "value": 0.7341, "low": 0.68, "high": 0.79, "items": 240.0 });
        let told = of(row.clone(), vec![found]).table(part("sentiment"));
        let how = "| flex | encoder-int8-rounded, int8 | f1_macro 0.734 over 240 items | 0.680 – 0.790 | – | – | – |";
        assert_eq!(told, [format!("| all-MiniLM-L6-v2: s {how}")]);
        let told = of(row, Vec::new()).table(part("sentiment"));
        assert!(told[0].contains("not measured: no value"), "{told:?}");
        assert!(absent(part("tokens")).contains("`cargo xtask data smollm2-135m`"));
    }

    #[test]
    fn rows_of_engines_that_are_not_here_are_named_with_why() {
        let row = |workload: &str, variant: &str, available: &str| -> Value {
            json!({ "workload": workload, "variant": variant, "available": available })
        };
        let listed = json!([
            row("generate", "kv-cache/flex/f32/2t", "here"),
            row("generate", "kv-cache/ctranslate2/f32/2t", "no module | ctranslate2"),
            row("generate", "kv-cache-int8/ctranslate2/f32/2t", "no module | ctranslate2"),
            row("generate", "numpy/numpy/f32/2t", "here"),
            row("generate", "self-speculative/flex/f32/2t", "here"),
            row("prefill", "model/transformers/f32/2t", "no transformers"),
        ]);
        let measured = vec![json!({ "case_name": "a", "variant": "kv-cache/flex/f32/8t" })];
        let parts = [(part("tokens"), Found { measured, ..Found::default() })];
        let absent = "ctranslate2 (no module / ctranslate2): kv-cache, kv-cache-int8".to_owned();
        let later = "numpy (came after the others were measured: `--again`): numpy".to_owned();
        assert_eq!(missing(&listed, &parts, false), [absent.clone(), later]);
        assert_eq!(missing(&listed, &parts, true), [absent], "a quick look leaves numpy out");
    }

    #[test]
    fn what_is_not_complete_and_what_is_left_out_stands_below_the_table() {
        let (parts, known) = ([part("sounds")], [Known::of(&[], part("sounds"))]);
        let full = closing(&parts, &known, &["numpy (not here): numpy".to_owned()], false);
        assert!(
            full[1].starts_with("Not complete, each for another call: `sounds` has none of 5 processes"),
            "{full:?}"
        );
        assert_eq!(full[2..], [String::new(), "Rows that are missing: numpy (not here): numpy.".to_owned()]);
        let quick = closing(&parts, &known, &[], true);
        let left_out = "A quick look leaves out: compile-frozen, graph-int8, model-int8, torchao-int8-dynamic.";
        assert_eq!(quick.last().map(String::as_str), Some(left_out));
    }
}
