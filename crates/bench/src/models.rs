//! Models with real weights on every engine that is here: how fast, how large and how good. What was measured is not measured again.

use crate::ask::{number, rows, text};
use crate::kernels;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Instant;
use xtask::arguments::Choice;
use xtask::error::Result;
use xtask::process;
use xtask::workspace::Ready;

/// What is measured of a model, in a run of its own that has this name as its tag.
struct Part {
    name: &'static str,
    model: &'static str,
    /// What brings what it needs: words of `cargo xtask data`.
    data: &'static str,
    workload: &'static str,
    /// Implementations; a quick look waits for no compiler, and leaves those out that nobody would decode with, or whose rounding takes
    /// their right answer minutes.
    implementations: &'static str,
    /// Parameters, and those that a quick look has instead of some.
    params: &'static str,
    quick: &'static str,
    /// Processes, and samples in each.
    often: [u32; 2],
    /// Minutes that it may take, and those of a quick look.
    minutes: [u32; 2],
    says: Says,
}

/// What a part says of an implementation.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// Tokens a second behind the first one.
    Tokens,
    /// The time of a call.
    Calls,
    /// A metric of quality by its name.
    Quality(&'static str),
}

const MINILM: &str = "weights=minilm-l6 layers=6 heads=12 width=384 hidden=1536 vocabulary=30522 batch=1,32 seq=128";
const WHISPER: &str = "weights=whisper-base layers=6 heads=8 width=512 hidden=2048 bins=80 batch=1 frames=3000";
const SMOLLM2: &str = "weights=smollm2-135m layers=30 heads=9 kv_heads=3 head_dim=64 width=576 hidden=1536 vocabulary=49152 \
                       rotary_base=100000 prompt=8 tokens=64";

/// Encoders of every engine, each at its best, and in 8 bits.
const ENCODERS: &str = "fused,model,graph,sdpa-flash,compile-frozen,graph-int8,model-int8,torchao-int8-dynamic";

/// In the order in which they are measured: the ones that take least come first.
static PARTS: [Part; 5] = [
    Part {
        name: "sentiment",
        model: "all-MiniLM-L6-v2",
        data: "minilm-l6 sentiment",
        workload: "embedding-quality",
        implementations: "encoder,encoder-int8-rounded,encoder-int4-rounded",
        params: "model=minilm-l6 texts=sentiment",
        quick: "",
        often: [1, 1],
        minutes: [10, 1],
        says: Says::Quality("f1_macro"),
    },
    Part {
        name: "perplexity",
        model: "SmolLM2-135M",
        data: "smollm2-135m brown",
        workload: "text-quality",
        implementations: "decoder,decoder-bf16,decoder-int8,decoder-int4",
        params: "model=smollm2-135m tokens=64",
        quick: "tokens=16",
        often: [1, 1],
        minutes: [20, 2],
        says: Says::Quality("perplexity"),
    },
    Part {
        name: "texts",
        model: "all-MiniLM-L6-v2",
        data: "minilm-l6",
        workload: "text-encoder",
        implementations: ENCODERS,
        params: MINILM,
        quick: "batch=1",
        often: [5, 10],
        minutes: [20, 2],
        says: Says::Calls,
    },
    Part {
        name: "sounds",
        model: "Whisper base, its encoder",
        data: "whisper-base",
        workload: "audio-encoder",
        implementations: ENCODERS,
        params: WHISPER,
        quick: "",
        often: [5, 5],
        minutes: [20, 2],
        says: Says::Calls,
    },
    Part {
        name: "tokens",
        model: "SmolLM2-135M",
        data: "smollm2-135m",
        workload: "generate",
        implementations: "kv-cache,kv-cache-bf16,kv-cache-int8,kv-cache-int4,kv-cache-q4-1,kv-cache-eager,model,numpy",
        params: SMOLLM2,
        quick: "tokens=8",
        often: [5, 3],
        minutes: [60, 8],
        says: Says::Tokens,
    },
];

