//! Cells of SQL: `%%sql [NAME <<] [--chart KIND x y [by]] STATEMENT`, with `$name` for a Rust variable. Of several
//! statements, with a `;` after each, the last one has the name and the chart.

use std::fmt;

use super::{Mistake, word};

/// A statement, and what becomes of its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sql {
    /// The statement.
    pub statement: String,
    /// The name of the answer, for later Rust and later SQL.
    pub name: Option<String>,
    /// How the answer is drawn; as a table where this says nothing.
    pub chart: Option<Chart>,
}

/// A chart of an answer, by the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its kind.
    pub kind: Kind,
    /// The column along the horizontal axis.
    pub x: String,
    /// The column along the vertical axis.
    pub y: String,
    /// The column by which the rows are told apart in colour.
    pub by: Option<String>,
}

/// A kind of chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Points that are joined in the order of the rows.
    Line,
    /// Points.
    Scatter,
    /// A bar for each row.
    Bar,
}

impl Kind {
    const ALL: [(&str, Self); 3] = [("line", Self::Line), ("scatter", Self::Scatter), ("bar", Self::Bar)];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::ALL.iter().find(|(_, kind)| kind == self);
        f.write_str(named.map_or("", |(name, _)| *name))
    }
}

/// The kinds of charts, for a person.
pub(super) fn kinds() -> String {
    Kind::ALL.map(|(name, _)| format!("`{name}`")).join(", ")
}

/// Words by which a statement begins, and a column without quotation marks is not named.
const STATEMENTS: [&str; 10] =
    ["select", "with", "values", "table", "from", "show", "describe", "explain", "(select", "(with"];

/// Words of Rust that no variable can be named by.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false \
    final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self Self static struct \
    super trait true try type typeof unsafe unsized use virtual where while yield _";

impl Sql {
    /// Reads what stands after `magic`.
    pub(super) fn parse(text: &str, magic: &'static str) -> Result<Self, Mistake> {
        let mut sql = Self::default();
        let mut rest = text.trim();
        loop {
            let (first, after) = word(rest);
            if first == "--chart" {
                let (chart, left) = Chart::parse(after)?;
                (sql.chart, rest) = (Some(chart), left);
            } else if let Some((name, left)) = bound(rest) {
                if !ra_ap_rustc_lexer::is_ident(name) || KEYWORDS.split_whitespace().any(|word| word == name) {
                    return Err(Mistake::Name(name.to_owned()));
                }
                (sql.name, rest) = (Some(name.to_owned()), left);
            } else if is_option(first) {
                return Err(Mistake::Option(first.to_owned()));
            } else {
                break;
            }
        }
        if rest.is_empty() {
            return Err(Mistake::NoStatement(magic));
        }
        rest.clone_into(&mut sql.statement);
        Ok(sql)
    }

    /// Each statement by itself.
    pub(super) fn apart(self) -> Vec<Self> {
        let mut statements = statements(&self.statement);
        let Some(last) = statements.pop().map(str::to_owned) else { return Vec::new() };
        let mut all: Vec<Self> = statements
            .into_iter()
            .map(|statement| Self { statement: statement.to_owned(), ..Self::default() })
            .collect();
        all.push(Self { statement: last, ..self });
        all
    }
}

/// The statements of a text, each with its mark; what holds nothing else is none.
fn statements(text: &str) -> Vec<&str> {
    let (mut found, mut begin, mut at) = (Vec::new(), 0, 0);
    let mut says_something = false;
    while let Some(first) = text[at..].chars().next() {
        let length = piece(&text[at..], first);
        let is_comment = length > 1 && matches!(first, '-' | '/');
        at += length;
        if first == ';' && says_something {
            found.push(text[begin..at].trim());
        }
        if first == ';' {
            (begin, says_something) = (at, false);
        } else {
            says_something |= !first.is_whitespace() && !is_comment;
        }
    }
    if says_something || found.is_empty() {
        found.push(text[begin..].trim());
    }
    found
}

/// `NAME <<`, or `NAME =<<` as JupySQL has it for an answer that is shown too, at the head of a text, and what stands after it.
fn bound(text: &str) -> Option<(&str, &str)> {
    let line = text.lines().next().unwrap_or_default();
    let at = line.find("<<")?;
    let head = line[..at].trim();
    let name = head.strip_suffix('=').unwrap_or(head).trim_end();
    let one_word = !name.is_empty() && name_of(name) == name;
    one_word.then(|| (name, text[at + 2..].trim_start()))
}

/// Whether a word is written as an option; a comment of SQL has a blank after its marks.
fn is_option(word: &str) -> bool {
    word.strip_prefix("--").is_some_and(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))
}

