//! A model of the matrix in the place of a workload: its case, whose techniques and sizes are what is chosen.

use benchbook_core::Axis;
use benchbook_matrix::{MEMORY, ModelCase};
use benchbook_query::parse_memory;

use crate::error::{Failure, say};

/// Processes that hold a model beside those of a batch: what they are prepared from, and the right answers.
const BESIDE: u64 = 4;

/// What is measured, and its parameters.
pub struct Target {
    pub workload: String,
    pub sets: Vec<(String, Axis)>,
}

/// The workload that is named; or the case of a model, as much of it as there is room for in each of so many processes, with parameters
/// that are given in the place of its own.
///
/// # Errors
/// There is no such model, or nothing of it can be measured here.
pub fn target(
    (workload, model): (Option<&String>, Option<&String>),
    sets: &[(String, Axis)],
    processes: u64,
) -> Result<Target, Failure> {
    let Some(model) = model else {
        return Ok(Target { workload: workload.cloned().unwrap_or_default(), sets: sets.to_vec() });
    };
    let room_bytes = parse_memory(MEMORY).map_err(Failure::say)? / (processes + BESIDE);
    let mut cases = ModelCase::all_of(model, room_bytes, false, None)?;
    let Some(place) = cases.iter().position(|case| case.is_here) else {
        let why = cases.first().map_or("nothing of it is known", |case| case.note.as_str());
        return Err(Failure::say(format!("{model} cannot be measured here: {why}")));
    };
    let case = cases.swap_remove(place);
    say(format_args!("{model}: {}", case.note));
    let is_given = |name: &str| sets.iter().any(|(given, _)| given == name);
    let own = case.params.into_iter().filter(|(name, _)| !is_given(name));
    Ok(Target { workload: case.workload.to_owned(), sets: own.chain(sets.iter().cloned()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::Value;

    #[test]
    fn a_model_is_its_case_with_what_is_given_in_the_place_of_its_own() {
        let (model, layers) = ("smollm2-135m".to_owned(), Axis(vec![Value::Int(1), Value::Int(2)]));
        let given = [("layers".to_owned(), layers.clone())];
        let of = target((None, Some(&model)), &given, 8).unwrap();
        assert_eq!(of.workload, "forced-decoding");
        let value = |name: &str| of.sets.iter().filter(|(one, _)| one == name).map(|(_, axis)| axis.clone()).collect();
        let [depth, whole, called]: [Vec<Axis>; 3] = ["layers", "of_layers", "model"].map(value);
        assert_eq!(depth, [layers]);
        assert_eq!(whole, [Axis(vec![Value::Int(30)])]);
        assert_eq!(called, [Axis(vec![Value::Text(model)])]);
    }

    #[test]
    fn a_workload_stays_as_it_is_and_what_is_not_here_says_why() {
        let named = target((Some(&"matmul".to_owned()), None), &[], 8).unwrap();
        assert!(named.workload == "matmul" && named.sets.is_empty());
        let told = |model: &str| target((None, Some(&model.to_owned())), &[], 8).err().unwrap().to_string();
        let bert = told("bert-base");
        assert!(bert.contains("bert-base cannot be measured here: not here"), "{bert}");
        assert!(told("smollm").contains("smollm"), "{}", told("smollm"));
    }
}
