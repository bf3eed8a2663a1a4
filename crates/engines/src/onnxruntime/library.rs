//! The library of ONNX Runtime in the project's Python environment.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use benchbook_process::python;
use ort::environment::Environment;

/// Where a package of a Python environment lies, below `lib/python3.…`.
const PACKAGE: &str = "site-packages/onnxruntime/capi";

/// What the name of the library begins with; its version follows.
const PREFIX: &str = "libonnxruntime.so.";

/// A library that is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    path: PathBuf,
    /// As its name has it.
    pub version: String,
}

/// The library in the environment of the project's Python.
///
/// # Errors
/// There is no Python, it has no such package, or one that is too old: with what to do.
pub fn library() -> Result<&'static Library, &'static str> {
    static FOUND: OnceLock<Result<Library, String>> = OnceLock::new();
    let find = || {
        let folder = std::env::current_dir().map_err(|error| format!("the working directory is gone: {error}"))?;
        let python = python(variable, &folder, None).map_err(|looked_for| {
            format!(
                "there is no Python whose package onnxruntime could be loaded ({looked_for}): run `cargo xtask setup`"
            )
        })?;
        of(&python)
    };
    FOUND.get_or_init(find).as_ref().map_err(String::as_str)
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The library of the environment that a Python belongs to.
fn of(python: &Path) -> Result<Library, String> {
    let root = python.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let versions = entries(&root.join("lib")).into_iter().filter(|folder| starts(folder, "python3"));
    let files = versions.flat_map(|folder| entries(&folder.join(PACKAGE)));
    let found = files.filter_map(|path| {
        let version = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned();
        Some(Library { path, version })
    });
    let library = found.max_by_key(|library| minor(&library.version)).ok_or_else(|| {
        format!("the environment of {} has no package onnxruntime: run `cargo xtask setup`", python.display())
    })?;
    if minor(&library.version) < ort::MINOR_VERSION {
        let (found, wanted) = (&library.version, ort::MINOR_VERSION);
        return Err(format!(
            "onnxruntime {found} is older than 1.{wanted}: run `cargo xtask setup`, which brings another"
        ));
    }
    Ok(library)
}

/// What is in a folder; nothing where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn starts(path: &Path, with: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(with))
}

/// The second number of a version; zero where there is none.
fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What sessions are opened in: one in a process, for its whole life.
///
/// # Errors
/// The library is not here, or cannot be loaded.
pub fn environment() -> Result<&'static Environment, String> {
    static MADE: OnceLock<Result<Environment, String>> = OnceLock::new();
    let make = || {
        let library = library().map_err(str::to_owned)?;
        let builder = ort::init_from(&library.path).map_err(|error| error.to_string())?;
        builder.with_name("benchbook").with_telemetry(false).build().map_err(|error| error.to_string())
    };
    MADE.get_or_init(make).as_ref().map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment whose package holds a file of this name.
    fn planted(name: &str, file: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("benchbook-onnxruntime-{}-{name}", std::process::id()));
        let package = root.join("lib/python3.11").join(PACKAGE);
        fs::create_dir_all(&package).expect("writable");
        fs::write(package.join(file), "").expect("writable");
        root
    }

    #[test]
    fn the_library_of_the_package_is_found_and_an_old_one_is_named() {
        let recent = format!("1.{}.3", ort::MINOR_VERSION);
        let (here, old) = (planted("here", &format!("{PREFIX}{recent}")), planted("old", "libonnxruntime.so.1.9.0"));
        let none = planted("none", "libonnxruntime_providers_shared.so");
        let found = of(&here.join("bin/python")).expect("it is there");
        assert_eq!(found.version, recent);
        assert!(found.path.starts_with(&here) && found.path.is_file());
        let reason = of(&old.join("bin/python")).expect_err("it is old");
        assert!(reason.contains("1.9.0 is older") && reason.contains("cargo xtask setup"), "{reason}");
        let reason = of(&none.join("bin/python")).expect_err("there is none");
        assert!(reason.contains("no package onnxruntime") && reason.contains("cargo xtask setup"), "{reason}");
        for root in [here, old, none] {
            fs::remove_dir_all(root).expect("it was there");
        }
    }
}
