//! Whoever measures trials: a worker process, or this process.

use std::time::Duration;

use benchbook_core::message::Description;
use benchbook_core::{CacheRegime, Case, Comparison, Metric, Params, Variant};
use benchbook_journal::Isolation;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::disturbance::Disturbance;
use crate::steps::Steps;

/// How long a worker may think about names and parameters.
pub(crate) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Name of the metric of what a call adds to memory at its highest, beside its inputs.
pub(crate) const PEAK_ADDED: &str = "peak_added_bytes";

/// Name of the metric of how far outputs are from the exact answer on the average, as a share of it.
pub(crate) const MEAN_ERROR: &str = "mean_error";

/// Name of the metric of how many threads worked at a time, where these were more than a trial was given.
pub(crate) const THREADS_AT_WORK: &str = "threads_at_work";

/// Name of the metric of the time that both checks of a trial have waited for right answers; 0 where they were known.
pub(crate) const REFERENCE_NS: &str = "reference_ns";

/// Measures trials, a step at a time.
///
/// What a kernel cannot do is [`crate::Error::Unsupported`], and what it fails at [`crate::Error::Failed`]: its trial ends,
/// and the executor goes on. After [`crate::Error::WorkerLost`] it is of no further use.
pub trait Executor {
    /// Sets up a trial, checks it, warms it up, and chooses its iterations. One that is wrong cannot be sampled.
    ///
    /// # Errors
    /// As described above.
    fn prepare(&mut self, trial: &Trial, timeout: Duration) -> Result<Prepared>;

    /// Gets ready for the next sample of a prepared trial as far as that disturbs nobody: others may come to rest meanwhile.
    fn draw(&mut self, _trial: i64) {}

    /// Takes one sample of a prepared trial. Everybody is at rest.
    ///
    /// # Errors
    /// As described above.
    fn sample(&mut self, trial: i64, timeout: Duration) -> Result<Sampled>;

    /// Waits until all that it has stirred is at rest; whether it is. Where nothing has been done since the last time, it is.
    fn rest(&mut self) -> bool;

    /// Checks a trial once more and drops it.
    ///
    /// # Errors
    /// As described above.
    fn finish(&mut self, trial: i64, timeout: Duration) -> Result<Finished>;

    /// Starts the process that is asked for the next trial's memory: those of several executors start side by side.
    ///
    /// # Errors
    /// It cannot be started.
    fn begin_memory(&mut self) -> Result<()> {
        Ok(())
    }

    /// What a call of a trial adds to the memory of a process that keeps nothing of what it frees, at its highest, in bytes;
    /// nothing where it cannot be read. [`Executor::begin_memory`] goes before.
    ///
    /// # Errors
    /// As described above.
    fn memory(&mut self, trial: &Trial, timeout: Duration) -> Result<Option<u64>>;

    /// Begins to end its process, where it has one, so that several end side by side before each is dropped. It is of no further
    /// use.
    fn let_go(&mut self) {}

    /// Whether a replicate has a process of its own.
    fn isolation(&self) -> Isolation;

    /// Process id of the worker, where there is one.
    fn pid(&self) -> Option<u32>;
}

/// A trial, as an executor needs to know it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Number of the trial in its run.
    pub trial: i64,
    /// What to solve.
    pub case: Case,
    /// How.
    pub variant: Variant,
    /// Hot or cold inputs.
    pub cache: CacheRegime,
    /// Seed of the inputs.
    pub input_seed: u64,
    /// Least length of a sample in nanoseconds.
    pub min_sample_ns: u64,
    /// Least length of the warm-up in nanoseconds.
    pub warmup_ns: u64,
    /// Whether the inputs are sent to the worker, which cannot make them.
    #[serde(skip)]
    pub sent: bool,
    /// Whether its worker may say what it gives where it is right, since it is an approximation.
    #[serde(skip)]
    pub approximates: bool,
}

