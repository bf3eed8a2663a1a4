//! evcxr_jupyter, the program that compiles and runs cells, and the Rust compiler that it calls.

use std::path::{Path, PathBuf};

use benchbook_process::is_program;

use crate::error::{Error, Result};
use crate::surroundings::Surroundings;

pub(crate) const PROGRAM: &str = "evcxr_jupyter";
/// The release that the snapshot's recipe was tried with.
pub(crate) const WANTED: &str = "0.22.0";
/// The releases that are taken as like it.
const SERIES: &str = "0.22.";

/// The program: as asked, else beside the environment's Python, else on `PATH`.
pub(crate) fn find(here: &Surroundings, asked: Option<&Path>, environment: Option<&Path>) -> Result<PathBuf> {
    let absent = |looked_for: String| {
        let remedy = format!("get it with `{}`", remedy(environment));
        Error::NoProgram { name: PROGRAM, looked_for, remedy }
    };
    if let Some(asked) = asked {
        let asked = here.absolute(asked);
        return if is_program(&asked) { Ok(asked) } else { Err(absent(format!("{} is no program", asked.display()))) };
    }
    let beside = environment.map(|folder| folder.join("bin").join(PROGRAM)).filter(|file| is_program(file));
    let looked_for = || match environment {
        Some(folder) => format!("neither in {} nor on PATH", folder.join("bin").display()),
        None => "not on PATH".to_owned(),
    };
    beside.or_else(|| here.on_path(PROGRAM)).ok_or_else(|| absent(looked_for()))
}

/// The command that installs it where it is looked for first.
pub(crate) fn remedy(environment: Option<&Path>) -> String {
    let root = environment.map(|folder| format!(" --root '{}'", folder.display())).unwrap_or_default();
    format!("cargo install {PROGRAM} --version {WANTED} --locked{root}")
}

/// Its version. The program cannot be asked, but its panics name the sources that it was built from.
pub(crate) fn version(program: &Path) -> Option<String> {
    let content = std::fs::read(program).ok()?;
    let mark = format!("{PROGRAM}-");
    // Bytes of a program are no text, so the mark is looked for by hand.
    let mut rest = content.as_slice();
    while let Some(at) = rest.windows(mark.len()).position(|bytes| bytes == mark.as_bytes()) {
        rest = &rest[at + mark.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let version = String::from_utf8_lossy(&rest[..digits]).trim_end_matches('.').to_owned();
        if version.split('.').count() == 3 {
            return Some(version);
        }
    }
    None
}

/// Whether a version is one that the recipe holds for.
pub(crate) fn fits(version: &str) -> bool {
    version.starts_with(SERIES)
}

/// The compiler that evcxr calls: rustup's for the working directory, else the one on `PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// What `rustc -vV` says.
    pub version: String,
    /// Its folder.
    pub sysroot: PathBuf,
}

impl Toolchain {
    pub(crate) fn find(here: &Surroundings) -> Result<Self> {
        let of_rustup = here.on_path("rustup").and_then(|rustup| here.output(&rustup, &["which", "rustc"]).ok());
        let rustc = of_rustup.map(PathBuf::from).or_else(|| here.on_path("rustc")).ok_or_else(|| Error::NoProgram {
            name: "rustc",
            looked_for: "not on PATH".into(),
            remedy: "install Rust from https://rustup.rs".into(),
        })?;
        let version = here.output(&rustc, &["-vV"])?;
        let sysroot = here.output(&rustc, &["--print", "sysroot"])?.into();
        Ok(Self { version, sysroot })
    }

    /// The standard library's sources, by which evcxr infers types.
    pub(crate) fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }
}

/// The first line of `rustc -vV`, which names the version.
pub(crate) fn short(version: &str) -> &str {
    version.lines().next().unwrap_or("an unknown compiler").trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{Machine, RUSTC, environment, program};
    use std::ffi::OsStr;

    #[test]
    fn the_environments_own_goes_before_the_path() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (venv, path) = (root.path().join("venv"), root.path().join("path"));
        environment(&venv);
        program(&path.join(PROGRAM), "#!/bin/sh\n");
        let here = Surroundings::planted(&[("PATH", path.as_os_str())], root.path(), root.path());
        assert_eq!(find(&here, None, Some(&venv)).expect("on the path"), path.join(PROGRAM));
        program(&venv.join("bin").join(PROGRAM), "#!/bin/sh\n");
        assert_eq!(find(&here, None, Some(&venv)).expect("beside Python"), venv.join("bin").join(PROGRAM));
        assert_eq!(find(&here, Some(&path.join(PROGRAM)), Some(&venv)).expect("as asked"), path.join(PROGRAM));
    }

    #[test]
    fn absence_tells_the_command() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let here = Surroundings::planted(&[("PATH", OsStr::new("/nowhere"))], root.path(), root.path());
        let error = find(&here, None, Some(root.path())).expect_err("absent").to_string();
        let command =
            format!("cargo install evcxr_jupyter --version 0.22.0 --locked --root '{}'", root.path().display());
        assert!(error.contains(&command), "{error}");
        let error = find(&here, Some(Path::new("mine")), None).expect_err("absent").to_string();
        assert!(error.contains("mine is no program"), "{error}");
    }

    #[test]
    fn the_version_is_read_from_the_program() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = root.path().join("program");
        for (content, version_found) in [
            (&b"\xff\0src/evcxr_jupyter-x/evcxr_jupyter-0.22.0/src/core.rs\0"[..], Some("0.22.0")),
            (b"evcxr_jupyter-0.21.1.", Some("0.21.1")),
            (b"evcxr_jupyter-1", None),
            (b"", None),
        ] {
            std::fs::write(&file, content).expect("writable");
            assert_eq!(version(&file).as_deref(), version_found);
        }
        assert_eq!(version(&root.path().join("absent")), None);
        assert!(fits("0.22.3") && !fits("0.2.0") && !fits("0.220.1"));
    }

    #[test]
    fn rustups_compiler_goes_before_the_one_on_the_path() {
        let machine = Machine::new();
        let found = Toolchain::find(&machine.surroundings()).expect("on the path");
        assert_eq!((found.version.as_str(), short(&found.version)), (RUSTC, "rustc 1.95.0 (abc 2026-04-14)"));
        assert!(found.sources().is_dir());
        let other = machine.at("toolchain/rustc");
        program(&other, "#!/bin/sh\necho rustc 1.96.0\n");
        program(&machine.at("bin/rustup"), &format!("#!/bin/sh\necho '{}'\n", other.display()));
        assert_eq!(Toolchain::find(&machine.surroundings()).expect("rustup's").version, "rustc 1.96.0");
        program(&machine.at("bin/rustup"), "#!/bin/sh\nexit 1\n");
        assert_eq!(Toolchain::find(&machine.surroundings()).expect("on the path").version, RUSTC);
    }
}
