//! What our kernels are to reach: the speed of the rival at its best, and a share of the roof.

use crate::ask::{number, text};
use serde_json::Value;
use xtask::error::{Error, Result};

/// Implementations that are ours.
const OURS: [&str; 4] = ["closures", "fused", "paged", "tiled"];

/// Workloads that have a goal: on all but the last ours is not to be slower.
const JUDGED: [&str; 9] =
    ["attention", "paged-attention", "matmul", "linear", "mlp", "layer-norm", "rms-norm", "softmax", BLOCK];

/// The one that consists of several others.
const BLOCK: &str = "transformer-block";

/// Workloads that do little more than read and write, and are held to a copy.
const COPYING: [&str; 3] = ["layer-norm", "rms-norm", "softmax"];

/// *Not slower*: how low the interval of the ratio may reach.
const NOT_SLOWER: f64 = 0.97;

/// How many times as fast as the fastest engine a whole block is to be.
const FASTER: f64 = 1.05;

/// No goal asks for more of a roof than this.
const REACHABLE: f64 = 0.95;

/// Share of the roof of arithmetic that products of a size are to reach.
const OF_ARITHMETIC: [(&str, f64); 7] = [
    ("256³", 0.8),
    ("512³", 0.9),
    ("1024³", 0.9),
    ("2048³", 0.9),
    ("512×768→3072", 0.9),
    ("512×768→3072 gelu", 0.9),
    ("512×4096→4096", 0.9),
];

/// Share of the roof of memory that decoding is to reach.
const OF_MEMORY: f64 = 0.7;

/// Share of the roof of arithmetic that a whole block is to reach, in the time of all its parts.
const OF_A_BLOCK: f64 = 0.88;

/// Share of the speed of a copy that norms and softmax are to reach.
const OF_A_COPY: f64 = 0.9;

/// Whether a variant is ours.
pub fn ours(variant: &str) -> bool {
    variant.split('/').next().is_some_and(|name| OURS.contains(&name))
}

/// Whether there is a goal for the workload of a row.
pub fn is_judged(row: &Value) -> bool {
    JUDGED.contains(&text(row, "workload"))
}

