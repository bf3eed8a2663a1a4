//! What a cell has shown and why it failed, as the front end tells it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ariadne::sources;
use benchbook_front::{Bundle, Failure};
use evcxr::{CompilationError, Error, EvalOutputs, Theme};
use serde::Deserialize;
use serde_json::Value;

use crate::rewritten::lacks_a_type;
use crate::said::{Forms, Said};

/// The name of a failure after which nothing is left of the variables.
pub(crate) const ENDED: &str = "ended";

/// What a person can do about a variable whose type nobody can tell.
const OFFER: &str = "Write its type, as in `let name: Type = …;`. One that cannot be written, as that of a closure or of \
    `impl Trait`, needs a `Box`: `let name: Box<dyn Fn(f64) -> f64> = Box::new(…);`. What stands within braces needs none.";

/// The form by which the library names a thing that it may change later.
const NAMED: &str = "application/vnd.benchbook.display+json";

/// The form by which the library tells that what was shown goes.
const CLEARED: &str = "application/vnd.benchbook.clear+json";

/// Whether a thing is whole with this form: it comes last, of what has a name or takes others away. Such a thing is no
/// value of its cell, and is shown at once.
pub(crate) fn completes(mime: &str) -> bool {
    matches!(mime, NAMED | CLEARED)
}

/// Whether what was shown goes only when the next thing is shown.
#[derive(Deserialize)]
struct Cleared {
    wait: bool,
}

/// Whether these are no forms of a thing, but tell that what was shown goes: at once (`false`), or when the next thing is
/// shown.
pub(crate) fn cleared(forms: &mut Forms) -> Option<bool> {
    let told = serde_json::from_str::<Cleared>(&forms.remove(CLEARED)?);
    Some(told.is_ok_and(|told| told.wait))
}

/// The name of a thing, and whether it takes the place of what has this name.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) update: bool,
}

/// Takes the name out of the forms of a thing, if it has one.
pub(crate) fn named(forms: &mut Forms) -> Option<Named> {
    serde_json::from_str(&forms.remove(NAMED)?).ok()
}

#[derive(Deserialize)]
struct Note {
    kind: String,
    message: String,
}

/// Why the code has failed, by the note of the library.
pub(crate) fn explained(note: &str) -> Said {
    // A note of another version is at least shown as it is.
    let Note { kind, message } =
        serde_json::from_str(note).unwrap_or_else(|_| Note { kind: "error".into(), message: note.to_owned() });
    Said::Explained { kind, message }
}

/// What evcxr itself has shown, by its commands; nothing where it has shown nothing.
pub(crate) fn value(outputs: EvalOutputs) -> Option<Bundle> {
    let forms: Forms = outputs.content_by_mime_type.into_iter().collect();
    (!forms.is_empty()).then(|| bundle(forms))
}

/// One thing in its forms.
pub(crate) fn bundle(forms: Forms) -> Bundle {
    let form = |bundle: Bundle, (mime, content): (String, String)| {
        let parsed = if mime.ends_with("json") { serde_json::from_str::<Value>(&content).ok() } else { None };
        bundle.with(&mime, parsed.unwrap_or(Value::String(content)))
    };
    forms.into_iter().fold(Bundle::default(), form)
}

/// Why a cell failed. `lost` are the variables that went with the process of the cells, if it has ended.
pub(crate) fn failure(error: &Error, code: &str, number: u32, lost: &[String]) -> Failure {
    let mut told = told(error, code, number, lost);
    if lacks_a_type(error) {
        told.message = format!("{}\n{OFFER}", told.message);
        told.trace.push(OFFER.to_owned());
    }
    told
}

fn told(error: &Error, code: &str, number: u32, lost: &[String]) -> Failure {
    match error {
        Error::CompilationErrors(errors) => compilation(errors, code, number),
        Error::TypeRedefinedVariablesLost(variables) => {
            let variables = variables.join("`, `");
            Failure::new("types", format!("a type was defined anew, so these variables are lost: `{variables}`"))
        }
        Error::SubprocessTerminated(said) => {
            let lost = if lost.is_empty() {
                "no variable is lost".to_owned()
            } else {
                format!("these variables are lost: `{}`", lost.join("`, `"))
            };
            Failure::new(ENDED, format!("the process of the cells has ended, another one is there; {lost}\n{said}"))
        }
        Error::Message(message) => Failure::new("error", message.clone()),
    }
}

fn compilation(errors: &[CompilationError], code: &str, number: u32) -> Failure {
    // The first error names the failure; later ones often follow from it.
    let name = errors.iter().find_map(CompilationError::code).unwrap_or("error").to_owned();
    let message = errors.iter().map(CompilationError::message).collect::<Vec<_>>().join("\n");
    let trace = errors.iter().flat_map(|error| report(error, code, number)).collect();
    Failure { name, message, trace }
}

