//! `benchbook gate`: two revisions side by side, and an exit code.

mod answers;
mod measured;
mod sides;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::{Axis, CaseSpec, Plan, Value};
use benchbook_measure::run::Cell;
use benchbook_measure::{Offer, all_threads, offer_of};
use benchbook_query::Session;
use benchbook_record::{LocalStore, RunRow, Store};
use benchbook_report::gate::{Report, exit_code, flagged};
use benchbook_report::warnings;

use self::answers::{confirm, endings, interleaved, missing};
use self::measured::{Bench, against_run, complete, plan, refuse_other_than};
use self::sides::{Labels, case_label, pairs};
use super::run::local_path;
use crate::args::{FailOn, GateArgs};
use crate::error::{Failure, say};
use crate::people::people;
use crate::progress::interrupt_flag;
use crate::revisions::{Revision, RevisionError, Source, Workshop};

/// What the baseline turned out to be.
enum Baseline {
    Revision(Revision),
    Run(Box<RunRow>),
}

/// Builds, measures, reports, and judges.
pub fn gate(store: &str, arguments: &GateArgs) -> Result<u8, Failure> {
    let interrupted = interrupt_flag("finishing the journal")?;
    let here = std::env::current_dir()?;
    let candidate = Revision::resolve(&here, arguments.candidate.as_deref())?;
    candidate.check_project(&here)?;
    let plan = plan(arguments)?;
    for file in &arguments.output {
        Report::writable(file).map_err(|error| Failure::while_doing(&file.display().to_string(), error))?;
    }
    let local = LocalStore::create_or_open(local_path(store)?)?;
    let baseline = baseline(&here, store, &arguments.baseline)?;
    if let Baseline::Run(run) = &baseline {
        refuse_other_than(&run.run_id, arguments)?;
    }
    let mut report = Report {
        baseline: match &baseline {
            Baseline::Revision(revision) => revision.label.clone(),
            Baseline::Run(run) => format!("run {}", run.run_id),
        },
        candidate: candidate.label.clone(),
        sequential: false,
        not_comparable: None,
        comparisons: Vec::new(),
        left_out: Vec::new(),
        warnings: Vec::new(),
        machine: Vec::new(),
        reproduce: reproduce(&baseline, &candidate, arguments),
    };
    let cache = arguments.cache.clone().map_or_else(cache_folder, Ok)?;
    let workshop = Workshop {
        repository: &here,
        cache: &cache,
        build_folder: arguments.build_folder.clone(),
        arguments: if arguments.minimal { vec!["--no-default-features".into()] } else { Vec::new() },
        interrupted: &interrupted,
    };
    let threads = arguments.threads.unwrap_or_else(all_threads);
    match sides(&workshop, &baseline, &candidate, threads, &interrupted)? {
        Err(reason) => report.not_comparable = Some(reason),
        Ok((before, after)) => {
            let bench = Bench { store: &local, interrupted: &interrupted };
            match (&baseline, before) {
                (Baseline::Run(run), _) => against_run(&bench, after, store, arguments, run, &mut report)?,
                (Baseline::Revision(_), Some(before)) => {
                    against_revision(&bench, (before, after), store, plan, arguments, &mut report)?;
                }
                (Baseline::Revision(_), None) => report.not_comparable = Some("the baseline has no worker".into()),
            }
        }
    }
    let written = arguments.output.iter().try_for_each(|file| {
        report.write(file).map_err(|error| Failure::while_doing(&file.display().to_string(), error))
    });
    let outcome = report.outcome();
    writeln!(people(), "{}", report.text())?;
    // A file that could not be written must not take the verdict with it.
    written?;
    Ok(exit_code(outcome, arguments.fail_on.contains(&FailOn::Undecided)))
}

