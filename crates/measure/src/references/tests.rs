//! Who computes an answer, how often, and what becomes of one that cannot be had.

use std::sync::atomic::{AtomicU32, Ordering};

use benchbook_core::{Preset, Problem, Task, Tolerance, Work};
use benchbook_journal::Isolation;

use super::*;
use crate::link::Caller;

/// How often the reference of [`Counted`] was computed with each number of elements: tests run beside each other.
static COMPUTED: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];

/// The number of elements that panics.
const PANICS: usize = 7;

/// Its input, which may be any.
struct Counted;

benchbook_core::parameters! {
    /// Parameters of [`Counted`].
    struct CountedParams {
        /// elements
        length: usize = 1;
    }
}

impl Problem for Counted {
    const NAME: &'static str = "counted";
    const ABOUT: &'static str = "itself";
    type Params = CountedParams;

    fn presets() -> Vec<Preset> {
        Vec::new()
    }

    fn ugly() -> Vec<CountedParams> {
        vec![CountedParams::default()]
    }

    fn check(params: &CountedParams) -> Result<(), (&'static str, String)> {
        if params.length < COMPUTED.len() { Ok(()) } else { Err(("length", "too long".into())) }
    }

    fn inputs(params: &CountedParams, seed: u64) -> Inputs {
        let array = |stream| Array::normal(vec![params.length], seed, stream);
        Inputs::from([("a", array(1)), ("b", array(2))])
    }

    fn reference(params: &CountedParams, inputs: &Inputs, _seed: u64) -> Reference {
        assert!(params.length != PANICS, "no answer to that");
        COMPUTED[params.length].fetch_add(1, Ordering::Relaxed);
        let sums = inputs.numbers("a").iter().zip(inputs.numbers("b")).map(|(a, b)| f64::from(a + b));
        Reference::of(vec![params.length], vec![0], sums.collect())
    }

    fn work(params: &CountedParams, dtype: DType) -> Work {
        Work { flops: params.length as f64, bytes: (params.length * dtype.bytes()) as f64 }
    }

    fn tolerance(_params: &CountedParams, _dtype: DType) -> f64 {
        1e-6
    }
}

/// An owner of whom nothing is asked but what it answers.
struct Owner(Vec<(Say, Arrays)>);

impl Link for Owner {
    fn ask(&mut self, ask: &Ask, _arrays: &[(&str, &Array)], _timeout: Duration) -> Result<(Say, Arrays)> {
        assert!(!self.0.is_empty(), "nobody asks {ask:?}");
        Ok(self.0.remove(0))
    }

    fn caller(&self) -> Caller {
        Caller { process: 0, thread: 0 }
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }
}

fn references() -> References {
    let mut problems = Registry::default();
    problems.workload(Counted);
    References { cache: None, ..References::new(problems, "code", &Arc::default()) }
}

fn length(length: i64) -> Params {
    Params::default().with("length", length.into())
}

fn question(params: &Params, seed: u64) -> Question<'_> {
    Question { workload: "counted", params, dtype: DType::F32, seed, of: (None, "cpu"), otherwise: false }
}

fn times(length: usize) -> u32 {
    COMPUTED[length].load(Ordering::Relaxed)
}

/// What is known without an owner.
fn known(
    references: &mut References,
    question: &Question<'_>,
    others: Option<&Others>,
) -> Result<(Rc<Reference>, i64)> {
    references.answer(question, others, &mut Owner(Vec::new()), Duration::MAX)
}

#[test]
fn an_answer_is_computed_once_for_all_who_ask() {
    let (mut references, params) = (references(), length(2));
    let (first, took_ns) = known(&mut references, &question(&params, 1), None).unwrap();
    assert!(took_ns > 0);
    for dtype in [DType::F32, DType::F64] {
        let (again, took_ns) = known(&mut references, &Question { dtype, ..question(&params, 1) }, None).unwrap();
        assert_eq!((again, took_ns), (Rc::clone(&first), 0));
    }
    assert_eq!(times(2), 1);
    assert_ne!(known(&mut references, &question(&params, 2), None).unwrap().0, first);
    let facts = |references: &mut References, dtype| {
        let question = Question { dtype, ..question(&params, 1) };
        references.facts(&question, &mut Owner(Vec::new()), Duration::MAX).unwrap()
    };
    let (single, double) = (facts(&mut references, DType::F32), facts(&mut references, DType::F64));
    assert_eq!((single.input_bytes, double.input_bytes, double.work.bytes), (16, 32, 16.0));
    assert_eq!(times(2), 2);
}

