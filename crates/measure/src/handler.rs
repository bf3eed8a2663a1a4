//! What a worker does with a request, in a process of its own or in this one.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use benchbook_core::message::{
    Description, DeviceInfo, ImplementationInfo, InputsFrom, Prepared, Reply, Request, Sampled, Trial, WorkloadInfo,
};
use benchbook_core::{
    CacheRegime, Comparison, Figure, Implementation, Inputs, Params, Posed, Reference, Registry, Setting, Subject,
    Support, Workload, unknown,
};

use crate::allocations::{Allocated, allocated};
use crate::caught::Caught;
use crate::changing::Changing;
use crate::disturbance::{Load, Watch};
use crate::environment::{CaptureSettings, capture};
use crate::quiet::wait_for_rest;
use crate::resource::MemoryWatch;
use crate::sampler::Work;
use crate::{clock, sampler};

/// What a program with kernels knows of itself.
pub struct Host {
    registry: Registry,
    probe: fn(&str) -> Option<String>,
    build: Vec<(String, String)>,
    engine_pools: fn() -> Vec<(String, usize)>,
    settle: Settle,
    last_level_cache_bytes: usize,
}

/// Makes this process one of a device, and names the instructions that the library behind it takes there.
type Settle = fn(&str) -> Result<Option<String>, String>;

/// Copies of the inputs beyond which the cold regime is refused: each is an allocation of its own.
const MOST_COPIES: usize = 100_000;

/// Last-level cache assumed where the system does not tell its size.
const ASSUMED_CACHE_BYTES: u64 = 64 << 20;

impl Host {
    /// What `registry` offers; `probe` says why a device cannot be used here (nothing when it can),
    /// `build` names compile-time facts that change speed, `engine_pools` the engines' thread pools.
    pub fn new(
        registry: Registry,
        probe: fn(&str) -> Option<String>,
        build: Vec<(String, String)>,
        engine_pools: fn() -> Vec<(String, usize)>,
    ) -> Self {
        let cpu = capture(&CaptureSettings::planted("/")).cpu;
        let last_level_cache_bytes = cpu.last_level_cache_bytes.unwrap_or(ASSUMED_CACHE_BYTES) as usize;
        Self { registry, probe, build, engine_pools, settle: |_| Ok(None), last_level_cache_bytes }
    }

    /// The same, `settle` asked about the device of each trial before anything of it runs: some things a library chooses
    /// once for a process.
    #[must_use]
    pub fn with_settle(self, settle: Settle) -> Self {
        Self { settle, ..self }
    }
}

/// Carries out requests, one at a time; a panic of a kernel is a failed request, not the end.
pub struct Handler {
    host: Host,
    live: HashMap<i64, Live>,
    load: Load,
}

struct Live {
    trial: Trial,
    posed: Box<dyn Posed>,
    subject: Box<dyn Subject>,
    changing: Changing,
    reference: Reference,
    iterations: u64,
    watch: Watch,
}

/// The workload and the implementation that a trial names.
type Found<'a> = (&'a dyn Workload, &'a dyn Implementation);

impl Handler {
    /// A handler of what `host` offers.
    pub fn new(host: Host) -> Self {
        Self { host, live: HashMap::new(), load: Load::default() }
    }

    /// Adds workloads and implementations to what is offered.
    pub fn extend(&mut self, extend: impl FnOnce(&mut Registry)) {
        extend(&mut self.host.registry);
    }

    /// Carries out one request.
    pub fn handle(&mut self, request: Request) -> Reply {
        let failed = |message: String| Reply::Failed { message };
        let _caught = Caught::begin();
        let done = catch_unwind(AssertUnwindSafe(|| match request {
            Request::Describe => Ok(Reply::Description(Box::new(self.describe()))),
            Request::Resolve { workload, preset, combinations } => self.resolve(&workload, preset, combinations),
            Request::Prepare(trial) => self.prepare(&trial),
            Request::Memory(trial) => self.memory(&trial),
            Request::Sample { trial } => self.sample(trial),
            Request::Finish { trial } => self.finish(trial),
        }));
        match done {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => failed(error),
            Err(panic) => failed(format!("the kernel panicked: {}", panic_text(panic.as_ref()))),
        }
    }

