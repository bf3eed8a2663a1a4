//! What is asked of a worker, in which order, and what becomes of answers that cannot be right.

mod rest;
mod steps;
mod trust;

use crate::frame::Arrays;
use benchbook_core::message::{AnswerInfo, Place, Ran};
use benchbook_core::{
    Case, Check, DType, Error as CoreError, Params, Preset, Problem, Registry, Rough, Rounding, Row, Setting, Subject,
    Support, Tolerance, Variant, Work as Counts,
};

use super::*;
use crate::host::Host;
use crate::link::{Caller, InProcess, Starting};
use crate::references::References;

/// Rows and columns of the input.
const SHAPE: [usize; 2] = [4, 3];

/// Twice the input, plus the only number of a table.
struct Twice;

benchbook_core::parameters! {
    /// Parameters of [`Twice`].
    struct TwiceParams {
        /// what stands in the table
        term: usize = 5, 0..=9;
    }
}

impl Problem for Twice {
    const NAME: &'static str = "twice";
    const ABOUT: &'static str = "twice the input, and a term";
    type Params = TwiceParams;

    fn presets() -> Vec<Preset> {
        vec![Preset { name: "quick", cases: vec![Params::default()] }]
    }

    fn ugly() -> Vec<TwiceParams> {
        vec![TwiceParams::default()]
    }

    fn label(params: &TwiceParams) -> String {
        format!("+{}", params.term)
    }

    fn inputs(params: &TwiceParams, seed: u64) -> Inputs {
        let mut x = Array::normal(SHAPE.to_vec(), seed, 1);
        x.of_mut::<f32>().iter_mut().for_each(|number| *number *= 0.25);
        Inputs::from([("x", x), ("table", Array::new(vec![1], &[params.term as i32]))])
    }

    fn reference(_params: &TwiceParams, inputs: &Inputs, _seed: u64) -> Reference {
        let term = f64::from(inputs.get("table").of::<i32>()[0]);
        let values = inputs.numbers("x").iter().map(|x| 2.0 * f64::from(*x) + term).collect();
        Reference::of(SHAPE.to_vec(), (0..SHAPE[0]).collect(), values)
    }

    /// Of five bits it does not say what they explain.
    fn rounded(params: &TwiceParams, inputs: &Inputs, _: &[Array], seed: u64, by: Rounding) -> Option<Rough> {
        let rounded: Vec<f32> = by.of(&inputs.get("x").to_f64()).into_iter().map(|x| x as f32).collect();
        let mut others = inputs.clone();
        others.insert("x", Array::new(SHAPE.to_vec(), &rounded));
        let of = |inputs: &Inputs| Self::reference(params, inputs, seed);
        (by.bits != 5).then(|| Rough::beside(of(inputs), &of(&others)))
    }

    fn work(_params: &TwiceParams, dtype: DType) -> Counts {
        Counts { flops: 24.0, bytes: 24.0 * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &TwiceParams, _dtype: DType) -> f64 {
        1e-6
    }

    fn metrics(_params: &TwiceParams, inputs: &Inputs) -> Vec<Metric> {
        vec![Metric::modelled("terms", inputs.get("table").len() as f64, "count")]
    }
}

/// A way to solve it, named after what is special of it.
struct Way {
    name: &'static str,
    x: Array,
    term: f32,
    out: Vec<f32>,
    known: Option<Array>,
    calls: u64,
}

impl Subject for Way {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            self.calls += 1;
            assert!(self.name != "panics-late" || self.calls < 2_000_000, "enough");
            if self.name == "remembers" && self.known.as_ref() == Some(&self.x) {
                continue;
            }
            if self.name == "remembers" {
                let end = clock::now_ns() + 50_000;
                while clock::now_ns() < end {}
                self.known = Some(self.x.clone());
            }
            let term = if self.name == "approximates" { 0.0 } else { self.term };
            for (out, x) in self.out.iter_mut().zip(self.x.of::<f32>()) {
                *out = std::hint::black_box(2.0 * x + term);
            }
        }
    }

    fn sync(&mut self) -> benchbook_core::Result<()> {
        Ok(())
    }

    fn outputs(&mut self) -> benchbook_core::Result<Vec<Array>> {
        Ok(vec![Array::new(SHAPE.to_vec(), &self.out)])
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> benchbook_core::Result<bool> {
        if input != "x" || self.name == "fixed" {
            return Ok(false);
        }
        self.x.write(first, values);
        Ok(true)
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::measured("own", 1.0, "count")]
    }
}

