//! Counts with their noun.

/// A count and its noun, with an s unless it is one: `1 trial`, `2 trials`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
