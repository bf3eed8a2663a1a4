//! `datasets/bench.md`: one section a measurement, each with its machine and day.

pub const TITLE: &str = "# benchbook's own speed\n\nMeasured by `cargo xtask bench`, ratios side by side in one run.\n";

/// The text with this section's body, in place of an older one or at the end.
pub fn with_section(text: &str, heading: &str, body: &str) -> String {
    let line = format!("## {heading}");
    let section = format!("{line}\n\n{}\n", body.trim());
    let mut parts: Vec<String> = vec![String::new()];
    for row in text.lines() {
        if row.starts_with("## ") {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(row);
            part.push('\n');
        }
    }
    match parts.iter_mut().find(|part| part.lines().next() == Some(&line)) {
        Some(part) => *part = section,
        None => parts.push(section),
    }
    parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_then_replaced() {
        let one = with_section(TITLE, "A", "first");
        let two = with_section(&one, "B", "other");
        let three = with_section(&two, "A", "second\n\n| x |");
        assert_eq!(three, format!("{TITLE}\n## A\n\nsecond\n\n| x |\n\n## B\n\nother\n"));
        assert_eq!(with_section(&three, "B", "other"), three);
    }
}
