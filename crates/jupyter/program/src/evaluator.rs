//! Cells of Rust, run by evcxr, and cells of SQL, answered by the process of the cells.

use std::collections::BTreeMap;

use benchbook_front::magics::{Chart, Sql, parameters};
use benchbook_front::{Bundle, Evaluator, Failure, Outcome, Page, Stream, Variable, names};
use evcxr::{CommandContext, EvalCallbacks, EvalOutputs};
use serde_json::json;

use crate::analyst::{known, meaning};
use crate::answers::{ANSWER, Answers};
use crate::forms;
use crate::level::Level;
use crate::rewritten::{brings_forms, is_of_text, lacks_a_type, texts, typed};
use crate::session::Session;

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

    /// What variables of Rust are worth, in a line each; nothing of those that cannot be written.
    ///
    /// # Errors
    /// The process that holds them has ended, or the cell is interrupted.
    fn lines(&mut self, names: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let code = format!("benchbook::notebook::lines!({});", names.join(", "));
        let told = self.session.with(|context| {
            self.level.settle(context, &code, self.has_own_forms);
            quietly(&self.session, context, &code)
        });
        let told = match told {
            Ok(told) => told,
            Err(failure) if failure.name == forms::ENDED || self.session.is_interrupted() => return Err(failure),
            // A list without them is better than none.
            Err(_) => return Ok(BTreeMap::new()),
        };
        let text = told.as_ref().and_then(|bundle| bundle.data.get("text/plain")?.as_str()).unwrap_or_default();
        let lines: BTreeMap<String, Option<String>> = serde_json::from_str(text).unwrap_or_default();
        Ok(lines.into_iter().filter_map(|(name, line)| Some((name, line?))).collect())
    }
}

/// Code of a cell, as its lines are told in errors.
struct Code<'a> {
    text: &'a str,
    number: u32,
    /// Whether it shows its value in a form of its own.
    has_own_forms: bool,
}

/// Has the texts of a cell run, one after the other, until one compiles.
fn tried(
    session: &Session,
    context: &mut CommandContext,
    texts: &[String],
    callbacks: &mut EvalCallbacks<'_>,
) -> Result<EvalOutputs, evcxr::Error> {
    let mut done = Err(evcxr::Error::Message("this cell has no text".to_owned()));
    for text in texts {
        done = context.execute_with_callbacks(text, callbacks);
        // An interrupt ends the compiler, which is no fault of the text; and the variables of all texts are the same.
        let is_hopeless = session.is_interrupted() || done.as_ref().is_err_and(lacks_a_type);
        if is_hopeless || !done.as_ref().is_err_and(is_of_text) {
            break;
        }
    }
    done
}

/// Has code run, with types that evcxr cannot tell.
fn compiled(
    session: &Session,
    context: &mut CommandContext,
    code: &Code<'_>,
    callbacks: &mut EvalCallbacks<'_>,
) -> Result<EvalOutputs, evcxr::Error> {
    let done = tried(session, context, &texts(code.text, code.has_own_forms), callbacks);
    if session.is_interrupted() || !done.as_ref().is_err_and(lacks_a_type) {
        return done;
    }
    let mut text = code.text.to_owned();
    while let Some(more) = typed(context, &text) {
        let again = tried(session, context, &texts(&more, code.has_own_forms), callbacks);
        if session.is_interrupted() || !again.as_ref().is_err_and(is_of_text) {
            return again;
        }
        // Of variables that are made of these the compiler knows more by now.
        if !again.as_ref().is_err_and(lacks_a_type) {
            break;
        }
        text = more;
    }
    // What a person has written is what errors are about.
    done
}

/// Has code run; what evcxr says of a failure is told, and a process that has ended is replaced.
fn execute(
    session: &Session,
    context: &mut CommandContext,
    code: &Code<'_>,
    callbacks: &mut EvalCallbacks<'_>,
) -> Result<EvalOutputs, Failure> {
    let before: Vec<String> = context.variables_and_types().map(|(name, _)| name.to_owned()).collect();
    let told = |error: &evcxr::Error| forms::failure(error, code.text, code.number, &before);
    let error = match compiled(session, context, code, callbacks) {
        Ok(outputs) => return Ok(outputs),
        Err(evcxr::Error::SubprocessTerminated(_)) => {
            // evcxr knows of what stands between it and the cells alone.
            let how = session.cells().how_it_ended().unwrap_or_else(|| "nobody knows how".to_owned());
            evcxr::Error::SubprocessTerminated(how)
        }
        Err(other) if session.is_interrupted() && is_of_text(&other) => {
            let message = "interrupted while the cell was compiled; the variables are as they were";
            return Err(Failure::interrupted(message));
        }
        Err(other) => {
            let told = told(&other);
            return Err(session.library_is_gone().map_or(told, |gone| Failure::new("benchbook", gone)));
        }
    };
    let failure = told(&error);
    if session.ends() {
        return Err(failure);
    }
    // The process that has taken its place knows nothing of the library yet.
    Err(match session.configure(context) {
        Ok(()) => failure,
        Err(more) => Failure::new(&failure.name, format!("{}\n{}", failure.message, more.message)),
    })
}

/// Has code run of which the page shows nothing; gives what it would show.
fn quietly(session: &Session, context: &mut CommandContext, code: &str) -> Result<Option<Bundle>, Failure> {
    session.inlet().turn_to(None);
    execute(session, context, &Code { text: code, number: 0, has_own_forms: true }, &mut EvalCallbacks::default())?;
    session.inlet().kept()
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
    if let Some(bundle) = forms::value(outputs)? {
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
            Ok(kept.or(forms::value(outputs)?).unwrap_or_default())
        })
    }
}
