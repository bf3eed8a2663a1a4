//! What a run makes of workers that hang or lie: executors without a process, so that nothing depends on time.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use benchbook_core::message::{Description, Prepared, Reply, Request, Sampled};
use benchbook_core::{Case, CaseSpec, Comparison, DType, Params, Plan, Variant};
use benchbook_record::{Isolation, LocalStore, RunRow};

use crate::executor::Spawn;
use crate::run::controller::{RunSettings, run};
use crate::run::{Cell, RunSummary, Silent};
use crate::{Error, Executor, Result, clock};

const BLOCKS: u64 = 3;

/// Answers what is asked for, hangs on the case `hangs`, and tells of its samples what `lie` makes of them.
struct Fake {
    lie: fn(Sampled) -> Sampled,
}

impl Executor for Fake {
    fn request(&mut self, request: Request, _timeout: Duration) -> Result<Reply> {
        let check = Comparison { max_abs_error: 0.0, max_scaled_error: 0.0, rows_checked: 1 };
        match request {
            Request::Prepare(trial) if trial.case.name == "hangs" => {
                Err(Error::WorkerLost { worker: "fake".into(), reason: "no answer".into(), hung: true })
            }
            Request::Prepare(_) => Ok(Reply::Prepared(Prepared {
                check,
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
                figures: Vec::new(),
            })),
            Request::Sample { .. } => Ok(Reply::Sampled((self.lie)(clock::time(&mut |_| std::thread::yield_now(), 1)))),
            Request::Finish { .. } => Ok(Reply::Finished { check }),
            other => panic!("nobody asks {other:?}"),
        }
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn pid(&self) -> Option<u32> {
        None
    }
}

impl Spawn for Fake {
    fn spawn(&mut self, _variant: &Variant) -> Result<Box<dyn Executor>> {
        Ok(Box::new(Self { lie: self.lie }))
    }
}

/// Two replicates of one variant on these cases.
fn measured(cases: &[&str], lie: fn(Sampled) -> Sampled) -> RunSummary {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let spec = CaseSpec { workload: "w".into(), preset: None, params: [].into(), implementations: Vec::new() };
    let mut plan = Plan::of("outcomes", vec![spec]).replicates(2).blocks(BLOCKS);
    plan.sampling.keep_disturbed = true;
    let variant =
        Variant { implementation: "i".into(), device: "d".into(), dtype: DType::F32, threads: 1, build: None };
    let cell = |name: &&str| Cell {
        case: Case { workload: "w".into(), name: (*name).into(), params: Params::default() },
        variants: vec![variant.clone()],
    };
    let cells: Vec<Cell> = cases.iter().map(cell).collect();
    let known = Description {
        workloads: Vec::new(),
        implementations: Vec::new(),
        devices: Vec::new(),
        build: Vec::new(),
        thread_pools: Vec::new(),
    };
    let never = AtomicBool::new(false);
    let settings = RunSettings {
        store: &store,
        row: RunRow::new("outcomes"),
        known: &known,
        interrupted: &never,
        budget_start_ns: clock::now_ns(),
        left_out: &[],
    };
    run(&plan, &cells, settings, &mut Fake { lie }, &mut Silent).unwrap()
}

#[test]
fn a_case_that_hangs_is_given_up_alone() {
    let summary = measured(&["hangs", "a", "b"], |sample| sample);
    assert_eq!((summary.ended.failed, summary.samples), (2, 2 * 2 * BLOCKS));
}

#[test]
fn a_sample_that_the_controllers_clock_belies_fails_its_trial() {
    let honest = measured(&["a"], |sample| sample);
    assert_eq!((honest.ended.failed, honest.samples), (0, 2 * BLOCKS));
    let lies: [fn(Sampled) -> Sampled; 5] = [
        |sample| Sampled { elapsed_ns: i64::MAX, ..sample },
        |sample| Sampled { elapsed_ns: sample.elapsed_ns + 3_600_000_000_000, ..sample },
        |sample| Sampled { started_ns: sample.started_ns - 3_600_000_000_000, ..sample },
        |sample| Sampled { started_ns: i64::MIN, ..sample },
        |sample| Sampled { iterations: 0, ..sample },
    ];
    for (place, lie) in lies.into_iter().enumerate() {
        let summary = measured(&["a"], lie);
        assert_eq!((summary.ended.failed, summary.samples), (2, 0), "lie {place}");
    }
}
