//! What a worker does wrong, found by a walk through all that a controller may ask.

mod walk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use benchbook_core::message::{Ask, Description, DeviceInfo, InputsFrom, MemoryFrom, Others, Say};
use benchbook_core::{Case, DType, Params, counted, unknown};
use serde_json::json;

use self::walk::{Chosen, SEED, Step, Stop, Walk, fault, told, wrong};
use crate::driver::{Changing, Driver, asked, named, own_processes, run};
use crate::executor::{Executor, Offers, passes};
use crate::link::Link;
use crate::quiet::wait_for_rest;
use crate::references::References;
use crate::run::beside::{Foreign, named_as_a_column};
use crate::{Error, Result, clock, worker_env};

/// The dtypes that a worker is asked for, until it takes one.
const DTYPES: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::Bf16];

/// Numbers of calls that are asked for, each after one that is not timed.
const CALLS: [u64; 4] = [1, 2, 7, 64];

/// Rows that are overwritten, a call after each, so that the call that is checked takes the second copy of the inputs.
const ROWS: usize = 4;

/// Samples that are taken as in a run.
const SAMPLES: usize = 3;

/// How long each of its threads may work on after an answer, in nanoseconds of processor time.
const MOST_UNREST_NS: i64 = 100_000_000;

/// How long a worker may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something that every worker has to do, and whether this one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// A word for it.
    pub about: &'static str,
    /// What a worker does that is right.
    pub promise: &'static str,
    /// What this one does.
    pub found: Found,
}

/// What an examination has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It keeps the promise.
    Right,
    /// It does something else.
    Wrong(String),
    /// What goes before is wrong already.
    NotReached,
}

/// Starts a worker, asks it all that a controller may, and says what is right and what is wrong. It is examined with its
/// first implementation, or its first of `workload`, on cases of that workload's own; an answer may take it `timeout`.
///
/// # Errors
/// [`Error::Interrupted`]; whatever a worker does is no error.
pub fn examine(
    worker: &Foreign,
    workload: Option<&str>,
    references: References,
    threads: usize,
    timeout: Duration,
    interrupted: &Arc<AtomicBool>,
) -> Result<Vec<Examined>> {
    let mut walk = Walk {
        worker: worker.clone(),
        workload: workload.map(str::to_owned),
        references: references.shared(),
        threads,
        timeout,
        interrupted: Arc::clone(interrupted),
        pipe: None,
        trials: 0,
        chosen: None,
        taken: None,
    };
    let mut examined = Vec::new();
    for (about, promise, step) in STEPS {
        let found = match step(&mut walk) {
            Ok(()) => Found::Right,
            Err(Stop::Wrong(text)) => Found::Wrong(text),
            Err(Stop::NotReached) => Found::NotReached,
            Err(Stop::Ended(error)) => return Err(error),
        };
        examined.push(Examined { about, promise, found });
    }
    Ok(examined)
}

/// What is examined, in this order.
const STEPS: [(&str, &str, fn(&mut Walk) -> Step); 12] = [
    ("greeting", "it greets, in the version of the wire that this program speaks", Walk::greets),
    ("description", "its implementations, engines and devices fit together", Walk::describes),
    ("unknown", "it answers `failed` to what it does not know, and goes on", Walk::refuses),
    ("outputs", "it prepares small cases, and their outputs are right", Walk::solves),
    ("none", "it answers `none` where it approximates nothing and counts no allocations", Walk::has_nothing_to_say),
    ("calls", "it makes the calls or the loop that it is asked for, and times them by CLOCK_MONOTONIC", Walk::calls),
    ("inputs", "it overwrites the inputs in every copy, and computes with the new ones", Walk::takes_new_inputs),
    ("rest", "it comes to rest after an answer", Walk::rests),
    ("memory", "it tells what a call adds to its memory, where it says that it can", Walk::tells_memory),
    ("drop", "a trial that it has dropped is gone", Walk::drops),
    ("trial", "it can be measured: it passes the warm-up, the samples and the checks of a run", Walk::is_measured),
    ("end", "it ends when its controller is gone", Walk::ends),
];

impl Walk {
    fn greets(&mut self) -> Step {
        Ok(self.with(|_, _| Ok(()))?)
    }

    fn describes(&mut self) -> Step {
        if self.pipe.is_none() {
            return Err(Stop::NotReached);
        }
        let known = self.with(|pipe, _| pipe.describe())?;
        for one in &known.implementations {
            let (name, devices, engines) = (&one.name, one.devices.len(), one.engines.len());
            if devices == 0 || devices != engines {
                let (devices, engines) = (counted(devices, "device"), counted(engines, "engine"));
                return wrong(format!(
                    "its implementation `{name}` has {devices} and {engines}: each device needs one"
                ));
            }
            if let Some(device) =
                one.devices.iter().find(|device| known.devices.iter().all(|known| known.name != **device))
            {
                return wrong(format!(
                    "its implementation `{name}` has a device `{device}` that `devices` does not hold"
                ));
            }
        }
        if let Some(words) = named_as_a_column(&known.workloads) {
            return wrong(words);
        }
        let chosen = self.choose(&known)?;
        self.chosen = Some(chosen);
        Ok(())
    }