/// A revision by that name; where there is none, a recorded run.
fn baseline(here: &Path, store: &str, name: &str) -> Result<Baseline, Failure> {
    match Revision::resolve(here, Some(name)) {
        Ok(revision) => Ok(Baseline::Revision(revision)),
        Err(unknown @ RevisionError::Unknown { .. }) => {
            let store = Store::open(store)?;
            match store.resolve(name) {
                Ok(entry) => Ok(Baseline::Run(Box::new(store.run_row(&entry.run_id)?))),
                Err(_) => Err(Failure::say(format!("{unknown}\nand the store has no run or tag of that name"))),
            }
        }
        Err(other) => Err(other.into()),
    }
}

/// The offers of both sides; in words why there can be no comparison.
type Sides = Result<(Option<Offer>, Offer), String>;

fn sides(
    workshop: &Workshop<'_>,
    baseline: &Baseline,
    candidate: &Revision,
    threads: usize,
    interrupted: &Arc<AtomicBool>,
) -> Result<Sides, Failure> {
    let mut offers = Vec::new();
    let (revisions, in_place) = match baseline {
        Baseline::Revision(revision) => (vec![revision, candidate], false),
        // Nothing stands beside it, so what the work tree's own build has left need not be compiled once more.
        Baseline::Run(_) => (vec![candidate], Revision::resolve(workshop.repository, None)? == *candidate),
    };
    for revision in revisions {
        say(format_args!("building the worker of {}", revision.label));
        let mut tell = |line: &str| say(format_args!("  {line}"));
        let built = if in_place {
            workshop.worker_in_place(revision, &mut tell)
        } else {
            workshop.worker_of(revision, &mut tell)
        };
        let program = match built {
            Ok(program) => program,
            Err(
                error @ (RevisionError::DoesNotBuild { .. }
                | RevisionError::NoWorkerPackage { .. }
                | RevisionError::NoPlaceForLibtorch { .. }),
            ) => return Ok(Err(error.to_string())),
            Err(other) => return Err(other.into()),
        };
        match offer_of(program, threads, interrupted) {
            Ok(offer) => offers.push(offer),
            Err(error @ (benchbook_measure::Error::Protocol { .. } | benchbook_measure::Error::NotAWorker { .. })) => {
                return Ok(Err(format!("the worker of {}: {error}", revision.label)));
            }
            Err(other) => return Err(other.into()),
        }
    }
    let after = offers.pop().ok_or_else(|| Failure::say("there is no candidate"))?;
    Ok(Ok((offers.pop(), after)))
}

/// Measures both builds in interleaved blocks; flagged cases are measured once more on fresh replicates.
fn against_revision(
    bench: &Bench<'_>,
    (before, after): (Offer, Offer),
    store: &str,
    mut plan: Plan,
    arguments: &GateArgs,
    report: &mut Report,
) -> Result<(), Failure> {
    complete(&mut plan, arguments, &after.known)?;
    let labels = Labels::new(&report.baseline, &report.candidate);
    report.candidate.clone_from(&labels.candidate);
    if same_bytes(&before.program, &after.program) {
        report.warnings.push("both sides are the same program, byte by byte: this measures nothing but noise".into());
    }
    let programs = [(&labels.baseline, &before), (&labels.candidate, &after)];
    let builds = programs.map(|(label, offer)| offer.build(label)).into();
    let mut ready = bench.start(&plan).offered(after, builds)?;
    report.warnings.append(&mut ready.left_out);
    (ready.cells, report.left_out) = pairs(&ready.cells, &labels, &before.known, ready.known());
    report.machine = machine(&ready.row()?);
    // Workers that answered questions go before anything is measured.
    drop(before);
    let first = bench.measure(&mut ready)?;
    let session = Session::open(&Store::open(store)?)?;
    report.comparisons = interleaved(&session, &first.run_id, &labels)?;
    report.warnings.extend(warnings(&session, &first.run_id)?);
    let ends = endings(&session, &first.run_id)?;
    for cell in &ready.cells {
        let case = case_label(cell);
        let variant = cell.variants.first().map(ToString::to_string).unwrap_or_default();
        let variant = variant.split('@').next().unwrap_or_default();
        if !report.comparisons.iter().any(|one| one.case == case && one.variant == variant) {
            report.left_out.push(missing(&ends, &case, variant, &labels));
        }
    }
    let chosen = flagged(&report.comparisons);
    if chosen.is_empty() {
        return Ok(());
    }
    say(format_args!("measuring again what looks slower: {} of {}", chosen.len(), report.comparisons.len()));
    ready.cells.retain(|cell| looks_slower(cell, report, &chosen));
    let cases = ready.cells.iter().map(spec).collect();
    ready.plan = Plan { seed: plan.seed ^ 1, tags: vec!["gate-again".into()], cases, ..plan };
    let second = bench.measure(&mut ready)?;
    let session = Session::open(&Store::open(store)?)?;
    let seconds = interleaved(&session, &second.run_id, &labels)?;
    report.warnings.extend(warnings(&session, &second.run_id)?);
    confirm(&mut report.comparisons, &chosen, &seconds);
    Ok(())
}

