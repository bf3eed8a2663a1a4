//! Parts of a cell of Rust that a kernel may write anew before it is compiled: its last value, its loops, and variables
//! without a type. Only the outermost statements are looked at, and only where their form leaves no doubt.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// A word of Rust: a name, a literal, or a sign.
struct Word<'a> {
    kind: TokenKind,
    text: &'a str,
    at: usize,
    /// How many brackets are open around it.
    depth: usize,
}

impl Word<'_> {
    fn end(&self) -> usize {
        self.at + self.text.len()
    }

    fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// Words by which a statement begins that has no value to show, or whose end is in doubt.
const NO_VALUES: [&str; 25] = [
    "let",
    "fn",
    "struct",
    "enum",
    "union",
    "use",
    "impl",
    "mod",
    "trait",
    "type",
    "const",
    "static",
    "extern",
    "pub",
    "macro_rules",
    "unsafe",
    "async",
    "for",
    "while",
    "loop",
    "if",
    "match",
    "return",
    "break",
    "continue",
];

/// Words before the body of a loop that open brackets of their own.
const BRACKETS: [&str; 8] = ["match", "if", "unsafe", "async", "const", "loop", "while", "for"];

fn words(code: &str) -> Vec<Word<'_>> {
    let (mut at, mut depth) = (0, 0_usize);
    let mut words = Vec::new();
    for token in tokenize(code, FrontmatterAllowed::No) {
        let end = at + token.len as usize;
        let text = &code[at..end];
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => {}
            kind => {
                if matches!(kind, TokenKind::CloseParen | TokenKind::CloseBrace | TokenKind::CloseBracket) {
                    depth = depth.saturating_sub(1);
                }
                words.push(Word { kind, text, at, depth });
                if matches!(kind, TokenKind::OpenParen | TokenKind::OpenBrace | TokenKind::OpenBracket) {
                    depth += 1;
                }
            }
        }
        at = end;
    }
    words.retain(|word| word.depth == 0);
    words
}

fn is_name(word: &Word<'_>) -> bool {
    matches!(word.kind, TokenKind::Ident | TokenKind::RawIdent)
}

/// Whether a statement can begin after this word; what stands before the first one is nothing.
fn ends_statement(word: Option<&Word<'_>>) -> bool {
    word.is_none_or(|word| word.is(";") || word.is("}"))
}

/// Where the last expression of a cell stands, if the cell ends by one and it is without doubt one.
#[must_use]
pub fn last_value(code: &str) -> Option<(usize, usize)> {
    let words = words(code);
    let begins = |number: &usize| {
        let (before, word) = (number.checked_sub(1).map(|before| &words[before]), &words[*number]);
        match before {
            None => true,
            Some(before) if before.is(";") => true,
            // An expression goes on after a bracket by a sign, or by `else`; a name or a literal begins another one.
            Some(before) => {
                before.is("}") && (is_name(word) || matches!(word.kind, TokenKind::Literal { .. })) && !word.is("else")
            }
        }
    };
    let first = (0..words.len()).rev().find(begins)?;
    let value = &words[first..];
    let begin = value.first()?;
    let sign = matches!(
        begin.kind,
        TokenKind::OpenParen
            | TokenKind::OpenBracket
            | TokenKind::And
            | TokenKind::Star
            | TokenKind::Minus
            | TokenKind::Bang
            | TokenKind::Literal { .. }
    );
    let fits = (sign || is_name(begin)) && !NO_VALUES.contains(&begin.text);
    let plain = value.iter().all(|word| !word.is("{") && !word.is("}") && !word.is(";"));
    (fits && plain).then(|| (begin.at, value.last().map_or(begin.end(), Word::end)))
}

/// The outermost loops: the numbers of the words by which they and their bodies begin.
fn loops(words: &[Word<'_>]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| &words[before]);
        let begins = ends_statement(before) || before.is_some_and(|label| label.is(":"));
        if !begins || !["for", "while", "loop"].iter().any(|name| word.is(name)) {
            continue;
        }
        let Some(length) = words[number + 1..].iter().position(|word| word.is("{")) else { continue };
        let head = &words[number + 1..number + 1 + length];
        // `for<'a>` is the beginning of a type.
        let plain = head.iter().all(|word| !BRACKETS.contains(&word.text) && !word.is(";"));
        if plain && !head.first().is_some_and(|word| word.is("<")) {
            found.push((number, number + 1 + length));
        }
    }
    found
}

/// The places right inside of the bodies of the outermost loops.
#[must_use]
pub fn loop_bodies(code: &str) -> Vec<usize> {
    let words = words(code);
    loops(&words).into_iter().map(|(_, body)| words[body].end()).collect()
}