    fn describe(&self) -> Description {
        let registry = &self.host.registry;
        let workload = |workload: &dyn benchbook_core::Workload| WorkloadInfo {
            name: workload.name().into(),
            about: workload.about().into(),
            presets: workload.presets().iter().map(|preset| preset.name.to_owned()).collect(),
            params: workload.params(),
        };
        let implementation = |implementation: &dyn benchbook_core::Implementation| ImplementationInfo {
            name: implementation.name().into(),
            workload: implementation.workload().into(),
            about: implementation.about().into(),
            devices: implementation.devices().into_iter().map(Into::into).collect(),
            engines: implementation.devices().into_iter().map(|device| implementation.engine(device)).collect(),
            catalogue: implementation.catalogue().iter().map(|id| (*id).to_owned()).collect(),
            inputs: InputsFrom::Made,
        };
        let mut devices: Vec<DeviceInfo> = Vec::new();
        for implementation in registry.implementations() {
            for device in implementation.devices() {
                if devices.iter().all(|known| known.name != device) {
                    let (engine, engine_version) = implementation.engine(device);
                    let unavailable = (self.host.probe)(device);
                    devices.push(DeviceInfo { name: device.into(), engine, engine_version, unavailable });
                }
            }
        }
        let mut thread_pools = vec![("rayon".to_owned(), rayon::current_num_threads())];
        thread_pools.extend((self.host.engine_pools)());
        Description {
            workloads: registry.workloads().map(workload).collect(),
            implementations: registry.implementations().map(implementation).collect(),
            devices,
            build: self.host.build.clone(),
            thread_pools,
        }
    }

    fn resolve(&self, workload: &str, preset: Option<String>, combinations: Vec<Params>) -> Result<Reply, String> {
        let workload = self.host.registry.find_workload(workload).map_err(|error| error.to_string())?;
        let bases = match preset {
            None => vec![Params::default()],
            Some(name) => {
                let presets = workload.presets();
                let found = presets.iter().find(|preset| preset.name == name);
                let names = presets.iter().map(|preset| preset.name);
                found.map(|preset| preset.cases.clone()).ok_or_else(|| unknown("preset", &name, names).to_string())?
            }
        };
        let specs = workload.params();
        let mut cases = Vec::new();
        let mut impossible: Vec<(Params, String)> = Vec::new();
        for base in bases {
            for overriding in &combinations {
                let mut params = base.clone();
                params.0.extend(overriding.0.clone());
                // A name or a type that the workload does not have is a slip, and no combination is right with it.
                params.check(workload.name(), &specs).map_err(text)?;
                match workload.case(params.clone()) {
                    Ok(case) if cases.contains(&case) => {}
                    Ok(case) => cases.push(case),
                    Err(_) if impossible.iter().any(|(known, _)| *known == params) => {}
                    Err(error) => impossible.push((params, text(error))),
                }
            }
        }
        Ok(if impossible.is_empty() { Reply::Cases(cases) } else { Reply::PossibleCases { cases, impossible } })
    }

