//! Why a cell has failed, as its Jupyter kernel is told. evcxr takes a cell that an error or a panic has ended for one that
//! went well.

use std::any::Any;
use std::convert::Infallible;
use std::fmt::Display;
use std::io::{self, Write};
use std::panic::{PanicHookInfo, panic_any};

use benchbook_core::for_people;
use benchbook_report::escaped;

use super::MARGIN;
use super::interrupt::{Interrupted, is_ours};
use crate::display::Bundle;

/// How a Jupyter kernel of ours knows the line.
const FAILED: &str = "EVCXR_FAILED ";

/// What a cell panics with that an error ends.
struct Failed(String);

/// Ends the cell by an error. The Jupyter kernel writes it before each `?` that ends its cell.
///
/// # Panics
/// Always; variables of earlier cells stay.
pub fn fail<E: Display>(error: E) -> Infallible {
    end_by(&error)
}

// Each cell compiles anew what takes any type.
#[inline(never)]
fn end_by(error: &dyn Display) -> ! {
    panic_any(Failed(error.to_string()))
}

/// Tells of a panic, unless somebody catches it and tells of it.
pub(super) fn tell(panic: &PanicHookInfo<'_>) {
    if let Some(Failed(error)) = panic.payload().downcast_ref::<Failed>() {
        failed("error", error);
    } else if panic.payload().is::<Interrupted>() {
        failed("interrupted", &"interrupted; the variables of earlier cells are as they were");
    } else if !benchbook_measure::kernel_panics_are_caught() && !benchbook_record::panics_are_caught() {
        failed("panic", &said(panic));
    }
}

/// Tells why a cell has failed: to a Jupyter kernel of ours, or else to the page.
pub(super) fn failed(kind: &str, error: &dyn Display) {
    let message = for_people(&error.to_string());
    if is_ours() {
        // A kernel that is gone cannot be told.
        let _ = told(&serde_json::json!({ "kind": kind, "message": message }).to_string());
        return;
    }
    let html = format!("<div class=\"benchbook-error\"><pre>{}</pre></div>\n", escaped(&message));
    Bundle { html, text: message, ..Bundle::default() }.emit();
}

fn told(note: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(MARGIN)?;
    writeln!(out, "{FAILED}{note}")?;
    out.flush()
}

/// What a panic said, and where in the library; a place in a cell's generated source would mislead.
fn said(panic: &PanicHookInfo<'_>) -> String {
    let payload: &dyn Any = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("no message");
    match panic.location() {
        Some(place) if place.file() != "src/lib.rs" => format!("panicked at {place}: {text}"),
        _ => format!("panicked: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_ends_what_it_stands_in() {
        let ended = std::panic::catch_unwind(|| "x".parse::<u8>().map_err(fail)).expect_err("it ends");
        assert!(ended.downcast_ref::<Failed>().is_some_and(|Failed(error)| error.contains("invalid digit")));
        assert_eq!(std::panic::catch_unwind(|| "7".parse::<u8>().map_err(fail)).ok(), Some(Ok(7)));
    }
}
