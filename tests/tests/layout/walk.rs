//! The walk through ARCHITECTURE.md names files that are there.

use crate::sources::{none, root, section};

/// The files that the section of this title names.
fn named<'a>(page: &'a str, title: &str) -> Vec<&'a str> {
    section(page, title).split('`').skip(1).step_by(2).filter(|span| span.contains('/') && span.contains('.')).collect()
}

/// Those of them that no crate has.
fn absent(names: &[&str]) -> Vec<String> {
    let crates = root().join("crates");
    let absent = names.iter().filter(|name| !crates.join(name).is_file());
    absent.map(|name| format!("ARCHITECTURE.md leads to {name}, which is not there")).collect()
}

#[test]
fn every_file_of_the_walk_is_there() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a readable file");
    let names = named(&page, "A walk");
    assert!(names.len() > 30, "{names:?}");
    none(&absent(&names));
}

#[test]
fn a_planted_file_is_missed() {
    let page = "\n## A walk\n`core/src/plan.rs` and `core/src/no.rs`, `words`\n\n## More\n`core/src/not_here.rs`\n";
    assert_eq!(absent(&named(page, "A walk")), ["ARCHITECTURE.md leads to core/src/no.rs, which is not there"]);
}
