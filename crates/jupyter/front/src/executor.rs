//! The thread on which cells run, one after the other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::evaluator::{Evaluator, Failure, Interrupter, Outcome, Variable};
use crate::event::Event;
use crate::magics::{Cell, Step};
use crate::page::{Bundle, Page, Stream};
use crate::shell::Shell;

/// A cell that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number among all that ever ran.
    pub cell: u64,
    /// Its number as the notebook shows it.
    pub number: u32,
    /// Its text.
    pub code: String,
    /// Expressions whose values are asked for beside it, by their keys.
    pub expressions: Vec<(String, String)>,
}

/// Reaches what runs: a command of the shell, or the evaluator.
#[derive(Clone)]
pub(crate) struct Reach {
    shell: Arc<Shell>,
    interrupter: Arc<dyn Interrupter>,
    /// The cell that was interrupted last.
    interrupted: Arc<AtomicU64>,
}

impl Reach {
    pub(crate) fn new(interrupter: Arc<dyn Interrupter>) -> Self {
        Self { shell: Arc::default(), interrupter, interrupted: Arc::default() }
    }

    /// Asks a cell to stop.
    pub(crate) fn interrupt(&self, cell: u64) {
        self.interrupted.store(cell, Ordering::SeqCst);
        self.shell.interrupt();
        self.interrupter.interrupt(cell);
    }

    /// Ends the process of the cells.
    pub(crate) fn end(&self) {
        self.shell.interrupt();
        self.interrupter.end();
    }

    /// Ends the command that runs, if there is one: nothing of it is to outlive the kernel.
    pub(crate) fn finish(&self) {
        self.shell.end();
    }