/// A cell as a plan asks for it.
fn spec(cell: &Cell) -> CaseSpec {
    let axis = |(name, value): (&String, &Value)| (name.clone(), Axis(vec![value.clone()]));
    CaseSpec {
        workload: cell.case.workload.clone(),
        preset: None,
        params: cell.case.params.0.iter().map(axis).collect(),
        implementations: cell.variants.first().map(|variant| variant.implementation.clone()).into_iter().collect(),
    }
}

fn looks_slower(cell: &Cell, report: &Report, chosen: &[usize]) -> bool {
    let (case, variant) = (case_label(cell), cell.variants.first().map(ToString::to_string).unwrap_or_default());
    let variant = variant.split('@').next().unwrap_or_default();
    let mut flagged = chosen.iter().filter_map(|index| report.comparisons.get(*index));
    flagged.any(|one| one.case == case && one.variant == variant)
}

fn same_bytes(a: &Path, b: &Path) -> bool {
    matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b)
}

/// The machine in words.
fn machine(row: &RunRow) -> Vec<String> {
    let gib = |bytes: i64| format!("{:.0} GiB memory", bytes as f64 / f64::from(1 << 30));
    let facts = [
        row.cpu_model.clone(),
        row.cpu_cores.map(|cores| format!("{cores} logical processors")),
        row.memory_bytes.map(gib),
        row.os.clone(),
        row.kernel.as_ref().map(|kernel| format!("kernel {kernel}")),
        row.threads.map(|threads| format!("{threads} threads for every variant")),
    ];
    facts.into_iter().flatten().collect()
}

/// Where workers of revisions are kept.
fn cache_folder() -> Result<PathBuf, Failure> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    base.map(|base| base.join("benchbook/gate"))
        .ok_or_else(|| Failure::say("there is no home folder to keep workers in, name one with --cache"))
}

fn reproduce(baseline: &Baseline, candidate: &Revision, arguments: &GateArgs) -> String {
    let mut words = vec!["benchbook gate".to_owned()];
    words.push(match baseline {
        Baseline::Revision(revision) => format!("--baseline {}", revision.commit),
        Baseline::Run(run) => format!("--baseline {}", run.run_id),
    });
    if matches!(candidate.source, Source::Commit) {
        words.push(format!("--candidate {}", candidate.commit));
    }
    let lists =
        [("suite", &arguments.suite), ("implementation", &arguments.implementations), ("device", &arguments.device)];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        words.push(format!("--{name} {}", list.join(",")));
    }
    if let Some(threads) = arguments.threads {
        words.push(format!("--threads {threads}"));
    }
    if let Some(time) = arguments.time {
        words.push(format!("--time {}", humantime::format_duration(time).to_string().replace(' ', "")));
    }
    if let Some(seed) = arguments.seed {
        words.push(format!("--seed {seed}"));
    }
    let flags =
        [("quick", arguments.quick), ("keep-disturbed", arguments.keep_disturbed), ("minimal", arguments.minimal)];
    words.extend(flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| format!("--{name}")));
    words.join(" ")
}
