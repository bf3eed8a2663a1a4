//! Cells of Rust, run by evcxr, and cells of SQL, answered by the process of the cells.

use std::collections::BTreeMap;

use benchbook_front::magics::{Chart, Sql, parameters};
use benchbook_front::{Bundle, Evaluator, Failure, Outcome, Page, Stream, Variable, names};
use evcxr::{CommandContext, EvalCallbacks};
use serde_json::json;

use crate::analyst::{known, meaning};
use crate::answers::{ANSWER, Answers};
use crate::execution::{Code, execute, quietly};
use crate::forms;
use crate::level::Level;
use crate::rewritten::brings_forms;
use crate::session::Session;
use crate::values::lines;

/// Runs cells in the session.
pub(crate) struct Evcxr {
    session: Session,
    answers: Answers,
    /// The process of the cells that knows these answers.
    process: u64,
    level: Level,
    /// Whether a cell has brought forms of its own for what it shows.
    has_own_forms: bool,
}

impl Evcxr {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, answers: Answers::default(), process: 0, level: Level::new(), has_own_forms: false }
    }

    /// Forgets what went with the process of the cells, where another one has taken its place.
    fn forget_lost(&mut self) {
        let process = self.session.cells().number();
        if std::mem::replace(&mut self.process, process) != process {
            self.answers = Answers::default();
        }
    }

    /// Makes variables of the answers that some code names.
    fn take_answers(&mut self, code: &str) -> Outcome {
        let lacking = self.answers.lacking_in_rust(code);
        if lacking.is_empty() {
            return Ok(());
        }
        let take = |name: &String| {
            format!("let {name}: benchbook::prelude::{ANSWER} = benchbook::notebook::answer(\"{name}\")?;")
        };
        let taking = lacking.iter().map(take).collect::<Vec<_>>().join("\n");
        self.session.with(|context| quietly(&self.session, context, &taking))?;
        self.answers.are_in_rust(lacking);
        Ok(())
    }

    /// Gives cells of SQL the values of variables.
    fn give_values(&mut self, names: &[String]) -> Outcome {
        let lacking = self.answers.lacking_in_sql(names);
        if lacking.is_empty() {
            return Ok(());
        }
        let give = |name: &String| format!("benchbook::notebook::give(\"{name}\", &{name});");
        let giving = lacking.iter().map(give).collect::<Vec<_>>().join("\n");
        self.session.with(|context| {
            let is_there = |name: &&String| context.variables_and_types().any(|(known, _)| known == name.as_str());
            if let Some(absent) = lacking.iter().find(|name| !is_there(name)) {
                let message = format!("no variable `{absent}` for `${absent}`: define it in a cell of Rust before");
                return Err(Failure::new("sql", message));
            }
            quietly(&self.session, context, &giving)
        })?;
        self.answers.are_in_sql(lacking);
        Ok(())
    }

    /// What variables of Rust are worth, as of [`lines`].
    fn lines(&mut self, names: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
        self.session.with(|context| {
            // To ask for them computes nothing.
            self.level.settle(context, "", self.has_own_forms);
            lines(&self.session, context, names)
        })
    }
}

fn run(session: &Session, context: &mut CommandContext, code: &Code<'_>, page: &Page) -> Outcome {
    let inlet = session.inlet();
    inlet.turn_to(Some(page));
    let mut callbacks = EvalCallbacks {
        input_reader: &|asked| {
            // evcxr cuts the question at a colon.
            let question = inlet.question().unwrap_or(asked.prompt);
            page.ask(&question, asked.is_password).unwrap_or_default()
        },
    };
    let outputs = execute(session, context, code, &mut callbacks)?;
    inlet.kept()?;
    if let Some(took) = outputs.timing {
        page.print(Stream::Stdout, &format!("took {} ms\n", took.as_millis()));
    }
    if let Some(bundle) = forms::value(outputs) {
        page.value(bundle);
    }
    Ok(())
}

