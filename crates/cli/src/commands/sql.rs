//! `benchbook sql`.

use std::path::Path;

use benchbook_measure::record::Store;
use benchbook_query::Session;

use crate::args::{Format, SqlArgs, once};
use crate::error::{Failure, say};
use crate::output;

/// What to do about a name that is given twice.
const ONE: &str = "leave one of them out";

/// Answers a statement or a named query.
pub fn sql(store: &str, arguments: &SqlArgs) -> Result<u8, Failure> {
    let mut session = Session::open(&Store::open(store)?)?;
    for (name, file) in once("--csv", &arguments.csvs, ONE)? {
        session.add_csv(&name, Path::new(&file))?;
    }
    let answer = match (&arguments.statement, &arguments.query) {
        (Some(statement), _) => session.sql(statement)?,
        (None, Some(name)) => session.named(name, &once("--param", &arguments.params, ONE)?)?,
        (None, None) => return Err(Failure::say("give a statement, or a named query with --query")),
    };
    output::print(&answer.schema, &answer.batches, arguments.format.format)?;
    if arguments.format.format == Format::Table {
        for line in answer.left_out.to_string().lines() {
            say(line);
        }
    }
    Ok(0)
}
