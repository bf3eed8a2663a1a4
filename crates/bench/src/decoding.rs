//! Whole models: prompts, tokens, encoders, guesses and shared beginnings, and the goals that were set for them.

use crate::ask::{number, rows, text};
use crate::beside::{self, Goal, Ratio, goal, torch};
use crate::{goals, kernels};
use serde_json::Value;
use xtask::error::Result;
use xtask::workspace::Ready;

const PLANS: [(&str, &str); 1] = [("decoding.toml", include_str!("decoding.toml"))];

/// Where both sides are measured, as far as these are here.
const DEVICES: [&str; 9] = [
    "flex",
    "torch",
    "torch-mkl",
    "transformers",
    "transformers-mkl",
    "onnxruntime",
    "openvino",
    "ctranslate2",
    "llama-cpp",
];

/// Other people's encoders, each at its best.
const ENCODERS: [&str; 4] = ["graph", "compile-frozen", "sdpa-flash", "model"];

/// The same in 8 bits, what their matrices are multiplied by too.
const IN_BYTES: [&str; 3] = ["graph-int8", "model-int8", "torchao-int8-dynamic"];

/// Everything that any goal compares with.
const RIVALS: [&str; 13] = [
    "model",
    "kv-cache",
    "kv-cache-eager",
    "kv-cache-q4-1",
    "chunked-q4-1",
    "graph",
    "compile-frozen",
    "sdpa-flash",
    "graph-int8",
    "model-int8",
    "torchao-int8-dynamic",
    "chunked",
    "target-alone",
];

/// Beside our own in `f32`, as it is.
const fn own(rivals: &'static [&'static str]) -> Option<Ratio> {
    Some(Ratio { least: 0.0, rivals, foreign: false, beyond: Some(1.0) })
}

const GOALS: [Goal; 11] = [
    goal(["generate", "kv-cache", "hot"], Some(("memory", 0.85)), [torch(2.0, &["model"]), None]),
    goal(["generate", "kv-cache-bf16", "hot"], Some(("memory", 0.85)), [own(&["kv-cache"]), None]),
    goal(["generate", "kv-cache-int8", "hot"], Some(("memory", 0.6)), [own(&["kv-cache"]), None]),
    goal(
        ["generate", "kv-cache-int4", "hot"],
        Some(("memory", 0.6)),
        [own(&["kv-cache"]), torch(0.97, &["kv-cache-q4-1"])],
    ),
    goal(["greedy-decoding", "kv-cache", "hot"], Some(("memory", 0.85)), [torch(2.0, &["kv-cache-eager"]), None]),
    goal(["prefill", "chunked", "hot"], Some(("arithmetic", 0.88)), [torch(1.1, &["model"]), None]),
    goal(["prefill", "chunked-int4", "hot"], None, [own(&["chunked"]), torch(1.2, &["chunked-q4-1"])]),
    goal(["text-encoder", "fused", "hot"], None, [torch(0.97, &ENCODERS), None]),
    goal(["audio-encoder", "fused", "hot"], None, [torch(0.97, &ENCODERS), None]),
    // Ours have no 8 bits that are multiplied as such: what theirs give beside ours in f32 is told, and not judged.
    goal(["text-encoder", "fused", "hot"], None, [torch(0.0, &IN_BYTES), None]),
    goal(["audio-encoder", "fused", "hot"], None, [torch(0.0, &IN_BYTES), None]),
];

const HEAD: &str = "The same weights and threads for both sides, samples in turns, interval over fresh processes. A loop of generation is\n\
    held to what its tokens read of its matrices, which are more than any cache holds. A ratio is asked for as far as the roof of\n\
    ours lets it. The rival is the fastest one of its case, on the fastest of its devices.\n\
    \n\
    Not the same on both sides: ours multiply weights of few bits in `f32`, while llama.cpp (`q4-1`, from a file with the same weights)\n\
    rounds what it multiplies by to 8 bits, as do engines in `int8`. These are held to what such a rounding moves. Transformers\n\
    computes in `f32`, and there is no encoder of ours in 8 bits.";

