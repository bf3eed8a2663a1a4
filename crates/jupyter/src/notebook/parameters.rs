//! Parameters: the cell tagged `parameters` declares them, values from outside follow it in a cell of their own.

use std::sync::LazyLock;

use regex::Regex;

use super::document::Document;
use super::value::{expression, kind_of};
use crate::error::{Error, Result};

/// The tag that papermill takes, too.
const TAG: &str = "parameters";
/// The parameter that `--quick` sets.
const QUICK: &str = "quick";
/// How alike a name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.75;

/// `let [mut] name[: type] = value;` at the start of a line.
static DECLARATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern =
        r#"^\s*let\s+(mut\s+)?([\p{L}_][\p{L}\p{N}_]*)\s*(?::\s*([^=]+?))?\s*=\s*((?:"(?:[^"\\]|\\.)*"|[^";])+?)\s*;"#;
    Regex::new(pattern).ok()
});

/// A line that declares a parameter.
struct Declaration<'a> {
    name: &'a str,
    mutable: bool,
    kind: Option<&'a str>,
    value: &'a str,
    place: String,
    line: &'a str,
}

/// The code that gives the notebook these values; empty where there is none to give.
///
/// `quick` sets the parameter of that name in a notebook that has it, unless it is among `values`.
///
/// # Errors
/// A name that the notebook does not have, or a value that does not fit its type.
pub fn injected(document: &Document, quick: bool, values: &[(String, String)]) -> Result<String> {
    let cell = document.tagged(TAG);
    let known = cell.map(|(index, cell)| declarations(index, &cell.source)).unwrap_or_default();
    if let (None, Some((name, _))) = (cell, values.first()) {
        return Err(Error::NoParameters { name: name.clone() });
    }
    let mut lines = String::new();
    let by_name = |name: &str| known.iter().rfind(|declaration| declaration.name == name);
    if quick
        && !values.iter().any(|(name, _)| name == QUICK)
        && let Some(declaration) = by_name(QUICK)
    {
        lines += &declaration.line_with("true")?;
    }
    for (place, (name, value)) in values.iter().enumerate() {
        if values[..place].iter().any(|(earlier, _)| earlier == name) {
            return Err(Error::RepeatedParameter(name.clone()));
        }
        let declaration = by_name(name).ok_or_else(|| unknown(name, &known))?;
        lines += &declaration.line_with(value)?;
    }
    Ok(lines)
}

fn declarations(cell: usize, source: &str) -> Vec<Declaration<'_>> {
    let Some(pattern) = DECLARATION.as_ref() else { return Vec::new() };
    let declaration = |(number, line)| {
        let found = pattern.captures(line)?;
        Some(Declaration {
            mutable: found.get(1).is_some(),
            name: found.get(2)?.as_str(),
            kind: found.get(3).map(|kind| kind.as_str()),
            value: found.get(4)?.as_str(),
            place: format!("cell {}, line {}", cell + 1, number + 1),
            line: found.get(0)?.as_str().trim(),
        })
    };
    source.lines().enumerate().filter_map(declaration).collect()
}

impl Declaration<'_> {
    /// The same declaration with another value.
    fn line_with(&self, text: &str) -> Result<String> {
        let wrong = |kind: &str, reason: String| Error::Value {
            name: self.name.to_owned(),
            kind: kind.to_owned(),
            place: self.place.clone(),
            declaration: self.line.to_owned(),
            value: text.to_owned(),
            reason,
        };
        let kind = match self.kind.or_else(|| kind_of(self.value)) {
            Some(kind) => kind,
            None => return Err(wrong("without a type", "give it one, as in `let n: i64 = 3;`".into())),
        };
        let value = expression(kind, text).map_err(|reason| wrong(kind, reason))?;
        let mutable = if self.mutable { "mut " } else { "" };
        Ok(format!("let {mutable}{}: {kind} = {value};\n", self.name))
    }
}

