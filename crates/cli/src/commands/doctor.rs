//! `benchbook doctor`.

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use benchbook_charts::Browser;
use benchbook_measure::clock::now_ns;
use benchbook_measure::doctor::{Activity, ClockQuality, Finding, Level, Observations, Usage, WorkerAnswer, examine};
use benchbook_measure::environment::{CaptureSettings, capture};

use crate::args::{DoctorArgs, Format};
use crate::error::{EXIT_ERROR, Failure};
use crate::output;
use crate::batch::text_batch;
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
    show(&findings, arguments.format.format)?;
    Ok(if findings.iter().any(|finding| finding.level == Level::Problem) { EXIT_ERROR } else { 0 })
}

fn show(findings: &[Finding], format: Format) -> Result<(), Failure> {
    if format != Format::Table {
        let column = |show: fn(&Finding) -> String| findings.iter().map(show).collect();
        let batch = text_batch(&[
            ("level", column(|finding| finding.level.name().into())),
            ("area", column(|finding| finding.area.name().into())),
            ("finding", column(|finding| finding.text.clone())),
            ("remedy", column(|finding| finding.remedy.clone().unwrap_or_default())),
        ])?;
        return output::print(&batch.schema(), &[batch], format);
    }
    let mut out = std::io::stdout().lock();
    for finding in findings {
        writeln!(out, "{:8} {}: {}", finding.level.name(), finding.area.name(), finding.text)?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "         → {remedy}")?;
        }
    }
    Ok(())
}
