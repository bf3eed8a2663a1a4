//! What comes from the process of the cells, for the page of the cell that runs.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use benchbook_front::{Bundle, Error, Failure, Page, Result, Stream};

use crate::forms;
use crate::outlet::said::{Forms, Said};

/// Where it goes; copies are the same place.
#[derive(Clone, Default)]
pub(crate) struct Inlet(Arc<Mutex<Place>>);

#[derive(Default)]
struct Place {
    /// The page of the cell that runs; without one, what is shown is kept.
    page: Option<Page>,
    kept: Option<Bundle>,
    /// A failure of the code that evcxr takes for a success.
    failure: Option<Failure>,
    /// The text of the question that comes next, whole.
    question: Option<String>,
}

impl Inlet {
    /// Listens at a socket of this path.
    ///
    /// # Errors
    /// The path is taken, or the system gives no thread.
    pub(crate) fn listen(&self, path: &Path) -> Result<()> {
        let taken = |error: std::io::Error| {
            Error::Lost(format!("that of the cells cannot be made at {}: {error}", path.display()))
        };
        let listener = UnixListener::bind(path).map_err(taken)?;
        let own = self.clone();
        // One process after the other: what the last words of one are stands before what the next one says.
        let work = move || listener.incoming().flatten().for_each(|stream| own.read(stream));
        let thread = std::thread::Builder::new().name("inlet".into()).spawn(work);
        thread.map(drop).map_err(|source| Error::Thread { what: "the socket of the cells", source })
    }

    fn read(&self, stream: UnixStream) {
        let Ok(mut acknowledge) = stream.try_clone() else { return };
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            match serde_json::from_str(&line) {
                // Everything before this is on the page.
                Ok(Said::Done) => {
                    if acknowledge.write_all(b"\n").is_err() {
                        return;
                    }
                }
                Ok(said) => self.take(said),
                // Of another version, or no word of ours: nothing that a page could show.
                Err(_) => {}
            }
        }
    }

    fn take(&self, said: Said) {
        let mut place = self.place();
        let print = |stream, text: &str| place.page.iter().for_each(|page| page.print(stream, text));
        match said {
            Said::Printed(text) => print(Stream::Stdout, &text),
            Said::Complained(text) => print(Stream::Stderr, &text),
            Said::Shown(forms) => place.show(forms, |page, bundle| page.show(bundle, None)),
            Said::Value(forms) => place.show(forms, Page::value),
            Said::Failed(kind) => {
                let message = format!("the cell ended by {kind}; what it said of it stands above");
                place.failure.get_or_insert(Failure::new(&kind, message));
            }
            Said::Asks(question) => place.question = Some(question),
            Said::Done => {}
        }
    }

    /// From now on everything goes to this page, or is kept.
    pub(crate) fn turn_to(&self, page: Option<&Page>) {
        *self.place() = Place { page: page.cloned(), ..Place::default() };
    }

    /// What was kept since then.
    ///
    /// # Errors
    /// The code failed in a way that evcxr does not see.
    pub(crate) fn kept(&self) -> std::result::Result<Option<Bundle>, Failure> {
        let mut place = self.place();
        place.failure.take().map_or_else(|| Ok(place.kept.take()), Err)
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
    fn show(&mut self, told: Forms, put: impl FnOnce(&Page, Bundle)) {
        match (forms::bundle(told), &self.page) {
            (Err(failure), _) => self.failure = Some(failure),
            (Ok(bundle), Some(page)) => put(page, bundle),
            (Ok(bundle), None) => self.kept = Some(bundle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_says_of_a_failure_goes_before_what_evcxr_says() {
        let inlet = Inlet::default();
        inlet.take(Said::Failed("panic".into()));
        let failure = inlet.kept().expect_err("a failure");
        assert_eq!((failure.name.as_str(), failure.message.contains("stands above")), ("panic", true));
        let note = "{\"kind\": \"error\", \"message\": \"no such store\"}";
        inlet.take(Said::Failed("error".into()));
        inlet.take(Said::Value(Forms::from([(forms::FAILED.to_owned(), note.to_owned())])));
        assert_eq!(inlet.kept().expect_err("a failure").message, "no such store");
        inlet.take(Said::Failed("error".into()));
        inlet.turn_to(None);
        assert_eq!(inlet.kept(), Ok(None));
    }

    #[test]
    fn a_process_is_heard_to_its_end_and_the_next_one_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let inlet = Inlet::default();
        inlet.listen(&path).unwrap();
        for text in ["first", "second"] {
            let mut stream = UnixStream::connect(&path).unwrap();
            let value = Said::Value(Forms::from([("text/plain".to_owned(), text.to_owned())]));
            for said in [&value, &Said::Asks("name: ".into()), &Said::Done] {
                writeln!(stream, "{}", serde_json::to_string(said).unwrap()).unwrap();
            }
            writeln!(stream, "no JSON\n\"Done\"").unwrap();
            // Both times, when everything before is there.
            std::io::Read::read_exact(&mut stream, &mut [0; 2]).unwrap();
            assert_eq!(inlet.question().as_deref(), Some("name: "));
            assert_eq!(inlet.kept(), Ok(Some(Bundle::text(text))));
            assert_eq!(inlet.kept(), Ok(None));
        }
    }
}
