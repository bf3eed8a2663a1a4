//! `benchbook compare`.

use std::io::Write;

use benchbook_query::{Answer, Session};
use benchbook_record::Store;
use benchbook_report::{
    Comparison, WIDE, across, comparison_table, counts, gated, summary_lines, undecided, within_metric, wrapped,
};

use crate::args::{CompareArgs, FailOn, Format, FormatArgs};
use crate::error::{EXIT_REGRESSION, EXIT_UNDECIDED, Failure};
use crate::output;
use crate::people::people;

/// Compares variants within a run, or two runs.
pub fn compare(location: &str, arguments: &CompareArgs) -> Result<u8, Failure> {
    let mut session = Session::open(&Store::open(location)?)?;
    if let Some(margin) = arguments.margin {
        session.set_margin(&arguments.metric, margin)?;
    }
    let comparison = match &arguments.candidate {
        None => {
            let baseline = arguments.baseline.as_deref();
            within_metric(&session, &arguments.run, arguments.by, baseline, &arguments.metric)?
        }
        Some(candidate) => across(&session, &arguments.run, candidate, arguments.force).map_err(with_force)?,
    };
    if arguments.summary {
        let mut out = people();
        for line in summary_lines(&comparison.answer) {
            writeln!(out, "{line}")?;
        }
    } else {
        show(&comparison, arguments.format)?;
    }
    let code = exit_code(&comparison.answer, &arguments.fail_on);
    Ok(output::tell_left_out(&comparison.answer.left_out, arguments.strict, code))
}

/// Adds the option that overrides a refusal for unlike environments.
fn with_force(error: benchbook_report::Error) -> Failure {
    match error {
        benchbook_report::Error::NotComparable(text) if text.contains("differ in") => {
            Failure::NotComparable(format!("{text}\n--force compares them all the same"))
        }
        other => other.into(),
    }
}

/// The width of the table where nobody reads along, and so nobody can say how wide.
const PIPED: usize = 120;

fn show(comparison: &Comparison, format: FormatArgs) -> Result<(), Failure> {
    let Comparison { note, warnings, answer, .. } = comparison;
    if format.format != Format::Table {
        return output::print(&answer.schema, &answer.batches, format);
    }
    let told = output::width(false);
    // Elsewhere than on a terminal lines stay whole.
    let prose = |text: String| match told {
        Some(width) => wrapped(&text, width),
        None => text,
    };
    let within = (!format.wide).then(|| (told.unwrap_or(PIPED), WIDE));
    let mut out = people();
    writeln!(out, "{}", prose(note.clone()))?;
    out.ours(comparison_table(comparison, within))?;
    writeln!(out, "{}", prose(format!("{}.", counts(answer))))?;
    for warning in warnings {
        writeln!(out, "{}", prose(format!("Warning: {warning}.")))?;
    }
    Ok(())
}

/// What the verdicts mean for whoever asked to see them in the exit code; a regression weighs more.
///
/// A verdict that does not rest on replicates gates nothing: it counts as undecided.
fn exit_code(answer: &Answer, fail_on: &[FailOn]) -> u8 {
    let is_worse = ["slower", "worse"].into_iter().any(|word| gated(answer, word));
    if fail_on.contains(&FailOn::Slower) && is_worse {
        EXIT_REGRESSION
    } else if fail_on.contains(&FailOn::Undecided) && undecided(answer) {
        EXIT_UNDECIDED
    } else {
        0
    }
}
