//! What a run does not try again.

use benchbook_core::{Case, Variant};

use super::stop::StopReason;

/// Variants that have hung on a case: each further try would cost the whole timeout.
#[derive(Debug, Default)]
pub struct GivenUp(Vec<(Case, Variant)>);

impl GivenUp {
    /// Does not try a variant on a case again.
    pub fn add(&mut self, case: &Case, variant: &Variant) {
        self.0.push((case.clone(), variant.clone()));
    }

    /// Why a variant is not tried on a case, where it is given up there.
    pub fn reason(&self, case: &Case, variant: &Variant) -> Option<StopReason> {
        self.0.iter().any(|(of, hung)| of == case && hung == variant).then_some(StopReason::HungBefore)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::{DType, Params};

    use super::*;

    #[test]
    fn a_variant_is_given_up_on_the_case_on_which_it_hung_and_no_other() {
        let [a, b] = ["a", "b"].map(|name| Case { workload: "w".into(), name: name.into(), params: Params::default() });
        let [one, two] = [1, 2].map(|threads| Variant {
            implementation: "i".into(),
            device: "d".into(),
            dtype: DType::F32,
            threads,
            build: None,
        });
        let mut given_up = GivenUp::default();
        assert_eq!(given_up.reason(&a, &one), None);
        given_up.add(&a, &one);
        assert_eq!(given_up.reason(&a, &one), Some(StopReason::HungBefore));
        assert_eq!((given_up.reason(&a, &two), given_up.reason(&b, &one)), (None, None));
    }
}
