//! What the record of the run holds: times, and ratios of paired blocks.

use std::collections::BTreeMap;
use std::path::Path;

use benchbook_measure::journal::{Result, Status, Table, rows_in};
use benchbook_stats::verdict::Rules;
use benchbook_stats::{Interval, geometric_mean, log_ratios, mean, median, paired_ratio};
use serde::Deserialize;

/// The implementations that are compared: the baseline, then the candidate.
pub const SIDES: [&str; 2] = ["naive", "fused"];

/// Level of the interval.
const LEVEL: f64 = 0.95;

#[derive(Debug, Clone, Deserialize)]
struct Trial {
    trial: i64,
    case_name: String,
    implementation: String,
    replicate: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Outcome {
    trial: Option<i64>,
    status: Status,
    stop_reason: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Sample {
    trial: i64,
    block: i64,
    iterations: i64,
    elapsed_ns: i64,
    valid: bool,
}

/// The rows of a run that has ended.
pub struct Record {
    trials: Vec<Trial>,
    outcomes: Vec<Outcome>,
    samples: Vec<Sample>,
}

/// What is known of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Label of the case.
    pub case: String,
    /// Time of a call on each of [`SIDES`] in nanoseconds: geometric mean over processes of their medians.
    pub times_ns: [Option<f64>; 2],
    /// How many times faster the candidate is, by paired blocks; nothing below the processes that an interval needs.
    pub speedup: Option<Interval>,
    /// Trials that did not end as planned, each with its reason.
    pub lost: Vec<String>,
}

/// Nanoseconds of a call by block, of each process.
type Processes = BTreeMap<i64, BTreeMap<i64, f64>>;

impl Record {
    /// Reads the run in a folder.
    ///
    /// # Errors
    /// Its journal cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let (trials, outcomes) = (rows_in(folder, Table::Trials)?, rows_in(folder, Table::Outcomes)?);
        Ok(Self { trials, outcomes, samples: rows_in(folder, Table::Samples)? })
    }

    /// What is known of a case.
    pub fn of_case(&self, case: &str) -> Row {
        let sides = SIDES.map(|name| self.processes(case, name));
        let times_ns = sides.each_ref().map(|side| {
            let medians = side.values().filter_map(|blocks| median(&blocks.values().copied().collect::<Vec<_>>()).ok());
            geometric_mean(&medians.collect::<Vec<_>>()).ok()
        });
        let ratios = log_ratios_of(&sides);
        let enough = ratios.len() >= Rules::default().student_replicates;
        let speedup = if enough { paired_ratio(&ratios, LEVEL).ok() } else { None };
        let lost = self.trials.iter().filter(|trial| trial.case_name == case).filter_map(|trial| self.reason(trial));
        Row { case: case.to_owned(), times_ns, speedup, lost: lost.collect() }
    }

    /// The processes of an implementation whose trial of a case ended as planned.
    fn processes(&self, case: &str, name: &str) -> Processes {
        let of = |trial: &&Trial| trial.case_name == case && trial.implementation == name;
        let whole = self.trials.iter().filter(of).filter(|trial| self.reason(trial).is_none());
        let blocks = |trial: &Trial| -> BTreeMap<i64, f64> {
            let samples = self.samples.iter().filter(|sample| sample.valid && sample.trial == trial.trial);
            samples.map(|sample| (sample.block, sample.elapsed_ns as f64 / sample.iterations.max(1) as f64)).collect()
        };
        whole.map(|trial| (trial.replicate, blocks(trial))).collect()
    }

    /// Why a trial does not count; nothing where it ended as planned, which is after its second check.
    fn reason(&self, trial: &Trial) -> Option<String> {
        let ended = self.outcomes.iter().find(|outcome| outcome.trial == Some(trial.trial));
        let reason = match ended {
            Some(Outcome { status: Status::Ok, .. }) => return None,
            Some(Outcome { stop_reason, status, .. }) => stop_reason.clone().unwrap_or_else(|| format!("{status:?}")),
            None => "it never ended".to_owned(),
        };
        Some(format!("{}, process {}: {reason}", trial.implementation, trial.replicate))
    }
}

/// The mean log ratio of the blocks that both sides have, of each process that both sides have.
fn log_ratios_of([baseline, candidate]: &[Processes; 2]) -> Vec<f64> {
    let of_process = |(replicate, baseline): (&i64, &BTreeMap<i64, f64>)| {
        let candidate = candidate.get(replicate)?;
        let pairs = baseline.iter().filter_map(|(block, time)| Some((*time, *candidate.get(block)?)));
        let (baseline, candidate): (Vec<f64>, Vec<f64>) = pairs.unzip();
        mean(&log_ratios(&candidate, &baseline).ok()?).ok()
    };
    baseline.iter().filter_map(of_process).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two implementations in `processes` processes of two blocks each: the second takes a third of the time.
    fn record(processes: i64) -> Record {
        let mut record = Record { trials: Vec::new(), outcomes: Vec::new(), samples: Vec::new() };
        for replicate in 0..processes {
            for (side, implementation) in SIDES.into_iter().enumerate() {
                let trial = 2 * replicate + side as i64;
                let (case_name, implementation) = ("s512".to_owned(), implementation.to_owned());
                record.trials.push(Trial { trial, case_name, implementation, replicate });
                record.outcomes.push(Outcome { trial: Some(trial), status: Status::Ok, stop_reason: None });
                for block in [2 * replicate, 2 * replicate + 1] {
                    // Blocks and processes differ by far more than the sides; paired, that cancels, but for the last bit.
                    let ns = if side == 0 { 30_000 } else { 10_000 };
                    let elapsed_ns = (1 + replicate) * (1 + block) * ns + replicate;
                    record.samples.push(Sample { trial, block, iterations: 10, elapsed_ns, valid: true });
                }
            }
        }
        record
    }

    #[test]
    fn ratios_are_of_paired_blocks_and_intervals_over_processes() {
        let row = record(5).of_case("s512");
        let speedup = row.speedup.expect("five processes");
        assert!((speedup.estimate - 3.0).abs() < 1e-3 && speedup.high - speedup.low < 1e-3, "{speedup:?}");
        assert!(row.times_ns[0] > row.times_ns[1] && row.lost.is_empty(), "{row:?}");
        assert_eq!(record(4).of_case("s512").speedup, None, "too few for an interval");
        assert_eq!(record(5).of_case("s64").times_ns, [None, None]);
    }

    #[test]
    fn a_trial_that_did_not_end_well_is_left_out_and_named() {
        let mut record = record(6);
        record.outcomes[2] =
            Outcome { status: Status::Invalid, stop_reason: Some("noise".into()), ..record.outcomes[2].clone() };
        record.samples.iter_mut().filter(|sample| sample.trial == 2).for_each(|sample| sample.elapsed_ns *= 1_000);
        record.samples[0].elapsed_ns *= 1_000;
        record.samples[0].valid = false;
        let row = record.of_case("s512");
        assert!((row.speedup.expect("five processes").estimate - 3.0).abs() < 1e-3, "{row:?}");
        assert_eq!(row.lost, ["naive, process 1: noise"]);
        record.outcomes.truncate(1);
        assert_eq!(record.of_case("s512").lost.len(), 11, "a trial without an end does not count");
    }
}