/// What is known of a trial that is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// The check before timing, a comparison for each output.
    #[serde(with = "crate::old::one_or_many")]
    pub check: Vec<Comparison>,
    /// The largest scaled error that passes, of an output that has no tolerance of its own.
    pub tolerance: f64,
    /// Floating-point operations of one call.
    pub flops: f64,
    /// Bytes one call must move at least.
    pub bytes: f64,
    /// Calls per sample.
    pub iterations: u64,
    /// Calls made during warm-up.
    pub warmup_iterations: u64,
    /// Whether the times of the warm-up had settled at its end; nothing where its calls were too few to say.
    pub settled: Option<bool>,
    /// From the request to readiness, in nanoseconds.
    pub prepare_ns: i64,
    /// Whether what a call adds to memory can be seen in a process alone that keeps nothing of what it frees.
    #[serde(default)]
    pub memory_elsewhere: bool,
    /// Whether the process came to rest, where its worker has waited for that itself.
    #[serde(default = "yes")]
    pub rested: bool,
    /// Copies of the inputs that calls rotate through.
    pub copies: u64,
    /// Version of the engine with the instructions that it took, known where it ran; nothing from a worker that does not
    /// tell.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// What else is known of the trial; protocol 2 calls it `figures`.
    #[serde(default, rename = "figures")]
    pub metrics: Vec<Metric>,
    /// Time spent on the right answers, in nanoseconds; nothing where the worker has computed them itself.
    #[serde(skip)]
    pub reference_ns: Option<i64>,
}

/// One timed sample; times are nanoseconds of the system's monotonic clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// Calls in the sample.
    pub iterations: i64,
    /// Elapsed time of all calls.
    pub elapsed_ns: i64,
    /// When the sample began.
    pub started_ns: i64,
    /// User time of all threads during the sample. The sum with system time is exact (by the threads' own clocks), its parts
    /// are as the system counts them, at ticks.
    pub cpu_user_ns: i64,
    /// System time of all threads during the sample.
    pub cpu_system_ns: i64,
    /// What else happened meanwhile that spoils the sample.
    pub disturbed: Option<Disturbance>,
    /// Whether the process came to rest afterwards, where that was waited for: if not, it disturbs what comes next.
    #[serde(default = "yes")]
    pub rested: bool,
    /// The steps of which it consists, where it is a loop.
    #[serde(skip)]
    pub steps: Option<Steps>,
}

/// What is not said by workers that do not know of it.
fn yes() -> bool {
    true
}

/// What has come of the check after timing.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// A comparison for each output.
    pub check: Vec<Comparison>,
    /// Time spent on the right answers, in nanoseconds; nothing where the worker has computed them itself.
    pub reference_ns: Option<i64>,
    /// What the trial has to say of itself after all its calls.
    pub metrics: Vec<Metric>,
}

/// Whether every output is right, where each is allowed `tolerance` but those that have their own; where nothing was compared,
/// nothing is.
pub(crate) fn passes(check: &[Comparison], tolerance: f64) -> bool {
    !check.is_empty() && check.iter().all(|output| output.passes(tolerance))
}

/// Makes executors: a fresh process for each variant and replicate, or this one for all.
pub trait Spawn {
    /// A fresh executor for each of these variants, in their order: its pools have the variant's threads, it comes from the
    /// variant's build. They start side by side.
    ///
    /// # Errors
    /// In its place, [`crate::Error::Spawn`] where no worker can be started, or that it has not greeted.
    fn spawn(&mut self, variants: &[Variant]) -> Vec<Result<Box<dyn Executor>>>;
}

/// Whoever can be asked what there is to measure.
pub trait Offers {
    /// What exists and what of it runs here.
    ///
    /// # Errors
    /// The worker is lost.
    fn describe(&mut self) -> Result<Description>;

    /// The cases that parameters mean, each in the place of those of a preset.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] for unknown names and wrong types; the worker is lost.
    fn resolve(&mut self, workload: &str, preset: Option<&str>, combinations: &[Params]) -> Result<Cases>;
}

/// What parameters mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cases {
    /// Those that are cases.
    pub cases: Vec<Case>,
    /// Those that make no sense, and why.
    pub impossible: Vec<(Params, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_has_to_be_right() {
        let check = |errors: &[f64]| {
            let one = |error: &f64| Comparison {
                output: None,
                max_abs_error: 0.0,
                max_scaled_error: *error,
                rows_checked: 1,
                tolerance: None,
            };
            passes(&errors.iter().map(one).collect::<Vec<_>>(), 0.5)
        };
        assert_eq!([check(&[0.5]), check(&[0.0, 0.5, 0.1])], [true; 2]);
        assert_eq!([check(&[]), check(&[0.0, 0.6]), check(&[f64::INFINITY, 0.0]), check(&[f64::NAN])], [false; 4]);
    }
}
