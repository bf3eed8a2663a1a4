//! Which words can name a run.

/// Why a tag could not name its run again, and what to do; nothing where it can.
pub(crate) fn no_name(tag: &str) -> Option<&'static str> {
    let steps_back = |(_, back): (&str, &str)| back.parse::<usize>().is_ok();
    if tag.trim().is_empty() || tag.contains(char::is_control) {
        Some("give a word")
    } else if tag.starts_with("latest") {
        Some("give a word other than `latest`")
    } else if tag.rsplit_once('~').is_some_and(steps_back) {
        Some("`~` and a number mean a run before another, leave them out")
    } else if tag.ends_with(" ago") {
        Some("a time and `ago` mean the run that was the newest then, leave `ago` out")
    } else if tag.starts_with('-') {
        Some("it would be read as an option, begin with a letter")
    } else if begins_an_id(tag) {
        Some("it could be the beginning of a run's id, add another letter")
    } else {
        None
    }
}

/// Whether ids of runs may begin so: a UUIDv7 begins with 0 for centuries to come.
fn begins_an_id(tag: &str) -> bool {
    let fits = |(place, c): (usize, char)| match place {
        8 | 13 | 18 | 23 => c == '-',
        place => place < 36 && matches!(c, '0'..='9' | 'a'..='f'),
    };
    tag.starts_with('0') && tag.chars().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_would_mean_something_else_is_refused() {
        for (tag, part) in [
            ("", "give a word"),
            ("a\u{1b}[31m", "give a word"),
            ("latest", "other than `latest`"),
            ("v1~1", "leave them out"),
            ("2 days ago", "leave `ago` out"),
            ("1h ago", "leave `ago` out"),
            ("-v", "option"),
            ("0190a", "beginning of a run's id"),
            ("0190a000-0000-7000-8000-000000000001", "beginning of a run's id"),
        ] {
            assert!(no_name(tag).is_some_and(|why| why.contains(part)), "{tag}: {:?}", no_name(tag));
        }
    }

    #[test]
    fn words_that_name_a_run_are_tags() {
        for tag in ["v1", "v1~", "v1~a", "f32", "2024", "0.5", "010-fast", "run 1", "a-b", "feature/x", "chicago"] {
            assert_eq!(no_name(tag), None, "{tag}");
        }
    }
}