    /// Whether a cell is to begin nothing more.
    fn is_interrupted(&self, cell: u64) -> bool {
        self.interrupted.load(Ordering::SeqCst) == cell
    }
}

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn spawn(
    mut evaluator: Box<dyn Evaluator>,
    reach: &Reach,
    events: SyncSender<Event>,
) -> Result<Sender<Job>> {
    let (jobs, given) = channel::<Job>();
    let reach = reach.clone();
    let work = move || {
        for job in given {
            let page = Page::new(job.cell, events.clone());
            let ran = catch_unwind(AssertUnwindSafe(|| run(evaluator.as_mut(), &reach, &job, &page)));
            evaluator.ended();
            let (outcome, expressions) = ran.unwrap_or_else(|panic| (Err(own_fault(panic.as_ref())), Vec::new()));
            if events.send(Event::Ended { cell: job.cell, outcome, expressions }).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("cells".into()).spawn(work);
    thread.map_err(|source| Error::Thread { what: "cells", source })?;
    Ok(jobs)
}

/// The values of the expressions beside a cell, by their keys.
type Expressions = Vec<(String, std::result::Result<Bundle, Failure>)>;

fn run(evaluator: &mut dyn Evaluator, reach: &Reach, job: &Job, page: &Page) -> (Outcome, Expressions) {
    evaluator.begin(job.cell);
    let cell = match Cell::parse(&job.code) {
        Ok(cell) => cell,
        Err(mistake) => return (Err(Failure::new("magic", mistake.to_string())), Vec::new()),
    };
    let began = Instant::now();
    let part = page.of_part();
    let mut steps = cell.steps.iter().peekable();
    let mut outcome = Ok(());
    while let (Ok(()), Some(step)) = (&outcome, steps.next()) {
        let page = if steps.peek().is_some() { &part } else { page };
        outcome = match reach.is_interrupted(job.cell) {
            true => Err(Failure::interrupted("the cell was interrupted before it had done everything")),
            false => one(evaluator, &reach.shell, step, job.number, page),
        };
    }
    if cell.timed {
        page.print(Stream::Stdout, &format!("Wall time: {}\n", readable(began.elapsed())));
    }
    if outcome.is_err() {
        return (outcome, Vec::new());
    }
    let value = |(key, expression): &(String, String)| (key.clone(), evaluator.value(expression));
    (outcome, job.expressions.iter().map(value).collect())
}

fn one(evaluator: &mut dyn Evaluator, shell: &Shell, step: &Step, number: u32, page: &Page) -> Outcome {
    match step {
        Step::Rust { code, lines_before } => {
            // So the lines that errors name are those of the cell.
            evaluator.rust(&format!("{}{code}", "\n".repeat(*lines_before)), number, page)
        }
        Step::Sql(sql) => evaluator.sql(sql, page),
        Step::Variables => {
            page.show(Bundle::text(table(&evaluator.variables()?)), None);
            Ok(())
        }
        Step::Shell(command) => shell.run(command, page),
        Step::Describe(name) => match evaluator.describe(name) {
            Some(bundle) => {
                page.show(bundle, None);
                Ok(())
            }
            None => Err(Failure::new("unknown", format!("nothing is known of `{name}`; `%vars` lists the variables"))),
        },
    }
}

/// Variables in columns, as a terminal shows them.
fn table(variables: &[Variable]) -> String {
    if variables.is_empty() {
        return "there are no variables yet".to_owned();
    }
    let widest = |of: fn(&Variable) -> &str| variables.iter().map(|one| of(one).chars().count()).max().unwrap_or(0);
    let (names, kinds) = (widest(|one| &one.name), widest(|one| &one.kind));
    let line = |Variable { name, kind, value }: &Variable| {
        let value = value.as_deref().unwrap_or_default();
        format!("{name:names$}  {kind:kinds$}  {value}").trim_end().to_owned()
    };
    variables.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A duration with three digits that mean something.
fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match seconds {
        _ if seconds < 1e-3 => (seconds * 1e6, "µs"),
        _ if seconds < 1.0 => (seconds * 1e3, "ms"),
        _ if seconds < 60.0 => (seconds, "s"),
        _ => return format!("{} min {:.0} s", duration.as_secs() / 60, seconds % 60.0),
    };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$} {unit}")
}

/// A panic of the kernel itself, which is no fault of the cell.
fn own_fault(panic: &(dyn Any + Send)) -> Failure {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or("no message");
    Failure::new("kernel", format!("the Jupyter kernel itself panicked: {said}; please report this, and restart it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::magics::Sql;
    use crate::page::News;
    use std::sync::mpsc::{Receiver, sync_channel};

    /// Does what its code says.
    struct Script;

    impl Evaluator for Script {
        fn rust(&mut self, code: &str, number: u32, page: &Page) -> Outcome {
            match code.trim() {
                "fail" => Err(Failure::new("error", "as asked")),
                "panic" => panic!("as asked"),
                text => {
                    page.print(Stream::Stdout, &format!("[{number}] line {}: {text}", code.matches('\n').count()));
                    Ok(())
                }
            }
        }

        fn sql(&mut self, statement: &Sql, page: &Page) -> Outcome {
            page.value(Bundle::text(statement.statement.clone()));
            Ok(())
        }

        fn variables(&mut self) -> std::result::Result<Vec<Variable>, Failure> {
            let one = |name: &str, kind: &str, value: Option<&str>| Variable {
                name: name.into(),
                kind: kind.into(),
                value: value.map(str::to_owned),
            };
            Ok(vec![one("a", "i32", Some("42")), one("long", "Vec<f64>", None)])
        }

        fn describe(&mut self, name: &str) -> Option<Bundle> {
            (name == "known").then(|| Bundle::text("it is known"))
        }

        fn value(&mut self, expression: &str) -> std::result::Result<Bundle, Failure> {
            match expression {
                "bad" => Err(Failure::new("error", "bad")),
                _ => Ok(Bundle::text(expression)),
            }
        }
    }

    fn started() -> (Sender<Job>, Receiver<Event>) {
        let (events, received) = sync_channel(100);
        let jobs = spawn(Box::new(Script), &Reach::new(Arc::new(())), events).expect("a thread");
        (jobs, received)
    }

    fn job(cell: u64, code: &str) -> Job {
        Job { cell, number: 7, code: code.to_owned(), expressions: Vec::new() }
    }

    /// What a cell printed or showed, and how it ended.
    fn result_of(code: &str) -> (String, Outcome) {
        let (jobs, received) = started();
        jobs.send(job(1, code)).expect("it listens");
        drop(jobs);
        let mut shown = String::new();
        for event in received {
            match event {
                Event::News { news: News::Printed(_, text), .. } => shown.push_str(&text),
                Event::News { news: News::Shown(bundle, _) | News::Value(bundle), .. } => {
                    shown.push_str(bundle.data["text/plain"].as_str().expect("text"));
                }
                Event::Ended { outcome, .. } => return (shown, outcome),
                other => panic!("{other:?}"),
            }
        }
        panic!("it never ended");
    }

    #[test]
    fn each_step_is_done_by_who_can() {
        let (shown, outcome) = result_of("!printf ab\n%vars\n?known\nx");
        assert_eq!(outcome, Ok(()));
        assert_eq!(shown, "aba     i32       42\nlong  Vec<f64>it is known[7] line 3: x");
        assert_eq!(result_of("%%sql\nselect 1"), ("select 1".into(), Ok(())));
        assert_eq!(result_of(""), (String::new(), Ok(())));
    }

    #[test]
    fn only_the_last_part_has_the_value_of_the_cell() {
        let (jobs, received) = started();
        jobs.send(job(1, "%%sql\nselect 1; select 2")).expect("it listens");
        drop(jobs);
        let shown: Vec<&str> = received
            .into_iter()
            .filter_map(|event| match event {
                Event::News { news: News::Shown(..), .. } => Some("shown"),
                Event::News { news: News::Value(_), .. } => Some("value"),
                _ => None,
            })
            .collect();
        assert_eq!(shown, ["shown", "value"]);
    }

    #[test]
    fn the_first_failure_ends_the_cell() {
        let (shown, outcome) = result_of("!exit 3\n!echo never");
        assert_eq!((shown.as_str(), outcome.is_err()), ("", true));
        for (code, name, part) in [
            ("?unknown", "unknown", "`unknown`"),
            ("%nothing", "magic", "no `%nothing`"),
            ("fail", "error", "as asked"),
            ("panic", "kernel", "itself panicked: as asked"),
        ] {
            let failure = result_of(code).1.expect_err(code);
            assert_eq!(failure.name, name);
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }

    #[test]
    fn a_panic_does_not_end_the_thread() {
        let (jobs, received) = started();
        for (cell, code) in [(1, "panic"), (2, "x")] {
            jobs.send(job(cell, code)).expect("it listens");
        }
        drop(jobs);
        let ended = |event| match event {
            Event::Ended { cell, outcome, .. } => Some((cell, outcome.is_ok())),
            _ => None,
        };
        assert_eq!(received.into_iter().filter_map(ended).collect::<Vec<_>>(), [(1, false), (2, true)]);
    }

    #[test]
    fn a_cell_that_was_interrupted_begins_nothing_more() {
        let (events, received) = sync_channel(100);
        let reach = Reach::new(Arc::new(()));
        let jobs = spawn(Box::new(Script), &reach, events).expect("a thread");
        // Before it has begun, and it alone.
        reach.interrupt(2);
        for cell in 1..4 {
            jobs.send(job(cell, "!true\nx")).expect("it listens");
        }
        drop(jobs);
        let ended = |event| match event {
            Event::Ended { cell, outcome, .. } => Some((cell, outcome.map_err(|failure| failure.name))),
            _ => None,
        };
        let expected = [(1, Ok(())), (2, Err("interrupted".to_owned())), (3, Ok(()))];
        assert_eq!(received.into_iter().filter_map(ended).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn values_are_told_beside_a_cell_that_went_well() {
        let (jobs, received) = started();
        let expressions = ["good", "bad"].map(|one| (one.to_owned(), one.to_owned())).to_vec();
        for code in ["", "fail"] {
            jobs.send(Job { expressions: expressions.clone(), ..job(1, code) }).expect("it listens");
        }
        drop(jobs);
        let values: Vec<Expressions> = received
            .into_iter()
            .filter_map(|event| match event {
                Event::Ended { expressions, .. } => Some(expressions),
                _ => None,
            })
            .collect();
        let good = ("good".to_owned(), Ok(Bundle::text("good")));
        let bad = ("bad".to_owned(), Err(Failure::new("error", "bad")));
        assert_eq!(values, [vec![good, bad], vec![]]);
    }

    #[test]
    fn times_have_a_unit() {
        for (seconds, text) in [
            (0.000_001_5, "1.50 µs"),
            (0.012_34, "12.3 ms"),
            (0.5, "500 ms"),
            (9.996, "10.0 s"),
            (59.0, "59.0 s"),
            (75.0, "1 min 15 s"),
        ] {
            assert_eq!(readable(Duration::from_secs_f64(seconds)), text);
        }
        assert!(result_of("%%time\nx").0.contains("Wall time: "));
    }
}