/// The end of a cell that ends by a loop without a value.
#[must_use]
pub fn last_loop(code: &str) -> Option<usize> {
    let words = words(code);
    let (number, body) = loops(&words).pop()?;
    let is_last = body + 2 == words.len() && words[body + 1].is("}");
    (is_last && !words[number].is("loop")).then(|| words[body + 1].end())
}

/// The ends of the names of variables that are declared without a type, `let name = …`.
#[must_use]
pub fn untyped(code: &str) -> Vec<usize> {
    let words = words(code);
    let mut places = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| &words[before]);
        if !word.is("let") || !ends_statement(before) {
            continue;
        }
        let rest = &words[number + 1..];
        let rest = if rest.first().is_some_and(|word| word.is("mut")) { &rest[1..] } else { rest };
        if let [name, sign, ..] = rest
            && is_name(name)
            && !name.is("_")
            && sign.is("=")
        {
            places.push(name.end());
        }
    }
    places
}

/// What makes a variable that is declared without a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker<'a> {
    /// The end of the variable's name.
    pub place: usize,
    /// The first word of what makes it.
    pub first: &'a str,
    /// The method that is called last, where one is.
    pub method: Option<&'a str>,
}

/// What makes the variables that are declared without a type; nothing where a block makes one of them.
#[must_use]
pub fn makers(code: &str) -> Option<Vec<Maker<'_>>> {
    let words = words(code);
    let maker = |place: usize| {
        let name = words.iter().position(|word| word.end() == place)?;
        let value = words.get(name + 2..)?;
        let value = &value[..value.iter().position(|word| word.is(";"))?];
        let first = value.first().filter(|_| value.iter().all(|word| !word.is("{")))?.text;
        let mut back = value.iter().rev().skip_while(|word| word.is("?"));
        let is_call = [")", "("].iter().all(|sign| back.next().is_some_and(|word| word.is(sign)));
        let called = back.next().filter(|word| is_call && is_name(word));
        let method = called.filter(|_| back.next().is_some_and(|word| word.is("."))).map(|word| word.text);
        Some(Maker { place, first, method })
    };
    untyped(code).into_iter().map(maker).collect()
}

/// Whether a cell computes by itself, and not only by what it calls: by a loop, a closure, a function or an iterator.
#[must_use]
pub fn computes(code: &str) -> bool {
    let computing = ["for", "while", "loop", "iter", "iter_mut", "into_iter", "lines", "chars", "fold", "collect"];
    defines(code) || has(code, |kind, word| kind == TokenKind::Or || computing.contains(&word))
}

/// Whether a cell defines what later cells may compute by.
#[must_use]
pub fn defines(code: &str) -> bool {
    has(code, |_, word| ["fn", "impl", "mod", "trait", "macro_rules"].contains(&word))
}

fn has(code: &str, found: impl Fn(TokenKind, &str) -> bool) -> bool {
    let mut at = 0;
    tokenize(code, FrontmatterAllowed::No).any(|token| {
        let begin = at;
        at += token.len as usize;
        found(token.kind, &code[begin..at])
    })
}

