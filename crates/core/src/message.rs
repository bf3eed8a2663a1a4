//! What controller and worker say to each other; ARCHITECTURE.md describes it under *The wire*.
//!
//! `benchbook-measure` puts these into frames. Arrays travel beside them.

use serde::{Deserialize, Serialize};

use crate::{
    Case, Check, DType, INPUT_SEEDS, KnobInfo, Knobs, Metric, ParamSpec, Params, Rounding, Task, Tolerance, Work,
};

/// Version of the wire; both sides must speak the same.
pub const PROTOCOL: u32 = 3;

/// From the controller to a worker. Each has one answer; any may be answered by [`Say::Failed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// What exists and what runs here?
    Describe,
    /// Turn these parameters into cases of a workload that the worker owns.
    Resolve {
        /// Name of the workload.
        workload: String,
        /// Name of a preset whose cases the parameters override.
        #[serde(default)]
        preset: Option<String>,
        /// Parameters of each case.
        combinations: Vec<Params>,
    },
    /// Say what is known of a case, beside its answers, of a workload that the worker owns.
    Pose {
        /// Name of the workload.
        workload: String,
        /// Parameters of the case.
        params: Params,
        /// What is computed in.
        dtype: DType,
        /// Seed of the inputs.
        seed: u64,
    },
    /// Say the right answers to a case of a workload that the worker owns.
    Reference {
        /// Name of the workload.
        workload: String,
        /// Parameters of the case.
        params: Params,
        /// Seed of the inputs.
        seed: u64,
        /// Inputs that are those of another seed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        others: Option<Others>,
    },
    /// Say what an approximation gives where it is right, with the inputs of this seed in the place of all that can be
    /// overwritten. Where inputs are sent, those that take the place of others come along.
    Approximation {
        /// The trial.
        trial: i64,
        /// Seed of the inputs.
        seed: u64,
    },
    /// Set up a trial and make one call.
    Prepare(Box<Prepare>),
    /// Make calls of a prepared trial, and time the last of them.
    Run {
        /// The trial.
        trial: i64,
        /// Calls that are timed, together.
        iterations: u64,
        /// Calls before anything is overwritten, which are not timed.
        #[serde(default)]
        before: u64,
        /// What the array `values` overwrites in every copy of the inputs, right before the calls that are timed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        write: Option<Place>,
        /// Of a loop, which is the one call that is timed then, the most steps that it may make.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<usize>,
    },
    /// Count what a call of a prepared trial allocates.
    Allocations {
        /// The trial.
        trial: i64,
    },
    /// Overwrite all inputs that can be, make one call, give its outputs, and drop the trial.
    Finish {
        /// The trial.
        trial: i64,
        /// Seed of the inputs that take the place of the others.
        seed: u64,
    },
    /// Say what a call of a trial adds to the memory of this process, which keeps nothing of what it frees.
    Memory(Box<Prepare>),
    /// Drop a trial.
    Drop {
        /// The trial.
        trial: i64,
    },
}

/// A trial as a worker needs to know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepare {
    /// Number of the trial in its run.
    pub trial: i64,
    /// Name of the workload.
    pub workload: String,
    /// Label of the case.
    pub case: String,
    /// Every parameter of the workload.
    pub params: Params,
    /// Name of the implementation.
    pub implementation: String,
    /// Name of the device.
    pub device: String,
    /// What is computed in.
    pub dtype: DType,
    /// Threads of every pool.
    pub threads: usize,
    /// Copies of the inputs that the calls take in turn.
    pub copies: usize,
    /// Seed of the inputs.
    pub seed: u64,
}

/// Inputs that are those of another seed than the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// The seed.
    pub seed: u64,
    /// Names of the inputs.
    pub inputs: Vec<String>,
}

/// A row of an input's last axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Name of the input.
    pub input: String,
    /// Number of the row.
    pub row: usize,
}

