//! Small rows and stores that the tests share.

pub(super) use std::collections::BTreeMap;
pub(super) use std::fs;
pub(super) use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
pub(super) use benchbook_core::{CacheRegime, DType, Params, Value};
use benchbook_journal::frame::{FRAME_HEADER_LEN, encode, seal};
pub(super) use tempfile::TempDir;

pub(super) use crate::*;

/// A store in a folder that goes away with it.
pub(super) struct Scratch {
    pub(super) folder: TempDir,
    pub(super) store: LocalStore,
}

pub(super) fn scratch() -> Scratch {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    Scratch { folder, store }
}

pub(super) fn run_row() -> RunRow {
    RunRow {
        tags: vec!["nightly".into()],
        cpu_model: Some("a processor".into()),
        cpu_features: vec!["avx2".into(), "fma".into()],
        cpu_turbo: Some(true),
        memory_bytes: Some(8 << 30),
        devices: vec![DeviceRow { name: Some("card".into()), memory_bytes: Some(1 << 34), ..DeviceRow::default() }],
        libraries: BTreeMap::from([("burn".into(), "0.22.1".into())]),
        threads: Some(2),
        seed: Some(-7),
        ..RunRow::new("attention")
    }
}

pub(super) fn trial_row(trial: i64) -> TrialRow {
    let params = Params::default()
        .with("seq_q", Value::Int(128))
        .with("scale", Value::Float(0.125))
        .with("mask", Value::Text("none".into()))
        .with("causal", Value::Bool(true));
    TrialRow {
        trial,
        workload: "attention".into(),
        case_name: "seq 128".into(),
        params,
        variant: "naive/flex/f32/2t".into(),
        implementation: "naive".into(),
        device: "flex".into(),
        dtype: DType::F32,
        threads: 2,
        build: None,
        engine: Some("burn-flex".into()),
        engine_version: None,
        replicate: 0,
        isolation: Isolation::Process,
        worker: Some(4711),
        input_seed: i64::MIN,
        cache: CacheRegime::Hot,
        flops: Some(1e9),
        bytes: None,
    }
}

pub(super) fn sample_row(trial: i64, sample: i64) -> SampleRow {
    SampleRow {
        trial,
        sample,
        block: sample,
        position: 0,
        iterations: 3,
        elapsed_ns: 1_000 + sample,
        started_ns: 5_000 * sample,
        cpu_user_ns: (sample % 2 == 0).then_some(900),
        cpu_system_ns: Some(1),
        valid: sample % 5 != 4,
        invalid_reason: (sample % 5 == 4).then_some("clock_stepped"),
    }
}

pub(super) fn step_row(sample: i64, step: i64) -> StepRow {
    StepRow {
        trial: 0,
        sample,
        step,
        started_ns: 5_000 * sample + 100 * step,
        elapsed_ns: 90 + step,
        tokens: (step % 2 == 0).then_some(1),
    }
}

pub(super) fn step_value_row(step: i64, value: f64) -> StepValueRow {
    StepValueRow { trial: 0, sample: 0, step, name: "loss".into(), value, unit: "nats".into() }
}

pub(super) fn outcome_row(trial: Option<i64>, status: Status) -> OutcomeRow {
    OutcomeRow { trial, at_ns: 9, status, stop_reason: Some("blocks".into()), prepare_ns: None }
}

pub(super) fn check_row(trial: i64) -> CheckRow {
    CheckRow {
        trial,
        phase: Phase::Before,
        output: Some("key_grad".into()),
        max_abs_error: f64::INFINITY,
        max_scaled_error: f64::NAN,
        tolerance: 1e-4,
        passed: false,
        rows_checked: 64,
    }
}

pub(super) fn event_row(message: &str) -> EventRow {
    EventRow { at_ns: 1, trial: None, level: Level::Warning, kind: "governor".into(), message: message.into() }
}

/// Writes a run with rows in six tables, `samples` of them samples.
pub(super) fn fill(writer: &mut RunWriter, samples: i64) -> Result<()> {
    writer.trial(&trial_row(0))?;
    writer.check(&check_row(0))?;
    writer.flush()?;
    for sample in 0..samples {
        writer.sample(&sample_row(0, sample))?;
    }
    writer.flush()?;
    writer.event(&event_row("the governor is powersave"))?;
    writer.outcome(&outcome_row(Some(0), Status::Ok))?;
    writer.outcome(&outcome_row(None, Status::Ok))?;
    writer.flush()
}

pub(super) fn finished(store: &LocalStore, run: &RunRow) -> PathBuf {
    let mut writer = RunWriter::create(store, run).unwrap();
    fill(&mut writer, 10).unwrap();
    writer.finish(to_parquet).unwrap()
}

/// A run whose writer died after everything but the run's own outcome was written.
pub(super) fn dead(store: &LocalStore, run: &RunRow) -> PathBuf {
    let mut writer = RunWriter::create(store, run).unwrap();
    writer.trial(&trial_row(0)).unwrap();
    for sample in 0..10 {
        writer.sample(&sample_row(0, sample)).unwrap();
    }
    writer.flush().unwrap();
    writer.path().to_owned()
}

pub(super) fn count(snapshot: &Snapshot, table: Table) -> u64 {
    let parquet = snapshot.parquet.iter().filter(|file| file.table == table).map(|file| file.rows);
    let batches = snapshot.batches.get(&table).into_iter().flatten().map(|batch| batch.num_rows() as u64);
    parquet.chain(batches).sum()
}

/// A frame with `payload`, its checksums right.
pub(super) fn frame(table: Table, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER_LEN];
    frame.extend_from_slice(payload);
    seal(table, &mut frame).unwrap();
    frame
}

/// The payload of the frame that a writer makes of `body`.
pub(super) fn payload(table: Table, body: &RecordBatch) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(table, body, &mut frame).unwrap();
    frame.split_off(FRAME_HEADER_LEN)
}

pub(super) fn flip(path: &Path, byte: usize, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}
