//! What a run writes, in the units and on the clock of the record, and what of it somebody who waits is told.

use std::path::PathBuf;

use benchbook_core::message::{Description, ImplementationInfo, InputsFrom};
use benchbook_core::{Comparison, Metric, Variant};
use benchbook_journal::{
    CheckRow, EventRow, Isolation, Keep, Level, LocalStore, MeasureRow, OutcomeRow, Phase, Provenance, RunRow,
    RunWriter, SampleRow, StepRow, StepValueRow, TrialRow,
};
use chrono::DateTime;

use super::disturbed::Disturbed;
use super::ended::Ended;
use super::progress::{Observer, Progress};
use super::stop::StopReason;
use crate::Result;
use crate::clock::{self, Now};
use crate::disturbance::Disturbance;
use crate::energy::ENERGY;
use crate::executor::{MEAN_ERROR, PEAK_ADDED, Prepared, REFERENCE_NS, Sampled, Trial, passes};
use crate::steps::Steps;

/// Names of the metrics that a run records of each trial.
pub const MEASURES: [&str; 10] = [
    "warmup_iterations",
    "warmup_settled",
    "input_copies",
    "inputs_change",
    PEAK_ADDED,
    MEAN_ERROR,
    "allocations",
    "allocated_bytes",
    REFERENCE_NS,
    ENERGY,
];

/// Writes the rows of one run, and tells of it.
pub struct Recorder<'a> {
    /// What the machine disturbed.
    pub disturbed: Disturbed,
    writer: RunWriter,
    observer: &'a mut dyn Observer,
    known: &'a Description,
    now: Now<'a>,
    origin_ns: i64,
    build: Option<String>,
    keep_disturbed: bool,
    trials: i64,
    samples: u64,
    ended: Ended,
}

/// What is known of who runs a trial.
pub struct Runner {
    /// Process id, where the worker is a process.
    pub pid: Option<u32>,
    /// Whether it is.
    pub isolation: Isolation,
    /// Replicate, from 0.
    pub replicate: u32,
}

impl<'a> Recorder<'a> {
    /// Opens the run in the store, by workers that offer what is `known`; its time starts now.
    pub fn create(
        store: &LocalStore,
        run: &RunRow,
        keep_disturbed: bool,
        known: &'a Description,
        observer: &'a mut dyn Observer,
        now: Now<'a>,
    ) -> Result<Self> {
        // The origin of the run's time and the moment it is named by are read together.
        let (origin_ns, started_at) = (now(), DateTime::from_timestamp_nanos(clock::utc_ns()));
        let run = &RunRow { started_at, ..run.clone() };
        let writer = RunWriter::create(store, run)?;
        let revision = run.git_commit.as_deref().map_or("unversioned", |commit| &commit[..commit.len().min(12)]);
        let dirty = if run.git_dirty == Some(true) { "+dirty" } else { "" };
        let profile = run.build_profile.as_deref().unwrap_or("unknown");
        let build = Some(format!("{revision}{dirty} {profile}"));
        Ok(Self {
            disturbed: Disturbed::default(),
            writer,
            observer,
            known,
            now,
            origin_ns,
            build,
            keep_disturbed,
            trials: 0,
            samples: 0,
            ended: Ended::default(),
        })
    }

    /// Nanoseconds since the run began.
    fn now_ns(&self) -> i64 {
        (self.now)() - self.origin_ns
    }

    /// Trials written so far.
    pub fn trials(&self) -> i64 {
        self.trials
    }

    /// Samples written so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// How the trials ended so far.
    pub fn ended(&self) -> Ended {
        self.ended
    }

    /// Id of the run.
    pub fn run_id(&self) -> &str {
        self.writer.run_id()
    }

    /// Tells that the run exists, and how much it is going to measure.
    pub fn started(&mut self, groups: usize, trials: usize) {
        self.observer.progress(Progress::Started { run_id: self.writer.run_id(), groups, trials });
    }

    /// Tells of progress, which is not recorded.
    pub fn progress(&mut self, progress: Progress<'_>) {
        self.observer.progress(progress);
    }

