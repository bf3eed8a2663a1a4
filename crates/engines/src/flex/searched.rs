//! What searches of techniques have found, kept while their process lives: a trial asks for its technique three times, to run it and for
//! two right answers, of the same weights.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use benchbook_models::technique::{Applied, Technique, Tried};
use benchbook_models::weights::Source;
use benchbook_models::{Description, Result};

/// By technique, model and weights.
static FOUND: Mutex<BTreeMap<u64, Vec<Tried>>> = Mutex::new(BTreeMap::new());

/// What tells a technique on a model apart from all others; `weights` does so with its weights.
pub fn key(technique: &Technique, model: &Description, weights: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    (technique.name, format!("{model:?}")).hash(&mut hasher);
    weights(&mut hasher);
    hasher.finish()
}

/// The model that a technique makes of one ([`Technique::applied`]); `weights` tells those of the source apart from all others.
///
/// # Errors
/// As there.
pub fn applied<'a>(
    technique: &Technique,
    model: &Description,
    source: &'a dyn Source,
    positions: usize,
    weights: impl FnOnce(&mut DefaultHasher),
) -> Result<Applied<'a>> {
    if !technique.searches() {
        return technique.applied(model, source, positions);
    }
    let key = key(technique, model, weights);
    let found = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let known = found().get(&key).cloned();
    let applied = technique.applied_after(model, source, positions, known)?;
    found().insert(key, applied.tried.clone());
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use benchbook_models::weights::Seeded;
    use benchbook_models::{Tensor, technique};

    use super::*;

    /// Seeded weights that count how often they are asked for.
    struct Counting(Seeded, AtomicUsize);

    impl Source for Counting {
        fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.numbers(tensor)
        }
    }

    #[test]
    fn a_search_of_the_same_weights_is_made_once() {
        let model = Description::parse(
            "name = \"tiny\"\nsource = \"made up\"\nparameters = 1\n\n[text]\narchitecture = \"llama\"\nlayers = 2\nheads = 4\n\
             kv_heads = 2\nhead_dim = 8\nwidth = 32\nhidden = 48\nvocabulary = 97\ncontext = 64\ntied = false\nepsilon = 1e-5\n\
             rotary_base = 1e4\n",
        )
        .unwrap();
        let technique = technique::named("adaptive-precision").unwrap();
        let asked = |seed: u64| {
            let source = Counting(Seeded { seed }, AtomicUsize::new(0));
            let made = applied(technique, &model, &source, 24, |hasher| seed.hash(hasher)).unwrap();
            let (has_searched, tried) = (made.has_searched, made.tried);
            (source.1.load(Ordering::Relaxed), tried, has_searched)
        };
        let (first, again, other) = (asked(71), asked(71), asked(72));
        assert!(first.0 > 0 && again.0 == 0 && other.0 > 0, "{} {} {}", first.0, again.0, other.0);
        assert_eq!((first.2, again.2, other.2), (true, false, true));
        assert_eq!(first.1, again.1);
        assert_ne!(first.1, other.1);
    }
}
