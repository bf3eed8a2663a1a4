//! Ways to solve a workload.

use crate::{Array, DType, Inputs, Knob, Knobs, Loop, Metric, Parameters, Params, Problem, Reference, Result};

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

/// One way to solve a workload. Engines hold them as rows of a table, see [`Row`].
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

    /// Whether it can take a case in a dtype on one of its devices.
    fn supports(&self, device: &str, dtype: DType, params: &Params) -> Support;

    /// Version of the engine underneath, for the record (`burn-flex 0.22.1`).
    fn engine(&self, device: &str) -> (String, String);

    /// Puts the inputs on the device and returns what will be timed.
    ///
    /// # Errors
    /// The device is absent, or the inputs do not fit on it.
    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>>;

    /// Numbers that change how fast it is.
    fn knobs(&self) -> &'static [Knob] {
        &[]
    }

    /// The same as [`Implementation::prepare`] with these values of its knobs.
    ///
    /// # Errors
    /// Those of [`Implementation::prepare`].
    fn prepare_with(
        &self,
        setting: &Setting,
        params: &Params,
        inputs: &Inputs,
        _knobs: &Knobs,
    ) -> Result<Box<dyn Subject>> {
        self.prepare(setting, params, inputs)
    }

    /// Searches for what [`Implementation::prepare`] then does, where that takes longer than doing it, and keeps what it finds while
    /// the process lives; false where there is nothing to search, or it was found before. Its time is the metric `search_ns`.
    ///
    /// # Errors
    /// Those of [`Implementation::prepare`].
    fn search(&self, _params: &Params, _inputs: &Inputs) -> Result<bool> {
        Ok(false)
    }

    /// Whether it is measured only where it is asked for by name: one of many that few runs want side by side.
    fn on_request(&self) -> bool {
        false
    }

    /// Whether it is an approximation in some cases: only then is it asked for [`Implementation::approximation`].
    fn approximates(&self) -> bool {
        false
    }

    /// What an approximation must give exactly: the right answer to the problem that it puts in place of the workload's.
    /// It is checked against this; its distance from the workload's own answer is recorded as a metric.
    fn approximation(&self, _params: &Params, _inputs: &Inputs, _seed: u64) -> Option<Reference> {
        None
    }
}

/// What an approximation gives where it is right, of parameters, inputs and their seed.
pub type Approximation<P> = fn(&<P as Problem>::Params, &Inputs, u64) -> Option<Reference>;

/// What [`Row::prepare`] is for values of knobs.
pub type PrepareWith<P> =
    fn(&'static str, &Setting, &<P as Problem>::Params, &Inputs, &Knobs) -> Result<Box<dyn Subject>>;

/// A row of an engine's table: one way to solve the problem `P`. What several rows share is a function, named once.
pub struct Row<P: Problem> {
    /// The name in plans, SQL and tables.
    pub name: &'static str,
    /// One line of help, with the source (paper and section, or the library followed).
    pub about: &'static str,
    /// Rows of the catalogue that it makes work.
    pub catalogue: &'static [&'static str],
    /// Names of the devices it runs on.
    pub devices: &'static [&'static str],
    /// Dtypes that it is written for.
    pub dtypes: &'static [DType],
    /// Engine and version behind a device.
    pub engine: fn(device: &str) -> (String, String),
    /// What else keeps it from a case on a device, where its dtypes do not.
    pub supports: fn(&str, DType, &P::Params) -> Support,
    /// See [`Implementation::prepare`]; the first is the name of this row, for errors.
    pub prepare: fn(&'static str, &Setting, &P::Params, &Inputs) -> Result<Box<dyn Subject>>,
    /// See [`Implementation::approximation`]; nothing where it approximates in no case.
    pub approximation: Option<Approximation<P>>,
    /// See [`Implementation::on_request`].
    pub on_request: bool,
    /// See [`Implementation::knobs`]; what prepares a case takes the place of [`Row::prepare`].
    pub knobs: Option<(&'static [Knob], PrepareWith<P>)>,
}

impl<P: Problem> Row<P> {
    /// A row that takes every case in these dtypes, and makes no row of the catalogue work.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        devices: &'static [&'static str],
        dtypes: &'static [DType],
        engine: fn(&str) -> (String, String),
        prepare: fn(&'static str, &Setting, &P::Params, &Inputs) -> Result<Box<dyn Subject>>,
    ) -> Self {
        let supports = |_: &str, _: DType, _: &P::Params| Support::Yes;
        let (approximation, on_request, knobs) = (None, false, None);
        Self {
            name,
            about,
            catalogue: &[],
            devices,
            dtypes,
            engine,
            supports,
            prepare,
            approximation,
            on_request,
            knobs,
        }
    }

    /// The same, making these rows of the catalogue work.
    #[must_use]
    pub const fn catalogue(mut self, ids: &'static [&'static str]) -> Self {
        self.catalogue = ids;
        self
    }

    /// The same, kept from some cases.
    #[must_use]
    pub const fn only(mut self, supports: fn(&str, DType, &P::Params) -> Support) -> Self {
        self.supports = supports;
        self
    }

    /// The same, of an approximation.
    #[must_use]
    pub const fn approximating(mut self, answer: Approximation<P>) -> Self {
        self.approximation = Some(answer);
        self
    }

    /// The same, with knobs.
    #[must_use]
    pub const fn tuned(mut self, knobs: &'static [Knob], prepare: PrepareWith<P>) -> Self {
        self.knobs = Some((knobs, prepare));
        self
    }

    /// The same, measured only where it is asked for by name.
    #[must_use]
    pub const fn on_request(mut self) -> Self {
        self.on_request = true;
        self
    }
}

