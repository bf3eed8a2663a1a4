//! "Did you mean …?" for every name a person can type.

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
const RENAMED: [(&str, &str); 1] = [("flash", "burn-attention")];

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
    }
}
