//! A digest of the code that computes references: what was computed by other code is computed anew.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

/// What references are computed by: the problems, the words that they are written in, and formats of numbers.
const FOLDERS: [&str; 3] = ["src", "../core/src", "../formats/src"];

/// What else they are computed by: the versions of all libraries.
const LOCK: &str = "../../Cargo.lock";

fn main() -> Result<()> {
    let mut digest = OFFSET;
    for folder in FOLDERS {
        println!("cargo:rerun-if-changed={folder}");
        let mut files = files_below(Path::new(folder))?;
        files.sort();
        for file in files {
            digest = fnv(digest, file.to_string_lossy().as_bytes());
            digest = fnv(digest, &fs::read(file)?);
        }
    }
    println!("cargo:rerun-if-changed={LOCK}");
    digest = fnv(digest, &fs::read(LOCK)?);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=BENCHBOOK_CODE_DIGEST={digest:032x}");
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut open, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut open } else { &mut files };
            list.push(entry.path());
        }
    }
    Ok(files)
}

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// FNV-1a in 128 bits (Fowler, Noll and Vo), of a part and its length.
fn fnv(digest: u128, bytes: &[u8]) -> u128 {
    let length = (bytes.len() as u64).to_le_bytes();
    let mix = |digest: u128, byte: &u8| (digest ^ u128::from(*byte)).wrapping_mul(PRIME);
    length.iter().chain(bytes).fold(digest, mix)
}