/// What the goals make of a comparison, with what the query `roofline` says of both sides, and with the copies of the same run.
pub fn judged(row: &Value, ours: &Value, rival: &Value, copies: &[Value]) -> String {
    if !is_judged(row) {
        return "none".to_owned();
    }
    let least = if text(row, "workload") == BLOCK { FASTER } else { NOT_SLOWER };
    let copying = COPYING.contains(&text(row, "workload"));
    let share = if copying { Some(of_a_copy(ours, copies)) } else { share(row, ours) };
    [Some(ratio_to(row, least, rival)), share].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What is asked of a row of bf16 where the processor multiplies matrices of it as one instruction: a product is to reach its share of
/// the roof of `f32`, of so many GFLOP/s, in which ours computes. The ratio to who uses such units is told, and not judged.
pub fn beside_matrix_units(row: &Value, ours: &Value, peak: f64) -> String {
    let told = "no ratio: matrix units for bf16";
    let of_product = |(case, _): &&(&str, f64)| text(row, "workload") == "matmul" && *case == text(row, "case_name");
    match OF_ARITHMETIC.iter().find(of_product) {
        Some((_, goal)) => format!("{told}; {}", reached("the roof of f32", *goal, number(ours, "gflops") / peak)),
        None => told.to_owned(),
    }
}

/// What a goal makes of a ratio to a rival that does the same work, as far as the roof lets it, with what `roofline` says of that one.
fn ratio_to(row: &Value, least: f64, rival: &Value) -> String {
    capped(row, least, REACHABLE / number(rival, "of_the_roof"))
}

/// The same beside a rival that may do other work: 95 % of what the roof of ours makes possible.
pub fn ratio_beside(row: &Value, least: f64, ours: &Value, rival: &Value) -> String {
    capped(row, least, REACHABLE * number(rival, "median_ns") / number(ours, "roof_ns"))
}

/// What a goal makes of a ratio that can be no more than `most`, where that is known.
fn capped(row: &Value, least: f64, most: f64) -> String {
    let goal = least.min(most);
    let cap = if goal < least { format!(" (of {least:.2}, as far as the roof lets it)") } else { String::new() };
    format!("{}{cap}", ratio(row, goal))
}

/// Whether the whole interval of a ratio lies above a goal, or none of it.
pub fn ratio(row: &Value, goal: f64) -> String {
    let (ratio, low, high) = (number(row, "speedup"), number(row, "low"), number(row, "high"));
    let verdict = if low >= goal {
        "met".to_owned()
    } else if high < goal {
        format!("**missed by {:.0} %**", 100.0 * (goal / ratio - 1.0))
    } else {
        "undecided".to_owned()
    };
    format!("at least {goal:.2}: {verdict}")
}

/// What the share of the roof is to be, and whether it is; nothing where there is no such goal.
fn share(row: &Value, ours: &Value) -> Option<String> {
    let product = || OF_ARITHMETIC.iter().find(|(case, _)| *case == text(row, "case_name")).map(|(_, goal)| *goal);
    let goal = match (text(row, "workload"), text(ours, "roof")) {
        (BLOCK, _) => OF_A_BLOCK,
        ("matmul" | "linear", _) if text(row, "candidate").contains("/f32/") => product()?,
        // There is a roof of arithmetic in f32 alone, and memory does not hold a product.
        ("matmul" | "linear", _) => return None,
        (_, "memory") => OF_MEMORY,
        _ => return None,
    };
    Some(of_the_roof(ours, goal))
}

/// Whether a share of the roof is reached.
pub fn of_the_roof(ours: &Value, goal: f64) -> String {
    reached("the roof", goal, number(ours, "of_the_roof"))
}

/// What each kind of work takes at its own roof, as shares of the time that was measured; nothing where no roof is known. Shares that
/// add up to about all of it do not overlap, and what they leave is none of these kinds.
pub fn spent(ours: &Value) -> Option<String> {
    let share = |(kind, rate, peak): (&str, &str, &str)| {
        let share = number(ours, rate) / number(ours, peak);
        (share > 0.0).then(|| format!("{kind} {:.0} %", 100.0 * share))
    };
    let kinds = [
        ("exponentials", "gexp_s", "peak_gexp_s"),
        ("arithmetic", "gflops", "peak_gflops"),
        ("bytes added up", "int8_gops", "peak_int8_gops"),
        ("memory", "gb_s", "memory_gb_s"),
    ];
    let shares: Vec<String> = kinds.into_iter().filter_map(share).collect();
    (!shares.is_empty()).then(|| format!("{} of its time, each at its roof", shares.join(", ")))
}

/// Which share of the fastest copy of about as many bytes is reached, as far as the roof of exponentials lets it.
pub fn of_a_copy(ours: &Value, copies: &[Value]) -> String {
    share_of_a_copy(ours, copies, OF_A_COPY)
}

/// The same for another share to reach.
pub fn share_of_a_copy(ours: &Value, copies: &[Value], goal: f64) -> String {
    let found = number(ours, "gb_s");
    let bytes = found * number(ours, "median_ns");
    let far = |copy: &Value| (number(copy, "bytes") / bytes).ln().abs();
    let rate = |copy: &Value| number(copy, "gb_s");
    let nearest = copies.iter().min_by(|a, b| far(a).total_cmp(&far(b)).then(rate(b).total_cmp(&rate(a))));
    let copy = nearest.map_or(f64::NAN, rate);
    // Its rate if its exponentials took as long as their roof says; not a number, which `min` passes over, where there are none.
    let held = found * number(ours, "peak_gexp_s") / number(ours, "gexp_s");
    reached("a copy", goal.min(REACHABLE * held / copy), found / copy)
}

/// Whether a share of something reaches its goal.
fn reached(of: &str, goal: f64, found: f64) -> String {
    let verdict = if found >= goal {
        "met".to_owned()
    } else if found.is_nan() {
        "no roof was measured".to_owned()
    } else {
        format!("**missed by {:.0} points**", 100.0 * (goal - found))
    };
    format!("{:.0} % of {of}: {verdict}", 100.0 * goal)
}

/// Who exceeds a roof by more than the roof's own samples vary.
pub fn exceeded(rooflines: &[Value]) -> Vec<String> {
    let beyond = |row: &&Value| number(row, "of_the_roof") > 1.0 + number(row, "roof_spread");
    let said = |row: &Value| {
        format!(
            "{} on {} {} reaches {:.1} % of the roof of {}, whose own spread is {:.1} %",
            text(row, "variant"),
            text(row, "workload"),
            text(row, "case_name"),
            100.0 * number(row, "of_the_roof"),
            text(row, "roof"),
            100.0 * number(row, "roof_spread"),
        )
    };
    rooflines.iter().filter(beyond).map(said).collect()
}

/// Whether nothing exceeds a roof.
///
/// # Errors
/// Something does.
pub fn none_exceeds(exceeding: &[String]) -> Result<()> {
    if exceeding.is_empty() {
        return Ok(());
    }
    Err(Error::Requirement {
        problem: format!("a roof that a kernel exceeds is a wrong roof: {}", exceeding.join("; ")),
        remedy: "measure again on a quiet machine; where it stays so, mend the workload that is the roof".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(workload: &str, case: &str, low: f64, high: f64) -> Value {
        json!({ "workload": workload, "case_name": case, "candidate": "tiled/flex/f32/2t",
                "speedup": (low * high).sqrt(), "low": low, "high": high })
    }

    fn of_the_roof(share: f64, roof: &str) -> Value {
        json!({ "of_the_roof": share, "roof": roof })
    }

    #[test]
    fn only_ours_are_judged() {
        assert!(ours("tiled/flex/f32/2t") && !ours("torch-mm/libtorch/f32/2t"));
        assert_eq!(judged(&compared("attention-gradients", "a", 2.0, 3.0), &Value::Null, &Value::Null, &[]), "none");
    }

    #[test]
    fn not_slower_is_a_lower_bound() {
        let said = |low, high| judged(&compared("matmul", "128³", low, high), &Value::Null, &Value::Null, &[]);
        assert_eq!(said(0.98, 1.1), "at least 0.97: met");
        assert_eq!(said(0.96, 1.1), "at least 0.97: undecided");
        assert_eq!(said(0.8, 0.8), "at least 0.97: **missed by 21 %**");
        let few = json!({ "workload": "matmul", "speedup": 2.6, "low": null, "high": null });
        assert_eq!(judged(&few, &Value::Null, &Value::Null, &[]), "at least 0.97: undecided");
    }

    #[test]
    fn a_ratio_holds_as_far_as_the_roof_lets_it() {
        let row = compared("matmul", "128³", 0.96, 0.965);
        let said = |rival| judged(&row, &Value::Null, &of_the_roof(rival, "arithmetic"), &[]);
        assert_eq!(said(0.9), "at least 0.97: **missed by 1 %**");
        // A rival at its roof leaves 95 % of it to us.
        assert_eq!(said(1.0), "at least 0.95: met (of 0.97, as far as the roof lets it)");
    }

    #[test]
    fn a_whole_block_is_to_be_faster_and_near_the_roof() {
        let said = |low, high, ours: f64, rival: f64| {
            let row = compared("transformer-block", "gpt-2 b1 h12 s512 d64 w768→3072", low, high);
            judged(&row, &of_the_roof(ours, "arithmetic"), &of_the_roof(rival, "arithmetic"), &[])
        };
        assert_eq!(said(1.06, 1.09, 0.89, 0.8), "at least 1.05: met; 88 % of the roof: met");
        assert_eq!(
            said(1.0, 1.0, 0.8, 0.8),
            "at least 1.05: **missed by 5 %**; 88 % of the roof: **missed by 8 points**"
        );
        // 1.05 times a rival at 92 % would be more than the roof lets anybody reach.
        let capped = said(1.035, 1.04, 0.957, 0.92);
        assert_eq!(capped, "at least 1.03: met (of 1.05, as far as the roof lets it); 88 % of the roof: met");
    }

    #[test]
    fn who_does_less_may_be_faster_by_as_much() {
        // An eighth of the bytes: at 90 % of its roof ours would be 7.6 times as fast as a rival at its own.
        let [ours, rival] = [json!({ "roof_ns": 1e6 }), json!({ "median_ns": 8e6, "of_the_roof": 1.0 })];
        let row = compared("matmul", "128³", 7.7, 7.8);
        let said = |least, ours: &Value| ratio_beside(&row, least, ours, &rival);
        assert_eq!(said(9.0, &ours), "at least 7.60: met (of 9.00, as far as the roof lets it)");
        assert_eq!(said(6.4, &ours), "at least 6.40: met");
        assert_eq!(said(9.0, &json!({})), "at least 9.00: **missed by 16 %**");
    }

    #[test]
    fn products_and_decoding_have_a_share_to_reach() {
        let said = |workload, case, ours| {
            judged(&compared(workload, case, 1.0, 1.1), ours, &Value::Null, &[])
                .split_once("; ")
                .map(|(_, of)| of.to_owned())
        };
        let arithmetic = of_the_roof(0.85, "arithmetic");
        assert_eq!(said("matmul", "256³", &arithmetic).as_deref(), Some("80 % of the roof: met"));
        assert_eq!(said("matmul", "512³", &arithmetic).as_deref(), Some("90 % of the roof: **missed by 5 points**"));
        assert_eq!(said("matmul", "512³", &Value::Null).as_deref(), Some("90 % of the roof: no roof was measured"));
        assert_eq!(said("matmul", "128³", &arithmetic), None);
        assert_eq!(said("attention", "b1 h8 s512 d64", &arithmetic), None);
        let linear = said("linear", "512×4096→4096", &arithmetic);
        assert_eq!(linear.as_deref(), Some("90 % of the roof: **missed by 5 points**"));
        assert_eq!(said("mlp", "gelu 512×768→3072", &arithmetic), None);
        let decoding = said("attention", "b1 h8 q1 s1024 d64", &of_the_roof(0.65, "memory"));
        assert_eq!(decoding.as_deref(), Some("70 % of the roof: **missed by 5 points**"));
        let mut narrow = compared("matmul", "512³", 1.0, 1.1);
        narrow["candidate"] = "tiled/flex/bf16/2t".into();
        let said = judged(&narrow, &of_the_roof(0.1, "memory"), &Value::Null, &[]);
        assert_eq!(said, "at least 0.97: met", "memory does not hold a product");
    }

    #[test]
    fn beside_matrix_units_a_product_is_held_to_the_roof_of_what_it_computes_in() {
        let said = |workload: &str, case: &str, gflops: f64| {
            beside_matrix_units(&compared(workload, case, 0.2, 0.3), &json!({ "gflops": gflops }), 200.0)
        };
        assert_eq!(said("matmul", "512³", 184.0), "no ratio: matrix units for bf16; 90 % of the roof of f32: met");
        let missed = "no ratio: matrix units for bf16; 90 % of the roof of f32: **missed by 10 points**";
        assert_eq!(said("matmul", "2048³", 160.0), missed);
        assert_eq!(said("matmul", "128³", 184.0), "no ratio: matrix units for bf16");
        assert_eq!(said("attention", "b1 h8 s512 d64", 184.0), "no ratio: matrix units for bf16");
    }

    #[test]
    fn norms_are_held_to_the_fastest_copy_of_their_size() {
        let copies = [(2e6, 100.0), (128e6, 20.0), (128e6, 30.0)];
        let copies = copies.map(|(bytes, gb_s)| json!({ "bytes": bytes, "gb_s": gb_s }));
        let said = |bytes: f64, gb_s: f64, copies: &[Value]| {
            // Its share of the roof is that of reads.
            let ours = json!({ "of_the_roof": 0.5, "roof": "memory", "gb_s": gb_s, "median_ns": bytes / gb_s });
            judged(&compared("softmax", "16384×1024", 1.0, 1.1), &ours, &Value::Null, copies)
        };
        assert_eq!(said(1.9e6, 92.0, &copies), "at least 0.97: met; 90 % of a copy: met");
        assert_eq!(said(134e6, 24.0, &copies), "at least 0.97: met; 90 % of a copy: **missed by 10 points**");
        assert_eq!(said(134e6, 24.0, &[]), "at least 0.97: met; 90 % of a copy: no roof was measured");
    }

    #[test]
    fn a_copy_is_asked_for_as_far_as_exponentials_let_it() {
        let copies = [json!({ "bytes": 2e6, "gb_s": 100.0 })];
        let said = |gb_s: f64, peak: f64| {
            // An exponential for every eight bytes.
            let ours = json!({ "gb_s": gb_s, "median_ns": 2e6 / gb_s, "gexp_s": gb_s / 8.0, "peak_gexp_s": peak });
            of_a_copy(&ours, &copies)
        };
        // 10 exponentials a nanosecond are 80 bytes, of which 95 % can be asked for.
        assert_eq!(said(78.0, 10.0), "76 % of a copy: met");
        assert_eq!(said(56.0, 10.0), "76 % of a copy: **missed by 20 points**");
        assert_eq!(said(56.0, 100.0), "90 % of a copy: **missed by 34 points**");
    }

    #[test]
    fn time_is_shared_out_to_what_could_take_it() {
        let row = json!({ "gexp_s": 3.0, "peak_gexp_s": 5.0, "gflops": 50.0, "peak_gflops": 200.0, "gb_s": 2.0,
                          "memory_gb_s": null });
        assert_eq!(
            spent(&row).as_deref(),
            Some("exponentials 60 %, arithmetic 25 % of its time, each at its roof"),
            "no roof of memory was measured"
        );
        assert_eq!(spent(&json!({ "gflops": 50.0, "peak_gflops": null })), None);
    }

    #[test]
    fn a_roof_that_a_kernel_exceeds_is_wrong() {
        let row = |share: f64| {
            json!({ "variant": "torch-mm/libtorch-mkl/f32/2t", "workload": "matmul", "case_name": "2048³",
                    "of_the_roof": share, "roof": "arithmetic", "roof_spread": 0.02 })
        };
        assert!(exceeded(&[row(0.99), row(1.019), json!({ "of_the_roof": null })]).is_empty());
        let said = exceeded(&[row(0.99), row(1.07)]);
        assert_eq!(
            said,
            [
                "torch-mm/libtorch-mkl/f32/2t on matmul 2048³ reaches 107.0 % of the roof of arithmetic, whose own spread is 2.0 %"
            ]
        );
    }
}
