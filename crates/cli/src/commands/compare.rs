//! `benchbook compare`.

use std::collections::BTreeMap;
use std::io::Write;

use arrow::array::AsArray;
use benchbook_measure::record::{Store, environment_difference};
use benchbook_query::{Answer, Session};

use crate::args::{CompareArgs, FailOn, Format};
use crate::comparison;
use crate::error::{EXIT_REGRESSION, EXIT_UNDECIDED, Failure};
use crate::output;
use crate::show::Cells;

/// Compares variants within a run, or two runs.
pub fn compare(location: &str, arguments: &CompareArgs) -> Result<u8, Failure> {
    let store = Store::open(location)?;
    let session = Session::open(&store)?;
    let (answer, note, cells) = match &arguments.candidate {
        None => {
            let (answer, note) = within(&store, &session, arguments)?;
            let cells = comparison::paired(&answer);
            (answer, note, cells)
        }
        Some(candidate) => {
            let (answer, note) = across(&store, &session, arguments, candidate)?;
            let cells = comparison::sequential(&answer);
            (answer, note, cells)
        }
    };
    show(&answer, &note, &cells, arguments.format.format)?;
    Ok(exit_code(&answer, &arguments.fail_on))
}

/// Paired, within one run.
fn within(store: &Store, session: &Session, arguments: &CompareArgs) -> Result<(Answer, String), Failure> {
    let run = store.resolve(&arguments.run)?;
    let baseline = match &arguments.baseline {
        Some(named) => named.clone(),
        None => default_baseline(session, &run.run_id)?,
    };
    let answer = speedup(session, &run.run_id, &baseline)?;
    if answer.rows() == 0 {
        return Err(nothing_to_compare(session, &run.run_id, &baseline)?);
    }
    let note = format!(
        "Run {}: paired blocks, baseline {baseline}. A speedup above 1 means that the candidate is faster;\n\
         verdicts hold at 95 %, equivalence means within 1 %.",
        run.run_id
    );
    Ok((answer, note))
}

/// The paired comparisons of a run with a baseline.
pub fn speedup(session: &Session, run_id: &str, baseline: &str) -> Result<Answer, Failure> {
    Ok(session.named("speedup", &params(&[("run", run_id), ("baseline", baseline)]))?)
}

/// What others are compared with when nobody names it: `naive` where the run has it, else the first by name.
pub fn default_baseline(session: &Session, run_id: &str) -> Result<String, Failure> {
    let sql = format!(
        "select implementation from trials where run_id = '{run_id}' \
         order by case when implementation = 'naive' then 0 else 1 end, implementation limit 1"
    );
    let answer = session.sql(&sql)?;
    let batch = answer.batches.iter().find(|batch| batch.num_rows() > 0);
    let name = batch.map(|batch| batch.column(0).as_string::<i32>().value(0).to_owned());
    name.ok_or_else(|| Failure::say(format!("run {run_id} has no trials, there is nothing to compare")))
}

/// The failure to say that a run has nothing beside its baseline, with what it has.
pub fn nothing_to_compare(session: &Session, run_id: &str, baseline: &str) -> Result<Failure, Failure> {
    let answer = session.sql(&format!("select distinct variant from trials where run_id = '{run_id}' order by 1"))?;
    let names = answer.batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
    let variants = names.collect::<Vec<_>>().join(", ");
    Ok(Failure::say(format!("run {run_id} has nothing to compare with `{baseline}`; its variants are {variants}")))
}

/// Unpaired, between two runs, where their environments allow it.
fn across(
    store: &Store,
    session: &Session,
    arguments: &CompareArgs,
    candidate: &str,
) -> Result<(Answer, String), Failure> {
    let (a, b) = (store.resolve(&arguments.run)?, store.resolve(candidate)?);
    if a.run_id == b.run_id {
        return Err(Failure::say(format!("both names mean run {}, give two runs or --baseline", a.run_id)));
    }
    let differences = environment_difference(&store.run_row(&a.run_id)?, &store.run_row(&b.run_id)?);
    let mut note = format!(
        "Runs {} (baseline) and {}: unpaired, sequential. They were measured at different times, so this is\n\
         descriptive: drift between them counts as a difference, and nothing is ever called equivalent.",
        a.run_id, b.run_id
    );
    if !differences.is_empty() {
        let list: Vec<String> = differences.iter().map(|difference| format!("  {difference}")).collect();
        let list = list.join("\n");
        if !arguments.force {
            let text = format!(
                "these two runs may not be compared, because they differ in\n{list}\n--force compares them all the same"
            );
            return Err(Failure::NotComparable(text));
        }
        note += &format!("\nCompared by force, although they differ in\n{list}");
    }
    let share = session.sql(&format!(
        "select 1 from trials a join trials b on a.workload = b.workload and a.case_name = b.case_name \
         and a.implementation = b.implementation and a.device = b.device and a.dtype = b.dtype where a.run_id = '{}' and b.run_id = '{}' limit 1",
        a.run_id, b.run_id
    ))?;
    if share.rows() == 0 {
        return Err(Failure::NotComparable(
            "the two runs share no case and variant, so there is nothing to compare".into(),
        ));
    }
    let answer = session.named("sequential", &params(&[("baseline", &a.run_id), ("candidate", &b.run_id)]))?;
    Ok((answer, note))
}

fn params(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn show(answer: &Answer, note: &str, cells: &Cells, format: Format) -> Result<(), Failure> {
    if format != Format::Table {
        return output::print(&answer.schema, &answer.batches, format);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{note}\n{}\n{}.", cells.table(), comparison::counts(answer))?;
    if !answer.left_out.is_empty() {
        writeln!(out, "{}", answer.left_out)?;
    }
    Ok(())
}

/// What the verdicts mean for whoever asked to see them in the exit code; a regression weighs more.
///
/// A verdict that does not rest on replicates gates nothing: it counts as undecided.
fn exit_code(answer: &Answer, fail_on: &[FailOn]) -> u8 {
    if fail_on.contains(&FailOn::Slower) && comparison::gated(answer, "slower") {
        EXIT_REGRESSION
    } else if fail_on.contains(&FailOn::Undecided) && comparison::undecided(answer) {
        EXIT_UNDECIDED
    } else {
        0
    }
}
