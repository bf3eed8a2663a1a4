//! `benchbook matrix`: every technique on every model, a few at a time beside the model as it is; what the store holds is not
//! measured again.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::{CaseSpec, Plan, SamplingSpec, counted, unknown};
use benchbook_measure::clock;
use benchbook_measure::run::{Ready, about};
use benchbook_models::technique::{self, Technique};
use benchbook_query::{Answer, Session};
use benchbook_record::{LocalStore, RunRow, Store};
use benchbook_report::gate::write_whole;
use benchbook_report::{matrix_page, rows};

use self::cases::{ModelCase, WORKLOAD};
use crate::args::MatrixArgs;
use crate::commands::run::{local_path, start};
use crate::error::{EXIT_ERROR, Failure, say};
use crate::output;
use crate::people::people;
use crate::progress::{Bar, interrupt_flag};

/// Models where none are named: a small one whole, and the four that the matrix is for.
const MODELS: [&str; 5] = ["smollm2-135m", "qwen3-4b", "qwen3-vl-2b", "qwen3-coder-30b", "glm-4.7-flash"];

/// The model as it is, as an implementation.
const PLAIN: &str = "plain";

/// Techniques of a run: all of its processes hold a model at a time, and a run that is ended loses no more.
const TOGETHER: usize = 4;

/// Processes that hold a model: those of a run, what they are prepared from, and the right answers.
const HOLDERS: u64 = TOGETHER as u64 + 4;

/// Blocks of a replicate: a sample is a whole text.
const BLOCKS: u64 = 20;
const QUICK_BLOCKS: u64 = 5;

/// Seconds that a run of a quick matrix may take: four of them are a model.
const QUICK_RUN_S: f64 = 240.0;

/// How a right answer is waited for at most, in nanoseconds: that of a large model takes long.
const TIMEOUT_NS: u64 = 1_200_000_000_000;

/// Cells that need no other measurement.
const DONE: [&str; 3] = ["measured", "not applicable", "not here"];

/// Some techniques on a model, which become a run.
struct Part<'a> {
    case: &'a ModelCase,
    techniques: Vec<&'static Technique>,
}

/// Measures what is missing of the matrix, and shows it.
pub fn matrix(store: &str, arguments: &MatrixArgs) -> Result<u8, Failure> {
    let techniques = techniques(&arguments.techniques)?;
    let cases = models(arguments)?;
    let path = local_path(store)?;
    if let Some(file) = arguments.output.as_ref().filter(|file| file.extension().is_none_or(|end| end != "html")) {
        return Err(Failure::say(format!("{}: the page of a matrix is .html", file.display())));
    }
    let interrupted = interrupt_flag("finishing the journal")?;
    let known = if arguments.again { BTreeSet::new() } else { known(store, arguments, &interrupted)? };
    let parts = parts(&cases, &techniques, &known);
    for case in &cases {
        say(format_args!("{}: {}", case.model, case.note));
    }
    let left: usize = parts.iter().map(|part| part.techniques.len()).sum();
    let all = cases.len() * techniques.len();
    say(format_args!("{} of {}, the store holds {}", counted(left, "cell"), all, all - left));
    if arguments.dry_run {
        tell_parts(&parts)?;
        return page(store, arguments).map(|()| 0);
    }
    let local = LocalStore::create_or_open(path)?;
    let mut code = 0;
    let started_ns = clock::now_ns();
    for (done, part) in parts.iter().enumerate() {
        say(format_args!("{}{}", described(part), left_of(started_ns, [done, parts.len()])));
        let mut ready = ready(part, arguments, &interrupted)?;
        let mut bar = Bar::new();
        let summary = ready.run(&local, &mut bar);
        bar.clear();
        say(summary?);
        if interrupted.load(Ordering::Relaxed) {
            say("the next `benchbook matrix` goes on from here");
            code = EXIT_ERROR;
            break;
        }
    }
    let answer = asked(store, arguments, "matrix")?;
    output::print(&answer.schema, &answer.batches, arguments.format)?;
    page(store, arguments)?;
    Ok(output::tell_left_out(&answer.left_out, false, code))
}

