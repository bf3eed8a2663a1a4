//! `benchbook feedback`: a loop that looks for the most demanding setting that keeps to a bound, turn by turn, from what was
//! just measured. Its state and its log are rows of the store: each turn is a run that says why it was measured.

use std::io::Write;
use std::sync::atomic::Ordering;

use benchbook_core::{Case, counted};
use benchbook_query::TIME;
use benchbook_record::LocalStore;
use benchbook_report::{duration, number};
use benchbook_search::{Decision, Feedback, Move, Rule, Value};

use super::run::{local_path, start};
use super::tune::{Asked, Bench, Choice, Found, Goal, Known, Subject, absent, first_plan, read, target};
use crate::args::{FeedbackArgs, Format, once};
use crate::commands::calibrate::share;
use crate::error::{EXIT_ERROR, Failure, say};
use crate::output::{self, text_batch};
use crate::people::people;
use crate::progress::interrupt_flag;

/// The kind of the events that say why a turn was measured.
const EVENT: &str = "feedback";

/// Closes the loop for so many turns.
pub fn feedback(store: &str, arguments: &FeedbackArgs) -> Result<u8, Failure> {
    let interrupted = interrupt_flag("finishing the journal")?;
    let beside = arguments.beside.found()?;
    if arguments.turns == 0 {
        return Err(Failure::say("a loop of 0 turns measures nothing: give --turns 20 or more"));
    }
    once("--set", &arguments.sets, "write NAME=A,B for several values")?;
    let threads: Vec<usize> = arguments.threads.into_iter().collect();
    let target = target((arguments.workload.as_ref(), arguments.model.as_ref()), &arguments.sets, 1)?;
    let asked = Asked {
        workload: &target.workload,
        sets: &target.sets,
        implementations: &arguments.implementations,
        knobs: &[],
        device: arguments.device.as_deref(),
        dtypes: &arguments.dtype,
        threads: &threads,
        as_given: true,
    };
    let plan = first_plan(&asked, arguments.seed, arguments.keep_disturbed);
    let mut ready = start(plan).beside(beside.workers.clone()).interrupted(&interrupted).workers()?;
    let cases: Vec<Case> = ready.cells.iter().map(|cell| cell.case.clone()).collect();
    let choice = Choice::new(&asked, ready.known(), &cases)?;
    let [levels] = &choice.dimensions[..] else {
        let told = counted(choice.dimensions.len(), "list");
        return Err(Failure::say(format!(
            "a loop changes one thing, and {told} of values are given: give several values to one of --set, \
             --implementation and --dtype, least demanding first"
        )));
    };
    let rule = Rule { bound: arguments.hold.1, slack: arguments.slack, patience: arguments.patience };
    let feedback = Feedback::new(levels.values.len(), rule).map_err(|error| Failure::say(error.to_string()))?;
    ready.left_out.clear();
    let local = LocalStore::create_or_open(local_path(store)?)?;
    let of = arguments.model.as_ref().unwrap_or(&target.workload);
    let name = arguments.name.clone().unwrap_or_else(|| format!("{of}-{}", arguments.seed));
    let goal = Goal { metric: arguments.hold.0.clone(), under: Vec::new(), over: Vec::new() };
    let bench = Bench { store, local, ready, interrupted };
    let mut turning = Turning { bench, choice: &choice, goal, rule, feedback, tag: format!("feedback:{name}") };
    let mut log = turning.replayed()?;
    let is_whole = turning.turn(&mut log, arguments.turns)?;
    turning.tell(&log, arguments)?;
    if !is_whole {
        writeln!(people(), "interrupted: the same command goes on from here")?;
        return Ok(EXIT_ERROR);
    }
    Ok(0)
}

/// A loop at work.
struct Turning<'a> {
    bench: Bench<'a>,
    choice: &'a Choice,
    goal: Goal,
    rule: Rule,
    feedback: Feedback,
    tag: String,
}

