//! Ways to solve a workload.

use crate::{DType, Figure, HostArray, Inputs, Params, Reference, Result};

/// Where and how an implementation is asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Name of the device (`flex`, `libtorch`).
    pub device: String,
    /// Element type of inputs, computation and output.
    pub dtype: DType,
    /// Threads that every pool has already been set to.
    pub threads: usize,
    /// How many copies of the inputs to keep and rotate through: 1 for the hot regime.
    pub copies: usize,
}

/// Whether an implementation can take a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Yes,
    /// It cannot, and this is why: shown as data, never left out in silence.
    No(String),
}

impl Support {
    /// For code that is written for some dtypes alone.
    pub fn of(written_for: &[DType], dtype: DType) -> Self {
        if written_for.contains(&dtype) {
            return Self::Yes;
        }
        let names: Vec<String> = written_for.iter().map(DType::to_string).collect();
        Self::No(format!("written for {}, not for {dtype}", names.join(" and ")))
    }
}

/// One way to solve a workload.
pub trait Implementation: Send + Sync {
    /// The name in plans, SQL and tables.
    fn name(&self) -> &'static str;

    /// The workload it solves.
    fn workload(&self) -> &'static str;

    /// One line of help, with the source (paper and section, or the library followed).
    fn about(&self) -> &'static str;

    /// Rows of the catalogue that this implementation makes work (`AT1`, `EN1`).
    fn catalogue(&self) -> &'static [&'static str] {
        &[]
    }

    /// Names of the devices it runs on, present on this machine or not.
    fn devices(&self) -> Vec<&'static str>;

    /// Whether it can take a case in a dtype on one of its devices; any unless said otherwise.
    fn supports(&self, _device: &str, _dtype: DType, _params: &Params) -> Support {
        Support::Yes
    }

    /// Version of the engine underneath, for the record (`burn-flex 0.22.1`).
    fn engine(&self, device: &str) -> (String, String);

    /// Puts the inputs on the device and returns what will be timed.
    ///
    /// # Errors
    /// The device is absent, or the inputs do not fit on it.
    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>>;

    /// What an approximation must give exactly: the right answer to the problem that it puts in place of the workload's.
    /// It is checked against this; its distance from the workload's own answer is recorded as a figure.
    fn approximation(&self, _params: &Params, _inputs: &Inputs, _seed: u64) -> Option<Reference> {
        None
    }
}

/// A prepared implementation: the thing that is timed.
pub trait Subject {
    /// Calls the kernel `iterations` times; with several input copies, each call takes the next.
    fn run(&mut self, iterations: u64);

    /// Waits until the device has finished everything that [`Subject::run`] started.
    ///
    /// # Errors
    /// The device reports a failed launch.
    fn sync(&mut self) -> Result<()>;

    /// The result of the last call, read back from the device.
    ///
    /// # Errors
    /// Nothing has run yet, the read failed, or the result lies on another device than asked for.
    fn output(&mut self) -> Result<HostArray>;

    /// Overwrites whole rows of an input's last axis, `first` and what follows, in place, in each copy of the inputs: what is
    /// called next computes from them. `false` where it holds no such input.
    ///
    /// # Errors
    /// The device refuses.
    fn write(&mut self, _input: &str, _first: usize, _values: &[f32]) -> Result<bool> {
        Ok(false)
    }

    /// Processes of its own that compute for it: their processor time is its own too.
    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Whether all that a call allocates comes from Rust's allocator, in this process: then it can be counted.
    fn allocates_in_rust(&self) -> bool {
        self.processes().is_empty()
    }

    /// What this kernel has to say of itself on this case, beside its times, once it has run.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}
