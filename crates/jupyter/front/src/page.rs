//! What a cell shows while it runs, and what it asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel};

use serde_json::{Map, Value};

use crate::event::Event;

/// How many bytes a cell may print and show, and one thing may take; a page that gets more becomes too slow to use.
pub const PRINTED_BYTES: usize = 32 << 20;

/// One thing in several forms, by MIME type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    /// The forms.
    pub data: Map<String, Value>,
    /// What is known of a form, by its MIME type.
    pub metadata: Map<String, Value>,
}

impl Bundle {
    /// A bundle of plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().with("text/plain", text.into())
    }

    /// The bundle with one more form.
    #[must_use]
    pub fn with(mut self, mime: &str, content: impl Into<Value>) -> Self {
        self.data.insert(mime.to_owned(), content.into());
        self
    }

    /// How many bytes its forms take, about.
    fn bytes(&self) -> usize {
        self.data.iter().map(|(mime, form)| mime.len() + bytes(form)).sum()
    }

    /// The bundle, or in its place what says that it is too large for a page.
    fn fitting(self) -> Self {
        let bytes = self.bytes();
        if bytes <= PRINTED_BYTES {
            return self;
        }
        let (mebibytes, most) = (bytes >> 20, PRINTED_BYTES >> 20);
        Self::text(format!("left out: this takes {mebibytes} MiB, and a page gets {most} MiB at most: show a part"))
    }
}