const HEAD: &str = "The same weights and threads for every engine, samples in turns, intervals (95 %) over fresh processes; figures of\n\
    quality have theirs over the items that they count. What an engine makes is held against the model in `f64` before it is timed, and\n\
    after: of tokens each one, so that all of them in `f32` have the quality of ours in `f32`. Prompts, texts and sounds of timings are\n\
    drawn, those of quality are real. A *call* adds to memory what is told beside the weights, which engines keep in their own ways.\n\
    Who rounds to 8 bits on the way (`int8` of other engines, `q4-1` of llama.cpp) has no right answer to the bit: it may be off by\n\
    twice what such a rounding moves the model in `f64`, and how far its answers are from those of unrounded weights is told.\n\
    SmolLM2 went through Q4_1: 4-bit schemes with an offset look better on it than they are, such as `q4-1`, whose file has the\n\
    same grid; ours has none.";

/// Measures what is missing, as long as there is time for it, and tells what is there.
///
/// # Errors
/// The store cannot be asked or removed.
pub fn measure(ready: &Ready, choice: &Choice) -> Result<String> {
    let form = if choice.quick { "quick" } else { "full" };
    let folder = ready.workspace.target.join("bench/models").join(form);
    let store = folder.join("store");
    if choice.again {
        let _ = fs::remove_dir_all(&folder);
    }
    let (started, mut lines) = (Instant::now(), vec![HEAD.to_owned(), String::new()]);
    if choice.quick {
        lines.extend(["A quick look: fewer tokens and one text at a time.".to_owned(), String::new()]);
    }
    lines.extend(COLUMNS.map(str::to_owned));
    for part in &PARTS {
        let mut run = run_of(ready, &folder, part)?;
        if run.is_none() && started.elapsed().as_secs_f64() < 60.0 * choice.go_on_minutes() {
            let mut command = ready.workspace.run("benchbook");
            command.arg("--store").arg(&store).args(words(part, choice.quick)).arg(kernels::python(ready));
            // Weights that were not brought are no reason to lose what else there is.
            match process::run(&mut command, "see its message above") {
                Ok(()) => run = run_of(ready, &folder, part)?,
                Err(error) => println!("   {}: {error}", part.name),
            }
        }
        lines.extend(match run {
            Some(run) => told(ready, &folder, part, &run)?,
            None => vec![absent(part)],
        });
    }
    Ok(lines.join("\n"))
}

/// The head of the table.
const COLUMNS: [&str; 2] = [
    "| model | engine | how | what is told of it | with its interval | weights | a call adds | off by |",
    "|---|---|---|---|---|---|---|---|",
];

/// The line of a part that is not measured.
fn absent(part: &Part) -> String {
    let Part { model, name, data, .. } = part;
    format!(
        "| {model} | – | {name} | not measured yet: again, where `cargo xtask data {data}` was run | – | – | – | – |"
    )
}

/// The words that measure a part.
fn words(part: &Part, quick: bool) -> Vec<String> {
    let Part { workload, implementations, params, minutes: [full, short], often: [replicates, blocks], .. } = *part;
    let minutes = if quick { short } else { full };
    let mut words = vec!["run".to_owned(), workload.to_owned(), "--tag".to_owned(), part.name.to_owned()];
    for param in params.split(' ') {
        let same = |other: &&str| other.split('=').next() == param.split('=').next();
        let instead = part.quick.split(' ').find(|other| quick && same(other));
        words.extend(["--set".to_owned(), instead.unwrap_or(param).to_owned()]);
    }
    let is_rounded = |name: &str| part.says == Says::Calls && name.contains("int8");
    let is_slow =
        |name: &&str| name.starts_with("compile") || name.ends_with("-eager") || *name == "numpy" || is_rounded(name);
    let taken = implementations.split(',').filter(|name| !quick || !is_slow(name));
    words.extend(["--implementation".to_owned(), taken.collect::<Vec<_>>().join(",")]);
    words.extend(["--replicates".to_owned(), replicates.to_string(), "--blocks".to_owned(), blocks.to_string()]);
    words.extend(["--time".to_owned(), format!("{minutes}m"), "--timeout".to_owned(), "20m".to_owned()]);
    words
}

