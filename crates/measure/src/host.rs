//! A worker: what it offers, and what it does where it is asked, in a process of its own or in this one.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use benchbook_core::message::{
    Ask, Description, DeviceInfo, ImplementationInfo, InputsFrom, MemoryFrom, Others, Place, Prepare, Say,
    WorkloadInfo, Writable,
};
use benchbook_core::{
    Array, DType, Implementation, Inputs, KnobInfo, Knobs, Metric, Params, Posed, Reference, Registry, Setting,
    Subject, Support, Workload,
};

use crate::allocations::{Allocated, allocated};
use crate::caught::{Caught, panic_text};
use crate::clock;
use crate::frame::Arrays;
use crate::references::{digest_of, facts_of, inputs_of, numbers, rows_of, told, with_others};
use crate::resolve::resolve;
use crate::resource::MemoryWatch;
use crate::steps::Room;
use crate::user_cache;

/// What a program with kernels knows of itself.
pub struct Host {
    registry: Registry,
    probe: fn(&str) -> Option<String>,
    build: Vec<(String, String)>,
    engine_pools: fn() -> Vec<(String, usize)>,
    settle: Settle,
    libraries: Libraries,
}

/// Makes this process one of a device, and names the instructions that the library behind it takes there.
type Settle = fn(&str) -> Result<Option<String>, String>;

/// The folder of shared libraries that a process of a device is to find before all others, made below another if need be.
type Libraries = fn(&str, &Path) -> Option<PathBuf>;

impl Host {
    /// What `registry` offers; `probe` says why a device cannot be used here (nothing when it can),
    /// `build` names compile-time facts that change speed, `engine_pools` the engines' thread pools.
    pub fn new(
        registry: Registry,
        probe: fn(&str) -> Option<String>,
        build: Vec<(String, String)>,
        engine_pools: fn() -> Vec<(String, usize)>,
    ) -> Self {
        Self { registry, probe, build, engine_pools, settle: |_| Ok(None), libraries: |_, _| None }
    }

    /// The same, `settle` asked about the device of each trial before anything of it runs: some things a library chooses
    /// once for a process.
    #[must_use]
    pub fn with_settle(self, settle: Settle) -> Self {
        Self { settle, ..self }
    }

    /// The same, whose processes of a device find those shared libraries before all others that `libraries` has for it: what
    /// another device needs may take long to load.
    #[must_use]
    pub fn with_libraries(self, libraries: Libraries) -> Self {
        Self { libraries, ..self }
    }
}

/// An answer, and the arrays that go with it.
type Said = (Say, Arrays);

/// Does what it is asked, one thing at a time; a panic of a kernel is a failure, not the end.
pub(crate) struct Worker {
    host: Host,
    live: HashMap<i64, Live>,
}

/// A trial that is prepared.
struct Live {
    posed: Box<dyn Posed>,
    subject: Box<dyn Subject>,
    /// What the trial is.
    asked: Prepare,
    /// Names of the inputs whose rows can be overwritten.
    writable: Vec<String>,
    /// The inputs of an approximation, until it was asked what is right of it and of others, or is called.
    inputs: Option<Inputs>,
    /// Where the steps of its loop are set down, if it is one.
    room: Option<Room>,
}

/// The workload and the implementation that a trial names.
type Found<'a> = (&'a dyn Workload, &'a dyn Implementation);

impl Worker {
    /// A worker of what `host` offers.
    pub fn new(host: Host) -> Self {
        Self { host, live: HashMap::new() }
    }

    /// Adds workloads and implementations to what is offered.
    pub fn extend(&mut self, extend: impl FnOnce(&mut Registry)) {
        extend(&mut self.host.registry);
    }

    /// Does what is asked.
    pub fn answer(&mut self, ask: Ask, arrays: Arrays) -> Said {
        let failed = |message: String| (Say::Failed { message }, Arrays::new());
        let _caught = Caught::begin();
        match catch_unwind(AssertUnwindSafe(|| self.done(ask, arrays))) {
            Ok(Ok(said)) => said,
            Ok(Err(message)) => failed(message),
            Err(panic) => failed(format!("the kernel panicked: {}", panic_text(panic.as_ref()))),
        }
    }

