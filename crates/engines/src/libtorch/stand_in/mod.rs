//! A library that stands in for libtorch in the processes of devices that need none.
//!
//! Whoever uses a tensor of burn is linked with libtorch, and the loader of programs spends 0.4 s and 370 MB on it before
//! `main`. It takes a library from the folders of LD_LIBRARY_PATH first. Here is made what can lie there: one file under
//! all names of libtorch, which defines what this program wants of them and does nothing.

mod library;

use std::ffi::CStr;
use std::fs;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use benchbook_process::Program;

use self::library::library;
use super::mkl::{DEVICES, find};

/// The file to which the names of all libraries lead.
const FILE: &str = "stand-in.so";

/// What only a library that stands in defines.
const MARK: &CStr = c"benchbook_stands_in_for_libtorch";

const CALLED: &str = "libtorch was called in a process that was started without it, for a device that needs none\n";

/// Whether libtorch is not there, and a library stands in for it.
pub fn stands_in() -> bool {
    find(libc::RTLD_DEFAULT, MARK).is_some()
}

/// The folder of libraries that a process of `device` is to find before all others, made below another where it is not
/// there; nothing for a device of libtorch, or where this program cannot start with them.
pub fn libraries(device: &str, below: &Path) -> Option<PathBuf> {
    if DEVICES.contains(&device) {
        return None;
    }
    let Program { libraries, versioned, mut symbols, .. } = Program::of_this_process()?;
    let (of_torch, others): (Vec<String>, Vec<String>) =
        libraries.into_iter().partition(|name| name.starts_with("libtorch") || name.starts_with("libc10"));
    let has_versions = |other: &String| versioned.iter().any(|(library, _)| library == other);
    // A name without a version could be one of theirs.
    if of_torch.is_empty() || !others.iter().all(has_versions) {
        return None;
    }
    symbols.push(MARK.to_str().ok()?.to_owned());
    let bytes = library(&symbols, CALLED);
    let mut hasher = DefaultHasher::new();
    (&of_torch, &bytes).hash(&mut hasher);
    let name = format!("{:016x}", hasher.finish());
    let folder = below.join(&name);
    make_folder(below).ok()?;
    if !is_private(below) {
        return None;
    }
    let is_ready = || is_private(&folder) && holds(&folder, &of_torch, &bytes) && starts_with(&folder);
    if is_ready() {
        return Some(folder);
    }
    // Drawn: programs in several containers may share the folder, and have the same numbers.
    let beside = || below.join(format!("{name}.{:016x}", RandomState::new().hash_one(&name)));
    let (made, damaged) = (beside(), beside());
    let is_made = make(&made, &of_torch, &bytes).is_ok() && starts_with(&made);
    // Where the first fails, somebody has just been faster with the same, or what stands there makes room.
    if is_made && fs::rename(&made, &folder).is_err() && !is_ready() {
        let _ = fs::rename(&folder, &damaged);
        let _ = fs::rename(&made, &folder);
    }
    let _ = fs::remove_dir_all(&made);
    let _ = fs::remove_dir_all(&damaged);
    is_ready().then_some(folder)
}

fn make(folder: &Path, names: &[String], bytes: &[u8]) -> io::Result<()> {
    make_folder(folder)?;
    fs::write(folder.join(FILE), bytes)?;
    names.iter().try_for_each(|name| symlink(FILE, folder.join(name)))
}

/// Makes a folder where it is not there, with those above it, into which no other user can put anything.
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether a folder is this user's, and no other user can put anything into it: what lies there is run.
fn is_private(folder: &Path) -> bool {
    let (Ok(found), Ok(this)) = (fs::symlink_metadata(folder), fs::metadata("/proc/self")) else { return false };
    found.is_dir() && found.uid() == this.uid() && found.mode() & 0o022 == 0
}

/// Whether a folder holds the library under all names, and nothing else.
fn holds(folder: &Path, names: &[String], bytes: &[u8]) -> bool {
    let file = folder.join(FILE);
    let is_whole = fs::symlink_metadata(&file).is_ok_and(|found| found.is_file())
        && fs::read(&file).is_ok_and(|found| found == bytes);
    let leads_there = |name: &String| fs::read_link(folder.join(name)).is_ok_and(|to| to == Path::new(FILE));
    let count = fs::read_dir(folder).map_or(0, Iterator::count);
    is_whole && names.iter().all(leads_there) && count == names.len() + 1
}

/// Whether the loader, asked to load this program and to do no more, takes the libraries in a folder and misses nothing.
fn starts_with(folder: &Path) -> bool {
    let mut loader = Command::new("/proc/self/exe");
    loader.env("LD_LIBRARY_PATH", folder).stdin(Stdio::null());
    loader.envs([("LD_TRACE_LOADED_OBJECTS", "1"), ("LD_WARN", "1"), ("LD_BIND_NOW", "1")]);
    loader.output().is_ok_and(|output| {
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        output.status.success() && said.contains(&*folder.to_string_lossy()) && !said.contains("undefined symbol")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_wants_names_of_libtorch_without_their_versions() {
        let program = Program::of_this_process().expect("a test is a program");
        assert!(program.libraries.iter().any(|name| name == "libtorch_cpu.so"), "{:?}", program.libraries);
        let is_torchs = |name: &String| name.contains("at") || name.contains("c10") || name.contains("torch");
        assert!(program.symbols.iter().any(is_torchs), "{:?}", program.symbols);
    }
}