    fn found(&self, trial: &Trial) -> Result<Found<'_>, String> {
        let (registry, workload) = (&self.host.registry, &trial.case.workload);
        let found = registry.find_implementation(workload, &trial.variant.implementation).map_err(text)?;
        Ok((registry.find_workload(workload).map_err(text)?, found))
    }

    /// How often the inputs of a trial are copied; why it cannot be, where it cannot.
    fn copies(&self, trial: &Trial, inputs: &Inputs) -> Result<usize, String> {
        if trial.cache == CacheRegime::Hot {
            return Ok(1);
        }
        let copies = cold_copies(inputs.bytes(trial.variant.dtype.bytes()), self.host.last_level_cache_bytes);
        if copies > MOST_COPIES {
            return Err(format!(
                "{copies} copies of so small an input would be needed to leave the caches, measure it hot"
            ));
        }
        Ok(copies)
    }

    fn prepare(&mut self, trial: &Trial) -> Result<Reply, String> {
        let started = clock::now_ns();
        let (case, variant) = (&trial.case, &trial.variant);
        let (workload, implementation) = self.found(trial)?;
        let posed = workload.pose(&case.params).map_err(text)?;
        if let Support::No(reason) = implementation.supports(&variant.device, variant.dtype, &case.params) {
            return Ok(Reply::Unsupported { reason });
        }
        if !implementation.devices().contains(&variant.device.as_str()) {
            let reason = format!("{} has no code for {}", variant.implementation, variant.device);
            return Ok(Reply::Unsupported { reason });
        }
        let inputs = posed.inputs(trial.input_seed);
        let copies = match self.copies(trial, &inputs) {
            Ok(copies) => copies,
            Err(reason) => return Ok(Reply::Unsupported { reason }),
        };
        let instructions = (self.host.settle)(&variant.device)?;
        let engine_version = [implementation.engine(&variant.device).1].into_iter().chain(instructions);
        let mut subject = implementation.prepare(&setting(trial, copies), &case.params, &inputs).map_err(text)?;
        let mut figures = posed.figures(&inputs);
        // Where memory comes from Rust's allocator, all of a call's is seen in the first one, what it keeps included.
        let countable = subject.allocates_in_rust();
        let first = countable.then(|| allocated(|| subject.run(1))).flatten();
        if first.is_none() {
            subject.run(1);
        }
        subject.sync().map_err(text)?;
        let outputs = subject.outputs().map_err(text)?;
        figures.extend(first.map(|first| Figure::measured(PEAK_ADDED, first.peak_bytes as f64, "bytes")));
        let exact = posed.reference(&inputs, trial.input_seed);
        let approximation = implementation.approximation(&case.params, &inputs, trial.input_seed);
        if approximation.is_some() {
            // JSON has no infinity: an output of another shape fails its check below.
            let distance = Some(exact.distance(&outputs)).filter(|distance| distance.is_finite());
            figures.extend(distance.map(|distance| Figure::measured("relative_error", distance, "share")));
        }
        let reference = approximation.unwrap_or(exact);
        let check = reference.compare(&outputs);
        drop(outputs);
        let tolerance = posed.tolerance(variant.dtype);
        let right = passes(&check, tolerance);
        figures.extend(subject.figures());
        let work = posed.work(variant.dtype);
        let mut prepared = Prepared {
            check,
            tolerance,
            flops: work.flops,
            bytes: work.bytes,
            iterations: 1,
            warmup_iterations: 1,
            settled: None,
            prepare_ns: 0,
            memory_elsewhere: first.is_none() && subject.processes().is_empty(),
            rested: true,
            copies: copies as u64,
            engine_version: Some(engine_version.collect::<Vec<_>>().join(" ")),
            figures,
        };
        // No speed for a wrong kernel: it is not even warmed up.
        if right {
            let changing = Changing::new(inputs, trial.input_seed, subject.as_mut()).map_err(text)?;
            let watch = Watch::new(variant.threads).with_processes(subject.processes());
            let mut live = Live { trial: trial.clone(), posed, subject, changing, reference, iterations: 1, watch };
            self.warm_up(&mut live, countable, &mut prepared)?;
            self.live.insert(trial.trial, live);
        }
        prepared.rested = wait_for_rest();
        prepared.prepare_ns = clock::now_ns() - started;
        Ok(Reply::Prepared(prepared))
    }

    /// Calls a right kernel until its times have settled, and sees that it does what it is told.
    fn warm_up(&mut self, live: &mut Live, countable: bool, prepared: &mut Prepared) -> Result<(), String> {
        let Live { trial, subject, changing, watch, .. } = live;
        prepared.figures.push(Figure::measured("inputs_change", f64::from(u8::from(changing.any())), "bool"));
        let mut work = Timed::new(subject.as_mut(), changing);
        let warm = sampler::warm_up(&mut work, trial.warmup_ns, trial.min_sample_ns, watch, &mut self.load);
        // Warm, and not timed.
        let allocated = countable.then(|| allocated(|| work.call(1))).flatten();
        let suspicion = sampler::suspicion(&mut work, warm.iterations);
        work.end()?;
        suspicion.map_or(Ok(()), Err)?;
        prepared.figures.extend(allocated.into_iter().flat_map(Allocated::figures));
        prepared.iterations = warm.iterations;
        prepared.warmup_iterations = warm.done;
        prepared.settled = warm.settled;
        live.iterations = warm.iterations;
        Ok(())
    }

    /// What a call adds to resident memory, which tells only in a process that gives back at once what it frees.
    fn memory(&mut self, trial: &Trial) -> Result<Reply, String> {
        let (workload, implementation) = self.found(trial)?;
        (self.host.settle)(&trial.variant.device)?;
        let inputs = workload.pose(&trial.case.params).map_err(text)?.inputs(trial.input_seed);
        let copies = self.copies(trial, &inputs)?;
        let mut subject = implementation.prepare(&setting(trial, copies), &trial.case.params, &inputs).map_err(text)?;
        drop(inputs);
        let mut call = || {
            subject.run(1);
            subject.sync().map_err(text)
        };
        // The first call loads code too.
        call()?;
        let watch = MemoryWatch::start();
        call()?;
        let added = |watch: MemoryWatch| Some(watch.peak_bytes()?.saturating_sub(watch.resident_before_bytes()));
        Ok(Reply::Memory { peak_added_bytes: watch.and_then(added) })
    }

    /// Takes a trial out; whoever finds it well puts it back, so that a failed one frees its memory.
    fn take(&mut self, trial: i64) -> Result<Live, String> {
        self.live.remove(&trial).ok_or_else(|| format!("trial {trial} has not been prepared"))
    }

    fn sample(&mut self, trial: i64) -> Result<Reply, String> {
        let mut live = self.take(trial)?;
        let Live { trial: of, subject, changing, iterations, watch, .. } = &mut live;
        let mut work = Timed::new(subject.as_mut(), changing);
        let sample = match of.cache {
            CacheRegime::Hot => sampler::sample_hot(&mut work, *iterations, watch, &mut self.load),
            CacheRegime::Cold => sampler::sample_cold(&mut work, *iterations, watch, &mut self.load),
        };
        work.end()?;
        self.live.insert(trial, live);
        Ok(Reply::Sampled(Sampled { rested: wait_for_rest(), ..sample }))
    }

    /// Checks a trial on inputs that it was not timed on, where it can be given any.
    fn finish(&mut self, trial: i64) -> Result<Reply, String> {
        let Live { trial, posed, mut subject, mut changing, mut reference, .. } = self.take(trial)?;
        let (_, implementation) = self.found(&trial)?;
        if changing.any() {
            changing.replace(posed.inputs(!trial.input_seed), subject.as_mut()).map_err(text)?;
            let (inputs, seed) = (changing.inputs(), trial.input_seed);
            let approximation = implementation.approximation(&trial.case.params, inputs, seed);
            reference = approximation.unwrap_or_else(|| posed.reference(inputs, seed));
            subject.run(1);
            subject.sync().map_err(text)?;
        }
        let outputs = subject.outputs().map_err(text)?;
        Ok(Reply::Finished { check: reference.compare(&outputs) })
    }
}

