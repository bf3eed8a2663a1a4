//! `bundle`: one archive that measures PyTorch on a machine without Rust.

use crate::error::{Error, Named, Result};
use crate::process;
use crate::step::{State, Steps};
use crate::workspace::{Workspace, cargo};
use benchbook_process::{Program, git};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that are built for it, each a program of that name, and what these are called in it.
pub const PROGRAMS: [(&str, &str); 2] = [("benchbook-bundle", "benchbook"), ("benchbook-worker", "benchbook-worker")];

/// The folder of the archive, and its name without what follows.
const NAME: &str = "benchbook-portable";

/// What the archive has at most, in bytes.
const MOST_BYTES: u64 = 60 << 20;

/// What is asked of a machine: Debian 11, Ubuntu 20.04, and what came after them.
const WANTED: Glibc = Glibc(2, 31);

/// What every Linux has.
const EVERYWHERE: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
];

/// A version of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(u32, u32);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Builds the programs in a target folder of their own, and packs them with all that they need. A glibc that is newer than
/// wanted is refused, unless `newer` says that it may be.
///
/// # Errors
/// The programs cannot be built, need what not every machine has, or the archive is too large.
pub fn make(workspace: &Workspace, steps: &mut Steps, newer: bool) -> Result<()> {
    let target = workspace.target.join("bundle");
    steps.take("Programs of the bundle", || {
        let mut build = build(&workspace.root, &target);
        println!("   $ {}", process::line(&build));
        println!("   in a folder of its own, so that the first time everything is compiled anew");
        process::run(&mut build, "see the compiler's message above")?;
        Ok(((), State::Done))
    })?;
    let programs = PROGRAMS.map(|(package, _)| target.join("release").join(package));
    let glibc = steps.take("What they need", || {
        let glibc = needed(&programs)?;
        println!("   glibc {glibc} or newer, and no library that is not everywhere");
        if glibc > WANTED && !newer {
            return Err(too_new(glibc));
        }
        Ok((glibc, State::Done))
    })?;
    let archive = steps.take("Archive", || {
        lay_out(&workspace.root, &programs, glibc, &target.join(NAME))?;
        let archive = pack(&target)?;
        Ok((archive, State::Done))
    })?;
    steps.account();
    println!("\nthe bundle is {}: it needs glibc {glibc}, Python 3.10 and PyTorch", archive.display());
    println!("there: tar -xzf {NAME}.tar.gz && cd {NAME} && ./benchbook run plans/quick.toml --device cuda");
    Ok(())
}

fn build(root: &Path, target: &Path) -> Command {
    let mut build = process::command(cargo());
    build.current_dir(root).args(["build", "--release", "--no-default-features"]);
    build.args(["--config", "profile.release.strip=true", "--target-dir"]).arg(target);
    build.args(PROGRAMS.into_iter().flat_map(|(package, _)| ["--package", package]));
    // Nothing of this machine's own flags, such as where it has libtorch.
    build.env("CARGO_ENCODED_RUSTFLAGS", "");
    if let Some(commit) = commit(root) {
        build.env("BENCHBOOK_COMMIT", commit);
    }
    build
}

/// The commit of the clone, with a `+` where files differ from it; nothing where git knows none.
fn commit(root: &Path) -> Option<String> {
    let said = |words: &[&str]| process::output(git("git", root).args(words), "").ok();
    let changed = said(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(said(&["rev-parse", "HEAD"])? + if changed.is_empty() { "" } else { "+" })
}

/// The version of the C library that programs need.
///
/// # Errors
/// One is no program, or needs what not every machine has.
pub fn needed(programs: &[PathBuf]) -> Result<Glibc> {
    let mut newest = Glibc(2, 0);
    for path in programs {
        let wrong = |problem: String| Error::Content { path: path.clone(), problem };
        let program = Program::at(path).ok_or_else(|| wrong("it is no program that can be read".to_owned()))?;
        if let Some(library) = program.libraries.iter().find(|name| !EVERYWHERE.contains(&name.as_str())) {
            return Err(wrong(format!("it needs {library}, which not every machine has")));
        }
        for version in program.versioned.iter().flat_map(|(_, versions)| versions) {
            if let Some(text) = version.strip_prefix("GLIBC_") {
                newest = newest.max(glibc(text).ok_or_else(|| wrong(format!("it needs {version}: which is that?")))?);
            }
        }
    }
    Ok(newest)
}

fn glibc(text: &str) -> Option<Glibc> {
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().ok());
    Some(Glibc(numbers.next()??, numbers.next()??))
}

