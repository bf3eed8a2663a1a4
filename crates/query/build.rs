//! Lists the named queries: every file of `queries/` is one, so that a file is all that a new one needs.

use std::io::{Error, Result};
use std::path::PathBuf;
use std::{env, fs};

/// Where they lie, from this crate.
const FOLDER: &str = "../../queries";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut names = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".sql").map(str::to_owned));
    }
    names.sort();
    let rows: String = names.iter().map(|name| row(name)).collect();
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| Error::other("cargo sets OUT_DIR"))?;
    fs::write(out.join("queries.rs"), format!("[\n{rows}]\n"))
}

/// A name and the text behind it, as Rust. Clones may share a target directory, so the folder of the compiler's call counts.
fn row(name: &str) -> String {
    format!("    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{FOLDER}/{name}.sql\"))),\n")
}
