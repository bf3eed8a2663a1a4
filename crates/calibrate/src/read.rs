//! What calibration runs say: how often equal programs are called different, and what can be seen in a given time.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use benchbook_measure::record::{RunRow, same_machine};
use benchbook_query::{Answer, Session};
use benchbook_stats::plan::{Components, Costs, components, detectable_after, half_width_after};
use benchbook_stats::verdict::{Rules, paired_verdict};
use benchbook_stats::{clopper_pearson, median, quantile, std_dev};

use crate::plan::{GROUP, SUITE};
use crate::{Error, Result};

/// Times for which the minimum detectable effect is given, in seconds.
pub const SECONDS: [f64; 3] = [1.0, 10.0, 60.0];

/// Power at which effects are said to be detectable.
const POWER: f64 = 0.9;

/// Confidence level of every interval here.
const LEVEL: f64 = 0.95;

/// What one length of sample shows on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Label of the case.
    pub case_name: String,
    /// Median length of a sample, in nanoseconds.
    pub sample_ns: f64,
    /// Spread (standard deviation) of single samples within a process, as a share of their time.
    pub noise_floor: f64,
    /// Verdicts, each on five replicates of equal programs.
    pub verdicts: u64,
    /// Verdicts whose 95 % interval excluded 1, which is wrong.
    pub significant: u64,
    /// Share of such verdicts: the false-positive rate.
    pub false_positive_rate: f64,
    /// Exact (Clopper–Pearson) bounds of that rate, 95 %.
    pub rate_low: f64,
    /// See `rate_low`.
    pub rate_high: f64,
    /// The difference between equal programs that 19 of 20 verdicts stay below, as a share.
    pub usual_difference: f64,
    /// The effect that is found nine times in ten within each of [`SECONDS`], as a share.
    pub detectable: [Option<f64>; 3],
    /// What replicates and blocks vary and cost; nothing where the samples are too few to tell.
    pub spread: Option<(Components, Costs)>,
}

impl Calibration {
    /// The time that a half-width (a share) takes on this machine for work as steady as that of the calibration, in
    /// seconds: at least that long for real kernels. Nothing above a day.
    pub fn seconds_for(&self, half_width: f64) -> Option<f64> {
        const DAY_S: f64 = 86_400.0;
        let (components, costs) = self.spread.as_ref()?;
        let enough = |seconds: f64| {
            half_width_after(components, costs, seconds * 1e9, LEVEL).is_ok_and(|reached| reached <= half_width.ln_1p())
        };
        let mut seconds = 0.1;
        while !enough(seconds) {
            seconds *= 1.1;
            if seconds > DAY_S {
                return None;
            }
        }
        Some(seconds)
    }
}

/// Log ratios and times of one case.
#[derive(Default)]
struct Samples {
    /// By run and replicate: log ratios of its blocks in order.
    replicates: BTreeMap<(String, i64), Vec<f64>>,
    /// By run and replicate: times of the plain program, in nanoseconds.
    times: BTreeMap<(String, i64), Vec<f64>>,
}

/// What every calibration run of a machine like that of `like` shows, shortest samples first; empty where it was
/// never calibrated.
///
/// # Errors
/// The store cannot be asked, or holds what no calibration writes.
pub fn read(session: &Session, like: &RunRow) -> Result<Vec<Calibration>> {
    let runs = session.sql(&format!("SELECT run_id FROM runs WHERE suite = '{SUITE}'"))?;
    let mut of_machine = Vec::new();
    for batch in &runs.batches {
        for run_id in text(batch.column(0))?.iter().flatten() {
            if same_machine(&session.store().run_row(run_id)?, like) {
                of_machine.push(format!("'{run_id}'"));
            }
        }
    }
    if of_machine.is_empty() {
        return Ok(Vec::new());
    }
    let condition = &format!("AND r.run_id IN ({})", of_machine.join(", "));
    let blocks = session.sql(&format!(
        "SELECT p.case_name, p.run_id, p.replicate, p.log_ratio, p.baseline_time_ns FROM pairs p JOIN runs r \
         ON p.run_id = r.run_id WHERE r.suite = '{SUITE}' AND p.baseline_implementation = 'plain' \
         AND p.candidate_implementation = 'extra' {condition} ORDER BY p.run_id, p.replicate, p.block"
    ))?;
    let costs = costs(session, condition)?;
    let mut found = Vec::new();
    for (case_name, samples) in by_case(&blocks)? {
        let costs = costs.get(&case_name).copied();
        found.extend(samples.figures(case_name, costs)?);
    }
    found.sort_by(|a, b| a.sample_ns.total_cmp(&b.sample_ns));
    Ok(found)
}

/// What a replicate and a block have cost, by case: from the first request of a replicate to its first sample, and
/// from a sample to the next one of the same trial.
fn costs(session: &Session, condition: &str) -> Result<BTreeMap<String, Costs>> {
    let answer = session.sql(&format!(
        "WITH one AS (SELECT t.run_id, t.case_name, t.replicate, t.trial, max(o.prepare_ns) AS prepare_ns, \
         CAST(max(s.started_ns) - min(s.started_ns) AS DOUBLE) / nullif(count(*) - 1, 0) AS block_ns \
         FROM trials t JOIN runs r ON t.run_id = r.run_id JOIN samples s ON s.run_id = t.run_id AND s.trial = t.trial \
         JOIN outcomes o ON o.run_id = t.run_id AND o.trial = t.trial WHERE r.suite = '{SUITE}' {condition} \
         GROUP BY t.run_id, t.case_name, t.replicate, t.trial) \
         SELECT case_name, 2 * avg(prepare_ns) AS process_ns, avg(block_ns) AS block_ns FROM one GROUP BY case_name"
    ))?;
    let mut costs = BTreeMap::new();
    for batch in &answer.batches {
        let names = text(batch.column(0))?;
        let (process, block) = (floats(batch.column(1))?, floats(batch.column(2))?);
        for row in (0..batch.num_rows()).filter(|row| process.is_valid(*row) && block.is_valid(*row)) {
            let one = Costs { process_ns: process.value(row).max(1.0), block_ns: block.value(row).max(1.0) };
            costs.insert(names.value(row).to_owned(), one);
        }
    }
    Ok(costs)
}

