//! What calibration runs hold: equal programs in the same blocks, and how often they are called different.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use benchbook_record::{RunRow, same_machine};
use benchbook_stats::verdict::{Rules, paired_verdict};
use benchbook_stats::{clopper_pearson, median, quantile};
use datafusion::common::exec_datafusion_err;

use crate::error::Result;
use crate::names::quoted;
use crate::session::Session;

/// The suite of every calibration run.
pub const CALIBRATION: &str = "calibration";

/// Replicates of one verdict on equal programs.
pub const CALIBRATION_GROUP: usize = 5;

/// Confidence level of a verdict, and of the interval of the rate of false ones.
const LEVEL: f64 = 0.95;

/// A number of each block, in order, by run and replicate.
pub type ByReplicate = BTreeMap<(String, i64), Vec<f64>>;

/// Two equal programs in samples of one length, on one machine.
#[derive(Debug, Clone, Default)]
pub struct EqualPrograms {
    /// The label of the case.
    pub case_name: String,
    /// Logarithms of the ratios of their times.
    pub log_ratios: ByReplicate,
    /// Times of the plain program, in nanoseconds.
    pub times_ns: ByReplicate,
}

/// How often equal programs are called different.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Median length of a sample, in nanoseconds.
    pub sample_ns: f64,
    /// Verdicts, each on [`CALIBRATION_GROUP`] replicates.
    pub verdicts: u64,
    /// Verdicts whose 95 % interval excluded 1, which is wrong.
    pub significant: u64,
    /// Lower bound of the rate of wrong ones (Clopper & Pearson, 95 %).
    pub rate_low: f64,
    /// Upper bound of that rate.
    pub rate_high: f64,
    /// The difference that 19 of 20 verdicts stay below, as a share.
    pub usual_difference: f64,
}

impl Accuracy {
    /// Whether equal programs were called different more often than the level promises.
    pub fn is_doubtful(&self) -> bool {
        self.rate_low > 1.0 - LEVEL
    }
}

impl EqualPrograms {
    /// How often they are called different; nothing where there is no whole verdict.
    ///
    /// # Errors
    /// Those of the statistics, where a number overflows.
    pub fn accuracy(&self) -> benchbook_stats::Result<Option<Accuracy>> {
        let rules = Rules { hierarchical_replicates: usize::MAX, ..Rules::default() };
        let mut by_run: BTreeMap<&str, Vec<&Vec<f64>>> = BTreeMap::new();
        for ((run, _), blocks) in &self.log_ratios {
            by_run.entry(run).or_default().push(blocks);
        }
        let (mut differences, mut significant) = (Vec::new(), 0);
        // A verdict never spans two runs.
        for group in by_run.values().flat_map(|replicates| replicates.chunks_exact(CALIBRATION_GROUP)) {
            let blocks: Vec<(i64, f64)> = (0..)
                .zip(group)
                .flat_map(|(number, blocks)| blocks.iter().map(move |ratio| (number, *ratio)))
                .collect();
            let verdict = paired_verdict(&blocks, &rules)?;
            let excludes = matches!((verdict.low, verdict.high), (Some(low), Some(high)) if low > 1.0 || high < 1.0);
            significant += u64::from(excludes);
            differences.push(verdict.ratio.ln().abs());
        }
        if differences.is_empty() {
            return Ok(None);
        }
        let verdicts = differences.len() as u64;
        let rate = clopper_pearson(significant, verdicts, LEVEL)?;
        let times: Vec<f64> = self.times_ns.values().flatten().copied().collect();
        Ok(Some(Accuracy {
            sample_ns: median(&times)?,
            verdicts,
            significant,
            rate_low: rate.low,
            rate_high: rate.high,
            usual_difference: quantile(&differences, 0.95)?.exp_m1(),
        }))
    }
}

impl Session {
    /// The ids of the calibration runs of machines like that of `like`.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn calibration_runs(&self, like: &RunRow) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for run_id in self.run_ids(&format!("suite = {}", quoted(CALIBRATION)))? {
            if same_machine(&self.store().run_row(&run_id)?, like) {
                found.push(run_id);
            }
        }
        Ok(found)
    }

    /// The equal programs of calibration runs, by the label of their case.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn equal_programs(&self, runs: &[String]) -> Result<Vec<EqualPrograms>> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let runs: Vec<String> = runs.iter().map(|run_id| quoted(run_id)).collect();
        let answer = self.sql(&format!(
            "SELECT case_name, run_id, replicate, log_ratio, baseline_time_ns FROM pairs WHERE run_id IN ({}) \
             AND baseline_implementation = 'plain' AND candidate_implementation = 'extra' \
             ORDER BY run_id, replicate, block",
            runs.join(", ")
        ))?;
        let mut cases: BTreeMap<String, EqualPrograms> = BTreeMap::new();
        for batch in &answer.batches {
            let (case_names, run_ids) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            let replicates = batch.column(2).as_primitive::<Int64Type>();
            let of = |column: &ArrayRef, row: usize| column.as_primitive::<Float64Type>().value(row);
            for row in 0..batch.num_rows() {
                let case_name = case_names.value(row);
                let case = cases.entry(case_name.to_owned()).or_default();
                let key = (run_ids.value(row).to_owned(), replicates.value(row));
                case.log_ratios.entry(key.clone()).or_default().push(of(batch.column(3), row));
                case.times_ns.entry(key).or_default().push(of(batch.column(4), row));
            }
        }
        Ok(cases.into_iter().map(|(case_name, one)| EqualPrograms { case_name, ..one }).collect())
    }

    /// What the calibrations of every machine show, with a run of it; only of machines where some are doubtful.
    pub(crate) fn doubtful_machines(&self) -> Result<Vec<(RunRow, Vec<Accuracy>)>> {
        let mut machines: Vec<(RunRow, Vec<String>)> = Vec::new();
        for run_id in self.run_ids(&format!("suite = {}", quoted(CALIBRATION)))? {
            let row = self.store().run_row(&run_id)?;
            match machines.iter_mut().find(|(known, _)| same_machine(known, &row)) {
                Some((_, runs)) => runs.push(run_id),
                None => machines.push((row, vec![run_id])),
            }
        }
        let mut doubtful = Vec::new();
        for (row, runs) in machines {
            let mut found = Vec::new();
            for programs in self.equal_programs(&runs)? {
                found.extend(programs.accuracy().map_err(|error| exec_datafusion_err!("a calibration: {error}"))?);
            }
            if found.iter().any(Accuracy::is_doubtful) {
                doubtful.push((row, found));
            }
        }
        Ok(doubtful)
    }

    /// The ids of the runs of which a condition holds.
    pub(crate) fn run_ids(&self, condition: &str) -> Result<Vec<String>> {
        let answer = self.sql(&format!("SELECT run_id FROM runs WHERE {condition}"))?;
        let ids = answer.batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
        Ok(ids.map(str::to_owned).collect())
    }
}
