//! Code of Rust, run by evcxr: as it is written anew, or else as a person has written it.

use benchbook_front::{Bundle, Failure};
use evcxr::{CommandContext, EvalCallbacks, EvalOutputs};

use crate::forms;
use crate::rewritten::{guessed, is_of_text, lacks_a_type, texts, typed};
use crate::session::Session;

/// Code of a cell, as its lines are told in errors.
pub(crate) struct Code<'a> {
    pub(crate) text: &'a str,
    pub(crate) number: u32,
    /// Whether it shows its value in a form of its own.
    pub(crate) has_own_forms: bool,
}

/// Has the texts of a cell run, one after the other, until one compiles.
fn tried(
    session: &Session,
    context: &mut CommandContext,
    texts: &[String],
    callbacks: &mut EvalCallbacks<'_>,
) -> Result<EvalOutputs, evcxr::Error> {
    let mut done = Err(evcxr::Error::Message("this cell has no text".to_owned()));
    for text in texts {
        done = context.execute_with_callbacks(text, callbacks);
        // An interrupt ends the compiler, which is no fault of the text; and the variables of all texts are the same.
        let is_hopeless = session.is_interrupted() || done.as_ref().is_err_and(lacks_a_type);
        if is_hopeless || !done.as_ref().is_err_and(is_of_text) {
            break;
        }
    }
    done
}

/// Has code run, with types that evcxr cannot tell.
fn compiled(
    session: &Session,
    context: &mut CommandContext,
    code: &Code<'_>,
    callbacks: &mut EvalCallbacks<'_>,
) -> Result<EvalOutputs, evcxr::Error> {
    if let Some(text) = guessed(code.text) {
        let guess = tried(session, context, &texts(&text, code.has_own_forms)[..1], callbacks);
        if session.is_interrupted() || !guess.as_ref().is_err_and(is_of_text) {
            return guess;
        }
    }
    let done = tried(session, context, &texts(code.text, code.has_own_forms), callbacks);
    if session.is_interrupted() || !done.as_ref().is_err_and(lacks_a_type) {
        return done;
    }
    let mut text = code.text.to_owned();
    while let Some(more) = typed(context, &text) {
        let again = tried(session, context, &texts(&more, code.has_own_forms), callbacks);
        if session.is_interrupted() || !again.as_ref().is_err_and(is_of_text) {
            return again;
        }
        // Of variables that are made of these the compiler knows more by now.
        if !again.as_ref().is_err_and(lacks_a_type) {
            break;
        }
        text = more;
    }
    // What a person has written is what errors are about.
    done
}

/// Has code run; what evcxr says of a failure is told, and a process that has ended is replaced.
///
/// # Errors
/// The code does not compile, is interrupted, or its process has ended.
pub(crate) fn execute(
    session: &Session,
    context: &mut CommandContext,
    code: &Code<'_>,
    callbacks: &mut EvalCallbacks<'_>,
) -> Result<EvalOutputs, Failure> {
    let before: Vec<String> = context.variables_and_types().map(|(name, _)| name.to_owned()).collect();
    let told = |error: &evcxr::Error| forms::failure(error, code.text, code.number, &before);
    let error = match compiled(session, context, code, callbacks) {
        Ok(outputs) => return Ok(outputs),
        Err(evcxr::Error::SubprocessTerminated(_)) => {
            // evcxr knows of what stands between it and the cells alone.
            let how = session.cells().how_it_ended().unwrap_or_else(|| "nobody knows how".to_owned());
            evcxr::Error::SubprocessTerminated(how)
        }
        Err(other) if session.is_interrupted() && is_of_text(&other) => {
            let message = "interrupted while the cell was compiled; the variables are as they were";
            return Err(Failure::interrupted(message));
        }
        Err(other) => {
            let told = told(&other);
            return Err(session.library_is_gone().map_or(told, |gone| Failure::new("benchbook", gone)));
        }
    };
    let failure = told(&error);
    if session.ends() {
        return Err(failure);
    }
    // The process that has taken its place knows nothing of the library yet.
    Err(match session.configure(context) {
        Ok(()) => failure,
        Err(more) => Failure::new(&failure.name, format!("{}\n{}", failure.message, more.message)),
    })
}

/// Has code run whose value no page shows; gives that.
///
/// # Errors
/// As of [`execute`], and where the code fails.
pub(crate) fn quietly(session: &Session, context: &mut CommandContext, code: &str) -> Result<Option<Bundle>, Failure> {
    session.inlet().keep();
    let code = Code { text: code, number: 0, has_own_forms: true };
    let done = execute(session, context, &code, &mut EvalCallbacks::default());
    let kept = session.inlet().kept();
    done.and(kept)
}