#[test]
fn inputs_may_be_those_of_another_seed_in_part() {
    let (mut references, params) = (references(), length(3));
    let others = Others { seed: 9, inputs: vec!["b".into(), "absent".into()] };
    let (mixed, _) = known(&mut references, &question(&params, 1), Some(&others)).unwrap();
    let of = |seed| references.inputs(&question(&params, seed), None, Duration::MAX).unwrap();
    let (first, other) = (of(1), of(9));
    let sum = f64::from(first.numbers("a")[0] + other.numbers("b")[0]);
    assert_eq!(mixed.answers[0].values[0], sum);
}

#[test]
fn what_took_long_is_kept_for_the_next_run_and_of_older_code_is_computed_anew() {
    let (folder, params) = (tempfile::tempdir().unwrap(), length(4));
    let run = |code: &str, kept_from_ns: i64| {
        let cache = Some(Cache::at(folder.path().join("cache"), 1 << 20));
        let mut references = References { cache, code: code.into(), kept_from_ns, ..references() };
        known(&mut references, &question(&params, 1), None).unwrap().0
    };
    let first = run("code", i64::MAX);
    assert_eq!((run("code", 0), times(4)), (Rc::clone(&first), 2), "what took no time was not kept");
    assert_eq!((run("code", 0), times(4)), (Rc::clone(&first), 2));
    assert_eq!((run("newer code", 0), times(4)), (Rc::clone(&first), 3));
    // Half a file is no answer, and a whole one takes its place.
    for file in std::fs::read_dir(folder.path().join("cache")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    assert_eq!((run("code", 0), times(4)), (Rc::clone(&first), 4));
    assert_eq!((run("code", 0), times(4)), (first, 4));
    // Nobody can write into a folder that is a file.
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    std::fs::write(folder.path().join("cache"), "").unwrap();
    run("code", 0);
    assert_eq!(times(4), 5);
}

#[test]
fn a_reference_that_panics_is_a_failure() {
    let failed = known(&mut references(), &question(&length(PANICS as i64), 1), None);
    assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains("no answer to that")), "{failed:?}");
}

#[test]
fn an_interrupted_run_waits_for_no_reference() {
    // It waits for another thread, which comes to nothing.
    let interruption = Interruption::of(&Arc::new(AtomicBool::new(true)));
    let references = References { interruption, ..references() };
    let (hold, held) = mpsc::channel::<()>();
    let waited = references.wait_for(Duration::MAX, move || held.recv().is_ok());
    assert!(matches!(waited, Err(Error::Interrupted)), "{waited:?}");
    drop(hold);
}

#[test]
fn a_reference_that_takes_too_long_is_a_failure() {
    let (hold, held) = mpsc::channel::<()>();
    let waited = references().wait_for(Duration::from_millis(1), move || held.recv().is_ok());
    assert!(matches!(&waited, Err(Error::Failed(words)) if words.contains("not known after 0.0 s")), "{waited:?}");
    drop(hold);
}

