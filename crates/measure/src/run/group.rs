//! One case in one replicate: its variants in interleaved blocks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use benchbook_core::message::{Prepared, Reply, Request, Trial};
use benchbook_core::{Case, Plan, Variant};
use benchbook_record::{Isolation, Level, Phase};

use super::believed::believed;
use super::budget::Budget;
use super::controller::Shared;
use super::expand::Cell;
use super::observer::Progress;
use super::pilot::Measured;
use super::recorder::Runner;
use super::stop::StopReason;
use crate::executor::{Executor, Spawn};
use crate::handler::PEAK_ADDED;
use crate::{Error, Result, clock};

/// Blocks that a case gets once it is set up, even when the time is used up: fewer bear no verdict.
pub const MIN_BLOCKS: u64 = 5;

/// Replicates whose memory is measured in a process of its own, which takes a second or so: it hardly varies.
const MEMORY_REPLICATES: u32 = 5;

/// Seeds of inputs that the replicates of a case take in turn: what holds for one set of numbers may not for another.
const INPUT_SEEDS: u32 = 3;

/// How many times the wanted blocks are taken at most where disturbed ones have to be replaced.
const MOST_BLOCKS: u64 = 2;

/// The workers of one replicate, one a variant.
pub type Workers = HashMap<Variant, Box<dyn Executor>>;

/// A trial that can be sampled.
struct Live {
    trial: i64,
    variant: Variant,
    /// Place of the variant in the cell.
    index: usize,
    replicate: u32,
    samples: i64,
    valid: i64,
    tolerance: f64,
    prepare_ns: i64,
    /// Whether its process was seen to go on working after an answer.
    restless: bool,
}

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

/// Measures one case in one replicate.
pub fn measure_group(
    shared: &mut Shared<'_>,
    workers: &mut Workers,
    spawn: &mut dyn Spawn,
    cell: &Cell,
    place: &Place,
) -> Result<Measured> {
    let started = clock::now_ns();
    let deadline = shared.budget.deadline_ns(started, place.groups_left);
    let warmup_ns = Budget::warmup_ns(shared.plan.sampling.warmup_ns, started, deadline, cell.variants.len());
    let mut live = Vec::new();
    for index in shared.order.next(cell.variants.len()) {
        if shared.interrupted() {
            shared.cut_short = true;
            break;
        }
        let variant = &cell.variants[index];
        let (group, case) = (place.group, cell.case.name.as_str());
        shared.observer.progress(Progress::Preparing { group, case, variant: &variant.to_string() });
        live.extend(prepare(shared, workers, spawn, cell, index, place, (started, warmup_ns))?);
        shared.recorder.tick()?;
    }
    let mut measured = Measured { log_times: vec![Vec::new(); cell.variants.len()], ..Measured::default() };
    let blocks_started = clock::now_ns();
    measured.setup_ns = blocks_started - started;
    let stop = blocks(shared, workers, cell, &mut live, deadline, place, &mut measured)?;
    measured.blocks_ns = clock::now_ns() - blocks_started;
    if let Some(stop) = stop {
        for trial in live {
            finish(shared, workers, &cell.case, &trial, &stop)?;
        }
    }
    Ok(measured)
}

fn timeout(plan: &Plan) -> Duration {
    Duration::from_nanos(plan.sampling.timeout_ns)
}

/// The variant's worker, started where it has none yet.
fn worker_of<'a>(
    workers: &'a mut Workers,
    spawn: &mut dyn Spawn,
    variant: &Variant,
) -> Result<&'a mut Box<dyn Executor>> {
    Ok(match workers.entry(variant.clone()) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(spawn.spawn(variant)?),
    })
}

/// Sets up one trial; a failure is recorded and leaves nothing to sample.
fn prepare(
    shared: &mut Shared<'_>,
    workers: &mut Workers,
    spawn: &mut dyn Spawn,
    cell: &Cell,
    index: usize,
    place: &Place,
    (started, warmup_ns): (i64, u64),
) -> Result<Option<Live>> {
    let variant = &cell.variants[index];
    let number = place.first_trial + index as i64;
    shared.trials += 1;
    let trial = Trial {
        trial: number,
        case: cell.case.clone(),
        variant: variant.clone(),
        cache: shared.plan.cache,
        input_seed: input_seed(shared.plan.seed, place.replicate),
        min_sample_ns: shared.plan.sampling.min_sample_ns,
        warmup_ns,
    };
    let mut runner = Runner {
        pid: None,
        isolation: Isolation::Process,
        engine: shared.engine(&cell.case.workload, variant),
        replicate: place.replicate,
    };
    if let Some(reason) = shared.skip(&cell.case, variant, started) {
        shared.recorder.trial(&trial, &runner, None)?;
        shared.recorder.outcome(Some(number), &reason, None)?;
        return Ok(None);
    }
    let reply = match worker_of(workers, spawn, variant) {
        Ok(worker) => {
            (runner.pid, runner.isolation) = (worker.pid(), worker.isolation());
            worker.request(Request::Prepare(Box::new(trial.clone())), timeout(shared.plan))
        }
        Err(error) => Err(error),
    };
    let prepared = match reply {
        Ok(Reply::Prepared(prepared)) => prepared,
        other => {
            shared.recorder.trial(&trial, &runner, None)?;
            return failed(shared, workers, &cell.case, variant, number, other, None).map(|()| None);
        }
    };
    shared.recorder.trial(&trial, &runner, Some(&prepared))?;
    let Prepared { check, tolerance, prepare_ns, settled, memory_elsewhere, rested, .. } = prepared;
    if shared.recorder.check(number, Phase::Before, &check, tolerance)? {
        if memory_elsewhere && place.replicate < MEMORY_REPLICATES {
            memory(shared, workers, &trial)?;
        }
        if !rested {
            restless(shared, number, variant)?;
        }
        if settled == Some(false) {
            let text = format!("{variant}: its times had not settled when the warm-up ended, at four times its length");
            shared.recorder.event(Some(number), Level::Warning, "not_settled", &text)?;
        }
        let variant = variant.clone();
        let replicate = place.replicate;
        return Ok(Some(Live {
            trial: number,
            variant,
            index,
            replicate,
            samples: 0,
            valid: 0,
            tolerance,
            prepare_ns,
            restless: !rested,
        }));
    }
    wrong(shared, number, variant, check.max_scaled_error, tolerance, Some(prepare_ns))?;
    Ok(None)
}

