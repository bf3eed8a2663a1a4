//! A run without processes and without waiting: executors that follow a script, on a clock that only they move.

use std::cell::{self, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use benchbook_core::message::Description;
use benchbook_core::{Case, CaseSpec, Comparison, DType, INPUT_SEEDS, Params, Plan, Variant};
use benchbook_journal::{
    EventRow, Isolation, LocalStore, OutcomeRow, RunRow, Status, StepRow, StepValueRow, Table, as_journal, rows_in,
};
use serde::Deserialize;

use crate::executor::{Executor, Finished, Prepared, Sampled, Spawn, Trial};
use crate::run::controller::{RunSettings, run};
use crate::run::{Cell, Observer, Progress, RunSummary};
use crate::{Error, Result};

/// What the clock shows when a run and its budget begin.
const START_NS: i64 = 5_000_000_000;

/// How long a sample takes where the script says nothing else.
const SAMPLE_NS: i64 = 1_000_000;

/// How long the rest of a process is waited for at most.
const MOST_REST_NS: i64 = 100_000_000;

/// What a call adds to memory.
pub const MEMORY_BYTES: u64 = 4_096;

/// What a run asks of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Prepare,
    Sample,
    Finish,
    /// To start the process that is asked for memory.
    BeginMemory,
    Memory,
}

/// What becomes of an executor, from its start until nobody needs it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Started,
    LetGo,
    Dropped,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub asked: Asked,
    pub trial: i64,
    pub case: String,
    pub implementation: String,
    /// How often the implementation was prepared on the case before this trial.
    pub replicate: usize,
    /// Samples of the trial that were asked for before.
    pub sample: usize,
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Prepared(Prepared),
    Sampled(Sampled),
    Finished(Finished),
}

/// Makes of a request and the usual reply what is answered.
type Script = dyn Fn(&Mock, &Call, Reply) -> Result<Reply>;

/// What the executors of a run share.
pub struct Mock {
    now_ns: cell::Cell<i64>,
    interrupted: AtomicBool,
    calls: RefCell<Vec<Call>>,
    /// Implementations for which executors were started side by side.
    spawned: RefCell<Vec<Vec<String>>>,
    /// How executors start and end.
    lives: RefCell<Vec<Life>>,
    /// Until when the processes of an implementation work on, although they have answered.
    works_until_ns: RefCell<HashMap<String, i64>>,
    /// How long it takes to get ready for a sample.
    draw_ns: cell::Cell<i64>,
    /// How long rest was waited for, all together.
    waited_ns: cell::Cell<i64>,
    /// Samples and preparations that began while a process worked which had not been waited for.
    beside_work: cell::Cell<usize>,
    script: Box<Script>,
}

impl Mock {
    /// Ends the run from outside.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Requests that an implementation has had so far, that under way included.
    pub fn asked(&self, implementation: &str) -> usize {
        self.calls.borrow().iter().filter(|call| call.implementation == implementation).count()
    }

    /// Lets the process of an implementation work on for so long after its answer.
    pub fn works_on(&self, implementation: &str, ns: i64) {
        let until_ns = self.now_ns.get().saturating_add(ns);
        self.works_until_ns.borrow_mut().insert(implementation.to_owned(), until_ns);
    }

    /// Lets it take so long from now on to get ready for a sample.
    pub fn draws_for(&self, ns: i64) {
        self.draw_ns.set(ns);
    }

    fn pass(&self, ns: i64) {
        self.now_ns.set(self.now_ns.get() + ns);
    }

    /// Looks whether somebody works.
    fn clock_starts(&self) {
        let works = self.works_until_ns.borrow().values().any(|until_ns| *until_ns > self.now_ns.get());
        self.beside_work.set(self.beside_work.get() + usize::from(works));
    }

    /// The same sample, had it taken so long; other replies are as they were.
    pub fn lasting(&self, reply: Reply, ns: i64) -> Reply {
        sampled(reply, |sample| {
            self.now_ns.set(self.now_ns.get() + ns - sample.elapsed_ns);
            Sampled { elapsed_ns: ns, ..sample }
        })
    }
}

/// The reply with another sample; other replies are as they were.
pub fn sampled(reply: Reply, change: impl FnOnce(Sampled) -> Sampled) -> Reply {
    match reply {
        Reply::Sampled(sample) => Reply::Sampled(change(sample)),
        other => other,
    }
}

