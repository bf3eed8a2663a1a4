//! Real kernels on all processors against themselves: the program's own gate, with one revision on both sides.

use super::ask::{Asker, NOTHING, judged, undecided};
use super::experiment::{Answer, Experiment};
use super::ledger::Ledger;
use super::selection::Selection;
use crate::ask::{answer as parse, rows, text};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;
use xtask::error::{Named, Result};
use xtask::process;

/// What the experiments are for.
pub const GOAL: &str = "same-kernel";

/// Kernels with two threads of three makes: rayon's pool, a team that waits awake, OpenMP.
pub const KERNELS: [(&str, &str); 3] = [("naive", "flex"), ("fused", "flex"), ("torch-sdpa", "libtorch")];

/// Sequences of a run's cases; each is a comparison.
const SEQUENCES: [u32; 4] = [64, 128, 256, 512];

/// Runs of each kernel, quiet and beside a neighbour.
const RUNS: u64 = 25;

/// The same at most, where many comparisons have told too little.
const MOST_RUNS: u64 = 100;

/// Comparisons of a kernel and condition that are to count.
const COMPARISONS: usize = 100;

/// Processes of which a comparison consists that counts; where the machine spoils so many of a side that fewer are left, no
/// verdict can be a false one.
pub const REPLICATES: u32 = 5;

/// Processes that are measured, quiet and beside a neighbour, who spoils up to two of three.
const PROCESSES: [u32; 2] = [6, 10];

/// Seconds that a process of all cases takes, about.
const SECONDS_EACH: f64 = 4.0;

/// One run: a kernel, and its cases as experiments.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    kernel: &'static str,
    device: &'static str,
    noisy: bool,
    seed: u64,
}

impl Sweep {
    fn experiment(&self, sequence: u32) -> Experiment {
        Experiment {
            goal: GOAL.into(),
            tool: "benchbook".into(),
            noisy: self.noisy,
            work: format!("{} s{sequence}", self.kernel),
            extra: 0.0,
            seconds: 0.0,
            replicates: self.processes(),
            seed: self.seed,
        }
    }

    /// Processes that are measured of each side.
    fn processes(&self) -> u32 {
        PROCESSES[usize::from(self.noisy)]
    }

    /// Seconds that it takes, about.
    pub fn seconds(&self) -> f64 {
        SECONDS_EACH * f64::from(self.processes())
    }

    /// The share of the runs of its kernel and condition that are done with it.
    pub fn part(&self) -> f64 {
        self.seed as f64 / RUNS as f64
    }

    /// The experiments that it makes.
    pub fn experiments(&self) -> Vec<Experiment> {
        SEQUENCES.map(|sequence| self.experiment(sequence)).into()
    }

    /// Measures the kernel against itself, from the repository at `root`.
    pub fn ask(&self, asker: &Asker, root: &Path) -> Result<Vec<(Experiment, Answer)>> {
        let answers = asker.beside(self.noisy, self.seed, || self.measure(asker, root))?;
        Ok(self.experiments().into_iter().zip(answers).collect())
    }

    fn measure(&self, asker: &Asker, root: &Path) -> Result<Vec<Answer>> {
        let plan = asker.store.join("plan.toml");
        let _ = fs::remove_dir_all(asker.store.join("store"));
        fs::write(&plan, self.plan()).named("write", &plan)?;
        let started = Instant::now();
        let gate = || {
            let mut command = process::command(&asker.program);
            command.current_dir(root).env_remove("BENCHBOOK_KEEP_DISTURBED").env_remove("BENCHBOOK_WORKER");
            command.arg("--store").arg(asker.store.join("store"));
            command
        };
        let mut measuring = gate();
        measuring.args(["gate", "--baseline", "HEAD", "--candidate", "HEAD", "--suite"]).arg(&plan);
        measuring.stdout(Stdio::null()).stderr(Stdio::null());
        // What the gate concludes is an answer, not a failure; where it measured nothing, the question below fails.
        process::status(&mut measuring, "build the program")?;
        let wall_s = started.elapsed().as_secs_f64() / SEQUENCES.len() as f64;
        let found = "SELECT case_name, speedup, low, high, verdict, reason, replicates FROM verdicts \
                     WHERE run_id = (SELECT run_id FROM runs ORDER BY started_at LIMIT 1) AND baseline < candidate \
                     AND speedup IS NOT NULL";
        let said = parse(&process::output(gate().args(["sql", found, "--format", "json"]), "see its message above")?)?;
        let answers: BTreeMap<&str, Answer> = rows(&said).map(|row| (text(row, "case_name"), judged(row))).collect();
        let of = |sequence: u32| {
            let named = answers.iter().find(|(case, _)| case.split(' ').any(|word| word == format!("s{sequence}")));
            named.map_or_else(|| undecided(NOTHING), |(_, answer)| answer.clone())
        };
        Ok(SEQUENCES.map(|sequence| Answer { wall_s, ..of(sequence) }).into())
    }