fn unknown(name: &str, known: &[Declaration<'_>]) -> Error {
    let mut names: Vec<&str> = known.iter().map(|declaration| declaration.name).collect();
    names.dedup();
    let likeness = |one: &&str| strsim::jaro_winkler(one, name);
    let nearest = names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.filter(|one| likeness(one) >= ALIKE).map(|one| format!(", did you mean `{one}`?"));
    let known = if names.is_empty() {
        "none, for its cell tagged `parameters` has no line `let name: type = value;`".to_owned()
    } else {
        names.join(", ")
    };
    Error::UnknownParameter { name: name.to_owned(), nearest: nearest.unwrap_or_default(), known }
}

#[cfg(test)]
mod tests {
    use super::super::document::Cell;
    use super::*;

    fn document(source: &str) -> Document {
        let cell = |code, source: &str, tags: &[&str]| Cell {
            code,
            source: source.into(),
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
        };
        Document { cells: vec![cell(false, "# Title", &[]), cell(true, source, &[TAG])] }
    }

    fn given(source: &str, values: &[(&str, &str)]) -> Result<String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        injected(&document(source), false, &values.iter().map(own).collect::<Vec<_>>())
    }

    const SOURCE: &str = "\
// let old: i64 = 1;
let quick: bool = false; // fewer blocks
let mut seed: u64=7;
  let device = \"flex\";
let sizes: [usize; 3] = [64, 128, 256]; let second: i64 = 2;
let odd = \"a; let no: i64 = 3;\";
let lab: Lab = Lab::open(\"../results\")?;
let blocks = 20;";

    #[test]
    fn values_keep_name_type_and_mutability() {
        for (name, value, line) in [
            ("quick", "true", "let quick: bool = true;\n"),
            ("seed", "3", "let mut seed: u64 = 3;\n"),
            ("device", "lib\"torch", "let device: &str = \"lib\\\"torch\";\n"),
            ("sizes", "1,2,3", "let sizes: [usize; 3] = [1, 2, 3];\n"),
            ("odd", "", "let odd: &str = \"\";\n"),
            ("blocks", "5", "let blocks: i32 = 5;\n"),
        ] {
            assert_eq!(given(SOURCE, &[(name, value)]).expect(name), line);
        }
        let two = given(SOURCE, &[("blocks", "5"), ("seed", "1")]).expect("both");
        assert_eq!(two, "let blocks: i32 = 5;\nlet mut seed: u64 = 1;\n");
        assert_eq!(given(SOURCE, &[]).expect("nothing"), "");
    }

    #[test]
    fn a_wrong_value_names_parameter_type_and_line() {
        let told = given(SOURCE, &[("seed", "-1")]).expect_err("unsigned").to_string();
        for part in ["`seed`", "`u64`", "cell 2, line 3", "`let mut seed: u64=7;`", "`-1`", "from 0"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let told = given(SOURCE, &[("lab", "x")]).expect_err("no text is a lab").to_string();
        assert!(told.contains("`Lab`") && told.contains("line 7"), "{told}");
        let told = given("let x = f();", &[("x", "1")]).expect_err("no type").to_string();
        assert!(told.contains("without a type"), "{told}");
    }

    #[test]
    fn an_unknown_name_tells_the_nearest_and_all() {
        let told = given(SOURCE, &[("block", "3")]).expect_err("unknown").to_string();
        assert!(told.contains("did you mean `blocks`?"), "{told}");
        assert!(told.contains("it has quick, seed, device, sizes, odd, lab, blocks"), "{told}");
        let told = given(SOURCE, &[("zzz", "3")]).expect_err("unknown").to_string();
        assert!(!told.contains("did you mean"), "{told}");
        for hidden in ["old", "second", "no"] {
            assert!(given(SOURCE, &[(hidden, "3")]).is_err(), "{hidden} is no parameter");
        }
        let told = given("// nothing", &[("seed", "3")]).expect_err("unknown").to_string();
        assert!(told.contains("it has none"), "{told}");
        let told = given(SOURCE, &[("seed", "3"), ("seed", "4")]).expect_err("twice").to_string();
        assert!(told.contains("given twice"), "{told}");
    }

    #[test]
    fn quick_is_set_where_there_is_such_a_parameter() {
        let quick = |source: &str, values: &[(String, String)]| injected(&document(source), true, values);
        assert_eq!(quick(SOURCE, &[]).expect("set"), "let quick: bool = true;\n");
        assert_eq!(quick("let seed: i64 = 3;", &[]).expect("none"), "");
        let asked = [("quick".to_owned(), "false".to_owned())];
        assert_eq!(quick(SOURCE, &asked).expect("as asked"), "let quick: bool = false;\n");
        assert!(quick("let quick: i64 = 3;", &[]).is_err(), "another type");
        let plain = Document { cells: Vec::new() };
        assert_eq!(injected(&plain, true, &[]).expect("no cell"), "");
        let told = injected(&plain, true, &[("seed".into(), "3".into())]).expect_err("no cell").to_string();
        assert!(told.contains("no cell with the tag `parameters`") && told.contains("`seed`"), "{told}");
    }
}
