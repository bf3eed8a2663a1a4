//! What calibration runs say: how often equal programs are called different, and what can be seen in a given time.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use benchbook_query::{EqualPrograms, Session, quoted};
use benchbook_record::RunRow;
use benchbook_stats::plan::{Components, Costs, components, half_width_after, minimum_detectable_effect_after};
use benchbook_stats::{median, std_dev};

use crate::{Error, Result};

/// Times for which the minimum detectable effect is given, in seconds.
pub const SECONDS: [f64; 3] = [1.0, 10.0, 60.0];

/// Power at which the minimum detectable effect is stated.
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
    /// The minimum detectable effect within each of [`SECONDS`], found nine times in ten, as a share.
    pub minimum_detectable_effect: [Option<f64>; 3],
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

/// What every calibration run of a machine like that of `like` shows, shortest samples first; empty where it was
/// never calibrated.
///
/// # Errors
/// The store cannot be asked, or holds what no calibration writes.
pub fn read(session: &Session, like: &RunRow) -> Result<Vec<Calibration>> {
    let runs = session.calibration_runs(like)?;
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let costs = costs(session, &runs)?;
    let mut found = Vec::new();
    for programs in session.equal_programs(&runs)? {
        let costs = costs.get(&programs.case_name).copied();
        found.extend(shown(programs, costs)?);
    }
    found.sort_by(|a, b| a.sample_ns.total_cmp(&b.sample_ns));
    Ok(found)
}

/// What a replicate and a block have cost, by case: from the first request of a replicate to its first sample, and
/// from a sample to the next one of the same trial.
fn costs(session: &Session, runs: &[String]) -> Result<BTreeMap<String, Costs>> {
    let runs: Vec<String> = runs.iter().map(|run_id| quoted(run_id)).collect();
    let answer = session.sql(&format!(
        "WITH one AS (SELECT t.run_id, t.case_name, t.replicate, t.trial, max(o.prepare_ns) AS prepare_ns, \
         CAST(max(s.started_ns) - min(s.started_ns) AS DOUBLE) / nullif(count(*) - 1, 0) AS block_ns \
         FROM trials t JOIN samples s ON s.run_id = t.run_id AND s.trial = t.trial \
         JOIN outcomes o ON o.run_id = t.run_id AND o.trial = t.trial WHERE t.run_id IN ({}) \
         GROUP BY t.run_id, t.case_name, t.replicate, t.trial) \
         SELECT case_name, 2 * avg(prepare_ns) AS process_ns, avg(block_ns) AS block_ns FROM one GROUP BY case_name",
        runs.join(", ")
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

/// What one case shows; nothing where it has no whole verdict.
fn shown(programs: EqualPrograms, costs: Option<Costs>) -> Result<Option<Calibration>> {
    let Some(accuracy) = programs.accuracy()? else { return Ok(None) };
    let spread = spread(&programs, costs);
    Ok(Some(Calibration {
        noise_floor: noise_floor(&programs)?,
        case_name: programs.case_name,
        sample_ns: accuracy.sample_ns,
        verdicts: accuracy.verdicts,
        significant: accuracy.significant,
        false_positive_rate: accuracy.significant as f64 / accuracy.verdicts as f64,
        rate_low: accuracy.rate_low,
        rate_high: accuracy.rate_high,
        usual_difference: accuracy.usual_difference,
        minimum_detectable_effect: minimum_detectable_effect(spread.as_ref()),
        spread,
    }))
}

/// Median over processes of the standard deviation of log times within one.
fn noise_floor(programs: &EqualPrograms) -> Result<f64> {
    let logs = |times: &Vec<f64>| times.iter().map(|time| time.ln()).collect::<Vec<f64>>();
    let spreads: Vec<f64> = programs
        .times_ns
        .values()
        .filter(|times| times.len() > 1)
        .map(|times| std_dev(&logs(times)))
        .collect::<benchbook_stats::Result<_>>()?;
    Ok(if spreads.is_empty() { 0.0 } else { median(&spreads)? })
}

fn spread(programs: &EqualPrograms, costs: Option<Costs>) -> Option<(Components, Costs)> {
    let replicates: Vec<&[f64]> =
        programs.log_ratios.values().map(Vec::as_slice).filter(|blocks| blocks.len() > 1).collect();
    components(&replicates).ok().zip(costs)
}

fn minimum_detectable_effect(spread: Option<&(Components, Costs)>) -> [Option<f64>; 3] {
    SECONDS.map(|seconds| {
        let (components, costs) = spread?;
        minimum_detectable_effect_after(components, costs, seconds * 1e9, LEVEL, POWER).ok().map(f64::exp_m1)
    })
}

fn text(column: &arrow::array::ArrayRef) -> Result<&arrow::array::StringArray> {
    column.as_string_opt::<i32>().ok_or_else(|| shape("text"))
}

fn floats(column: &arrow::array::ArrayRef) -> Result<&arrow::array::Float64Array> {
    column.as_primitive_opt::<Float64Type>().ok_or_else(|| shape("a number"))
}

fn shape(what: &str) -> Error {
    Error::Calibration(format!("{what} was expected"))
}