/// Writes the page of what the store holds, where one is asked for.
fn page(store: &str, arguments: &MatrixArgs) -> Result<(), Failure> {
    let Some(file) = &arguments.output else { return Ok(()) };
    let text = matrix_page(&asked(store, arguments, "matrix")?, &asked(store, arguments, "cross_model")?)?;
    let name = file.display().to_string();
    write_whole(file, text.as_bytes()).map_err(|error| Failure::while_doing(&name, error))?;
    say(format_args!("the matrix is in {name}"));
    Ok(())
}

/// The techniques of these names, or all.
fn techniques(names: &[String]) -> Result<Vec<&'static Technique>, Failure> {
    let of = |name: &String| -> Result<&'static Technique, Failure> {
        let names = technique::ALL.iter().map(|technique| technique.name);
        technique::named(name).ok_or_else(|| unknown("technique", name, names).into())
    };
    if names.is_empty() {
        return Ok(technique::ALL.iter().collect());
    }
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(name.as_str())).map(of).collect()
}

/// The models of these names as cases, each once.
fn models(arguments: &MatrixArgs) -> Result<Vec<ModelCase>, Failure> {
    let usual = || MODELS.map(str::to_owned).to_vec();
    let mut names = if arguments.models.is_empty() { usual() } else { arguments.models.clone() };
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let room_bytes = arguments.memory / HOLDERS;
    names.iter().map(|name| ModelCase::of(name, room_bytes, arguments.quick, arguments.layers)).collect()
}

fn suite(arguments: &MatrixArgs) -> &'static str {
    if arguments.quick { "matrix-quick" } else { "matrix" }
}

/// What the store holds of the matrix, by a named query.
fn asked(store: &str, arguments: &MatrixArgs, query: &str) -> Result<Answer, Failure> {
    let session = Session::open(&Store::open(store)?)?;
    let given = [("suite", suite(arguments)), ("baseline", PLAIN)];
    let given: BTreeMap<String, String> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Ok(session.named(query, &given)?)
}

/// Cases and techniques of which the store holds a cell that was measured on this machine, with as many threads.
fn known(
    store: &str,
    arguments: &MatrixArgs,
    interrupted: &Arc<AtomicBool>,
) -> Result<BTreeSet<(String, String)>, Failure> {
    if !local_path(store)?.exists() {
        return Ok(BTreeSet::new());
    }
    let opened = Store::open(store)?;
    // Any plan has the row of this machine.
    let here = ready_of(Plan::quick(WORKLOAD), arguments, interrupted)?.row()?;
    let mut known = BTreeSet::new();
    for row in rows(&asked(store, arguments, "matrix")?) {
        let (Some(run), Some(case), Some(technique)) =
            (row.text("run_id"), row.text("case_name"), row.text("technique"))
        else {
            continue;
        };
        let done = row.text("cell").is_some_and(|cell| DONE.contains(&cell.as_str()));
        if done && same_machine(&opened.run_row(&run)?, &here) {
            known.insert((case, technique));
        }
    }
    Ok(known)
}

fn same_machine(one: &RunRow, other: &RunRow) -> bool {
    one.hostname_hash == other.hostname_hash && one.cpu_model == other.cpu_model && one.threads == other.threads
}

/// What is missing, a few techniques of a model at a time.
fn parts<'a>(
    cases: &'a [ModelCase],
    techniques: &[&'static Technique],
    known: &BTreeSet<(String, String)>,
) -> Vec<Part<'a>> {
    let of_case = |case: &'a ModelCase| {
        let is_missing = |technique: &&Technique| !known.contains(&(case.name.clone(), technique.name.to_owned()));
        let missing: Vec<&'static Technique> = techniques.iter().copied().filter(is_missing).collect();
        // Of a model that nobody decodes here, all say so at once.
        let together = if case.is_here { TOGETHER } else { technique::ALL.len() };
        let part = |some: &[&'static Technique]| Part { case, techniques: some.to_vec() };
        missing.chunks(together).map(part).collect::<Vec<Part<'a>>>()
    };
    cases.iter().flat_map(of_case).collect()
}

