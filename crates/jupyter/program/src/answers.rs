//! What cells of Rust and cells of SQL know of each other's names.

use std::collections::{BTreeMap, BTreeSet};

/// The type of an answer, as a person would write it.
pub(crate) const ANSWER: &str = "Answer";

/// The names that go from one to the other; what they stand for is in the process of the cells.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Answers of cells of SQL, and whether Rust has each of them as a variable by now.
    bound: BTreeMap<String, bool>,
    /// Variables of Rust whose values cells of SQL have by now.
    given: BTreeSet<String>,
}

impl Answers {
    /// A cell of SQL has bound an answer to this name.
    pub(crate) fn bind(&mut self, name: &str) {
        self.bound.insert(name.to_owned(), false);
        self.given.remove(name);
    }

    /// The answers that some code names and Rust does not have yet.
    pub(crate) fn lacking_in_rust(&self, code: &str) -> Vec<String> {
        let wanted = self.bound.iter().filter(|(name, is_there)| !**is_there && names(code, name));
        wanted.map(|(name, _)| name.clone()).collect()
    }

    /// Rust has these answers by now.
    pub(crate) fn are_in_rust(&mut self, names: Vec<String>) {
        self.bound.extend(names.into_iter().map(|name| (name, true)));
    }

    /// Answers that Rust does not have yet.
    pub(crate) fn only_in_sql(&self) -> impl Iterator<Item = &str> {
        self.bound.iter().filter(|(_, is_there)| !**is_there).map(|(name, _)| name.as_str())
    }

    /// Code runs, after which the variables that it names may have other values.
    pub(crate) fn may_change(&mut self, code: &str) {
        self.given.retain(|name| !names(code, name));
    }

    /// The variables of these whose values cells of SQL do not have.
    pub(crate) fn lacking_in_sql(&self, names: &[String]) -> Vec<String> {
        names.iter().filter(|name| !self.given.contains(*name)).cloned().collect()
    }

    /// Cells of SQL have the values of these variables by now.
    pub(crate) fn are_in_sql(&mut self, names: Vec<String>) {
        self.given.extend(names);
    }
}

/// Whether code names something; in a comment or a string too, where it does no harm.
fn names(code: &str, name: &str) -> bool {
    code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_to_rust_once_and_when_it_is_named() {
        let mut answers = Answers::default();
        answers.bind("best");
        assert_eq!(answers.lacking_in_rust("let x = bests.rows() + 1;"), Vec::<String>::new());
        let lacking = answers.lacking_in_rust("best.rows()");
        assert_eq!(lacking, ["best"]);
        assert_eq!(answers.only_in_sql().collect::<Vec<_>>(), ["best"]);
        answers.are_in_rust(lacking);
        assert!(answers.lacking_in_rust("best.rows()").is_empty() && answers.only_in_sql().next().is_none());
        answers.bind("best");
        assert_eq!(answers.lacking_in_rust("best"), ["best"]);
    }

    #[test]
    fn a_value_goes_to_sql_again_once_it_may_have_changed() {
        let mut answers = Answers::default();
        let both = ["n".to_owned(), "tag".to_owned()];
        answers.are_in_sql(answers.lacking_in_sql(&both));
        assert!(answers.lacking_in_sql(&both).is_empty());
        answers.may_change("nn += 1; println!(\"{tag}\");");
        assert_eq!(answers.lacking_in_sql(&both), ["tag"]);
    }
}
