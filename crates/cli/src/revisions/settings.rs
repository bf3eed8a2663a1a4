//! What decides about a program besides its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use benchbook_process::output;

use super::error::{Result, io};

/// How long the compiler may take: rustup may have to download it first.
const LIMIT: Duration = Duration::from_secs(600);

/// Environment variables that compilers and build scripts heed.
const PREFIXES: [&str; 7] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_", "LIBTORCH", "RUSTC"];
const NAMES: [&str; 6] = ["CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "RUSTUP_TOOLCHAIN"];
/// Where things are put decides nothing.
const PLACES: [&str; 3] = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"];

/// Twelve digits that stand for the compiler, its flags, libtorch and the arguments of the build.
///
/// A worker kept from before an update of the compiler would make that update look like the candidate's doing.
///
/// # Errors
/// The compiler is missing.
pub(super) fn settings(top: &Path, arguments: &[String]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |name: &str, bytes: &[u8]| {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    };
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(Command::new(compiler).arg("-vV").current_dir(top), LIMIT);
    add("rustc", &version.map_err(io("rustc could not be started, is it installed?"))?.stdout);
    for file in [Some(top.join(".cargo/libtorch.toml")), user_configuration()].into_iter().flatten() {
        add("file", &std::fs::read(file).unwrap_or_default());
    }
    for argument in arguments {
        add("argument", argument.as_bytes());
    }
    let mut variables: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| counts(name))
        .collect();
    variables.sort();
    for (name, value) in &variables {
        add(name, value.as_encoded_bytes());
    }
    Ok(hasher.finalize().to_hex().chars().take(12).collect())
}

fn counts(name: &str) -> bool {
    let heeded = PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name);
    heeded && !PLACES.contains(&name)
}

fn user_configuration() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).map(|folder| folder.join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_libtorch_count_and_places_do_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let of = |arguments: &[String]| settings(folder.path(), arguments).expect("a compiler");
        let plain = of(&[]);
        assert_eq!((plain.len(), &plain), (12, &of(&[])));
        assert_ne!(plain, of(&["--no-default-features".into()]));
        std::fs::create_dir(folder.path().join(".cargo")).expect("a folder");
        std::fs::write(folder.path().join(".cargo/libtorch.toml"), "[env]").expect("a file");
        assert_ne!(plain, of(&[]));
        assert!(counts("RUSTFLAGS") && counts("CARGO_PROFILE_RELEASE_LTO") && counts("CC"));
        assert!(!counts("CARGO_TARGET_DIR") && !counts("PATH") && !counts("CARGO_PKG_NAME"));
    }
}