fn by_case(answer: &Answer) -> Result<BTreeMap<String, Samples>> {
    let mut cases: BTreeMap<String, Samples> = BTreeMap::new();
    for batch in &answer.batches {
        let (cases_of, runs) = (text(batch.column(0))?, text(batch.column(1))?);
        let replicates = batch.column(2).as_primitive_opt::<Int64Type>().ok_or_else(|| shape("replicate"))?;
        let (ratios, times) = (floats(batch.column(3))?, floats(batch.column(4))?);
        for row in 0..batch.num_rows() {
            let case = cases.entry(cases_of.value(row).to_owned()).or_default();
            let key = (runs.value(row).to_owned(), replicates.value(row));
            case.replicates.entry(key.clone()).or_default().push(ratios.value(row));
            case.times.entry(key).or_default().push(times.value(row));
        }
    }
    Ok(cases)
}

impl Samples {
    /// The figures of one case; nothing where it has no whole verdict.
    fn figures(&self, case_name: String, costs: Option<Costs>) -> Result<Option<Calibration>> {
        let rules = Rules { hierarchical_replicates: usize::MAX, ..Rules::default() };
        let mut verdicts = Vec::new();
        // A verdict never spans two runs.
        let runs: Vec<Vec<&Vec<f64>>> = self.by_run();
        for group in runs.iter().flat_map(|replicates| replicates.chunks_exact(GROUP)) {
            let blocks: Vec<(i64, f64)> = (0..)
                .zip(group)
                .flat_map(|(number, blocks)| blocks.iter().map(move |ratio| (number, *ratio)))
                .collect();
            let verdict = paired_verdict(&blocks, &rules)?;
            let excludes = matches!((verdict.low, verdict.high), (Some(low), Some(high)) if low > 1.0 || high < 1.0);
            verdicts.push((excludes, verdict.ratio.ln().abs()));
        }
        if verdicts.is_empty() {
            return Ok(None);
        }
        let count = verdicts.len() as u64;
        let significant = verdicts.iter().filter(|(excludes, _)| *excludes).count() as u64;
        let differences: Vec<f64> = verdicts.iter().map(|(_, difference)| *difference).collect();
        let rate = clopper_pearson(significant, count, LEVEL)?;
        let spread = self.spread(costs);
        let times: Vec<f64> = self.times.values().flatten().copied().collect();
        Ok(Some(Calibration {
            case_name,
            sample_ns: median(&times)?,
            noise_floor: self.noise_floor()?,
            verdicts: count,
            significant,
            false_positive_rate: significant as f64 / count as f64,
            rate_low: rate.low,
            rate_high: rate.high,
            usual_difference: quantile(&differences, 0.95)?.exp_m1(),
            detectable: detectable(spread.as_ref()),
            spread,
        }))
    }

    fn by_run(&self) -> Vec<Vec<&Vec<f64>>> {
        let mut runs: BTreeMap<&str, Vec<&Vec<f64>>> = BTreeMap::new();
        for ((run, _), blocks) in &self.replicates {
            runs.entry(run).or_default().push(blocks);
        }
        runs.into_values().collect()
    }

    /// Median over processes of the standard deviation of log times within one.
    fn noise_floor(&self) -> Result<f64> {
        let logs = |times: &Vec<f64>| times.iter().map(|time| time.ln()).collect::<Vec<f64>>();
        let spreads: Vec<f64> = self
            .times
            .values()
            .filter(|times| times.len() > 1)
            .map(|times| std_dev(&logs(times)))
            .collect::<benchbook_stats::Result<_>>()?;
        Ok(if spreads.is_empty() { 0.0 } else { median(&spreads)? })
    }

    fn spread(&self, costs: Option<Costs>) -> Option<(Components, Costs)> {
        let replicates: Vec<&[f64]> =
            self.replicates.values().map(Vec::as_slice).filter(|blocks| blocks.len() > 1).collect();
        components(&replicates).ok().zip(costs)
    }
}

fn detectable(spread: Option<&(Components, Costs)>) -> [Option<f64>; 3] {
    SECONDS.map(|seconds| {
        let (components, costs) = spread?;
        detectable_after(components, costs, seconds * 1e9, LEVEL, POWER).ok().map(f64::exp_m1)
    })
}

fn text(column: &arrow::array::ArrayRef) -> Result<&arrow::array::StringArray> {
    column.as_string_opt::<i32>().ok_or_else(|| shape("text"))
}

fn floats(column: &arrow::array::ArrayRef) -> Result<&arrow::array::Float64Array> {
    column.as_primitive_opt::<Float64Type>().ok_or_else(|| shape("a number"))
}

fn shape(what: &str) -> Error {
    Error::Shape(format!("{what} was expected"))
}
