//! Passes the versions of the engines on to the record: of crates as `Cargo.lock` has them, of libtorch as
//! `environment.yml` pins it, which the build script of torch-sys checks.

use std::path::PathBuf;

/// Crates whose versions are recorded, and the variables that hold them.
const CRATES: [(&str, &str); 5] = [
    ("burn", "BURN_VERSION"),
    ("burn-flex", "BURN_FLEX_VERSION"),
    ("burn-tch", "BURN_TCH_VERSION"),
    ("candle-core", "CANDLE_VERSION"),
    ("gemm", "GEMM_VERSION"),
];

fn main() {
    // Clones may share a target directory, so the folder at run time counts.
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let read = |name: &str| {
        let path = root.join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let lock = read("Cargo.lock");
    for (name, variable) in CRATES {
        let version = locked(&lock, name).unwrap_or_else(|| panic!("Cargo.lock holds no single version of {name}"));
        println!("cargo:rustc-env={variable}={version}");
    }
    let packages = read("environment.yml");
    let torch = packages.lines().find_map(|line| line.trim().strip_prefix("- torch=="));
    let torch = torch.expect("environment.yml pins torch in a line `- torch==VERSION`");
    println!("cargo:rustc-env=LIBTORCH_VERSION={}", torch.split(';').next().unwrap_or(torch).trim());
}

/// The version of a crate, where there is one alone.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let head = format!("name = \"{name}\"\nversion = \"");
    let mut versions = lock.split("[[package]]\n").filter_map(|package| package.strip_prefix(&head)?.split('"').next());
    versions.next().filter(|_| versions.next().is_none())
}
