//! Standard output of the cells, taken apart: what the code printed, what it showed, and what evcxr waits for.

use benchbook_front::text::Decoder;

use crate::forms::{completes, explained};
use crate::said::{Forms, Said};

/// What evcxr waits for when code has ended.
pub(crate) const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";
/// What the library puts before a line of its own: text before it, which may have no end, goes on after it.
const MARGIN: &str = "\0\n";
/// How every line begins that is not the code's own.
const MARK: &str = "EVCXR_";
/// What stands before and after one form of something shown.
const BEGIN: &str = "EVCXR_BEGIN_CONTENT ";
const END: &str = "EVCXR_END_CONTENT";
/// A panic has ended the code; it ends a form that was not whole, too.
const PANIC: &str = "EVCXR_PANIC_NOTIFICATION";
/// A `?` has ended the code.
const ERROR: &str = "EVCXR_ERROR_OCCURRED";
/// What stands before the note of the library that says why the code has failed.
const FAILED: &str = "EVCXR_FAILED ";
/// What stands before the text of a question, for those whose answer is hidden too.
const QUESTIONS: [&str; 2] = ["EVCXR_INPUT_REQUEST:", "EVCXR_INPUT_REQUEST_PASSWORD:"];

/// A piece of what the process of the cells says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// For the page.
    Say(Said),
    /// A line for whoever has asked for the cell.
    Line(String),
}

/// Takes standard output apart as it comes, whatever the places at which it is cut.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    decoder: Decoder,
    /// What has come and cannot be told yet: the beginning of a line that may be one of evcxr's.
    held: String,
    /// Whether a line has begun that is none of evcxr's.
    within_line: bool,
    /// The form that is being told: its MIME type, and its text so far.
    form: Option<(String, String)>,
    /// The forms of one thing so far.
    forms: Forms,
}