impl Chart {
    /// Reads what stands after `--chart`; gives what follows, too.
    fn parse(text: &str) -> Result<(Self, &str), Mistake> {
        let (line, below) = text.split_once('\n').unwrap_or((text, ""));
        let missing = Mistake::Missing("--chart", "a kind and two columns, as in `--chart line seq_q median_ns`");
        let (named, rest) = word(line);
        if named.is_empty() {
            return Err(missing);
        }
        let known = Kind::ALL.iter().find(|(name, _)| *name == named);
        let (_, kind) = known.ok_or_else(|| Mistake::Kind(named.to_owned()))?;
        let (x, rest) = column(rest).ok_or(missing.clone())?;
        let (y, rest) = column(rest).ok_or(missing)?;
        let (by, rest) = match column(rest) {
            Some((by, after)) if bound(rest).is_none() => (Some(by), after),
            _ => (None, rest),
        };
        // What is left of the line, if anything, begins the statement.
        let left = if rest.trim().is_empty() { below } else { &text[line.len() - rest.len()..] };
        Ok((Self { kind: *kind, x, y, by }, left.trim_start()))
    }
}

/// The name of a column at the head of a text, and what stands after it.
fn column(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, after) = quoted.split_once('"')?;
        return Some((name.to_owned(), after.trim_start()));
    }
    let (name, after) = word(text);
    let begins = STATEMENTS.iter().any(|start| name.eq_ignore_ascii_case(start));
    (!name.is_empty() && !begins && !is_option(name)).then(|| (name.to_owned(), after))
}

/// The Rust variables that a statement names by `$`, each once, in their order.
///
/// What stands in quotation marks, in comments and between `$$` is no parameter.
#[must_use]
pub fn parameters(statement: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = statement;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '$' if before.is_alphanumeric() || before == '_' => 1,
            '$' if between_dollars(rest).is_none() => {
                let name = name_of(&rest[1..]);
                let starts = name.starts_with(|first: char| !first.is_ascii_digit());
                if starts && found.iter().all(|known| known != name) {
                    found.push(name.to_owned());
                }
                1 + name.len()
            }
            _ => piece(rest, first),
        };
        let (gone, left) = rest.split_at(length);
        before = gone.chars().next_back().unwrap_or(' ');
        rest = left;
    }
    found
}

/// The letters, digits and underscores at the head of a text.
fn name_of(text: &str) -> &str {
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(text.len());
    &text[..end]
}

/// How far the text, the comment or the letter reaches by which a statement goes on.
fn piece(rest: &str, first: char) -> usize {
    match first {
        '\'' | '"' => closed(rest, 1, &first.to_string()),
        '-' if rest.starts_with("--") => closed(rest, 2, "\n"),
        '/' if rest.starts_with("/*") => comment(rest),
        '$' => between_dollars(rest).unwrap_or(1),
        _ => first.len_utf8(),
    }
}

/// How far a text reaches that stands between `$$`, or between `$tag$`; nothing where none begins here.
fn between_dollars(rest: &str) -> Option<usize> {
    let name = name_of(&rest[1..]);
    let tag = rest.get(..name.len() + 2).filter(|tag| tag.ends_with('$'))?;
    Some(closed(rest, tag.len(), tag))
}

/// How far a text reaches that ends by `mark`, which is looked for from `start` on.
fn closed(text: &str, start: usize, mark: &str) -> usize {
    text[start..].find(mark).map_or(text.len(), |at| start + at + mark.len())
}