pub fn measure(ready: &Ready) -> Result<String> {
    let devices = kernels::here(ready, &DEVICES)?;
    let measured = kernels::measured(ready, "decoding", &PLANS, &RIVALS, Some(&kernels::python(ready)), &devices)?;
    let asked = |statement: &str| -> Result<Vec<Value>> {
        let said = kernels::ask(ready, &measured.folder, &["sql", "--format", "json", statement])?;
        Ok(rows(&said).cloned().collect())
    };
    let ran = kernels::ask(ready, &measured.folder, &["sql", "--format", "json", kernels::INSTRUCTIONS])?;
    let mut lines = vec![HEAD.to_owned(), String::new(), kernels::instructions(&ran), String::new()];
    lines.extend(beside::COLUMNS.map(str::to_owned));
    lines.extend(GOALS.iter().flat_map(|goal| beside::table(goal, &measured)));
    lines.extend(guessed(&asked(ACCEPTED)?, &measured.compared));
    lines.extend(shared(&asked(FIRST_TOKEN)?));
    Ok(lines.join("\n"))
}

/// What guesses came to, and the sizes of the model that they are checked by.
const ACCEPTED: &str = "select v.case_name, v.variant, median(v.value) as accepted, \
    max(param(t.params, 'guesses')) as guesses, max(param(t.params, 'draft_layers')) as draft_layers, \
    max(param(t.params, 'layers')) as layers, max(param(t.params, 'width')) as width, \
    max(param(t.params, 'vocabulary')) as vocabulary \
    from metric_values v join trials t on t.run_id = v.run_id and t.trial = v.trial \
    where v.metric = 'accepted_mean' and v.implementation in ('draft-model', 'draft-distilled') and v.lost is null \
    group by v.case_name, v.variant order by v.case_name, v.variant";

/// The share of what a step's tokens and a draft's cost predict that is to be reached.
const OF_PREDICTED: f64 = 0.9;

/// How many times as fast guessing is to be at least where guesses are right this often, and a draft's step costs no more than this
/// share of the model's.
const TWICE: f64 = 2.0;
const RIGHT: f64 = 0.8;
const CHEAP: f64 = 0.1;

/// Tokens of a step of so many guesses, each of which is right this often (Leviathan et al., arXiv 2211.17192, equation 1).
fn tokens_of(guesses: f64, right: f64) -> f64 {
    (1.0 - right.powf(guesses + 1.0)) / (1.0 - right)
}

/// Whether guessing is twice as fast where it is to be, or why it need not.
fn twice(tokens: f64, guesses: f64, cost: f64, measured: &Value) -> String {
    let wanted = tokens_of(guesses, RIGHT);
    if cost > CHEAP {
        format!("none: a draft's step is to cost {CHEAP:.2} at most")
    } else if tokens < wanted {
        format!("none: guesses that are right in {:.0} % make {wanted:.2} tokens a step", 100.0 * RIGHT)
    } else {
        goals::ratio(measured, TWICE)
    }
}

/// How many times as fast guessing is, and what it should be: tokens of a step over what a step costs, where the draft costs its share
/// of the numbers of the model's matrices (Leviathan et al., arXiv 2211.17192, theorem 3.8).
fn guessed(accepted: &[Value], compared: &[Value]) -> Vec<String> {
    let line = |row: &Value| {
        let of = |name: &str| number(row, name);
        let numbers = |layers: f64| of("width") * (12.0 * of("width") * layers + of("vocabulary"));
        let cost = numbers(of("draft_layers")) / numbers(of("layers"));
        let predicted = (1.0 + of("accepted")) / (1.0 + of("guesses") * cost);
        let beside = compared.iter().find(|one| {
            one["case_name"] == row["case_name"]
                && one["candidate"] == row["variant"]
                && text(one, "baseline_implementation") == "target-alone"
        });
        let measured = beside.unwrap_or(&Value::Null);
        let draft = text(row, "variant").split('/').next().unwrap_or_default();
        format!(
            "| {} {draft} | {:.2} | {cost:.2} | {predicted:.2} | {:.2} ({}) | {} | {} |",
            text(row, "case_name"),
            1.0 + of("accepted"),
            number(measured, "speedup"),
            kernels::interval(measured),
            goals::ratio(measured, OF_PREDICTED * predicted),
            twice(1.0 + of("accepted"), of("guesses"), cost, measured),
        )
    };
    let head = [
        "",
        "| guesses | tokens a step | cost of a draft's step | predicted | ratio to no guesses, 95 % interval | goal | and |",
        "|---|---|---|---|---|---|---|",
    ];
    head.map(str::to_owned).into_iter().chain(accepted.iter().map(line)).collect()
}