/// From a worker to its controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Say {
    /// First words of a worker.
    Hello {
        /// See [`PROTOCOL`].
        protocol: u32,
        /// Version of the worker.
        version: String,
        /// Process id.
        pid: u32,
        /// Build profile of the kernels, where they are compiled with the worker.
        #[serde(default = "release")]
        profile: String,
        /// Whether the kernels were compiled with debug assertions: their times are then worthless.
        #[serde(default)]
        debug_assertions: bool,
    },
    /// Answer to [`Ask::Describe`].
    Description(Box<Description>),
    /// Answer to [`Ask::Resolve`].
    Cases {
        /// The combinations that are cases.
        cases: Vec<Case>,
        /// Those that make no sense, and why.
        #[serde(default)]
        impossible: Vec<(Params, String)>,
    },
    /// Answer to [`Ask::Pose`].
    Posed(Facts),
    /// Answer to [`Ask::Reference`] and [`Ask::Approximation`]; the numbers of each answer are the array of its name.
    Answers {
        /// What is said of each, in the order of the outputs.
        answers: Vec<AnswerInfo>,
    },
    /// Answer to [`Ask::Approximation`] of an implementation whose inputs are sent: each array holds numbers in `f32` that are
    /// computed with in the place of the input of its name. What is right beside them the controller finds out by itself.
    StandsFor {
        /// How the left factors of products are rounded on the way, where they are and where inputs do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rounding: Option<Rounding>,
    },
    /// There is no such answer: what is asked about is no approximation, or nobody counts.
    None,
    /// Answer to [`Ask::Prepare`]: the trial can be run. The arrays are the outputs of its first call.
    Prepared {
        /// Version of the engine with the instructions that it took, where it tells.
        #[serde(default)]
        engine_version: Option<String>,
        /// What the implementation has to say of itself on this case.
        #[serde(default, alias = "figures")]
        metrics: Vec<Metric>,
        /// Inputs whose rows can be overwritten in place.
        #[serde(default)]
        writable: Vec<Writable>,
        /// Other processes that compute for the trial.
        #[serde(default)]
        processes: Vec<u32>,
        /// How it is known what a call adds to memory; nothing where it is not.
        #[serde(default)]
        memory: Option<MemoryFrom>,
        /// What the first call added to memory at its highest, in bytes, where it is counted.
        #[serde(default)]
        peak_added_bytes: Option<u64>,
        /// Digest of the inputs that it has made, if it tells: a build that makes others has other right answers.
        #[serde(default)]
        inputs: Option<String>,
    },
    /// Answer to [`Ask::Prepare`]: the implementation cannot take this case here, and says why.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// Answer to [`Ask::Run`]; of a loop, the arrays tell of its steps.
    Ran(Ran),
    /// Answer to [`Ask::Allocations`].
    Allocations {
        /// How often memory was allocated.
        count: u64,
        /// How much, in bytes.
        bytes: u64,
    },
    /// Answer to [`Ask::Finish`]; the arrays are the outputs.
    Finished {
        /// What the trial has to say of itself now that all its calls were made, such as the clock that a GPU had.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        metrics: Vec<Metric>,
    },
    /// Answer to [`Ask::Memory`].
    Memory {
        /// What a call adds to resident memory at its highest, in bytes, where it can be read.
        #[serde(default)]
        peak_added_bytes: Option<u64>,
    },
    /// Answer to [`Ask::Drop`].
    Dropped,
    /// What was asked for could not be done; the worker goes on.
    Failed {
        /// Why.
        message: String,
    },
}

/// What is not compiled with its worker is taken as its makers have built it.
fn release() -> String {
    "release".into()
}

/// What is known of a case beside its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What one call costs at least.
    pub work: Work,
    /// The largest scaled error that passes.
    #[serde(with = "crate::number")]
    pub tolerance: f64,
    /// What single outputs are allowed in the place of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerances: Vec<Tolerance>,
    /// Size of one copy of the inputs, in bytes.
    pub input_bytes: usize,
    /// What one sample is.
    #[serde(default)]
    pub task: Task,
    /// What else is known.
    #[serde(default, alias = "figures")]
    pub metrics: Vec<Metric>,
}

/// What is said of an answer, beside its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerInfo {
    /// Name of the output.
    pub name: String,
    /// Shape of the full output.
    pub shape: Vec<usize>,
    /// Which rows of the output the numbers are, ascending.
    pub rows: Vec<usize>,
    /// What makes an output right.
    #[serde(default)]
    pub check: Check,
}

/// An input whose rows can be overwritten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Writable {
    /// Its name.
    pub input: String,
    /// How many rows it has.
    pub rows: usize,
    /// Numbers of a row.
    pub width: usize,
    /// The root of the mean square of its numbers, which what is written keeps.
    #[serde(default = "one")]
    pub scale: f64,
    /// Of whole numbers, below what they stay, 2²⁴ at most: they are written as `f32` too, which holds them exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<usize>,
}

fn one() -> f64 {
    1.0
}