impl Splitter {
    /// What a piece brings.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let text = self.decoder.push(bytes);
        self.take(&text)
    }

    /// What is left when the process has ended.
    pub(crate) fn end(mut self) -> Vec<Piece> {
        let rest = std::mem::take(&mut self.decoder).end();
        let mut pieces = self.take(&rest);
        // What was begun is shown as far as it goes: it may say why the process has ended.
        let cut = self.form.take().map(|(_, text)| text).unwrap_or_default() + &std::mem::take(&mut self.held);
        self.printed(&cut, &mut pieces);
        self.shown(Said::Shown, &mut pieces);
        pieces
    }

    fn take(&mut self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let held = std::mem::take(&mut self.held);
        // There is no end of a line in what is held, which may be long.
        let mut looked_at = held.len();
        let whole = held + text;
        let mut rest = whole.as_str();
        while !rest.is_empty() {
            let marked = !self.within_line && (rest.starts_with(MARK) || MARK.starts_with(rest));
            let end = rest[looked_at..].find('\n').map(|end| looked_at + end);
            looked_at = 0;
            if self.form.is_some() || marked {
                let Some(end) = end else { break };
                self.line(&rest[..end], &mut pieces);
                rest = &rest[end + 1..];
            } else {
                let (text, left) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
                let before = text.strip_suffix(MARGIN).or_else(|| text.strip_suffix('\0'));
                self.printed(before.unwrap_or(text), &mut pieces);
                self.within_line = end.is_none();
                if before.is_some() && end.is_none() {
                    // The margin may have been cut.
                    rest = "\0";
                    break;
                }
                rest = left;
            }
        }
        self.held = if rest.len() == whole.len() { whole } else { rest.to_owned() };
        pieces
    }

    /// Takes a whole line that is evcxr's, or a part of a form.
    fn line(&mut self, line: &str, pieces: &mut Vec<Piece>) {
        match self.form.take() {
            Some((mime, text)) if line == END => {
                // The same form again belongs to another thing.
                if self.forms.contains_key(&mime) {
                    self.shown(Said::Shown, pieces);
                }
                let is_whole = completes(&mime);
                self.forms.insert(mime, text);
                if is_whole {
                    self.shown(Said::Shown, pieces);
                }
            }
            Some((mime, mut text)) if line != PANIC && !line.starts_with(FAILED) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(line);
                self.form = Some((mime, text));
            }
            _ => self.own_line(line, pieces),
        }
    }

    fn own_line(&mut self, line: &str, pieces: &mut Vec<Piece>) {
        if let Some(mime) = line.strip_prefix(BEGIN) {
            self.form = Some((mime.to_owned(), String::new()));
        } else if let Some(note) = line.strip_prefix(FAILED) {
            pieces.push(Piece::Say(explained(note)));
        } else if line.starts_with(MARK) {
            if line == COMPLETE {
                self.shown(Said::Value, pieces);
            }
            if let Some((_, kind)) = [(PANIC, "panic"), (ERROR, "error")].iter().find(|(mark, _)| *mark == line) {
                pieces.push(Piece::Say(Said::Failed((*kind).to_owned())));
            }
            if let Some(question) = QUESTIONS.iter().find_map(|mark| line.strip_prefix(mark)) {
                pieces.push(Piece::Say(Said::Asks(question.to_owned())));
            }
            pieces.push(Piece::Line(line.to_owned()));
        } else {
            self.printed(&format!("{line}\n"), pieces);
        }
    }

    fn printed(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        self.shown(Said::Shown, pieces);
        match pieces.last_mut() {
            Some(Piece::Say(Said::Printed(before))) => before.push_str(text),
            _ => pieces.push(Piece::Say(Said::Printed(text.to_owned()))),
        }
    }

    /// The thing whose forms have been told, if there is one, is whole.
    fn shown(&mut self, said: fn(Forms) -> Said, pieces: &mut Vec<Piece>) {
        if !self.forms.is_empty() {
            pieces.push(Piece::Say(said(std::mem::take(&mut self.forms))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What some output brings that comes in pieces of this size.
    fn split(output: &str, size: usize) -> Vec<Piece> {
        let mut splitter = Splitter::default();
        let mut pieces: Vec<Piece> = output.as_bytes().chunks(size).flat_map(|piece| splitter.push(piece)).collect();
        pieces.extend(splitter.end());
        // Where a text is cut must not matter.
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (Some(Piece::Say(Said::Printed(before))), Piece::Say(Said::Printed(text))) => before.push_str(&text),
                (_, piece) => joined.push(piece),
            }
        }
        joined
    }

    fn printed(text: &str) -> Piece {
        Piece::Say(Said::Printed(text.to_owned()))
    }

    fn line(text: &str) -> Piece {
        Piece::Line(text.to_owned())
    }

    fn forms(forms: &[(&str, &str)]) -> Forms {
        forms.iter().map(|(mime, text)| ((*mime).to_owned(), (*text).to_owned())).collect()
    }

    fn form(mime: &str, text: &str) -> String {
        format!("{BEGIN}{mime}\n{text}\n{END}\n")
    }

    #[test]
    fn output_is_taken_apart_wherever_it_is_cut() {
        let value = form("text/html", "<b>\n</b>") + &form("text/plain", "b");
        for (output, expected) in [
            ("größe\nEVCX\n".to_owned(), vec![printed("größe\nEVCX\n")]),
            (format!("a\r50 %\r100 %\n{COMPLETE}\n"), vec![printed("a\r50 %\r100 %\n"), line(COMPLETE)]),
            (format!("no end{COMPLETE}\n"), vec![printed(&format!("no end{COMPLETE}\n"))]),
            (
                format!("{value}{COMPLETE}\n"),
                vec![
                    Piece::Say(Said::Value(forms(&[("text/html", "<b>\n</b>"), ("text/plain", "b")]))),
                    line(COMPLETE),
                ],
            ),
            (
                format!("{}between\n{}{}", form("text/plain", "1"), form("text/plain", "2"), form("text/plain", "3")),
                vec![
                    Piece::Say(Said::Shown(forms(&[("text/plain", "1")]))),
                    printed("between\n"),
                    Piece::Say(Said::Shown(forms(&[("text/plain", "2")]))),
                    Piece::Say(Said::Shown(forms(&[("text/plain", "3")]))),
                ],
            ),
            (
                format!("EVCXR_INPUT_REQUEST:name: \n{ERROR}\n"),
                vec![
                    Piece::Say(Said::Asks("name: ".to_owned())),
                    line("EVCXR_INPUT_REQUEST:name: "),
                    Piece::Say(Said::Failed("error".to_owned())),
                    line(ERROR),
                ],
            ),
            (
                format!("{BEGIN}text/plain\nhalf\n{PANIC}\n{COMPLETE}\n"),
                vec![Piece::Say(Said::Failed("panic".to_owned())), line(PANIC), line(COMPLETE)],
            ),
            (
                format!("half a line\0\n{FAILED}{{\"kind\": \"error\", \"message\": \"no\"}}\n{PANIC}\n{COMPLETE}\n"),
                vec![
                    printed("half a line"),
                    Piece::Say(Said::Explained { kind: "error".to_owned(), message: "no".to_owned() }),
                    Piece::Say(Said::Failed("panic".to_owned())),
                    line(PANIC),
                    line(COMPLETE),
                ],
            ),
            (
                format!("{BEGIN}text/plain\nhalf\n{FAILED}no\n{COMPLETE}\n"),
                vec![
                    Piece::Say(Said::Explained { kind: "error".to_owned(), message: "no".to_owned() }),
                    line(COMPLETE),
                ],
            ),
            (format!("{BEGIN}text/plain\nlast words"), vec![printed("last words")]),
            ("EVCXR".to_owned(), vec![printed("EVCXR")]),
            (format!("no end\0\n{COMPLETE}\n"), vec![printed("no end"), line(COMPLETE)]),
            (
                format!("a\0\n{}\0\n{COMPLETE}\n", form("text/plain", "1")),
                vec![printed("a"), Piece::Say(Said::Value(forms(&[("text/plain", "1")]))), line(COMPLETE)],
            ),
            ("a\0b\n".to_owned(), vec![printed("a\0b\n")]),
            ("a\0".to_owned(), vec![printed("a\0")]),
            (String::new(), vec![]),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(split(&output, size), expected, "{output:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_form_of_many_lines_is_not_copied_for_each() {
        // Two million lines: with a copy for each, this would not end.
        let text = "x\n".repeat(2 << 20) + "x";
        let output = form("text/plain", &text);
        let mut splitter = Splitter::default();
        let mut pieces: Vec<Piece> =
            output.as_bytes().chunks(64 << 10).flat_map(|piece| splitter.push(piece)).collect();
        pieces.extend(splitter.end());
        assert!(pieces == [Piece::Say(Said::Shown(forms(&[("text/plain", text.as_str())])))], "it is another one");
    }

    #[test]
    fn what_has_no_end_of_line_is_told_at_once() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"50 %\r"), [printed("50 %\r")]);
        assert_eq!(splitter.push(b"EVCXR_x\n"), [printed("EVCXR_x\n")]);
        // Here a line begins that may be one of evcxr's.
        assert!(splitter.push(b"EV").is_empty());
        assert_eq!(splitter.push(b"EN"), [printed("EVEN")]);
    }

    #[test]
    fn what_has_a_name_is_told_before_the_next_thing_comes() {
        for last in ["application/vnd.benchbook.display+json", "application/vnd.benchbook.clear+json"] {
            let output = form("text/plain", "50 %") + &form(last, "{}");
            let shown = Said::Shown(forms(&[("text/plain", "50 %"), (last, "{}")]));
            assert_eq!(Splitter::default().push(output.as_bytes()), [Piece::Say(shown)]);
        }
    }
}
