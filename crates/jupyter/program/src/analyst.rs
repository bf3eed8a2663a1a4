//! Completions and explanations: of SQL by the process of the cells, of Rust by the rust-analyzer of evcxr, each as long as
//! no cell runs; what SQL may name is known from before, too.

use benchbook_front::source::name_at;
use benchbook_front::{Assistant, Bundle, Completions, Names};
use evcxr::CommandContext;

use crate::session::Session;

/// What evcxr says where it knows nothing.
const UNKNOWN: &str = "No documentation found";

/// Asks the session.
pub(crate) struct Analyst {
    session: Session,
    /// The variables of Rust, as they were known last.
    variables: Vec<String>,
}

impl Analyst {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, variables: Vec::new() }
    }
}

impl Assistant for Analyst {
    fn complete(&mut self, code: &str, byte: usize) -> Completions {
        let found = self.session.if_free(|context| context.completions(code, byte).ok());
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
        self.session.if_free(|context| meaning(context, name))
    }

    fn names(&mut self) -> Names {
        let variables = |context: &mut CommandContext| {
            Some(context.variables_and_types().map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
        };
        if let Some(mut variables) = self.session.if_free(variables) {
            variables.sort_unstable();
            self.variables = variables;
        }
        Names { variables: self.variables.clone(), ..known(&self.session) }
    }
}

/// What SQL may name, but for variables.
pub(crate) fn known(session: &Session) -> Names {
    // What was never told, or is of another version, is no name.
    serde_json::from_str(&session.cells().names()).unwrap_or_default()
}

/// What a name means: the type of a variable, or the documentation of everything else.
pub(crate) fn meaning(context: &mut CommandContext, name: &str) -> Option<Bundle> {
    if let Some((_, kind)) = context.variables_and_types().find(|(known, _)| *known == name) {
        return Some(Bundle::text(format!("{name}: {kind}")));
    }
    let (text, html) = context.hover_at(name, name.len()).ok()?;
    (text != UNKNOWN).then(|| Bundle::text(text).with("text/html", html))
}
