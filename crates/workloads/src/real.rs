//! Real weights as inputs of a problem. No problem knows the files of models: who can read them says so to this program.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use benchbook_core::{Array, Inputs};

/// Weights that are drawn from a seed, as a parameter says it.
pub const SEEDED: &str = "seeded";

/// An input by its name, with its shape and its numbers.
pub type Part = (&'static str, Vec<usize>, Vec<f32>);

/// Reads all weights of a model by its name, or says why they cannot be had.
pub type Read = fn(&str) -> Result<Vec<Part>, String>;

static READ: OnceLock<Read> = OnceLock::new();

/// Models whose weights this process has found whole.
static WHOLE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says who reads real weights in this program; the first one reads for all.
pub fn read_by(read: Read) {
    // Who comes later reads the same.
    let _ = READ.set(read);
}

fn parts(model: &str) -> Result<Vec<Part>, String> {
    let read = READ.get().ok_or("this program reads no real weights: `benchbook run` does")?;
    read(model)
}

/// Refuses a case of real weights whose sizes are others than those of its model, or whose weights are not here, whole.
pub(crate) fn check(weights: &str, fits: bool) -> Result<(), (&'static str, String)> {
    if weights == SEEDED {
        return Ok(());
    }
    if !fits {
        return Err(("weights", format!("{weights} has other sizes: give those of datasets/models/{weights}.toml")));
    }
    // They are many, and are not read for every case.
    let mut whole = WHOLE.lock().unwrap_or_else(PoisonError::into_inner);
    if !whole.contains(weights) {
        parts(weights).map_err(|reason| ("weights", format!("not here: {reason}")))?;
        whole.insert(weights.to_owned());
    }
    Ok(())
}

/// The inputs that are weights; nothing where they are to be drawn.
///
/// # Panics
/// They were whole when the case was made, and are not any more.
pub(crate) fn inputs(weights: &str) -> Option<Inputs> {
    if weights == SEEDED {
        return None;
    }
    let parts = parts(weights).unwrap_or_else(|reason| panic!("the weights of a case: {reason}"));
    let mut inputs = Inputs::default();
    for (name, shape, numbers) in parts {
        inputs.insert(name, Array::new(shape, &numbers));
    }
    Some(inputs)
}

/// Keeps so many rows of a table, from its beginning on.
pub(crate) fn shorten(inputs: &mut Inputs, name: &str, rows: usize) {
    let width = inputs.get(name).width();
    let kept = Array::new(vec![rows, width], &inputs.numbers(name)[..rows * width]);
    inputs.insert(name, kept);
}

/// What stands before the label of a case of real weights.
pub(crate) fn label(weights: &str) -> String {
    if weights == SEEDED { String::new() } else { format!("{weights} ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_weights_need_nobody_and_real_ones_say_who_is_missing() {
        assert_eq!(check(SEEDED, false), Ok(()));
        assert!(inputs(SEEDED).is_none());
        let (name, reason) = check("a-model", false).unwrap_err();
        assert!(name == "weights" && reason.contains("other sizes") && reason.contains("a-model.toml"), "{reason}");
        // One reader for the whole process, so that all that is asked of it is asked here.
        let (_, reason) = check("absent", true).unwrap_err();
        assert!(reason.contains("this program reads no real weights"), "{reason}");
        read_by(|model| match model {
            "there" => Ok(vec![("table", vec![3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]),
            other => Err(format!("{other} was not brought")),
        });
        assert_eq!(check("not-there", true), Err(("weights", "not here: not-there was not brought".to_owned())));
        assert_eq!(check("there", true), Ok(()));
        let mut read = inputs("there").unwrap();
        shorten(&mut read, "table", 2);
        assert_eq!((read.get("table").shape(), read.numbers("table")), (&[2, 2][..], &[1.0, 2.0, 3.0, 4.0][..]));
        assert_eq!((label("there").as_str(), label(SEEDED).as_str()), ("there ", ""));
    }
}
