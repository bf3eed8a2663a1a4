//! `bundle`: one archive that measures PyTorch on a machine without Rust.

use crate::error::{Error, Named, Result};
use crate::process;
use crate::step::{State, Steps};
use crate::workspace::{Python, Workspace, cargo};
use benchbook_process::{Program, git};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that are built for it, each a program of that name, and what these are called in it.
pub const PROGRAMS: [(&str, &str); 2] = [("benchbook-bundle", "benchbook"), ("benchbook-worker", "benchbook-worker")];

/// What links programs for an older C library than that of this machine, as pip knows it: these versions fit together.
pub const LINKER: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.15.2"];

/// What is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The folder of the archive, and its name without what follows.
const NAME: &str = "benchbook-portable";

/// What the archive has at most, in bytes.
const MOST_BYTES: u64 = 60 << 20;

/// What is asked of a machine: Debian 11, Ubuntu 20.04, and what came after them.
pub const WANTED: Glibc = Glibc(2, 31);

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

/// The target folder of the bundle, where the archive lies too.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("bundle")
}

/// Builds the programs in a target folder of their own, and packs them with all that they need. They are linked for the
/// glibc that is wanted, where a Python environment has the [`LINKER`], and otherwise for that of this machine.
///
/// # Errors
/// The programs cannot be built, need what not every machine has, or the archive is too large.
pub fn make(workspace: &Workspace, steps: &mut Steps, linker: Option<&Python>) -> Result<()> {
    let target = folder(workspace);
    steps.take("Programs of the bundle", || {
        let mut build = build(&workspace.root, &target, linker);
        println!("   $ {}", process::line(&build));
        println!("   in a folder of its own, so that the first time everything is compiled anew");
        process::run(&mut build, "see the compiler's message above")?;
        Ok(((), State::Done))
    })?;
    let programs = PROGRAMS.map(|(package, _)| target.join(TARGET).join("release").join(package));
    let glibc = steps.take("What they need", || {
        let glibc = needed(&programs)?;
        println!("   glibc {glibc} or newer, and no library that is not everywhere");
        if glibc > WANTED && linker.is_some() {
            let read = programs.iter().filter_map(|path| Some((path.file_name()?, Program::at(path)?)));
            return Err(too_new(glibc, &read.flat_map(|(name, program)| newer(name, &program)).collect::<Vec<_>>()));
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

fn build(root: &Path, target: &Path, linker: Option<&Python>) -> Command {
    let mut build = linker.map_or_else(by_this_machine, |python| by_zig(python, target));
    build.current_dir(root).args(["--release", "--no-default-features", "--target-dir"]).arg(target);
    build.args(PROGRAMS.into_iter().flat_map(|(package, _)| ["--package", package]));
    build.env("CARGO_PROFILE_RELEASE_STRIP", "true");
    // Nothing of this machine's own flags, such as where it has libtorch.
    build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "");
    if let Some(commit) = commit(root) {
        build.env("BENCHBOOK_COMMIT", commit);
    }
    build
}

/// `cargo build`, whose programs need the C library of this machine.
fn by_this_machine() -> Command {
    let mut build = process::command(cargo());
    build.args(["build", "--target", TARGET]);
    build
}

/// `cargo build` with zig as the linker and the C compiler, whose programs need the C library that is wanted.
fn by_zig(python: &Python, target: &Path) -> Command {
    let mut build = process::command(python.folder.join("bin/cargo-zigbuild"));
    build.args(["zigbuild", "--target", &format!("{TARGET}.{WANTED}")]);
    build.env("CARGO_ZIGBUILD_PYTHON_PATH", &python.executable);
    // What it keeps between builds.
    for name in ["CARGO_ZIGBUILD_CACHE_DIR", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
        build.env(name, target.join("zig"));
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
/// One is no program, or not every machine could run it as well as this one.
pub fn needed(programs: &[PathBuf]) -> Result<Glibc> {
    let mut newest = Glibc(2, 0);
    for path in programs {
        let wrong = |problem: String| Error::Content { path: path.clone(), problem };
        let program = Program::at(path).ok_or_else(|| wrong("it is no program that can be read".to_owned()))?;
        newest = newest.max(needs(&program).map_err(wrong)?);
    }
    Ok(newest)
}

/// The version of the C library that a program needs, or why it is not for every machine.
fn needs(program: &Program) -> std::result::Result<Glibc, String> {
    if let Some(library) = program.libraries.iter().find(|name| !EVERYWHERE.contains(&name.as_str())) {
        return Err(format!("it needs {library}, which not every machine has"));
    }
    // Zig brings a simple one, which must not come into what is measured.
    if !program.named.iter().any(|(name, _)| name == "memcpy") {
        return Err("it does not take `memcpy` from the C library, which has a fast one for each processor".to_owned());
    }
    let versions = program.versioned.iter().flat_map(|(_, versions)| versions);
    let mut of_glibc = versions.filter_map(|version| Some((version, version.strip_prefix("GLIBC_")?)));
    of_glibc.try_fold(Glibc(2, 0), |newest, (version, text)| {
        glibc(text).map(|found| newest.max(found)).ok_or_else(|| format!("it needs {version}: which is that?"))
    })
}

/// The version behind the prefix of a name such as `GLIBC_2.14`.
fn glibc(text: &str) -> Option<Glibc> {
    if text == "ABI_DT_RELR" {
        // Relocations that are packed, which no loader before knew (NEWS of glibc 2.36).
        return Some(Glibc(2, 36));
    }
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().ok());
    Some(Glibc(numbers.next()??, numbers.next()??))
}

/// What a program of this name wants of a glibc that is newer than wanted.
fn newer(program: &OsStr, read: &Program) -> Vec<String> {
    let is_newer = |version: &str| version.strip_prefix("GLIBC_").and_then(glibc).is_some_and(|found| found > WANTED);
    let named = read.named.iter().filter(|(_, version)| is_newer(version));
    named.map(|(name, version)| format!("{} wants {name} of {version}", program.display())).collect()
}

/// Names that are told at most.
const MOST_TOLD: usize = 5;

fn too_new(glibc: Glibc, wanted: &[String]) -> Error {
    let told = wanted.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    let told = if told.is_empty() { "no name, but what its loader has to know".to_owned() } else { told };
    Error::Requirement {
        problem: format!("the programs need glibc {glibc}, and {WANTED} is wanted: {told}"),
        remedy: "a build script that has asked this machine's C library is to blame, or a linker beside zig: remove \
                 the bundle's target folder and build it again, see which crate names it (`nm -D`), or take \
                 `--newer-glibc` where all machines have a newer one"
            .to_owned(),
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

    #[test]
    fn versions_of_the_c_library_are_numbers() {
        assert_eq!([glibc("2.34"), glibc("2.2.5"), glibc("PRIVATE")], [Some(Glibc(2, 34)), Some(Glibc(2, 2)), None]);
        assert!(Glibc(2, 9) < WANTED && Glibc(3, 0) > WANTED);
        assert_eq!(glibc("ABI_DT_RELR"), Some(Glibc(2, 36)));
    }

    #[test]
    fn who_wants_a_newer_one_is_told_with_what_to_do() {
        let program = program(&["libc.so.6"], &["memcpy"], &["GLIBC_2.14"]);
        let versions = [("stat64", "GLIBC_2.33"), ("fork", "GLIBC_2.2.5"), ("_Unwind_Resume", "GCC_99.0")];
        let named = versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        let wanted = newer(OsStr::new("benchbook-worker"), &Program { named, ..program });
        assert_eq!(wanted, ["benchbook-worker wants stat64 of GLIBC_2.33"]);
        let message = too_new(Glibc(2, 33), &wanted).to_string();
        for part in ["need glibc 2.33, and 2.31 is wanted: benchbook-worker wants stat64", "--newer-glibc"] {
            assert!(message.contains(part), "{message}");
        }
        let many = vec!["it wants too much".to_owned(); 40];
        assert_eq!(too_new(Glibc(2, 40), &many).to_string().matches("too much").count(), MOST_TOLD);
        assert!(too_new(Glibc(2, 36), &[]).to_string().contains("its loader"));
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

    fn program(libraries: &[&str], named: &[&str], versions: &[&str]) -> Program {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let versioned = vec![("libc.so.6".to_owned(), owned(versions))];
        let named = named.iter().map(|name| ((*name).to_owned(), "GLIBC_2.14".to_owned())).collect();
        Program { libraries: owned(libraries), versioned, named, symbols: Vec::new() }
    }

    #[test]
    fn what_is_not_for_every_machine_is_refused() {
        let c_library = ["libc.so.6"];
        let usual = program(&c_library, &["memcpy"], &["GLIBC_2.2.5", "GLIBC_2.14", "GCC_3.0"]);
        assert_eq!(needs(&usual), Ok(Glibc(2, 14)));
        for (program, part) in [
            (program(&["libtorch.so"], &["memcpy"], &[]), "it needs libtorch.so"),
            (program(&c_library, &["memset"], &["GLIBC_2.14"]), "`memcpy`"),
            (program(&c_library, &["memcpy"], &["GLIBC_PRIVATE"]), "it needs GLIBC_PRIVATE"),
        ] {
            let reason = needs(&program).expect_err(part);
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn the_build_has_nothing_of_this_machine_in_it() {
        let python = Python::in_folder("/linker".into());
        for (linker, start) in [
            (None, " build --target x86_64-unknown-linux-gnu --release"),
            (Some(&python), "/linker/bin/cargo-zigbuild zigbuild --target x86_64-unknown-linux-gnu.2.31 --release"),
        ] {
            let build = build(Path::new("/clone"), Path::new("/clone/target/bundle"), linker);
            let line = process::line(&build);
            let end = "--target-dir /clone/target/bundle --package benchbook-bundle --package benchbook-worker";
            assert!(line.contains(start) && line.contains("--no-default-features") && line.ends_with(end), "{line}");
            let set = |name: &str| build.get_envs().find(|(known, _)| *known == OsStr::new(name));
            let flags = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"].map(|name| set(name).map(|(_, value)| value));
            assert_eq!(flags, [Some(None), Some(Some(OsStr::new("")))]);
        }
    }
}
