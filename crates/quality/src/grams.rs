//! Runs of words, counted.

use std::collections::HashMap;

/// How often each run of n words stands in a text; n is above 0.
pub fn grams(words: &[String], n: usize) -> HashMap<&[String], u64> {
    let mut counts = HashMap::new();
    for gram in words.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}
