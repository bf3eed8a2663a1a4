//! The text of a cell as it is compiled: so that its last value compiles once, its loops hear an interrupt, an error that
//! ends it is one, and its variables have types that evcxr cannot tell. What does not compile like this is compiled as it
//! was written.

use std::collections::{BTreeMap, BTreeSet};

use benchbook_front::parts::{Maker, last_loop, last_value, loop_bodies, makers, untyped, with};
use benchbook_front::tries::tries;
use evcxr::{CommandContext, CompilationError, Error};

/// What is written at the beginning of a loop's body.
const LOOK: &str = "benchbook::notebook::look(); ";
/// What is written before a `?` that ends the cell, so that the library tells of the error. evcxr, which does not know the
/// library, still tells the type of what comes without one.
const FAIL: &str = ".map_err::<std::convert::Infallible, _>(benchbook::notebook::fail)";
/// What is written around the last value.
const SHOW: (&str, &str) = ("benchbook::notebook::show!(", ");");
/// The type that no variable has, by its path and as the compiler names it in the first line of a note.
const QUESTION: &str = ": benchbook::notebook::TypeOfVariable<()>";
const EXPECTED: &str = "expected enum `TypeOfVariable<()>`";
/// No cell with this statement compiles, so that a question is never run.
const NEVER: &str = "\nlet () = 1_u8;";
/// Names that every cell can write: the compiler need not be asked where they come from.
const IN_SCOPE: &str = "Answer Array Bool Box By CacheRegime CaseSpec Comparison DType Error Figure Fn FnMut FnOnce Lab \
    MatrixPlan None Ok Option Params Plan Problem Registry Result Row Run Send Show Some Stack String Sync Tensor Value Vec";
/// What methods of the library make, by their names.
const MADE: [(&str, &str); 12] = [
    ("compare", "Comparison"),
    ("compare_by", "Comparison"),
    ("compare_runs", "Comparison"),
    ("compare_runs_anyway", "Comparison"),
    ("distribution", "Figure"),
    ("list", "Answer"),
    ("matrix", "Answer"),
    ("query", "Answer"),
    ("run", "Run"),
    ("run_here", "Run"),
    ("speedup", "Figure"),
    ("sql", "Answer"),
];
/// Types of the library that their own functions make, and whatever else is called of them.
const OWN_MAKERS: [&str; 2] = ["Lab", "Plan"];
/// What evcxr says where it cannot tell a type; the last where a variable of an earlier cell is a `&str` besides, which it
/// takes for an argument of any lifetime in the check that it makes then.
const UNTYPED: [&str; 3] = [
    "Couldn't automatically determine type of variable",
    "the `!` type is experimental",
    "borrowed data escapes outside of function",
];
/// How the compiler names the library, which cells know by another name.
const OWN_NAME: (&str, &str) = ("benchbook_notebook::", "benchbook::");
/// Cells with this have a form of their own for what they show, of which the library knows nothing.
const OWN_FORM: &str = "evcxr_display";

/// The texts that a cell is compiled as, one after the other, until one does; the last one is as it was written.
pub(crate) fn texts(code: &str, has_own_forms: bool) -> Vec<String> {
    let mut added: Vec<(usize, &str)> = loop_bodies(code).into_iter().map(|place| (place, LOOK)).collect();
    added.extend(tries(code).into_iter().map(|place| (place, FAIL)));
    if let Some((start, end)) = last_value(code).filter(|_| !has_own_forms) {
        added.extend([(start, SHOW.0), (end, SHOW.1)]);
    }
    // evcxr shows what a loop is worth, `()`, and compiles twice to learn of it.
    added.extend(last_loop(code).map(|end| (end, ";")));
    added.sort_by_key(|(place, _)| *place);
    let as_written = code.to_owned();
    if added.is_empty() { vec![as_written] } else { vec![with(code, &added), as_written] }
}

/// Whether code brings forms of its own for what it shows.
pub(crate) fn brings_forms(code: &str) -> bool {
    code.contains(OWN_FORM) || code.lines().any(|line| line.trim_start().starts_with(":dep"))
}

/// Whether another text of the cell might do.
pub(crate) fn is_of_text(error: &Error) -> bool {
    matches!(error, Error::CompilationErrors(_) | Error::Message(_))
}

/// Whether evcxr cannot tell the type of a variable.
pub(crate) fn lacks_a_type(error: &Error) -> bool {
    let untyped = |message: &str| UNTYPED.iter().any(|words| message.contains(words));
    match error {
        Error::CompilationErrors(errors) => errors.iter().any(|error| untyped(&error.message())),
        Error::Message(message) => untyped(message),
        _ => false,
    }
}