    /// What the workers say of the implementation of a variant.
    fn implementation(&self, workload: &str, variant: &Variant) -> Option<&'a ImplementationInfo> {
        let known: &'a Description = self.known;
        // Workers of two programs may call theirs by one name; a device belongs to one of them.
        let is_of = |i: &&ImplementationInfo| i.workload == workload && i.devices.contains(&variant.device);
        known.implementations.iter().filter(is_of).find(|i| i.is_called(&variant.implementation))
    }

    /// Whether the inputs of a variant have to be sent to its worker.
    pub fn sends(&self, workload: &str, variant: &Variant) -> bool {
        self.implementation(workload, variant).is_some_and(|found| found.inputs == InputsFrom::Sent)
    }

    /// Whether the worker of a variant may say what it gives where it is right.
    pub fn approximates(&self, workload: &str, variant: &Variant) -> bool {
        self.implementation(workload, variant).is_some_and(|found| found.approximates)
    }

    /// The engine that a variant of a workload runs on, and its version.
    fn engine(&self, workload: &str, variant: &Variant) -> Option<(String, String)> {
        let found = self.implementation(workload, variant)?;
        let device = found.devices.iter().position(|device| *device == variant.device)?;
        found.engines.get(device).cloned()
    }

    /// A trial, before its first sample.
    pub fn trial(&mut self, trial: &Trial, runner: &Runner, prepared: Option<&Prepared>) -> Result<()> {
        self.trials += 1;
        let (case, variant) = (&trial.case, &trial.variant);
        let (engine, engine_version) = self.engine(&case.workload, variant).unzip();
        self.writer.trial(&TrialRow {
            trial: trial.trial,
            workload: case.workload.clone(),
            case_name: case.name.clone(),
            params: case.params.clone(),
            variant: variant.to_string(),
            implementation: variant.implementation.clone(),
            device: variant.device.clone(),
            dtype: variant.dtype,
            threads: variant.threads as i64,
            build: variant.build.clone().or_else(|| self.build.clone()),
            engine,
            // What ran says more than what was to run.
            engine_version: prepared.and_then(|prepared| prepared.engine_version.clone()).or(engine_version),
            replicate: i64::from(runner.replicate),
            isolation: runner.isolation,
            worker: runner.pid.map(i64::from),
            input_seed: trial.input_seed.cast_signed(),
            cache: trial.cache,
            flops: prepared.map(|prepared| prepared.flops),
            bytes: prepared.map(|prepared| prepared.bytes),
        })?;
        if let Some(prepared) = prepared {
            self.measure(trial.trial, "warmup_iterations", prepared.warmup_iterations as f64, "count")?;
            if let Some(settled) = prepared.settled {
                self.measure(trial.trial, "warmup_settled", f64::from(u8::from(settled)), "bool")?;
            }
            self.measure(trial.trial, "input_copies", prepared.copies as f64, "count")?;
            for metric in &prepared.metrics {
                self.metric(trial.trial, metric)?;
            }
        }
        Ok(())
    }

    /// A correctness check, each output by itself; whether all are right.
    pub fn check(&mut self, trial: i64, phase: Phase, check: &[Comparison], tolerance: f64) -> Result<bool> {
        for output in check {
            self.writer.check(&CheckRow {
                trial,
                phase,
                output: output.output.clone(),
                max_abs_error: output.max_abs_error,
                max_scaled_error: output.max_scaled_error,
                tolerance: output.allowed(tolerance),
                passed: output.passes(tolerance),
                rows_checked: output.rows_checked as i64,
            })?;
        }
        Ok(passes(check, tolerance))
    }

    /// A sample at its place in a block; why it is left out, where it is.
    pub fn sample(
        &mut self,
        trial: i64,
        number: i64,
        block: i64,
        position: usize,
        sample: &Sampled,
    ) -> Result<Option<&'static str>> {
        // A clock that ran backwards or stood still for a whole sample has measured nothing.
        let invalid_reason = match sample.disturbed {
            _ if sample.elapsed_ns <= 0 => Some("no_time_passed"),
            disturbed => disturbed.map(Disturbance::word),
        };
        let valid = invalid_reason.is_none() || (self.keep_disturbed && sample.elapsed_ns > 0);
        self.writer.sample(&SampleRow {
            trial,
            sample: number,
            block,
            position: position as i64,
            iterations: sample.iterations,
            elapsed_ns: sample.elapsed_ns,
            started_ns: sample.started_ns - self.origin_ns,
            cpu_user_ns: Some(sample.cpu_user_ns),
            cpu_system_ns: Some(sample.cpu_system_ns),
            valid,
            invalid_reason,
        })?;
        self.samples += 1;
        if let Some(steps) = &sample.steps {
            self.steps(trial, number, steps)?;
        }
        Ok(invalid_reason.filter(|_| !valid))
    }

    /// The steps of a loop that has failed on its way, as a sample that nobody may use.
    pub fn broken(&mut self, trial: i64, number: i64, block: i64, steps: &Steps) -> Result<()> {
        let Some((started_ns, elapsed_ns)) = steps.span() else { return Ok(()) };
        self.writer.sample(&SampleRow {
            trial,
            sample: number,
            block,
            position: 0,
            iterations: 1,
            elapsed_ns,
            started_ns: started_ns - self.origin_ns,
            cpu_user_ns: None,
            cpu_system_ns: None,
            valid: false,
            invalid_reason: Some("loop_failed"),
        })?;
        self.samples += 1;
        self.steps(trial, number, steps)
    }

    /// The steps of a sample.
    fn steps(&mut self, trial: i64, sample: i64, steps: &Steps) -> Result<()> {
        for (step, started_ns, elapsed_ns, tokens) in steps.rows() {
            let started_ns = started_ns - self.origin_ns;
            self.writer.step(&StepRow { trial, sample, step, started_ns, elapsed_ns, tokens })?;
        }
        for (name, unit, values) in &steps.values {
            for (step, value) in values.iter().enumerate() {
                let (step, value) = (step as i64, *value);
                let (name, unit) = (name.clone(), unit.clone());
                self.writer.step_value(&StepValueRow { trial, sample, step, name, value, unit })?;
            }
        }
        Ok(())
    }

    /// A metric of a trial.
    pub fn measure(&mut self, trial: i64, name: &str, value: f64, unit: &str) -> Result<()> {
        self.metric(trial, &Metric::measured(name, value, unit))
    }

    /// The time that a trial's checks have waited for right answers, where it is known.
    pub fn references(&mut self, trial: i64, ns: Option<i64>) -> Result<()> {
        ns.map_or(Ok(()), |ns| self.measure(trial, REFERENCE_NS, ns as f64, "ns"))
    }

    /// A metric of a trial, with where it comes from.
    pub fn metric(&mut self, trial: i64, Metric { name, value, unit, measured }: &Metric) -> Result<()> {
        Ok(self.writer.measure(&MeasureRow {
            trial,
            sample: None,
            device: None,
            name: name.clone(),
            value: *value,
            unit: unit.clone(),
            provenance: if *measured { Provenance::Measured } else { Provenance::Modelled },
        })?)
    }

    /// The end of a trial, or of the run.
    pub fn outcome(&mut self, trial: Option<i64>, reason: &StopReason, prepare_ns: Option<i64>) -> Result<()> {
        let (status, stop_reason) = (reason.status(), Some(reason.to_string()));
        if trial.is_some() {
            self.ended.count(status);
        }
        Ok(self.writer.outcome(&OutcomeRow { trial, at_ns: self.now_ns(), status, stop_reason, prepare_ns })?)
    }

    /// The end of a trial whose output a check found wrong.
    pub fn wrong(
        &mut self,
        trial: i64,
        variant: &Variant,
        (check, tolerance): (&[Comparison], f64),
        prepare_ns: i64,
    ) -> Result<()> {
        let wrong = check.iter().filter(|one| !one.passes(tolerance));
        let worst = wrong.max_by(|a, b| a.max_scaled_error.total_cmp(&b.max_scaled_error));
        let tolerance = worst.map_or(tolerance, |worst| worst.allowed(tolerance));
        let error = worst.map_or(f64::INFINITY, |worst| worst.max_scaled_error);
        let output = worst.filter(|_| check.len() > 1).and_then(|worst| worst.output.clone());
        let reason = StopReason::Wrong { variant: variant.clone(), output, error, tolerance };
        self.note(Some(trial), Level::Error, "wrong_output", &reason.to_string())?;
        self.outcome(Some(trial), &reason, Some(prepare_ns))
    }

    /// The end of a trial of which too many samples were disturbed; the run tells of all such trials at its end.
    pub fn invalid(
        &mut self,
        trial: i64,
        variant: &Variant,
        (disturbed, samples): (i64, i64),
        prepare_ns: i64,
    ) -> Result<()> {
        let reason = StopReason::Invalid { variant: variant.clone(), disturbed, samples };
        self.disturbed.trial();
        self.event(Some(trial), Level::Warning, "invalid", &reason.to_string())?;
        self.outcome(Some(trial), &reason, Some(prepare_ns))
    }

    /// That a variant's process goes on working after its answer; the run tells of all such variants at its end.
    pub fn restless(&mut self, trial: Option<i64>, variant: &Variant) -> Result<()> {
        self.disturbed.restless(variant.to_string());
        let text = format!("{variant}: its process does not come to rest after a call, which may disturb the others");
        self.event(trial, Level::Warning, "not_at_rest", &text)
    }

    /// That more threads of a variant work at a time than it was given; the run tells of all such variants at its end.
    pub fn crowded(&mut self, trial: i64, variant: &Variant, at_work: f64) -> Result<()> {
        self.disturbed.crowded(variant.to_string());
        let given = variant.threads;
        let text = format!("{variant}: {at_work:.1} of its threads work at a time, and it was given {given}");
        self.event(Some(trial), Level::Warning, "more_threads", &text)
    }

    /// Something that happened, also told to whoever waits.
    pub fn note(&mut self, trial: Option<i64>, level: Level, kind: &str, text: &str) -> Result<()> {
        self.progress(Progress::Note(text));
        self.event(trial, level, kind, text)
    }

    /// Something that happened.
    pub fn event(&mut self, trial: Option<i64>, level: Level, kind: &str, message: &str) -> Result<()> {
        let (kind, message) = (kind.to_owned(), message.to_owned());
        Ok(self.writer.event(&EventRow { at_ns: self.now_ns(), trial, level, kind, message })?)
    }

    /// Writes out what is older than a second.
    pub fn tick(&mut self) -> Result<()> {
        Ok(self.writer.tick()?)
    }

    /// Closes the record, whose journal becomes what `keep` makes of it; returns the run's folder.
    pub fn finish(self, keep: Keep) -> Result<PathBuf> {
        Ok(self.writer.finish(keep)?)
    }
}