fn too_new(glibc: Glibc) -> Error {
    Error::Requirement {
        problem: format!(
            "the programs need glibc {glibc}, since they were linked with that of this machine, and {WANTED} is wanted"
        ),
        remedy: format!(
            "run this in a container whose glibc is {WANTED} or older (debian:11, ubuntu:20.04, or \
             quay.io/pypa/manylinux_2_28_x86_64, each with Rust from rustup.rs), or take `--newer-glibc` where all \
             machines have {glibc}"
        ),
    }
}

/// Puts programs, which need this glibc, into a folder with the Python worker, plans and README; what was there goes.
///
/// # Errors
/// A file cannot be read or written.
pub fn lay_out(root: &Path, programs: &[PathBuf; 2], glibc: Glibc, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).named("remove", folder)?;
    }
    make_folder(folder)?;
    for (program, (_, name)) in programs.iter().zip(PROGRAMS) {
        copy(program, &folder.join(name))?;
    }
    let (bundle, python) = (root.join("crates/bundle"), root.join("crates/engines/python"));
    copy_all(&bundle.join("plans"), "toml", &folder.join("plans"))?;
    copy_all(&python, "py", &folder.join("python"))?;
    copy_all(&python.join("benchbook_worker"), "py", &folder.join("python/benchbook_worker"))?;
    copy(&root.join("LICENSE"), &folder.join("LICENSE"))?;
    let (from, to) = (bundle.join("README.md"), folder.join("README.md"));
    let text = fs::read_to_string(&from).named("read", &from)?;
    fs::write(&to, text.replace("{glibc}", &glibc.to_string())).named("write", to)
}

/// Copies the files of a folder whose names end so into one that it makes.
fn copy_all(from: &Path, ending: &str, to: &Path) -> Result<()> {
    make_folder(to)?;
    for entry in fs::read_dir(from).named("read", from)? {
        let path = entry.named("read", from)?.path();
        if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|found| found == ending)) {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).named("create", folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(|_| ()).named("copy", from)
}

/// Packs the folder that was laid out in `target`.
fn pack(target: &Path) -> Result<PathBuf> {
    let archive = target.join(format!("{NAME}.tar.gz"));
    let mut tar = process::command("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-C"]).arg(target);
    tar.arg("-czf").arg(&archive).arg(NAME);
    process::run(&mut tar, "install tar and gzip")?;
    let bytes = fs::metadata(&archive).named("read", &archive)?.len();
    println!("   {:.1} MiB", bytes as f64 / f64::from(1 << 20));
    if bytes > MOST_BYTES {
        return Err(Error::Requirement {
            problem: format!("the archive has {} MiB, and {} are the most", bytes >> 20, MOST_BYTES >> 20),
            remedy: "see which crate has become so large: `cargo bloat` tells".to_owned(),
        });
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn versions_of_the_c_library_are_numbers() {
        assert_eq!([glibc("2.34"), glibc("2.2.5"), glibc("PRIVATE")], [Some(Glibc(2, 34)), Some(Glibc(2, 2)), None]);
        assert!(Glibc(2, 9) < WANTED && Glibc(3, 0) > WANTED);
        let message = too_new(Glibc(2, 36)).to_string();
        assert!(message.contains("need glibc 2.36") && message.contains("--newer-glibc"), "{message}");
    }

    #[test]
    fn what_a_program_needs_is_no_newer_than_this_machine() {
        let this = std::env::current_exe().expect("a test is a program");
        let here = process::output(Command::new("getconf").arg("GNU_LIBC_VERSION"), "").expect("a machine with glibc");
        let here = glibc(here.trim_start_matches("glibc ")).expect("a version");
        let needed = needed(&[this]).expect("a test needs what is everywhere");
        assert!(needed > Glibc(2, 2) && needed <= here, "{needed} here {here}");
    }

    #[test]
    fn what_is_no_program_is_named() {
        let error = needed(&["/etc/passwd".into()]).expect_err("text").to_string();
        assert!(error.contains("/etc/passwd: it is no program"), "{error}");
    }

    #[test]
    fn the_build_has_nothing_of_this_machine_in_it() {
        let build = build(Path::new("/clone"), Path::new("/clone/target/bundle"));
        let line = process::line(&build);
        assert!(
            line.ends_with("--target-dir /clone/target/bundle --package benchbook-bundle --package benchbook-worker")
        );
        assert!(line.contains("--no-default-features"), "{line}");
        assert!(
            build
                .get_envs()
                .any(|(name, value)| name == "CARGO_ENCODED_RUSTFLAGS" && value.is_some_and(OsStr::is_empty))
        );
    }
}
