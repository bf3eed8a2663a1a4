//! What stands before another of its kind hands every question on: a default in its place would be an answer in the
//! other's name.

use crate::sources::{Source, none, sources};

/// A trait with defaults: its name, its file, two methods that who hands on calls of the same thing, since other things have
/// one of that name too, and the folder of its implementations.
const TRAITS: [(&str, &str, [&str; 2], &str); 4] = [
    ("Implementation", "crates/core/src/implementation.rs", ["prepare", "engine"], ""),
    ("Subject", "crates/core/src/implementation.rs", ["run", "outputs"], ""),
    ("Loop", LOOPS, ["step", "outputs"], ""),
    ("Link", "crates/measure/src/link.rs", ["ask", "caller"], "crates/measure/"),
];

/// Where a loop becomes a subject.
const LOOPS: &str = "crates/core/src/task.rs";

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

/// What a method of this name is called of.
fn receivers<'a>(code: &'a str, method: &str) -> Vec<&'a str> {
    let of = |at: usize| {
        let before = &code[..at];
        &before[before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '.').len()..]
    };
    code.match_indices(&format!(".{method}(")).map(|(at, _)| of(at)).collect()
}

/// What an implementation that hands on leaves to the defaults.
fn kept_back(path: &str, text: &str, name: &str, methods: &[&str], [one, other]: [&str; 2]) -> Vec<String> {
    let mut found = Vec::new();
    for (from, _) in text.match_indices("\nimpl") {
        let own = block(text, from + 1);
        let head = own.lines().next().unwrap_or_default();
        let others = receivers(own, other);
        let behind = receivers(own, one).into_iter().find(|receiver| others.contains(receiver));
        if let Some(behind) = behind.filter(|_| head.contains(&format!(" {name} for "))) {
            let missing = methods.iter().filter(|method| !own.contains(&format!("    fn {method}(")));
            found.extend(missing.map(|method| {
                format!("{path}: `{head}` hands `{one}` and `{other}` on to `{behind}`, and not `{method}`")
            }));
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
        assert!(known_by.iter().all(|one| methods.contains(one)) && methods.len() > 5, "{methods:?}");
        let inside = all.iter().filter(|source| source.path.starts_with(folder));
        let breaches = |Source { path, text }: &Source| kept_back(path, text, name, &methods, known_by);
        none(&inside.flat_map(breaches).collect::<Vec<_>>());
    }
}

#[test]
fn what_a_loop_says_of_itself_its_subject_says() {
    let all = sources(&["crates/core"], &["rs"]);
    let text = |path: &str| &all.iter().find(|source| source.path == path).expect(path).text;
    let loops = text(LOOPS);
    let head = "impl<L: Loop> Subject for Looping<L>";
    let subject = block(loops, loops.find(head).expect("a subject of a loop"));
    let asked = methods(loops, "Loop").into_iter().filter(|method| !loops.contains(&format!("looped.{method}(")));
    let kept = methods(text(TRAITS[1].1), "Subject").into_iter();
    let kept = kept.filter(|method| !subject.contains(&format!("    fn {method}(")));
    none(&asked.chain(kept).map(|method| format!("{LOOPS}: `{head}` leaves `{method}` out")).collect::<Vec<_>>());
}

#[test]
fn a_planted_default_is_found() {
    let declared =
        "pub trait Subject {\n    fn run(&mut self);\n\n    fn figures(&self) -> u8 {\n        0\n    }\n}\n";
    let methods = methods(declared, "Subject");
    assert_eq!(methods, ["run", "figures"]);
    let wrapper = "x\nimpl Subject for Before {\n    fn run(&mut self) {\n        self.0.run();\n        self.0.outputs();\n    }\n}\n";
    let found = |text: &str| kept_back("a.rs", text, "Subject", &methods, ["run", "outputs"]);
    let wanted = "a.rs: `impl Subject for Before {` hands `run` and `outputs` on to `self.0`, and not `figures`";
    assert_eq!(found(wrapper), [wanted]);
    for alone in ["work()", "self.session.run()"] {
        assert!(found(&wrapper.replace("self.0.run()", alone)).is_empty(), "{alone}");
    }
}
