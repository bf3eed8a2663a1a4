//! `!command`: a command of the shell, with its output as it comes.

use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

use benchbook_process::{Mark, Supervised};

use crate::evaluator::{Failure, Outcome};
use crate::page::{Page, Stream};
use crate::text::pump;

/// The variable that finds what a command has started.
const MARK: &str = "BENCHBOOK_SHELL_MARK";

/// Runs commands, and can end the one that runs.
#[derive(Debug, Default)]
pub(crate) struct Shell(Mutex<Option<Mark>>);

impl Shell {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// It cannot be started, ends with another status than 0, or is interrupted.
    pub(crate) fn run(&self, command: &str, page: &Page) -> Outcome {
        let status = self
            .status(command, page)
            .map_err(|error| Failure::new("shell", format!("the command could not be run: {error}")))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(code) => Err(Failure::new("shell", format!("the command ended with exit code {code}"))),
            None => Err(Failure::interrupted(format!("the command was ended: {status}"))),
        }
    }

    fn status(&self, command: &str, page: &Page) -> io::Result<ExitStatus> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mark = Mark::new(MARK);
        let mut child = Supervised::start(shell, mark.clone())?;
        self.hold(Some(mark));
        let (output, errors) = (child.take_stdout(), child.take_stderr());
        scope(|scope| {
            if let Some(errors) = errors {
                scope.spawn(|| pump(errors, |text| page.print(Stream::Stderr, text)));
            }
            if let Some(output) = output {
                pump(output, |text| page.print(Stream::Stdout, text));
            }
        });
        let status = child.wait();
        self.hold(None);
        status
    }

    fn hold(&self, mark: Option<Mark>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mark;
    }

    /// As [`Shell::end`], and waits for nothing.
    pub(crate) fn interrupt(&self) {
        if let Some(mark) = self.held() {
            // To look for them takes a while. Where there is no room for a thread, the next interrupt tries again.
            let _ = Builder::new().name("end".into()).spawn(move || mark.end_all());
        }
    }

    /// Ends the command that runs, if there is one, with everything that it has started.
    pub(crate) fn end(&self) {
        if let Some(mark) = self.held() {
            mark.end_all();
        }
    }

    fn held(&self) -> Option<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::page::News;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn page() -> (Page, Receiver<Event>) {
        let (events, received) = sync_channel(1000);
        (Page::new(1, events), received)
    }

    fn printed(received: Receiver<Event>, wanted: Stream) -> String {
        let text = |event| match event {
            Event::News { news: News::Printed(stream, text), .. } if stream == wanted => Some(text),
            _ => None,
        };
        received.into_iter().filter_map(text).collect()
    }

    #[test]
    fn output_and_failure_are_told() {
        let (page, received) = page();
        let outcome = Shell::default().run("printf 'a\\nb'; echo c >&2; exit 3", &page);
        drop(page);
        assert_eq!(printed(received, Stream::Stdout), "a\nb");
        let failure = outcome.expect_err("it ended with 3");
        assert_eq!((failure.name.as_str(), failure.message.as_str()), ("shell", "the command ended with exit code 3"));
    }

    #[test]
    fn a_command_with_nul_is_refused() {
        let (page, _received) = page();
        let failure = Shell::default().run("echo \0", &page).expect_err("refused");
        assert!(failure.message.contains("could not be run"), "{}", failure.message);
    }

    #[test]
    fn an_interrupt_ends_what_runs() {
        let (page, received) = page();
        let shell = Shell::default();
        let outcome = std::thread::scope(|scope| {
            let running = scope.spawn(|| shell.run("echo begun; sleep 1000", &page));
            // It has begun when it has printed, and is known by then.
            let _ = received.recv();
            shell.interrupt();
            running.join().expect("no panic")
        });
        assert_eq!(outcome.expect_err("ended").name, "interrupted");
    }
}
