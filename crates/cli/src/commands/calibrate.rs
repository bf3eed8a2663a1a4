//! `benchbook calibrate`: equal programs against each other on this machine.

use std::io::Write;

use benchbook_core::{CaseSpec, Plan, SamplingSpec, Value, counted};
use benchbook_measure::run::Start;
use benchbook_query::{CALIBRATION, CALIBRATION_GROUP, Session, quoted};
use benchbook_record::{LocalStore, RunRow, Store, to_parquet};
use benchbook_report::calibration::{Calibration, SECONDS, read};
use benchbook_report::duration;

use super::run::local_path;
use crate::args::{CalibrateArgs, Format, FormatArgs};
use crate::error::{EXIT_ERROR, Failure};
use crate::output::{self, text_batch};
use crate::people::people;
use crate::progress::{Bar, interrupt_flag};

/// Measures, then tells what all calibrations of this machine in the store show.
pub fn calibrate(store: &str, arguments: &CalibrateArgs) -> Result<u8, Failure> {
    let interrupted = interrupt_flag("finishing the journal")?;
    let local = LocalStore::create_or_open(local_path(store)?)?;
    // Another order each time, so that runs add up.
    let seed = arguments.seed.unwrap_or(earlier(store)? as u64);
    let mut plan = plan(arguments.time.as_secs_f64(), seed);
    plan.sampling.keep_disturbed = arguments.keep_disturbed;
    // This program holds known work itself and starts in milliseconds.
    let mut ready = Start::new(plan, to_parquet).interrupted(&interrupted).workers_of(std::env::current_exe()?)?;
    let machine = ready.row()?;
    let mut bar = Bar::new();
    let summary = ready.run(&local, &mut bar);
    bar.clear();
    let summary = summary?;
    tell(store, &machine, arguments.format)?;
    Ok(if summary.measured_nothing() || summary.interrupted { EXIT_ERROR } else { 0 })
}

/// Calibration runs that the store already has.
fn earlier(store: &str) -> Result<usize, Failure> {
    let session = Session::open(&Store::open(store)?)?;
    Ok(session.sql(&format!("SELECT run_id FROM runs WHERE suite = {}", quoted(CALIBRATION)))?.rows())
}

fn tell(store: &str, machine: &RunRow, format: FormatArgs) -> Result<(), Failure> {
    let session = Session::open(&Store::open(store)?)?;
    let found = read(&session, machine)?;
    let column = |show: fn(&Calibration) -> String| found.iter().map(show).collect::<Vec<_>>();
    let mut columns = vec![
        ("sample", column(|one| duration(one.sample_ns))),
        ("noise_floor", column(|one| share(one.noise_floor))),
        ("verdicts", column(|one| one.verdicts.to_string())),
        ("false_positives", column(|one| one.significant.to_string())),
        ("rate", column(|one| share(one.false_positive_rate))),
        ("rate_95", column(|one| format!("{} – {}", share(one.rate_low), share(one.rate_high)))),
        ("usual_difference", column(|one| share(one.usual_difference))),
    ];
    // Who reads JSON, CSV or Arrow finds these under their earlier names too.
    let names = ["mde", "detectable"].map(|word| SECONDS.map(|seconds| format!("{word}_in_{seconds:.0}s")));
    let shown = if format.format == Format::Table { &names[..1] } else { &names[..] };
    for (place, name) in shown.iter().flat_map(|names| names.iter().enumerate()) {
        let value = |one: &Calibration| one.minimum_detectable_effect[place].map_or_else(|| "not known".into(), share);
        columns.push((name, found.iter().map(value).collect()));
    }
    let batch = text_batch(&columns)?;
    output::print(&batch.schema(), &[batch], format)?;
    if format.format == Format::Table {
        let mut out = people();
        let verdicts: u64 = found.iter().map(|one| one.verdicts).sum();
        writeln!(
            out,
            "\n{} of equal programs at 95 %, five replicates each: a rate about 5 % is as it should be.\n\
             mde: the minimum detectable effect, found nine times in ten within that time, processes included.",
            counted(usize::try_from(verdicts).unwrap_or(usize::MAX), "verdict")
        )?;
    }
    Ok(())
}

/// A share in percent with two significant digits.
pub fn share(value: f64) -> String {
    let percent = 100.0 * value;
    let digits = if percent >= 10.0 || percent == 0.0 {
        0
    } else if percent >= 1.0 {
        1
    } else {
        2
    };
    format!("{percent:.digits$} %")
}

/// Blocks of each replicate.
const BLOCKS: u64 = 20;
/// A sample is one call: the number of steps alone decides how long it lasts.
const LEAST_SAMPLE_NS: u64 = 1;
const WARMUP_NS: u64 = 20_000_000;
/// What a replicate of the three lengths takes, about, in seconds.
const REPLICATE_S: f64 = 0.8;

/// A plan that measures equal programs for about `seconds`, in samples of about 0.1, 1 and 10 ms: replicates for
/// whole verdicts.
fn plan(seconds: f64, seed: u64) -> Plan {
    let groups = (seconds / REPLICATE_S / CALIBRATION_GROUP as f64).floor().clamp(2.0, 2_000.0);
    let case = CaseSpec {
        workload: "known-steps".into(),
        preset: Some("default".into()),
        params: [("extra".to_owned(), benchbook_core::Axis(vec![Value::Float(0.0)]))].into(),
        implementations: Vec::new(),
    };
    Plan {
        seed,
        replicates: groups as u32 * CALIBRATION_GROUP as u32,
        threads: Some(1),
        // A loaded machine takes longer for each replicate; a bound all the same.
        time_s: Some(3.0 * seconds.max(10.0)),
        sampling: SamplingSpec {
            blocks: BLOCKS,
            min_sample_ns: LEAST_SAMPLE_NS,
            warmup_ns: WARMUP_NS,
            ..SamplingSpec::default()
        },
        ..Plan::of(CALIBRATION, vec![case])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicates_come_in_whole_verdicts_and_never_too_few() {
        for (seconds, replicates) in [(0.0, 10), (60.0, 75), (1e12, 10_000)] {
            let plan = plan(seconds, 1);
            assert_eq!(plan.replicates, replicates);
            assert!(plan.check().is_ok(), "{:?}", plan.check());
        }
    }
}
