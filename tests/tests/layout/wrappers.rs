//! What stands before another of its kind hands every question on: a default in its place would be an answer in the
//! other's name.

use crate::sources::{Source, none, sources};

/// A trait with defaults: its name, its file, the method by which one hands on, and the folder of its implementations.
const TRAITS: [(&str, &str, &str, &str); 3] = [
    ("Implementation", "crates/core/src/implementation.rs", "prepare", ""),
    ("Subject", "crates/core/src/implementation.rs", "run", ""),
    ("Link", "crates/measure/src/link.rs", "ask", "crates/measure/"),
];

/// From a line on to the end of what it opens, which stands at the margin.
fn block(text: &str, from: usize) -> &str {
    let rest = &text[from..];
    rest.find("\n}").map_or(rest, |end| &rest[..end])
}

/// The methods of a trait, those with defaults too.
fn methods<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let from = text.find(&format!("pub trait {name}")).expect("the trait is there");
    let lines = block(text, from).lines().filter_map(|line| line.strip_prefix("    fn "));
    lines.filter_map(|line| line.split('(').next()).collect()
}

/// What an implementation that hands on leaves to the defaults.
fn kept_back(path: &str, text: &str, name: &str, methods: &[&str], known_by: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (from, _) in text.match_indices("\nimpl") {
        let own = block(text, from + 1);
        let head = own.lines().next().unwrap_or_default();
        if head.contains(&format!(" {name} for ")) && own.contains(&format!(".{known_by}(")) {
            let missing = methods.iter().filter(|method| !own.contains(&format!("    fn {method}(")));
            found.extend(missing.map(|method| format!("{path}: `{head}` does not hand `{method}` on")));
        }
    }
    found
}

#[test]
fn who_hands_on_one_question_hands_on_all() {
    let all = sources(&["crates", "tests"], &["rs"]);
    for (name, file, known_by, folder) in TRAITS {
        let declared = &all.iter().find(|source| source.path == file).expect(file).text;
        let methods = methods(declared, name);
        assert!(methods.contains(&known_by) && methods.len() > 5, "{methods:?}");
        let inside = all.iter().filter(|source| source.path.starts_with(folder));
        let breaches = |Source { path, text }: &Source| kept_back(path, text, name, &methods, known_by);
        none(&inside.flat_map(breaches).collect::<Vec<_>>());
    }
}

#[test]
fn a_planted_default_is_found() {
    let declared =
        "pub trait Subject {\n    fn run(&mut self);\n\n    fn figures(&self) -> u8 {\n        0\n    }\n}\n";
    let methods = methods(declared, "Subject");
    assert_eq!(methods, ["run", "figures"]);
    let wrapper = "x\nimpl Subject for Before {\n    fn run(&mut self) {\n        self.0.run();\n    }\n}\n";
    let found = kept_back("a.rs", wrapper, "Subject", &methods, "run");
    assert_eq!(found, ["a.rs: `impl Subject for Before {` does not hand `figures` on"]);
    let alone = wrapper.replace("self.0.run()", "work()");
    assert!(kept_back("a.rs", &alone, "Subject", &methods, "run").is_empty());
}
