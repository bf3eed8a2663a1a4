//! What a cell holds beside Rust: SQL, commands of the shell, and questions about the session.
//!
//! Such lines stand before the first line of Rust. After it everything is Rust, where `%`, `!` and `?` mean other things.

mod sql;

pub use sql::{Chart, Kind, Sql, parameters};

/// A cell, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Whether it says how long it took.
    pub timed: bool,
    /// What it does, in this order.
    pub steps: Vec<Step>,
}

/// One thing that a cell does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Runs Rust code, and what evcxr calls commands, such as `:dep`.
    Rust {
        /// The code.
        code: String,
        /// How many lines of the cell stand before it.
        lines_before: usize,
    },
    /// Answers an SQL statement; a cell may have several.
    Sql(Sql),
    /// Shows the variables of the session.
    Variables,
    /// Runs a command of the shell.
    Shell(String),
    /// Says what a name means.
    Describe(String),
}

/// Why a cell cannot be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// There is no such magic.
    #[error("there is no `{0}`{near}; this kernel has {list}", near = did_you_mean(.0), list = NAMES.join(", "))]
    Unknown(String),
    /// `%%time` does not stand first.
    #[error("`%%time` must be the first line of its cell, alone on it")]
    Time,
    /// A statement is missing.
    #[error("`{0}` needs an SQL statement after it")]
    NoStatement(&'static str),
    /// Something is missing after this.
    #[error("`{0}` needs more after it: {1}")]
    Missing(&'static str, &'static str),
    /// An option of `%%sql` is unknown.
    #[error("`%%sql` has no option `{0}`; it has `--chart KIND x y [by]`, and `NAME <<` keeps an answer")]
    Option(String),
    /// There is no such chart.
    #[error("there is no chart `{0}`; there are {list}", list = sql::kinds())]
    Kind(String),
    /// An answer cannot have this name.
    #[error("an answer cannot be named `{0}`: it must be a name that Rust allows for a variable")]
    Name(String),
}

/// The magics, as a person types them.
pub const NAMES: [&str; 6] = ["%%sql", "%sql", "%%time", "%vars", "!COMMAND", "?NAME"];

fn did_you_mean(name: &str) -> String {
    let near = NAMES.into_iter().filter(|known| strsim::damerau_levenshtein(known, name) <= 2);
    near.min_by_key(|known| strsim::damerau_levenshtein(known, name))
        .map(|known| format!(" (did you mean `{known}`?)"))
        .unwrap_or_default()
}

impl Cell {
    /// Takes a cell apart.
    ///
    /// # Errors
    /// A line that is meant for the kernel cannot be understood.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut cell = Self::default();
        // Where begins what has not been taken yet, and the line that is looked at.
        let (mut taken, mut at) = (0, 0);
        while at < text.len() {
            let end = text[at..].find('\n').map_or(text.len(), |length| at + length + 1);
            let line = text[at..end].trim();
            // Comments before Rust belong to it, those before a magic to nothing.
            if line.is_empty() || line.starts_with("//") {
                at = end;
                continue;
            }
            if let Some(magic) = line.strip_prefix("%%") {
                let (name, rest) = word(magic);
                match name {
                    "time" if rest.is_empty() && cell == Self::default() => cell.timed = true,
                    "time" => return Err(Mistake::Time),
                    "sql" => {
                        let statement = format!("{rest}\n{}", &text[end..]);
                        cell.steps.extend(Sql::parse(&statement, "%%sql")?.apart().into_iter().map(Step::Sql));
                        return Ok(cell);
                    }
                    _ => return Err(Mistake::Unknown(format!("%%{name}"))),
                }
            } else if let Some(magic) = line.strip_prefix('%') {
                let (name, rest) = word(magic);
                match name {
                    "sql" => cell.steps.extend(Sql::parse(rest, "%sql")?.apart().into_iter().map(Step::Sql)),
                    "vars" => cell.steps.push(Step::Variables),
                    _ => return Err(Mistake::Unknown(format!("%{name}"))),
                }
            } else if let Some(command) = line.strip_prefix('!') {
                let command = command.trim();
                if command.is_empty() {
                    return Err(Mistake::Missing("!", "a command, as in `!ls`"));
                }
                cell.steps.push(Step::Shell(command.to_owned()));
            } else if let Some(name) = line.strip_prefix('?') {
                let name = name.trim_start_matches('?').trim();
                if name.is_empty() {
                    return Err(Mistake::Missing("?", "a name, as in `?lab`"));
                }
                cell.steps.push(Step::Describe(name.to_owned()));
            } else {
                let code = text[taken..].to_owned();
                let lines_before = text[..taken].matches('\n').count();
                cell.steps.push(Step::Rust { code, lines_before });
                return Ok(cell);
            }
            (taken, at) = (end, end);
        }
        Ok(cell)
    }
}