/// An error with the lines of the cell that it means.
fn report(error: &CompilationError, code: &str, number: u32) -> Vec<String> {
    if !error.is_from_user_code() {
        return vec![error.message()];
    }
    let drawn = || -> Option<Vec<String>> {
        let file = format!("cell {number}");
        let report = error.build_report(file.clone(), code.to_owned(), Theme::Light)?;
        let mut text = Vec::new();
        report.write(sources([(file, code)]), &mut text).ok()?;
        Some(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
    };
    // A place that lies outside of the text must not take the error with it.
    catch_unwind(AssertUnwindSafe(drawn)).ok().flatten().unwrap_or_else(|| plain(error))
}

/// An error in words: of text that is not ASCII evcxr makes no drawing.
fn plain(error: &CompilationError) -> Vec<String> {
    let mut lines = vec![format!("error: {}", error.message())];
    for spanned in error.spanned_messages() {
        lines.extend(spanned.lines.iter().cloned());
        let marks = spanned.span.map(|span| {
            let width = span.end_column.saturating_sub(span.start_column).max(1);
            format!("{}{} ", " ".repeat(span.start_column.saturating_sub(1)), "^".repeat(width))
        });
        lines.push(marks.unwrap_or_default() + &spanned.label);
    }
    lines.extend(error.help().into_iter().map(|help| format!("help: {help}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(forms: &[(&str, &str)]) -> EvalOutputs {
        let mut outputs = EvalOutputs::new();
        outputs.content_by_mime_type = forms.iter().map(|(mime, text)| ((*mime).into(), (*text).into())).collect();
        outputs
    }

    #[test]
    fn forms_are_told_and_json_is_no_text() {
        assert_eq!(value(outputs(&[])), None);
        let plotly = "application/vnd.plotly.v1+json";
        let found = value(outputs(&[("text/plain", "1"), (plotly, "{\"data\": []}"), ("x/json", "{")]));
        let expected = Bundle::text("1").with(plotly, serde_json::json!({ "data": [] })).with("x/json", "{");
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn a_note_says_why_the_code_has_failed() {
        let told = |kind: &str, message: &str| Said::Explained { kind: kind.into(), message: message.into() };
        let note = "{\"kind\": \"panic\", \"message\": \"panicked:\\nno\"}";
        assert_eq!(explained(note), told("panic", "panicked:\nno"));
        assert_eq!(explained("of tomorrow"), told("error", "of tomorrow"));
    }

    #[test]
    fn a_name_is_no_form() {
        let name = "{\"id\": \"bar\", \"update\": true}";
        let mut forms: Forms =
            [("text/plain", "50 %"), (NAMED, name)].map(|(mime, text)| (mime.to_owned(), text.to_owned())).into();
        assert_eq!(named(&mut forms), Some(Named { id: "bar".into(), update: true }));
        assert_eq!((forms.len(), named(&mut forms)), (1, None));
    }

    #[test]
    fn what_was_shown_goes() {
        let told = |note: &str| cleared(&mut Forms::from([(CLEARED.to_owned(), note.to_owned())]));
        assert_eq!([told("{\"wait\": true}"), told("{\"wait\": false}")], [Some(true), Some(false)]);
        assert_eq!((told("of tomorrow"), cleared(&mut Forms::new())), (Some(false), None));
    }

    #[test]
    fn a_type_that_nobody_can_tell_comes_with_an_offer() {
        let message = "Couldn't automatically determine type of variable `a`.\nPlease give it an explicit type.";
        let told = failure(&Error::Message(message.into()), "", 1, &[]);
        assert!(told.message.starts_with(message) && told.message.contains("`Box`"), "{}", told.message);
        assert!(told.trace.last().is_some_and(|line| line.contains("`Box`")), "{:?}", told.trace);
        assert!(!failure(&Error::Message("no".into()), "", 1, &[]).message.contains("Box"));
    }

    #[test]
    fn what_is_lost_is_named() {
        let ended = Error::SubprocessTerminated("signal: 9".into());
        let lost = failure(&ended, "", 1, &["a".into(), "b".into()]).message;
        assert!(lost.contains("`a`, `b`") && lost.contains("signal: 9"), "{lost}");
        assert!(failure(&ended, "", 1, &[]).message.contains("no variable is lost"));
        let types = failure(&Error::TypeRedefinedVariablesLost(vec!["x".into()]), "", 1, &[]);
        assert!(types.message.contains("`x`"), "{}", types.message);
    }
}
