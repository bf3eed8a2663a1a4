//! What comes from the process of the cells, for the page of the cell that runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use benchbook_front::{Bundle, Failure, Page, Stream};

use crate::forms::{self, Named};
use crate::said::{Forms, Said};

/// How much of what code complains of is kept, in bytes: the end of it says why a `?` has failed.
const COMPLAINTS_BYTES: usize = 4 << 10;

/// Where it goes; copies are the same place.
#[derive(Clone, Default)]
pub(crate) struct Inlet(Arc<Mutex<Place>>);

#[derive(Default)]
struct Place {
    /// The page of the cell that runs; without one, what is shown is kept.
    page: Option<Page>,
    /// Whether what is shown is kept all the same.
    keeps: bool,
    kept: Option<Bundle>,
    /// A failure of the code that evcxr takes for a success.
    failure: Option<Failure>,
    /// In which way the code has ended, where it has not come to its end, and the last that it has complained of.
    ended_by: Option<String>,
    complaints: String,
    /// The text of the question that comes next, whole.
    question: Option<String>,
}

impl Inlet {
    /// Takes what happens.
    pub(crate) fn take(&self, said: Said) {
        let mut place = self.place();
        let print = |stream, text: &str| place.page.iter().for_each(|page| page.print(stream, text));
        match said {
            Said::Printed(text) => print(Stream::Stdout, &text),
            Said::Complained(text) => {
                print(Stream::Stderr, &text);
                place.complain(&text);
            }
            Said::Shown(forms) => place.show(forms, |page, bundle| page.show(bundle, None)),
            Said::Value(forms) => place.show(forms, Page::value),
            Said::Failed(kind) => place.ended_by = Some(kind),
            Said::Explained { kind, message } => place.failure = Some(Failure::new(&kind, message)),
            Said::Asks(question) => place.question = Some(question),
        }
    }

    /// From now on everything goes to this page, or is kept.
    pub(crate) fn turn_to(&self, page: Option<&Page>) {
        *self.place() = Place { page: page.cloned(), ..Place::default() };
    }

    /// Until [`Inlet::kept`], what is shown is kept: it is of no cell. What a thread of the last cell prints goes where it
    /// went.
    pub(crate) fn keep(&self) {
        let mut place = self.place();
        *place = Place { page: place.page.take(), keeps: true, question: place.question.take(), ..Place::default() };
    }

    /// What was kept since then.
    ///
    /// # Errors
    /// The code failed in a way that evcxr does not see.
    pub(crate) fn kept(&self) -> std::result::Result<Option<Bundle>, Failure> {
        let mut place = self.place();
        place.keeps = false;
        place.failed().map_or_else(|| Ok(place.kept.take()), Err)
    }

    /// The text of the question that evcxr asks now.
    pub(crate) fn question(&self) -> Option<String> {
        self.place().question.take()
    }

    /// A panic while it was held has left each of its values whole.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Why the code has failed, if it has: as the library says, or else as evcxr does, by standard error.
    fn failed(&mut self) -> Option<Failure> {
        let (ended_by, complaints) = (self.ended_by.take(), std::mem::take(&mut self.complaints));
        self.failure.take().or_else(|| {
            let kind = ended_by?;
            let unsaid = || format!("the cell ended by {kind}; what it said of it stands above");
            let message =
                Some(complaints.trim_end()).filter(|said| !said.is_empty()).map_or_else(unsaid, str::to_owned);
            Some(Failure::new(&kind, message))
        })
    }

    /// Keeps the end of what the code has complained of.
    fn complain(&mut self, text: &str) {
        self.complaints.push_str(text);
        let length = self.complaints.len();
        let least = length.saturating_sub(COMPLAINTS_BYTES);
        let begin = (least..length).find(|at| self.complaints.is_char_boundary(*at));
        self.complaints.drain(..begin.unwrap_or(length));
    }

