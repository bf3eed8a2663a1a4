//! Which experiments the proof takes, and in which order those that are left come.

use super::ask::Asker;
use super::experiment::{Answer, Experiment};
use super::ledger::Ledger;
use super::same_kernel::{self, Sweep};
use super::selection::Selection;
use std::path::Path;
use xtask::error::Result;

/// Every tool that is asked.
pub const TOOLS: [&str; 4] = ["benchbook", "criterion", "tango", "sequential"];

/// A number of equal experiments that differ by their seed.
struct Series {
    experiment: Experiment,
    count: u64,
}

/// What is asked at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    One(Experiment),
    /// A run of a real kernel against itself, whose cases are experiments.
    Sweep(Sweep),
}

impl Task {
    /// Seconds that it takes, about.
    pub fn seconds(&self) -> f64 {
        match self {
            Self::One(experiment) => experiment.seconds,
            Self::Sweep(sweep) => sweep.seconds(),
        }
    }

    /// Asks from the repository at `root`.
    pub fn ask(&self, asker: &Asker, root: &Path) -> Result<Vec<(Experiment, Answer)>> {
        match self {
            Self::One(experiment) => Ok(vec![(experiment.clone(), asker.ask(experiment)?)]),
            Self::Sweep(sweep) => sweep.ask(asker, root),
        }
    }
}

/// All experiments but those of real kernels against themselves, as the issue of the proof asks for them.
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

/// What this machine has left of the selection, the series that is furthest behind first, so that tools and goals take turns
/// all the time.
///
/// What a goal is set for comes sooner, so that an early end leaves the least important open.
pub fn left(ledger: &Ledger, selection: &Selection) -> Vec<Task> {
    let mut open: Vec<(f64, Task)> = Vec::new();
    for Series { experiment, count } in all() {
        for seed in 1..=count {
            let one = Experiment { seed, ..experiment.clone() };
            if selection.takes(&one) && !ledger.has(&one) {
                open.push((urgency(&one) * seed as f64 / count as f64, Task::One(one)));
            }
        }
    }
    let sweeps = same_kernel::left(ledger, selection);
    open.extend(sweeps.into_iter().map(|sweep| (OF_A_GOAL * sweep.part(), Task::Sweep(sweep))));
    // Equals stay in this order.
    open.sort_by(|a, b| a.0.total_cmp(&b.0));
    open.into_iter().map(|(_, task)| task).collect()
}

/// The urgency of what a goal is set for.
const OF_A_GOAL: f64 = 0.6;

/// The smaller, the sooner.
fn urgency(one: &Experiment) -> f64 {
    match (one.tool.as_str(), one.goal.as_str()) {
        // The longest of all: two hundred of them take half an hour.
        ("benchbook", "coverage") if one.replicates == 20 => 2.0 * OF_A_GOAL,
        // No goal is set for these.
        ("benchbook", "curve") => 2.0,
        ("benchbook", _) => OF_A_GOAL,
        (_, "false-positives") => 0.8,
        _ => 3.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::ask::undecided;

    /// The experiments of tasks, in order.
    fn experiments(tasks: &[Task]) -> Vec<Experiment> {
        let of = |task: &Task| match task {
            Task::One(one) => vec![one.clone()],
            Task::Sweep(sweep) => sweep.experiments(),
        };
        tasks.iter().flat_map(of).collect()
    }

    #[test]
    fn what_is_done_is_not_asked_again_and_tools_take_turns() {
        let path = std::env::temp_dir().join(format!("benchbook-ledger-{}.csv", std::process::id()));
        let mut ledger = Ledger::open(&path, "cpu").expect("a ledger");
        let all = Selection::default();
        let first = left(&ledger, &all);
        for tool in TOOLS {
            let early = &first[..first.len() / 4];
            let asked = early.iter().filter(|task| matches!(task, Task::One(one) if one.tool == tool)).count();
            assert!(asked >= 20, "{tool}: {asked}");
        }
        for one in experiments(&first[..10]) {
            ledger.append(&one, &undecided("x")).expect("written");
        }
        let again = |machine| left(&Ledger::open(&path, machine).expect("read again"), &all);
        assert_eq!(again("cpu"), first[10..]);
        assert_eq!(again("other cpu"), first, "another machine has not answered");
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn an_early_end_leaves_every_goal_as_far() {
        let path = std::env::temp_dir().join(format!("benchbook-early-{}.csv", std::process::id()));
        let tasks = left(&Ledger::open(&path, "cpu").expect("a ledger"), &Selection::default());
        std::fs::remove_file(&path).expect("removed");
        let part = |tasks: &[Task], goal: &str, noisy: bool| {
            let all = experiments(tasks);
            all.iter().filter(|one| one.tool == "benchbook" && one.goal == goal && one.noisy == noisy).count() as f64
        };
        let early = &tasks[..tasks.len() / 8];
        let goals = [("false-positives", false), ("false-positives", true), ("power", true), (same_kernel::GOAL, true)];
        let parts = goals.map(|(goal, noisy)| part(early, goal, noisy) / part(&tasks, goal, noisy));
        let (least, most) = parts.iter().fold((1.0_f64, 0.0_f64), |(a, b), part| (a.min(*part), b.max(*part)));
        assert!(least > 0.0 && most - least < 0.05, "{parts:?}");
    }
}