/// The script of executors that all goes well with.
pub fn usual(_mock: &Mock, _call: &Call, reply: Reply) -> Result<Reply> {
    Ok(reply)
}

/// Starts executors that follow the script.
pub struct Mocks(Rc<Mock>);

impl Mocks {
    pub fn new(script: impl Fn(&Mock, &Call, Reply) -> Result<Reply> + 'static) -> Self {
        Self(Rc::new(Mock {
            now_ns: cell::Cell::new(START_NS),
            interrupted: AtomicBool::new(false),
            calls: RefCell::default(),
            spawned: RefCell::default(),
            lives: RefCell::default(),
            works_until_ns: RefCell::default(),
            draw_ns: cell::Cell::default(),
            waited_ns: cell::Cell::default(),
            beside_work: cell::Cell::default(),
            script: Box::new(script),
        }))
    }
}

impl Spawn for Mocks {
    fn spawn(&mut self, variants: &[Variant]) -> Vec<Result<Box<dyn Executor>>> {
        let worker = |variant: &Variant| -> Result<Box<dyn Executor>> {
            let implementation = variant.implementation.clone();
            self.0.lives.borrow_mut().push(Life::Started);
            Ok(Box::new(MockWorker { mock: Rc::clone(&self.0), implementation, trials: HashMap::new() }))
        };
        self.0.spawned.borrow_mut().push(variants.iter().map(|variant| variant.implementation.clone()).collect());
        variants.iter().map(worker).collect()
    }
}

struct MockWorker {
    mock: Rc<Mock>,
    implementation: String,
    /// The next request of each trial that was prepared.
    trials: HashMap<i64, Call>,
}

impl MockWorker {
    /// A trial that is prepared.
    fn first(&self, trial: Trial) -> Call {
        let (case, implementation) = (trial.case.name, trial.variant.implementation);
        let calls = self.mock.calls.borrow();
        let before = calls.iter().filter(|one| one.asked == Asked::Prepare);
        let replicate = before.filter(|one| one.case == case && one.implementation == implementation).count();
        Call { asked: Asked::Prepare, trial: trial.trial, case, implementation, replicate, sample: 0 }
    }

    fn answer(&self, call: Call, reply: Reply) -> Result<Reply> {
        self.mock.calls.borrow_mut().push(call.clone());
        (self.mock.script)(&self.mock, &call, reply)
    }
}

/// A check that finds nothing wrong.
fn right() -> Vec<Comparison> {
    vec![Comparison { output: None, max_abs_error: 0.0, max_scaled_error: 0.0, rows_checked: 1, tolerance: None }]
}

/// What is answered to a trial that ends well, if nothing else is.
pub fn finished() -> Finished {
    Finished { check: right(), reference_ns: Some(3), metrics: Vec::new() }
}

/// What is answered in the place of something else.
fn unexpected<T>(reply: &Reply) -> Result<T> {
    Err(Error::Unexpected(format!("{reply:?}")))
}

impl Executor for MockWorker {
    fn prepare(&mut self, trial: &Trial, _timeout: Duration) -> Result<Prepared> {
        self.mock.clock_starts();
        let call = self.first(trial.clone());
        self.trials.insert(call.trial, call.clone());
        let prepared = Prepared {
            check: right(),
            tolerance: 1.0,
            flops: 1.0,
            bytes: 1.0,
            iterations: 1,
            warmup_iterations: 1,
            settled: None,
            prepare_ns: 1,
            memory_elsewhere: false,
            rested: true,
            copies: 1,
            engine_version: None,
            metrics: Vec::new(),
            reference_ns: Some(2),
        };
        match self.answer(call, Reply::Prepared(prepared))? {
            Reply::Prepared(prepared) => Ok(prepared),
            other => unexpected(&other),
        }
    }

    fn draw(&mut self, _trial: i64) {
        self.mock.pass(self.mock.draw_ns.get());
    }

    fn sample(&mut self, trial: i64, _timeout: Duration) -> Result<Sampled> {
        self.mock.clock_starts();
        let next = self.trials.get_mut(&trial).expect("what is sampled was prepared");
        let call = Call { asked: Asked::Sample, ..next.clone() };
        next.sample += 1;
        let started_ns = self.mock.now_ns.replace(self.mock.now_ns.get() + SAMPLE_NS);
        let sample = Sampled {
            iterations: 1,
            elapsed_ns: SAMPLE_NS,
            started_ns,
            cpu_user_ns: 0,
            cpu_system_ns: 0,
            disturbed: None,
            rested: true,
            steps: None,
        };
        match self.answer(call, Reply::Sampled(sample))? {
            Reply::Sampled(sample) => Ok(sample),
            other => unexpected(&other),
        }
    }

