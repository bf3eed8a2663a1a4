//! The measuring of trials by a worker that does no more than it is told: to prepare, to write a row, to make so many calls.
//!
//! Everything that decides is here, the same for a worker in any language and for this process.

mod alone;
mod approximate;
mod believed;
mod calls;
mod changing;
mod machine;
mod sampler;
mod suspicion;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use benchbook_core::message::{Ask, Facts, MemoryFrom, Others, Prepare, Say};
use benchbook_core::{Array, CacheRegime, Comparison, Inputs, Metric, Reference, Task};
use benchbook_journal::Isolation;

use self::alone::Alone;
use self::approximate::allowing;
pub(crate) use self::believed::{approximation_of, believed};
use self::believed::{in_order, most_bytes};
pub(crate) use self::calls::run;
use self::calls::{Calls, broken};
pub(crate) use self::changing::{Changing, as_known};
use self::machine::{cold_copies, last_level_cache_bytes};
use crate::disturbance::{Load, Watch};
use crate::energy::ENERGY;
use crate::executor::{Executor, Finished, MEAN_ERROR, PEAK_ADDED, Prepared, Sampled, THREADS_AT_WORK, Trial, passes};
use crate::link::{Link, unexpected};
use crate::quiet::Stirred;
use crate::references::{Question, Shared};
use crate::waiting::Deadline;
use crate::{Error, Result, clock, steps};

/// Copies of the inputs beyond which the cold regime is refused: each is an allocation of its own.
const MOST_COPIES: usize = 100_000;

/// Other processes of a trial at most.
const MOST_PROCESSES: usize = 256;

/// Name of the metric of the first step at which greedy decoding may go another way than the reference, from 0.
const FIRST_TIE: &str = "first_tie";

/// How long a worker may take at least to drop a trial, also where all the time of a step is gone.
const LEAST_TO_DROP: Duration = Duration::from_secs(1);

/// Measures by a worker at the other end of a link.
pub struct Driver {
    link: Box<dyn Link>,
    references: Shared,
    live: HashMap<i64, Live>,
    load: Rc<RefCell<Load>>,
    /// What may still work after the last step, or after the start.
    stirred: Option<Stirred>,
    alone: Alone,
}

/// A trial that can be sampled.
struct Live {
    trial: Trial,
    changing: Changing,
    watch: Watch,
    iterations: u64,
    reference: Rc<Reference>,
    /// Whether the reference is that of an approximation, which its worker tells.
    approximates: bool,
    /// The scaled error that what it rounds on the way explains.
    allowed: f64,
    /// Whether its worker makes other inputs than this program.
    otherwise: bool,
    /// What one sample is.
    task: Task,
}

impl Driver {
    /// Measures by the worker at the other end of `link`, checked against these answers.
    pub fn new(link: Box<dyn Link>, references: &Shared) -> Self {
        let (references, live, load) = (Rc::clone(references), HashMap::new(), Rc::default());
        let stirred = Some(Stirred::now(vec![link.caller().process]));
        Self { link, references, live, load, stirred, alone: Alone::default() }
    }

    /// The same, which sees what others take of the processors together with other executors of its process.
    #[must_use]
    pub(crate) fn sharing(self, load: &Rc<RefCell<Load>>) -> Self {
        Self { load: Rc::clone(load), ..self }
    }

    /// How often the inputs of a trial are copied.
    fn copies(&mut self, trial: &Trial, deadline: Deadline) -> Result<usize> {
        if trial.cache == CacheRegime::Hot {
            return Ok(1);
        }
        let facts = self.facts(&question(trial), deadline)?;
        if facts.task != Task::Call {
            let words = "a loop finds in the caches what its last step has left there, measure it hot";
            return Err(Error::Unsupported(words.into()));
        }
        let copies = cold_copies(facts.input_bytes, last_level_cache_bytes());
        if copies > MOST_COPIES {
            let words =
                format!("{copies} copies of so small an input would be needed to leave the caches, measure it hot");
            return Err(Error::Unsupported(words));
        }
        Ok(copies)
    }

    /// The inputs of a seed, where they are sent: all, or those of these names, and others perhaps besides.
    fn sent(&self, trial: &Trial, seed: u64, names: Option<&[String]>, deadline: Deadline) -> Result<Option<Inputs>> {
        if !trial.sent {
            return Ok(None);
        }
        self.references.borrow().inputs(&Question { seed, ..question(trial) }, names, deadline.left()).map(Some)
    }

