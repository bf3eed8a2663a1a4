//! Makes a large store of invented samples, for `cargo xtask bench --sql`.
//!
//! Arguments: folder of the store, samples, trials. Trials are two builds of fifty variants, as many
//! cases as it takes; every block holds one sample of each trial, as in a real run.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use benchbook_core::{CacheRegime, DType, Params};
use benchbook_record::{
    CheckRow, Isolation, LocalStore, OutcomeRow, Phase, RunRow, RunWriter, SampleRow, Status, TrialRow, to_parquet,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;

const VARIANTS: i64 = 50;
/// One in so many samples may not be used; prime, so that every trial loses some.
const UNUSABLE: i64 = 1009;
const BUILDS: [&str; 2] = ["baseline", "candidate"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, samples, trials] = arguments.as_slice() else {
        return Err("arguments: FOLDER SAMPLES TRIALS".into());
    };
    let (samples, trials): (i64, i64) = (samples.parse()?, trials.parse()?);
    let store = LocalStore::create_or_open(folder)?;
    let mut writer = RunWriter::create(&store, &RunRow::new("bench"))?;
    for number in 0..trials {
        writer.trial(&trial(number))?;
        for phase in [Phase::Before, Phase::After] {
            writer.check(&passed(number, phase))?;
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut started_ns = 0;
    for number in 0..samples {
        let row = sample(number, trials, started_ns, noise(&mut random));
        started_ns += row.elapsed_ns;
        writer.sample(&row)?;
    }
    for number in 0..trials {
        writer.outcome(&ended(Some(number), started_ns))?;
    }
    writer.outcome(&ended(None, started_ns))?;
    let run = writer.finish(to_parquet)?;
    println!("{samples} samples, {trials} trials in {}", run.display());
    Ok(())
}

fn trial(number: i64) -> TrialRow {
    let implementation = format!("kernel-{}", number / 2 % VARIANTS);
    TrialRow {
        trial: number,
        workload: "attention".to_owned(),
        case_name: format!("case-{}", number / 2 / VARIANTS),
        params: Params::default(),
        variant: format!("{implementation}/flex/f32/2"),
        implementation,
        device: "flex".to_owned(),
        dtype: DType::F32,
        threads: 2,
        build: Some(BUILDS[(number % 2) as usize].to_owned()),
        engine: None,
        engine_version: None,
        replicate: 0,
        isolation: Isolation::Process,
        worker: None,
        input_seed: 0,
        cache: CacheRegime::Hot,
        flops: None,
        bytes: None,
    }
}

fn sample(number: i64, trials: i64, started_ns: i64, noise: f64) -> SampleRow {
    let trial = number % trials;
    // The candidate takes 3 % less time; every variant has a pace of its own.
    let pace = 1e6 * (1 + trial / 2 % VARIANTS) as f64 * if trial % 2 == 1 { 0.97 } else { 1.0 };
    let elapsed_ns = (pace * noise).round() as i64;
    SampleRow {
        trial,
        sample: number / trials,
        block: number / trials,
        position: trial,
        iterations: 10,
        elapsed_ns,
        started_ns,
        cpu_user_ns: Some(elapsed_ns),
        cpu_system_ns: Some(0),
        valid: number % UNUSABLE != 0,
        invalid_reason: (number % UNUSABLE == 0).then_some("preempted"),
    }
}

/// A factor between 0.97 and 1.09 with its bulk at the low end, as times have.
fn noise(random: &mut ChaCha8Rng) -> f64 {
    let lifted: f64 = random.random();
    0.97 + 0.12 * lifted * lifted
}

fn passed(trial: i64, phase: Phase) -> CheckRow {
    let (output, passed, rows_checked) = (Some("output".to_owned()), true, 1);
    CheckRow { trial, phase, output, max_abs_error: 0.0, max_scaled_error: 0.0, tolerance: 1e-5, passed, rows_checked }
}

fn ended(trial: Option<i64>, at_ns: i64) -> OutcomeRow {
    OutcomeRow { trial, at_ns, status: Status::Ok, stop_reason: Some("time".to_owned()), prepare_ns: None }
}