    fn rest(&mut self) -> bool {
        let Some(until_ns) = self.mock.works_until_ns.borrow_mut().remove(&self.implementation) else { return true };
        let left_ns = until_ns.saturating_sub(self.mock.now_ns.get()).max(0);
        let waited_ns = left_ns.min(MOST_REST_NS);
        self.mock.pass(waited_ns);
        self.mock.waited_ns.set(self.mock.waited_ns.get() + waited_ns);
        left_ns == waited_ns
    }

    fn finish(&mut self, trial: i64, _timeout: Duration) -> Result<Finished> {
        let last = self.trials.remove(&trial).expect("what is finished was prepared");
        let call = Call { asked: Asked::Finish, ..last };
        match self.answer(call, Reply::Finished(finished()))? {
            Reply::Finished(finished) => Ok(finished),
            other => unexpected(&other),
        }
    }

    fn begin_memory(&mut self) -> Result<()> {
        let (case, implementation) = (String::new(), self.implementation.clone());
        let call = Call { asked: Asked::BeginMemory, trial: -1, case, implementation, replicate: 0, sample: 0 };
        self.mock.calls.borrow_mut().push(call);
        Ok(())
    }

    fn memory(&mut self, trial: &Trial, _timeout: Duration) -> Result<Option<u64>> {
        let call = Call { asked: Asked::Memory, ..self.trials[&trial.trial].clone() };
        self.mock.calls.borrow_mut().push(call);
        Ok(Some(MEMORY_BYTES))
    }

    fn let_go(&mut self) {
        self.mock.lives.borrow_mut().push(Life::LetGo);
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn pid(&self) -> Option<u32> {
        None
    }
}

impl Drop for MockWorker {
    fn drop(&mut self) {
        self.mock.lives.borrow_mut().push(Life::Dropped);
    }
}

/// What a run tells.
#[derive(Default)]
pub struct Heard {
    /// How many requests were made before each thing that it told.
    pub after: Vec<usize>,
    mock: Option<Rc<Mock>>,
    pub notes: Vec<String>,
    /// Groups of the whole run, once that is planned.
    pub planned: Option<usize>,
    /// Groups that are done.
    pub done: usize,
}

impl Observer for Heard {
    fn progress(&mut self, progress: Progress<'_>) {
        self.after.extend(self.mock.iter().map(|mock| mock.calls.borrow().len()));
        match progress {
            Progress::Note(text) => self.notes.push(text.to_owned()),
            Progress::Planned { groups } => self.planned = Some(groups),
            Progress::GroupDone { done } => self.done = done,
            _ => {}
        }
    }
}

/// A row of `trials`.
#[derive(Debug, Deserialize)]
pub struct TrialIs {
    pub trial: i64,
    pub case_name: String,
    pub implementation: String,
    pub replicate: i64,
    pub input_seed: i64,
}

/// A row of `samples`.
#[derive(Debug, Deserialize)]
pub struct SampleIs {
    pub trial: i64,
    pub block: i64,
    pub position: usize,
    pub valid: bool,
    pub invalid_reason: Option<String>,
}

/// A row of `measures`.
#[derive(Debug, Deserialize)]
pub struct MeasureIs {
    pub trial: i64,
    pub name: String,
    pub value: f64,
}

/// All that is to be seen of a run.
pub struct Seen {
    pub summary: RunSummary,
    pub heard: Heard,
    pub calls: Vec<Call>,
    /// Implementations for which executors were started side by side.
    pub spawned: Vec<Vec<String>>,
    /// How executors started and ended.
    pub lives: Vec<Life>,
    /// How long rest was waited for, all together.
    pub waited_ns: i64,
    /// Samples and preparations that began while a process worked which had not been waited for.
    pub beside_work: usize,
    pub trials: Vec<TrialIs>,
    pub samples: Vec<SampleIs>,
    pub measures: Vec<MeasureIs>,
    pub events: Vec<EventRow>,
    outcomes: Vec<OutcomeRow>,
    pub steps: Vec<StepRow>,
    pub step_values: Vec<StepValueRow>,
}

impl Seen {
    /// How a trial ended, or the run, and in which words.
    pub fn end(&self, trial: Option<i64>) -> (Status, &str) {
        let ends: Vec<&OutcomeRow> = self.outcomes.iter().filter(|row| row.trial == trial).collect();
        assert_eq!(ends.len(), 1, "{trial:?} ends once: {ends:?}");
        (ends[0].status, ends[0].stop_reason.as_deref().unwrap_or_default())
    }

