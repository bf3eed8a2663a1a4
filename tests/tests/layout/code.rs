//! Rust text without its comments and strings, so that a rule sees only code.

/// The text with every comment, string and character literal blanked; lines stay where they are.
pub fn code_only(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !after_word => prefixed(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (gone, left) = rest.split_at(skipped);
            code.push(' ');
            code.extend(gone.chars().filter(|c| *c == '\n'));
            rest = left;
        }
    }
    code
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string that starts with its quotation mark.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`; 0 if this is an ordinary word.
fn prefixed(rest: &str) -> usize {
    let letters = rest.len() - rest.trim_start_matches(['r', 'b', 'c']).len();
    let after = &rest[letters..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    if letters > 2 || !after[hashes..].starts_with('"') {
        return 0;
    }
    let raw = rest[..letters].contains('r');
    if !raw {
        return if hashes == 0 { letters + string(after) } else { 0 };
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = letters + hashes + 1;
    rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
}

/// The length of a character literal; 0 if this is a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            rest[from..].find('\'').map_or(0, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn comments_and_strings_are_no_code() {
    let text = "let a = 1; // dbg!(a)\n/* dbg!(b)\n /* dbg!(c) */ */ let b = \"dbg!(\\\"d\\\")\";\nlet c = r#\"dbg!(\"e\")\"#; let d = b\"dbg!\"; //! dbg!\n";
    let code = code_only(text);
    assert!(!code.contains("dbg!"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
    for kept in ["let a = 1;", "let b =", "let c =", "let d ="] {
        assert!(code.contains(kept), "{kept}: {code}");
    }
}

#[test]
fn characters_lifetimes_and_words_are_told_apart() {
    let text = "fn f<'a>(x: &'a str) { let q = '\"'; let s = '\\''; let n = '\\n'; dbg!(bar, r); char \"}\"; dbg!(x) } 'é'; dbg!()";
    let code = code_only(text);
    assert_eq!(code.matches("dbg!").count(), 3, "{code}");
    assert!(code.contains("fn f<'a>(x: &'a str)"), "{code}");
}