    /// The implementation to examine, on its first device that is here.
    fn choose(&mut self, known: &Description) -> Step<Chosen> {
        let of_workload = |workload: &str| self.workload.as_ref().is_none_or(|asked| asked == workload);
        let Some(one) = known.implementations.iter().find(|one| of_workload(&one.workload)) else {
            let solved = known.implementations.iter().map(|one| one.workload.as_str());
            return match &self.workload {
                Some(asked) => wrong(unknown("workload", asked, solved).to_string()),
                None => wrong("it has no implementation"),
            };
        };
        let here = |device: &&DeviceInfo| one.devices.contains(&device.name) && device.unavailable.is_none();
        let Some(device) = known.devices.iter().find(here) else {
            return wrong(format!("no device of its implementation `{}` is here", one.name));
        };
        let is_linked = self.references.borrow().problems().find_workload(&one.workload).is_ok();
        let is_owned = known.workloads.iter().any(|workload| workload.name == one.workload);
        let cases = if is_owned && !is_linked {
            self.cases_of_worker(&one.workload)?
        } else {
            self.cases_of_problem(&one.workload)?
        };
        let libraries = worker_env::libraries_of(&known.devices, &device.name).map(Path::to_owned);
        let (implementation, device) = (one.name.clone(), device.name.clone());
        let (sent, approximates) = (one.inputs == InputsFrom::Sent, one.approximates);
        Ok(Chosen { implementation, device, libraries, sent, approximates, cases })
    }

    /// Cases on which a wrong kernel shows, and one as people measure it at the end.
    fn cases_of_problem(&self, name: &str) -> Step<Vec<Case>> {
        let references = self.references.borrow();
        let workload = references.problems().find_workload(name).map_err(Error::from)?;
        let usual = workload.presets().into_iter().next().and_then(|preset| preset.cases.into_iter().next());
        let params = workload.ugly().into_iter().chain([usual.unwrap_or_default()]);
        Ok(params.map(|params| workload.case(params)).collect::<benchbook_core::Result<_>>().map_err(Error::from)?)
    }

    /// The case of a workload of the worker's own whose parameters are the usual ones.
    fn cases_of_worker(&mut self, name: &str) -> Step<Vec<Case>> {
        let found = self.with(|pipe, _| pipe.resolve(name, None, &[Params::default()]))?;
        if found.cases.is_empty() {
            return wrong(format!("its workload `{name}` has no case where no parameter is named"));
        }
        Ok(found.cases)
    }

    fn refuses(&mut self) -> Step {
        if self.chosen.is_none() {
            return Err(Stop::NotReached);
        }
        match self.with(|pipe, timeout| pipe.exchange(&json!({ "ask": "sing" }), &[], true, timeout))? {
            (Say::Failed { .. }, _) => {}
            (other, _) => return wrong(format!("asked to `sing`, which nobody can, it answers {}", told(&other))),
        }
        // It goes on.
        self.with(|pipe, _| pipe.describe())?;
        Ok(())
    }