    fn done(&mut self, ask: Ask, arrays: Arrays) -> Result<Said, String> {
        let say = match ask {
            Ask::Prepare(asked) => return self.prepare(*asked),
            Ask::Finish { trial, seed } => return self.finish(trial, seed),
            Ask::Reference { workload, params, seed, others } => {
                return self.reference(&workload, &params, seed, others.as_ref());
            }
            Ask::Approximation { trial, seed } => return self.approximation(trial, seed),
            Ask::Run { trial, iterations, before, write, .. } => {
                return self.run(trial, iterations, before, write.as_ref(), &arrays);
            }
            Ask::Describe => Say::Description(Box::new(self.describe())),
            Ask::Resolve { workload, preset, combinations } => {
                let workload = self.host.registry.find_workload(&workload).map_err(text)?;
                let found = resolve(workload, preset.as_deref(), &combinations).map_err(text)?;
                Say::Cases { cases: found.cases, impossible: found.impossible }
            }
            Ask::Pose { workload, params, dtype, seed } => {
                let posed = self.posed(&workload, &params)?;
                Say::Posed(facts_of(posed.as_ref(), &posed.inputs(seed), dtype))
            }
            Ask::Allocations { trial } => self.allocations(trial)?,
            Ask::Memory(asked) => self.memory(&asked)?,
            Ask::Drop { trial } => {
                self.live.remove(&trial);
                Say::Dropped
            }
        };
        Ok((say, Arrays::new()))
    }

