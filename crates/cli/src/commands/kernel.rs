//! `benchbook kernel`.

use std::io::Write;

use benchbook_kernel::{Finding, InstallRequest, Level, Surroundings, examine, install, worst};

use crate::args::{Format, KernelAction, KernelArgs, KernelDoctorArgs, KernelInstallArgs};
use crate::batch::text_batch;
use crate::error::{EXIT_ERROR, Failure};
use crate::output;

/// Installs the kernel, or says what it needs.
pub fn kernel(arguments: KernelArgs) -> Result<u8, Failure> {
    match arguments.action {
        KernelAction::Install(arguments) => put(arguments),
        KernelAction::Doctor(arguments) => doctor(&arguments),
    }
}

fn put(arguments: KernelInstallArgs) -> Result<u8, Failure> {
    let KernelInstallArgs { prefix, user, snapshot, python, evcxr } = arguments;
    let request = InstallRequest { prefix, user, snapshot, python, evcxr };
    let installed = install(&Surroundings::here()?, &request)?;
    let (kernelspec, snapshot) = (&installed.kernelspec, &installed.snapshot);
    let mut out = std::io::stdout().lock();
    let done = if installed.written.is_empty() { "is up to date" } else { "is installed" };
    writeln!(out, "the kernel Rust (benchbook) {done} in {}", kernelspec.folder.display())?;
    writeln!(out, "it loads build {} from {}", snapshot.manifest().build_id, snapshot.folder().display())?;
    writeln!(out, "and runs cells with {}", kernelspec.evcxr.display())?;
    Ok(0)
}

fn doctor(arguments: &KernelDoctorArgs) -> Result<u8, Failure> {
    let findings = examine(&Surroundings::here()?, arguments.snapshot.as_deref());
    show(&findings, arguments.format.format)?;
    Ok(if worst(&findings) == Level::Problem { EXIT_ERROR } else { 0 })
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