/// The run that a store holds of a part, where one has come to its end and has samples.
fn run_of(ready: &Ready, folder: &Path, part: &Part) -> Result<Option<String>> {
    if !folder.join("store").exists() {
        return Ok(None);
    }
    let said = kernels::ask(ready, folder, &["sql", "--query", "runs", "--format", "json"])?;
    Ok(newest(rows(&said), part).map(str::to_owned))
}

/// The newest of some runs that is of a part; one without samples, since nothing was brought, says nothing and is measured again.
fn newest<'a>(runs: impl Iterator<Item = &'a Value>, part: &Part) -> Option<&'a str> {
    let ended = |row: &&Value| text(row, "tags") == part.name && ["ok", "failed"].contains(&text(row, "status"));
    runs.filter(ended).filter(|row| number(row, "samples") > 0.0).last().map(|row| text(row, "run_id"))
}

/// The lines of a part.
fn told(ready: &Ready, folder: &Path, part: &Part, run: &str) -> Result<Vec<String>> {
    let asked = |words: &[&str]| -> Result<Vec<Value>> {
        let all = [&["sql", "--format", "json"][..], words].concat();
        Ok(rows(&kernels::ask(ready, folder, &all)?).cloned().collect())
    };
    let of_run = format!("run={run}");
    let measured = asked(&["--query", "summary", "--param", of_run.as_str()])?;
    let steps = match part.says {
        Says::Tokens => asked(&["--query", "steps", "--param", of_run.as_str()])?,
        _ => Vec::new(),
    };
    let metrics = asked(&[METRICS.replace("RUN", run).as_str()])?;
    Ok(table(part, &measured, &steps, &metrics))
}

/// What trials tell beside their times.
const METRICS: &str = "select case_name, variant, metric, median(value) as value, max(low) as low, max(high) as high, \
    max(items) as items from metric_values where run_id = 'RUN' and lost is null group by case_name, variant, metric";

/// A line for each variant of each case, the fastest first; one that was not measured says why.
fn table(part: &Part, measured: &[Value], steps: &[Value], metrics: &[Value]) -> Vec<String> {
    let same = |one: &Value, other: &Value| ["case_name", "variant"].iter().all(|name| one[*name] == other[*name]);
    let mut measured: Vec<&Value> = measured.iter().collect();
    let time = |row: &Value| {
        let time = number(row, "median_ns");
        if time.is_nan() { f64::INFINITY } else { time }
    };
    measured.sort_by(|a, b| text(a, "case_name").cmp(text(b, "case_name")).then(time(a).total_cmp(&time(b))));
    let line = |row: &&Value| {
        let metric = |name: &str| metrics.iter().find(|one| same(one, row) && text(one, "metric") == name);
        let bytes = |name: &str| match metric(name) {
            Some(found) => format!("{:.1} MB", number(found, "value") / 1e6),
            None => "–".to_owned(),
        };
        let step = steps.iter().find(|one| same(one, row)).unwrap_or(&Value::Null);
        let [value, bounds] = match part.says {
            Says::Tokens if step.is_null() => lost(row),
            Says::Tokens => tokens(step),
            Says::Calls if number(row, "median_ns").is_nan() => lost(row),
            Says::Calls => call(row),
            Says::Quality(name) => metric(name).map_or_else(|| lost(row), |found| estimate(name, found)),
        };
        let variant = text(row, "variant");
        let mut parts = variant.split('/');
        let (how, engine) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let precision = precision(how, parts.next().unwrap_or_default());
        let [weights, added] = ["weight_bytes", "peak_added_bytes"].map(bytes);
        // Of tokens it says nothing, whose numbers are names.
        let off = metric("relative_error").filter(|_| part.says == Says::Calls);
        let off = off.map_or_else(|| "–".to_owned(), |found| format!("{:.2} %", 100.0 * number(found, "value")));
        let case = text(row, "case_name");
        let told = format!("{value} | {bounds} | {weights} | {added} | {off}");
        format!("| {}: {case} | {engine} | {how}, {precision} | {told} |", part.model)
    };
    measured.iter().map(line).collect()
}

