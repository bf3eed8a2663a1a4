//! What CONTRIBUTING.md says that an addition takes is all that it takes: a file of its own, and a line in one list. The
//! files to which it and ARCHITECTURE.md lead are there.

use crate::code::code_only;
use crate::sources::{Source, is_test, none, own, root, section, sources};

/// A trait, the folder of its implementations, and the list that must name each of them.
const LISTS: [(&str, &str, &str); 3] = [
    ("Problem", "crates/workloads/src/", "crates/workloads/src/register.rs"),
    ("State", "crates/query/src/functions/", "crates/query/src/functions/catalogue.rs"),
    ("OfPoints", "crates/query/src/functions/", "crates/query/src/functions/catalogue.rs"),
];

/// Crates that carry any workload, and so know none by its name.
const KNOW_NONE: [&str; 11] =
    ["core", "journal", "process", "record", "query", "measure", "report", "jupyter", "cli", "benchbook", "bundle"];

/// Names of workloads that are words for other things too, and of the roofs below which charts draw all others.
const WORDS: [&str; 5] = ["copy", "exp2", "fma", "int8-dot", "read"];

/// Notebooks that a test looks at for what they alone show.
const LOOKED_AT: [&str; 1] = ["06_can_i_trust_it"];

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn stands(code: &str, name: &str) -> bool {
    words(code).any(|word| word == name)
}

/// The words that follow `start` in the code.
fn after<'a>(code: &'a str, start: &str) -> Vec<&'a str> {
    let rests = code.match_indices(start).map(|(at, _)| &code[at + start.len()..]);
    rests.filter_map(|rest| words(rest).next().filter(|word| !word.is_empty())).collect()
}

/// Types that implement a trait in its folder and are not in its list.
fn unlisted(all: &[Source], (implemented, folder, list): (&str, &str, &str)) -> Vec<String> {
    let listed = all.iter().find(|one| one.path == list).map(|one| code_only(own(&one.text))).unwrap_or_default();
    let mut found = Vec::new();
    for Source { path, text } in all.iter().filter(|one| one.path.starts_with(folder)) {
        let code = code_only(own(text));
        let types = after(&code, &format!(" {implemented} for "));
        let absent = types.into_iter().filter(|name| !stands(&listed, name));
        found.extend(absent.map(|name| format!("{name} of {path} is not in {list}")));
    }
    found
}

/// Rows of engines that stand in no table.
fn without_a_table(all: &[Source]) -> Vec<String> {
    let engines = all.iter().filter(|one| one.path.starts_with("crates/engines/src/"));
    let engines: Vec<(&str, String)> = engines.map(|one| (one.path.as_str(), code_only(own(&one.text)))).collect();
    let mut found = Vec::new();
    for (path, code) in &engines {
        let is_row = |name: &&str| code.contains(&format!("const {name}: Row<"));
        for name in after(code, "const ").into_iter().filter(is_row) {
            // Rows of several problems have one name: a table names those of its own file, or others by their path.
            let here = words(code).filter(|word| *word == name).count() > 1;
            let elsewhere = engines.iter().any(|(other, code)| other != path && stands(code, name));
            if !here && !elsewhere {
                found.push(format!("{name} of {path} stands in no table"));
            }
        }
    }
    found
}

/// Names of workloads in the code of crates that carry any.
fn named_workloads(all: &[Source]) -> Vec<String> {
    let problems = all.iter().filter(|one| one.path.starts_with("crates/workloads/src/"));
    let names = problems.flat_map(|one| one.text.split("const NAME: &'static str = ").skip(1));
    let names = names.filter_map(|rest| rest.split('"').nth(1)).filter(|name| !WORDS.contains(name));
    let names: Vec<&str> = names.collect();
    let carries = |one: &&Source| {
        !is_test(&one.path) && KNOW_NONE.iter().any(|name| one.path.starts_with(&format!("crates/{name}/")))
    };
    let mut found = Vec::new();
    for Source { path, text } in all.iter().filter(carries) {
        let lines = || own(text).lines().filter(|line| !line.trim_start().starts_with("//"));
        let known = names.iter().filter(|name| lines().any(|line| line.contains(&format!("\"{name}\""))));
        found.extend(known.map(|name| {
            format!("{path} knows the workload {name}; a word for other things too stands in WORDS of this test")
        }));
    }
    found
}

/// Notebooks that a test names, and so would have to change with.
fn named_notebooks(tests: &[Source], notebooks: &[String]) -> Vec<String> {
    let names = notebooks.iter().filter(|name| !LOOKED_AT.contains(&name.as_str()));
    let named = names
        .flat_map(|name| tests.iter().filter(move |one| one.text.contains(name.as_str())).map(move |one| (name, one)));
    named.map(|(name, one)| format!("{} names the notebook {name}", one.path)).collect()
}

/// What the table of additions leads to, and is not there.
fn absent(page: &str) -> Vec<String> {
    let rows = section(page, "Add things").lines().filter(|line| line.starts_with('|'));
    let paths = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|span| span.contains('/'));
    let absent = paths.filter(|path| !root().join(path).exists());
    absent.map(|path| format!("CONTRIBUTING.md leads to {path}, which is not there")).collect()
}

#[test]
fn what_is_added_is_in_its_list() {
    let all = sources(&["crates"], &["rs"]);
    for list in LISTS {
        let implemented = all.iter().filter(|one| one.path.starts_with(list.1));
        let implemented = implemented.map(|one| after(&code_only(own(&one.text)), &format!(" {} for ", list.0)).len());
        assert!(implemented.sum::<usize>() > 2, "{list:?} is found");
    }
    none(&LISTS.into_iter().flat_map(|list| unlisted(&all, list)).collect::<Vec<_>>());
    none(&without_a_table(&all));
}