    fn trials_of(&self, case: &str, implementation: &str) -> Vec<i64> {
        let of = |one: &&TrialIs| one.case_name == case && one.implementation == implementation;
        self.trials.iter().filter(of).map(|one| one.trial).collect()
    }

    /// How the trials of an implementation on a case ended, by replicate.
    pub fn ends(&self, case: &str, implementation: &str) -> Vec<(Status, &str)> {
        self.trials_of(case, implementation).into_iter().map(|trial| self.end(Some(trial))).collect()
    }

    /// Samples of the trials of an implementation on a case, by replicate.
    pub fn taken(&self, case: &str, implementation: &str) -> Vec<usize> {
        let samples = |trial| self.samples.iter().filter(|one| one.trial == trial).count();
        self.trials_of(case, implementation).into_iter().map(samples).collect()
    }

    /// How often an implementation was asked on a case.
    pub fn asked(&self, asked: Asked, case: &str, implementation: &str) -> usize {
        let of = |one: &&Call| one.asked == asked && one.case == case && one.implementation == implementation;
        self.calls.iter().filter(of).count()
    }
}

/// A plan of so many replicates and blocks.
pub fn plan(replicates: u32, blocks: u64) -> Plan {
    let spec = CaseSpec { workload: "w".into(), preset: None, params: [].into(), implementations: Vec::new() };
    Plan::of("mock", vec![spec]).replicates(replicates).blocks(blocks)
}

/// A cell for each case, each with these implementations.
pub fn cells(cases: &[&str], implementations: &[&str]) -> Vec<Cell> {
    let variant = |name: &&str| Variant {
        implementation: (*name).into(),
        device: "d".into(),
        dtype: DType::F32,
        threads: 1,
        build: None,
    };
    let cell = |name: &&str| Cell {
        case: Case { workload: "w".into(), name: (*name).into(), params: Params::default() },
        variants: implementations.iter().map(variant).collect(),
        seeds: INPUT_SEEDS,
    };
    cases.iter().map(cell).collect()
}

/// Measures cells by executors that follow the script.
pub fn seen(plan: &Plan, cells: &[Cell], script: impl Fn(&Mock, &Call, Reply) -> Result<Reply> + 'static) -> Seen {
    let mut mocks = Mocks::new(script);
    let mock = Rc::clone(&mocks.0);
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let known = Description {
        workloads: Vec::new(),
        implementations: Vec::new(),
        devices: Vec::new(),
        build: Vec::new(),
        thread_pools: Vec::new(),
    };
    let settings = RunSettings {
        store: &store,
        keep: as_journal,
        row: RunRow::new("mock"),
        known: &known,
        interrupted: &mock.interrupted,
        budget_start_ns: START_NS,
        left_out: &[],
        notes: &[],
        now: &|| mock.now_ns.get(),
    };
    let mut heard = Heard { mock: Some(Rc::clone(&mock)), ..Heard::default() };
    let summary = run(plan, cells, settings, &mut mocks, &mut heard).unwrap();
    let (calls, spawned) = (mock.calls.take(), mock.spawned.take());
    Seen {
        heard,
        calls,
        spawned,
        lives: mock.lives.take(),
        waited_ns: mock.waited_ns.get(),
        beside_work: mock.beside_work.get(),
        trials: rows_in(&summary.folder, Table::Trials).unwrap(),
        samples: rows_in(&summary.folder, Table::Samples).unwrap(),
        measures: rows_in(&summary.folder, Table::Measures).unwrap(),
        events: rows_in(&summary.folder, Table::Events).unwrap(),
        outcomes: rows_in(&summary.folder, Table::Outcomes).unwrap(),
        steps: rows_in(&summary.folder, Table::Steps).unwrap(),
        step_values: rows_in(&summary.folder, Table::StepValues).unwrap(),
        summary,
    }
}
