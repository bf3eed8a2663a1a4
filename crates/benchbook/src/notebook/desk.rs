//! What cells of Rust and cells of SQL hand each other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use benchbook_query::{Answer, Session};
use datafusion::common::ScalarValue;

use super::given::Given;
use crate::{ErrorKind, Result};

/// Values and answers, by their names.
struct Desk {
    values: BTreeMap<String, ScalarValue>,
    answers: BTreeMap<String, Answer>,
}

static DESK: Mutex<Desk> = Mutex::new(Desk { values: BTreeMap::new(), answers: BTreeMap::new() });

/// What a panic has left is still whole.
fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the value of a variable to cells of SQL, which take it for the parameter of this name. The Jupyter kernel calls
/// it.
pub fn give<T: Given + ?Sized>(name: &str, value: &T) {
    put(name, value.given());
}

// A cell compiles what takes any type, and must not have to know how values of DataFusion are let go.
#[inline(never)]
fn put(name: &str, value: ScalarValue) {
    desk().values.insert(name.to_owned(), value);
}

/// The answer that a cell of SQL has bound to this name. The Jupyter kernel calls it.
///
/// # Errors
/// There is none.
pub fn answer(name: &str) -> Result<Answer> {
    desk().answers.get(name).cloned().ok_or_else(|| ErrorKind::NoAnswer(name.to_owned()).into())
}

/// Binds an answer to a name.
pub(super) fn bind(name: &str, answer: Answer) {
    desk().answers.insert(name.to_owned(), answer);
}

/// The values that were given under these names.
pub(super) fn values(names: &[String]) -> Vec<(String, ScalarValue)> {
    let desk = desk();
    names.iter().filter_map(|name| Some((name.clone(), desk.values.get(name)?.clone()))).collect()
}

/// Puts every answer beside the tables of a session.
///
/// # Errors
/// The store has a table of that name by now.
pub(crate) fn lay_out(session: &mut Session) -> Result<()> {
    for (name, answer) in &desk().answers {
        session.add_answer(name, answer)?;
    }
    Ok(())
}