    fn plan(&self) -> String {
        let (Self { kernel, device, seed, .. }, processes) = (self, self.processes());
        format!(
            "suite = \"trust\"\nseed = {seed}\nthreads = 2\nreplicates = {processes}\ndevices = [\"{device}\"]\n\n\
             [sampling]\nblocks = 20\nmin_sample_ns = 1000000\nwarmup_ns = 50000000\n\n[[cases]]\n\
             workload = \"attention\"\nimplementations = [\"{kernel}\"]\nparams = {{ seq_q = {SEQUENCES:?} }}\n"
        )
    }
}

/// The runs of the selection that this machine has left, kernels and conditions in turn.
pub fn left(ledger: &Ledger, selection: &Selection) -> Vec<Sweep> {
    let mut sweeps = Vec::new();
    for noisy in [false, true] {
        for (kernel, device) in KERNELS {
            sweeps.extend(left_of(ledger, selection, |seed| Sweep { kernel, device, noisy, seed }));
        }
    }
    // Equals stay in this order.
    sweeps.sort_by_key(|sweep| sweep.seed);
    sweeps
}

/// Those of a kernel in a condition: all that are planned, and then as many as it takes until enough comparisons count.
fn left_of(ledger: &Ledger, selection: &Selection, sweep: impl Fn(u64) -> Sweep) -> Vec<Sweep> {
    let is_left = |one: &Sweep| one.experiments().iter().any(|one| selection.takes(one) && !ledger.has(one));
    let planned: Vec<Sweep> = (1..=RUNS).map(&sweep).filter(is_left).collect();
    if !planned.is_empty() {
        return planned;
    }
    let counts = |one: &Experiment| ledger.answer(one).is_some_and(|answer| answer.replicates() >= REPLICATES);
    let all = (1..=MOST_RUNS).flat_map(|seed| sweep(seed).experiments());
    let runs = COMPARISONS.saturating_sub(all.filter(counts).count()).div_ceil(SEQUENCES.len());
    (RUNS + 1..=MOST_RUNS).map(&sweep).filter(is_left).take(runs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_gets_its_comparisons_and_what_is_done_is_not_asked_again() {
        let path = std::env::temp_dir().join(format!("benchbook-same-kernel-{}.csv", std::process::id()));
        let mut ledger = Ledger::open(&path, "cpu").expect("a ledger");
        let all = Selection::default();
        let first = left(&ledger, &all);
        let of = |kernel: &str, noisy: bool| {
            let sweeps = first.iter().filter(|sweep| sweep.kernel == kernel && sweep.noisy == noisy);
            sweeps.flat_map(Sweep::experiments).count()
        };
        assert!(KERNELS.iter().all(|(kernel, _)| [false, true].map(|noisy| of(kernel, noisy)) == [100; 2]));
        for one in first[0].experiments() {
            ledger.append(&one, &undecided("x")).expect("written");
        }
        assert_eq!(left(&ledger, &all).len(), first.len() - 1);
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn where_comparisons_tell_too_little_others_follow() {
        let path = std::env::temp_dir().join(format!("benchbook-too-little-{}.csv", std::process::id()));
        let mut ledger = Ledger::open(&path, "cpu").expect("a ledger");
        let all = Selection::default();
        let spoilt = |sweep: &Sweep| sweep.noisy && sweep.kernel == "fused";
        let seeds = |sweeps: &[Sweep]| {
            assert!(sweeps.iter().all(spoilt), "all others are done: {sweeps:?}");
            sweeps.iter().map(|sweep| sweep.seed).collect::<Vec<_>>()
        };
        for sweep in left(&ledger, &all) {
            // Beside a neighbour, one case of this kernel keeps too few processes.
            for (place, one) in sweep.experiments().iter().enumerate() {
                let few = spoilt(&sweep) && place == 0;
                let told = if few { "few-replicates; 4 replicates" } else { "too-noisy; 6 replicates" };
                ledger.append(one, &undecided(told)).expect("written");
            }
        }
        // 25 comparisons are missing, four in a run.
        let more = left(&ledger, &all);
        assert_eq!(seeds(&more), (RUNS + 1..=RUNS + 7).collect::<Vec<_>>());
        for one in more.iter().flat_map(Sweep::experiments) {
            ledger.append(&one, &undecided("few-replicates; 4 replicates")).expect("written");
        }
        assert_eq!(seeds(&left(&ledger, &all)), (RUNS + 8..=RUNS + 14).collect::<Vec<_>>());
        for one in left(&ledger, &all).iter().flat_map(Sweep::experiments) {
            ledger.append(&one, &undecided("too-noisy; 10 replicates")).expect("written");
        }
        assert!(left(&ledger, &all).is_empty());
        std::fs::remove_file(&path).expect("removed");
    }
}