/// A text with other texts put in at places of it, which are in ascending order.
#[must_use]
pub fn with(code: &str, added: &[(usize, &str)]) -> String {
    let mut text = code.to_owned();
    for (place, more) in added.iter().rev() {
        text.insert_str(*place, more);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(code: &str) -> Option<&str> {
        last_value(code).map(|(start, end)| &code[start..end])
    }

    #[test]
    fn the_last_value_is_found_where_there_is_no_doubt() {
        for (code, expected) in [
            ("6 * 7", Some("6 * 7")),
            ("let a = 1;\na // said\n", Some("a")),
            ("lab.sql(\"a; b\")?", Some("lab.sql(\"a; b\")?")),
            ("let a = S { b: 1 };\n(a.b)", Some("(a.b)")),
            ("fn f() -> u8 { 2 }\nf()", Some("f()")),
            ("for x in y { z(); }\nstack![a, b]", Some("stack![a, b]")),
            ("vec.iter().map(|x| { x + 1 }).sum::<i32>()", Some("vec.iter().map(|x| { x + 1 }).sum::<i32>()")),
            ("&a", Some("&a")),
            ("a;", None),
            ("let a = 1", None),
            ("if a { 1 } else { 2 }", None),
            ("match a { _ => 1 }", None),
            ("S { a: 1 }", None),
            ("{ 1 }.max(2)", None),
            ("use a::b;\nfn f() {}", None),
            (":dep a = \"1\"", None),
            ("#[derive(Debug)]\nstruct A;", None),
            ("}", None),
            ("", None),
        ] {
            assert_eq!(value(code), expected, "{code}");
        }
    }

    #[test]
    fn loops_are_entered_at_their_bodies() {
        let look = |code: &str| {
            let added: Vec<(usize, &str)> = loop_bodies(code).into_iter().map(|place| (place, "!")).collect();
            with(code, &added)
        };
        for (code, expected) in [
            ("for x in 0..9 { f(x) }", "for x in 0..9 {! f(x) }"),
            (
                "let a = 1;\n'a: loop { break 'a; }\nwhile b { c() }",
                "let a = 1;\n'a: loop {! break 'a; }\nwhile b {! c() }",
            ),
            ("while let Some(x) = f(|y| { y }) { g() }", "while let Some(x) = f(|y| { y }) {! g() }"),
            ("while match a { _ => true } { f() }", "while match a { _ => true } { f() }"),
            ("impl A for B { fn f() { loop {} } }", "impl A for B { fn f() { loop {} } }"),
            ("fn f() { loop {} }\nlet a = loop { break 1; };", "fn f() { loop {} }\nlet a = loop { break 1; };"),
        ] {
            assert_eq!(look(code), expected, "{code}");
        }
    }

    #[test]
    fn a_loop_at_the_end_has_no_value() {
        let rest = |code: &str| last_loop(code).map(|end| code[end..].to_owned());
        assert_eq!(rest("let a = 1;\nfor x in y { z() } // end"), Some(" // end".into()));
        assert_eq!(rest("'a: while b { { c() } }"), Some(String::new()));
        for code in ["for x in y { z() };", "for x in y {}\na", "loop { break 1 }", "if a {}", "for x in y {", ""] {
            assert_eq!(rest(code), None, "{code}");
        }
    }

    #[test]
    fn variables_without_a_type_are_found() {
        let code = "let a = 1; let mut b = f()?;\nlet c: u8 = 1;\nlet (d, e) = g();\nif let f = h() {}\nlet i = { let j = 1; j };";
        let names: Vec<char> = untyped(code).into_iter().filter_map(|end| code[..end].chars().next_back()).collect();
        assert_eq!(names, ['a', 'b', 'i']);
        assert_eq!(with("let a = 1;", &[(5, ": u8")]), "let a: u8 = 1;");
    }

    #[test]
    fn a_variable_is_made_by_what_is_called_last() {
        let made = |code: &str| -> Option<Vec<(String, Option<String>)>> {
            let words = |one: Maker<'_>| (one.first.to_owned(), one.method.map(str::to_owned));
            makers(code).map(|found| found.into_iter().map(words).collect())
        };
        for (code, first, method) in [
            ("let run = lab.run(&plan)?;", "lab", Some("run")),
            ("let mut lab = Lab::open(\"a; b\")?;", "Lab", None),
            ("let n = lab.sql(&text({ 1 }))?.rows();", "lab", Some("rows")),
            ("let plan = Plan::quick(\"a\")\n    .blocks(3); // said", "Plan", Some("blocks")),
            ("let id = run.id;", "run", None),
            ("let all = list();", "list", None),
            ("let all = v.iter().collect::<Vec<u8>>();", "v", None),
            ("let text = format!(\"{}\", a.sql());", "format", None),
        ] {
            assert_eq!(made(code), Some(vec![(first.to_owned(), method.map(str::to_owned))]), "{code}");
        }
        assert_eq!(made("let a: u8 = 1;\na"), Some(vec![]));
        for code in ["let a = lab.run(&plan)?;\nlet b = { 1 };", "let a = if b { 1 } else { 2 };", "let a = 1"] {
            assert_eq!(made(code), None, "{code}");
        }
    }

    #[test]
    fn what_only_calls_does_not_compute() {
        for code in ["lab.sql(\"select 1 | for\")?", "let run = lab.run(&plan)?; // fn", "6 * 7", "stack![a, b]"] {
            assert!(!computes(code), "{code}");
        }
        for code in ["for x in y {}", "v.map(|x| x + 1)", "fn f() {}", "v.iter().sum::<f64>()", "let a = b || c;"] {
            assert!(computes(code), "{code}");
        }
        assert!(defines("impl A {}") && defines("let a = 1;\nfn f() {}") && !defines("let f = |x| x;"));
    }

    proptest! {
        #[test]
        fn every_text_has_its_parts(code in "(let |mut |for |while |loop |\\{|\\}|\\(|\\)|;|=|:|'a|\"|//|\n| |é|[a-z]|\\PC){0,32}") {
            let added: Vec<(usize, &str)> = loop_bodies(&code).into_iter().map(|place| (place, "x")).collect();
            prop_assert_eq!(with(&code, &added).len(), code.len() + added.len());
            let typed: Vec<(usize, &str)> = untyped(&code).into_iter().map(|place| (place, "x")).collect();
            prop_assert_eq!(with(&code, &typed).len(), code.len() + typed.len());
            prop_assert!(makers(&code).is_none_or(|found| found.len() == typed.len()));
            prop_assert!(last_loop(&code).is_none_or(|end| code.is_char_boundary(end)));
            if let Some((start, end)) = last_value(&code) {
                prop_assert!(!code[start..end].trim().is_empty());
            }
        }
    }
}
