//! One case in one replicate: its variants in interleaved blocks.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use benchbook_core::Variant;
use benchbook_journal::{Isolation, Level, Phase};

use super::budget::Budget;
use super::expand::Cell;
use super::pilot::Measured;
use super::progress::Progress;
use super::recorder::Runner;
use super::schedule::MIN_BLOCKS;
use super::stages::Running;
use super::stop::StopReason;
use crate::driver::believed;
use crate::executor::{Executor, Finished, PEAK_ADDED, Prepared, THREADS_AT_WORK, Trial};
use crate::{Error, Result};

/// Replicates whose memory is measured in a process of its own, which takes a second or so: it hardly varies.
const MEMORY_REPLICATES: u32 = 5;

/// How many times the wanted blocks are taken at most where disturbed ones have to be replaced.
const MOST_BLOCKS: u64 = 2;

/// The workers of one replicate, one a variant.
pub type Workers = HashMap<Variant, Box<dyn Executor>>;

/// Where a group stands in its run.
pub struct Place {
    /// Number of the group, from 0.
    pub group: usize,
    /// Groups to go, this one included.
    pub groups_left: usize,
    /// Replicate, from 0.
    pub replicate: u32,
    /// Undisturbed blocks wanted.
    pub blocks: u64,
    /// Number of the trial of the cell's first variant; the others follow.
    pub first_trial: i64,
}

/// A trial that can be sampled.
struct Live {
    trial: i64,
    variant: Variant,
    /// Place of the variant in the cell.
    index: usize,
    samples: i64,
    valid: i64,
    tolerance: f64,
    prepare_ns: i64,
    /// Time spent on right answers so far, where it is known.
    reference_ns: Option<i64>,
}

/// Measures one case in one replicate.
pub fn measure_group(run: &mut Running<'_>, workers: &mut Workers, cell: &Cell, place: &Place) -> Result<Measured> {
    let started_ns = run.now_ns();
    let deadline_ns = run.budget.deadline_ns(started_ns, place.groups_left);
    let warmup_ns = Budget::warmup_ns(run.plan.sampling.warmup_ns, started_ns, deadline_ns, cell.variants.len());
    let order = run.schedule.shuffled(cell.variants.len());
    let mut group =
        Group { run, workers, cell, place, absent: HashMap::new(), restless: HashSet::new(), to_weigh: Vec::new() };
    group.start(&order, started_ns);
    // Each is waited for.
    group.run.let_go.clear();
    let mut live = Vec::new();
    for index in order {
        if group.run.interrupt.cuts() {
            break;
        }
        let (case, variant) = (cell.case.name.as_str(), cell.variants[index].to_string());
        group.run.recorder.progress(Progress::Preparing { group: place.group, case, variant: &variant });
        live.extend(group.prepare(index, started_ns, warmup_ns)?);
        group.run.recorder.tick()?;
    }
    group.weigh()?;
    let mut measured = Measured { log_times: vec![Vec::new(); cell.variants.len()], ..Measured::default() };
    let blocks_started_ns = group.run.now_ns();
    measured.setup_ns = blocks_started_ns - started_ns;
    let stop = group.blocks(&mut live, deadline_ns, &mut measured)?;
    group.rest()?;
    measured.blocks_ns = group.run.now_ns() - blocks_started_ns;
    if let Some(stop) = stop {
        for trial in &live {
            group.finish(trial, &stop)?;
        }
    }
    Ok(measured)
}

/// Seed of the inputs in a replicate, of so many that are taken in turn: the same for all variants, another in the next.
fn input_seed(seed: u64, replicate: u32, seeds: u32) -> u64 {
    // Far apart, so that the next run's seed does not give the same inputs; the record keeps 63 bits.
    seed.wrapping_add(u64::from(replicate % seeds.max(1)) << 32) & i64::MAX.cast_unsigned()
}

/// A group while it is measured.
struct Group<'g, 'r> {
    run: &'g mut Running<'r>,
    workers: &'g mut Workers,
    cell: &'g Cell,
    place: &'g Place,
    /// Why a variant has no worker.
    absent: HashMap<Variant, Error>,
    /// Variants whose processes were seen to go on working.
    restless: HashSet<Variant>,
    /// Trials whose memory is measured in a process of its own.
    to_weigh: Vec<Trial>,
}