/// The cell with types that the names of what makes its variables tell; nothing where they tell none. Whether they are
/// right is for the compiler to say: who is asked for a type takes as long as a cell.
pub(crate) fn guessed(code: &str) -> Option<String> {
    let kind = |maker: &Maker<'_>| {
        let of_method = MADE.iter().find(|(name, _)| maker.method == Some(*name)).map(|(_, kind)| *kind);
        of_method.or_else(|| OWN_MAKERS.into_iter().find(|kind| *kind == maker.first))
    };
    let types: Vec<(usize, String)> =
        makers(code)?.iter().filter_map(|maker| Some((maker.place, format!(": {}", kind(maker)?)))).collect();
    let added: Vec<(usize, &str)> = types.iter().map(|(place, kind)| (*place, kind.as_str())).collect();
    (!added.is_empty()).then(|| with(code, &added))
}

/// The cell with the types that the compiler names; nothing where it names none.
///
/// What is made of a variable has a type only when that variable has its own, so it is asked until nothing is added.
pub(crate) fn typed(context: &mut CommandContext, code: &str) -> Option<String> {
    let mut text = code.to_owned();
    for _ in untyped(code) {
        let types = all_types(context, &text);
        if types.is_empty() {
            break;
        }
        let added: Vec<(usize, &str)> = types.iter().map(|(place, kind)| (*place, kind.as_str())).collect();
        text = with(&text, &added);
    }
    (text != code).then_some(text)
}

/// What to write after the names of variables, with whole paths of what a cell does not know by its name.
fn all_types(context: &mut CommandContext, code: &str) -> BTreeMap<usize, String> {
    let mut types = types(context, code, &BTreeSet::new());
    let is_foreign = |name: &String| IN_SCOPE.split_whitespace().all(|known| known != name);
    let foreign: BTreeSet<String> = types.values().flat_map(|kind| short_names(kind)).filter(is_foreign).collect();
    if !foreign.is_empty() {
        types.extend(self::types(context, code, &foreign));
    }
    types
}

/// What to write after the names of variables, by the places where that is.
///
/// The compiler writes a name without its path as long as nothing else has that name, wherever it is. So of those that it is
/// to write as whole paths, there is another one in the question.
fn types(context: &mut CommandContext, code: &str, whole: &BTreeSet<String>) -> BTreeMap<usize, String> {
    let places = untyped(code);
    if places.is_empty() {
        return BTreeMap::new();
    }
    let asked = question(code, &places, whole);
    let Err(Error::CompilationErrors(errors)) = context.execute(&asked) else { return BTreeMap::new() };
    let found: BTreeMap<usize, String> = errors.iter().filter_map(named).collect();
    by_place(code, &places, &found)
}

/// What to write after the names that end at these places, of the types that were found at these lines, counted from 1.
///
/// What a block, an `if` or a `match` is worth is found further down than its variable stands: at the end of a branch.
fn by_place(code: &str, places: &[usize], found: &BTreeMap<usize, String>) -> BTreeMap<usize, String> {
    let line = |place: &usize| 1 + code[..*place].matches('\n').count();
    // Of several variables on one line it is not known whose type it is.
    let alone = |place: &&usize| places.iter().filter(|other| line(other) == line(place)).count() == 1;
    let known = |place: &usize| {
        let next = places.iter().map(line).find(|next| *next > line(place)).unwrap_or(usize::MAX);
        let (_, kind) = found.range(line(place)..next).next()?;
        Some((*place, format!(": {kind}")))
    };
    places.iter().filter(alone).filter_map(known).collect()
}

/// The text that the compiler is asked by. A statement follows the last value of the cell, which so has to end.
fn question(code: &str, places: &[usize], whole: &BTreeSet<String>) -> String {
    let mut added: Vec<(usize, &str)> = places.iter().map(|place| (*place, QUESTION)).collect();
    added.extend(last_value(code).map(|(_, end)| (end, ";")));
    let others: String = whole.iter().map(|name| format!(" pub struct {name};")).collect();
    format!("{}{NEVER}\nmod benchbook_other_names {{{others} }}", with(code, &added))
}

/// The names of a type that are no paths, as far as they are those of types.
fn short_names(kind: &str) -> impl Iterator<Item = String> {
    let words = kind.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | ':')));
    let names = words.filter(|word| !word.contains(':') && word.starts_with(char::is_uppercase) && *word != "Self");
    names.map(str::to_owned)
}

/// The line of a declaration, counted from 1, and the type that the compiler has found for it.
fn named(error: &CompilationError) -> Option<(usize, String)> {
    let found = type_in(&error.rendered())?;
    // The declaration is the other place that the compiler points to.
    let spans = error.spanned_messages().iter().filter_map(|one| one.span);
    Some((spans.map(|span| span.start_line).min()?, found))
}