#[test]
fn who_owns_a_workload_is_asked_for_what_this_program_does_not_link() {
    let answers =
        |name: &str| vec![AnswerInfo { name: name.into(), shape: vec![2], rows: vec![0], check: Check::Exact }];
    let numbers = |name: &str| vec![(name.to_owned(), Array::new(vec![2], &[1.0, f64::NAN]))];
    let params = length(2);
    let theirs = Question { workload: "theirs", ..question(&params, 1) };
    let ask = |answer: (Say, Arrays)| {
        let mut owner = Owner(vec![answer]);
        let found = references().answer(&theirs, None, &mut owner, Duration::MAX);
        found.map(|(reference, _)| reference.answers.clone())
    };
    let found = ask((Say::Answers { answers: answers("x") }, numbers("x"))).unwrap();
    assert_eq!((&*found[0].name, &found[0].check, found[0].values.len()), ("x", &Check::Exact, 2));
    let single = vec![("x".to_owned(), Array::new(vec![1], &[1.0_f32]))];
    for (answer, part) in [
        ((Say::Answers { answers: answers("x") }, numbers("y")), "are `y`"),
        ((Say::Answers { answers: answers("x") }, single), "in f32"),
        ((Say::Answers { answers: answers("x") }, Vec::new()), "1 answers have 0 arrays"),
        ((Say::Failed { message: "never heard of it".into() }, Vec::new()), "never heard of it"),
    ] {
        let failed = ask(answer);
        assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains(part)), "{part}: {failed:?}");
    }
    assert!(matches!(ask((Say::Dropped, Vec::new())), Err(Error::Unexpected(_))));
    assert!(references().inputs(&theirs, None, Duration::MAX).is_err(), "nobody can send them");
    let facts = |tolerance: f64, [relative, absolute]: [f64; 2]| {
        let work = Work { flops: 1.0, bytes: 2.0 };
        let tolerances = vec![Tolerance { output: "x".into(), relative, absolute }];
        let (input_bytes, task, metrics) = (3, Task::Call, Vec::new());
        let posed = Say::Posed(Facts { work, tolerance, tolerances, input_bytes, task, metrics });
        references().facts(&theirs, &mut Owner(vec![(posed, Vec::new())]), Duration::MAX)
    };
    assert_eq!(facts(0.0, [0.0, 0.0]).unwrap().input_bytes, 3);
    for strange in [f64::INFINITY, f64::NAN, -0.5] {
        for found in [facts(strange, [0.0, 0.0]), facts(0.0, [strange, 0.0]), facts(0.0, [0.0, strange])] {
            assert!(matches!(found, Err(Error::Failed(words)) if words.contains("no tolerance")), "{strange}");
        }
    }
}

#[test]
fn who_gives_a_problem_of_ours_other_parameters_is_not_asked_for_the_answer() {
    let strange = Params::default().with("width", 1_i64.into());
    let question = question(&strange, 1);
    let facts = references().facts(&question, &mut Owner(Vec::new()), Duration::MAX);
    assert!(matches!(facts, Err(Error::Failed(_))), "{facts:?}");
    let answer = known(&mut references(), &question, None);
    assert!(matches!(answer, Err(Error::Failed(_))), "{answer:?}");
}

#[test]
fn what_a_worker_answers_is_its_own() {
    let (mut references, params) = (references(), length(2));
    let mut ask = |of: (Option<&str>, &str), number: f64, workload: &str, otherwise: bool| {
        let info = AnswerInfo { name: "x".into(), shape: vec![1], rows: vec![0], check: Check::Exact };
        let answer = (Say::Answers { answers: vec![info] }, vec![("x".to_owned(), Array::new(vec![1], &[number]))]);
        let question = Question { workload, of, otherwise, ..question(&params, 1) };
        let found = references.answer(&question, None, &mut Owner(vec![answer]), Duration::MAX).unwrap();
        found.0.answers[0].values[0]
    };
    assert_eq!(ask((None, "cpu"), 1.0, "theirs", false), 1.0);
    assert_eq!(ask((None, "cpu"), 2.0, "theirs", false), 1.0, "it is known");
    assert_eq!(ask((Some("old"), "cpu"), 3.0, "theirs", false), 3.0);
    assert_eq!(ask((None, "gpu"), 4.0, "theirs", false), 4.0);
    // One that makes other inputs alone knows what is right with them.
    assert_eq!(ask((Some("old"), "cpu"), 5.0, "counted", true), 5.0);
}

#[test]
fn what_is_held_is_bounded() {
    let mut references = references();
    let large = Rc::new(Reference::of(vec![1], vec![0], vec![0.0; MOST_HELD_BYTES / 8 / 2]));
    for number in 0..5 {
        references.hold(number.to_string(), &large);
    }
    assert_eq!(references.held.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["4"]);
}
