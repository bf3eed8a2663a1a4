//! Real text and labelled data, read from where `cargo xtask data` has put them. Nothing is read that is not byte for
//! byte what was packaged; without the data everything else works.

mod brown;
mod problems;
mod sentiment;
mod similarity;
mod speech;

pub use brown::{Document, brown};
pub use problems::{Problem, human_eval};
pub use sentiment::{Snippet, sentiment};
pub use similarity::{Similarities, similarities};
pub use speech::{Utterance, speech};

use crate::{Error, Result};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is known of a set before it is read.
struct Set {
    name: &'static str,
    /// All its files together.
    bytes: u64,
    /// BLAKE3 over each file in the order of names: its name, a zero byte, its length as eight little-endian bytes, itself.
    digest: &'static str,
}

/// Where sets lie: `$XDG_CACHE_HOME/benchbook/data` (`~/.cache` where that is not set); none where no folder is named.
pub fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("benchbook/data"))
}

/// A file of a set that is being read: what is wrong with it has its name.
struct File {
    set: &'static str,
    folder: PathBuf,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl File {
    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
    }

    fn damaged(&self, problem: impl Into<String>) -> Error {
        damaged(self.set, &self.path, &self.folder, problem)
    }

    /// Its text in UTF-8.
    fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.bytes)
            .map_err(|error| self.damaged(format!("is not UTF-8 from byte {} on", error.valid_up_to())))
    }
}

fn damaged(set: &'static str, path: &Path, folder: &Path, problem: impl Into<String>) -> Error {
    Error::Damaged { name: set, path: path.to_owned(), folder: folder.to_owned(), problem: problem.into() }
}

impl Set {
    /// The files of the set in the order of their names, after its digest was compared.
    fn read(&self, data: &Path) -> Result<Vec<File>> {
        let files = self.files(data)?;
        let mut hasher = blake3::Hasher::new();
        for file in &files {
            hasher.update(file.name().as_bytes()).update(&[0]);
            hasher.update(&(file.bytes.len() as u64).to_le_bytes()).update(&file.bytes);
        }
        let found = hasher.finalize().to_hex();
        if found.as_str() == self.digest {
            return Ok(files);
        }
        let folder = data.join(self.name);
        Err(damaged(self.name, &folder, &folder, format!("has the checksum {found}, not {}", self.digest)))
    }

    /// The files as they lie there: no more bytes than the set has, whatever is there.
    fn files(&self, data: &Path) -> Result<Vec<File>> {
        let folder = data.join(self.name);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Absent { name: self.name, folder: data.to_owned() });
            }
            Err(source) => return Err(Error::File { path: folder, source }),
        };
        let named = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        let mut left = self.bytes;
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(named(&folder))?;
            let path = entry.path();
            // A link or a pipe is never followed nor waited for.
            if !entry.file_type().map_err(named(&path))?.is_file() {
                return Err(damaged(self.name, &path, &folder, "is no plain file"));
            }
            let mut bytes = Vec::new();
            let file = std::fs::File::open(&path).map_err(named(&path))?;
            file.take(left + 1).read_to_end(&mut bytes).map_err(named(&path))?;
            let Some(rest) = left.checked_sub(bytes.len() as u64) else {
                return Err(damaged(
                    self.name,
                    &path,
                    &folder,
                    format!("makes the set longer than {} bytes", self.bytes),
                ));
            };
            left = rest;
            files.push(File { set: self.name, folder: folder.clone(), path, bytes });
        }
        if left > 0 {
            return Err(damaged(self.name, &folder, &folder, format!("is {left} of {} bytes short", self.bytes)));
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

/// The one file of a set.
fn only(set: &Set, data: &Path, name: &str) -> Result<File> {
    let mut files = set.read(data)?;
    let at = files.iter().position(|file| file.name() == name);
    let folder = data.join(set.name);
    at.map(|at| files.swap_remove(at)).ok_or_else(|| damaged(set.name, &folder, &folder, format!("has no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(files: &[(&str, &str)]) -> tempfile::TempDir {
        let data = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(data.path().join("made")).expect("a folder");
        for (name, text) in files {
            std::fs::write(data.path().join("made").join(name), text).expect("a file");
        }
        data
    }

    fn said(set: &Set, data: &Path) -> String {
        set.read(data).err().expect("an error").to_string()
    }

    const SET: Set = Set { name: "made", bytes: 5, digest: "another" };

    #[test]
    fn a_set_is_believed_by_its_digest_alone() {
        let data = made(&[("b", "xyz"), ("a", "uv")]);
        let message = said(&SET, data.path());
        assert!(message.contains("checksum") && message.contains("cargo xtask data made"), "{message}");
        let found = message.split("checksum ").nth(1).and_then(|rest| rest.split(',').next()).expect("a digest");
        let digest: &'static str = Box::leak(found.to_owned().into_boxed_str());
        let files = Set { digest, ..SET }.read(data.path()).expect("the digest fits");
        let names: Vec<&str> = files.iter().map(File::name).collect();
        assert_eq!(names, ["a", "b"]);
        // The same bytes under other names, or parted otherwise, are another set.
        for other in [made(&[("a", "xyz"), ("b", "uv")]), made(&[("a", "uvx"), ("b", "yz")])] {
            assert!(said(&Set { digest, ..SET }, other.path()).contains("checksum"));
        }
    }

    #[test]
    fn what_is_absent_short_long_or_no_file_is_named() {
        let data = made(&[("a", "uv")]);
        assert!(said(&SET, data.path()).contains("is 3 of 5 bytes short"));
        let long = made(&[("a", "uvwxyz")]);
        assert!(said(&SET, long.path()).contains("longer than 5 bytes"));
        std::fs::create_dir(data.path().join("made/folder")).expect("a folder");
        assert!(said(&SET, data.path()).contains("is no plain file"));
        let message = said(&Set { name: "absent", ..SET }, data.path());
        assert!(message.contains("cargo xtask data absent"), "{message}");
    }
}
