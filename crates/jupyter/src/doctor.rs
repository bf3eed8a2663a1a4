//! What a Jupyter kernel needs, what of it is here, and how to get the rest.

use std::path::Path;

use benchbook_process::is_program;

use crate::error::{Error, Result};
use crate::finding::{Area, Finding};
use crate::interpreter::Interpreter;
use crate::kernelspec::Kernelspec;
use crate::snapshot::Snapshot;
use crate::surroundings::Surroundings;
use crate::toolchain::{Toolchain, short};

/// Builds a snapshot and installs the Jupyter kernel.
const LAB: &str = "cargo xtask lab";
/// Makes the Python environment.
const SETUP: &str = "cargo xtask setup";
const INSTALL: &str = "benchbook kernel install";
const RUST_SRC: &str = "rustup component add rust-src";
const RUST: &str = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";
const CC: &str = "apt-get install gcc libc6-dev (Debian, Ubuntu), or your system's C compiler";

/// Packages that the environment needs: to show notebooks, run them, and export them.
const PACKAGES: [&str; 3] = ["jupyterlab", "nbclient", "nbconvert"];
/// Prints the version of each package that is there.
const ASK_VERSIONS: &str = "\
import importlib.metadata as metadata, sys
for name in sys.argv[1:]:
    try: print(name, metadata.version(name))
    except metadata.PackageNotFoundError: pass";

/// What a Jupyter kernel needs, in the order in which it is needed; the snapshot is the one named, or the newest.
#[must_use]
pub fn examine(here: &Surroundings, snapshot: Option<&Path>) -> Vec<Finding> {
    let snapshot = Snapshot::find(here, snapshot);
    let toolchain = Toolchain::find(here);
    let python = Interpreter::find(here, None);
    let environment = python.as_ref().ok().and_then(Interpreter::environment);
    let mut findings = vec![built(snapshot.as_ref())];
    findings.extend(compiler(&toolchain, snapshot.as_ref().ok()));
    findings.push(linker(here));
    findings.push(packages(here, &python));
    findings.push(told(here, environment, snapshot.as_ref().ok()));
    findings
}

fn built(snapshot: std::result::Result<&Snapshot, &Error>) -> Finding {
    match snapshot {
        Ok(snapshot) => {
            let (manifest, folder) = (snapshot.manifest(), snapshot.folder().display());
            let made = manifest.made_at.as_ref().map(|made_at| format!(" of {made_at}")).unwrap_or_default();
            Finding::good(Area::Snapshot, format!("build {}{made}, in {folder}", manifest.build_id))
        }
        Err(error) => Finding::problem(Area::Snapshot, error.to_string(), LAB),
    }
}

fn compiler(toolchain: &Result<Toolchain>, snapshot: Option<&Snapshot>) -> Vec<Finding> {
    let toolchain = match toolchain {
        Ok(toolchain) => toolchain,
        Err(error) => return vec![Finding::problem(Area::Toolchain, error.to_string(), RUST)],
    };
    let same = match snapshot.map(|snapshot| snapshot.check_toolchain(toolchain)) {
        Some(Err(error)) => Finding::problem(Area::Toolchain, error.to_string(), LAB),
        Some(Ok(())) => {
            let text = format!("{}, the compiler of the snapshot", short(&toolchain.version));
            Finding::good(Area::Toolchain, text)
        }
        None => Finding::good(Area::Toolchain, short(&toolchain.version)),
    };
    let sources = toolchain.sources();
    let sources = if sources.is_dir() {
        Finding::good(Area::Toolchain, "rust-src is there, so evcxr infers the types of the standard library")
    } else {
        let text = format!("rust-src is missing ({}): evcxr cannot infer a type", sources.display());
        Finding::problem(Area::Toolchain, text, RUST_SRC)
    };
    vec![same, sources]
}

