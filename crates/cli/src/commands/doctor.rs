//! `benchbook doctor`.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use benchbook_measure::clock::now_ns;
use benchbook_measure::doctor::{Activity, ClockQuality, Finding, Level, Observations, Usage, WorkerAnswer, examine};
use benchbook_measure::environment::{CaptureSettings, Environment, capture};
use benchbook_measure::{all_threads, offer};
use benchbook_record::{RunRow, Store};
use benchbook_report::calibration::{Calibration, SECONDS, read};
use benchbook_report::charts::Browser;

use benchbook_query::Session;
use benchbook_report::duration;

use super::calibrate::share;
use crate::args::DoctorArgs;
use crate::error::{EXIT_ERROR, Failure};
use crate::output::{Row, show};

/// The false-positive rate that verdicts at 95 % promise.
const NOMINAL_RATE: f64 = 0.05;

/// How long the machine is watched for other work.
const WATCH: Duration = Duration::from_millis(500);

/// Looks at the machine and says what to do.
pub fn doctor(store: &str, arguments: &DoctorArgs) -> Result<u8, Failure> {
    let environment = capture(&CaptureSettings::this_machine());
    let (before, started) = (Activity::read(Path::new("/")), now_ns());
    sleep(WATCH);
    let usage = Usage::between(&before, &Activity::read(Path::new("/")), now_ns() - started);
    let clock = ClockQuality::measure(now_ns);
    let browser = Browser::find().ok();
    let offered = offer(all_threads(), &Arc::default()).map_err(|failure| failure.to_string());
    let worker = match &offered {
        Ok(offer) => WorkerAnswer::Answered {
            profile: &offer.hello.profile,
            debug_assertions: offer.hello.debug_assertions,
            description: &offer.known,
        },
        Err(reason) => WorkerAnswer::Silent { reason },
    };
    let findings = examine(&Observations {
        environment: &environment,
        usage: usage.as_ref(),
        clock: Some(&clock),
        worker,
        browser: browser.as_ref().map(Browser::program),
        threads: None,
    });
    let calibrated = calibrated(store, &environment);
    let mut rows: Vec<Row<'_>> = findings.iter().map(row).collect();
    rows.extend(calibrated.iter().map(|(level, text, remedy)| Row {
        level: level.name(),
        area: "calibration",
        text,
        remedy: remedy.as_deref(),
    }));
    show(&rows, arguments.format.format)?;
    Ok(if findings.iter().any(|finding| finding.level == Level::Problem) { EXIT_ERROR } else { 0 })
}

/// What calibrations of this machine show, a finding each; how to get one where the store has none.
fn calibrated(store: &str, environment: &Environment) -> Vec<(Level, String, Option<String>)> {
    let mut row = RunRow::new("doctor");
    environment.fill(&mut row);
    let found = Store::open(store).map_err(Failure::from).and_then(|store| Ok(read(&Session::open(&store)?, &row)?));
    let found = found.unwrap_or_default();
    if found.is_empty() {
        let text = format!("what this machine can see was never measured, as far as the store {store} knows");
        return vec![(Level::Note, text, Some("`benchbook calibrate` measures equal programs for a minute".into()))];
    }
    let finding = |one: &Calibration| {
        let detectable = SECONDS
            .iter()
            .zip(one.minimum_detectable_effect)
            .filter_map(|(seconds, effect)| Some(format!("{} in {seconds:.0} s", share(effect?))));
        let text = format!(
            "samples of {}: noise {}; {} of {} verdicts on equal programs wrong ({} – {}); finds {}",
            duration(one.sample_ns),
            share(one.noise_floor),
            one.significant,
            one.verdicts,
            share(one.rate_low),
            share(one.rate_high),
            detectable.collect::<Vec<_>>().join(", ")
        );
        let errs = one.rate_low > NOMINAL_RATE;
        let remedy = "small differences are called undecided here: use replicates, pin, or a quieter machine";
        (if errs { Level::Warning } else { Level::Good }, text, errs.then(|| remedy.into()))
    };
    found.iter().map(finding).collect()
}

fn row(finding: &Finding) -> Row<'_> {
    let Finding { level, area, text, remedy } = finding;
    Row { level: level.name(), area: area.name(), text, remedy: remedy.as_deref() }
}
