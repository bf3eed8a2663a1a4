//! Answers of the program, read as JSON.

use serde_json::Value;
use std::process::Command;
use xtask::error::{Error, Result};
use xtask::process;

/// What the program answers with `--format json`.
///
/// # Errors
/// It fails, or its answer is no JSON.
pub fn ask(command: &mut Command) -> Result<Value> {
    answer(&process::output(command, "see its message above")?)
}

/// An answer that was read already.
///
/// # Errors
/// It is no JSON.
pub fn answer(said: &str) -> Result<Value> {
    serde_json::from_str(said).map_err(|error| Error::Content { path: "the answer".into(), problem: error.to_string() })
}

/// The rows of an answer.
pub fn rows(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.as_array().into_iter().flatten()
}

/// A cell as text; nothing where it holds none.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// A cell as a number; NaN where it holds none.
pub fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_by_name() -> Result<()> {
        let answer = answer(r#"[{"name": "a", "low": 1.5}, {"name": null}]"#)?;
        assert_eq!(rows(&answer).map(|row| text(row, "name")).collect::<Vec<_>>(), ["a", ""]);
        assert!((number(&answer[0], "low") - 1.5).abs() < 1e-12 && number(&answer[1], "low").is_nan());
        assert!(super::answer("no rows").is_err_and(|error| error.to_string().starts_with("the answer: ")));
        Ok(())
    }
}
