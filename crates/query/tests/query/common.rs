//! Small stores with known contents, and answers as plain values.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use benchbook_query::{Answer, Session};
use benchbook_record::{CheckRow, LocalStore, Phase, Readable, RunRow, RunWriter, SampleRow, TrialRow, to_parquet};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A store in a folder that goes away with it.
pub struct Fixture {
    pub folder: TempDir,
    pub store: LocalStore,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = LocalStore::create_or_open(folder.path().join("results")).expect("a store");
        Self { folder, store }
    }

    /// Writes a finished run; gives its id.
    pub fn run(&self, write: impl FnOnce(&mut RunWriter)) -> String {
        self.tagged("first", write)
    }

    pub fn tagged(&self, tag: &str, write: impl FnOnce(&mut RunWriter)) -> String {
        let mut writer = self.writer(tag);
        let run_id = writer.run_id().to_owned();
        write(&mut writer);
        writer.finish(to_parquet).expect("the run is written");
        run_id
    }

    /// The same of a run of this suite.
    pub fn of_suite(&self, suite: &str, write: impl FnOnce(&mut RunWriter)) {
        let mut writer = RunWriter::create(&self.store, &RunRow::new(suite)).expect("a writer");
        write(&mut writer);
        writer.finish(to_parquet).expect("the run is written");
    }

    /// Writes a run that is never finished: its journal stays.
    pub fn journal(&self, write: impl FnOnce(&mut RunWriter)) -> String {
        let mut writer = self.writer("cut");
        let run_id = writer.run_id().to_owned();
        write(&mut writer);
        writer.flush().expect("the journal is written");
        run_id
    }

    fn writer(&self, tag: &str) -> RunWriter {
        let run = RunRow { tags: vec![tag.to_owned()], ..RunRow::new("test") };
        RunWriter::create(&self.store, &run).expect("a writer")
    }

    pub fn session(&self) -> Session {
        Session::open(&self.store.reader().expect("a reader")).expect("a session")
    }

    pub fn file(&self, run_id: &str, name: &str) -> std::path::PathBuf {
        self.store.path().join(format!("run_id={run_id}")).join(name)
    }
}

/// A trial of `implementation` on a case with the given parameters.
pub fn trial(number: i64, implementation: &str, case_name: &str, replicate: i64, params: Value) -> TrialRow {
    serde_json::from_value(json!({
        "trial": number,
        "workload": "attention",
        "case_name": case_name,
        "params": params,
        "variant": format!("{implementation}/flex/f32/2t"),
        "implementation": implementation,
        "device": "flex",
        "dtype": "f32",
        "threads": 2,
        "replicate": replicate,
        "isolation": "process",
        "input_seed": 7,
        "cache": "hot",
        "flops": 2000.0,
        "bytes": 64.0
    }))
    .expect("a trial")
}

/// A check that is passed or failed.
pub fn check(trial: i64, phase: Phase, passed: bool) -> CheckRow {
    CheckRow {
        trial,
        phase,
        output: Some("output".into()),
        max_abs_error: 0.1,
        max_scaled_error: 0.1,
        tolerance: 0.2,
        passed,
        rows_checked: 3,
    }
}

/// Writes a trial that passes both of its checks.
pub fn add(writer: &mut RunWriter, trial: &TrialRow) {
    writer.trial(trial).expect("the trial is written");
    for phase in [Phase::Before, Phase::After] {
        writer.check(&check(trial.trial, phase, true)).expect("the check is written");
    }
}

/// A valid sample of one call.
pub fn sample(trial: i64, number: i64, block: i64, elapsed_ns: i64) -> SampleRow {
    SampleRow {
        trial,
        sample: number,
        block,
        position: 0,
        iterations: 1,
        elapsed_ns,
        started_ns: number * 1_000,
        cpu_user_ns: None,
        cpu_system_ns: None,
        valid: true,
        invalid_reason: None,
    }
}

/// Whole numbers in [low, low + spread), the same for the same seed.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self, low: i64, spread: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + i64::try_from((self.0 >> 33) % spread).expect("small")
    }
}

/// The column of an answer, all batches together.
pub fn column(answer: &Answer, name: &str) -> ArrayRef {
    let all = concat_batches(&answer.schema, &answer.batches).expect("one schema");
    all.column_by_name(name).unwrap_or_else(|| panic!("no column {name} in {:?}", answer.schema)).clone()
}

pub fn floats(answer: &Answer, name: &str) -> Vec<Option<f64>> {
    let column = cast(&column(answer, name), &DataType::Float64).expect("a number");
    column.as_primitive::<Float64Type>().iter().collect()
}

pub fn ints(answer: &Answer, name: &str) -> Vec<Option<i64>> {
    let column = cast(&column(answer, name), &DataType::Int64).expect("an integer");
    column.as_primitive::<Int64Type>().iter().collect()
}

pub fn texts(answer: &Answer, name: &str) -> Vec<Option<String>> {
    let column = column(answer, name);
    let column = cast(&column, &DataType::Utf8).expect("text");
    column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

pub fn flags(answer: &Answer, name: &str) -> Vec<Option<bool>> {
    column(answer, name).as_boolean().iter().collect()
}

/// The only value of a query that gives one row and one column.
pub fn one(session: &Session, sql: &str) -> Option<f64> {
    let answer = session.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!((answer.rows(), answer.schema.fields().len()), (1, 1), "{sql}");
    let column = cast(&column(&answer, answer.schema.field(0).name()), &DataType::Float64).expect("a number");
    column.is_valid(0).then(|| column.as_primitive::<Float64Type>().value(0))
}

/// The only text of a query that gives one row and one column.
pub fn one_text(session: &Session, sql: &str) -> Option<String> {
    let answer = session.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    texts(&answer, answer.schema.field(0).name()).remove(0)
}

pub fn assert_near(got: f64, wanted: f64, what: &str) {
    let scale = wanted.abs().max(f64::MIN_POSITIVE);
    assert!((got - wanted).abs() <= 1e-9 * scale, "{what}: got {got}, wanted {wanted}");
}
