//! The `?` of a cell that end the cell: those of no function, closure or block of futures within it. Where their form
//! leaves a doubt, they are left out.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// Words by which something begins that a `?` within does not leave: to the end of its block, or to the next `;`.
const ITEMS: &str = "fn impl trait mod struct enum const static type use extern macro_rules";
/// Words that are no operand, so that a `|` after them begins a closure, and a `!` no macro.
const NO_OPERANDS: &str = "as async break const continue dyn else for if in let loop match move mut ref return static \
    unsafe where while yield";
/// Macros that compute what they are given where they stand.
const MACROS: &str = "assert assert_eq assert_ne dbg eprint eprintln format matches panic print println stack vec write \
    writeln";
/// Words before a block that has a `?` of its own.
const OWN_BLOCKS: &str = "async gen move try";

/// A name, a literal, or a sign.
#[derive(Clone, Copy)]
struct Word<'a> {
    kind: TokenKind,
    text: &'a str,
}

impl Word<'_> {
    fn is_in(&self, list: &str) -> bool {
        list.split_whitespace().any(|word| word == self.text)
    }

    fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Ident | TokenKind::RawIdent) && !self.is_in(NO_OPERANDS)
    }

    /// Whether an operand can end by this word.
    fn ends_operand(&self) -> bool {
        self.is_name() || matches!(self.kind, TokenKind::Literal { .. }) || matches!(self.text, ")" | "]" | "?")
    }
}

/// What stands in one pair of brackets, or in none.
#[derive(Clone, Copy, Default)]
struct Group {
    /// Whether all of it belongs to something within the cell.
    foreign: bool,
    /// Whether an item has begun.
    item: bool,
    /// Whether a closure has begun: where it ends is in doubt, so it takes the rest with it.
    closure: bool,
    /// Whether an item ends with this block.
    ends_item: bool,
}

impl Group {
    fn is_the_cells(self) -> bool {
        !self.foreign && !self.item && !self.closure
    }
}

/// Whether what a bracket opens after these words belongs to something within the cell.
fn is_foreign(earlier: Option<Word<'_>>, last: Option<Word<'_>>) -> bool {
    let is_macro = last.is_some_and(|word| word.text == "!") && earlier.is_some_and(|name| name.is_name());
    let is_known = earlier.is_some_and(|name| name.is_in(MACROS));
    (is_macro && !is_known) || last.is_some_and(|word| word.is_in(OWN_BLOCKS))
}

/// The places of the `?` that end the cell.
#[must_use]
pub fn tries(code: &str) -> Vec<usize> {
    let (mut places, mut groups) = (Vec::new(), vec![Group::default()]);
    let (mut earlier, mut last): (Option<Word<'_>>, Option<Word<'_>>) = (None, None);
    // Where a `|` has ended that stands between two operands: the second one of `||` follows at once.
    let mut or_ends = None;
    let mut at = 0;
    for token in tokenize(code, FrontmatterAllowed::No) {
        let (begin, end) = (at, at + token.len as usize);
        at = end;
        if matches!(token.kind, TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. })
        {
            continue;
        }
        let word = Word { kind: token.kind, text: &code[begin..end] };
        let after_operand = last.is_some_and(|word| word.ends_operand());
        let is_nested = groups.len() > 1;
        let Some(group) = groups.last_mut() else { break };
        match word.text {
            "?" if after_operand && group.is_the_cells() => places.push(begin),
            "|" if after_operand || or_ends == Some(begin) => or_ends = Some(end),
            "|" => group.closure = true,
            ";" => (group.item, group.closure) = (false, false),
            "(" | "[" | "{" => {
                let foreign = !group.is_the_cells() || is_foreign(earlier, last);
                // A number in braces may stand among the parameters of a type.
                let in_type = last.is_some_and(|word| matches!(word.text, "<" | ","));
                groups.push(Group { foreign, ends_item: word.text == "{" && !in_type, ..Group::default() });
            }
            ")" | "]" | "}" if is_nested => {
                let closed = groups.pop().unwrap_or_default();
                if let Some(group) = groups.last_mut() {
                    group.item &= !closed.ends_item;
                }
            }
            _ => group.item |= word.is_in(ITEMS),
        }
        (earlier, last) = (last, Some(word));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::with;
    use proptest::prelude::*;

    #[test]
    fn those_are_found_that_end_the_cell() {
        for (code, expected) in [
            ("lab.sql(\"?\")?", "lab.sql(\"?\")!?"),
            ("let a = f()?.g()??;\nfor x in y? { h(x)?; }", "let a = f()!?.g()!?!?;\nfor x in y!? { h(x)!?; }"),
            ("println!(\"{}\", f(a?)?); own!(f()?)?", "println!(\"{}\", f(a!?)!?); own!(f()?)!?"),
            ("if !(a?) || b? { c()? }", "if !(a!?) || b!? { c()!? }"),
            ("match f()? { A | B => g()?, _ => h()? }", "match f()!? { A | B => g()!?, _ => h()!? }"),
            ("let g = |x| h(x)?;\nf()?", "let g = |x| h(x)?;\nf()!?"),
            ("f(|| { g()? }, h()?)?; f(move |x| g::<A, B>(x)?)", "f(|| { g()? }, h()?)!?; f(move |x| g::<A, B>(x)?)"),
            ("fn f() -> R { g()? }\nf()?", "fn f() -> R { g()? }\nf()!?"),
            ("fn f() -> A<{ N }> { g()? }\nf()?", "fn f() -> A<{ N }> { g()? }\nf()!?"),
            ("impl A { fn f() -> R { g()? } }", "impl A { fn f() -> R { g()? } }"),
            ("async { f()? }; async move { f()? };", "async { f()? }; async move { f()? };"),
            ("unsafe { f()? }", "unsafe { f()!? }"),
            (
                "macro_rules! m { ($($x:expr)?) => { f($x?) } }\nm!(1)?",
                "macro_rules! m { ($($x:expr)?) => { f($x?) } }\nm!(1)!?",
            ),
            ("let f: fn(u8) -> R = g?; f(1)?", "let f: fn(u8) -> R = g?; f(1)!?"),
            ("struct A<T: ?Sized>(T); // f()?\n}?", "struct A<T: ?Sized>(T); // f()?\n}?"),
            ("", ""),
        ] {
            let added: Vec<(usize, &str)> = tries(code).into_iter().map(|place| (place, "!")).collect();
            assert_eq!(with(code, &added), expected);
        }
    }

    #[test]
    fn a_cell_of_a_megabyte_is_looked_at() {
        assert_eq!(tries(&"f()?;\n".repeat(100_000)).len(), 100_000);
        assert!(tries(&"(".repeat(1 << 20)).is_empty());
    }

    proptest! {
        #[test]
        fn every_place_is_that_of_a_sign(code in "(\\?|\\||;|!|fn |async |\\{|\\}|\\(|\\)|<|,|\"|//|\n| |é|[a-z]|\\PC){0,32}") {
            for place in tries(&code) {
                prop_assert!(code[place..].starts_with('?'));
            }
        }
    }
}
