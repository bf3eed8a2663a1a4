//! `benchbook sql`, and `benchbook schema`: the tables that it asks.

use std::io::{Write, read_to_string};
use std::path::Path;

use benchbook_query::Session;
use benchbook_record::{Store, read_text};

use crate::args::{SqlArgs, once};
use crate::error::Failure;
use crate::output;
use crate::people::people;

/// What to do about a name that is given twice.
const ONE: &str = "leave one of them out";

/// Answers a statement or a named query.
pub fn sql(store: &str, arguments: &SqlArgs) -> Result<u8, Failure> {
    let store = Store::open(store)?;
    let mut session = match arguments.memory {
        Some(bytes) => Session::open_within(&store, bytes)?,
        None => Session::open(&store)?,
    };
    for (name, file) in once("--csv", &arguments.csvs, ONE)? {
        session.add_csv(&name, Path::new(&file))?;
    }
    let params = once("--param", &arguments.params, ONE)?;
    let answer = match &arguments.query {
        Some(name) => session.named(name, &params)?,
        None => {
            let (name, statement) = statement(arguments)?;
            session.script(&name, &statement, &params)?
        }
    };
    output::print(&answer.schema, &answer.batches, arguments.format)?;
    Ok(output::tell_left_out(&answer.left_out, arguments.strict, 0))
}

/// The statement and where it stands: on the command line, in a file, or on stdin.
fn statement(arguments: &SqlArgs) -> Result<(String, String), Failure> {
    match (&arguments.file, arguments.statement.as_deref()) {
        (Some(file), _) if file != Path::new("-") => {
            let name = file.display().to_string();
            let text = read_text(file).map_err(|error| Failure::while_doing(&name, error))?;
            Ok((name, text))
        }
        (Some(_), _) | (None, Some("-")) => {
            let text = read_to_string(std::io::stdin()).map_err(|error| Failure::while_doing("stdin", error))?;
            Ok(("stdin".to_owned(), text))
        }
        (None, Some(statement)) => Ok(("the statement".to_owned(), statement.to_owned())),
        (None, None) => Err(Failure::say("give a statement, a file with --file, or a named query with --query")),
    }
}

/// Prints the tables of the record.
pub fn schema() -> Result<u8, Failure> {
    writeln!(people(), "{}", benchbook_record::describe_schema().trim_end())?;
    Ok(0)
}
