//! What can go wrong between a question and its answer.

use std::fmt;
use std::path::PathBuf;

/// The result of a query.
pub type Result<T> = std::result::Result<T, Error>;

/// A place in the text of a query, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// How a question may take more memory.
pub(crate) const MORE_MEMORY: &str =
    "let it take more (BENCHBOOK_MEMORY=8GiB or =50%, `benchbook sql --memory`, `Lab::memory` in a notebook)";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The SQL cannot be understood, or names something that does not exist.
    #[error("{message}{}{}", at(*position), did_you_mean(nearest.as_deref()))]
    Sql {
        /// What is wrong.
        message: String,
        /// Where, if known.
        position: Option<Position>,
        /// The nearest existing name, if one is near.
        nearest: Option<String>,
    },
    /// The statement would change something.
    #[error("{statement} is refused: a store is only read here; write a SELECT, EXPLAIN, DESCRIBE or SHOW TABLES")]
    ReadOnly {
        /// The kind of statement.
        statement: String,
    },
    /// There is no named query of that name.
    #[error("no query named `{name}`{}; there are {}", did_you_mean(nearest.as_deref()), known.join(", "))]
    UnknownQuery {
        /// The name asked for.
        name: String,
        /// The nearest existing name, if one is near.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The query has no parameter of that name.
    #[error("query `{query}` has no parameter `{name}`{}; it takes {}", did_you_mean(nearest.as_deref()), list(known))]
    UnknownParameter {
        /// The query.
        query: String,
        /// The parameter asked for.
        name: String,
        /// The nearest existing parameter, if one is near.
        nearest: Option<String>,
        /// All parameters.
        known: Vec<String>,
    },
    /// A parameter without a default was given no value.
    #[error("give a value to {}", names.iter().map(|name| format!("`${name}`")).collect::<Vec<_>>().join(", "))]
    MissingParameter {
        /// The parameters.
        names: Vec<String>,
    },
    /// A parameter's value does not fit its type.
    #[error("parameter `{name}` is `{value}`, but must be {expected}")]
    BadParameter {
        /// The parameter.
        name: String,
        /// The value given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A variant, implementation or parameter that no trial of the store has.
    #[error("no {what} `{name}` in this store{}; there are {}", did_you_mean(nearest.as_deref()), list(known))]
    NotInStore {
        /// What the name should be the name of.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The nearest existing name, if one is near.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// A file of a named query cannot be read or has a bad header.
    #[error("query file {path}: {reason}", path = path.display())]
    QueryFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A CSV file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    CsvUnread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no CSV, or some row of it does not fit the others.
    #[error("{path} is no CSV with a header: {reason}", path = path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        reason: String,
    },
    /// A file is no table of claims.
    #[error("{path}: {reason}", path = path.display())]
    Claims {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the claim where it is known.
        reason: String,
    },
    /// A table cannot have that name.
    #[error("no table can be added as `{name}`: {reason}")]
    TableName {
        /// The name asked for.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Record(#[from] benchbook_record::Error),
    /// The threads that run queries cannot be started.
    #[error("cannot start the threads of the query engine: {0}")]
    Threads(#[from] std::io::Error),
    /// The question takes more memory than it may.
    #[error(
        "the question takes more than {} of memory: ask for fewer rows or columns at a time, or {}",
        size(*limit_bytes),
        MORE_MEMORY
    )]
    Memory {
        /// What it may take, in bytes.
        limit_bytes: u64,
    },
    /// The variable for what a question may take says no amount.
    #[error("BENCHBOOK_MEMORY is `{value}`: {reason}")]
    MemoryVariable {
        /// What it says.
        value: String,
        /// What to write instead.
        reason: String,
    },
    /// Somebody has ended the question.
    #[error("interrupted before there was an answer: ask again")]
    Interrupted,
    /// The query engine panicked.
    #[error("the query engine cannot do this, try another way to ask: {message}")]
    Panic {
        /// What the panic said.
        message: String,
    },
    /// The query engine failed.
    #[error("the query engine failed: {0}")]
    Engine(#[from] datafusion::error::DataFusionError),
}

fn at(position: Option<Position>) -> String {
    position.map(|position| format!(" at {position}")).unwrap_or_default()
}

/// `1.5 GiB`, or `64 MiB` where it is less than one.
pub(crate) fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