    fn answer(
        &mut self,
        question: &Question<'_>,
        others: Option<&Others>,
        deadline: Deadline,
    ) -> Result<(Rc<Reference>, i64)> {
        self.references.borrow_mut().answer(question, others, self.link.as_mut(), deadline.left())
    }

    fn facts(&mut self, question: &Question<'_>, deadline: Deadline) -> Result<Facts> {
        self.references.borrow_mut().facts(question, self.link.as_mut(), deadline.left())
    }

    /// These outputs beside what is right: the reference, or what follows from a tie at which they have gone another way; and
    /// the time that the latter took, in nanoseconds.
    fn checked(
        &mut self,
        question: &Question<'_>,
        others: Option<&Others>,
        reference: &Reference,
        outputs: &[Array],
        approximates: bool,
        deadline: Deadline,
    ) -> Result<(Vec<Comparison>, i64)> {
        let own = self.facts(question, deadline)?.tolerances;
        let check = reference.compare_within(outputs, &own);
        // What an approximation is right beside its worker alone knows, and who has gone the same way needs no other answer.
        if approximates || reference.first_tie().is_none() || check.iter().all(|one| one.max_abs_error == 0.0) {
            return Ok((check, 0));
        }
        let started_ns = clock::now_ns();
        let followed = self.references.borrow().follow(question, others, outputs, deadline.left())?;
        let check = followed.map_or(check, |right| right.compare_within(outputs, &own));
        Ok((check, clock::now_ns() - started_ns))
    }

    /// Whether a worker has made other inputs than this program makes, which an earlier build may.
    fn makes_others(&self, trial: &Trial, digest: Option<&str>) -> Result<bool> {
        let references = self.references.borrow();
        let differs = digest.zip(references.digest(&question(trial))).is_some_and(|(theirs, ours)| theirs != ours);
        if differs && trial.variant.build.is_none() {
            return Err(Error::Failed("its worker has made other inputs than this program makes from the seed".into()));
        }
        Ok(differs && !trial.sent)
    }