impl<P: Problem> Implementation for Row<P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn workload(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn catalogue(&self) -> &'static [&'static str] {
        self.catalogue
    }

    fn devices(&self) -> Vec<&'static str> {
        self.devices.to_vec()
    }

    fn supports(&self, device: &str, dtype: DType, params: &Params) -> Support {
        match (Support::of(self.dtypes, dtype), P::Params::read(P::NAME, params)) {
            (Support::Yes, Ok(params)) => (self.supports)(device, dtype, &params),
            (no @ Support::No(_), _) => no,
            (_, Err(error)) => Support::No(error.to_string()),
        }
    }

    fn engine(&self, device: &str) -> (String, String) {
        (self.engine)(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        (self.prepare)(self.name, setting, &P::Params::read(P::NAME, params)?, inputs)
    }

    fn knobs(&self) -> &'static [Knob] {
        match self.knobs {
            Some((knobs, _)) => knobs,
            None => &[],
        }
    }

    fn prepare_with(
        &self,
        setting: &Setting,
        params: &Params,
        inputs: &Inputs,
        knobs: &Knobs,
    ) -> Result<Box<dyn Subject>> {
        match self.knobs {
            Some((_, prepare)) => prepare(self.name, setting, &P::Params::read(P::NAME, params)?, inputs, knobs),
            None => self.prepare(setting, params, inputs),
        }
    }

    fn on_request(&self) -> bool {
        self.on_request
    }

    fn approximates(&self) -> bool {
        self.approximation.is_some()
    }

    fn approximation(&self, params: &Params, inputs: &Inputs, seed: u64) -> Option<Reference> {
        (self.approximation?)(&P::Params::read(P::NAME, params).ok()?, inputs, seed)
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

    /// The results of the last call by name, read back from the device: as many as the reference has, in its order.
    ///
    /// # Errors
    /// Nothing has run yet, the read failed, or a result lies on another device than asked for.
    fn outputs(&mut self) -> Result<Vec<Array>>;

    /// Overwrites whole rows of an input's last axis, `first` and what follows, in place, in each copy of the inputs: what is
    /// called next computes from them. Whole numbers (token ids) come as `f32` too, which holds them exactly. `false` where it
    /// holds no such input.
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

    /// Whether all that a call allocates comes from Rust's allocator, in this process: then it can be counted. Where it
    /// does not say so, its memory is seen from outside.
    fn allocates_in_rust(&self) -> bool {
        false
    }

    /// What this kernel has to say of itself on this case, beside its times, once it has run.
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    /// The loop that a call of it is, where the task of its case is [`Task::Steps`](crate::Task::Steps).
    fn looped(&mut self) -> Option<&mut dyn Loop> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says no more than it must.
    struct Mute;

    impl Subject for Mute {
        fn run(&mut self, _iterations: u64) {}

        fn sync(&mut self) -> Result<()> {
            Ok(())
        }

        fn outputs(&mut self) -> Result<Vec<Array>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn who_says_nothing_claims_nothing() {
        let mut mute = Mute;
        assert!(!mute.allocates_in_rust(), "what a library allocates would go uncounted");
        assert!(!mute.write("a", 0, &[1.0]).unwrap());
        assert!(mute.processes().is_empty() && mute.metrics().is_empty());
    }
}