/// How it is known what a call adds to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryFrom {
    /// The allocator has counted it.
    Counted,
    /// By what is resident in a process alone that keeps nothing of what it frees ([`Ask::Memory`]).
    Resident,
}

/// Calls that were timed together; times are nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// How many.
    pub iterations: u64,
    /// When they began.
    pub started_ns: i64,
    /// How long all of them took.
    pub elapsed_ns: i64,
    /// Processor time of all threads of the worker meanwhile, by their own clocks; nothing where it does not tell.
    #[serde(default)]
    pub cpu_ns: Option<i64>,
    /// The part of it that the system took, as the system counts it, at ticks.
    #[serde(default)]
    pub system_ns: Option<i64>,
    /// How long the thread that makes the calls has waited for a processor meanwhile, as it reads it itself, right before
    /// and right after; nothing where it does not tell.
    #[serde(default)]
    pub waited_ns: Option<u64>,
    /// The processor on which that thread ran right before.
    #[serde(default)]
    pub cpu_before: Option<usize>,
    /// The processor on which it ran right after.
    #[serde(default)]
    pub cpu_after: Option<usize>,
    /// How often the first of the two has slowed down for heat meanwhile.
    #[serde(default)]
    pub throttled: Option<u64>,
}

/// What exists in a worker, and what of it runs on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Every workload that it owns: an implementation may solve one that its controller knows.
    #[serde(default)]
    pub workloads: Vec<WorkloadInfo>,
    /// Every implementation.
    pub implementations: Vec<ImplementationInfo>,
    /// Every device that an implementation names.
    pub devices: Vec<DeviceInfo>,
    /// Compile-time facts that change speed (`gemm=x86-v4`, versions of engines).
    #[serde(default)]
    pub build: Vec<(String, String)>,
    /// Size of each thread pool at start.
    #[serde(default)]
    pub thread_pools: Vec<(String, usize)>,
}

/// A workload as shown to people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadInfo {
    /// Its name.
    pub name: String,
    /// One line of help.
    pub about: String,
    /// Names of its presets.
    pub presets: Vec<String>,
    /// Its parameters.
    pub params: Vec<ParamInfo>,
    /// See [`Problem::SEEDS`](crate::Problem::SEEDS).
    #[serde(default = "usual_seeds")]
    pub seeds: u32,
}

fn usual_seeds() -> u32 {
    INPUT_SEEDS
}

/// A parameter as shown to people.
pub type ParamInfo = ParamSpec;

/// An implementation as shown to people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImplementationInfo {
    /// Its name.
    pub name: String,
    /// Its workload.
    pub workload: String,
    /// One line of help.
    #[serde(default)]
    pub about: String,
    /// Devices it runs on.
    pub devices: Vec<String>,
    /// For each device, the engine behind it and its version.
    pub engines: Vec<(String, String)>,
    /// Rows of the catalogue it makes work.
    #[serde(default)]
    pub catalogue: Vec<String>,
    /// Who makes its inputs.
    #[serde(default)]
    pub inputs: InputsFrom,
    /// Whether it is an approximation in some cases, and tells what it gives where it is right ([`Ask::Approximation`]). One
    /// whose inputs are sent tells with which numbers in their place it computes instead ([`Say::StandsFor`]).
    #[serde(default)]
    pub approximates: bool,
    /// Whether it is measured only where it is asked for by name.
    #[serde(default)]
    pub on_request: bool,
    /// Numbers that change how fast it is, whose values stand in the names of its variants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knobs: Vec<KnobInfo>,
}

impl ImplementationInfo {
    /// Whether a variant whose implementation is called so is one of it: by its name alone, or with values of its knobs.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || (self.name == Knobs::bare(name) && Knobs::read(name, &self.knobs).is_ok())
    }
}

/// Who makes the inputs of an implementation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputsFrom {
    /// The worker, from their seed.
    #[default]
    Made,
    /// The controller, which sends them.
    Sent,
}

/// How the reason begins for which a device is left out that would be another one again: nothing is missing then.
pub const SAME_PATH: &str = "same path";

/// A device as shown to people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its name.
    pub name: String,
    /// Engine behind it (`burn-flex`).
    pub engine: String,
    /// Version of that engine.
    pub engine_version: String,
    /// Why it cannot be used here; nothing when it can.
    pub unavailable: Option<String>,
    /// A folder of shared libraries that a process which serves this device alone is to find before all others: some take
    /// the place of what only other devices need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libraries: Option<String>,
}