    /// Has a worker prepare a trial, checks it, and warms it up where it is right.
    fn ready(&mut self, trial: &Trial, copies: usize, deadline: Deadline) -> Result<(Prepared, Option<Live>)> {
        let (mut exact, mut reference_ns) = self.answer(&question(trial), None, deadline)?;
        let mut facts = self.facts(&question(trial), deadline)?;
        let inputs = self.sent(trial, trial.input_seed, None, deadline)?;
        let of_steps = facts.task.steps().map_or(0, |of| steps::most_bytes(of.most));
        self.link.expect(most_bytes(&exact).max(of_steps));
        let asked_ns = clock::now_ns();
        let ask = Ask::Prepare(Box::new(asked(trial, copies)));
        let (said, outputs) = self.link.ask(&ask, &named(inputs.as_ref()), deadline.left())?;
        drop(inputs);
        let Say::Prepared {
            engine_version,
            metrics: of_worker,
            writable,
            processes,
            memory,
            peak_added_bytes,
            inputs: digest,
        } = said
        else {
            return Err(broken(said, &outputs, facts.task.steps(), asked_ns));
        };
        let otherwise = self.makes_others(trial, digest.as_deref())?;
        let posed = Question { otherwise, ..question(trial) };
        if otherwise {
            let (own, own_ns) = self.answer(&posed, None, deadline)?;
            facts = self.facts(&posed, deadline)?;
            (exact, reference_ns) = (own, reference_ns + own_ns);
        }
        let told = self.approximation(trial, None, &[], &exact, deadline)?;
        let outputs = in_order(&exact, outputs)?;
        let approximation = told.map(|told| self.right(trial, None, told, &outputs, deadline)).transpose()?;
        let mut metrics = facts.metrics;
        metrics.extend(peak_added_bytes.map(|bytes| Metric::measured(PEAK_ADDED, bytes as f64, "bytes")));
        metrics.extend(exact.mean_error(&outputs).map(|off| Metric::measured(MEAN_ERROR, off, "share")));
        if approximation.is_some() {
            let distance = exact.distance(&outputs);
            if !distance.is_finite() {
                let words = "its outputs are no approximation: they are infinitely far from the right answer";
                return Err(Error::Failed(words.into()));
            }
            metrics.push(Metric::measured("relative_error", distance, "share"));
        }
        metrics.extend(of_worker);
        let approximates = approximation.is_some();
        let (reference, allowed) = approximation.unwrap_or((exact, 0.0));
        let first_tie = reference.first_tie().map(|step| Metric::modelled(FIRST_TIE, step as f64, "count"));
        metrics.extend(first_tie);
        let (check, follow_ns) = self.checked(&posed, None, &reference, &outputs, approximates, deadline)?;
        let check = allowing(check, facts.tolerance, allowed);
        reference_ns += follow_ns;
        drop(outputs);
        let right = passes(&check, facts.tolerance);
        let mut prepared = Prepared {
            check,
            tolerance: facts.tolerance,
            flops: facts.work.flops,
            bytes: facts.work.bytes,
            iterations: 1,
            warmup_iterations: 1,
            settled: None,
            prepare_ns: 0,
            memory_elsewhere: memory == Some(MemoryFrom::Resident),
            rested: true,
            copies: copies as u64,
            engine_version,
            metrics,
            reference_ns: Some(reference_ns),
        };
        let processes = own_processes(self.link.as_ref(), processes);
        let watch = Watch::new(trial.variant.threads, self.link.caller(), processes);
        // No speed for a wrong kernel: it is not even warmed up.
        let live = if right {
            let writable = as_known(writable, self.references.borrow().rows(&posed), facts.input_bytes)?;
            let changing = Changing::new(writable, trial.input_seed)?;
            if approximates && !trial.sent && !changing.names().is_empty() {
                // Its worker has the inputs at hand, most of which stay as they are.
                let others = last_inputs(trial, &changing);
                self.approximation(trial, Some(&others), &[], &reference, deadline)?;
            }
            let (trial, task) = (trial.clone(), facts.task);
            let mut live =
                Live { trial, changing, watch, iterations: 1, reference, approximates, allowed, otherwise, task };
            let warm = self.warm_up(&mut live, &mut prepared, deadline);
            self.stirred = Some(live.watch.stirred());
            warm?;
            Some(live)
        } else {
            self.stirred = Some(watch.stirred());
            None
        };
        Ok((prepared, live))
    }

    /// Calls a right kernel until its times have settled, and sees that it does what it is told.
    fn warm_up(&mut self, live: &mut Live, prepared: &mut Prepared, deadline: Deadline) -> Result<()> {
        let Live { trial, changing, watch, iterations, task, .. } = live;
        let changes = f64::from(u8::from(!changing.names().is_empty()));
        prepared.metrics.push(Metric::measured("inputs_change", changes, "bool"));
        let (link, of) = (self.link.as_mut(), task.steps());
        let mut calls = Calls { link, changing, trial: trial.trial, deadline, of, steps: None };
        let min_sample_ns = of.is_none().then_some(trial.min_sample_ns);
        let warm = sampler::warm_up(&mut calls, trial.warmup_ns, min_sample_ns, watch, &mut self.load.borrow_mut())?;
        if !watch.tells() {
            prepared.metrics.push(Metric::measured("coarse_cpu_time", 1.0, "bool"));
        }
        prepared.metrics.extend(watch.crowd().map(|at_work| Metric::measured(THREADS_AT_WORK, at_work, "count")));
        // Warm, and not timed.
        prepared.metrics.extend(calls.allocations()?);
        if let Some(suspicion) = suspicion::suspicion(&mut calls, warm.iterations)? {
            return Err(Error::Failed(suspicion));
        }
        prepared.iterations = warm.iterations;
        prepared.warmup_iterations = warm.done;
        prepared.settled = warm.settled;
        *iterations = warm.iterations;
        Ok(())
    }

    /// Prepares a trial, and drops it where it is wrong.
    fn prepared(&mut self, trial: &Trial, deadline: Deadline) -> Result<Prepared> {
        let copies = self.copies(trial, deadline)?;
        let ready = self.ready(trial, copies, deadline);
        let (prepared, live) = self.or_dropped(ready, trial.trial, deadline)?;
        match live {
            Some(live) => drop(self.live.insert(trial.trial, live)),
            // That it is wrong is known, also where its worker is lost by now: the next question finds that out.
            None => drop(self.link.ask(&Ask::Drop { trial: trial.trial }, &[], deadline.left().max(LEAST_TO_DROP))),
        }
        Ok(prepared)
    }