/// What weights are in: what stands at the end of a name, or the dtype.
fn precision<'a>(how: &str, dtype: &'a str) -> &'a str {
    ["bf16", "int8", "int4", "q4-1"].into_iter().find(|bits| how.contains(&format!("-{bits}"))).unwrap_or(dtype)
}

fn lost(row: &Value) -> [String; 2] {
    let reason = text(row, "reason");
    [format!("not measured: {}", if reason.is_empty() { "no value" } else { reason }), "–".to_owned()]
}

/// Tokens a second, of which the longest step makes the fewest.
fn tokens(step: &Value) -> [String; 2] {
    let rate = |name: &str| 1e9 / number(step, name);
    let bounds = [rate("step_high_ns"), rate("step_low_ns")];
    [format!("{:.1} tokens/s", rate("step_ns")), interval(bounds, 1, number(step, "replicates"))]
}

fn call(row: &Value) -> [String; 2] {
    let ms = |name: &str| number(row, name) / 1e6;
    let bounds = [ms("median_low_ns"), ms("median_high_ns")];
    [format!("{:.2} ms", ms("median_ns")), interval(bounds, 2, number(row, "replicates"))]
}

fn estimate(name: &str, found: &Value) -> [String; 2] {
    let of = |column: &str| number(found, column);
    let value = format!("{name} {:.3} over {} items", of("value"), of("items"));
    [value, interval([of("low"), of("high")], 3, 1.0)]
}