/// The first word of a text, and what stands after it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(text: &str) -> Vec<Step> {
        Cell::parse(text).expect(text).steps
    }

    fn rust(code: &str, lines_before: usize) -> Step {
        Step::Rust { code: code.to_owned(), lines_before }
    }

    #[test]
    fn rust_is_rust_to_the_last_byte() {
        for code in [
            "let x = 1;\n%vars\n",
            "\n// a comment\n/// of a function\nfn f() {}\n",
            ":dep serde = \"1\"\nuse serde::Serialize;",
            "a\n  % b",
            "\u{0}",
            "/* open",
            "#![allow(unused)]",
            "let t = \"%%sql\";\r\n?\r\n",
        ] {
            assert_eq!(steps(code), [rust(code, 0)]);
        }
    }

    #[test]
    fn a_cell_of_nothing_does_nothing() {
        for text in ["", " \n\t", "// only a comment\n\n// and another"] {
            assert_eq!(Cell::parse(text), Ok(Cell::default()), "{text:?}");
        }
    }

    #[test]
    fn lines_for_the_kernel_stand_before_rust() {
        let found = steps("// first\n!ls -l | wc\n\n?lab\n%vars\n%sql select 1\n// of f\nfn f() {}\n!x");
        let sql = Sql { statement: "select 1".into(), ..Sql::default() };
        let expected = [
            Step::Shell("ls -l | wc".into()),
            Step::Describe("lab".into()),
            Step::Variables,
            Step::Sql(sql),
            rust("// of f\nfn f() {}\n!x", 6),
        ];
        assert_eq!(found, expected);
        assert_eq!(steps("??Lab::open"), [Step::Describe("Lab::open".into())]);
    }

    #[test]
    fn a_cell_of_sql_is_sql_to_its_end() {
        let found = steps("\n%%sql\nselect 1,\n  !2 -- %vars\n");
        let [Step::Sql(sql)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(sql.statement, "select 1,\n  !2 -- %vars");
    }

    #[test]
    fn time_is_told_of_everything() {
        let cell = Cell::parse("%%time\n%%sql\nselect 1").expect("a cell");
        assert!(cell.timed && matches!(cell.steps.as_slice(), [Step::Sql(_)]));
        let cell = Cell::parse("%%time\nlet x = 1;").expect("a cell");
        assert_eq!((cell.timed, cell.steps), (true, vec![rust("let x = 1;", 1)]));
        for wrong in ["%%time let x = 1;", "!ls\n%%time\n1", "%%time\n%%time\n1"] {
            assert_eq!(Cell::parse(wrong), Err(Mistake::Time), "{wrong}");
        }
    }

    #[test]
    fn a_mistake_says_what_there_is() {
        for (text, part) in [
            ("%%sq\nselect 1", "did you mean `%%sql`?"),
            ("%var", "did you mean `%vars`?"),
            ("%matplotlib inline", "this kernel has %%sql, %sql"),
            ("%%bash\nls", "no `%%bash`"),
            ("!", "a command"),
            ("?", "a name"),
            ("%%sql", "`%%sql` needs an SQL statement"),
            ("%sql  ", "`%sql` needs an SQL statement"),
        ] {
            let said = Cell::parse(text).expect_err(text).to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn a_cell_of_a_megabyte_is_taken_apart() {
        let long = "let x = 1;\n".repeat(100_000);
        assert_eq!(steps(&long), [rust(&long, 0)]);
        let blank = "\n".repeat(1 << 20);
        assert_eq!(Cell::parse(&blank), Ok(Cell::default()));
    }

    proptest! {
        #[test]
        fn every_text_is_a_cell_or_a_mistake(text in "(%%|%|!|\\?|//|sql|time|vars|--chart|<<|\\$|'|\"|\n| |é|[a-z]|\\PC){0,24}") {
            let _ = Cell::parse(&text);
        }
    }
}