/// The run of a part.
fn ready(part: &Part<'_>, arguments: &MatrixArgs, interrupted: &Arc<AtomicBool>) -> Result<Ready, Failure> {
    let names = part.techniques.iter().map(|technique| technique.name.to_owned());
    let case = CaseSpec {
        workload: WORKLOAD.to_owned(),
        preset: None,
        params: part.case.params.clone(),
        implementations: std::iter::once(PLAIN.to_owned()).chain(names).collect(),
    };
    let mut plan = Plan::of(suite(arguments), vec![case]);
    if arguments.quick {
        plan.sampling = SamplingSpec { blocks: QUICK_BLOCKS, ..SamplingSpec::quick() };
        plan.time_s = Some(QUICK_RUN_S);
    } else {
        plan.sampling.blocks = BLOCKS;
    }
    if !part.case.is_here {
        plan.replicates = 1;
    }
    plan.sampling.timeout_ns = TIMEOUT_NS;
    ready_of(plan, arguments, interrupted)
}

fn ready_of(mut plan: Plan, arguments: &MatrixArgs, interrupted: &Arc<AtomicBool>) -> Result<Ready, Failure> {
    plan.threads = arguments.threads;
    plan.sampling.keep_disturbed |= arguments.keep_disturbed;
    Ok(start(plan).interrupted(interrupted).workers()?)
}

fn described(part: &Part<'_>) -> String {
    let names: Vec<&str> = part.techniques.iter().map(|technique| technique.name).collect();
    format!("{}: {}", part.case.model, names.join(", "))
}

/// Which run it is, and about how long all of them still take, as the ones before have.
fn left_of(started_ns: i64, [done, all]: [usize; 2]) -> String {
    let place = format!(" (run {} of {all}", done + 1);
    if done == 0 {
        return place + ")";
    }
    let each = (clock::now_ns() - started_ns) as f64 / done as f64;
    format!("{place}, {} left)", about(each * (all - done) as f64))
}

fn tell_parts(parts: &[Part<'_>]) -> Result<(), Failure> {
    let mut out = people();
    for part in parts {
        writeln!(out, "{}", described(part))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_left_out_and_the_rest_comes_a_few_at_a_time() {
        let case = |name: &str| ModelCase::of(name, 1 << 30, true, None).unwrap();
        let cases = [case("smollm2-135m"), case("glm-4.7-flash")];
        let all = techniques(&[]).unwrap();
        let sizes = |known: &BTreeSet<(String, String)>| -> Vec<usize> {
            parts(&cases, &all, known).iter().map(|part| part.techniques.len()).collect()
        };
        let count = all.len();
        let mut wanted = vec![TOGETHER; count / TOGETHER];
        wanted.extend((!count.is_multiple_of(TOGETHER)).then_some(count % TOGETHER));
        wanted.push(count);
        assert_eq!(sizes(&BTreeSet::new()), wanted);
        let of =
            |case: &ModelCase| all.iter().map(|one| (case.name.clone(), one.name.to_owned())).collect::<BTreeSet<_>>();
        assert_eq!(sizes(&of(&cases[0])), [count], "only the model that is not here is left");
        let mut but_one = of(&cases[0]);
        but_one.remove(&(cases[0].name.clone(), "2of4".to_owned()));
        but_one.extend(of(&cases[1]));
        let left = parts(&cases, &all, &but_one);
        assert_eq!(left.iter().map(described).collect::<Vec<_>>(), ["smollm2-135m: 2of4"]);
    }

    #[test]
    fn names_that_nothing_has_are_told_with_the_nearest() {
        let told = techniques(&["int9".to_owned()]).unwrap_err().to_string();
        assert!(told.contains("did you mean `int8`"), "{told}");
        let told = ModelCase::of("qwen3-5b", 1 << 30, true, None).map(|_| ()).unwrap_err().to_string();
        assert!(told.contains("qwen3-4b"), "{told}");
    }

    #[test]
    fn the_time_left_follows_from_the_runs_before() {
        assert_eq!(left_of(0, [0, 3]), " (run 1 of 3)");
        let told = left_of(clock::now_ns() - 60_000_000_000, [1, 3]);
        assert!(told.starts_with(" (run 2 of 3, ") && told.contains("min"), "{told}");
    }
}