impl Group<'_, '_> {
    /// Starts, side by side, the workers of variants that have none yet in this replicate and are tried.
    fn start(&mut self, order: &[usize], started_ns: i64) {
        if self.run.budget.is_used_up(started_ns) {
            return;
        }
        let (cell, workers, given_up) = (self.cell, &*self.workers, &self.run.given_up);
        let is_missing =
            |variant: &&Variant| !workers.contains_key(*variant) && given_up.reason(&cell.case, variant).is_none();
        let missing: Vec<Variant> =
            order.iter().map(|index| &cell.variants[*index]).filter(is_missing).cloned().collect();
        if missing.is_empty() {
            return;
        }
        let started = self.run.spawn.spawn(&missing);
        for (variant, worker) in missing.into_iter().zip(started) {
            match worker {
                Ok(worker) => drop(self.workers.insert(variant, worker)),
                Err(error) => drop(self.absent.insert(variant, error)),
            }
        }
    }

    /// The worker of a variant, or why there is none.
    fn worker(&mut self, variant: &Variant) -> Result<&mut Box<dyn Executor>> {
        match self.absent.remove(variant) {
            Some(error) => Err(error),
            None => self.workers.get_mut(variant).ok_or_else(|| Error::Failed("it has no worker".into())),
        }
    }

    /// Waits until nothing works any more, which has to be so before a clock starts. It is not waited for before: whatever is
    /// recorded and drawn after an answer is a part of the wait.
    fn rest(&mut self) -> Result<()> {
        // All are asked, also those of other cases and those that have failed: where nothing was done, that takes no time.
        let asked = self.workers.iter_mut().map(|(variant, worker)| (variant, worker.rest()));
        let restless: Vec<Variant> = asked.filter(|(_, rested)| !rested).map(|(variant, _)| variant.clone()).collect();
        for variant in restless {
            let index = self.cell.variants.iter().position(|one| *one == variant);
            self.rested(false, index.map(|index| self.place.first_trial + index as i64), &variant)?;
        }
        Ok(())
    }

