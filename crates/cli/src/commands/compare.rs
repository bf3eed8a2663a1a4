//! `benchbook compare`.

use std::io::{IsTerminal, Write};

use benchbook_measure::record::Store;
use benchbook_query::{Answer, Session};
use benchbook_show::{Comparison, across, counts, fitted, gated, undecided, within};

use crate::args::{CompareArgs, FailOn, Format};
use crate::error::{EXIT_REGRESSION, EXIT_UNDECIDED, Failure};
use crate::left_out;
use crate::output;
use crate::people::people;

/// Compares variants within a run, or two runs.
pub fn compare(location: &str, arguments: &CompareArgs) -> Result<u8, Failure> {
    let session = Session::open(&Store::open(location)?)?;
    let comparison = match &arguments.candidate {
        None => within(&session, &arguments.run, arguments.baseline.as_deref())?,
        Some(candidate) => across(&session, &arguments.run, candidate, arguments.force).map_err(with_force)?,
    };
    show(&comparison, arguments.format.format)?;
    let code = exit_code(&comparison.answer, &arguments.fail_on);
    Ok(left_out::tell(&comparison.answer.left_out, arguments.strict, code))
}

/// Adds the option that overrides a refusal for unlike environments.
fn with_force(error: benchbook_show::Error) -> Failure {
    match error {
        benchbook_show::Error::NotComparable(text) if text.contains("differ in") => {
            Failure::NotComparable(format!("{text}\n--force compares them all the same"))
        }
        other => other.into(),
    }
}

fn show(comparison: &Comparison, format: Format) -> Result<(), Failure> {
    let Comparison { note, warnings, answer, cells } = comparison;
    if format != Format::Table {
        return output::print(&answer.schema, &answer.batches, format);
    }
    // Elsewhere than on a terminal lines stay whole.
    let table = fitted(cells, std::io::stdout().is_terminal());
    let mut out = people();
    writeln!(out, "{note}")?;
    out.ours(table)?;
    writeln!(out, "{}.", counts(answer))?;
    for warning in warnings {
        writeln!(out, "Warning: {warning}.")?;
    }
    Ok(())
}

/// What the verdicts mean for whoever asked to see them in the exit code; a regression weighs more.
///
/// A verdict that does not rest on replicates gates nothing: it counts as undecided.
fn exit_code(answer: &Answer, fail_on: &[FailOn]) -> u8 {
    if fail_on.contains(&FailOn::Slower) && gated(answer, "slower") {
        EXIT_REGRESSION
    } else if fail_on.contains(&FailOn::Undecided) && undecided(answer) {
        EXIT_UNDECIDED
    } else {
        0
    }
}