/// How far a comment reaches, with those inside of it.
fn comment(text: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let Some(next) = text[at..].find(['/', '*']) else { return text.len() };
        at += next;
        let step = match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                2
            }
            Some(b"*/") => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Sql {
        Sql::parse(text, "%%sql").expect(text)
    }

    fn chart(kind: Kind, x: &str, y: &str, by: Option<&str>) -> Option<Chart> {
        Some(Chart { kind, x: x.into(), y: y.into(), by: by.map(str::to_owned) })
    }

    #[test]
    fn an_answer_gets_its_name() {
        for (text, name, statement) in [
            ("select 1", None, "select 1"),
            ("\nselect 1 << 2\n", None, "select 1 << 2"),
            ("best << select 1", Some("best"), "select 1"),
            ("best <<\nselect 1 << 2;", Some("best"), "select 1 << 2;"),
            ("best<<select 1", Some("best"), "select 1"),
            ("best =<< select 1", Some("best"), "select 1"),
            ("best=<<\nselect 1 = 2 << 3", Some("best"), "select 1 = 2 << 3"),
            ("-- a comment\nselect 1", None, "-- a comment\nselect 1"),
            ("values(1<<2)", None, "values(1<<2)"),
        ] {
            let sql = parse(text);
            assert_eq!((sql.name.as_deref(), sql.statement.as_str(), sql.chart), (name, statement, None), "{text}");
        }
        for (text, name) in [("1a << select 1", "1a"), ("type << select 1", "type"), ("_ << select 1", "_")] {
            assert_eq!(Sql::parse(text, "%%sql"), Err(Mistake::Name(name.into())));
        }
    }

    #[test]
    fn statements_are_told_apart_by_their_marks() {
        for (text, expected) in [
            ("select 1", vec!["select 1"]),
            ("select 1;", vec!["select 1;"]),
            ("select 1;\n\nselect 2 -- a; b\n;\n-- the end;", vec!["select 1;", "select 2 -- a; b\n;"]),
            (
                "select ';', \";\", $$ ; $$, $t$ ; $t$ /* ; */; select $a",
                vec!["select ';', \";\", $$ ; $$, $t$ ; $t$ /* ; */;", "select $a"],
            ),
            (";; select 1;;", vec!["select 1;"]),
            ("-- nothing", vec!["-- nothing"]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
        let all = parse("best << select 1; select 2").apart();
        assert_eq!(
            all.iter().map(|one| (one.name.as_deref(), one.statement.as_str())).collect::<Vec<_>>(),
            [(None, "select 1;"), (Some("best"), "select 2"),]
        );
    }

    #[test]
    fn an_answer_becomes_a_chart() {
        for (text, expected) in [
            ("--chart line x y\nselect 1", chart(Kind::Line, "x", "y", None)),
            ("--chart bar x y by_name\nselect 1", chart(Kind::Bar, "x", "y", Some("by_name"))),
            ("--chart scatter x y SELECT 1", chart(Kind::Scatter, "x", "y", None)),
            ("--chart line x y \r\nselect 1", chart(Kind::Line, "x", "y", None)),
            ("--chart line x y z with a as (select 1) select 1", chart(Kind::Line, "x", "y", Some("z"))),
            ("--chart line \"a b\" y \"select\"\nselect 1", chart(Kind::Line, "a b", "y", Some("select"))),
        ] {
            let sql = parse(text);
            assert_eq!(sql.chart, expected, "{text}");
            assert!(sql.statement.to_lowercase().ends_with("select 1"), "{}", sql.statement);
            assert!(!sql.statement.contains("chart"), "{}", sql.statement);
        }
        for text in ["a << --chart line x y z\nselect 1", "--chart line x y z a << select 1"] {
            let sql = parse(text);
            assert_eq!((sql.name.as_deref(), sql.statement.as_str()), (Some("a"), "select 1"), "{text}");
            assert_eq!(sql.chart, chart(Kind::Line, "x", "y", Some("z")));
        }
        let sql = parse("--chart line x y a << select 1");
        assert_eq!((sql.name.as_deref(), sql.chart), (Some("a"), chart(Kind::Line, "x", "y", None)));
    }

    #[test]
    fn a_mistake_in_the_options_is_said() {
        for (text, part) in [
            ("--chart", "a kind and two columns"),
            ("--chart line x\nselect 1", "a kind and two columns"),
            ("--chart pie x y\nselect 1", "`line`, `scatter`, `bar`"),
            ("--chart line x y", "needs an SQL statement"),
            ("--save best\nselect 1", "no option `--save`"),
            ("--save best\nselect 1", "`NAME <<` keeps an answer"),
            ("best <<", "needs an SQL statement"),
        ] {
            let said = Sql::parse(text, "%%sql").expect_err(text).to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
        assert_eq!(Kind::Scatter.to_string(), "scatter");
    }

    #[test]
    fn parameters_stand_outside_of_text_and_comments() {
        for (statement, names) in [
            ("select $a + $b_2, $a", vec!["a", "b_2"]),
            ("select '$a', 'it''s $b', \"$c\", $d", vec!["d"]),
            ("select 1 -- $a\n + $b -- $c", vec!["b"]),
            ("/* $a /* $b */ $c */ $d /* $e", vec!["d"]),
            ("select $1, a$b, $$ $c $$, $t$ $d $t$, $é", vec!["é"]),
            ("'open $a", vec![]),
            ("$", vec![]),
            ("$a$", vec![]),
        ] {
            assert_eq!(parameters(statement), names, "{statement}");
        }
    }

    proptest! {
        #[test]
        fn every_text_has_its_parameters(text in "(\\$|'|\"|--|/\\*|\\*/|/|\\*|\n|[a-z0-9_]|é|\\PC){0,32}") {
            for name in parameters(&text) {
                let written = format!("${name}");
                prop_assert!(text.contains(&written));
            }
            if let Ok(sql) = Sql::parse(&text, "%%sql") {
                prop_assert!(!sql.apart().is_empty());
            }
        }
    }
}
