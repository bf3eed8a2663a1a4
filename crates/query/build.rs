//! Lists the named queries: every file of `queries/` is one, so that a file is all that a new one needs.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where they lie, from this crate.
const FOLDER: &str = "../../queries";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut files = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path().canonicalize()?;
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    let rows: String = files.iter().map(|path| row(path)).collect();
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| Error::other("cargo sets OUT_DIR"))?;
    fs::write(out.join("queries.rs"), format!("[\n{rows}]\n"))
}

/// A name and the text behind it, as Rust.
fn row(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    format!("    ({name:?}, include_str!({:?})),\n", path.to_string_lossy())
}
