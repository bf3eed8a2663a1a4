//! Our mixers and mixtures of experts beside PyTorch, and the goals that were set for them.

use crate::beside::{self, Goal, Ratio, goal, torch};
use crate::lengths;
use crate::parts::{Family, Part, Told};
use xtask::arguments::Choice;
use xtask::error::Result;
use xtask::workspace::Ready;

/// Those that goals are set for, and the one whose lengths are swept.
const PARTS: [Part; 6] = [
    ("scan", include_str!("mixers_scan.toml")),
    ("chunks", include_str!("mixers_chunks.toml")),
    ("rwkv", include_str!("mixers_rwkv.toml")),
    ("experts", include_str!("mixers_experts.toml")),
    ("decoding", include_str!("mixers_decoding.toml")),
    ("lengths", include_str!("mixers_lengths.toml")),
];

/// Both sides are measured on these, as far as they are here: where MKL takes its fast path by itself, there is no other way to it.
const MIXERS: Family = Family {
    name: "mixers",
    parts: &PARTS,
    rivals: &RIVALS,
    devices: &["flex", "torch", "torch-mkl", "transformers", "transformers-mkl"],
};

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

/// Eight of 64 experts: of what dense computes, an eighth is counted.
const DENSE: Ratio = Ratio { least: 6.5, rivals: &["dense"], foreign: false, beyond: Some(8.0) };

const GOALS: [Goal; 11] = [
    goal(["selective-scan", "fused", "hot"], Some(("exponentials", 0.7)), [torch(8.0, &PYTORCH), None]),
    goal(
        ["state-space-duality", "fused", "hot"],
        Some(("arithmetic", 0.65)),
        [torch(4.0, &["chunked", "compile-chunked"]), None],
    ),
    // A state is written as it is read.
    goal(["state-space-duality", "fused", "cold"], Some(("copy", 0.85)), [None; 2]),
    goal(
        ["retention", "chunkwise", "hot"],
        Some(("arithmetic", 0.75)),
        [torch(3.0, &["chunked", "compile-chunked", "parallel"]), None],
    ),
    // Beside the loop that the goal names stands its compiled step, told and not judged.
    goal(
        ["rwkv-6", "fused", "hot"],
        Some(("arithmetic", 0.6)),
        [torch(20.0, &["loop"]), torch(0.0, &["compile-step"])],
    ),
    goal(
        ["rwkv-7", "fused", "hot"],
        Some(("arithmetic", 0.6)),
        [torch(20.0, &["loop"]), torch(0.0, &["compile-step"])],
    ),
    goal(["rwkv-6", "fused", "cold"], Some(("copy", 0.9)), [None; 2]),
    goal(["rwkv-7", "fused", "cold"], Some(("copy", 0.9)), [None; 2]),
    // Of a whole step, weights are read, and states beside them are little.
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

pub fn measure(ready: &Ready, choice: &Choice) -> Result<Told> {
    MIXERS.measure(ready, choice)?;
    let [judged @ .., swept] = &PARTS;
    let measured = MIXERS.measured(ready, judged)?;
    let Told { text, exceeding } = MIXERS.told(ready, &measured)?;
    let mut lines = vec![HEAD.to_owned(), String::new(), text, String::new()];
    lines.extend(beside::COLUMNS.map(str::to_owned));
    lines.extend(GOALS.iter().flat_map(|goal| beside::table(goal, &measured)));
    lines.extend([String::new(), lengths::told(ready, &MIXERS, *swept)?]);
    Ok(Told { text: lines.join("\n"), exceeding })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::shortened;

    #[test]
    fn every_mixer_has_its_growth_in_a_limited_time_too() {
        let [.., (_, plan)] = &PARTS;
        let short = shortened(plan);
        for name in ["attention", "selective-scan", "state-space-duality", "retention", "rwkv-4", "rwkv-6", "rwkv-7"] {
            assert!(short.contains(&format!("workload = \"{name}\"\n")), "{name} has its lengths");
        }
    }

    #[test]
    fn every_goal_names_what_its_parts_measure_in_a_limited_time_too() {
        for goal in &GOALS {
            let quoted = |name: &str| format!("\"{name}\"");
            let of_goal = |plan: &&str| {
                plan.contains("cache = \"cold\"") == (goal.cache == "cold")
                    && [goal.workload, goal.implementation].iter().all(|name| plan.contains(&quoted(name)))
            };
            let plans: Vec<&str> = PARTS.iter().map(|(_, plan)| *plan).filter(of_goal).collect();
            assert!(!plans.is_empty(), "{} {} {}", goal.workload, goal.implementation, goal.cache);
            for ratio in goal.ratios.iter().flatten() {
                for rival in ratio.rivals {
                    assert!(RIVALS.contains(rival), "{rival} is asked for");
                }
                let measures = |plan: &str| ratio.rivals.iter().any(|rival| plan.contains(&quoted(rival)));
                assert!(plans.iter().any(|plan| measures(plan)), "{:?} beside {}", ratio.rivals, goal.workload);
                let short = plans.iter().any(|plan| measures(&shortened(plan)));
                assert!(short || ratio.least <= 0.0, "{:?} in a limited time", ratio.rivals);
            }
        }
    }
}
