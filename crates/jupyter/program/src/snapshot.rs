//! The built library that the cells use: whole, of this compiler, and held for as long as the kernel lives.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Names the snapshot; `kernel.json` sets it.
const SNAPSHOT: &str = "BENCHBOOK_SNAPSHOT";
/// The layout that this program reads.
const SCHEMA: u64 = 2;

const AGAIN: &str = "`cargo xtask lab` builds the library and its kernel again";
const INSTALL: &str = "`benchbook kernel install` makes this kernel anew";

/// Locked for as long as this process lives; a snapshot whose lock somebody holds is not removed.
static HELD: OnceLock<File> = OnceLock::new();

/// What is needed of `snapshot.json`.
#[derive(Debug, Deserialize)]
struct Manifest {
    build_id: String,
    library: String,
    kernel: String,
    cells: String,
    rustc: String,
}

/// A snapshot that is held.
#[derive(Debug)]
pub(crate) struct Snapshot {
    folder: PathBuf,
    manifest: Manifest,
}

impl Snapshot {
    /// Holds the snapshot that `kernel.json` names, for as long as this process lives.
    ///
    /// # Errors
    /// Why no cell could run, and what to do.
    pub(crate) fn hold() -> Result<Self, String> {
        let folder = std::env::var_os(SNAPSHOT).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = folder.ok_or_else(|| format!("kernel.json does not set {SNAPSHOT}; {INSTALL}"))?;
        let lock = locked(&folder)?;
        let manifest = described(&folder)?;
        HELD.get_or_init(|| lock);
        Ok(Self { folder, manifest })
    }

    /// The program of its cells.
    pub(crate) fn cells(&self) -> PathBuf {
        self.folder.join(&self.manifest.cells)
    }

    /// What describes the library to who completes words; a snapshot may have none.
    pub(crate) fn project(&self) -> PathBuf {
        self.folder.join("analysis/rust-project.json")
    }

    /// Why cells cannot be compiled any more, if somebody has removed it in spite of the lock.
    pub(crate) fn is_gone(&self) -> Option<String> {
        let library = self.folder.join(&self.manifest.library);
        let gone = !library.is_file();
        gone.then(|| {
            format!("the library of this kernel is gone ({}); {AGAIN}, then restart this kernel", library.display())
        })
    }

    /// Checks that it is as it was built, and that cells are compiled by its compiler.
    ///
    /// # Errors
    /// As of [`Snapshot::hold`].
    pub(crate) fn check(&self) -> Result<(), String> {
        whole(&self.folder, &self.manifest)?;
        same_compiler(&self.manifest.rustc, &rustc()?)
    }
}

/// Keeps a snapshot from being removed.
fn locked(folder: &Path) -> Result<File, String> {
    let place = folder.display();
    if !folder.is_dir() {
        return Err(format!("the library that this kernel was made for is gone ({place}); {AGAIN}"));
    }
    let told = |error: io::Error| format!("the library of this kernel cannot be held ({place}: {error}); {AGAIN}");
    let lock = File::open(folder.join("lock")).map_err(told)?;
    lock.try_lock_shared().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => {
            format!("the library that this kernel was made for is just being removed ({place}); {AGAIN}")
        }
        std::fs::TryLockError::Error(error) => told(error),
    })?;
    Ok(lock)
}

/// Reads what a snapshot says of itself.
fn described(folder: &Path) -> Result<Manifest, String> {
    let file = folder.join("snapshot.json");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("the library of this kernel is not whole ({}: {error}); {AGAIN}", file.display()))?;
    let unread = |error| format!("the description of this kernel's library cannot be read ({error}); {AGAIN}");
    let read: serde_json::Value = serde_json::from_str(&text).map_err(unread)?;
    // The version first: of another layout nothing else is expected.
    if read["schema"].as_u64() != Some(SCHEMA) {
        let found = &read["schema"];
        return Err(format!(
            "this kernel knows libraries of schema {SCHEMA}, and this one has schema {found}; {INSTALL}"
        ));
    }
    let manifest: Manifest = serde_json::from_value(read).map_err(unread)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if manifest.build_id != name {
        let found = &manifest.build_id;
        return Err(format!("this kernel was made for the library {name}, and in its place lies {found}; {INSTALL}"));
    }
    Ok(manifest)
}

/// Whether the library and the kernel are as they were built.
fn whole(folder: &Path, manifest: &Manifest) -> Result<(), String> {
    let files = [&manifest.library, &manifest.kernel].map(|name| folder.join(name));
    let place = files[0].display();
    let found = content_id(&files)
        .map_err(|error| format!("the library of this kernel cannot be read ({place}: {error}); {AGAIN}"))?;
    if found != manifest.build_id {
        return Err(format!(
            "the library of this kernel is not as it was built: its content is {found} ({place}); {AGAIN}"
        ));
    }
    Ok(())
}