fn linker(here: &Surroundings) -> Finding {
    match here.on_path("cc") {
        Some(file) => Finding::good(Area::Linker, format!("cells are linked with {}", file.display())),
        None => Finding::problem(Area::Linker, "there is no `cc` on PATH, so no cell can be linked", CC),
    }
}

fn packages(here: &Surroundings, python: &Result<Interpreter>) -> Finding {
    let python = match python {
        Ok(python) => python,
        Err(error) => return Finding::problem(Area::Python, error.to_string(), SETUP),
    };
    let program = python.program.display();
    let said = match here.output(&python.program, &[&["-c", ASK_VERSIONS][..], &PACKAGES].concat()) {
        Ok(said) => said,
        Err(error) => return Finding::problem(Area::Python, format!("{program} does not work: {error}"), SETUP),
    };
    let has = |name: &str| said.lines().any(|line| line.split(' ').next() == Some(name));
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Finding::good(Area::Python, format!("{program} with {}", said.replace('\n', ", ")));
    }
    Finding::problem(Area::Python, format!("{program} has no {}", missing.join(", no ")), SETUP)
}

fn told(here: &Surroundings, environment: Option<&Path>, newest: Option<&Snapshot>) -> Finding {
    let problem = |text: String| Finding::problem(Area::Kernelspec, text, INSTALL);
    let spec = match Kernelspec::installed(here, environment) {
        Ok(Some(spec)) => spec,
        Ok(None) => return problem("the kernel is not installed, so Jupyter does not know it".into()),
        Err(Error::ForeignKernelspec { file, problem }) => {
            let remedy = format!("rm '{}', then {INSTALL}", file.display());
            return Finding::problem(Area::Kernelspec, format!("{} is not ours: {problem}", file.display()), remedy);
        }
        Err(error) => return problem(error.to_string()),
    };
    let folder = spec.folder.display();
    let used = match Snapshot::open(&spec.snapshot) {
        Ok(used) => used,
        Err(error) => return problem(format!("{folder} names a snapshot that cannot be loaded: {error}")),
    };
    if !is_program(&spec.program) {
        return problem(format!("{folder} names a program that is gone: {}", spec.program.display()));
    }
    if newest.is_some_and(|newest| newest.folder() != used.folder()) {
        let build_id = &used.manifest().build_id;
        let text = format!("{folder} loads build {build_id}, which is not the newest");
        return Finding::warning(Area::Kernelspec, text, INSTALL);
    }
    if !spec.is_of_this_version(&used) {
        let text = format!("{folder} was written by another version of benchbook");
        return Finding::warning(Area::Kernelspec, text, INSTALL);
    }
    Finding::good(Area::Kernelspec, format!("{folder} loads build {}", used.manifest().build_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Level, worst};
    use crate::install::{InstallRequest, install};
    use crate::planted::{BUILD_ID, Machine, program};

    fn ready() -> Machine {
        let machine = Machine::new();
        install(&machine.surroundings(), &InstallRequest::default()).expect("everything is there");
        machine
    }

    fn troubles(machine: &Machine) -> Vec<Finding> {
        let findings = examine(&machine.surroundings(), None);
        assert!(findings.iter().all(|finding| (finding.level == Level::Good) == finding.remedy.is_none()));
        findings.into_iter().filter(|finding| finding.level != Level::Good).collect()
    }

    #[test]
    fn a_ready_machine_has_nothing_to_complain_of() {
        let machine = ready();
        assert_eq!(troubles(&machine), []);
        let findings = examine(&machine.surroundings(), None);
        assert_eq!((findings.len(), worst(&findings)), (6, Level::Good));
        assert_eq!(worst(&[]), Level::Good);
    }

    #[test]
    fn each_thing_that_is_missing_is_one_problem_with_its_remedy() {
        let cases: [(&str, Area, &str); 6] = [
            ("rust/lib/rustlib/src/rust/library", Area::Toolchain, "rustup component add rust-src"),
            ("bin/rustc", Area::Toolchain, "rustup.rs"),
            ("bin/cc", Area::Linker, "apt-get install gcc"),
            (".venv/share/jupyter/kernels/benchbook", Area::Kernelspec, "benchbook kernel install"),
            (".venv/share/jupyter/kernels/benchbook/kernel.json", Area::Kernelspec, "benchbook kernel install"),
            ("target/notebook/current", Area::Snapshot, "cargo xtask lab"),
        ];
        for (gone, area, remedy) in cases {
            let machine = ready();
            let gone = machine.at(gone);
            let removed = if gone.is_dir() { std::fs::remove_dir_all(&gone) } else { std::fs::remove_file(&gone) };
            removed.expect("it was there");
            let found = troubles(&machine);
            assert_eq!(found.len(), 1, "{}: {found:?}", gone.display());
            assert_eq!((found[0].area, found[0].level), (area, Level::Problem), "{found:?}");
            assert!(found[0].remedy.as_ref().expect("a remedy").contains(remedy), "{found:?}");
        }
    }

    #[test]
    fn without_its_program_the_snapshot_and_the_kernel_that_names_it_are_broken() {
        let machine = ready();
        let program = machine.at("target/notebook").join(BUILD_ID).join("benchbook-jupyter");
        std::fs::remove_file(program).expect("it was there");
        let found = troubles(&machine);
        assert_eq!(found.iter().map(|finding| finding.area).collect::<Vec<_>>(), [Area::Snapshot, Area::Kernelspec]);
    }

    #[test]
    fn python_without_packages_and_python_that_does_not_run() {
        let machine = ready();
        let python = machine.at(".venv/bin/python");
        program(&python, "#!/bin/sh\necho jupyterlab 4.6\n");
        let found = troubles(&machine);
        assert!(found.len() == 1 && found[0].text.contains("no nbclient, no nbconvert"), "{found:?}");
        program(&python, "#!/bin/sh\necho broken >&2\nexit 1\n");
        let found = troubles(&machine);
        assert!(found.len() == 1 && found[0].text.contains("broken"), "{found:?}");
        assert_eq!(found[0].remedy.as_deref(), Some("cargo xtask setup"));
    }

    #[test]
    fn a_newer_snapshot_an_older_kernelspec_and_another_compiler() {
        let machine = ready();
        machine.snapshot("fedcba9876543210");
        let found = troubles(&machine);
        assert!(found.len() == 1 && found[0].level == Level::Warning && found[0].text.contains(BUILD_ID), "{found:?}");

        let machine = ready();
        let file = machine.kernelspec().join("kernel.json");
        let text = std::fs::read_to_string(&file).expect("text").replace("\"rust\"", "\"Rust\"");
        std::fs::write(file, text).expect("writable");
        let found = troubles(&machine);
        assert!(found.len() == 1 && found[0].text.contains("another version"), "{found:?}");

        let machine = ready();
        let sysroot = machine.at("rust");
        let text = format!("#!/bin/sh\n[ \"$1\" = -vV ] && echo rustc 1.96.0 || echo '{}'\n", sysroot.display());
        program(&machine.at("bin/rustc"), &text);
        let found = troubles(&machine);
        assert!(found.len() == 1 && found[0].area == Area::Toolchain && found[0].text.contains("1.96.0"), "{found:?}");
    }

    #[test]
    fn a_kernel_that_points_nowhere_and_one_of_others() {
        let machine = ready();
        std::fs::remove_dir_all(machine.at("target/notebook").join(BUILD_ID)).expect("it was there");
        let areas: Vec<Area> = troubles(&machine).iter().map(|finding| finding.area).collect();
        assert_eq!(areas, [Area::Snapshot, Area::Kernelspec]);

        let machine = ready();
        std::fs::write(machine.kernelspec().join("kernel.json"), "{}").expect("writable");
        let found = troubles(&machine);
        assert!(
            found.len() == 1 && found[0].remedy.as_ref().is_some_and(|remedy| remedy.starts_with("rm '")),
            "{found:?}"
        );
    }
}
