//! Goals of our kernels: a share of a roof, and how many times as fast as the fastest of some rivals.

use crate::ask::{number, text};
use crate::goals;
use crate::kernels::{self, Measured};
use serde_json::Value;

/// The head of what [`table`] makes.
pub const COLUMNS: [&str; 2] = [
    "| case | ours | goal of the roof | rival | ratio, 95 % interval | rival's speed | goal of the ratio |",
    "|---|---|---|---|---|---|---|",
];

/// Where a baseline of our own lies below this share of its roof, a ratio to it says nothing.
const FIT_BASELINE: f64 = 0.9;

/// What a kernel of ours is to reach.
pub struct Goal {
    pub workload: &'static str,
    /// The only case that it is for; nothing for each of them.
    pub case: Option<&'static str>,
    /// Ours.
    pub implementation: &'static str,
    /// Hot for arithmetic, cold for memory.
    pub cache: &'static str,
    /// Which roof holds it, and the share of it to reach; `copy` for what writes as much as it reads.
    pub roof: Option<(&'static str, f64)>,
    pub ratios: [Option<Ratio>; 2],
}

/// How many times as fast as the fastest of some rivals.
#[derive(Clone, Copy)]
pub struct Ratio {
    /// 0 where it is told and not judged.
    pub least: f64,
    pub rivals: &'static [&'static str],
    /// Whether they are other people's: these are not on the device of ours.
    pub foreign: bool,
    /// Operations that they make for each that is counted, where the baseline is our own.
    pub beyond: Option<f64>,
}

/// A ratio to PyTorch, and to what is built on it.
pub const fn torch(least: f64, rivals: &'static [&'static str]) -> Option<Ratio> {
    Some(Ratio { least, rivals, foreign: true, beyond: None })
}

/// A goal for every case of a workload, by an implementation in a regime of caches.
pub const fn goal(
    [workload, implementation, cache]: [&'static str; 3],
    roof: Option<(&'static str, f64)>,
    ratios: [Option<Ratio>; 2],
) -> Goal {
    Goal { workload, case: None, implementation, cache, roof, ratios }
}

/// A line for each case of a goal and each of its ratios.
pub fn table(goal: &Goal, measured: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    // An engine of others may have a row of the same name.
    let begins = format!("{}/flex/", goal.implementation);
    let mine = measured.rooflines.iter().filter(|row| {
        text(row, "workload") == goal.workload
            && goal.case.is_none_or(|case| text(row, "case_name") == case)
            && text(row, "cache") == goal.cache
            && text(row, "variant").starts_with(&begins)
    });
    for ours in mine {
        let case = format!("{} {} {}", goal.workload, text(ours, "case_name"), goal.cache);
        let of_ours = format!("{}, {}", text(ours, "variant"), kernels::speed(ours));
        let head = format!("| {case} | {of_ours} | {} |", roof(goal, ours, &measured.copies));
        if goal.ratios.iter().all(Option::is_none) {
            lines.push(format!("{head} – | – | – | none |"));
        }
        for ratio in goal.ratios.iter().flatten() {
            lines.push(match fastest(ratio, ours, &measured.compared) {
                Some(row) => {
                    let rival = roofline_of(&measured.rooflines, row);
                    let (speed, judged) = (kernels::speed(rival), judged(ratio, row, ours, rival));
                    let found = format!("{:.2} ({})", number(row, "speedup"), kernels::interval(row));
                    format!("{head} {} | {found} | {speed} | {judged} |", text(row, "baseline"))
                }
                None => {
                    let why = why_not(&measured.lost, ratio.rivals, ours);
                    format!("{head} {} | – | – | not measured{why} |", ratio.rivals.join(", "))
                }
            });
        }
    }
    if lines.is_empty() {
        let case = goal.case.map(|case| format!("{case} ")).unwrap_or_default();
        let of_goal = |row: &&Value| {
            text(row, "implementation") == goal.implementation
                && text(row, "workload") == goal.workload
                && text(row, "cache") == goal.cache
                && goal.case.is_none_or(|case| text(row, "case_name") == case)
        };
        let place = measured.lost.iter().find(of_goal).unwrap_or(&Value::Null);
        let why = why_not(&measured.lost, &[goal.implementation], place);
        lines.push(format!("| {} {case}{} | not measured{why} | – | – | – | – | – |", goal.workload, goal.cache));
    }
    lines
}

/// Characters of a reason: of a long one, such as a compiler's, the beginning says most.
const MOST_TEXT: usize = 160;

/// Why none of these was measured on the case of a row, in the words of their trials; nothing where none was begun.
fn why_not(lost: &[Value], names: &[&str], case: &Value) -> String {
    let same = |row: &&Value| {
        ["workload", "case_name", "cache"].iter().all(|name| row[*name] == case[*name])
            && names.contains(&text(row, "implementation"))
    };
    let words = |row: &Value| {
        // A table has one line for it.
        let reason: String = text(row, "reason").split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
        let reason: String = reason.chars().take(MOST_TEXT).collect();
        format!("{} on {}: {reason}", text(row, "implementation"), text(row, "device"))
    };
    let told: Vec<String> = lost.iter().filter(same).map(words).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join("; ")) }
}