const ROW: Row<Twice> =
    Row::<Twice>::new("right", "for tests", &["cpu"], &[DType::F32], |_| ("engine".into(), "1".into()), prepare);

fn prepare(
    name: &'static str,
    _setting: &Setting,
    _params: &TwiceParams,
    inputs: &Inputs,
) -> benchbook_core::Result<Box<dyn Subject>> {
    if name == "absent" {
        let reason = "it is not installed".into();
        return Err(CoreError::Implementation { implementation: name.into(), device: "cpu".into(), reason });
    }
    let term = inputs.get("table").of::<i32>()[0] as f32;
    let x = inputs.get("x").clone();
    Ok(Box::new(Way { name, out: vec![0.0; x.len()], x, term, known: None, calls: 0 }))
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.workload(Twice);
    for name in ["right", "fixed", "remembers", "panics-late", "absent"] {
        registry.implementation(Row { name, ..ROW });
    }
    registry.implementation(Row { name: "never", ..ROW }.only(|_, _, _| Support::No("it never does".into())));
    // Right for what it puts in the place of the problem, which has no term.
    registry.implementation(Row { name: "approximates", ..ROW }.approximating(|params, inputs, seed| {
        let mut inputs = inputs.clone();
        inputs.insert("table", Array::new(vec![1], &[0_i32]));
        Some(Twice::reference(params, &inputs, seed))
    }));
    registry
}

/// What was asked, with the names of the arrays that were sent along.
type Heard = Rc<RefCell<Vec<(Ask, Vec<String>)>>>;

/// Changes an answer on its way.
type Change = fn(&Ask, Say, Arrays) -> (Say, Arrays);

/// Asks a worker in this process in a way of a test's own.
type Asking = dyn FnMut(&mut InProcess, &Ask, &[(&str, &Array)], Duration) -> Result<(Say, Arrays)>;

/// A worker in this process that is asked so.
struct Tapped {
    worker: InProcess,
    asking: Box<Asking>,
}

impl Link for Tapped {
    fn ask(&mut self, ask: &Ask, arrays: &[(&str, &Array)], timeout: Duration) -> Result<(Say, Arrays)> {
        (self.asking)(&mut self.worker, ask, arrays, timeout)
    }

