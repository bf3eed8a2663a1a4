//! Text as part of SQL: what a name holds never ends it.

/// Text as a literal: `'it''s'`.
pub fn quoted(text: &str) -> String {
    between('\'', text)
}

/// The name of a column or table: `"a b"`.
pub fn quoted_name(name: &str) -> String {
    between('"', name)
}

fn between(mark: char, text: &str) -> String {
    format!("{mark}{}{mark}", text.replace(mark, &format!("{mark}{mark}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_within_are_doubled() {
        assert_eq!(quoted("it's' or 1=1 --"), "'it''s'' or 1=1 --'");
        assert_eq!(quoted_name("x\") , count(*) --"), "\"x\"\") , count(*) --\"");
        assert_eq!((quoted(""), quoted_name("a'b")), ("''".to_owned(), "\"a'b\"".to_owned()));
    }
}