/// The time to the first token with a beginning that is known, as a share of that without, over processes.
const FIRST_TOKEN: &str = "select a.case_name, replicate_median(a.value / b.value, a.replicate) as speedup, \
    replicate_low(a.value / b.value, a.replicate) as low, replicate_high(a.value / b.value, a.replicate) as high \
    from metric_values a join metric_values b on b.run_id = a.run_id and b.case_name = a.case_name \
    and b.replicate = a.replicate and b.metric = a.metric \
    where a.metric = 'time_to_first_token' and a.implementation = 'prefix-reuse' \
    and b.implementation = 'prefix-anew' and a.lost is null and b.lost is null group by a.case_name order by a.case_name";

/// What the time to the first token may be of that without a known beginning.
const OF_A_MISS: f64 = 0.07;

fn shared(rows: &[Value]) -> Vec<String> {
    let line = |row: &Value| {
        let (low, high) = (number(row, "low"), number(row, "high"));
        let verdict = if high <= OF_A_MISS {
            "met"
        } else if low > OF_A_MISS {
            "**missed**"
        } else {
            "undecided"
        };
        format!(
            "| {} | {:.3} ({low:.3} – {high:.3}) | at most {OF_A_MISS}: {verdict} |",
            text(row, "case_name"),
            number(row, "speedup")
        )
    };
    let head =
        ["", "| a known beginning | time to the first token, of that without, 95 % interval | goal |", "|---|---|---|"];
    head.map(str::to_owned).into_iter().chain(rows.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_goal_names_what_the_plan_measures() {
        let (_, plan) = PLANS[0];
        let measures = |name: &str| plan.contains(&format!("\"{name}\""));
        for goal in &GOALS {
            assert!(measures(goal.implementation) && measures(goal.workload), "{}", goal.implementation);
            for rival in goal.ratios.iter().flatten().flat_map(|ratio| ratio.rivals) {
                assert!(RIVALS.contains(rival) && measures(rival), "{rival} beside {}", goal.implementation);
            }
        }
    }

    #[test]
    fn guesses_are_held_to_what_they_should_come_to() {
        let accepted = json!({ "case_name": "a", "variant": "draft-model/flex/f32/2t", "accepted": 3.0, "guesses": 4.0,
                               "draft_layers": 1.0, "layers": 12.0, "width": 768.0, "vocabulary": 0.0 });
        let row = |low: f64| {
            json!({ "case_name": "a", "candidate": "draft-model/flex/f32/2t", "speedup": 2.8,
                                     "baseline_implementation": "target-alone", "low": low, "high": 2.9 })
        };
        // Four tokens a step, which costs one and four twelfths: three times as fast.
        let told = |low: f64| guessed(std::slice::from_ref(&accepted), &[row(low)]).remove(3);
        assert_eq!(
            told(2.75),
            "| a draft-model | 4.00 | 0.08 | 3.00 | 2.80 (2.75 – 2.90) | at least 2.70: met | at least 2.00: met |"
        );
        assert!(told(2.6).ends_with("undecided | at least 2.00: met |"));
        let alone = guessed(std::slice::from_ref(&accepted), &[]);
        assert!(alone[3].contains("NaN"), "{alone:?}");
    }

    #[test]
    fn twice_as_fast_is_asked_of_a_cheap_draft_that_is_often_right() {
        // Four in five: 1 + 0.8 + 0.64 + 0.512 + 0.4096.
        assert!((tokens_of(4.0, 0.8) - 3.3616).abs() < 1e-12);
        let row = json!({ "speedup": 1.9, "low": 1.8, "high": 1.95 });
        assert_eq!(twice(3.4, 4.0, 0.1, &row), "at least 2.00: **missed by 5 %**");
        assert_eq!(twice(3.3, 4.0, 0.1, &row), "none: guesses that are right in 80 % make 3.36 tokens a step");
        assert_eq!(twice(3.4, 4.0, 0.5, &row), "none: a draft's step is to cost 0.10 at most");
    }

    #[test]
    fn a_known_beginning_has_a_share_that_it_may_take() {
        let of = |low: f64, high: f64| {
            let row = json!({ "case_name": "a", "speedup": 0.06, "low": low, "high": high });
            shared(&[row]).remove(3)
        };
        assert_eq!(of(0.055, 0.065), "| a | 0.060 (0.055 – 0.065) | at most 0.07: met |");
        assert!(of(0.08, 0.09).ends_with("**missed** |") && of(0.05, 0.09).ends_with("undecided |"));
    }
}
