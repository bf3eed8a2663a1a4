//! A Jupyter kernel whose cells say what they do, for tests of the front end: a line each, a word and its text.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use benchbook_front::magics::Sql;
use benchbook_front::{
    About, Bundle, Connection, Evaluator, Failure, Interrupter, Outcome, Page, Parts, Result, Stream, Variable, serve,
};

/// Rings when somebody interrupts.
#[derive(Default)]
struct Bell {
    flags: Mutex<Flags>,
    rung: Condvar,
}

#[derive(Default)]
struct Flags {
    interrupted: bool,
    ended: bool,
}

impl Bell {
    /// Sets a flag, and wakes who waits for it.
    fn ring(&self, set: impl FnOnce(&mut Flags)) {
        set(&mut self.flags.lock().expect("no panic while it is held"));
        self.rung.notify_all();
    }

    fn wait(&self, until: impl Fn(&Flags) -> bool) {
        let flags = self.flags.lock().expect("no panic while it is held");
        drop(self.rung.wait_while(flags, |flags| !until(flags)).expect("no panic while it is held"));
    }
}

impl Interrupter for Bell {
    fn interrupt(&self, _: u64) {
        self.ring(|flags| flags.interrupted = true);
    }

    fn end(&self) {
        self.ring(|flags| flags.ended = true);
    }
}

struct Script(Arc<Bell>);

impl Evaluator for Script {
    fn rust(&mut self, code: &str, number: u32, page: &Page) -> Outcome {
        let outcome = code.lines().try_for_each(|line| self.line(line.trim(), number, page));
        self.0.ring(|flags| *flags = Flags::default());
        outcome
    }

    fn sql(&mut self, statement: &Sql, page: &Page) -> Outcome {
        page.value(Bundle::text(&*statement.statement).with("text/html", "<table></table>"));
        Ok(())
    }

    fn variables(&mut self) -> std::result::Result<Vec<Variable>, Failure> {
        Ok(Vec::new())
    }

    fn describe(&mut self, _: &str) -> Option<Bundle> {
        None
    }

    fn value(&mut self, expression: &str) -> std::result::Result<Bundle, Failure> {
        Ok(Bundle::text(expression))
    }
}

impl Script {
    fn line(&self, line: &str, number: u32, page: &Page) -> Outcome {
        let (word, text) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "print" => page.print(Stream::Stdout, text),
            "complain" => page.print(Stream::Stderr, text),
            "show" => page.show(Bundle::text(text), Some("shown".into())),
            "change" => page.change(Bundle::text(text), "shown".into()),
            "clear" => page.clear(false),
            "value" => page.value(Bundle::text(text)),
            "number" => page.value(Bundle::text(number.to_string())),
            "flood" => {
                let line = format!("{}\n", "x".repeat(99_999));
                (0..1000).for_each(|_| page.print(Stream::Stdout, &line));
            }
            "ask" => match page.ask(text, false) {
                Ok(answer) => page.print(Stream::Stdout, &answer),
                Err(nobody) => return Err(Failure::new("input", nobody.to_string())),
            },
            "wait" => {
                self.0.wait(|flags| flags.interrupted);
                return Err(Failure::interrupted("the cell was interrupted"));
            }
            "deaf" => {
                self.0.wait(|flags| flags.ended);
                return Err(Failure::new("ended", "the process of the cells was ended"));
            }
            "fail" => return Err(Failure::new("error", text)),
            "panic" => panic!("{text}"),
            _ => {}
        }
        Ok(())
    }
}

/// Serves the connection that a file names.
///
/// # Errors
/// As of [`serve`].
pub fn serve_script(file: &Path) -> Result<()> {
    let bell = Arc::new(Bell::default());
    let about = About { version: "0".into(), rust: "1.95.0".into(), banner: "a script".into() };
    let (evaluator, interrupter) = (Box::new(Script(bell.clone())), bell);
    let parts = Parts { evaluator, assistant: Box::new(()), interrupter };
    serve(&Connection::read(file)?, about, parts, &mut |line| eprintln!("{line}"))
}
