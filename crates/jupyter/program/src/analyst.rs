//! Completions and explanations by the rust-analyzer of evcxr, as long as no cell runs.

use benchbook_front::source::name_at;
use benchbook_front::{Assistant, Bundle, Completions};
use evcxr::CommandContext;

use crate::session::Session;

/// What evcxr says where it knows nothing.
const UNKNOWN: &str = "No documentation found";

/// Asks the session.
pub(crate) struct Analyst(Session);

impl Analyst {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

impl Assistant for Analyst {
    fn complete(&mut self, code: &str, byte: usize) -> Completions {
        let found = self.0.if_free(|context| context.completions(code, byte).ok());
        match found {
            Some(found) => {
                let matches = found.completions.into_iter().map(|one| one.code).collect();
                Completions { matches, start: found.start_offset, end: found.end_offset }
            }
            None => Completions { matches: Vec::new(), start: byte, end: byte },
        }
    }

    fn explain(&mut self, code: &str, byte: usize) -> Option<Bundle> {
        let name = name_at(code, byte)?;
        self.0.if_free(|context| meaning(context, name))
    }
}

/// What a name means: the type of a variable, or the documentation of everything else.
pub(crate) fn meaning(context: &mut CommandContext, name: &str) -> Option<Bundle> {
    if let Some((_, kind)) = context.variables_and_types().find(|(known, _)| *known == name) {
        return Some(Bundle::text(format!("{name}: {kind}")));
    }
    let (text, html) = context.hover_at(name, name.len()).ok()?;
    (text != UNKNOWN).then(|| Bundle::text(text).with("text/html", html))
}