    fn solves(&mut self) -> Step {
        let Some(chosen) = self.chosen.clone() else { return Err(Stop::NotReached) };
        let mut refusal = String::new();
        for dtype in DTYPES {
            let mut fault_of_case = None;
            for case in &chosen.cases {
                let ready = match self.prepare(case, dtype) {
                    Ok(ready) => ready,
                    Err(Error::Unsupported(reason)) => {
                        refusal = reason;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                // The last is the one that people measure.
                self.taken = Some((case.clone(), dtype));
                let right = self.right(&ready.trial, None)?;
                let (right, facts) = self.followed(&ready.trial, None, right, &ready.outputs)?;
                let off = fault(&ready.outputs, &right, dtype, &facts);
                fault_of_case = fault_of_case.or_else(|| off.map(|off| format!("{} in {dtype}: {off}", case.name)));
                self.ask(&Ask::Drop { trial: ready.trial.trial })?;
            }
            if self.taken.is_some() {
                return fault_of_case.map_or(Ok(()), wrong);
            }
        }
        wrong(format!("it takes none of the cases, for example since {refusal}"))
    }

    fn has_nothing_to_say(&mut self) -> Step {
        let trial = self.ready()?.trial.trial;
        for ask in [Ask::Approximation { trial, seed: SEED }, Ask::Allocations { trial }] {
            match self.ask(&ask)? {
                (Say::None | Say::Answers { .. } | Say::StandsFor { .. } | Say::Allocations { .. }, _) => {}
                (other, _) => return wrong(format!("asked {ask:?}, it answers {} and not `none`", told(&other))),
            }
        }
        Ok(())
    }

    fn calls(&mut self) -> Step {
        let trial = self.ready()?.trial;
        let of = self.loop_of(&trial)?;
        // A loop is timed alone.
        let most = if of.is_some() { 1 } else { u64::MAX };
        for iterations in CALLS.into_iter().filter(|calls| *calls <= most) {
            self.with(|pipe, timeout| run(pipe, trial.trial, [iterations, 1], None, of.as_ref(), timeout))?;
        }
        Ok(())
    }

    fn takes_new_inputs(&mut self) -> Step {
        let ready = self.ready()?;
        let (trial, seed) = (ready.trial.trial, !SEED);
        let of = self.loop_of(&ready.trial)?;
        let mut changing = Changing::new(self.writable(&ready.trial, ready.writable)?, SEED)?;
        for _ in 0..ROWS {
            self.with(|pipe, timeout| run(pipe, trial, [1, 0], changing.change(), of.as_ref(), timeout))?;
        }
        let inputs = changing.names();
        let others = (!inputs.is_empty()).then_some(Others { seed, inputs });
        let right = self.right(&ready.trial, others.as_ref())?;
        let sent = if others.is_some() { self.sent(&ready.trial, seed)? } else { None };
        let mut arrays = named(sent.as_ref());
        arrays.retain(|(name, _)| others.as_ref().is_some_and(|others| others.inputs.iter().any(|one| one == name)));
        match self.with(|pipe, timeout| pipe.ask(&Ask::Finish { trial, seed }, &arrays, timeout))? {
            (Say::Finished { .. }, outputs) => {
                let (right, facts) = self.followed(&ready.trial, others.as_ref(), right, &outputs)?;
                let off = fault(&outputs, &right, ready.trial.variant.dtype, &facts);
                off.map_or(Ok(()), |off| wrong(format!("after its inputs were replaced: {off}")))
            }
            (other, _) => wrong(format!("asked to finish a trial, it answers {}", told(&other))),
        }
    }

    fn rests(&mut self) -> Step {
        let claimed = self.ready()?.processes;
        let processes = self.with(|pipe, _| {
            let caller = pipe.caller().process;
            Ok([own_processes(&*pipe, claimed), vec![caller]].concat())
        })?;
        // By their own clocks, which stand still while a busy machine lets them wait.
        let most_ns = MOST_UNREST_NS * self.threads as i64 + clock::cpu_ns_of(&processes);
        while !wait_for_rest(&processes) {
            if clock::cpu_ns_of(&processes) > most_ns {
                return wrong(
                    "a tenth of a second after its answer a thread still works, which disturbs the other variants",
                );
            }
        }
        Ok(())
    }

    fn tells_memory(&mut self) -> Step {
        let ready = self.ready()?;
        if ready.memory != Some(MemoryFrom::Resident) {
            return Ok(());
        }
        let inputs = self.sent(&ready.trial, SEED)?;
        let ask = Ask::Memory(Box::new(asked(&ready.trial, 1)));
        let said = self.with(|pipe, timeout| match pipe.keeping_nothing()? {
            Some(starting) => starting()?.ask(&ask, &named(inputs.as_ref()), timeout).map(Some),
            None => Ok(None),
        });
        match said? {
            None | Some((Say::Memory { .. }, _)) => Ok(()),
            Some((other, _)) => wrong(format!("asked for its memory, it answers {}", told(&other))),
        }
    }

    fn drops(&mut self) -> Step {
        let trial = self.ready()?.trial.trial;
        match self.ask(&Ask::Drop { trial })? {
            (Say::Dropped, _) => {}
            (other, _) => return wrong(format!("asked to drop a trial, it answers {}", told(&other))),
        }
        match self.ask(&Ask::Run { trial, iterations: 1, before: 0, write: None, steps: None })? {
            (Say::Failed { .. }, _) => Ok(()),
            (other, _) => {
                wrong(format!("asked for a call of a trial that it has dropped, it answers {}", told(&other)))
            }
        }
    }

    fn is_measured(&mut self) -> Step {
        let Some((case, dtype)) = self.taken.clone() else { return Err(Stop::NotReached) };
        let Some(trial) = self.trial(&case, dtype) else { return Err(Stop::NotReached) };
        // A process of its own, as in a run.
        let libraries = self.chosen.as_ref().and_then(|chosen| chosen.libraries.as_deref());
        let link = Box::new(self.worker.start(self.threads, libraries, &self.interrupted)?);
        let (mut driver, timeout) = (Driver::new(link, &self.references), self.timeout);
        let prepared = driver.prepare(&trial, timeout)?;
        if !passes(&prepared.check, prepared.tolerance) {
            // Which was told before.
            return Err(Stop::NotReached);
        }
        for _ in 0..SAMPLES {
            driver.sample(trial.trial, timeout)?;
        }
        let finished = driver.finish(trial.trial, timeout)?;
        if passes(&finished.check, prepared.tolerance) {
            return Ok(());
        }
        wrong("its outputs are wrong on inputs that it was not timed on")
    }

    fn ends(&mut self) -> Step {
        if self.chosen.is_none() {
            return Err(Stop::NotReached);
        }
        self.with(|_, _| Ok(()))?;
        if self.pipe.take().is_none_or(|pipe| pipe.ends_alone(PATIENCE)) {
            return Ok(());
        }
        wrong(format!("{} s after its standard input was closed it still runs", PATIENCE.as_secs()))
    }
}