    fn show(&mut self, mut told: Forms, put: impl FnOnce(&Page, Bundle)) {
        if let Some(wait) = forms::cleared(&mut told) {
            return self.page.iter().for_each(|page| page.clear(wait));
        }
        let named = forms::named(&mut told);
        // What has a name is shown by a thread of a cell.
        let page = self.page.as_ref().filter(|_| !self.keeps || named.is_some());
        let bundle = forms::bundle(told);
        match (page, named) {
            (Some(page), None) => put(page, bundle),
            (Some(page), Some(Named { id, update: false })) => page.show(bundle, Some(id)),
            (Some(page), Some(Named { id, update: true })) => page.change(bundle, id),
            (None, None) => self.kept = Some(bundle),
            // A bar is no value.
            (None, Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use benchbook_front::event::Event;
    use benchbook_front::page::News;

    use super::*;

    #[test]
    fn what_the_library_says_of_a_failure_goes_before_what_evcxr_says() {
        let inlet = Inlet::default();
        inlet.take(Said::Failed("panic".into()));
        let failure = inlet.kept().expect_err("a failure");
        assert_eq!((failure.name.as_str(), failure.message.contains("stands above")), ("panic", true));
        inlet.take(Said::Explained { kind: "error".into(), message: "no such store".into() });
        inlet.take(Said::Failed("panic".into()));
        inlet.take(Said::Complained("of something else\n".into()));
        let failure = inlet.kept().expect_err("a failure");
        assert_eq!((failure.name.as_str(), failure.message.as_str()), ("error", "no such store"));
        inlet.take(Said::Failed("error".into()));
        inlet.turn_to(None);
        assert_eq!(inlet.kept(), Ok(None));
    }

    #[test]
    fn what_evcxr_says_of_a_failure_comes_by_standard_error() {
        let inlet = Inlet::default();
        inlet.keep();
        inlet.take(Said::Failed("error".into()));
        // It comes by another pipe, and so may come later.
        inlet.take(Said::Complained("é".repeat(COMPLAINTS_BYTES)));
        inlet.take(Said::Complained("no such store\n".into()));
        let failure = inlet.kept().expect_err("a failure");
        assert!(failure.name == "error" && failure.message.ends_with("éno such store"), "{}", failure.message);
        assert!(failure.message.len() <= COMPLAINTS_BYTES, "{}", failure.message.len());
        inlet.take(Said::Complained("a warning".into()));
        assert_eq!(inlet.kept(), Ok(None));
    }

    #[test]
    fn what_is_of_no_cell_is_kept_beside_a_page() {
        let (events, received) = sync_channel(9);
        let inlet = Inlet::default();
        inlet.turn_to(Some(&Page::new(1, events)));
        let value = || Said::Value(Forms::from([("text/plain".to_owned(), "7".to_owned())]));
        inlet.keep();
        inlet.take(value());
        inlet.take(Said::Printed("late".into()));
        assert_eq!(inlet.kept(), Ok(Some(Bundle::text("7"))));
        inlet.take(value());
        let told = |event| match event {
            Event::News { news: News::Printed(_, text), .. } => text,
            Event::News { news: News::Value(_), .. } => "a value".to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(received.try_iter().map(told).collect::<Vec<_>>(), ["late", "a value"]);
    }

    #[test]
    fn what_a_cell_shows_is_kept_where_nobody_looks() {
        let inlet = Inlet::default();
        let text = |text: &str| Forms::from([("text/plain".to_owned(), text.to_owned())]);
        inlet.take(Said::Asks("name: ".into()));
        inlet.take(Said::Shown(text("first")));
        inlet.take(Said::Value(text("last")));
        let mut bar = text("50 %");
        bar.insert("application/vnd.benchbook.display+json".into(), "{\"id\": \"a\", \"update\": true}".into());
        inlet.take(Said::Shown(bar));
        assert_eq!(inlet.question().as_deref(), Some("name: "));
        assert_eq!(inlet.kept(), Ok(Some(Bundle::text("last"))));
        assert_eq!(inlet.kept(), Ok(None));
    }
}