    /// Takes a trial out; whoever finds it well puts it back.
    fn take(&mut self, trial: i64) -> Result<Live> {
        self.live.remove(&trial).ok_or_else(|| Error::Failed(format!("trial {trial} has not been prepared")))
    }

    /// What has come of a step of a trial; a failed one frees its memory.
    fn or_dropped<T>(&mut self, result: Result<T>, trial: i64, deadline: Deadline) -> Result<T> {
        let error = match result {
            Err(error) if !matches!(error, Error::WorkerLost { .. } | Error::Interrupted) => error,
            other => return other,
        };
        match self.link.ask(&Ask::Drop { trial }, &[], deadline.left().max(LEAST_TO_DROP)) {
            // Why it failed is the first of the two.
            Err(Error::WorkerLost { worker, reason, hung }) => {
                Err(Error::WorkerLost { worker, reason: format!("{error}; and then {reason}"), hung })
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(_) | Ok(_) => Err(error),
        }
    }

    /// Checks a trial on inputs that it was not timed on, where it can be given any.
    fn finished(&mut self, live: Live, deadline: Deadline) -> Result<Finished> {
        let Live { trial: of, changing, mut reference, approximates, mut allowed, otherwise, .. } = live;
        let posed = Question { otherwise, ..question(&of) };
        let others = last_inputs(&of, &changing);
        let (trial, seed) = (of.trial, others.seed);
        let names = Some(others.inputs.as_slice());
        let inputs = if others.inputs.is_empty() { None } else { self.sent(&of, seed, names, deadline)? };
        let mut arrays = named(inputs.as_ref());
        arrays.retain(|(name, _)| others.inputs.iter().any(|other| other == name));
        let (mut reference_ns, mut told) = (0, None);
        if approximates && !others.inputs.is_empty() {
            told = self.approximation(&of, Some(&others), &arrays, &reference, deadline)?;
            if told.is_none() {
                return Err(Error::Failed("its worker calls it an approximation no more".into()));
            }
        } else if !others.inputs.is_empty() {
            (reference, reference_ns) = self.answer(&posed, Some(&others), deadline)?;
        }
        self.link.expect(most_bytes(&reference));
        let (said, outputs) = self.link.ask(&Ask::Finish { trial, seed }, &arrays, deadline.left())?;
        let Say::Finished { metrics } = said else { return Err(unexpected(said)) };
        let outputs = in_order(&reference, outputs)?;
        if let Some(told) = told {
            (reference, allowed) = self.right(&of, Some(&others), told, &outputs, deadline)?;
        }
        let (check, follow_ns) = self.checked(&posed, Some(&others), &reference, &outputs, approximates, deadline)?;
        let check = allowing(check, self.facts(&posed, deadline)?.tolerance, allowed);
        Ok(Finished { check, reference_ns: Some(reference_ns + follow_ns), metrics })
    }
}

impl Executor for Driver {
    fn prepare(&mut self, trial: &Trial, timeout: Duration) -> Result<Prepared> {
        let started_ns = clock::now_ns();
        let prepared = self.prepared(trial, Deadline::after(timeout));
        if prepared.is_err() {
            // It may have failed at any step, after calls too.
            self.stirred.get_or_insert_with(|| Stirred::now(with_this_one(vec![self.link.caller().process])));
        }
        prepared.map(|prepared| Prepared { prepare_ns: clock::now_ns() - started_ns, ..prepared })
    }

    fn draw(&mut self, trial: i64) {
        if let Some(live) = self.live.get_mut(&trial) {
            live.changing.draw();
        }
    }

    fn sample(&mut self, trial: i64, timeout: Duration) -> Result<Sampled> {
        let deadline = Deadline::after(timeout);
        let mut live = self.take(trial)?;
        let Live { trial: asked, changing, watch, iterations, task, .. } = &mut live;
        let (link, of) = (self.link.as_mut(), task.steps());
        let mut calls = Calls { link, changing, trial, deadline, of, steps: None };
        let sampled = match asked.cache {
            CacheRegime::Hot => sampler::sample_hot(&mut calls, *iterations, watch, &mut self.load.borrow_mut()),
            CacheRegime::Cold => sampler::sample_cold(&mut calls, *iterations, watch, &mut self.load.borrow_mut()),
        };
        let steps = calls.steps.take();
        // Else its rest was a part of the sample.
        self.stirred = (sampled.is_err() || live.watch.tells()).then(|| live.watch.stirred());
        let sampled = self.or_dropped(sampled, trial, deadline)?;
        self.live.insert(trial, live);
        Ok(Sampled { steps, ..sampled })
    }

