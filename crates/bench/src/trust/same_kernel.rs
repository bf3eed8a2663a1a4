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

/// Processes that are compared; where the machine spoils those of a side, fewer are, and no verdict can be a false one.
pub const REPLICATES: u32 = 5;

/// Seconds that a run takes, about.
pub const SECONDS: f64 = 20.0;

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
            replicates: REPLICATES,
            seed: self.seed,
        }
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
        let Self { kernel, device, seed, .. } = self;
        format!(
            "suite = \"trust\"\nseed = {seed}\nthreads = 2\nreplicates = {REPLICATES}\ndevices = [\"{device}\"]\n\n\
             [sampling]\nblocks = 20\nmin_sample_ns = 1000000\nwarmup_ns = 50000000\n\n[[cases]]\n\
             workload = \"attention\"\nimplementations = [\"{kernel}\"]\nparams = {{ seq_q = {SEQUENCES:?} }}\n"
        )
    }
}

/// The runs of the selection that this machine has left, kernels and conditions in turn.
pub fn left(ledger: &Ledger, selection: &Selection) -> Vec<Sweep> {
    let mut sweeps = Vec::new();
    for seed in 1..=RUNS {
        for noisy in [false, true] {
            for (kernel, device) in KERNELS {
                let sweep = Sweep { kernel, device, noisy, seed };
                if sweep.experiments().iter().any(|one| selection.takes(one) && !ledger.has(one)) {
                    sweeps.push(sweep);
                }
            }
        }
    }
    sweeps
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
}
