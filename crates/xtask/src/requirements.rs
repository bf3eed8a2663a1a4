//! What a machine must have before anything can be built.

use crate::packages::{Version, version};
use std::path::Path;
use xtask::error::{Error, Result};
use xtask::process;

/// What torch and the libraries that it brings take on disk, with room to unpack them.
const TORCH_BYTES: u64 = 10_000_000_000;

/// Stops early and with a remedy where compilers are missing.
pub fn compilers() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = process::output(process::command(rustc).arg("--version"), RUST)?;
    let needed = env!("CARGO_PKG_RUST_VERSION");
    new_enough(&said, needed)?;
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if !process::exists(&compiler) {
        return Err(Error::Requirement {
            problem: format!("no C++ compiler: `{compiler} --version` does not work"),
            remedy: "install one (Debian, Ubuntu: `apt-get install g++`; Fedora: `dnf install gcc-c++`), or name yours in CXX"
                .to_owned(),
        });
    }
    Ok(format!("{said}, C++ compiler `{compiler}`"))
}

const RUST: &str = "install or update Rust: `rustup update stable`";

fn new_enough(said: &str, needed: &str) -> Result<()> {
    let found = said.split_whitespace().nth(1).unwrap_or("");
    if version(found) >= version(needed) && version(found).is_some() {
        return Ok(());
    }
    Err(Error::Requirement {
        problem: format!("Rust {needed} or newer is needed, this is `{said}`"),
        remedy: RUST.to_owned(),
    })
}

/// The first Python on this machine in the range; the error tells which ones were found.
pub fn python((first, beyond): (Version, Version)) -> Result<(String, Version)> {
    let names = match std::env::var("PYTHON") {
        Ok(chosen) => vec![chosen],
        Err(_) => ["python3".to_owned(), "python".to_owned()]
            .into_iter()
            .chain((first.1..beyond.1).rev().map(|minor| format!("python{}.{minor}", first.0)))
            .collect(),
    };
    let mut found = Vec::new();
    for name in names {
        let program = "import sys; print('%d.%d' % sys.version_info[:2])";
        let Ok(said) = process::output(process::command(&name).args(["-c", program]), "") else {
            continue;
        };
        match version(&said) {
            Some(this) if (first..beyond).contains(&this) => return Ok((name, this)),
            _ => found.push(format!("{name} is {said}")),
        }
    }
    Err(no_python(first, beyond, &found))
}

fn no_python(first: Version, beyond: Version, found: &[String]) -> Error {
    let found = if found.is_empty() { "none was found".to_owned() } else { found.join(", ") };
    Error::Requirement {
        problem: format!(
            "Python {}.{} or newer, before {}.{}, is needed: {found}",
            first.0, first.1, beyond.0, beyond.1
        ),
        remedy: "install one (Debian, Ubuntu: `apt-get install python3 python3-venv`), or name yours in PYTHON"
            .to_owned(),
    }
}

/// Stops before a download that would fill the disk.
pub fn room_for_torch(folder: &Path) -> Result<()> {
    let mut existing = folder;
    while !existing.exists() {
        existing = existing.parent().unwrap_or(Path::new("/"));
    }
    let said = process::output(process::command("df").arg("-Pk").arg(existing), "")?;
    match free_bytes(&said) {
        Some(free) if free < TORCH_BYTES => Err(Error::Requirement {
            problem: format!(
                "the disk is nearly full: torch needs about {} GB in {}, {:.1} GB are free",
                TORCH_BYTES / 1_000_000_000,
                folder.display(),
                free as f64 / 1e9
            ),
            remedy:
                "free some space, name a folder on another disk in BENCHBOOK_VENV, or leave torch out with --minimal"
                    .to_owned(),
        }),
        // A `df` that speaks otherwise must not keep anybody from going on.
        _ => Ok(()),
    }
}

/// The fourth column of the last line of `df -Pk`, in bytes.
fn free_bytes(said: &str) -> Option<u64> {
    said.lines().last()?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_rust_is_refused_by_number_not_by_letter() {
        assert!(new_enough("rustc 1.95.0 (59807616e 2026-04-14)", "1.95").is_ok());
        assert!(new_enough("rustc 1.100.0", "1.95").is_ok());
        for old in ["rustc 1.94.1 (abc 2026-01-01)", "rustc 1.9.0", "something else", ""] {
            let message = new_enough(old, "1.95").expect_err(old).to_string();
            assert!(message.contains("1.95") && message.contains("rustup"), "{message}");
        }
    }

    #[test]
    fn df_is_read() {
        let said = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n/dev/vda         263174212 21000000  74448896      23% /";
        assert_eq!(free_bytes(said), Some(74_448_896 * 1024));
        assert_eq!(free_bytes("df: no such thing"), None);
        assert_eq!(free_bytes(""), None);
    }

    #[test]
    fn a_missing_python_tells_which_were_found() {
        let message = no_python((3, 10), (3, 15), &["python3 is 3.9".to_owned()]).to_string();
        assert!(
            message.contains("Python 3.10") && message.contains("python3 is 3.9") && message.contains("apt-get"),
            "{message}"
        );
        assert!(no_python((3, 10), (3, 15), &[]).to_string().contains("none was found"));
    }

    #[test]
    fn a_range_without_members_finds_nothing() {
        assert!(python(((97, 0), (97, 2))).is_err());
    }
}