impl Turning<'_> {
    /// What is measured at a level.
    fn subject(&self, level: usize) -> Result<Subject, Failure> {
        self.choice.subject(&[Value::Choice(level)]).map_err(Failure::say)
    }

    /// The level in words.
    fn label(&self, level: usize) -> String {
        self.choice.words(&[Value::Choice(level)])
    }

    /// What runs say of a level; nothing where they do not know it.
    fn found(&self, known: &Known, level: usize) -> Result<Option<Found>, Failure> {
        Ok(known.get(&self.subject(level)?.key()).cloned())
    }

    fn read(&self, run: &str) -> Result<Known, Failure> {
        let session = self.bench.session()?;
        let subject = self.subject(0)?;
        let known = read(&session, &[run.to_owned()], &subject.case.workload, &self.goal, "")?;
        match self.goal.absent(&known) {
            Some(metric) => Err(absent(&session, run, metric)?),
            None => Ok(known),
        }
    }

    /// The turns that the store knows, decided again.
    fn replayed(&mut self) -> Result<Vec<Decision>, Failure> {
        let (runs, _) = self.bench.own(&self.tag)?;
        let mut log = Vec::new();
        for run in runs {
            // A run that was cut off before it knew anything is no turn.
            if let Some(found) = self.found(&self.read(&run)?, self.feedback.level())? {
                log.push(self.feedback.take(found.values.get(&self.goal.metric).copied()));
            }
        }
        if !log.is_empty() {
            say(format_args!("{}: goes on after {}", self.tag, counted(log.len(), "turn")));
        }
        Ok(log)
    }

    /// Measures until there are so many turns; whether it came so far.
    fn turn(&mut self, log: &mut Vec<Decision>, turns: u64) -> Result<bool, Failure> {
        while (log.len() as u64) < turns {
            if self.bench.interrupted.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let level = self.feedback.level();
            let why = match log.last() {
                Some(last) => self.words(last),
                None => format!("it begins with {}", self.label(level)),
            };
            self.bench.ready.notes = vec![(EVENT.to_owned(), why)];
            let subject = self.subject(level)?;
            let summary = self.bench.measure([&subject], &self.tag, 1)?;
            let found = self.found(&self.read(&summary.run_id)?, level)?;
            if summary.interrupted {
                return Ok(false);
            }
            let value = found.and_then(|found| found.values.get(&self.goal.metric).copied());
            let decision = self.feedback.take(value);
            say(self.words(&decision));
            log.push(decision);
        }
        Ok(true)
    }

    fn figure(&self, value: f64) -> String {
        if self.goal.metric == TIME { duration(value) } else { number(value) }
    }

    /// A decision in words.
    fn words(&self, decision: &Decision) -> String {
        let Decision { turn, from, value, to, why } = decision;
        let (bound, next) = (self.figure(self.rule.bound), self.label(*to));
        let took = value.map_or_else(|| "it failed".to_owned(), |value| self.figure(value));
        let why = match why {
            Move::Up => format!("below {bound} by {} or more, {next} is next", share(self.rule.slack)),
            Move::Down => format!("not within {bound}, back to {next}"),
            Move::Keep => format!("within {bound}, it stays"),
            Move::Wait => "there is room, but the last change was just now: it stays".to_owned(),
            Move::Banned => {
                format!("there is room, but {} was too much a short while ago: it stays", self.label(from + 1))
            }
            Move::Stuck => format!("not within {bound}, and nothing is less demanding"),
        };
        format!("turn {turn}, {}: {took}, {why}", self.label(*from))
    }

    fn tell(&self, log: &[Decision], arguments: &FeedbackArgs) -> Result<(), Failure> {
        let value = |one: &Decision| one.value.map_or_else(|| "failed".to_owned(), |value| value.to_string());
        let batch = text_batch(&[
            ("turn", column(log, &|one| one.turn.to_string())),
            ("setting", column(log, &|one| self.label(one.from))),
            (self.goal.metric.as_str(), column(log, &value)),
            ("move", column(log, &|one| name(one.why).to_owned())),
            ("next", column(log, &|one| self.label(one.to))),
        ])?;
        output::print(&batch.schema(), &[batch], arguments.format)?;
        if arguments.format.format == Format::Table
            && let Some(last) = log.last()
        {
            writeln!(people(), "\n{}", self.words(last))?;
        }
        match log.last() {
            Some(Decision { why: Move::Stuck, .. }) => Err(Failure::say(format!(
                "no setting keeps to {} ≤ {}: give a higher bound, or a less demanding first value",
                self.goal.metric,
                self.figure(self.rule.bound)
            ))),
            _ => Ok(()),
        }
    }
}

/// A column of the log.
fn column(log: &[Decision], show: &dyn Fn(&Decision) -> String) -> Vec<String> {
    log.iter().map(show).collect()
}

/// A move in a word.
fn name(why: Move) -> &'static str {
    match why {
        Move::Up => "up",
        Move::Down => "down",
        Move::Keep => "keep",
        Move::Wait => "wait",
        Move::Banned => "banned",
        Move::Stuck => "stuck",
    }
}
