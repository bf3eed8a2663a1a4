//! What the tests share.

use serde::de::DeserializeOwned;
use std::path::Path;

/// The cases of a fixture.
pub fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    #[derive(serde::Deserialize)]
    struct Fixture<T> {
        cases: Vec<T>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let fixture: Fixture<T> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(!fixture.cases.is_empty(), "{name} has no case");
    fixture.cases
}

/// That two numbers agree to 1e-12 of the wanted one, or of 1 where that is smaller.
#[track_caller]
pub fn close(got: f64, wanted: f64, what: &str) {
    assert!((got - wanted).abs() <= 1e-12 * wanted.abs().max(1.0), "{what}: got {got:e}, wanted {wanted:e}");
}