/// What the share of its roof is to be, and whether it is; where it is not, why.
fn roof(goal: &Goal, ours: &Value, copies: &[Value]) -> String {
    let Some((wanted, share)) = goal.roof else { return "none".to_owned() };
    if wanted == "copy" {
        let verdict = goals::share_of_a_copy(ours, copies, share);
        return match goals::spent(ours) {
            Some(spent) if verdict.contains("missed") => format!("{verdict}: {spent}"),
            _ => verdict,
        };
    }
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

/// What a ratio is to be, as far as the roof lets it, and whether it is; of a slow baseline of our own, that it counts not.
fn judged(ratio: &Ratio, row: &Value, ours: &Value, rival: &Value) -> String {
    if ratio.least <= 0.0 {
        return "none".to_owned();
    }
    let verdict = goals::ratio_beside(row, ratio.least, ours, rival);
    let share = ratio.beyond.map_or(1.0, |beyond| beyond * number(rival, "of_the_roof"));
    if share >= FIT_BASELINE {
        return verdict;
    }
    format!("{verdict}, which counts only if the baseline were at 90 % of its roof: it is at {:.0} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DENSE: Ratio = Ratio { least: 6.5, rivals: &["dense"], foreign: false, beyond: Some(8.0) };

    fn line(variant: &str, roof: &str, share: f64) -> Value {
        json!({ "workload": "w", "case_name": "a", "cache": "hot", "variant": variant, "median_ns": 2e6, "roof": roof,
                "of_the_roof": share, "roof_ns": 4e4, "gexp_s": 3.0, "gflops": 100.0, "gb_s": 9.0 })
    }

    fn beside(baseline: &str, speedup: f64) -> Value {
        let parts: Vec<&str> = baseline.split('/').collect();
        json!({ "workload": "w", "case_name": "a", "cache": "hot", "candidate": "fused/flex/f32/2t", "baseline": baseline,
                "baseline_implementation": parts[0], "baseline_device": parts[1], "speedup": speedup,
                "low": speedup - 0.5, "high": speedup + 0.5 })
    }

    #[test]
    fn the_fastest_rival_decides_and_a_missing_one_is_told() {
        let mut goal =
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
        let measured = |compared| Measured { compared, rooflines: rooflines.clone(), ..Measured::default() };
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
        assert_eq!(table(&goal, &Measured::default()), ["| w hot | not measured | – | – | – | – | – |"]);
        goal.case = Some("b");
        assert_eq!(table(&goal, &measured(Vec::new())), ["| w b hot | not measured | – | – | – | – | – |"]);
    }

    #[test]
    fn what_is_missing_is_told_with_its_reason() {
        let goal = goal(["w", "fused", "hot"], None, [torch(8.0, &["loop", "compile-step"]), None]);
        let lost = |name: &str, reason: &str| {
            json!({ "workload": "w", "case_name": "a", "cache": "hot", "implementation": name, "device": "torch",
                    "reason": reason })
        };
        let measured = Measured {
            rooflines: vec![line("fused/flex/f32/2t", "arithmetic", 0.5)],
            lost: vec![lost("loop", "the package torch\n is missing | here"), lost("parallel", "it is too long")],
            ..Measured::default()
        };
        let told = table(&goal, &measured).remove(0);
        let end = "| not measured (loop on torch: the package torch is missing / here) |";
        assert!(told.ends_with(end), "{told}");
        let wrong = Measured { lost: vec![lost("fused", "it is wrong")], ..Measured::default() };
        let told = table(&goal, &wrong).remove(0);
        assert!(told.starts_with("| w hot | not measured (fused on torch: it is wrong) |"), "{told}");
    }

    #[test]
    fn a_ratio_is_capped_by_the_roof_and_a_slow_baseline_counts_not() {
        let row = beside("loop/torch/f32/2t", 3.0);
        let foreign = Ratio { least: 8.0, rivals: &["loop"], foreign: true, beyond: None };
        let ours = json!({ "roof_ns": 1e6 });
        let capped = judged(&foreign, &row, &ours, &line("loop/torch/f32/2t", "arithmetic", 0.5));
        assert_eq!(capped, "at least 1.90: met (of 8.00, as far as the roof lets it)");
        let dense = |share: f64| {
            judged(
                &DENSE,
                &beside("dense/flex/f32/2t", 7.5),
                &json!({ "roof_ns": 1e5 }),
                &line("dense/flex/f32/2t", "arithmetic", share),
            )
        };
        assert_eq!(dense(0.115), "at least 6.50: met");
        let told = Ratio { least: 0.0, ..DENSE };
        assert_eq!(judged(&told, &row, &json!({}), &json!({})), "none");
        assert!(dense(0.1).ends_with("90 % of its roof: it is at 80 %"), "{}", dense(0.1));
    }

    #[test]
    fn another_roof_is_named() {
        let goal = goal(["w", "fused", "hot"], Some(("arithmetic", 0.6)), [None; 2]);
        assert_eq!(
            roof(&goal, &line("fused/flex", "arithmetic", 0.5), &[]),
            "60 % of the roof: **missed by 10 points**"
        );
        assert_eq!(roof(&goal, &line("fused/flex", "memory", 0.7), &[]), "held by memory: 60 % of the roof: met");
        let told = json!({ "roof": "arithmetic", "of_the_roof": 0.5, "gflops": 100.0, "peak_gflops": 200.0 });
        assert_eq!(
            roof(&goal, &told, &[]),
            "60 % of the roof: **missed by 10 points**: arithmetic 50 % of its time, each at its roof"
        );
        let without = json!({ "roof": null, "of_the_roof": null });
        assert_eq!(roof(&goal, &without, &[]), "60 % of the roof: no roof was measured");
    }

    #[test]
    fn what_writes_as_much_as_it_reads_is_held_to_a_copy() {
        let goal = goal(["w", "fused", "cold"], Some(("copy", 0.85)), [None; 2]);
        // The one has 9 of 10 GB/s, the other 8.
        let copies = [json!({ "bytes": 1e9, "gb_s": 10.0 })];
        assert_eq!(roof(&goal, &line("fused/flex", "memory", 0.45), &copies), "85 % of a copy: met");
        let slow = json!({ "median_ns": 2e6, "gb_s": 8.0 });
        assert_eq!(roof(&goal, &slow, &copies), "85 % of a copy: **missed by 5 points**");
        assert_eq!(roof(&goal, &slow, &[]), "85 % of a copy: no roof was measured");
    }
}
