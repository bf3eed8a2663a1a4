//! What cells of SQL may name, told to the Jupyter kernel, which completes and explains words by it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use benchbook_query::{Session, functions};
use serde_json::{Value, json};

use super::{MARGIN, desk};
use crate::Result;
use crate::asked::Asked;

/// How the kernel knows the line.
const ANSWER: &str = "EVCXR_NAMES ";

/// Tells them, on one line.
///
/// # Errors
/// The kernel has gone.
pub(super) fn tell() -> io::Result<()> {
    let told = names(session().ok().as_ref()).to_string();
    let mut out = io::stdout().lock();
    out.write_all(MARGIN)?;
    writeln!(out, "{ANSWER}{told}")
}

/// A session as cells of SQL have it.
fn session() -> Result<Session> {
    let mut session = Asked::last()?.session()?;
    desk::lay_out(&mut session)?;
    // Nobody interrupts this; a cell before it may have been interrupted.
    session.interrupted_by(&Arc::default());
    Ok(session)
}

/// Tables with their columns, and functions with what is known of them. Where no store can be asked, there are functions.
fn names(session: Option<&Session>) -> Value {
    let tables = session.and_then(|session| session.columns().ok()).unwrap_or_default();
    let of_engine = session.map(Session::function_names).unwrap_or_default();
    let mut known: BTreeMap<String, String> = of_engine.into_iter().map(|name| (name, String::new())).collect();
    known.extend(functions().into_iter().map(|one| (one.name.to_owned(), format!("{}\n{}", one.signature, one.doc))));
    json!({ "tables": tables, "functions": known })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_their_columns_and_functions_what_is_known_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let asked = Asked::open(&folder.path().join("store")).unwrap();
        let told = names(Some(&asked.session().unwrap()));
        for (table, column) in [("samples", "elapsed_ns"), ("results", "time_ns"), ("verdicts", "verdict")] {
            let columns = told["tables"][table].as_array().expect(table);
            assert!(columns.contains(&column.into()), "{table}: {columns:?}");
        }
        assert_eq!(told["functions"]["abs"], "");
        assert!(told["functions"]["replicate_median"].as_str().unwrap().starts_with("replicate_median("));
        let without = names(None);
        assert_eq!((&without["tables"], without["functions"].get("abs")), (&json!({}), None));
        assert!(without["functions"].get("replicate_median").is_some());
    }
}
