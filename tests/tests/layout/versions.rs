//! Versions come from `Cargo.lock`, from `environment.yml` and from the engines: a literal outlives what it names.

use crate::sources::{Source, is_test, none, own, root, sources};

/// Where a version stands as a literal, and why.
const MAY_NAME: [(&str, &str); 1] =
    [("crates/xtask/src/kernel.rs", "`cargo install` brings evcxr_jupyter, which is in no lock")];

/// Whether a string begins as a version of three numbers, and not as an address of four.
fn is_version(string: &str) -> bool {
    let end = string.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(string.len());
    let numbers: Vec<&str> = string[..end].trim_end_matches('.').split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| !number.is_empty())
}

/// Lines of a file, without its tests, in which a string begins with a version.
fn literals(Source { path, text }: &Source) -> Vec<String> {
    if is_test(path) || path.ends_with("/planted.rs") || MAY_NAME.iter().any(|(place, _)| path == place) {
        return Vec::new();
    }
    let lines = own(text).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let named = lines.filter(|(_, line)| line.split('"').skip(1).step_by(2).any(is_version));
    named.map(|(number, _)| format!("{path}:{}: a version as a literal", number + 1)).collect()
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn no_version_is_a_literal() {
    none(&sources(&["crates"], &["rs"]).iter().flat_map(literals).collect::<Vec<_>>());
}

#[test]
fn a_planted_version_is_found() {
    let engine = |text: &str| literals(&source("crates/engines/src/flex/engine.rs", text)).len();
    assert_eq!(engine("let a = (\"burn-flex\", \"0.22.1\");\nlet b = format!(\"2.9.0 gemm {c}\");\n"), 2);
    assert_eq!(
        engine("// \"0.22.1\"\nlet a = [\"0.5\", \"127.0.0.1\", \"1.2.\"];\n\n#[cfg(test)]\nmod tests {\n\"0.22.1\"\n"),
        0
    );
}

#[test]
fn every_exception_is_needed_and_names_the_release_of_the_kernel() {
    let all = sources(&["crates"], &["rs"]);
    let [named] = MAY_NAME.map(|(place, _)| {
        let text = &all.iter().find(|source| source.path == place).expect(place).text;
        text.split('"').skip(1).step_by(2).find(|string| is_version(string)).expect(place)
    });
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a readable file");
    assert!(manifest.contains(&format!("evcxr = \"={named}\"")), "stock evcxr is of the kernel's own release");
}