/// An interval, or that there is none.
fn interval([low, high]: [f64; 2], digits: usize, replicates: f64) -> String {
    if low.is_nan() || high.is_nan() {
        return format!("none: {replicates} processes");
    }
    format!("{low:.digits$} – {high:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(name: &str) -> &'static Part {
        PARTS.iter().find(|part| part.name == name).expect(name)
    }

    #[test]
    fn a_quick_look_fits_into_a_quarter_of_an_hour() {
        assert!(PARTS.iter().map(|part| part.minutes[1]).sum::<u32>() <= 15);
        for part in &PARTS {
            let value = |words: &[String], name: &str| {
                words.iter().find_map(|word| word.strip_prefix(&format!("{name}=")).map(str::to_owned))
            };
            let (full, quick) = (words(part, false), words(part, true));
            assert_eq!(full.len(), quick.len(), "{}", part.name);
            for (name, wanted) in part.quick.split(' ').filter_map(|one| one.split_once('=')) {
                assert_eq!(value(&quick, name).as_deref(), Some(wanted), "{}", part.name);
                assert_ne!(value(&full, name).as_deref(), Some(wanted), "{}", part.name);
            }
            assert!(full.contains(&format!("{}m", part.minutes[0])), "{full:?}");
        }
        assert!(words(part("sounds"), true).contains(&"fused,model,graph,sdpa-flash".to_owned()));
        assert!(words(part("tokens"), false).contains(&"tokens=64".to_owned()), "the check over 64 tokens");
    }

    #[test]
    fn a_run_that_found_no_weights_is_no_reason_to_measure_nothing() {
        let run = |id: &str, tags: &str, status: &str, samples: u32| -> Value {
            json!({ "run_id": id, "tags": tags, "status": status, "samples": samples })
        };
        // Whose weights are not here has a run all the same, of trials that nobody does.
        let mut runs = vec![run("a", "perplexity", "ok", 0), run("b", "tokens", "ok", 9)];
        assert_eq!(newest(runs.iter(), part("perplexity")), None);
        assert_eq!(newest(runs.iter(), part("tokens")), Some("b"));
        runs.extend([run("c", "perplexity", "failed", 4), run("d", "perplexity", "interrupted", 4)]);
        assert_eq!(newest(runs.iter(), part("perplexity")), Some("c"));
    }

    #[test]
    fn each_variant_has_a_line_and_what_is_lost_its_reason() {
        let summary = [
            json!({ "case_name": "a", "variant": "model/transformers/f32/2t", "median_ns": 9e8, "reason": null }),
            json!({ "case_name": "a", "variant": "kv-cache-int4/flex/f32/2t", "median_ns": 3e8, "reason": null }),
            json!({ "case_name": "a", "variant": "kv-cache/ctranslate2/f32/2t", "median_ns": null, "reason": "wrong" }),
        ];
        let steps = [
            json!({ "case_name": "a", "variant": "kv-cache-int4/flex/f32/2t", "replicates": 5, "step_ns": 4e6,
                    "step_low_ns": 2e6, "step_high_ns": 5e6 }),
            json!({ "case_name": "a", "variant": "model/transformers/f32/2t", "replicates": 3, "step_ns": 2e7,
                    "step_low_ns": null, "step_high_ns": null }),
        ];
        let metrics = [json!({ "case_name": "a", "variant": "kv-cache-int4/flex/f32/2t", "metric": "weight_bytes",
                               "value": 7.5e7 })];
        let model = "SmolLM2-135M: a";
        assert_eq!(
            table(part("tokens"), &summary, &steps, &metrics),
            [
                format!("| {model} | flex | kv-cache-int4, int4 | 250.0 tokens/s | 200.0 – 500.0 | 75.0 MB | – | – |"),
                format!("| {model} | transformers | model, f32 | 50.0 tokens/s | none: 3 processes | – | – | – |"),
                format!("| {model} | ctranslate2 | kv-cache, f32 | not measured: wrong | – | – | – | – |"),
            ]
        );
    }

    #[test]
    fn calls_have_times_and_estimates_their_items() {
        let row = json!({ "case_name": "b1", "variant": "fused/flex/f32/2t", "median_ns": 12.5e6, "median_low_ns": 12e6,
                          "median_high_ns": 13e6, "replicates": 5 });
        let told = table(part("texts"), std::slice::from_ref(&row), &[], &[]);
        assert_eq!(told, ["| all-MiniLM-L6-v2: b1 | flex | fused, f32 | 12.50 ms | 12.00 – 13.00 | – | – | – |"]);
        let off =
            json!({ "case_name": "b1", "variant": "fused/flex/f32/2t", "metric": "relative_error", "value": 0.0312 });
        let told = table(part("texts"), std::slice::from_ref(&row), &[], std::slice::from_ref(&off));
        assert!(told[0].ends_with("| – | – | 3.12 % |"), "{told:?}");
        let row = json!({ "case_name": "s", "variant": "encoder-int8-rounded/flex/f32/2t" });
        let found = json!({ "case_name": "s", "variant": "encoder-int8-rounded/flex/f32/2t", "metric": "f1_macro",
                            "value": 0.7341, "low": 0.68, "high": 0.79, "items": 240.0 });
        let told = table(part("sentiment"), std::slice::from_ref(&row), &[], std::slice::from_ref(&found));
        let how = "| flex | encoder-int8-rounded, int8 | f1_macro 0.734 over 240 items | 0.680 – 0.790 | – | – | – |";
        assert_eq!(told, [format!("| all-MiniLM-L6-v2: s {how}")]);
        let told = table(part("sentiment"), &[row], &[], &[]);
        assert!(told[0].contains("not measured: no value"), "{told:?}");
        assert!(absent(part("tokens")).contains("`cargo xtask data smollm2-135m`"));
    }
}
