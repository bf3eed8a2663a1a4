//! What a recorded plan says, read leniently: a record outlives the program that wrote it.

use crate::CaseSpec;
use crate::plan::{default_replicates, first_replicates};

/// The parts of a recorded plan that reading the record needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Replicates of every case that were fixed before anything was measured.
    pub replicates: u32,
    /// Whether those were a pilot that fixed how many follow.
    pub pilot: bool,
    /// What was to be measured; nothing where this version cannot read it.
    pub cases: Option<Vec<CaseSpec>>,
}

impl Planned {
    /// Reads a plan in TOML, whatever else stands in it; nothing where the text is no plan, or where the number
    /// of its replicates cannot be told.
    pub fn read(text: &str) -> Option<Self> {
        let plan: toml::Table = toml::from_str(text).ok()?;
        let cases = plan.get("cases")?.as_array()?;
        let asked = match plan.get("replicates") {
            Some(count) => u32::try_from(count.as_integer()?).ok().filter(|count| *count > 0)?,
            None => default_replicates(),
        };
        let pilot = plan.contains_key("half_width");
        let replicates = first_replicates(asked, pilot);
        let cases = cases.iter().map(|case| case.clone().try_into().ok()).collect();
        Some(Self { replicates, pilot, cases })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;

    const CASE: &str = "[[cases]]\nworkload = \"matmul\"\nparams = { m = [1, 2] }\n";

    #[test]
    fn it_says_what_the_plan_says() {
        for text in [CASE.to_owned(), format!("replicates = 3\n{CASE}"), format!("half_width = 0.01\n{CASE}")] {
            let (plan, planned) = (Plan::from_toml(&text).unwrap(), Planned::read(&text).unwrap());
            assert_eq!(planned.replicates, plan.first_replicates(), "{text}");
            assert_eq!(planned.pilot, plan.half_width.is_some(), "{text}");
            assert_eq!(planned.cases, Some(plan.cases.into_inner()), "{text}");
        }
    }

    #[test]
    fn what_another_version_wrote_is_read_around() {
        let text = format!("half_width = \"narrow\"\nreplicates = 12\nnews = [1]\n{CASE}fresh = true\n");
        assert!(Plan::from_toml(&text).is_err());
        assert_eq!(Planned::read(&text), Some(Planned { replicates: 12, pilot: true, cases: None }));
    }

    #[test]
    fn what_is_no_plan_is_none() {
        let cut = &CASE[..20];
        for text in ["", "replicates = 9", cut, "{\"cases\": []}", &format!("replicates = -1\n{CASE}")] {
            assert_eq!(Planned::read(text), None, "{text}");
        }
    }
}
