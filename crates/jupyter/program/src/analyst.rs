//! Completions and explanations, as long as no cell runs: of SQL by the process of the cells, whose names are known from
//! before, too; of Rust by the sources of the library, and where these know nothing by the rust-analyzer of evcxr.

use benchbook_front::source::name_at;
use benchbook_front::{Assistant, Bundle, Completions, Names};
use evcxr::CommandContext;

use crate::analysis::{Answer, Question};
use crate::session::Session;

/// What evcxr says where it knows nothing.
const UNKNOWN: &str = "No documentation found";

/// Asks the session.
pub(crate) struct Analyst {
    session: Session,
    /// The variables of Rust and their types, as they were known last.
    variables: Vec<(String, String)>,
}

impl Analyst {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, variables: Vec::new() }
    }
}

impl Analyst {
    /// What the sources of the library say of a place in a cell.
    fn ask(&mut self, code: &str, byte: usize, completes: bool) -> Option<Answer> {
        // A command of evcxr's is no Rust.
        if code.trim_start().starts_with(':') {
            return None;
        }
        self.look();
        self.session.analyse(Question::new(code, byte, completes, &self.variables))
    }

    /// Learns the variables anew, where no cell runs.
    fn look(&mut self) {
        let all = |context: &mut CommandContext| {
            let owned = |(name, kind): (&str, &str)| (name.to_owned(), kind.to_owned());
            Some(context.variables_and_types().map(owned).collect::<Vec<_>>())
        };
        if let Some(mut variables) = self.session.if_free(all) {
            variables.sort_unstable();
            self.variables = variables;
        }
    }
}

impl Assistant for Analyst {
    fn complete(&mut self, code: &str, byte: usize) -> Completions {
        if let Some(Answer { matches, start, end, .. }) = self.ask(code, byte, true)
            && !matches.is_empty()
        {
            return Completions { matches, start, end };
        }
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
        if let Some(Answer { text: Some(text), markdown, .. }) = self.ask(code, byte, false) {
            let bundle = Bundle::text(text);
            return Some(markdown.into_iter().fold(bundle, |bundle, text| bundle.with("text/markdown", text)));
        }
        let name = name_at(code, byte)?;
        self.session.if_free(|context| meaning(context, name))
    }

    fn names(&mut self) -> Names {
        self.look();
        let variables = self.variables.iter().map(|(name, _)| name.clone()).collect();
        Names { variables, ..known(&self.session) }
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
