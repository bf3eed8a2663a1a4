//! Names that a person can type: "did you mean …?" for those that nothing has, and which words can name a run.

use crate::Error;

/// The known name nearest to `name`, when one is near enough to be a slip of the finger.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// What was called otherwise once, in stores, plans and scripts that are still there: the old name and today's.
const RENAMED: [(&str, &str); 2] = [("flash", "burn-attention"), ("block", "block_size")];

/// The error for a name that is not among `known`: what it is called today, the nearest match, or the whole list.
pub fn unknown<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let renamed = RENAMED.iter().find(|(old, new)| *old == name && known.contains(new));
    let hint = match (renamed, nearest(name, known.iter().copied())) {
        (Some((_, new)), _) => format!(", it is called `{new}` now"),
        (None, Some(near)) => format!(", did you mean `{near}`?"),
        (None, None) if known.is_empty() => String::from(", none is registered"),
        (None, None) => format!(", known are {}", known.join(", ")),
    };
    Error::Unknown { what, name: name.to_owned(), hint }
}

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
    fn a_slip_is_corrected_and_a_strange_name_lists_all() {
        let known = ["attention", "matmul"];
        assert_eq!(nearest("atention", known), Some("attention"));
        assert_eq!(nearest("conv2d", known), None);
        assert_eq!(
            unknown("workload", "atention", known).to_string(),
            "unknown workload `atention`, did you mean `attention`?"
        );
        assert_eq!(
            unknown("workload", "zzz", known).to_string(),
            "unknown workload `zzz`, known are attention, matmul"
        );
    }

    #[test]
    fn an_old_name_leads_to_the_new_one_where_that_is_known() {
        let told = |known: &[&'static str]| unknown("implementation", "flash", known.iter().copied()).to_string();
        let known = ["naive", "burn-attention", "flush"];
        assert_eq!(told(&known), "unknown implementation `flash`, it is called `burn-attention` now");
        assert_eq!(told(&["naive", "flush"]), "unknown implementation `flash`, did you mean `flush`?");
        let told = unknown("parameter", "block", ["batch", "block_size"]).to_string();
        assert_eq!(told, "unknown parameter `block`, it is called `block_size` now");
    }

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