    fn caller(&self) -> Caller {
        self.worker.caller()
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn expect(&mut self, most_bytes: u64) {
        self.worker.expect(most_bytes);
    }

    fn has_started(&self, process: u32) -> bool {
        self.worker.has_started(process)
    }

    fn let_go(&mut self) {
        self.worker.let_go();
    }

    fn keeping_nothing(&self) -> Result<Option<Starting>> {
        self.worker.keeping_nothing()
    }
}

fn worker(offered: Registry) -> InProcess {
    InProcess::new(Host::new(offered, |_| None, Vec::new(), Vec::new))
}

/// Right answers of a program that links these problems.
fn linked(problems: Registry) -> Shared {
    References::new(problems, "", &std::sync::Arc::default()).shared()
}

/// A driver of a worker that is asked in a way of a test's own.
fn asked_by(
    offered: Registry,
    references: &Shared,
    asking: impl FnMut(&mut InProcess, &Ask, &[(&str, &Array)], Duration) -> Result<(Say, Arrays)> + 'static,
) -> Driver {
    Driver::new(Box::new(Tapped { worker: worker(offered), asking: Box::new(asking) }), references)
}

/// A driver of a worker whose answers are changed on their way, and what it asks.
fn tapped_of(offered: Registry, references: &Shared, change: Change) -> (Driver, Heard) {
    let heard = Heard::default();
    let noted = Rc::clone(&heard);
    let driver = asked_by(offered, references, move |worker, ask, arrays, timeout| {
        let names = arrays.iter().map(|(name, _)| (*name).to_owned()).collect();
        noted.borrow_mut().push((ask.clone(), names));
        let (say, arrays) = worker.ask(ask, arrays, timeout)?;
        Ok(change(ask, say, arrays))
    });
    (driver, heard)
}

fn tapped(references: &Shared, change: Change) -> (Driver, Heard) {
    tapped_of(registry(), references, change)
}

fn unchanged(_ask: &Ask, say: Say, arrays: Arrays) -> (Say, Arrays) {
    (say, arrays)
}

fn trial(number: i64, implementation: &str) -> Trial {
    let (device, params) = ("cpu".to_owned(), Params::default().with("term", 5_i64.into()));
    Trial {
        trial: number,
        case: Case { workload: "twice".into(), name: "+5".into(), params },
        variant: Variant { implementation: implementation.into(), device, dtype: DType::F32, threads: 1, build: None },
        cache: CacheRegime::Hot,
        input_seed: 7,
        min_sample_ns: 1,
        warmup_ns: 0,
        sent: false,
        approximates: implementation == "approximates",
    }
}

/// Words of the asks, those that follow each other and are the same once.
fn words(heard: &Heard) -> Vec<String> {
    let word = |(ask, _): &(Ask, Vec<String>)| serde_json::to_value(ask).unwrap()["ask"].as_str().unwrap().to_owned();
    let mut words: Vec<String> = heard.borrow().iter().map(word).collect();
    words.dedup();
    words
}

fn metric(prepared: &Prepared, name: &str) -> Option<f64> {
    let mut of_name = prepared.metrics.iter().filter(|metric| metric.name == name);
    let found = of_name.next().map(|metric| metric.value);
    assert_eq!(of_name.count(), 0, "{name} stands once");
    found
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_trial_is_prepared_sampled_and_checked() {
    let (mut driver, heard) = tapped(&References::none().shared(), unchanged);
    let prepared = driver.prepare(&trial(3, "right"), LONG).unwrap();
    assert!(passes(&prepared.check, prepared.tolerance), "{prepared:?}");
    assert_eq!((prepared.flops, prepared.bytes, prepared.copies), (24.0, 96.0, 1));
    assert!(prepared.iterations > 1 && prepared.prepare_ns > 0 && prepared.memory_elsewhere);
    let metrics = ["terms", "own", "inputs_change", "relative_error"].map(|name| metric(&prepared, name));
    assert_eq!(metrics, [Some(1.0), Some(1.0), Some(1.0), None]);
    assert!(metric(&prepared, "mean_error").is_some_and(|off| off < 1e-6), "{prepared:?}");
    assert!(prepared.reference_ns.is_some_and(|ns| ns > 0));
    let sampled = [(); 3].map(|()| driver.sample(3, LONG).unwrap());
    assert!(sampled.iter().all(|one| one.iterations as u64 == prepared.iterations && one.elapsed_ns > 0));
    let finished = driver.finish(3, LONG).unwrap();
    assert!(passes(&finished.check, prepared.tolerance) && finished.reference_ns.is_some_and(|ns| ns > 0));
    let asked = ["reference", "pose", "prepare", "run", "allocations", "run", "reference", "finish"];
    assert_eq!(words(&heard), asked);
    let heard = heard.take();
    // The second answer is to the inputs that were written, and to the table of the first.
    let others = heard.iter().filter_map(|(ask, _)| match ask {
        Ask::Reference { others, .. } => Some(others.clone()),
        _ => None,
    });
    assert_eq!(others.collect::<Vec<_>>(), [None, Some(Others { seed: !7, inputs: vec!["x".into()] })]);
    let samples: Vec<_> = heard.iter().filter(|(ask, _)| matches!(ask, Ask::Run { before: 1, .. })).collect();
    assert_eq!(samples.len(), 3);
    for (ask, names) in samples {
        let Ask::Run { write: Some(Place { input, row }), iterations, .. } = ask else { panic!("{ask:?}") };
        assert!(input == "x" && *row < SHAPE[0] && *iterations == prepared.iterations);
        assert_eq!(*names, ["values"]);
    }
    assert!(driver.sample(3, LONG).is_err(), "it was dropped");
}

#[test]
fn an_answer_is_asked_for_once_by_all_who_share_it() {
    let references = References::none().shared();
    let mut asked = Vec::new();
    for implementation in ["right", "approximates"] {
        let (mut driver, heard) = tapped(&references, unchanged);
        let prepared = driver.prepare(&trial(0, implementation), LONG).unwrap();
        assert!(passes(&prepared.check, prepared.tolerance), "{implementation}: {prepared:?}");
        let first = implementation == "right";
        assert_eq!(prepared.reference_ns == Some(0), !first);
        assert_eq!(metric(&prepared, "relative_error").is_some_and(|error| error > 0.5), !first, "its distance");
        let finished = driver.finish(0, LONG).unwrap();
        assert!(passes(&finished.check, prepared.tolerance), "{implementation}: {finished:?}");
        asked.push(heard.borrow().iter().filter(|(ask, _)| matches!(ask, Ask::Reference { .. })).count());
    }
    assert_eq!(asked, [2, 0]);
}

#[test]
fn what_this_program_links_is_no_matter_of_the_worker_and_its_inputs_can_be_sent() {
    let references = linked(registry());
    let (mut driver, heard) = tapped(&references, unchanged);
    let prepared = driver.prepare(&Trial { sent: true, ..trial(0, "right") }, LONG).unwrap();
    assert!(passes(&prepared.check, prepared.tolerance));
    driver.finish(0, LONG).unwrap();
    assert_eq!(words(&heard), ["prepare", "run", "allocations", "run", "finish"]);
    let sent = |word: fn(&Ask) -> bool| {
        heard.borrow().iter().find(|(ask, _)| word(ask)).map(|(_, names)| names.clone()).unwrap()
    };
    assert_eq!(sent(|ask| matches!(ask, Ask::Prepare(_))), ["table", "x"]);
    assert_eq!(sent(|ask| matches!(ask, Ask::Finish { .. })), ["x"], "those that can be overwritten");
    let unknown = Case { workload: "theirs".into(), ..trial(0, "right").case };
    let failed = driver.prepare(&Trial { sent: true, case: unknown, ..trial(1, "right") }, LONG);
    assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains("`theirs`")), "{failed:?}");
}

