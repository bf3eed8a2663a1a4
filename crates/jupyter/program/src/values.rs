//! What variables of Rust are worth, in a line each, as the library writes it.

use std::collections::BTreeMap;

use benchbook_front::Failure;
use evcxr::CommandContext;

use crate::execution::quietly;
use crate::forms;
use crate::session::Session;

/// The lines of these variables, by their names; nothing of those that cannot be written, or where their code fails.
///
/// # Errors
/// The process that holds them has ended, or the cell is interrupted.
pub(crate) fn lines(
    session: &Session,
    context: &mut CommandContext,
    names: &[&str],
) -> Result<BTreeMap<String, String>, Failure> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let code = format!("benchbook::notebook::lines!({});", names.join(", "));
    let told = match quietly(session, context, &code) {
        Ok(told) => told,
        Err(failure) if failure.name == forms::ENDED || session.is_interrupted() => return Err(failure),
        // A list without them is better than none.
        Err(_) => return Ok(BTreeMap::new()),
    };
    let text = told.as_ref().and_then(|bundle| bundle.data.get("text/plain")?.as_str()).unwrap_or_default();
    let lines: BTreeMap<String, Option<String>> = serde_json::from_str(text).unwrap_or_default();
    Ok(lines.into_iter().filter_map(|(name, line)| Some((name, line?))).collect())
}
