//! A process that answers the same question whenever it is asked, and times itself.

use benchbook_process::Supervised;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use xtask::error::{Error, Named, Result};
use xtask::process;

/// What a peer says of one answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    pub elapsed_ms: f64,
    /// Groups in the answer.
    pub rows: u64,
    /// Sum of the column `speedup`, to see that both computed the same.
    pub sum: f64,
    /// Peak resident memory so far.
    pub peak_mib: f64,
}

pub struct Peer {
    child: Supervised,
    name: String,
    ask: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the process; `name` is what errors call it.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        let remedy = "run `cargo xtask setup` first";
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process::start(&mut command, remedy)?;
        let name = name.to_owned();
        match (child.take_stdin(), child.take_stdout()) {
            (Some(ask), Some(hear)) => Ok(Self { child, name, ask, hear: BufReader::new(hear) }),
            _ => Err(Error::Command { line: name, ending: "has no pipes".to_owned(), remedy: remedy.to_owned() }),
        }
    }

    /// Has the question answered once.
    pub fn answer(&mut self) -> Result<Answer> {
        let bad = |line: &str, said: &str| Error::Command {
            line: line.to_owned(),
            ending: format!("answered `{}`", said.trim()),
            remedy: "see its message above".to_owned(),
        };
        let mut said = String::new();
        let asked = self.ask.write_all(b"go\n").and_then(|()| self.ask.flush());
        asked.and_then(|()| self.hear.read_line(&mut said)).map_err(|_| bad(&self.name, &said))?;
        parse(&said).ok_or_else(|| bad(&self.name, &said))
    }

    /// Ends the process by closing its input.
    pub fn end(self) -> Result<()> {
        let Self { mut child, name, ask, .. } = self;
        drop(ask);
        child.wait().named("wait for", name).map(drop)
    }
}

/// From `NANOSECONDS ROWS SUM PEAK_BYTES`.
fn parse(said: &str) -> Option<Answer> {
    let mut words = said.split_whitespace();
    let mut number = || words.next()?.parse::<f64>().ok();
    let (elapsed_ns, rows, sum, peak_bytes) = (number()?, number()?, number()?, number()?);
    Some(Answer { elapsed_ms: elapsed_ns / 1e6, rows: rows as u64, sum, peak_mib: peak_bytes / 1024.0 / 1024.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_four_numbers() {
        let expected = Answer { elapsed_ms: 2.5, rows: 500, sum: 501.25, peak_mib: 1.0 };
        assert_eq!(parse("2500000 500 501.25 1048576\n"), Some(expected));
        assert_eq!(parse("2500000 500"), None);
        assert_eq!(parse("error: no such table"), None);
    }

    #[test]
    fn a_peer_that_dies_is_reported() -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "read line; echo broken"]);
        let mut peer = Peer::start("peer", command)?;
        let message = peer.answer().expect_err("no numbers").to_string();
        assert!(message.contains("answered `broken`"), "{message}");
        peer.end()
    }
}
