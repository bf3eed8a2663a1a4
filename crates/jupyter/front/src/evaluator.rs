//! Who runs cells, as the front end sees them.

use crate::magics::Sql;
use crate::page::{Bundle, Page};

/// Why a cell has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure in a word, such as `panic`.
    pub name: String,
    /// What happened, and what to do.
    pub message: String,
    /// The same for people, line by line, with where it happened; colours as a terminal shows them.
    pub trace: Vec<String>,
}

/// How many bytes of a message are told: a page shows it line by line, and keeps it twice.
const MESSAGE_BYTES: usize = 1 << 20;

/// A message as far as it is told.
fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        let left_out = format!("… ({} MiB more are left out)", (message.len() - MESSAGE_BYTES).div_ceil(1 << 20));
        let end = (0..=MESSAGE_BYTES).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or_default());
        message.push_str(&left_out);
    }
    message
}

impl Failure {
    /// A failure that its message says all about; of a message of more than a mebibyte the rest is left out.
    #[must_use]
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        let message = shortened(message.into());
        let trace = message.lines().map(str::to_owned).collect();
        Self { name: name.to_owned(), message, trace }
    }

    /// A cell that was interrupted.
    #[must_use]
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new("interrupted", message)
    }
}

/// How a cell has ended.
pub type Outcome = Result<(), Failure>;

/// A variable of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, as a person would write it.
    pub kind: String,
    /// Its value in a line, where it can be shown.
    pub value: Option<String>,
}

/// Runs cells, one after the other, on one thread.
pub trait Evaluator: Send {
    /// The cell with this number begins; an interrupt names the one that it is for.
    fn begin(&mut self, _cell: u64) {}

    /// That cell has ended, however it went.
    fn ended(&mut self) {}

    /// Runs Rust code. `number` is that of the cell in the notebook.
    ///
    /// # Errors
    /// The code does not compile, fails, panics, is interrupted, or its process has ended.
    fn rust(&mut self, code: &str, number: u32, page: &Page) -> Outcome;

    /// Answers an SQL statement.
    ///
    /// # Errors
    /// The statement fails, or there is nobody to answer it.
    fn sql(&mut self, statement: &Sql, page: &Page) -> Outcome;

    /// The variables of the session, by name.
    ///
    /// # Errors
    /// The process that holds them has ended.
    fn variables(&mut self) -> Result<Vec<Variable>, Failure>;

    /// What a name means; nothing where it is unknown.
    fn describe(&mut self, name: &str) -> Option<Bundle>;

    /// The value of an expression, which is asked for beside a cell.
    ///
    /// # Errors
    /// As of [`Evaluator::rust`].
    fn value(&mut self, expression: &str) -> Result<Bundle, Failure>;
}

/// Reaches a cell that runs, from another thread.
pub trait Interrupter: Send + Sync {
    /// Asks the cell with this number to stop; code that never looks goes on. It may not have begun yet, or have ended.
    fn interrupt(&self, cell: u64);

    /// Ends the process of the cell, and with it every variable.
    fn end(&self);
}

/// An evaluator of which every cell says why there is none.
#[derive(Debug)]
pub struct Refusal(pub String);

impl Refusal {
    fn failure(&self) -> Failure {
        // A headless runner knows a refusal by this name.
        Failure::new("benchbook", self.0.clone())
    }
}

impl Evaluator for Refusal {
    fn rust(&mut self, _: &str, _: u32, _: &Page) -> Outcome {
        Err(self.failure())
    }

    fn sql(&mut self, _: &Sql, _: &Page) -> Outcome {
        Err(self.failure())
    }

    fn variables(&mut self) -> Result<Vec<Variable>, Failure> {
        Err(self.failure())
    }

    fn describe(&mut self, _: &str) -> Option<Bundle> {
        Some(Bundle::text(self.0.clone()))
    }

    fn value(&mut self, _: &str) -> Result<Bundle, Failure> {
        Err(self.failure())
    }
}

impl Interrupter for () {
    fn interrupt(&self, _: u64) {}

    fn end(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_as_far_as_a_page_bears_it() {
        let whole = "é".repeat(MESSAGE_BYTES / 2);
        assert_eq!(Failure::new("panic", whole.as_str()).message, whole);
        let cut = Failure::new("panic", format!("x{whole}"));
        assert!(cut.message.len() < MESSAGE_BYTES + 100, "{}", cut.message.len());
        assert!(cut.message.ends_with("é… (1 MiB more are left out)"), "{}", cut.message.len());
        assert_eq!(cut.trace, [cut.message.as_str()]);
    }
}
