//! Errors of the engine in words for the person who wrote the query.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::csv::is_plain;
use crate::error::{Error, Position};
use crate::metrics::{TIME, table_functions};
use crate::names::{nearest, quoted, quoted_name};

/// Names that a query may use.
pub(crate) struct Known {
    pub(crate) tables: Vec<String>,
    pub(crate) functions: Vec<String>,
    /// The memory that the query may take.
    pub(crate) limit_bytes: u64,
}

/// The error of planning or running a query, with its position and the nearest name where one is near.
pub(crate) fn explain(error: DataFusionError, known: &Known) -> Error {
    let spot = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let position = spot.map(|span| Position { line: span.start.line, column: span.start.column });
    let sql = |message: String, nearest: Option<String>| Error::Sql { message, position, nearest };
    match error.find_root() {
        DataFusionError::SQL(parser, _) => {
            let text = parser.to_string();
            let (message, position) = split_position(text.trim_start_matches("sql parser error: "));
            Error::Sql { message, position, nearest: None }
        }
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let near = nearest(&field.name, valid_fields.iter().map(|field| &field.name)).map(written);
                sql(format!("no column `{}` here", field.flat_name()), near)
            }
            SchemaError::AmbiguousReference { field } => {
                sql(format!("column `{}` could be of several tables: write table.{}", field.name, field.name), None)
            }
            other => sql(other.to_string(), None),
        },
        DataFusionError::Plan(message) => {
            if let Some(words) = misfit(message) {
                return sql(words, None);
            }
            if let Some(table) = between(message, "table '", "' not found") {
                let name = table.rsplit('.').next().unwrap_or(table);
                return sql(format!("no table or view `{name}`"), nearest(name, &known.tables));
            }
            let of_tables = || table_functions().map(|function| function.name);
            if let Some(function) = between(message, "table function '", "' not found") {
                return sql(format!("no function `{function}` that gives a table"), nearest(function, of_tables()));
            }
            if let Some(function) = between(message, "Invalid function '", "'") {
                if let Some(name) = of_tables().find(|name| *name == function) {
                    let words = format!("`{name}` gives a table: write SELECT * FROM {name}({})", quoted(TIME));
                    return sql(words, None);
                }
                // The engine knows it, but only with a window.
                if known.functions.iter().any(|known| known == function) {
                    return sql(format!("`{function}` needs a window: write {function}(…) OVER (ORDER BY …)"), None);
                }
                return sql(format!("no function `{function}`"), nearest(function, &known.functions));
            }
            if message.contains("No SQL statements were provided") {
                return sql("the statement is empty, write one such as `select * from runs`".into(), None);
            }
            sql(plain(message), None)
        }
        DataFusionError::NotImplemented(message) if message.contains("single SQL statement") => {
            sql("these are several statements, write one".into(), None)
        }
        DataFusionError::NotImplemented(message) | DataFusionError::Configuration(message) => sql(plain(message), None),
        DataFusionError::Execution(message) => sql(plain(message), None),
        DataFusionError::ResourcesExhausted(_) => Error::Memory { limit_bytes: known.limit_bytes },
        DataFusionError::Internal(message) => match misfit(message) {
            Some(words) => sql(words, None),
            None => Error::Engine(error),
        },
        DataFusionError::ArrowError(arrow, _) => sql(arrow.to_string(), None),
        _ => Error::Engine(error),
    }
}

/// A name as SQL has to have it: what is not lower-case throughout needs quotes.
fn written(name: String) -> String {
    if is_plain(&name) { name } else { quoted_name(&name) }
}

/// A function and arguments that none of its signatures takes, which the engine calls a bug of its own.
fn misfit(message: &str) -> Option<String> {
    let function = between(message, "Function '", "' failed to match any signature")?;
    let function = function.rsplit('\'').next().unwrap_or(function);
    let words = match between(message, "but received ", " (DataType") {
        Some("String") => {
            format!("`{function}` takes no text: write {function}(CAST(… AS DOUBLE)) where it holds numbers")
        }
        Some(kind) => format!("`{function}` takes nothing of the type {kind}"),
        None => format!("`{function}` does not take these arguments"),
    };
    Some(words)
}

/// The innermost of nested planning messages, without the engine's advice on signatures.
fn plain(message: &str) -> String {
    let inner = message.rsplit("Error during planning: ").next().unwrap_or(message);
    let inner = inner.split(" No function matches the given name").next().unwrap_or(inner);
    inner.split("\n\tCandidate functions").next().unwrap_or(inner).trim().to_owned()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.find(end).map(|stop| &rest[..stop])
}

/// Takes `at Line: 1, Column: 8` off the end of a parser's message.
fn split_position(text: &str) -> (String, Option<Position>) {
    let whole = || (text.to_owned(), None);
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return whole();
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return whole();
    };
    let column: String = column.chars().take_while(char::is_ascii_digit).collect();
    match (line.parse(), column.parse()) {
        (Ok(line), Ok(column)) => (message.to_owned(), Some(Position { line, column })),
        _ => whole(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_message_gives_its_position() {
        let (message, position) = split_position("Expected: an expression, found: FROM at Line: 2, Column: 18");
        assert_eq!(message, "Expected: an expression, found: FROM");
        assert_eq!(position, Some(Position { line: 2, column: 18 }));
        assert_eq!(split_position("no place").1, None);
    }
}