impl Evaluator for Evcxr {
    fn begin(&mut self, cell: u64) {
        self.session.begin(cell);
        self.forget_lost();
    }

    fn ended(&mut self) {
        self.session.ended();
    }

    fn rust(&mut self, code: &str, number: u32, page: &Page) -> Outcome {
        // Who was told of it was no cell.
        self.session.lost().map_or(Ok(()), Err)?;
        self.take_answers(code)?;
        self.answers.may_change(code);
        self.has_own_forms |= brings_forms(code);
        let code = Code { text: code, number, has_own_forms: self.has_own_forms };
        self.session.with(|context| {
            // What brings forms of its own may be a crate, which would be compiled again.
            self.level.settle(context, code.text, code.has_own_forms);
            run(&self.session, context, &code, page)
        })
    }

    fn sql(&mut self, sql: &Sql, page: &Page) -> Outcome {
        let names = parameters(&sql.statement);
        self.give_values(&names)?;
        let drawn = |one: &Chart| json!({ "kind": one.kind.to_string(), "x": one.x, "y": one.y, "by": one.by });
        let chart = sql.chart.as_ref().map(drawn);
        let question =
            json!({ "statement": sql.statement, "parameters": names, "name": sql.name, "chart": chart }).to_string();
        self.session.cells().ask(&question, page)?;
        // The first question is what starts the process where nothing else has.
        self.forget_lost();
        if let Some(name) = &sql.name {
            self.answers.bind(name);
        }
        Ok(())
    }

    fn variables(&mut self) -> Result<Vec<Variable>, Failure> {
        let variable =
            |(name, kind): (&str, &str)| Variable { name: name.to_owned(), kind: kind.to_owned(), value: None };
        let mut variables: Vec<Variable> = self.answers.only_in_sql().map(|name| variable((name, ANSWER))).collect();
        // Before evcxr is there, Rust has no variables.
        if self.session.has_started() {
            let mut of_rust =
                self.session.with(|context| Ok(context.variables_and_types().map(variable).collect::<Vec<_>>()))?;
            let names: Vec<&str> = of_rust.iter().map(|one| one.name.as_str()).collect();
            let mut lines = self.lines(&names)?;
            of_rust.iter_mut().for_each(|one| one.value = lines.remove(&one.name));
            variables.retain(|one| of_rust.iter().all(|other| other.name != one.name));
            variables.extend(of_rust);
        }
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(variables)
    }

    fn describe(&mut self, name: &str) -> Option<Bundle> {
        if self.answers.only_in_sql().any(|known| known == name) {
            return Some(Bundle::text(format!("{name}: {ANSWER}")));
        }
        // Before evcxr is there, what SQL knows need not wait for it.
        let in_sql = || names::describe(name, &known(&self.session));
        if !self.session.has_started()
            && let Some(found) = in_sql()
        {
            return Some(found);
        }
        let looked_up = self.session.with(|context| {
            let is_variable = context.variables_and_types().any(|(one, _)| one == name);
            Ok((is_variable, meaning(context, name)))
        });
        match looked_up.ok()? {
            (true, Some(mut told)) => {
                if let Ok(mut lines) = self.lines(&[name])
                    && let (Some(line), Some(kind)) = (lines.remove(name), told.data.get("text/plain"))
                {
                    told = Bundle::text(format!("{} = {line}", kind.as_str().unwrap_or_default()));
                }
                Some(told)
            }
            (_, told) => told.or_else(in_sql),
        }
    }

    fn value(&mut self, expression: &str) -> Result<Bundle, Failure> {
        self.take_answers(expression)?;
        let code = Code { text: expression, number: 0, has_own_forms: self.has_own_forms };
        self.session.with(|context| {
            self.session.inlet().turn_to(None);
            let outputs = execute(&self.session, context, &code, &mut EvalCallbacks::default())?;
            let kept = self.session.inlet().kept()?;
            Ok(kept.or(forms::value(outputs)).unwrap_or_default())
        })
    }
}
