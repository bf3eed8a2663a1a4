//! The files of the workspace that people write.

use std::path::{Path, PathBuf};

/// A file: its path from the root with forward slashes, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    // Clones may share a target directory, so the folder at run time comes before the one at build time.
    let own = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&own).join("..").canonicalize().expect("the workspace is there")
}

/// Every file below `folders` whose name ends in one of `endings`.
pub fn sources(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let root = root();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(&path).expect("a readable folder").map(|entry| entry.expect("an entry").path()),
            );
        } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let path = path.strip_prefix(&root).expect("inside the root").to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether a file holds tests alone.
pub fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The text of a file without its tests.
pub fn own(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// What a page says below the title of a section.
pub fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n## {title}\n")).expect("a section of that title");
    rest.split("\n## ").next().unwrap_or_default()
}

/// Fails with every breach, one a line.
pub fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n  {}", breaches.len(), breaches.join("\n  "));
}

/// What cargo says, offline; a failure is told with its words.
pub fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(program)
        .args(arguments)
        .arg("--offline")
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_workspace_is_found() {
    let found = sources(&["crates", "tests"], &["rs"]);
    for known in ["crates/xtask/src/main.rs", "crates/measure/src/clock.rs", "tests/tests/layout/sources.rs"] {
        assert!(found.iter().any(|source| source.path == known), "{known}");
    }
}
