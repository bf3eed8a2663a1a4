//! The way of text to a terminal: all that people read passes here, on standard output and on standard error.

use std::fmt::Display;
use std::io::{self, ErrorKind, Stdout, Write};

use benchbook_core::for_people;

/// A writer of whole lines that holds back what a terminal would obey, and passwords.
pub struct People<W: Write> {
    to: W,
    begun: Vec<u8>,
}

/// Standard output, for people.
pub fn people() -> People<Out> {
    People { to: out(), begun: Vec::new() }
}

/// Standard output, whether or not anyone still reads it: the exit code belongs to the answer.
pub struct Out(Stdout);

/// Standard output, for programs: everything as it is.
pub fn out() -> Out {
    Out(io::stdout())
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        read_or_not(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        read_or_not(self.0.flush(), ())
    }
}

/// A closed pipe is the reader's wish, not an error.
fn read_or_not<T>(written: io::Result<T>, unread: T) -> io::Result<T> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(unread),
        other => other,
    }
}

/// Tells a person something on stderr; whether anyone listens must not matter to a measurement.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", for_people(&text.to_string()));
}

impl<W: Write> People<W> {
    /// Writes what is ours, colours included: its names have passed [`benchbook_core::on_one_line`].
    pub fn ours(&mut self, text: impl Display) -> io::Result<()> {
        self.flush()?;
        writeln!(self.to, "{text}")
    }

    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(for_people(&String::from_utf8_lossy(bytes)).as_bytes())
    }
}

impl<W: Write> Write for People<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        if let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.begun.split_off(end + 1);
            let lines = std::mem::replace(&mut self.begun, rest);
            self.pass(&lines)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.begun);
        self.pass(&rest)?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_held_back_however_they_are_cut() {
        let mut out = People { to: Vec::new(), begun: Vec::new() };
        for byte in "µ\u{1b}[2J\u{9b}2J\nhttp://a:b@c".bytes() {
            out.write_all(&[byte]).unwrap();
        }
        assert_eq!(String::from_utf8_lossy(&out.to), "µ\u{fffd}[2J\u{fffd}2J\n");
        out.ours("\u{1b}[32mgreen\u{1b}[39m").unwrap();
        let told = String::from_utf8(out.to).unwrap();
        assert_eq!(told, "µ\u{fffd}[2J\u{fffd}2J\nhttp://a:***@c\u{1b}[32mgreen\u{1b}[39m\n");
    }
}
