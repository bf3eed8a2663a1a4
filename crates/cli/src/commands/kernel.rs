//! `benchbook kernel`.

use std::io::Write;

use benchbook_jupyter::{Finding, InstallRequest, Level, Surroundings, examine, install, worst};

use crate::args::{KernelAction, KernelArgs, KernelDoctorArgs, KernelInstallArgs};
use crate::error::{EXIT_ERROR, Failure};
use crate::output::{Row, show};
use crate::people::people;

/// Installs the Jupyter kernel, or says what it needs.
pub fn kernel(arguments: KernelArgs) -> Result<u8, Failure> {
    match arguments.action {
        KernelAction::Install(arguments) => put(arguments),
        KernelAction::Doctor(arguments) => doctor(&arguments),
    }
}

fn put(arguments: KernelInstallArgs) -> Result<u8, Failure> {
    let KernelInstallArgs { prefix, user, snapshot, python } = arguments;
    let request = InstallRequest { prefix, user, snapshot, python };
    let installed = install(&Surroundings::here()?, &request)?;
    let (kernelspec, snapshot) = (&installed.kernelspec, &installed.snapshot);
    let mut out = people();
    let done = if installed.written.is_empty() { "is up to date" } else { "is installed" };
    writeln!(out, "the kernel Rust (benchbook) {done} in {}", kernelspec.folder.display())?;
    writeln!(out, "it loads build {} from {}", snapshot.manifest().build_id, snapshot.folder().display())?;
    Ok(0)
}

fn doctor(arguments: &KernelDoctorArgs) -> Result<u8, Failure> {
    let findings = examine(&Surroundings::here()?, arguments.snapshot.as_deref());
    let rows: Vec<Row<'_>> = findings.iter().map(row).collect();
    show(&rows, arguments.format.format)?;
    Ok(if worst(&findings) == Level::Problem { EXIT_ERROR } else { 0 })
}

fn row(finding: &Finding) -> Row<'_> {
    let Finding { level, area, text, remedy } = finding;
    Row { level: level.name(), area: area.name(), text, remedy: remedy.as_deref() }
}
