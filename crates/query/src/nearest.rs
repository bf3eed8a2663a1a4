//! The name that was probably meant.

use strsim::damerau_levenshtein;

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