/// The name of a build: those of equal files have equal names, others practically never.
pub(crate) fn content_id(files: &[impl AsRef<Path>]) -> io::Result<String> {
    let mut digest = Sha256::new();
    for file in files {
        io::copy(&mut File::open(file)?, &mut digest)?;
    }
    Ok(digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// What the compiler says of itself that evcxr takes: rustup's for this folder, or else the one on `PATH`.
fn rustc() -> Result<String, String> {
    let of_rustup = said("rustup", &["which", "rustc"]).ok().map(|path| path.trim().to_owned());
    said(of_rustup.as_deref().unwrap_or("rustc"), &["-vV"]).map_err(|error| {
        format!("`rustc -vV` failed, so no cell could be compiled: {error}; install Rust from rustup.rs")
    })
}

fn said(program: &str, words: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(words).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(io::Error::other(text(&output.stderr))) }
}

/// Cells and library must come from one compiler: another one cannot read the library's metadata.
fn same_compiler(built_by: &str, here: &str) -> Result<(), String> {
    let (built_by, here) = (built_by.trim(), here.trim());
    if built_by == here {
        return Ok(());
    }
    // Two builds of one version differ further down.
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let (old, new) = match (first(built_by), first(here)) {
        (old, new) if old == new => (built_by.to_owned(), here.to_owned()),
        lines => lines,
    };
    Err(format!("the library was built with\n  {old}\nbut cells would be compiled with\n  {new}\n{AGAIN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first 16 digits of the SHA-256 hash of `abc`, as FIPS 180-2 gives it.
    const ABC: &str = "ba7816bf8f01cfea";

    /// A folder with a library and a kernel of the content `abc`, described as `change` wants it.
    fn planted(change: impl Fn(&mut serde_json::Value)) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join(ABC);
        std::fs::create_dir(&folder).expect("a folder");
        let mut manifest = serde_json::json!({
            "schema": 2, "build_id": ABC, "library": "lib.so", "kernel": "kernel", "cells": "cells", "rustc": "rustc 1",
        });
        change(&mut manifest);
        let files = [("snapshot.json", manifest.to_string()), ("lib.so", "ab".into()), ("kernel", "c".into())];
        for (name, content) in files.into_iter().chain([("lock", String::new())]) {
            std::fs::write(folder.join(name), content).expect("writable");
        }
        (root, folder)
    }

    fn looked_at(folder: &Path) -> Result<(), String> {
        whole(folder, &described(folder)?)
    }

    #[test]
    fn a_whole_snapshot_is_held() {
        let (_root, folder) = planted(|_| {});
        assert_eq!(looked_at(&folder), Ok(()));
        let lock = locked(&folder).expect("free");
        let other = File::open(folder.join("lock")).expect("it is there");
        assert!(other.try_lock().is_err());
        drop(lock);
        // A child of another test has what this process has open, until it becomes another program.
        other.lock().expect("free again");
        assert!(locked(&folder).expect_err("taken").contains("just being removed"));
    }

    #[test]
    fn what_is_not_whole_is_said() {
        let cases: [(fn(&mut serde_json::Value), &str); 5] = [
            (|m| m["schema"] = 1.into(), "has schema 1"),
            (|m| m["build_id"] = "f".repeat(16).into(), "in its place lies ffff"),
            (|m| m["library"] = "absent.so".into(), "absent.so"),
            (|m| m["kernel"] = "absent".into(), "cannot be read"),
            (|m| m["rustc"] = 1.into(), "cannot be read"),
        ];
        for (change, part) in cases {
            let (_root, folder) = planted(change);
            let told = looked_at(&folder).expect_err(part);
            assert!(told.contains(part), "{told}");
        }
        let (_root, folder) = planted(|_| {});
        std::fs::write(folder.join("kernel"), "d").expect("writable");
        assert!(looked_at(&folder).expect_err("changed").contains("not as it was built"));
        let snapshot = Snapshot { manifest: described(&folder).expect("a description"), folder: folder.clone() };
        assert_eq!(snapshot.is_gone(), None);
        std::fs::remove_file(folder.join("lib.so")).expect("it was there");
        assert!(snapshot.is_gone().expect("it is gone").contains("lib.so"));
        std::fs::remove_file(folder.join("lock")).expect("it was there");
        assert!(locked(&folder).expect_err("no lock").contains("cannot be held"));
        assert!(locked(Path::new("/no/such/folder")).expect_err("absent").contains("is gone"));
    }

    #[test]
    fn another_compiler_is_refused() {
        assert_eq!(same_compiler("rustc 1.95.0\n", " rustc 1.95.0"), Ok(()));
        let told = same_compiler("rustc 1.95.0\nhost: a", "rustc 1.96.0\nhost: a").expect_err("another");
        assert!(told.contains("1.95.0") && told.contains("1.96.0") && !told.contains("host"), "{told}");
        let told = same_compiler("rustc 1.95.0\nhost: a", "rustc 1.95.0\nhost: b").expect_err("another");
        assert!(told.contains("host: a") && told.contains("host: b"), "{told}");
    }
}