/// How many bytes a form takes, about: what is neither text nor made of others takes few.
fn bytes(form: &Value) -> usize {
    match form {
        Value::String(text) => text.len(),
        Value::Array(parts) => parts.iter().map(bytes).sum(),
        Value::Object(parts) => parts.iter().map(|(name, part)| name.len() + bytes(part)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// The two streams of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Something that a cell shows or asks.
#[derive(Debug)]
pub enum News {
    /// Text of a stream.
    Printed(Stream, String),
    /// Something shown; with a name, it can be changed later.
    Shown(Bundle, Option<String>),
    /// Something that takes the place of what was shown under this name.
    Changed(Bundle, String),
    /// What was shown goes, at once or when the next thing is shown.
    Cleared {
        /// Whether to wait for the next thing.
        wait: bool,
    },
    /// The value of the cell.
    Value(Bundle),
    /// A question to the person.
    Asked {
        /// What is asked.
        prompt: String,
        /// Whether the answer is hidden while it is typed.
        secret: bool,
        /// Where the answer goes; dropped where there is none.
        answer: Sender<String>,
    },
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The client has nobody to ask, or the cell was interrupted.
    #[error("nobody answers: the notebook runs without a person, or the cell was interrupted")]
    Nobody,
}

/// Where the output of one cell goes; copies of it are the same page.
#[derive(Debug, Clone)]
pub struct Page {
    cell: u64,
    events: SyncSender<Event>,
    printed: Arc<AtomicUsize>,
    /// Whether what is the value of a part of the cell is that of the cell.
    is_last: bool,
}

impl Page {
    /// The page of the cell with this number.
    #[must_use]
    pub fn new(cell: u64, events: SyncSender<Event>) -> Self {
        Self { cell, events, printed: Arc::default(), is_last: true }
    }

    /// The same page for a part of the cell that others follow: its value is shown, and is not that of the cell.
    #[must_use]
    pub fn of_part(&self) -> Self {
        Self { is_last: false, ..self.clone() }
    }

    /// Prints text, a part of a line too; what is beyond [`PRINTED_BYTES`] is left out, and that is said once.
    pub fn print(&self, stream: Stream, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.has_room(text.len()) {
            self.tell(News::Printed(stream, text.to_owned()));
        }
    }

    /// Whether so many bytes more may come; says once that they may not.
    fn has_room(&self, bytes: usize) -> bool {
        let before = self.printed.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= PRINTED_BYTES;
        if !fits && before <= PRINTED_BYTES {
            let mebibytes = PRINTED_BYTES >> 20;
            let note = format!("\nThe rest is left out: this cell has printed and shown more than {mebibytes} MiB.\n");
            self.tell(News::Printed(Stream::Stderr, note));
        }
        fits
    }

    /// Shows something; with a name, [`Page::change`] can put another thing in its place. Of what is too large for a page,
    /// the size is shown, and what is beyond [`PRINTED_BYTES`] in all is left out, as of [`Page::print`].
    pub fn show(&self, bundle: Bundle, name: Option<String>) {
        let bundle = bundle.fitting();
        if self.has_room(bundle.bytes()) {
            self.tell(News::Shown(bundle, name));
        }
    }

    /// Puts something in the place of what was shown under this name, or its size where it is too large for a page.
    pub fn change(&self, bundle: Bundle, name: String) {
        self.tell(News::Changed(bundle.fitting(), name));
    }

    /// Takes away what was shown, at once or when the next thing is shown: there is room for as much again.
    pub fn clear(&self, wait: bool) {
        self.printed.store(0, Ordering::Relaxed);
        self.tell(News::Cleared { wait });
    }

    /// Shows the value of the cell, or its size where it is too large for a page.
    pub fn value(&self, bundle: Bundle) {
        if self.is_last {
            self.tell(News::Value(bundle.fitting()));
        } else {
            self.show(bundle, None);
        }
    }

    /// Asks the person, and waits for the answer.
    ///
    /// # Errors
    /// There is nobody to ask, or the cell is interrupted while it waits.
    pub fn ask(&self, prompt: &str, secret: bool) -> Result<String, NoAnswer> {
        let (answer, answers) = channel();
        self.tell(News::Asked { prompt: prompt.to_owned(), secret, answer });
        answers.recv().map_err(|_| NoAnswer::Nobody)
    }

    /// Nobody is left to be told if this fails: the front end has ended.
    fn tell(&self, news: News) {
        let _ = self.events.send(Event::News { cell: self.cell, news });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_cell_that_prints_without_end_is_cut_once() {
        let (events, received) = sync_channel(100);
        let page = Page::new(1, events);
        let half = "x".repeat(PRINTED_BYTES / 2);
        for _ in 0..5 {
            page.clone().print(Stream::Stdout, &half);
        }
        page.print(Stream::Stderr, "");
        drop(page);
        let printed: Vec<(Stream, usize)> = received
            .into_iter()
            .filter_map(|event| match event {
                Event::News { news: News::Printed(stream, text), .. } => Some((stream, text.len())),
                _ => None,
            })
            .collect();
        assert_eq!(printed.len(), 3, "{printed:?}");
        assert_eq!(printed[..2], [(Stream::Stdout, half.len()); 2]);
        assert!(printed[2].0 == Stream::Stderr && printed[2].1 < 200);
    }

    #[test]
    fn of_what_is_too_large_for_a_page_the_size_is_said() {
        let (events, received) = sync_channel(100);
        let page = Page::new(1, events);
        let long = "x".repeat(PRINTED_BYTES);
        let json = serde_json::json!({ "data": [{ "name": long, "y": 1 }] });
        for large in [Bundle::text(long), Bundle::text("figure").with("x/json", json)] {
            page.show(large.clone(), Some("a".into()));
            page.change(large.clone(), "a".into());
            page.value(large);
        }
        drop(page);
        let told: Vec<bool> = received
            .into_iter()
            .map(|event| match event {
                Event::News { news: News::Shown(told, _) | News::Changed(told, _) | News::Value(told), .. } => {
                    told.data.len() == 1 && told.data["text/plain"].as_str().is_some_and(|said| said.contains("32 MiB"))
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [true; 6]);
    }

    #[test]
    fn a_cell_that_shows_without_end_is_cut_until_it_takes_away_what_it_has_shown() {
        let (events, received) = sync_channel(100);
        let page = Page::new(1, events);
        let half = || Bundle::text("x".repeat(PRINTED_BYTES / 2));
        for _ in 0..4 {
            page.show(half(), None);
        }
        page.clear(true);
        page.show(half(), None);
        drop(page);
        let kind = |event| match event {
            Event::News { news: News::Shown(..), .. } => "shown",
            Event::News { news: News::Cleared { .. }, .. } => "cleared",
            Event::News { news: News::Printed(Stream::Stderr, _), .. } => "said",
            other => panic!("{other:?}"),
        };
        assert_eq!(received.into_iter().map(kind).collect::<Vec<_>>(), ["shown", "said", "cleared", "shown"]);
    }

    #[test]
    fn a_question_that_nobody_hears_ends() {
        let (events, received) = sync_channel(1);
        let page = Page::new(1, events);
        drop(received);
        assert_eq!(page.ask("name? ", false), Err(NoAnswer::Nobody));
    }
}
