//! `benchbook doctor`.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use benchbook_charts::Browser;
use benchbook_measure::clock::now_ns;
use benchbook_measure::doctor::{Activity, ClockQuality, Finding, Level, Observations, Usage, WorkerAnswer, examine};
use benchbook_measure::environment::{CaptureSettings, capture};

use crate::args::DoctorArgs;
use crate::error::{EXIT_ERROR, Failure};
use crate::findings::{Row, show};
use crate::worker::{all_threads, offer};

/// How long the machine is watched for other work.
const WATCH: Duration = Duration::from_millis(500);

/// Looks at the machine and says what to do.
pub fn doctor(arguments: &DoctorArgs) -> Result<u8, Failure> {
    let environment = capture(&CaptureSettings::this_machine());
    let (before, started) = (Activity::read(Path::new("/")), now_ns());
    sleep(WATCH);
    let usage = Usage::between(&before, &Activity::read(Path::new("/")), now_ns() - started);
    let clock = ClockQuality::measure(now_ns);
    let browser = Browser::find().ok();
    let offered = offer(all_threads()).map_err(|failure| failure.to_string());
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
    let rows: Vec<Row<'_>> = findings.iter().map(row).collect();
    show(&rows, arguments.format.format)?;
    Ok(if findings.iter().any(|finding| finding.level == Level::Problem) { EXIT_ERROR } else { 0 })
}

fn row(finding: &Finding) -> Row<'_> {
    let Finding { level, area, text, remedy } = finding;
    Row { level: level.name(), area: area.name(), text, remedy: remedy.as_deref() }
}
