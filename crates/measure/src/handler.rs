//! What a worker does with a request, in a process of its own or in this one.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use benchbook_core::message::{
    Description, DeviceInfo, ImplementationInfo, Prepared, Reply, Request, Trial, WorkloadInfo,
};
use benchbook_core::{CacheRegime, Figure, Params, Reference, Registry, Setting, Subject, Support, unknown};

use crate::allocations::{Allocated, allocated};
use crate::caught::Caught;
use crate::disturbance::Watch;
use crate::environment::{CaptureSettings, capture};
use crate::quiet::wait_for_rest;
use crate::resource::MemoryWatch;
use crate::{clock, sampler};

/// What a program with kernels knows of itself.
pub struct Host {
    registry: Registry,
    probe: fn(&str) -> Option<String>,
    build: Vec<(String, String)>,
    engine_pools: fn() -> Vec<(String, usize)>,
    last_level_cache_bytes: usize,
}

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
        Self { registry, probe, build, engine_pools, last_level_cache_bytes }
    }
}

/// Carries out requests, one at a time; a panic of a kernel is a failed request, not the end.
pub struct Handler {
    host: Host,
    live: HashMap<i64, Live>,
}

struct Live {
    subject: Box<dyn Subject>,
    reference: Reference,
    cache: CacheRegime,
    iterations: u64,
    watch: Option<MemoryWatch>,
    disturbances: Watch,
}

impl Handler {
    /// A handler of what `host` offers.
    pub fn new(host: Host) -> Self {
        Self { host, live: HashMap::new() }
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
        let mut cases = Vec::new();
        for base in bases {
            for overriding in &combinations {
                let mut params = base.clone();
                params.0.extend(overriding.0.clone());
                let case = workload.case(params).map_err(|error| error.to_string())?;
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
        Ok(Reply::Cases(cases))
    }

    fn prepare(&mut self, trial: &Trial) -> Result<Reply, String> {
        let started = clock::now_ns();
        let (case, variant) = (&trial.case, &trial.variant);
        let text = |error: benchbook_core::Error| error.to_string();
        let workload = self.host.registry.find_workload(&case.workload).map_err(text)?;
        let implementation =
            self.host.registry.find_implementation(&case.workload, &variant.implementation).map_err(text)?;
        if let Support::No(reason) = implementation.supports(&variant.device, variant.dtype, &case.params) {
            return Ok(Reply::Unsupported { reason });
        }
        if !implementation.devices().contains(&variant.device.as_str()) {
            return Ok(Reply::Unsupported {
                reason: format!("{} has no code for {}", variant.implementation, variant.device),
            });
        }
        let inputs = workload.inputs(&case.params, trial.input_seed);
        let exact = workload.reference(&case.params, &inputs, trial.input_seed);
        let approximation = implementation.approximation(&case.params, &inputs, trial.input_seed);
        let copies = match trial.cache {
            CacheRegime::Hot => 1,
            CacheRegime::Cold => cold_copies(inputs.bytes(variant.dtype.bytes()), self.host.last_level_cache_bytes),
        };
        if copies > MOST_COPIES {
            let reason =
                format!("{copies} copies of so small an input would be needed to leave the caches, measure it hot");
            return Ok(Reply::Unsupported { reason });
        }
        let setting =
            Setting { device: variant.device.clone(), dtype: variant.dtype, threads: variant.threads, copies };
        let mut subject = implementation.prepare(&setting, &case.params, &inputs).map_err(text)?;
        let mut figures = workload.figures(&case.params, &inputs);
        drop(inputs);

        subject.run(1);
        subject.sync().map_err(text)?;
        let output = subject.output().map_err(text)?;
        if approximation.is_some() {
            // JSON has no infinity: an output of another shape fails its check below.
            let distance = Some(exact.distance(&output)).filter(|distance| distance.is_finite());
            figures.extend(distance.map(|distance| Figure::measured("relative_error", distance, "share")));
        }
        let reference = approximation.unwrap_or(exact);
        let check = reference.compare(&output);
        drop(output);
        let tolerance = workload.tolerance(&case.params, variant.dtype);
        figures.extend(subject.figures());
        // From here on only the kernel works: inputs, reference and check are no memory of its own.
        let watch = MemoryWatch::start();
        let resident_before_bytes = watch.map(|watch| watch.resident_before_bytes());
        let work = workload.work(&case.params, variant.dtype);
        let mut prepared = Prepared {
            check,
            tolerance,
            flops: work.flops,
            bytes: work.bytes,
            iterations: 1,
            warmup_iterations: 1,
            settled: None,
            prepare_ns: 0,
            resident_before_bytes,
            copies: copies as u64,
            figures,
        };
        // No speed for a wrong kernel: it is not even warmed up.
        if check.max_scaled_error <= tolerance {
            let countable = subject.allocates_in_rust();
            let mut failure = None;
            let mut work = timed(subject.as_mut(), &mut failure);
            let warm = sampler::warm_up(&mut work, trial.warmup_ns, trial.min_sample_ns);
            // Warm, and not timed.
            let allocated = countable.then(|| allocated(|| work(1))).flatten();
            drop(work);
            prepared.figures.extend(allocated.into_iter().flat_map(Allocated::figures));
            failure.map_or(Ok(()), Err)?;
            prepared.iterations = warm.iterations;
            prepared.warmup_iterations = warm.done;
            prepared.settled = warm.settled;
            let disturbances = Watch::new(variant.threads).with_processes(subject.processes());
            let live =
                Live { subject, reference, cache: trial.cache, iterations: warm.iterations, watch, disturbances };
            self.live.insert(trial.trial, live);
        }
        wait_for_rest();
        prepared.prepare_ns = clock::now_ns() - started;
        Ok(Reply::Prepared(prepared))
    }

    /// Takes a trial out; whoever finds it well puts it back, so that a failed one frees its memory.
    fn take(&mut self, trial: i64) -> Result<Live, String> {
        self.live.remove(&trial).ok_or_else(|| format!("trial {trial} has not been prepared"))
    }

    fn sample(&mut self, trial: i64) -> Result<Reply, String> {
        let mut live = self.take(trial)?;
        let mut failure = None;
        let mut work = timed(live.subject.as_mut(), &mut failure);
        let sample = match live.cache {
            CacheRegime::Hot => sampler::sample_hot(&mut work, live.iterations, &mut live.disturbances),
            CacheRegime::Cold => sampler::sample_cold(&mut work, live.iterations, &mut live.disturbances),
        };
        drop(work);
        failure.map_or(Ok(()), Err)?;
        self.live.insert(trial, live);
        wait_for_rest();
        Ok(Reply::Sampled(sample))
    }

    fn finish(&mut self, trial: i64) -> Result<Reply, String> {
        let mut live = self.take(trial)?;
        let peak_memory_bytes = live.watch.and_then(|watch| watch.peak_bytes());
        let output = live.subject.output().map_err(|error| error.to_string());
        let check = output.map(|output| live.reference.compare(&output));
        Ok(Reply::Finished { check: check?, peak_memory_bytes })
    }
}

/// Calls and the wait for the device, as one thing to time; a failure is kept for afterwards.
fn timed<'a>(subject: &'a mut dyn Subject, failure: &'a mut Option<String>) -> impl FnMut(u64) + 'a {
    move |iterations| {
        subject.run(iterations);
        if let Err(error) = subject.sync() {
            failure.get_or_insert(error.to_string());
        }
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
}