#[test]
fn a_kernel_whose_inputs_nobody_can_overwrite_is_checked_by_its_last_call() {
    let (mut driver, heard) = tapped(&References::none().shared(), unchanged);
    let prepared = driver.prepare(&trial(0, "fixed"), LONG).unwrap();
    assert_eq!(metric(&prepared, "inputs_change"), Some(0.0));
    driver.sample(0, LONG).unwrap();
    let finished = driver.finish(0, LONG).unwrap();
    assert!(passes(&finished.check, prepared.tolerance));
    assert_eq!(finished.reference_ns, Some(0));
    let wrote = heard.borrow().iter().any(|(ask, _)| matches!(ask, Ask::Run { write: Some(_), .. }));
    assert!(!wrote);
}

#[test]
fn the_cold_regime_has_copies_that_leave_the_caches() {
    assert_eq!(cold_copies(1 << 20, 32 << 20), 128);
    assert_eq!(cold_copies(1 << 30, 32 << 20), 2);
    assert_eq!((cold_copies(0, 1), cold_copies(1, usize::MAX)), (4, usize::MAX));
    let (mut driver, heard) = tapped(&References::none().shared(), |_, say, arrays| match say {
        Say::Posed(facts) => (Say::Posed(Facts { input_bytes: 1 << 30, ..facts }), arrays),
        other => (other, arrays),
    });
    let cold = Trial { cache: CacheRegime::Cold, ..trial(0, "right") };
    let prepared = driver.prepare(&cold, LONG).unwrap();
    let copies = 4 * last_level_cache_bytes().div_ceil(1 << 30).max(1);
    assert!((2..=copies.max(2) as u64).contains(&prepared.copies), "{}", prepared.copies);
    driver.sample(0, LONG).unwrap();
    let asked = heard.borrow().iter().any(|(ask, _)| matches!(ask, Ask::Run { before: 1, .. }));
    assert!(!asked, "a call before would bring the next input back");
    // A dozen numbers would have to be copied a million times.
    let (mut driver, heard) = tapped(&References::none().shared(), unchanged);
    let refused = driver.prepare(&cold, LONG);
    assert!(matches!(&refused, Err(Error::Unsupported(words)) if words.contains("measure it hot")), "{refused:?}");
    assert_eq!(words(&heard), ["pose"]);
}

#[test]
fn what_cannot_be_done_says_why_and_is_forgotten() {
    for (implementation, part) in [
        ("never", "it never does"),
        ("absent", "it is not installed"),
        ("unheard-of", "unknown implementation `unheard-of`"),
        ("remembers", "it remembers results"),
        ("panics-late", "the kernel panicked: enough"),
    ] {
        let (mut driver, heard) = tapped(&References::none().shared(), unchanged);
        let min_sample_ns = if implementation == "panics-late" { 20_000_000 } else { 2_000_000 };
        let trial = Trial { min_sample_ns, ..trial(0, implementation) };
        let error = driver.prepare(&trial, LONG).unwrap_err();
        let is_support = matches!(error, Error::Unsupported(_));
        assert_eq!((is_support, error.to_string().contains(part)), (implementation == "never", true), "{error}");
        assert_eq!(words(&heard).last().map(String::as_str), Some("drop"));
    }
}

