//! Every piece of unsafe code says why it is right.

use crate::code::code_only;
use crate::sources::{Source, none, sources};

/// Lines that open an unsafe block or implementation and have no argument in the comment right above.
fn without_argument(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let opens = |code: &str| code.contains("unsafe {") || code.contains("unsafe impl ");
    let argued = |number: usize| {
        let mut above =
            lines[..number].iter().rev().take_while(|line| line.starts_with("//") || line.starts_with("#["));
        above.any(|line| line.starts_with("// SAFETY:"))
    };
    let code = code_only(text);
    let opening = code.lines().enumerate().filter(|(number, line)| opens(line) && !argued(*number));
    opening.map(|(number, _)| format!("{path}:{}: unsafe without `// SAFETY:`", number + 1)).collect()
}

#[test]
fn every_unsafe_block_has_an_argument_of_its_own() {
    let all = sources(&["crates", "tests"], &["rs"]);
    none(&all.iter().flat_map(|Source { path, text }| without_argument(path, text)).collect::<Vec<_>>());
}

#[test]
fn a_planted_block_without_an_argument_is_found() {
    let argued =
        "// SAFETY: it is there.\n#[inline]\nunsafe impl A for B {}\n// SAFETY: so is this.\nlet a = unsafe { b() };\n";
    assert_eq!(without_argument("a.rs", argued), Vec::<String>::new());
    let shared =
        format!("{argued}let c = unsafe {{ d() }};\nlet e = \"unsafe {{\"; // unsafe {{\nunsafe fn f() {{}}\n");
    assert_eq!(without_argument("a.rs", &shared), ["a.rs:6: unsafe without `// SAFETY:`"]);
}
