//! The Rust compiler that evcxr calls.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::surroundings::Surroundings;

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
    use crate::planted::{Machine, RUSTC, program};

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
