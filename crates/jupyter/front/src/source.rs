//! The text of cells: whether it is complete, and where in it a name stands.

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, tokenize};

use crate::magics::{Cell, Mistake, Step};

/// Whether a cell can be run as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// It can.
    Complete,
    /// More lines are to come, and the next one begins with this.
    Incomplete(String),
    /// It cannot, whatever follows.
    Invalid,
}

/// One step of indentation, and how many steps a line begins with at most.
const INDENT: &str = "    ";
const STEPS: usize = 16;

/// Whether a cell can be run as it stands, or a console should ask for another line.
#[must_use]
pub fn completeness(text: &str) -> Completeness {
    match Cell::parse(text) {
        Err(Mistake::NoStatement("%%sql")) => Completeness::Incomplete(String::new()),
        Err(_) => Completeness::Invalid,
        Ok(cell) => match cell.steps.last() {
            Some(Step::Rust { code, .. }) => of_rust(code),
            Some(Step::Sql(sql)) if text.trim_start().starts_with("%%") && !ends(text, &sql.statement) => {
                Completeness::Incomplete(String::new())
            }
            None if cell.timed => Completeness::Incomplete(String::new()),
            _ => Completeness::Complete,
        },
    }
}

/// Whether a statement ends, by its own mark or by a line that was left empty.
fn ends(cell: &str, statement: &str) -> bool {
    statement.ends_with(';') || cell.ends_with('\n')
}

fn of_rust(code: &str) -> Completeness {
    let mut open = Vec::new();
    let mut last = None;
    for token in tokenize(code, FrontmatterAllowed::No) {
        let closes = match token.kind {
            TokenKind::OpenParen => Err(TokenKind::CloseParen),
            TokenKind::OpenBrace => Err(TokenKind::CloseBrace),
            TokenKind::OpenBracket => Err(TokenKind::CloseBracket),
            TokenKind::CloseParen | TokenKind::CloseBrace | TokenKind::CloseBracket => Ok(token.kind),
            TokenKind::Unknown | TokenKind::InvalidIdent => return Completeness::Invalid,
            TokenKind::BlockComment { terminated: false, .. } => return Completeness::Incomplete(String::new()),
            TokenKind::Literal { kind, .. } if !terminated(kind) => return unterminated(kind),
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => continue,
            kind => {
                last = Some(kind);
                continue;
            }
        };
        match closes {
            Err(expected) => open.push(expected),
            Ok(found) if open.pop() != Some(found) => return Completeness::Invalid,
            Ok(_) => {}
        }
        last = Some(token.kind);
    }
    if open.is_empty() && !last.is_some_and(wants_more) {
        Completeness::Complete
    } else {
        Completeness::Incomplete(INDENT.repeat(open.len().clamp(1, STEPS)))
    }
}

fn terminated(kind: LiteralKind) -> bool {
    match kind {
        LiteralKind::Char { terminated }
        | LiteralKind::Byte { terminated }
        | LiteralKind::Str { terminated }
        | LiteralKind::ByteStr { terminated }
        | LiteralKind::CStr { terminated } => terminated,
        LiteralKind::RawStr { n_hashes } | LiteralKind::RawByteStr { n_hashes } | LiteralKind::RawCStr { n_hashes } => {
            n_hashes.is_some()
        }
        LiteralKind::Int { .. } | LiteralKind::Float { .. } => true,
    }
}

/// A string may go on in the next line; a character may not.
fn unterminated(kind: LiteralKind) -> Completeness {
    match kind {
        LiteralKind::Char { .. } | LiteralKind::Byte { .. } => Completeness::Invalid,
        _ => Completeness::Incomplete(String::new()),
    }
}

/// Whether no statement ends with this.
fn wants_more(kind: TokenKind) -> bool {
    use TokenKind::{And, Caret, Colon, Comma, Dot, Eq, Gt, Lt, Minus, Or, Percent, Plus, Slash, Star};
    matches!(kind, And | Caret | Colon | Comma | Dot | Eq | Gt | Lt | Minus | Or | Percent | Plus | Slash | Star)
}

/// The byte at which a position lies that Jupyter counts in code points.
#[must_use]
pub fn byte_at(text: &str, code_points: usize) -> usize {
    text.char_indices().nth(code_points).map_or(text.len(), |(at, _)| at)
}

