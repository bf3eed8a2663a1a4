//! What variables are worth, in a line each: by a form of their own, or else as `{:?}` shows them; chosen while the lines
//! are compiled.

use std::collections::BTreeMap;
use std::fmt::{self, Arguments, Debug, Write};

use benchbook_core::on_one_line;
use serde_json::json;

use super::value::Value;
use crate::display::{Bundle, Show};

/// Characters of a line.
const MOST: usize = 80;

/// The line of what has a form of its own. It is implemented for a reference to a reference, so that it is found first.
pub trait LineByForm {
    /// The line.
    fn line(&self) -> Option<String>;
}

/// The line of any other value that can be written. It is implemented for a reference, so that it is found next.
pub trait LineByDebug {
    /// The line.
    fn line(&self) -> Option<String>;
}

/// That there is no line.
pub trait NoLine {
    /// Nothing.
    fn line(&self) -> Option<String>;
}

impl<T: Show + ?Sized> LineByForm for &&Value<'_, T> {
    fn line(&self) -> Option<String> {
        of_form(self.0.in_a_line())
    }
}

impl<T: Debug + ?Sized> LineByDebug for &Value<'_, T> {
    fn line(&self) -> Option<String> {
        by_debug(&self.0)
    }
}

impl<T: ?Sized> NoLine for Value<'_, T> {
    fn line(&self) -> Option<String> {
        None
    }
}

#[inline(never)]
fn of_form(line: String) -> Option<String> {
    Some(short(format_args!("{line}")))
}

#[inline(never)]
fn by_debug(value: &dyn Debug) -> Option<String> {
    Some(short(format_args!("{value:?}")))
}

/// The beginning of a text, and how many more characters there is room for.
struct Beginning {
    text: String,
    room: usize,
}

impl Write for Beginning {
    /// Fails where there is no room, by which what is long is not written to its end.
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if let Some((end, _)) = more.char_indices().nth(self.room) {
            self.text.push_str(&more[..end]);
            self.room = 0;
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        self.room -= more.chars().count();
        Ok(())
    }
}

fn short(text: Arguments<'_>) -> String {
    let mut beginning = Beginning { text: String::new(), room: MOST };
    let is_whole = beginning.write_fmt(text).is_ok();
    let line = on_one_line(&beginning.text);
    if is_whole { line } else { format!("{line}…") }
}

/// Tells the Jupyter kernel the lines of variables, by their names.
#[inline(never)]
pub fn tell_lines(lines: &[(&str, Option<String>)]) {
    let lines: BTreeMap<&str, &Option<String>> = lines.iter().map(|(name, line)| (*name, line)).collect();
    Bundle::plain(json!(lines).to_string()).emit();
}

/// Tells what variables are worth; the Jupyter kernel writes it where it lists them.
#[macro_export]
macro_rules! notebook_lines {
    ($($name:ident),+) => {{
        use $crate::notebook::{LineByDebug as _, LineByForm as _, NoLine as _};
        $crate::notebook::tell_lines(&[$((stringify!($name), (&&&$crate::notebook::Value(&$name)).line())),+]);
    }};
}

pub use crate::notebook_lines as lines;

#[cfg(test)]
mod tests {
    use crate::Stack;

    use super::*;

    macro_rules! told {
        ($name:ident) => {
            (&&&Value(&$name)).line()
        };
    }

    struct Odd;

    #[test]
    fn a_line_is_of_the_form_or_as_it_is_written_or_not_there() {
        let (form, number, text, odd) = (Stack::of(vec![Bundle::of_text("a\nb")]), 7_u32, "a\nb", Odd);
        let expected = [Some("a".to_owned()), Some("7".to_owned()), Some("\"a\\nb\"".to_owned()), None];
        assert_eq!([told!(form), told!(number), told!(text), told!(odd)], expected);
    }

    #[test]
    fn what_is_long_is_not_written_to_its_end() {
        let (whole, long) = ("x".repeat(MOST), vec![7_u8; 1 << 20]);
        assert_eq!(short(format_args!("{whole}")), whole);
        assert_eq!(short(format_args!("{whole}é")), format!("{whole}…"));
        let line = told!(long).expect("it can be written");
        assert_eq!(line.chars().count(), MOST + 1);
        assert!(line.starts_with("[7, 7, ") && line.ends_with('…'), "{line}");
    }
}
