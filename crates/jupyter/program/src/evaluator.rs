//! Cells of Rust, run by evcxr.

use benchbook_front::magics::Sql;
use benchbook_front::{Bundle, Evaluator, Failure, Outcome, Page, Stream, Variable};
use evcxr::{CommandContext, EvalCallbacks};

use crate::forms;
use crate::inlet::Inlet;
use crate::session::{Session, configure};

/// Runs cells in the session.
pub(crate) struct Evcxr(Session);

impl Evcxr {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

fn run(inlet: &Inlet, context: &mut CommandContext, code: &str, number: u32, page: &Page) -> Outcome {
    let before: Vec<String> = context.variables_and_types().map(|(name, _)| name.to_owned()).collect();
    inlet.turn_to(Some(page));
    let mut callbacks = EvalCallbacks {
        input_reader: &|asked| {
            // evcxr cuts the question at a colon.
            let question = inlet.question().unwrap_or(asked.prompt);
            page.ask(&question, asked.is_password).unwrap_or_default()
        },
    };
    let outputs = match context.execute_with_callbacks(code, &mut callbacks) {
        Ok(outputs) => outputs,
        Err(error) => {
            let failure = forms::failure(&error, code, number, &before);
            let ended = matches!(error, evcxr::Error::SubprocessTerminated(_));
            // The process that has taken its place knows nothing of the library yet.
            let again = if ended { configure(context) } else { Ok(()) };
            return Err(match again {
                Ok(()) => failure,
                Err(more) => Failure::new(&failure.name, format!("{}\n{}", failure.message, more.message)),
            });
        }
    };
    inlet.kept()?;
    if let Some(took) = outputs.timing {
        page.print(Stream::Stdout, &format!("took {} ms\n", took.as_millis()));
    }
    if let Some(bundle) = forms::value(outputs)? {
        page.value(bundle);
    }
    Ok(())
}

impl Evaluator for Evcxr {
    fn rust(&mut self, code: &str, number: u32, page: &Page) -> Outcome {
        self.0.with(|context| run(self.0.inlet(), context, code, number, page))
    }

    fn sql(&mut self, _: &Sql, _: &Page) -> Outcome {
        let message = "the process of these cells answers no SQL; `lab.sql(\"…\")` does, in a cell of Rust";
        Err(Failure::new("sql", message))
    }

    fn variables(&mut self) -> Result<Vec<Variable>, Failure> {
        self.0.with(|context| {
            let variable =
                |(name, kind): (&str, &str)| Variable { name: name.to_owned(), kind: kind.to_owned(), value: None };
            let mut variables: Vec<Variable> = context.variables_and_types().map(variable).collect();
            variables.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(variables)
        })
    }

    fn describe(&mut self, name: &str) -> Option<Bundle> {
        self.0.with(|context| Ok(crate::analyst::meaning(context, name))).ok().flatten()
    }

    fn value(&mut self, expression: &str) -> Result<Bundle, Failure> {
        self.0.with(|context| {
            self.0.inlet().turn_to(None);
            let failed = |error| forms::failure(&error, expression, 0, &[]);
            let outputs = context.execute(expression).map_err(failed)?;
            let kept = self.0.inlet().kept()?;
            Ok(kept.or(forms::value(outputs)?).unwrap_or_default())
        })
    }
}
