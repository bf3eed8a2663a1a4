//! Serves one client after the other, or many at once, until somebody asks for the end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::time::Duration;

use uuid::Uuid;

use crate::assistant::{self, Assistant, Question};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::evaluator::{Evaluator, Interrupter};
use crate::event::Event;
use crate::executor::{self, Job, Reach};
use crate::kernel::{About, Action, Kernel};
use crate::message::{Key, Request};
use crate::page::News;
use crate::sockets::{self, Outbox};

/// How many events may wait; who brings more waits, too.
const EVENTS: usize = 256;

/// How long a cell has to stop before its page says that it does not.
const PATIENCE: Duration = Duration::from_secs(3);

/// How much text of a stream is put into one message, in bytes.
const STREAM_BYTES: usize = 64 << 10;

/// What a kernel is made of, besides its protocol.
pub struct Parts {
    /// Runs cells.
    pub evaluator: Box<dyn Evaluator>,
    /// Completes and explains code.
    pub assistant: Box<dyn Assistant>,
    /// Reaches a cell that runs.
    pub interrupter: Arc<dyn Interrupter>,
}

/// Serves a connection until a client asks for the end.
///
/// `log` gets what no client can be told, a line each.
///
/// # Errors
/// An address is taken, the system gives no thread, or the sockets fail.
pub fn serve(connection: &Connection, about: About, parts: Parts, log: &mut dyn FnMut(&str)) -> Result<()> {
    let (events, happened) = sync_channel(EVENTS);
    let reach = Reach::new(parts.interrupter);
    let (outbox, sockets) = sockets::open(connection, events.clone())?;
    let mut server = Server {
        kernel: Kernel::new(about),
        key: Key::new(connection.key()),
        session: Uuid::now_v7().to_string(),
        outbox,
        jobs: executor::spawn(parts.evaluator, &reach, events.clone())?,
        questions: assistant::spawn(parts.assistant, events.clone())?,
        reach,
        events,
        log,
    };
    let mut happened = Happened { events: happened, put_back: None };
    while let Some(event) = happened.next() {
        if !server.handle(event)? {
            break;
        }
    }
    // Whoever waits until there is room for an event goes on by this.
    drop(happened);
    server.reach.finish();
    server.outbox.stop()?;
    // A thread that panics has lost its sockets, and there is nothing left to send.
    sockets.join().map_err(|_| Error::Lost("their thread panicked".into()))
}

/// Events, with the text of a stream joined as far as it waits.
struct Happened {
    events: Receiver<Event>,
    put_back: Option<Event>,
}

impl Happened {
    fn next(&mut self) -> Option<Event> {
        let mut event = self.put_back.take().or_else(|| self.events.recv().ok())?;
        while let Event::News { cell, news: News::Printed(stream, text) } = &mut event {
            if text.len() >= STREAM_BYTES {
                break;
            }
            match self.events.try_recv() {
                Ok(Event::News { cell: same, news: News::Printed(to, more) }) if same == *cell && to == *stream => {
                    text.push_str(&more);
                }
                Ok(other) => {
                    self.put_back = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        Some(event)
    }
}

struct Server<'a> {
    kernel: Kernel,
    key: Key,
    session: String,
    outbox: Outbox,
    jobs: Sender<Job>,
    questions: Sender<Question>,
    reach: Reach,
    events: SyncSender<Event>,
    log: &'a mut dyn FnMut(&str),
}

impl Server<'_> {
    /// Does what an event asks for; says whether to go on.
    fn handle(&mut self, event: Event) -> Result<bool> {
        let actions = match event {
            Event::Received { channel, frames } => match Request::read(channel, frames, &self.key) {
                Ok(request) => self.kernel.request(request),
                Err(refused) => {
                    (self.log)(&format!("a message was left out: {refused}"));
                    Vec::new()
                }
            },
            Event::Subscribed(topic) => self.kernel.subscribed(topic),
            Event::Settled => self.kernel.settled(),
            Event::Lost(problem) => return Err(Error::Lost(problem)),
            Event::News { cell, news } => self.kernel.news(cell, news),
            Event::Ended { cell, outcome, expressions } => self.kernel.ended(cell, outcome, expressions),
            Event::Overdue { cell } => self.kernel.overdue(cell),
            Event::Answered { question, answer } => self.kernel.answered(question, answer),
        };
        self.all(actions)
    }

    fn all(&mut self, actions: Vec<Action>) -> Result<bool> {
        for action in actions {
            match action {
                Action::Say(message) => {
                    self.outbox.send(message.channel, message.frames(&self.key, &self.session))?;
                }
                Action::Run(job) => self.jobs.send(job).map_err(|_| ended("cells"))?,
                Action::Ask(question) => self.questions.send(question).map_err(|_| ended("completions"))?,
                Action::Interrupt(cell) => self.reach.interrupt(cell),
                Action::End => self.reach.end(),
                Action::Watch(cell) => self.watch(cell)?,
                Action::Settle => self.outbox.settle()?,
                Action::Stop => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Tells after a while that a cell was interrupted; of one that has stopped by then nobody takes notice.
    fn watch(&self, cell: u64) -> Result<()> {
        let events = self.events.clone();
        let wait = move || {
            std::thread::sleep(PATIENCE);
            // The front end may have ended.
            let _ = events.send(Event::Overdue { cell });
        };
        let thread = std::thread::Builder::new().name("patience".into()).spawn(wait);
        thread.map(drop).map_err(|source| Error::Thread { what: "an interrupt", source })
    }
}

/// A thread that catches every panic has ended all the same.
fn ended(what: &str) -> Error {
    Error::Lost(format!("the thread of {what} has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Stream;

    #[test]
    fn text_that_waits_is_one_message() {
        let (events, received) = sync_channel(100);
        let print = |cell, stream, text: &str| {
            let news = News::Printed(stream, text.to_owned());
            events.send(Event::News { cell, news }).expect("it listens");
        };
        let large = "x".repeat(STREAM_BYTES);
        for text in ["a", "b", large.as_str(), "c"] {
            print(1, Stream::Stdout, text);
        }
        print(1, Stream::Stderr, "d");
        events.send(Event::Settled).expect("it listens");
        print(2, Stream::Stderr, "e");
        drop(events);
        let mut happened = Happened { events: received, put_back: None };
        let mut found = Vec::new();
        while let Some(event) = happened.next() {
            found.push(match event {
                Event::News { cell, news: News::Printed(stream, text) } => format!("{cell} {stream:?} {}", text.len()),
                other => format!("{other:?}"),
            });
        }
        let first = format!("1 Stdout {}", STREAM_BYTES + 2);
        assert_eq!(found, [first.as_str(), "1 Stdout 1", "1 Stderr 1", "Settled", "2 Stderr 1"]);
    }
}
