//! Which experiments the proof takes, and in which order those that are left come.

use super::experiment::Experiment;
use super::ledger::Ledger;
use super::same_kernel;
use super::selection::Selection;

/// Every tool that is asked.
pub const TOOLS: [&str; 4] = ["benchbook", "criterion", "tango", "sequential"];

/// A number of equal experiments that differ by their seed.
struct Series {
    experiment: Experiment,
    count: u64,
}

/// All experiments, as the issue of the proof asks for them.
fn all() -> Vec<Series> {
    let mut series = Vec::new();
    let mut add =
        |goal: &str, tool: &str, noisy: bool, work: &str, (extra, seconds, replicates): (f64, f64, u32), count| {
            let (goal, tool, work) = (goal.to_owned(), tool.to_owned(), work.to_owned());
            let experiment = Experiment { goal, tool, noisy, work, extra, seconds, replicates, seed: 0 };
            series.push(Series { experiment, count });
        };
    for tool in TOOLS {
        let ours = tool == "benchbook";
        for noisy in [false, true] {
            add("false-positives", tool, noisy, "dependent", (0.0, 2.0, 0), if ours { 200 } else { 50 });
        }
        add("power", tool, true, "dependent", (0.05, 10.0, 0), if ours { 40 } else { 8 });
        add("power", tool, false, "dependent", (0.01, 10.0, 0), if ours { 40 } else { 8 });
        for seconds in [1.0, 2.0, 5.0] {
            add("curve", tool, false, "dependent", (0.01, seconds, 0), if ours { 40 } else { 8 });
        }
        add("real-kernel", tool, false, "gemm", (0.05, 2.0, 0), if ours { 40 } else { 10 });
    }
    for replicates in [5, 10, 20] {
        add("coverage", "benchbook", false, "dependent", (0.05, 10.0, replicates), 200);
    }
    series
}

/// What experiments are for.
pub fn goals() -> Vec<String> {
    let mut goals = vec![same_kernel::GOAL.to_owned()];
    for Series { experiment, .. } in all() {
        if !goals.contains(&experiment.goal) {
            goals.push(experiment.goal);
        }
    }
    goals
}

/// What this machine has left of the selection, the series that is furthest behind first, so that tools take turns all
/// the time.
///
/// What a goal is set for comes sooner, so that an early end leaves the least important open.
pub fn left(ledger: &Ledger, selection: &Selection) -> Vec<Experiment> {
    let mut open: Vec<(f64, usize, Experiment)> = Vec::new();
    for (place, Series { experiment, count }) in all().into_iter().enumerate() {
        for seed in 1..=count {
            let one = Experiment { seed, ..experiment.clone() };
            if selection.takes(&one) && !ledger.has(&one) {
                open.push((urgency(&one) * seed as f64 / count as f64, place, one));
            }
        }
    }
    open.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    open.into_iter().map(|(_, _, experiment)| experiment).collect()
}

/// The smaller, the sooner.
fn urgency(one: &Experiment) -> f64 {
    match (one.tool.as_str(), one.goal.as_str()) {
        // The longest of all: two hundred of them take half an hour.
        ("benchbook", "coverage") if one.replicates == 20 => 1.2,
        // No goal is set for these.
        ("benchbook", "curve") => 2.0,
        ("benchbook", _) => 0.6,
        (_, "false-positives") => 0.8,
        _ => 3.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::experiment::Answer;

    #[test]
    fn what_is_done_is_not_asked_again_and_tools_take_turns() {
        let path = std::env::temp_dir().join(format!("benchbook-ledger-{}.csv", std::process::id()));
        let mut ledger = Ledger::open(&path, "cpu").expect("a ledger");
        let all = Selection::default();
        let first = left(&ledger, &all);
        for tool in TOOLS {
            let early = first.iter().take(first.len() / 4).filter(|one| one.tool == tool).count();
            assert!(early >= 20, "{tool}: {early}");
        }
        let answer = Answer {
            significant: false,
            direction: "none".into(),
            ratio: 1.0,
            low: 0.9,
            high: 1.1,
            wall_s: 1.0,
            steal: 0.0,
            machine: "cpu".into(),
            note: String::new(),
        };
        first.iter().take(10).for_each(|one| ledger.append(one, &answer).expect("written"));
        let again = |machine| left(&Ledger::open(&path, machine).expect("read again"), &all);
        assert_eq!(again("cpu"), first[10..]);
        assert_eq!(again("other cpu"), first, "another machine has not answered");
        std::fs::remove_file(&path).expect("removed");
    }
}