/// Seed of the inputs in a replicate: the same for all variants, another in the next.
fn input_seed(seed: u64, replicate: u32) -> u64 {
    // Far apart, so that the next run's seed does not give the same inputs; the record keeps 63 bits.
    seed.wrapping_add(u64::from(replicate % INPUT_SEEDS) << 32) & i64::MAX.cast_unsigned()
}

/// Measures what a call adds to memory in a process that keeps nothing; that there is no figure is no failure of the trial.
fn memory(shared: &mut Shared<'_>, workers: &mut Workers, trial: &Trial) -> Result<()> {
    let Some(worker) = workers.get(&trial.variant) else { return Ok(()) };
    let asked = worker.keeping_nothing().and_then(|alone| {
        let ask = |mut alone: Box<dyn Executor>| {
            alone.request(Request::Memory(Box::new(trial.clone())), timeout(shared.plan))
        };
        alone.map(ask).transpose()
    });
    let reason = match asked {
        Ok(None | Some(Reply::Memory { peak_added_bytes: None })) => return Ok(()),
        Ok(Some(Reply::Memory { peak_added_bytes: Some(bytes) })) => {
            return shared.recorder.measure(trial.trial, PEAK_ADDED, bytes as f64, "bytes");
        }
        Ok(Some(Reply::Failed { message })) => message,
        Ok(Some(other)) => format!("unexpected reply {other:?}"),
        Err(error) => error.to_string(),
    };
    let text = format!("{}: its memory was not measured: {reason}", trial.variant);
    shared.recorder.event(Some(trial.trial), Level::Warning, "memory_not_measured", &text)
}

/// Records, once a trial, that a variant's process goes on working after its answer; the run tells of all at its end.
fn restless(shared: &mut Shared<'_>, trial: i64, variant: &Variant) -> Result<()> {
    shared.disturbed.restless(variant.to_string());
    let text = format!("{variant}: its process does not come to rest after a call, which may disturb the others");
    shared.recorder.event(Some(trial), Level::Warning, "not_at_rest", &text)
}

/// Interleaved blocks until the wanted number, the deadline, or an interrupt; says which, and nothing where each trial
/// has come to an end of its own. A block with a disturbed sample is followed by one more, up to twice the number.
fn blocks(
    shared: &mut Shared<'_>,
    workers: &mut Workers,
    cell: &Cell,
    live: &mut Vec<Live>,
    deadline: Option<i64>,
    place: &Place,
    measured: &mut Measured,
) -> Result<Option<StopReason>> {
    let wanted = place.blocks;
    let mut done = 0;
    while !live.is_empty() {
        if done >= wanted {
            return Ok(Some(StopReason::Blocks));
        }
        if measured.blocks >= MOST_BLOCKS * wanted {
            return Ok(Some(StopReason::Disturbed));
        }
        if shared.interrupted() {
            shared.cut_short = true;
            return Ok(Some(StopReason::Interrupted));
        }
        if measured.blocks >= MIN_BLOCKS && deadline.is_some_and(|deadline| clock::now_ns() >= deadline) {
            return Ok(Some(StopReason::Time));
        }
        let block = shared.next_block();
        let mut broken = Vec::new();
        let mut undisturbed = true;
        for (position, index) in shared.order.next(live.len()).into_iter().enumerate() {
            let trial = &mut live[index];
            let Some(worker) = workers.get_mut(&trial.variant) else { continue };
            let asked_ns = clock::now_ns();
            let reply = worker.request(Request::Sample { trial: trial.trial }, timeout(shared.plan));
            match reply.map(|reply| believed(reply, asked_ns, clock::now_ns())) {
                Ok(Reply::Sampled(sample)) => {
                    let left_out = shared.recorder.sample(trial.trial, trial.samples, block, position, &sample)?;
                    shared.recorder.tick()?;
                    let valid = left_out.is_none();
                    if let Some(reason) = left_out {
                        shared.disturbed.sample(&format!("{} {}", cell.case.workload, cell.case.name), reason);
                    }
                    trial.samples += 1;
                    if !sample.rested && !std::mem::replace(&mut trial.restless, true) {
                        restless(shared, trial.trial, &trial.variant)?;
                    }
                    trial.valid += i64::from(valid);
                    undisturbed &= valid;
                    if valid && let Some(times) = measured.log_times.get_mut(trial.index) {
                        times.push((block, (sample.elapsed_ns as f64 / sample.iterations.max(1) as f64).ln()));
                    }
                }
                other => {
                    let (number, prepare_ns) = (trial.trial, trial.prepare_ns);
                    failed(shared, workers, &cell.case, &trial.variant, number, other, Some(prepare_ns))?;
                    broken.push(number);
                }
            }
        }
        live.retain(|trial| !broken.contains(&trial.trial));
        measured.blocks += 1;
        done += u64::from(undisturbed);
        let (group, replicate, case) = (place.group, place.replicate, cell.case.name.as_str());
        shared.observer.progress(Progress::Block { group, case, replicate, block: done, blocks: wanted });
    }
    Ok(None)
}

