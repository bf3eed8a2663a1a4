//! A text that is given to a model of some name: by a reference, logits behind its tokens.

use benchbook_core::{Reference, sample_rows};

use super::choice::Advance;

/// Rows of logits that are checked.
const MOST_ROWS: usize = 8;

/// Logits `[tokens, vocabulary]` of a model that takes a text: behind the first `prompt` of its tokens, and behind each token after these.
pub fn given(
    mut model: impl Advance,
    (text, prompt): (&[i32], usize),
    [tokens, vocabulary]: [usize; 2],
    seed: u64,
) -> Reference {
    let (rows, mut values) = (sample_rows(tokens, MOST_ROWS, seed), Vec::new());
    for (position, id) in text.iter().enumerate() {
        let hidden = model.advance(*id as usize);
        if (position + 1).checked_sub(prompt).is_some_and(|row| rows.contains(&row)) {
            values.extend(model.logits(&hidden));
        }
    }
    Reference::of(vec![tokens, vocabulary], rows, values)
}

/// Refuses what is no name of a model, the first word of a label.
///
/// # Errors
/// The parameter, and what would be right.
pub fn check_name(model: &str) -> Result<(), (&'static str, String)> {
    let word = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if model.is_empty() || model.len() > 64 || !model.chars().all(word) {
        let reason = "a model is called by letters, digits, dots, dashes and underscores, 64 of them at most";
        return Err(("model", reason.to_owned()));
    }
    Ok(())
}
