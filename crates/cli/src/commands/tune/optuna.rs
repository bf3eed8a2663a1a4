//! Optuna's estimator in the place of our own: the next points of a search, asked of the project's Python.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use benchbook_jupyter::{Interpreter, Surroundings};
use benchbook_process::{last_words, output};
use benchbook_search::{Domain, Observation, Point, Scale, Search, Space, Value};
use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;

use crate::error::Failure;

/// What is asked there.
const PROGRAM: &str = include_str!("optuna_next.py");

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The points of the batch that `seen` ends in or before, the first of which may be among `seen` already; fewer where Optuna finds no
/// others.
///
/// # Errors
/// There is no Python, or it has no Optuna; an answer that is none.
pub fn batch(search: &Search, seen: &[Observation]) -> Result<Vec<Point>, Failure> {
    let told = |error: &dyn std::fmt::Display| Failure::while_doing("Optuna's next settings", error);
    let size = search.batch.max(1);
    let whole = &seen[..seen.len() - seen.len() % size];
    let mut file = NamedTempFile::new().map_err(|error| told(&error))?;
    file.write_all(question(search, whole, size).to_string().as_bytes()).map_err(|error| told(&error))?;
    let python = Interpreter::find(&Surroundings::here()?, None)?;
    let mut command = Command::new(&python.program);
    command.args(["-c", PROGRAM]).arg(file.path());
    let said = output(&mut command, PATIENCE).map_err(|error| told(&error))?;
    if !said.status.success() {
        let words = last_words(String::from_utf8_lossy(&said.stderr).lines()).unwrap_or_default();
        let python = python.program.display();
        let what = format!("{words}; `cargo xtask setup` brings Optuna into the Python of the project, here {python}");
        return Err(told(&what));
    }
    answer(&search.space, &said.stdout).ok_or_else(|| told(&"its answer is none"))
}

/// What is asked, as the program reads it.
fn question(search: &Search, seen: &[Observation], count: usize) -> Json {
    let axis = |domain: Domain| match domain {
        Domain::Integers { least, most, scale } => json!(["int", least, most, scale == Scale::Log]),
        Domain::Floats { least, most, scale } => json!(["float", least, most, scale == Scale::Log]),
        Domain::Choices(count) => json!(["choice", count]),
    };
    let number = |value: &Value| match *value {
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Choice(value) => json!(value),
    };
    let tried = |one: &Observation| json!([one.point.iter().map(number).collect::<Vec<Json>>(), one.met()]);
    json!({
        "axes": search.space.axes().iter().map(|one| axis(one.domain)).collect::<Vec<Json>>(),
        "seed": search.seed,
        "count": count,
        "seen": seen.iter().map(tried).collect::<Vec<Json>>(),
    })
}

/// The points of an answer; nothing where it has others than those of the space.
fn answer(space: &Space, said: &[u8]) -> Option<Vec<Point>> {
    let points: Vec<Vec<Json>> = serde_json::from_slice(said).ok()?;
    let read = |numbers: Vec<Json>| -> Option<Point> {
        let of = |(axis, number): (&benchbook_search::Axis, &Json)| match axis.domain {
            Domain::Integers { .. } => number.as_i64().map(Value::Int),
            Domain::Floats { .. } => number.as_f64().map(Value::Float),
            Domain::Choices(_) => number.as_u64().and_then(|value| usize::try_from(value).ok()).map(Value::Choice),
        };
        let point: Point = space.axes().iter().zip(&numbers).map(of).collect::<Option<_>>()?;
        (numbers.len() == point.len() && space.holds(&point)).then_some(point)
    };
    points.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use benchbook_search::{Axis, Method};

    use super::*;

    fn search() -> Search {
        let domains = [Domain::Integers { least: 1, most: 64, scale: Scale::Log }, Domain::Choices(3)];
        let axes = domains.into_iter().zip(["a", "b"]).map(|(domain, name)| Axis { name: name.into(), domain });
        let space = Space::new(axes.collect()).unwrap();
        Search { space, method: Method::Random, seed: 5, batch: 4 }
    }

    #[test]
    fn a_question_has_the_axes_and_what_counts_of_each_point() {
        let of = |loss, excess| Observation { point: vec![Value::Int(8), Value::Choice(2)], loss, excess };
        let asked = question(&search(), &[of(Some(0.5), 0.0), of(Some(0.1), 1.0), of(None, f64::INFINITY)], 4);
        assert_eq!(asked["axes"], json!([["int", 1, 64, true], ["choice", 3]]));
        assert_eq!(
            asked["seen"],
            json!([[[8, 2], 0.5], [[8, 2], null], [[8, 2], null]]),
            "beyond its bounds, none counts"
        );
        assert_eq!((&asked["seed"], &asked["count"]), (&json!(5), &json!(4)));
    }

    #[test]
    fn an_answer_has_points_of_the_space_or_is_none() {
        let space = search().space;
        let read = |text: &str| answer(&space, text.as_bytes());
        let points = vec![vec![Value::Int(64), Value::Choice(0)], vec![Value::Int(1), Value::Choice(2)]];
        assert_eq!(read("[[64, 0], [1, 2]]"), Some(points));
        assert_eq!(read("[]"), Some(Vec::new()));
        for wrong in ["[[65, 0]]", "[[1, 3]]", "[[1]]", "[[1, 0, 0]]", "[[1.5, 0]]", "{}", "no"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
