//! Every model with every technique, as far as their descriptions tell, without a worker.

use benchbook_models::technique::{self, Technique};
use benchbook_models::{Description, all, named};

use crate::cases::is_decoded;
use crate::error::Result;
use crate::looking;

/// A model, and what becomes of each technique in it.
#[derive(Debug, Clone)]
pub struct Crossed {
    /// The name of the model.
    pub model: &'static str,
    /// Its row of the catalogue, where it has one.
    pub catalogue: Option<String>,
    /// Why none of its cells can be measured; nothing where they can.
    pub not_here: Option<String>,
    /// Each technique, and why the model does not take it.
    pub techniques: Vec<(&'static Technique, Option<String>)>,
}

/// Every model that there is a description of.
///
/// # Errors
/// A description that cannot be read.
pub fn crossed() -> Result<Vec<Crossed>> {
    let of = |model: &'static str| -> Result<Crossed> {
        let whole = named(model)?;
        let looks = looking::looks(&whole);
        // Of a model that looks, the text part is decoded.
        let described = Description { vision: None, ..whole };
        let unknown = || {
            (!is_decoded(&described)).then(|| "right answers are known of LLaMA, Qwen3 and GLM alone here".to_owned())
        };
        // Those of encoders have cells where real weights say something.
        let techniques = technique::ALL.iter().filter(|one| one.is_of_decoders() || looks && one.is_of_towers());
        let why = |one: &Technique| if one.is_of_towers() { None } else { one.refuses(&described) };
        Ok(Crossed {
            model,
            catalogue: described.catalogue.clone(),
            not_here: technique::not_here(&described).or_else(unknown),
            techniques: techniques.map(|one| (one, why(one))).collect(),
        })
    };
    all().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_not_here_exactly_where_no_case_of_it_is() {
        for Crossed { model, not_here, techniques, .. } in crossed().unwrap() {
            let case = crate::ModelCase::of(model, u64::MAX, true, None).unwrap();
            assert_eq!(case.is_here, not_here.is_none(), "{model}: {not_here:?}");
            let of_towers = usize::from(model == "qwen3-vl-2b");
            let of_decoders = technique::ALL.iter().filter(|one| one.is_of_decoders()).count();
            assert_eq!(techniques.len(), of_decoders + of_towers, "{model}");
        }
        let of = |model: &str| crossed().unwrap().into_iter().find(|one| one.model == model).unwrap();
        let small = of("smollm2-135m");
        let why = |name: &str| small.techniques.iter().find(|(one, _)| one.name == name).unwrap().1.clone();
        assert_eq!((why("int8"), why("heads-25")), (None, Some("25 % of 3 key heads are not one".to_owned())));
        assert_eq!(of("qwen3-vl-2b").not_here, None);
        assert!(of("gpt2-124m").not_here.unwrap().contains("LLaMA, Qwen3 and GLM"));
    }
}
