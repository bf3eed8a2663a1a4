//! Times samples through the writer to the written journal, for `cargo xtask bench --recording`.
//!
//! Arguments: a folder, samples a round, rounds. Each round prints `SAMPLES NANOSECONDS`.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use benchbook_measure::clock::now_ns;
use benchbook_record::{LocalStore, RunRow, RunWriter, SampleRow};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, samples, rounds] = arguments.as_slice() else {
        return Err("arguments: FOLDER SAMPLES ROUNDS".into());
    };
    let samples: i64 = samples.parse()?;
    // The first round warms the allocator and the disk's cache, and does not count.
    for round in 0..=rounds.parse::<i64>()? {
        let elapsed_ns = record(Path::new(folder), samples)?;
        if round > 0 {
            println!("{samples} {elapsed_ns}");
        }
    }
    Ok(())
}

/// Nanoseconds from the first sample to the end of the write of the last.
fn record(folder: &Path, samples: i64) -> Result<i64, Box<dyn Error>> {
    let place = tempfile::tempdir_in(folder)?;
    let store = LocalStore::create_or_open(place.path().join("store"))?;
    let mut writer = RunWriter::create(&store, &RunRow::new("bench"))?;
    let started_ns = now_ns();
    for number in 0..samples {
        writer.sample(&sample(number))?;
    }
    writer.flush()?;
    Ok(now_ns() - started_ns)
}

/// A sample as a real run writes it: interleaved trials, times that differ.
fn sample(number: i64) -> SampleRow {
    let noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()).cast_unsigned() >> 44;
    let elapsed_ns = 2_000_000 + noise.cast_signed();
    SampleRow {
        trial: number % 6,
        sample: number / 6,
        block: number / 6,
        position: number % 6,
        iterations: 10,
        elapsed_ns,
        started_ns: number * 2_100_000,
        cpu_user_ns: Some(elapsed_ns),
        cpu_system_ns: Some(0),
        valid: true,
        invalid_reason: None,
    }
}
