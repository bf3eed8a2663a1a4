//! Completions and explanations, as long as no cell runs: of SQL by the process of the cells, whose names are known from
//! before, too; of Rust by the sources of the library, and where these know nothing by the rust-analyzer of evcxr. What a
//! variable is worth is asked between two cells, and its type is known from before.

use std::collections::BTreeMap;

use benchbook_front::source::name_at;
use benchbook_front::{Assistant, Bundle, Completions, Names};
use evcxr::CommandContext;

use crate::analysis::{Answer, Question};
use crate::session::Session;
use crate::values::lines;

/// What evcxr says where it knows nothing.
const UNKNOWN: &str = "No documentation found";

/// Asks the session.
pub(crate) struct Analyst {
    session: Session,
    /// The variables of Rust and their types, as they were known last.
    variables: Vec<(String, String)>,
    /// What they were worth after the cell of this number.
    worth: Option<(u64, BTreeMap<String, String>)>,
}

impl Analyst {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, variables: Vec::new(), worth: None }
    }

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

    /// A variable with its type, and with its value where no cell runs that could change it.
    fn variable(&mut self, name: &str) -> Option<String> {
        self.look();
        let (_, kind) = self.variables.iter().find(|(known, _)| known == name)?;
        let after = self.session.cell();
        if self.worth.as_ref().is_none_or(|(cell, _)| *cell != after) {
            // All of them, since a page may ask of each, and the compiler takes as long for one.
            let names: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
            let found = self.session.between_cells(|context| lines(&self.session, context, &names));
            self.worth = found.map(|lines| (after, lines));
        }
        let line = self.worth.as_ref().and_then(|(_, lines)| lines.get(name));
        Some(match line {
            Some(line) => format!("{name}: {kind} = {line}"),
            None => format!("{name}: {kind}"),
        })
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
        let answer = self.ask(code, byte, false);
        let name = name_at(code, byte);
        let variable = name.and_then(|name| self.variable(name));
        if let Some(Answer { text: Some(text), markdown, .. }) = answer {
            return Some(explained(variable, &text, markdown));
        }
        variable.map(Bundle::text).or_else(|| self.session.if_free(|context| meaning(context, name?)))
    }

    fn names(&mut self) -> Names {
        self.look();
        let variables = self.variables.iter().map(|(name, _)| name.clone()).collect();
        Names { variables, ..known(&self.session) }
    }
}

/// What the sources say of a name, below what is known of the variable of this name.
fn explained(variable: Option<String>, text: &str, markdown: Option<String>) -> Bundle {
    let (above, fenced) = match variable {
        Some(told) => (format!("{told}\n\n"), format!("```rust\n{told}\n```\n\n")),
        None => (String::new(), String::new()),
    };
    let bundle = Bundle::text(above + text);
    match markdown {
        Some(told) => bundle.with("text/markdown", fenced + &told),
        None => bundle,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stands_above_what_the_sources_say() {
        let said = || Some("**A store.**".to_owned());
        let found = explained(Some("lab: Lab = results".into()), "A store.", said());
        let markdown = "```rust\nlab: Lab = results\n```\n\n**A store.**";
        assert_eq!(found, Bundle::text("lab: Lab = results\n\nA store.").with("text/markdown", markdown));
        assert_eq!(explained(None, "A store.", said()), Bundle::text("A store.").with("text/markdown", "**A store.**"));
        assert_eq!(explained(None, "A store.", None), Bundle::text("A store."));
    }
}