/// Name of the figure of what a call adds to memory at its highest, beside its inputs.
pub(crate) const PEAK_ADDED: &str = "peak_added_bytes";

/// Whether every output is right; where nothing was compared, nothing is.
pub(crate) fn passes(check: &[Comparison], tolerance: f64) -> bool {
    !check.is_empty() && check.iter().all(|output| output.max_scaled_error <= tolerance)
}

fn text(error: benchbook_core::Error) -> String {
    error.to_string()
}

fn setting(trial: &Trial, copies: usize) -> Setting {
    let variant = &trial.variant;
    Setting { device: variant.device.clone(), dtype: variant.dtype, threads: variant.threads, copies }
}

/// Calls and the wait for the device, as one thing to time; a failure is kept for afterwards.
struct Timed<'a> {
    subject: &'a mut dyn Subject,
    changing: &'a mut Changing,
    failure: Option<String>,
}

impl<'a> Timed<'a> {
    fn new(subject: &'a mut dyn Subject, changing: &'a mut Changing) -> Self {
        Self { subject, changing, failure: None }
    }

    /// The first failure.
    fn end(self) -> Result<(), String> {
        self.failure.map_or(Ok(()), Err)
    }

    fn note(&mut self, result: benchbook_core::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error.to_string());
        }
    }
}

impl Work for Timed<'_> {
    fn call(&mut self, iterations: u64) {
        self.subject.run(iterations);
        let synced = self.subject.sync();
        self.note(synced);
    }

    fn change(&mut self) {
        let changed = self.changing.change(self.subject);
        self.note(changed);
    }

    fn touch(&mut self) {
        let touched = self.changing.touch(self.subject);
        self.note(touched);
    }
}

/// Copies of the inputs that together fill at least four times the last-level cache.
fn cold_copies(input_bytes: usize, last_level_cache_bytes: usize) -> usize {
    (4 * last_level_cache_bytes).div_ceil(input_bytes.max(1)).max(2)
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cold_inputs_leave_the_cache() {
        assert_eq!(cold_copies(1 << 20, 32 << 20), 128);
        assert_eq!(cold_copies(1 << 30, 32 << 20), 2);
        assert_eq!(cold_copies(0, 1), 4);
    }

    #[test]
    fn every_output_has_to_be_right() {
        let check = |errors: &[f64]| {
            let one = |error: &f64| Comparison {
                output: None,
                max_abs_error: 0.0,
                max_scaled_error: *error,
                rows_checked: 1,
            };
            passes(&errors.iter().map(one).collect::<Vec<_>>(), 0.5)
        };
        assert_eq!([check(&[0.5]), check(&[0.0, 0.5, 0.1])], [true; 2]);
        assert_eq!([check(&[]), check(&[0.0, 0.6]), check(&[f64::INFINITY, 0.0]), check(&[f64::NAN])], [false; 4]);
    }
}