/// The check after timing, the memory, and the end of a trial.
fn finish(shared: &mut Shared<'_>, workers: &mut Workers, case: &Case, live: &Live, stop: &StopReason) -> Result<()> {
    let Some(worker) = workers.get_mut(&live.variant) else { return Ok(()) };
    match worker.request(Request::Finish { trial: live.trial }, timeout(shared.plan)) {
        Ok(Reply::Finished { check }) => {
            if !shared.recorder.check(live.trial, Phase::After, &check, live.tolerance)? {
                let error = check.max_scaled_error;
                return wrong(shared, live.trial, &live.variant, error, live.tolerance, Some(live.prepare_ns));
            }
            // A pilot takes a share of the time; what it is short of, the second stage makes up for.
            if *stop == StopReason::Time && !shared.is_pilot(live.replicate) {
                shared.out_of_time += 1;
            }
            if 2 * live.valid < live.samples {
                return invalid(shared, live);
            }
            shared.recorder.outcome(Some(live.trial), stop, Some(live.prepare_ns))
        }
        other => failed(shared, workers, case, &live.variant, live.trial, other, Some(live.prepare_ns)),
    }
}

/// Records that more than half of the samples were disturbed; the run tells of all such trials at its end.
fn invalid(shared: &mut Shared<'_>, live: &Live) -> Result<()> {
    let (variant, samples) = (live.variant.clone(), live.samples);
    let reason = StopReason::Invalid { variant, disturbed: samples - live.valid, samples };
    shared.disturbed.trial();
    shared.recorder.event(Some(live.trial), Level::Warning, "invalid", &reason.to_string())?;
    shared.recorder.outcome(Some(live.trial), &reason, Some(live.prepare_ns))
}

fn wrong(
    shared: &mut Shared<'_>,
    trial: i64,
    variant: &Variant,
    error: f64,
    tolerance: f64,
    prepare_ns: Option<i64>,
) -> Result<()> {
    let reason = StopReason::Wrong { variant: variant.clone(), error, tolerance };
    shared.note(Some(trial), Level::Error, "wrong_output", &reason.to_string())?;
    shared.recorder.outcome(Some(trial), &reason, prepare_ns)
}

/// Records why a trial cannot go on; a lost worker is forgotten, so that the next trial gets a fresh one.
fn failed(
    shared: &mut Shared<'_>,
    workers: &mut Workers,
    case: &Case,
    variant: &Variant,
    trial: i64,
    reply: Result<Reply>,
    prepare_ns: Option<i64>,
) -> Result<()> {
    let (kind, text) = match reply {
        Ok(Reply::Unsupported { reason }) => {
            return shared.recorder.outcome(Some(trial), &StopReason::Unsupported(reason), None);
        }
        Ok(Reply::Failed { message }) => ("trial_failed", message),
        Ok(other) => ("protocol", format!("unexpected reply {other:?}")),
        Err(Error::Interrupted | Error::WorkerLost { .. } | Error::NotAWorker { .. }) if shared.interrupted() => {
            workers.remove(variant);
            shared.cut_short = true;
            return shared.recorder.outcome(Some(trial), &StopReason::Interrupted, prepare_ns);
        }
        Err(error @ Error::WorkerLost { hung, .. }) => {
            workers.remove(variant);
            if hung {
                shared.give_up(case, variant);
            }
            ("worker_lost", error.to_string())
        }
        Err(error @ Error::NotAWorker { .. }) => ("worker_lost", error.to_string()),
        Err(other) => return Err(other),
    };
    shared.note(Some(trial), Level::Error, kind, &format!("{variant}: {text}"))?;
    shared.recorder.outcome(Some(trial), &StopReason::Failed(text), prepare_ns)
}