/// The position in code points of a byte; of the letter that it belongs to, if it is inside of one.
#[must_use]
pub fn code_points(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, letter)| at + letter.len_utf8() <= byte).count()
}

/// The path or name at a byte of a text, such as `Lab::open` or `lab.sql`, to its end.
#[must_use]
pub fn name_at(text: &str, byte: usize) -> Option<&str> {
    let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':' | '.');
    let byte = (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
    let start = text[..byte]
        .rfind(|letter: char| !part(letter))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let whole = |letter: char| letter.is_alphanumeric() || letter == '_';
    let end = text[byte..].find(|letter: char| !whole(letter)).map_or(text.len(), |length| byte + length);
    let name = text[start..end].trim_matches([':', '.']);
    name.starts_with(|first: char| first.is_alphabetic() || first == '_').then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn incomplete(indent: usize) -> Completeness {
        Completeness::Incomplete(INDENT.repeat(indent))
    }

    #[test]
    fn rust_is_complete_when_everything_is_closed() {
        for code in [
            "",
            "let x = 1;",
            "1 + 1",
            "fn f<'a>(x: &'a str) -> char { '}' }",
            "println!(\"{{ ( [\"); // {",
            "let s = r#\"\"}\"#;",
            "/* { /* ( */ */",
            "f()?",
            ":dep serde = \"1\"",
        ] {
            assert_eq!(completeness(code), Completeness::Complete, "{code}");
        }
    }

    #[test]
    fn what_is_open_wants_another_line() {
        for (code, indent) in [
            ("fn f() {", 1),
            ("fn f() {\n    if x {", 2),
            ("let x = [\n  (1,", 2),
            ("let x =", 1),
            ("1..", 1),
            ("a.b()\n  .", 1),
            ("let s = \"abc", 0),
            ("r##\"a\"#", 0),
            ("/* a /* b */", 0),
        ] {
            assert_eq!(completeness(code), incomplete(indent), "{code}");
        }
    }

    #[test]
    fn what_no_line_can_mend_is_invalid() {
        for code in ["}", "fn f() { ) }", "(]", "let x = '(;\n", "a \u{0} b", "№", "%%sq\nselect 1", "%%time 1"] {
            assert_eq!(completeness(code), Completeness::Invalid, "{code:?}");
        }
    }

    #[test]
    fn sql_ends_by_its_mark_or_by_an_empty_line() {
        for (code, complete) in [
            ("%%sql", false),
            ("%%sql\nselect 1", false),
            ("%%sql\nselect 1;", true),
            ("%%sql\nselect 1\n", true),
            ("%sql select 1", true),
            ("%%time", false),
            ("%vars", true),
            ("!ls", true),
        ] {
            assert_eq!(completeness(code) == Completeness::Complete, complete, "{code}");
        }
    }

    #[test]
    fn a_cell_of_a_megabyte_is_judged() {
        assert_eq!(completeness(&"let x = 1;\n".repeat(100_000)), Completeness::Complete);
        let deep = completeness(&"{".repeat(1 << 20));
        assert!(matches!(deep, Completeness::Incomplete(indent) if indent.len() == INDENT.len() * STEPS));
    }

    #[test]
    fn names_are_found_where_they_stand() {
        for (text, byte, name) in [
            ("lab.sql(x)", 5, Some("lab.sql")),
            ("lab.sql(x)", 2, Some("lab")),
            ("Lab::open", 9, Some("Lab::open")),
            ("(x + größe)", 8, Some("größe")),
            ("f(&lab.)", 7, Some("lab")),
            ("1 + 2", 2, None),
            ("", 0, None),
            ("x", 99, Some("x")),
        ] {
            assert_eq!(name_at(text, byte), name, "{text} {byte}");
        }
    }

    proptest! {
        #[test]
        fn positions_lead_there_and_back(text in "\\PC{0,16}", at in 0..20_usize) {
            let byte = byte_at(&text, at);
            prop_assert!(text.is_char_boundary(byte));
            prop_assert_eq!(code_points(&text, byte), at.min(text.chars().count()));
        }

        #[test]
        fn every_text_is_judged(text in "([(){}\\[\\]'\"#r/*\\\\ \n]|\\PC){0,32}", at in 0..40_usize) {
            let _ = completeness(&text);
            if let Some(name) = name_at(&text, at) {
                prop_assert!(text.contains(name));
            }
        }
    }
}
