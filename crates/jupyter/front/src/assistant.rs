//! Completions and explanations, which never wait for a cell that runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, SyncSender, channel};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::magics::{Cell, NAMES, Step};
use crate::names::{self, Names};
use crate::page::Bundle;

/// What could stand at a place of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// What could stand there.
    pub matches: Vec<String>,
    /// The byte from which on it takes the place of what was typed.
    pub start: usize,
    /// The byte before which that ends.
    pub end: usize,
}

/// Knows the code of a session, on a thread of its own.
pub trait Assistant: Send {
    /// What could stand at this byte of a cell.
    fn complete(&mut self, code: &str, byte: usize) -> Completions;

    /// What the name at this byte of a cell means; nothing where it is unknown.
    fn explain(&mut self, code: &str, byte: usize) -> Option<Bundle>;

    /// What cells of SQL may name.
    fn names(&mut self) -> Names {
        Names::default()
    }
}

/// An assistant that knows the magics alone.
impl Assistant for () {
    fn complete(&mut self, _: &str, byte: usize) -> Completions {
        Completions { matches: Vec::new(), start: byte, end: byte }
    }

    fn explain(&mut self, _: &str, _: usize) -> Option<Bundle> {
        None
    }
}

/// What is asked about a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its number, which the answer repeats.
    pub number: u64,
    /// Whether what could stand there is asked for, or else what stands there.
    pub completes: bool,
    /// The cell.
    pub code: String,
    /// The byte at which the cursor stands.
    pub byte: usize,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What could stand there.
    Completions(Completions),
    /// What stands there.
    Meaning(Option<Bundle>),
}

/// The magics that could stand at a byte of a cell; nothing where a magic has no place.
fn magics(code: &str, byte: usize) -> Option<Completions> {
    let (before, _) = code.split_at_checked(byte)?;
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let typed = before[line..].trim_start();
    let above = Cell::parse(&before[..line]).ok()?;
    let rust_above = above.steps.iter().any(|step| matches!(step, Step::Rust { .. }));
    if rust_above || !typed.starts_with('%') || typed.contains(char::is_whitespace) {
        return None;
    }
    let matches = NAMES.into_iter().filter(|name| name.starts_with(typed)).map(str::to_owned).collect();
    Some(Completions { matches, start: byte - typed.len(), end: byte })
}

fn answer(assistant: &mut dyn Assistant, Question { completes, code, byte, .. }: &Question) -> Answer {
    if *completes {
        let found = magics(code, *byte).or_else(|| names::complete(code, *byte, || assistant.names()));
        Answer::Completions(found.unwrap_or_else(|| assistant.complete(code, *byte)))
    } else {
        let found = names::explain(code, *byte, || assistant.names());
        Answer::Meaning(found.or_else(|| assistant.explain(code, *byte)))
    }
}

/// Starts the thread that answers questions, one after the other.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn spawn(mut assistant: Box<dyn Assistant>, events: SyncSender<Event>) -> Result<Sender<Question>> {
    let (questions, asked) = channel::<Question>();
    let work = move || {
        for question in asked {
            let found = catch_unwind(AssertUnwindSafe(|| answer(assistant.as_mut(), &question)));
            // An assistant that panics knows nothing; the request must be answered all the same.
            let answer = found.unwrap_or_else(|_| answer(&mut (), &question));
            if events.send(Event::Answered { question: question.number, answer }).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("assistant".into()).spawn(work);
    thread.map_err(|source| Error::Thread { what: "completions", source })?;
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn magics_are_known_where_they_may_stand() {
        for (code, matches) in [
            ("%", Some(vec!["%%sql", "%sql", "%%time", "%vars"])),
            ("%%", Some(vec!["%%sql", "%%time"])),
            ("!ls\n  %v", Some(vec!["%vars"])),
            ("%x", Some(vec![])),
            ("let a = 5;\n%", None),
            ("%sql sel", None),
            ("a % b", None),
            ("", None),
        ] {
            let found = magics(code, code.len());
            let expected = matches.map(|matches| matches.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found.map(|found| found.matches), expected, "{code}");
        }
        let found = magics("!ls\n  %v  ", 8).expect("a magic");
        assert_eq!((found.start, found.end), (6, 8));
        assert_eq!(magics("é", 1), None);
    }

    /// Knows one word, and panics at another.
    struct Pupil;

    impl Assistant for Pupil {
        fn complete(&mut self, code: &str, byte: usize) -> Completions {
            assert_ne!(code, "panic");
            Completions { matches: vec!["open".into()], start: byte - 1, end: byte }
        }

        fn explain(&mut self, _: &str, _: usize) -> Option<Bundle> {
            Some(Bundle::text("a word"))
        }
    }

    #[test]
    fn every_question_has_an_answer() {
        let (events, received) = sync_channel(9);
        let questions = spawn(Box::new(Pupil), events).expect("a thread");
        for (number, completes, code) in [(1, true, "o"), (2, true, "panic"), (3, false, "o")] {
            let question = Question { number, completes, code: code.into(), byte: code.len() };
            questions.send(question).expect("it listens");
        }
        drop(questions);
        let answers: Vec<(u64, Answer)> = received
            .into_iter()
            .filter_map(|event| match event {
                Event::Answered { question, answer } => Some((question, answer)),
                _ => None,
            })
            .collect();
        let completions = |matches: &[&str], start, end| {
            let matches = matches.iter().map(|one| (*one).to_owned()).collect();
            Answer::Completions(Completions { matches, start, end })
        };
        let expected = [
            (1, completions(&["open"], 0, 1)),
            (2, completions(&[], 5, 5)),
            (3, Answer::Meaning(Some(Bundle::text("a word")))),
        ];
        assert_eq!(answers, expected);
    }
}
