//! Names: as part of SQL, where what one holds never ends it, and the one that was probably meant.

use strsim::damerau_levenshtein;

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

/// The nearest of `known` to `name`, if it is near: a third of the letters may differ.
pub(crate) fn nearest<S: AsRef<str>>(name: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (damerau_levenshtein(&wanted, &known.as_ref().to_lowercase()), known.as_ref().to_owned()))
        .filter(|(distance, known)| *distance <= (known.chars().count().max(3) / 3))
        .min()
        .map(|(_, known)| known)
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