    /// Records, once a variant, that its process goes on working, and of which trial that is.
    fn rested(&mut self, rested: bool, trial: Option<i64>, variant: &Variant) -> Result<()> {
        if !rested && self.restless.insert(variant.clone()) {
            self.run.recorder.restless(trial, variant)?;
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        Duration::from_nanos(self.run.plan.sampling.timeout_ns)
    }

    /// Sets up one trial; a failure is recorded and leaves nothing to sample.
    fn prepare(&mut self, index: usize, started_ns: i64, warmup_ns: u64) -> Result<Option<Live>> {
        let (plan, cell, place, timeout) = (self.run.plan, self.cell, self.place, self.timeout());
        let (case, variant) = (&cell.case, &cell.variants[index]);
        let number = place.first_trial + index as i64;
        let trial = Trial {
            trial: number,
            case: case.clone(),
            variant: variant.clone(),
            cache: plan.cache,
            input_seed: input_seed(plan.seed, place.replicate, cell.seeds),
            min_sample_ns: plan.sampling.min_sample_ns,
            warmup_ns,
            sent: self.run.recorder.sends(&case.workload, variant),
            approximates: self.run.recorder.approximates(&case.workload, variant),
        };
        let mut runner = Runner { pid: None, isolation: Isolation::Process, replicate: place.replicate };
        let skipped = self.run.given_up.reason(case, variant).or_else(|| self.run.budget.not_begun(started_ns));
        if let Some(reason) = skipped {
            self.run.recorder.trial(&trial, &runner, None)?;
            self.run.recorder.outcome(Some(number), &reason, None)?;
            return Ok(None);
        }
        self.rest()?;
        let prepared = self.worker(variant).and_then(|worker| {
            (runner.pid, runner.isolation) = (worker.pid(), worker.isolation());
            worker.prepare(&trial, timeout)
        });
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.run.recorder.trial(&trial, &runner, None)?;
                return self.failed(number, variant, error, None).map(|()| None);
            }
        };
        self.run.recorder.trial(&trial, &runner, Some(&prepared))?;
        let crowd = prepared.metrics.iter().find(|metric| metric.name == THREADS_AT_WORK).map(|metric| metric.value);
        let Prepared { check, tolerance, prepare_ns, settled, memory_elsewhere, rested, reference_ns, .. } = prepared;
        if !self.run.recorder.check(number, Phase::Before, &check, tolerance)? {
            self.run.recorder.references(number, reference_ns)?;
            self.run.recorder.wrong(number, variant, (&check, tolerance), prepare_ns)?;
            return Ok(None);
        }
        if memory_elsewhere && place.replicate < MEMORY_REPLICATES {
            self.to_weigh.push(trial);
        }
        self.rested(rested, Some(number), variant)?;
        if let Some(at_work) = crowd {
            self.run.recorder.crowded(number, variant, at_work)?;
        }
        if settled == Some(false) {
            let text = format!("{variant}: its times had not settled when the warm-up ended, at four times its length");
            self.run.recorder.event(Some(number), Level::Warning, "not_settled", &text)?;
        }
        Ok(Some(Live {
            trial: number,
            variant: variant.clone(),
            index,
            samples: 0,
            valid: 0,
            tolerance,
            prepare_ns,
            reference_ns,
        }))
    }

    /// Measures what a call of each trial adds to memory in a process that keeps nothing, before any is timed: the processes
    /// start side by side, and are asked in turn.
    fn weigh(&mut self) -> Result<()> {
        let trials = std::mem::take(&mut self.to_weigh);
        let begin = |trial: &Trial| self.workers.get_mut(&trial.variant).map_or(Ok(()), |worker| worker.begin_memory());
        let begun: Vec<Result<()>> = trials.iter().map(begin).collect();
        for (trial, begun) in trials.iter().zip(begun) {
            if self.run.interrupt.cuts() {
                break;
            }
            self.memory(trial, begun)?;
            self.run.recorder.tick()?;
        }
        Ok(())
    }

    /// Measures the memory of a trial whose process has begun to start; that there is no metric is no failure of the trial.
    fn memory(&mut self, trial: &Trial, begun: Result<()>) -> Result<()> {
        let timeout = self.timeout();
        let Some(worker) = self.workers.get_mut(&trial.variant) else { return Ok(()) };
        let reason = match begun.and_then(|()| worker.memory(trial, timeout)) {
            Ok(None) => return Ok(()),
            Ok(Some(bytes)) => return self.run.recorder.measure(trial.trial, PEAK_ADDED, bytes as f64, "bytes"),
            Err(error) => error,
        };
        let text = format!("{}: its memory was not measured: {reason}", trial.variant);
        self.run.recorder.event(Some(trial.trial), Level::Warning, "memory_not_measured", &text)
    }

    /// Interleaved blocks until the wanted number, the deadline, or an interrupt; says which, and nothing where each trial
    /// has come to an end of its own. A block with a disturbed sample is followed by one more, up to twice the number.
    fn blocks(
        &mut self,
        live: &mut Vec<Live>,
        deadline_ns: Option<i64>,
        measured: &mut Measured,
    ) -> Result<Option<StopReason>> {
        let Place { group, replicate, blocks: wanted, .. } = *self.place;
        let mut done = 0;
        while !live.is_empty() {
            if done >= wanted {
                return Ok(Some(StopReason::Blocks));
            }
            if measured.blocks >= MOST_BLOCKS * wanted {
                return Ok(Some(StopReason::Disturbed));
            }
            if self.run.interrupt.cuts() {
                return Ok(Some(StopReason::Interrupted));
            }
            if measured.blocks >= MIN_BLOCKS && deadline_ns.is_some_and(|deadline| self.run.now_ns() >= deadline) {
                return Ok(Some(StopReason::Time));
            }
            let (block, order) = self.run.schedule.next_block(live.len());
            let mut broken = Vec::new();
            let mut undisturbed = true;
            for (position, index) in order.into_iter().enumerate() {
                let trial = &mut live[index];
                match self.sample(trial, block, position, measured)? {
                    Some(valid) => undisturbed &= valid,
                    None => broken.push(trial.trial),
                }
            }
            live.retain(|trial| !broken.contains(&trial.trial));
            measured.blocks += 1;
            done += u64::from(undisturbed);
            let case = self.cell.case.name.as_str();
            self.run.recorder.progress(Progress::Block { group, case, replicate, block: done, blocks: wanted });
        }
        Ok(None)
    }

    /// Takes one sample of a trial, and says whether it is valid; nothing where the trial has failed by it.
    fn sample(
        &mut self,
        trial: &mut Live,
        block: i64,
        position: usize,
        measured: &mut Measured,
    ) -> Result<Option<bool>> {
        let timeout = self.timeout();
        if let Some(worker) = self.workers.get_mut(&trial.variant) {
            worker.draw(trial.trial);
        }
        self.rest()?;
        let asked_ns = self.run.now_ns();
        let Some(worker) = self.workers.get_mut(&trial.variant) else { return Ok(Some(true)) };
        let sample = worker.sample(trial.trial, timeout).and_then(|sample| {
            let between = asked_ns..=self.run.now_ns();
            believed(sample.iterations, sample.started_ns, sample.elapsed_ns, &between).map(|()| sample)
        });
        let sample = match sample {
            Ok(sample) => sample,
            Err(error) => {
                self.failed(trial.trial, &trial.variant, error, Some(&*trial))?;
                return Ok(None);
            }
        };
        let recorder = &mut self.run.recorder;
        let left_out = recorder.sample(trial.trial, trial.samples, block, position, &sample)?;
        recorder.tick()?;
        let valid = left_out.is_none();
        if let Some(reason) = left_out {
            let case = &self.cell.case;
            recorder.disturbed.sample(&format!("{} {}", case.workload, case.name), reason);
        }
        trial.samples += 1;
        self.rested(sample.rested, Some(trial.trial), &trial.variant)?;
        trial.valid += i64::from(valid);
        if valid && let Some(times) = measured.log_times.get_mut(trial.index) {
            times.push((block, (sample.elapsed_ns as f64 / sample.iterations.max(1) as f64).ln()));
        }
        Ok(Some(valid))
    }

    /// The check after timing, and the end of a trial.
    fn finish(&mut self, live: &Live, stop: &StopReason) -> Result<()> {
        let (plan, timeout) = (self.run.plan, self.timeout());
        let Some(worker) = self.workers.get_mut(&live.variant) else { return Ok(()) };
        let Finished { check, reference_ns, metrics } = match worker.finish(live.trial, timeout) {
            Ok(finished) => finished,
            Err(error) => return self.failed(live.trial, &live.variant, error, Some(live)),
        };
        let recorder = &mut self.run.recorder;
        recorder.references(live.trial, live.reference_ns.zip(reference_ns).map(|(before, after)| before + after))?;
        metrics.iter().try_for_each(|metric| recorder.metric(live.trial, metric))?;
        if !recorder.check(live.trial, Phase::After, &check, live.tolerance)? {
            return recorder.wrong(live.trial, &live.variant, (&check, live.tolerance), live.prepare_ns);
        }
        // A pilot takes a share of the time; what it is short of, the second stage makes up for.
        let is_pilot = plan.half_width.is_some() && self.place.replicate < plan.first_replicates();
        if *stop == StopReason::Time && !is_pilot {
            self.run.budget.cut_short();
        }
        if 2 * live.valid < live.samples {
            let found = (live.samples - live.valid, live.samples);
            return recorder.invalid(live.trial, &live.variant, found, live.prepare_ns);
        }
        recorder.outcome(Some(live.trial), stop, Some(live.prepare_ns))
    }

    /// Records why a trial cannot go on; a lost worker is forgotten, so that the next trial gets a fresh one.
    fn failed(&mut self, trial: i64, variant: &Variant, error: Error, live: Option<&Live>) -> Result<()> {
        let prepare_ns = live.map(|live| live.prepare_ns);
        self.run.recorder.references(trial, live.and_then(|live| live.reference_ns))?;
        let (kind, text) = match error {
            Error::Unsupported(reason) => {
                return self.run.recorder.outcome(Some(trial), &StopReason::Unsupported(reason), None);
            }
            Error::Failed(message) => ("trial_failed", message),
            Error::Broken { message, steps } => {
                // The block under way, or the one that follows where the trial has come to none.
                let block = self.run.schedule.blocks() - i64::from(live.is_some());
                self.run.recorder.broken(trial, live.map_or(0, |live| live.samples), block, &steps)?;
                ("trial_failed", message)
            }
            error @ Error::Unexpected(_) => ("protocol", error.to_string()),
            Error::Interrupted | Error::WorkerLost { .. } | Error::NotAWorker { .. } | Error::Foreign { .. }
                if self.run.interrupt.cuts() =>
            {
                self.workers.remove(variant);
                return self.run.recorder.outcome(Some(trial), &StopReason::Interrupted, prepare_ns);
            }
            error @ Error::WorkerLost { hung, .. } => {
                self.workers.remove(variant);
                if hung {
                    self.run.given_up.add(&self.cell.case, variant);
                }
                ("worker_lost", error.to_string())
            }
            error @ (Error::NotAWorker { .. } | Error::Foreign { .. }) => ("worker_lost", error.to_string()),
            other => return Err(other),
        };
        self.run.recorder.note(Some(trial), Level::Error, kind, &format!("{variant}: {text}"))?;
        self.run.recorder.outcome(Some(trial), &StopReason::Failed(text), prepare_ns)
    }
}