    fn rest(&mut self) -> bool {
        self.alone.wait();
        self.stirred.take().is_none_or(|stirred| stirred.rest())
    }

    fn finish(&mut self, trial: i64, timeout: Duration) -> Result<Finished> {
        let deadline = Deadline::after(timeout);
        let live = self.take(trial)?;
        let (processes, joules) = (live.watch.processes(), live.watch.joules());
        let finished = self.finished(live, deadline);
        self.stirred = Some(Stirred::now(if finished.is_err() { with_this_one(processes) } else { processes }));
        let mut finished = self.or_dropped(finished, trial, deadline)?;
        finished.metrics.extend(joules.map(|joules| Metric::measured(ENERGY, joules, "joules")));
        Ok(finished)
    }

    fn begin_memory(&mut self) -> Result<()> {
        self.alone.begin(self.link.as_ref())
    }

    fn memory(&mut self, trial: &Trial, timeout: Duration) -> Result<Option<u64>> {
        let Some(mut alone) = self.alone.started()? else { return Ok(None) };
        let deadline = Deadline::after(timeout);
        let copies = self.copies(trial, deadline)?;
        let inputs = self.sent(trial, trial.input_seed, None, deadline)?;
        let ask = Ask::Memory(Box::new(asked(trial, copies)));
        let said = alone.ask(&ask, &named(inputs.as_ref()), deadline.left());
        self.alone.let_go(alone);
        match said? {
            (Say::Memory { peak_added_bytes }, _) => Ok(peak_added_bytes),
            (other, _) => Err(unexpected(other)),
        }
    }

    fn let_go(&mut self) {
        self.link.let_go();
    }

    fn isolation(&self) -> Isolation {
        self.link.isolation()
    }

    fn pid(&self) -> Option<u32> {
        (self.isolation() == Isolation::Process).then(|| self.link.caller().process)
    }
}

/// Processes that may work after a failure: in this one, a right answer that came too late may still be computed.
fn with_this_one(mut processes: Vec<u32>) -> Vec<u32> {
    processes.retain(|id| *id != std::process::id());
    processes.push(std::process::id());
    processes
}

/// The processes that compute for a trial, of those that its worker names: others are no matter of it.
pub(crate) fn own_processes(link: &dyn Link, mut processes: Vec<u32>) -> Vec<u32> {
    let caller = link.caller().process;
    processes.sort_unstable();
    processes.dedup();
    processes.truncate(MOST_PROCESSES);
    processes.retain(|id| *id != caller && link.has_started(*id));
    processes
}

/// The inputs that a trial is checked on last, on which it is never timed.
fn last_inputs(trial: &Trial, changing: &Changing) -> Others {
    Others { seed: !trial.input_seed, inputs: changing.names() }
}

pub(crate) fn question(trial: &Trial) -> Question<'_> {
    let Trial { case, variant, input_seed, .. } = trial;
    Question {
        workload: &case.workload,
        params: &case.params,
        dtype: variant.dtype,
        seed: *input_seed,
        of: (variant.build.as_deref(), &variant.device),
        otherwise: false,
    }
}

pub(crate) fn asked(trial: &Trial, copies: usize) -> Prepare {
    let Trial { case, variant, .. } = trial;
    Prepare {
        trial: trial.trial,
        workload: case.workload.clone(),
        case: case.name.clone(),
        params: case.params.clone(),
        implementation: variant.implementation.clone(),
        device: variant.device.clone(),
        dtype: variant.dtype,
        threads: variant.threads,
        copies,
        seed: trial.input_seed,
    }
}

/// Inputs as they are sent, where they are.
pub(crate) fn named(inputs: Option<&Inputs>) -> Vec<(&str, &Array)> {
    inputs.into_iter().flat_map(Inputs::iter).collect()
}

#[cfg(test)]
mod tests;