/// The type that a message names as the one that was found, if it can be written.
///
/// Labels name types without their paths, notes with them where a name is ambiguous.
fn type_in(message: &str) -> Option<String> {
    let mut lines = message.lines().skip_while(|line| !line.ends_with(EXPECTED));
    let kind = lines.nth(1)?.split_once(" found ")?.1.split('`').nth(1).filter(|kind| !kind.is_empty())?;
    let can_be_written = !["{", "...", "_>", "<_", "_,", " _", "impl "].iter().any(|part| kind.contains(part));
    can_be_written.then(|| kind.replace(OWN_NAME.0, OWN_NAME.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_tried_anew_and_then_as_it_was_written() {
        let code = "for x in 0..3 { f(x) }\nlab.sql(\"select 1\")?";
        let anew = format!(
            "for x in 0..3 {{benchbook::notebook::look();  f(x) }}\nbenchbook::notebook::show!(lab.sql(\"select 1\"){FAIL}?);"
        );
        assert_eq!(texts(code, false), [anew.as_str(), code]);
        assert_eq!(texts("a", true), ["a"]);
        assert_eq!(texts("while a { b }", true)[0], "while a {benchbook::notebook::look();  b };");
        assert_eq!(texts("let a = 1;", false), ["let a = 1;"]);
        assert_eq!(texts("f()?;", true), [format!("f(){FAIL}?;").as_str(), "f()?;"]);
        assert!(brings_forms("fn evcxr_display(&self) {}") && brings_forms("  :dep a = \"1\"") && !brings_forms("a"));
    }

    #[test]
    fn a_type_is_guessed_by_what_makes_its_variable() {
        for (code, expected) in [
            ("let lab = Lab::open(\"a\")?;\nlab.list()?", "let lab: Lab = Lab::open(\"a\")?;\nlab.list()?"),
            ("let mut answer = lab.sql(\"a\")?;", "let mut answer: Answer = lab.sql(\"a\")?;"),
            ("let all = Lab::open(\"a\")?.list()?;", "let all: Answer = Lab::open(\"a\")?.list()?;"),
            (
                "let n = 1;\nlet plan = Plan::quick(\"a\").blocks(n);\nlet run = lab.run(&plan)?;",
                "let n = 1;\nlet plan: Plan = Plan::quick(\"a\").blocks(n);\nlet run: Run = lab.run(&plan)?;",
            ),
        ] {
            assert_eq!(guessed(code).as_deref(), Some(expected), "{code}");
        }
        for code in ["let a = 1;", "let a: u8 = lab.run(b)?;", "let a = { 1 };\nlet b = lab.run(c)?;", "lab.list()?"] {
            assert_eq!(guessed(code), None, "{code}");
        }
    }

    #[test]
    fn a_question_has_no_fault_but_its_own() {
        let asked = |code: &str| question(code, &untyped(code), &BTreeSet::from(["Run".to_owned()]));
        let more = "let () = 1_u8;\nmod benchbook_other_names { pub struct Run; }";
        let typed = "let run: benchbook::notebook::TypeOfVariable<()> = lab.run(&plan)?;";
        assert_eq!(asked("let run = lab.run(&plan)?;"), format!("{typed}\n{more}"));
        assert_eq!(asked("let run = lab.run(&plan)?;\nrun // said"), format!("{typed}\nrun; // said\n{more}"));
    }

    #[test]
    fn a_type_belongs_to_the_variable_before_it() {
        let code = "let a = f();\nlet b = {\n    let c = g();\n    h(c)\n};\nlet d = 1; let e = 2;";
        let places = untyped(code);
        let told = |lines: &[usize]| -> Vec<String> {
            let found: BTreeMap<usize, String> = lines.iter().map(|line| (*line, format!("T{line}"))).collect();
            let added = by_place(code, &places, &found);
            added.iter().map(|(place, kind)| format!("{}{kind}", &code[place - 1..*place])).collect()
        };
        assert_eq!(told(&[1, 4, 6]), ["a: T1", "b: T4"]);
        assert_eq!(told(&[2]), ["b: T2"]);
    }

    #[test]
    fn a_type_is_read_where_it_can_be_written() {
        let note = |kind: &str| {
            format!("error[E0308]: mismatched types\n  = note: {EXPECTED}\n             found struct `{kind}`\n")
        };
        assert_eq!(type_in(&note("Run")).as_deref(), Some("Run"));
        assert_eq!(type_in(&note("Vec<benchbook_notebook::Lab>")).as_deref(), Some("Vec<benchbook::Lab>"));
        for kind in ["{closure@a.rs}", "Vec<_>", "Result<Run, _>", "Map<...>", "impl Fn()", "{integer}", ""] {
            assert_eq!(type_in(&note(kind)), None, "{kind}");
        }
        assert_eq!(type_in("  = note: expected type `u8`\n  found enum `TypeOfVariable<()>`"), None);
    }

    #[test]
    fn names_without_a_path_are_told() {
        let names: Vec<String> =
            short_names(": Vec<benchbook::arrow::array::RecordBatch, Box<dyn Fn(f64) -> Self>>").collect();
        assert_eq!(names, ["Vec", "Box", "Fn"]);
    }

    #[test]
    fn what_evcxr_cannot_tell_is_known_by_its_words() {
        let message = "Couldn't automatically determine type of variable `a`.\nPlease give it an explicit type.";
        assert!(lacks_a_type(&Error::Message(message.into())) && is_of_text(&Error::Message(message.into())));
        assert!(!lacks_a_type(&Error::Message("no".into())));
        assert!(!is_of_text(&Error::SubprocessTerminated("signal: 9".into())));
    }
}