    fn describe(&self) -> Description {
        let registry = &self.host.registry;
        let workload = |workload: &dyn Workload| WorkloadInfo {
            name: workload.name().into(),
            about: workload.about().into(),
            presets: workload.presets().iter().map(|preset| preset.name.to_owned()).collect(),
            params: workload.params(),
            seeds: workload.seeds(),
        };
        let implementation = |implementation: &dyn Implementation| ImplementationInfo {
            name: implementation.name().into(),
            workload: implementation.workload().into(),
            about: implementation.about().into(),
            devices: implementation.devices().into_iter().map(Into::into).collect(),
            engines: implementation.devices().into_iter().map(|device| implementation.engine(device)).collect(),
            catalogue: implementation.catalogue().iter().map(|id| (*id).to_owned()).collect(),
            inputs: InputsFrom::Made,
            approximates: implementation.approximates(),
            on_request: implementation.on_request(),
            knobs: implementation.knobs().iter().map(KnobInfo::from).collect(),
        };
        let below = user_cache::folder("libraries");
        let libraries =
            |device: &str| (self.host.libraries)(device, below.as_deref()?)?.into_os_string().into_string().ok();
        let mut devices: Vec<DeviceInfo> = Vec::new();
        for implementation in registry.implementations() {
            for device in implementation.devices() {
                if devices.iter().all(|known| known.name != device) {
                    let (engine, engine_version) = implementation.engine(device);
                    let unavailable = (self.host.probe)(device);
                    let (name, libraries) = (device.into(), libraries(device));
                    devices.push(DeviceInfo { name, engine, engine_version, unavailable, libraries });
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

    fn posed(&self, workload: &str, params: &Params) -> Result<Box<dyn Posed>, String> {
        self.host.registry.find_workload(workload).and_then(|workload| workload.pose(params)).map_err(text)
    }

    fn found(&self, asked: &Prepare) -> Result<Found<'_>, String> {
        let registry = &self.host.registry;
        let bare = Knobs::bare(&asked.implementation);
        let found = registry.find_implementation(&asked.workload, bare).map_err(text)?;
        Ok((registry.find_workload(&asked.workload).map_err(text)?, found))
    }

    fn reference(&self, workload: &str, params: &Params, seed: u64, others: Option<&Others>) -> Result<Said, String> {
        let posed = self.posed(workload, params)?;
        Ok(answers(&posed.reference(&inputs_of(posed.as_ref(), seed, others), seed)))
    }

    fn prepare(&mut self, asked: Prepare) -> Result<Said, String> {
        let (workload, implementation) = self.found(&asked)?;
        let posed = workload.pose(&asked.params).map_err(text)?;
        let unsupported = |reason: String| Ok((Say::Unsupported { reason }, Arrays::new()));
        if let Support::No(reason) = implementation.supports(&asked.device, asked.dtype, &asked.params) {
            return unsupported(reason);
        }
        if !implementation.devices().contains(&asked.device.as_str()) {
            return unsupported(format!("{} has no code for {}", asked.implementation, asked.device));
        }
        let inputs = posed.inputs(asked.seed);
        let instructions = (self.host.settle)(&asked.device)?;
        let engine_version = [implementation.engine(&asked.device).1].into_iter().chain(instructions);
        let engine_version = Some(engine_version.collect::<Vec<_>>().join(" "));
        let knobs = knobs(implementation, &asked)?;
        let started_ns = clock::now_ns();
        let has_searched = implementation.search(&asked.params, &inputs).map_err(text)?;
        let search_ns = has_searched.then(|| clock::now_ns() - started_ns);
        let mut subject =
            implementation.prepare_with(&setting(&asked), &asked.params, &inputs, &knobs).map_err(text)?;
        let task = posed.task();
        if task.steps().is_some() != subject.looped().is_some() {
            return Err(format!("{} is no implementation of {task:?}", asked.implementation));
        }
        let room = task.steps().map(Room::new);
        // Where memory comes from Rust's allocator, all of a call's is seen in the first one, what it keeps included.
        let first = subject.allocates_in_rust().then(|| allocated(|| subject.run(1))).flatten();
        if first.is_none() {
            subject.run(1);
        }
        if let Err(error) = subject.sync() {
            return Ok(broken(subject.as_mut(), room, text(error)));
        }
        let outputs = subject.outputs().map_err(text)?;
        let processes = subject.processes();
        let memory = match &first {
            Some(_) => Some(MemoryFrom::Counted),
            None => processes.is_empty().then_some(MemoryFrom::Resident),
        };
        let writable = writable(posed.as_ref(), &inputs, subject.as_mut())?;
        let mut metrics = subject.metrics();
        metrics.extend(search_ns.map(|ns| Metric::measured("search_ns", ns as f64, "ns")));
        let names = writable.iter().map(|one| one.input.clone()).collect();
        let (trial, digest) = (asked.trial, Some(digest_of(&inputs)));
        let inputs = implementation.approximates().then_some(inputs);
        self.live.insert(trial, Live { posed, subject, asked, writable: names, inputs, room });
        let peak_added_bytes = first.map(|first| first.peak_bytes);
        let say =
            Say::Prepared { engine_version, metrics, writable, processes, memory, peak_added_bytes, inputs: digest };
        Ok((say, unnamed(outputs)))
    }

    fn approximation(&mut self, trial: i64, seed: u64) -> Result<Said, String> {
        let live = self.live.get_mut(&trial).ok_or_else(|| unprepared(trial))?;
        let held = live.inputs.take();
        let Live { posed, asked, writable, .. } = &self.live[&trial];
        let (_, implementation) = self.found(asked)?;
        if !implementation.approximates() {
            return Ok((Say::None, Arrays::new()));
        }
        let mut inputs = held.unwrap_or_else(|| posed.inputs(asked.seed));
        let is_own = seed == asked.seed;
        if !is_own {
            inputs = with_others(posed.as_ref(), inputs, &Others { seed, inputs: writable.clone() });
        }
        let answer = implementation.approximation(&asked.params, &inputs, asked.seed);
        if is_own && let Some(live) = self.live.get_mut(&trial) {
            // What is right with other inputs is asked next: most of them are these.
            live.inputs = Some(inputs);
        }
        Ok(answer.map_or_else(|| (Say::None, Arrays::new()), |answer| answers(&answer)))
    }

    fn run(
        &mut self,
        trial: i64,
        iterations: u64,
        before: u64,
        write: Option<&Place>,
        arrays: &[(String, Array)],
    ) -> Result<Said, String> {
        let mut live = self.take(trial)?;
        live.inputs = None;
        let subject = live.subject.as_mut();
        if before > 0
            && let Err(message) = call(subject, before)
        {
            return Ok(broken(subject, live.room.take(), message));
        }
        // Before anything is written, so that a loop cannot begin its work with new inputs outside of what is timed.
        if let Some(looped) = subject.looped() {
            looped.begin();
        }
        // After these calls, so that the first one that is timed sees new inputs.
        if let Some(Place { input, row }) = write {
            let values = arrays.iter().find(|(name, array)| name == "values" && array.dtype() == DType::F32);
            let (_, values) = values.ok_or("there are no `values` in f32 to write")?;
            if !subject.write(input, *row, values.of()).map_err(text)? {
                return Err(format!("nothing can be written to an input `{input}`"));
            }
        }
        let (ran, steps) = match (subject.looped(), &mut live.room) {
            (Some(looped), Some(room)) if iterations == 1 => match clock::time_steps(looped, room) {
                Ok(ran) => (ran, room.told()),
                Err(message) => return Ok((Say::Failed { message }, room.told())),
            },
            (Some(_), _) => return Err(format!("a loop is timed alone, and {iterations} were asked for")),
            (None, _) => {
                let mut done = Ok(());
                let ran = clock::time(&mut |count| done = call(subject, count), iterations);
                done?;
                (ran, Arrays::new())
            }
        };
        self.live.insert(trial, live);
        Ok((Say::Ran(ran), steps))
    }

    fn allocations(&mut self, trial: i64) -> Result<Say, String> {
        let mut live = self.take(trial)?;
        let subject = live.subject.as_mut();
        let (counts, mut done) = (subject.allocates_in_rust(), Ok(()));
        let found = if counts { allocated(|| done = call(subject, 1)) } else { None };
        done?;
        self.live.insert(trial, live);
        Ok(found.map_or(Say::None, |Allocated { count, bytes, .. }| Say::Allocations { count, bytes }))
    }

    /// Calls a trial once more, with inputs that it was not timed on, where it can be given any.
    fn finish(&mut self, trial: i64, seed: u64) -> Result<Said, String> {
        let Live { posed, mut subject, writable, .. } = self.take(trial)?;
        if !writable.is_empty() {
            let others = posed.some_inputs(seed, &writable);
            for name in &writable {
                subject.write(name, 0, &numbers(others.get(name))).map_err(text)?;
            }
            call(subject.as_mut(), 1)?;
        }
        Ok((Say::Finished { metrics: Vec::new() }, unnamed(subject.outputs().map_err(text)?)))
    }

    /// What a call adds to resident memory, which tells only in a process that gives back at once what it frees.
    fn memory(&mut self, asked: &Prepare) -> Result<Say, String> {
        let (workload, implementation) = self.found(asked)?;
        (self.host.settle)(&asked.device)?;
        let inputs = workload.pose(&asked.params).map_err(text)?.inputs(asked.seed);
        let knobs = knobs(implementation, asked)?;
        let mut subject = implementation.prepare_with(&setting(asked), &asked.params, &inputs, &knobs).map_err(text)?;
        drop(inputs);
        // The first call loads code too.
        call(subject.as_mut(), 1)?;
        let watch = MemoryWatch::start();
        call(subject.as_mut(), 1)?;
        let added = |watch: MemoryWatch| Some(watch.peak_bytes()?.saturating_sub(watch.resident_before_bytes()));
        Ok(Say::Memory { peak_added_bytes: watch.and_then(added) })
    }

    /// Takes a trial out; whoever finds it well puts it back, so that a failed one frees its memory.
    fn take(&mut self, trial: i64) -> Result<Live, String> {
        self.live.remove(&trial).ok_or_else(|| unprepared(trial))
    }
}

/// Calls a kernel so often, and waits until its device has finished.
fn call(subject: &mut dyn Subject, count: u64) -> Result<(), String> {
    subject.run(count);
    subject.sync().map_err(text)
}

/// That a call of a trial has failed. Where it is a loop, with the steps until then: it is made once more, a step at a time.
fn broken(subject: &mut dyn Subject, room: Option<Room>, message: String) -> Said {
    let (Some(looped), Some(mut room)) = (subject.looped(), room) else {
        return (Say::Failed { message }, Arrays::new());
    };
    looped.begin();
    let again = clock::time_steps(looped, &mut room);
    // One that comes to its end now tells nothing of the one that has failed.
    (Say::Failed { message }, if again.is_err() { room.told() } else { Arrays::new() })
}

fn unprepared(trial: i64) -> String {
    format!("trial {trial} has not been prepared")
}

fn text(error: benchbook_core::Error) -> String {
    error.to_string()
}

/// The values of its knobs that stand in the name of a trial's implementation.
fn knobs(implementation: &dyn Implementation, asked: &Prepare) -> Result<Knobs, String> {
    let known: Vec<KnobInfo> = implementation.knobs().iter().map(KnobInfo::from).collect();
    Knobs::read(&asked.implementation, &known).map_err(text)
}

fn setting(asked: &Prepare) -> Setting {
    let Prepare { device, dtype, threads, copies, .. } = asked;
    Setting { device: device.clone(), dtype: *dtype, threads: *threads, copies: *copies }
}

/// Outputs in the order of their answers, which name them.
fn unnamed(outputs: Vec<Array>) -> Arrays {
    outputs.into_iter().map(|output| (String::new(), output)).collect()
}

fn answers(reference: &Reference) -> Said {
    let (answers, numbers) = told(reference);
    (Say::Answers { answers }, numbers)
}

/// The inputs that a subject can overwrite: each is asked to hold what it holds already.
fn writable(posed: &dyn Posed, inputs: &Inputs, subject: &mut dyn Subject) -> Result<Vec<Writable>, String> {
    let mut found = Vec::new();
    for one in rows_of(posed, inputs) {
        if subject.write(&one.input, 0, &numbers(inputs.get(&one.input))[..one.width]).map_err(text)? {
            found.push(one);
        }
    }
    Ok(found)
}