#[test]
fn a_wrong_kernel_is_not_timed_and_not_kept() {
    let wrong: [Change; 4] = [
        |_, say, arrays| {
            (say, arrays.into_iter().map(|(name, _)| (name, Array::normal(SHAPE.to_vec(), 1, 1))).collect())
        },
        |_, say, arrays| {
            let nan = |(name, array): (String, Array)| (name, Array::new(array.shape().to_vec(), &[f32::NAN; 12]));
            (say, arrays.into_iter().map(nan).collect())
        },
        |_, say, arrays| {
            let flat = |(name, array): (String, Array)| (name, Array::new(vec![12], array.of::<f32>()));
            (say, arrays.into_iter().map(flat).collect())
        },
        |_, say, _| (say, Arrays::new()),
    ];
    for (place, change) in wrong.into_iter().enumerate() {
        let references = linked(registry());
        let (mut driver, heard) = tapped(&references, change);
        let prepared = driver.prepare(&trial(0, "right"), LONG).unwrap();
        assert!(!passes(&prepared.check, prepared.tolerance), "{place}: {prepared:?}");
        assert_eq!(words(&heard), ["prepare", "drop"], "{place}");
        assert!(driver.sample(0, LONG).is_err());
    }
}

#[test]
fn what_a_worker_cannot_mean_fails_its_trial() {
    /// Changes what was run.
    fn ran(say: Say, change: impl FnOnce(Ran) -> Ran) -> Say {
        if let Say::Ran(ran) = say { Say::Ran(change(ran)) } else { say }
    }
    let lies: [(Change, &str); 11] = [
        (|_, say, arrays| (ran(say, |ran| Ran { iterations: ran.iterations + 1, ..ran }), arrays), "and told of"),
        (
            |_, say, arrays| (ran(say, |ran| Ran { started_ns: ran.started_ns - 1_000_000_000, ..ran }), arrays),
            "told of",
        ),
        (|_, say, arrays| (ran(say, |ran| Ran { elapsed_ns: 1 << 50, ..ran }), arrays), "told of a sample"),
        (|_, say, arrays| (ran(say, |ran| Ran { elapsed_ns: 0, ..ran }), arrays), "told of a sample"),
        (|_, say, arrays| (ran(say, |ran| Ran { cpu_ns: Some(-1), ..ran }), arrays), "of processor time"),
        (|ask, say, arrays| (if matches!(ask, Ask::Run { .. }) { Say::None } else { say }, arrays), "reply None"),
        (|ask, say, arrays| (if matches!(ask, Ask::Prepare(_)) { Say::Dropped } else { say }, arrays), "Dropped"),
        (
            |_, say, arrays| {
                let named = |(_, array): (String, Array)| ("mine".to_owned(), array);
                let is_prepared = matches!(say, Say::Prepared { .. });
                (say, if is_prepared { arrays.into_iter().map(named).collect() } else { arrays })
            },
            "calls an output `mine` whose answer is called `output`",
        ),
        (
            |_, say, arrays| match say {
                Say::Answers { answers } => (Say::Answers { answers }, Arrays::new()),
                other => (other, arrays),
            },
            "1 answers have 0 arrays",
        ),
        (
            |_, mut say, arrays| {
                if let Say::Prepared { writable, .. } = &mut say {
                    writable[0].width = 1 << 62;
                }
                (say, arrays)
            },
            "of size",
        ),
        (
            |_, say, arrays| match say {
                Say::Posed(_) => (Say::Failed { message: "never heard of it".into() }, arrays),
                other => (other, arrays),
            },
            "never heard of it",
        ),
    ];
    for (change, part) in lies {
        let (mut driver, heard) = tapped(&References::none().shared(), change);
        let error = driver.prepare(&trial(0, "right"), LONG).unwrap_err();
        assert!(matches!(error, Error::Failed(_) | Error::Unexpected(_)), "{part}: {error:?}");
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(words(&heard).last().map(String::as_str), Some("drop"), "{part}");
    }
}
