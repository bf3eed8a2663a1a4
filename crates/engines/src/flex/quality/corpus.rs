//! Real text that a decoder foretells: a document for each piece.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use benchbook_models::tokenizer::Bpe;
use benchbook_quality::PIECES;
use benchbook_quality::data::{self, Problem};

/// What is wrong with a text.
type Reason = String;

/// Tokens of each document.
type Encoded = Result<Vec<Vec<i32>>, Reason>;

/// Texts by a model and what estimates on them are of, each encoded once.
static ENCODED: Mutex<BTreeMap<(String, &'static str), Encoded>> = Mutex::new(BTreeMap::new());

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corpus {
    /// The Brown corpus: English of 1961.
    Brown,
    /// HumanEval: functions in Python with what they are to do, each with the body that its authors wrote.
    HumanEval,
}

impl Corpus {
    /// Their names, in parameters.
    pub const NAMES: [&str; 2] = ["brown", "human-eval"];

    /// The one of this name; any other name is the first one.
    pub fn of(name: &str) -> Self {
        if name == Self::NAMES[1] { Self::HumanEval } else { Self::Brown }
    }

    /// What estimates on it are of.
    pub fn data(self) -> &'static str {
        match self {
            Self::Brown => "brown, every twentieth document from its beginning",
            Self::HumanEval => "human-eval, six functions a piece from its beginning",
        }
    }

    /// A document for each piece.
    ///
    /// # Errors
    /// It was not brought, or is not as it was.
    pub fn documents(self) -> Result<Vec<String>, Reason> {
        let folder = data::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
        match self {
            Self::Brown => {
                let all = data::brown(&folder).map_err(|error| error.to_string())?;
                let each = all.len() / PIECES;
                Ok(all.into_iter().step_by(each.max(1)).take(PIECES).map(|document| document.text).collect())
            }
            Self::HumanEval => data::human_eval(&folder).map(|all| files(&all)).map_err(|error| error.to_string()),
        }
    }

    /// Tokens `[pieces, length]`, the first ones of each document, by the tokenizer of a model that alone is called so.
    ///
    /// # Errors
    /// Text or tokenizer are not here, or a document is too short.
    pub fn ids(
        self,
        model: &str,
        tokenizer: impl FnOnce() -> Result<Bpe, Reason>,
        length: usize,
    ) -> Result<Vec<i32>, Reason> {
        let mut encoded = ENCODED.lock().unwrap_or_else(PoisonError::into_inner);
        let pieces = encoded.entry((model.to_owned(), self.data())).or_insert_with(|| self.encoded(&tokenizer()?));
        beginnings(pieces.as_ref().map_err(Clone::clone)?, length)
    }

    fn encoded(self, tokenizer: &Bpe) -> Encoded {
        let of = |text: &String| tokenizer.encode(text).map_err(|error| error.to_string());
        self.documents()?.iter().map(of).collect()
    }
}

/// The first tokens of each document, one behind the other.
fn beginnings(pieces: &[Vec<i32>], length: usize) -> Result<Vec<i32>, Reason> {
    let mut ids = Vec::with_capacity(pieces.len() * length);
    for piece in pieces {
        let short = || format!("a document has {} tokens, {length} are asked for: give fewer `tokens`", piece.len());
        ids.extend(piece.get(..length).ok_or_else(short)?);
    }
    Ok(ids)
}

/// As many files of code as there are pieces: functions with their bodies, as many in each, one behind the other.
fn files(problems: &[Problem]) -> Vec<String> {
    let whole = |one: &Problem| [one.prompt.as_str(), &one.canonical_solution].concat();
    let file = |some: &[Problem]| some.iter().map(whole).collect::<Vec<_>>().join("\n");
    problems.chunks((problems.len() / PIECES).max(1)).take(PIECES).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_code_have_whole_functions_in_their_order() {
        let problem = |place: usize| Problem {
            task_id: format!("made/{place}"),
            prompt: format!("def f{place}():\n    \"\"\"What it is to do.\"\"\"\n"),
            entry_point: format!("f{place}"),
            canonical_solution: format!("    return {place}\n"),
            test: "def check(candidate): ...".to_owned(),
        };
        let problems: Vec<Problem> = (0..2 * PIECES + 5).map(problem).collect();
        let files = files(&problems);
        assert_eq!(files.len(), PIECES);
        assert_eq!(
            files[1],
            "def f2():\n    \"\"\"What it is to do.\"\"\"\n    return 2\n\ndef f3():\n    \"\"\"What it is to do.\"\"\"\n    return 3\n"
        );
        assert!(files.iter().all(|file| !file.contains("check")), "its tests are not foretold");
    }

    #[test]
    fn a_document_that_is_too_short_is_told() {
        let pieces = [vec![1, 2, 3], vec![4, 5]];
        assert_eq!(beginnings(&pieces, 2), Ok(vec![1, 2, 4, 5]));
        let said = beginnings(&pieces, 3).unwrap_err();
        assert!(said.contains("has 2 tokens, 3 are asked for"), "{said}");
    }

    #[test]
    fn a_text_is_known_by_its_name() {
        assert_eq!(Corpus::NAMES.map(Corpus::of), [Corpus::Brown, Corpus::HumanEval]);
        assert!(Corpus::NAMES.iter().all(|name| Corpus::of(name).data().starts_with(name)));
    }
}
