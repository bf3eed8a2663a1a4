//! What an answer leaves out, told beside it whatever its format.

use benchbook_core::on_one_line;
use benchbook_query::LeftOut;

use crate::error::{EXIT_ERROR, say};

/// Tells what was left out on stderr; the exit code is that of an error where files were damaged and the user is
/// `strict`, and `code` otherwise.
pub fn tell(left_out: &LeftOut, strict: bool, code: u8) -> u8 {
    for line in left_out.lines() {
        say(on_one_line(&line));
    }
    if strict && !left_out.damaged.is_empty() { EXIT_ERROR } else { code }
}