#[test]
fn what_is_added_needs_no_change_elsewhere() {
    let all = sources(&["crates"], &["rs"]);
    none(&named_workloads(&all));
    let notebooks = sources(&["notebooks"], &["ipynb"]);
    let stem = |one: &Source| one.path.trim_start_matches("notebooks/").trim_end_matches(".ipynb").to_owned();
    let notebooks: Vec<String> = notebooks.iter().map(stem).collect();
    assert!(notebooks.len() > 1, "{notebooks:?}");
    let tests = sources(&["tests"], &["rs"]);
    let others = |one: &Source| !one.path.ends_with("/layout/additions.rs");
    none(&named_notebooks(&tests.into_iter().filter(others).collect::<Vec<_>>(), &notebooks));
}

#[test]
fn every_place_of_an_addition_is_there() {
    let page = std::fs::read_to_string(root().join("CONTRIBUTING.md")).expect("a readable file");
    none(&absent(&page));
}

#[test]
fn planted_additions_are_found() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let all = [
        source("crates/workloads/src/a.rs", "impl Problem for A { const NAME: &'static str = \"a-b\"; }"),
        source("crates/workloads/src/b.rs", "impl Problem for B {}"),
        source("crates/workloads/src/register.rs", "registry.workload(B); // A"),
        source("crates/engines/src/c.rs", "pub const ROWS: [Row<A>; 1] = [ONE];\nconst ONE: Row<A> = row();"),
        source("crates/engines/src/d.rs", "pub const TWO: Row<A> = row();"),
        source("crates/query/src/e.rs", "if workload == \"a-b\" {}"),
        source("crates/journal/src/e.rs", "#[cfg(test)]\nuse a;\nif workload == \"a-b\" {}"),
        source("crates/query/src/f.rs", "//! One.\n\n#[cfg(test)]\nmod tests { const W: &str = \"a-b\"; }"),
        source("crates/query/src/g.rs", "    /// Of \"a-b\".\n"),
    ];
    assert_eq!(unlisted(&all, LISTS[0]), ["A of crates/workloads/src/a.rs is not in crates/workloads/src/register.rs"]);
    assert_eq!(without_a_table(&all), ["TWO of crates/engines/src/d.rs stands in no table"]);
    let named = named_workloads(&all);
    let begins = |place: usize, path: &str| named[place].starts_with(&format!("{path} knows the workload a-b; "));
    assert!(begins(0, "crates/query/src/e.rs") && begins(1, "crates/journal/src/e.rs"), "{named:?}");
    assert_eq!(named.len(), 2, "{named:?}");
    let tests = [source("tests/tests/x.rs", "open(\"09_new.ipynb\")"), source("tests/tests/y.rs", "06_can_i_trust_it")];
    let notebooks = ["06_can_i_trust_it".to_owned(), "09_new".to_owned()];
    assert_eq!(named_notebooks(&tests, &notebooks), ["tests/tests/x.rs names the notebook 09_new"]);
    let page = "\n## Add things\n| a crate | `crates/` and `crates/no/such.rs` |\n`no/such.md`\n";
    assert_eq!(absent(page), ["CONTRIBUTING.md leads to crates/no/such.rs, which is not there"]);
}

/// The files that the section of this title names.
fn named<'a>(page: &'a str, title: &str) -> Vec<&'a str> {
    section(page, title).split('`').skip(1).step_by(2).filter(|span| span.contains('/') && span.contains('.')).collect()
}

/// Those of them that no crate has.
fn not_there(names: &[&str]) -> Vec<String> {
    let crates = root().join("crates");
    let absent = names.iter().filter(|name| !crates.join(name).is_file());
    absent.map(|name| format!("ARCHITECTURE.md leads to {name}, which is not there")).collect()
}

#[test]
fn every_file_of_the_walk_is_there() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a readable file");
    let names = named(&page, "A walk");
    assert!(names.len() > 30, "{names:?}");
    none(&not_there(&names));
}

/// Files of code that a page names anywhere, by the end of their paths, and that no file is called.
fn no_file<'a>(page: &'a str, code: &[Source]) -> Vec<&'a str> {
    let is_code = |span: &&str| [".rs", ".sql", ".py"].iter().any(|ending| span.ends_with(ending));
    let spans = page.split('`').skip(1).step_by(2).filter(is_code).filter(|span| !span.contains(['*', ' ']));
    let is_there = |name: &str| code.iter().any(|one| format!("/{}", one.path).ends_with(&format!("/{name}")));
    spans.filter(|name| !is_there(name)).collect()
}

#[test]
fn every_file_of_code_that_a_page_names_is_there() {
    let code = sources(&["crates", "tests", "queries"], &["rs", "sql", "py"]);
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let page = std::fs::read_to_string(root().join(name)).expect("a readable file");
        let absent = no_file(&page, &code);
        none(&absent.iter().map(|file| format!("{name} names {file}, which is not there")).collect::<Vec<_>>());
    }
    let page =
        "`layout/additions.rs`, `additions.rs`, `ditions.rs`, `queries/*.sql` and `core/src/no.rs`, additions.py";
    assert_eq!(no_file(page, &code), ["ditions.rs", "core/src/no.rs"]);
}

#[test]
fn a_planted_file_is_missed() {
    let page = "\n## A walk\n`core/src/plan.rs` and `core/src/no.rs`, `words`\n\n## More\n`core/src/not_here.rs`\n";
    assert_eq!(not_there(&named(page, "A walk")), ["ARCHITECTURE.md leads to core/src/no.rs, which is not there"]);
}
