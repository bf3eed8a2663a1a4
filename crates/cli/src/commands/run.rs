//! `benchbook run`, and plan files where workloads may be named too, for all that measures.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use benchbook_core::{CaseSpec, Plan, SamplingSpec, counted};
use benchbook_measure::run::{Ready, RunSummary, Start, about, forecast};
use benchbook_measure::{all_threads, offer};
use benchbook_query::Session;
use benchbook_record::{LocalStore, RunRow, Store, folder_of, read_text, to_parquet};
use benchbook_report::calibration::read;
use benchbook_workloads::Category;

use crate::args::{RunArgs, once};
use crate::error::{EXIT_ERROR, Failure, say};
use crate::people::people;
use crate::progress::{Bar, interrupt_flag};

/// Measures what the arguments say.
pub fn run(store: &str, arguments: RunArgs) -> Result<u8, Failure> {
    let interrupted = interrupt_flag("finishing the journal")?;
    let beside = arguments.beside.found()?;
    let mut ready = start(plan(&arguments)?).beside(beside.workers.clone()).interrupted(&interrupted).workers()?;
    if arguments.dry_run {
        return dry_run(&ready);
    }
    let local = LocalStore::create_or_open(local_path(store)?)?;
    if let Some(half_width) = ready.plan.half_width {
        say(format_args!("this {}", forecast(&ready.plan, &ready.cells)));
        foresee(store, &ready.row()?, half_width, ready.cells.len())?;
    }
    let mut bar = Bar::new();
    let summary = ready.run(&local, &mut bar);
    bar.clear();
    tell(&summary?, store)
}

/// A run of a plan whose right answers this program computes.
pub fn start(plan: Plan) -> Start {
    Start::new(plan, to_parquet).problems(benchbook_workloads::problems(), benchbook_workloads::CODE_DIGEST)
}

/// Says what a wanted half-width takes, where calibrations of this machine tell.
fn foresee(store: &str, row: &RunRow, half_width: f64, cases: usize) -> Result<(), Failure> {
    let calibrations = read(&Session::open(&Store::open(store)?)?, row)?;
    let longest = calibrations.iter().filter_map(|one| one.seconds_for(half_width)).reduce(f64::max);
    if let Some(seconds) = longest {
        let total = about(1e9 * seconds * cases as f64);
        say(format_args!(
            "by its calibration this machine takes {total} or more for {} to ± {:.2} %",
            counted(cases, "case"),
            100.0 * half_width
        ));
    }
    Ok(())
}

/// A store to write to is a folder.
pub fn local_path(store: &str) -> Result<PathBuf, Failure> {
    let scheme = store.split("://").next().unwrap_or_default();
    folder_of(store)?
        .ok_or_else(|| Failure::say(format!("a store at {scheme}:// is read-only, name a folder with --store")))
}

/// The plan that the arguments mean.
fn plan(arguments: &RunArgs) -> Result<Plan, Failure> {
    let own = [
        ("--set", !arguments.sets.is_empty()),
        ("--implementation", !arguments.implementations.is_empty()),
        ("--preset", arguments.preset.is_some()),
    ];
    let mut plan = match (plan_file(&arguments.targets, &own)?, arguments.category) {
        (Some(plan), _) => plan,
        (None, Some(category @ Category { name, workloads, .. })) => {
            let workloads: Vec<String> = workloads.iter().map(|name| (*name).to_owned()).collect();
            // Who names devices means these.
            let own = if arguments.device.is_empty() { arguments.beside.devices_of(&category)? } else { Vec::new() };
            Plan { devices: own, ..of_workloads(name, &workloads, arguments)? }
        }
        (None, None) if arguments.all => of_workloads("all", &every_workload(arguments)?, arguments)?,
        (None, None) => of_workloads(&arguments.targets.join("+"), &arguments.targets, arguments)?,
    };
    if arguments.quick {
        quicken(&mut plan.sampling);
    }
    if !arguments.device.is_empty() {
        plan.devices.clone_from(&arguments.device);
    }
    if !arguments.dtype.is_empty() {
        plan.dtypes.clone_from(&arguments.dtype);
    }
    plan.time_s = arguments.time.map(|time| time.as_secs_f64()).or(plan.time_s);
    plan.replicates = arguments.replicates.unwrap_or(plan.replicates);
    plan.sampling.blocks = arguments.blocks.unwrap_or(plan.sampling.blocks);
    plan.threads = arguments.threads.or(plan.threads);
    plan.cache = arguments.cache.unwrap_or(plan.cache);
    plan.half_width = arguments.half_width.or(plan.half_width);
    plan.most_replicates = arguments.most_replicates.unwrap_or(plan.most_replicates);
    plan.sampling.keep_disturbed |= arguments.keep_disturbed;
    plan.seed = arguments.seed.unwrap_or(plan.seed);
    plan.tags.extend(arguments.tags.iter().cloned());
    if let Some(timeout) = arguments.timeout {
        plan.sampling.timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    }
    plan.check()?;
    Ok(plan)
}

/// The names of all workloads of our worker.
fn every_workload(arguments: &RunArgs) -> Result<Vec<String>, Failure> {
    let known = offer(arguments.threads.unwrap_or_else(all_threads), &Arc::default())?.known;
    Ok(known.workloads.into_iter().map(|workload| workload.name).collect())
}

/// A preset of each workload; `--set` replaces a preset that was not asked for by a sweep of its own.
fn of_workloads(name: &str, workloads: &[String], arguments: &RunArgs) -> Result<Plan, Failure> {
    // People write the name of a preset as they say it: `b2 s128 d256 h8`.
    let asked = arguments.preset.as_ref().map(|preset| preset.trim().replace(' ', "-"));
    let usual = if arguments.quick { "quick" } else { "default" };
    let preset = asked.as_deref().unwrap_or(usual);
    let params = once("--set", &arguments.sets, "write NAME=A,B to sweep")?;
    let case = |workload: &String| CaseSpec {
        workload: workload.clone(),
        preset: (params.is_empty() || asked.is_some()).then(|| preset.to_owned()),
        params: params.clone(),
        implementations: arguments.implementations.clone(),
    };
    let kind = if params.is_empty() { preset } else { "sweep" };
    let suite = format!("{name}-{kind}");
    Ok(Plan::of(&suite, workloads.iter().map(case).collect()))
}

fn dry_run(Ready { plan, cells, left_out, .. }: &Ready) -> Result<u8, Failure> {
    let text = toml::to_string(plan).map_err(|error| Failure::while_doing("the plan as TOML", error))?;
    let mut out = people();
    writeln!(out, "{text}")?;
    for cell in cells {
        let variants: Vec<String> = cell.variants.iter().map(ToString::to_string).collect();
        writeln!(out, "# {} {}: {}", cell.case.workload, cell.case.name, variants.join(", "))?;
    }
    for text in left_out {
        writeln!(out, "# {text}")?;
    }
    writeln!(out, "# {}", forecast(plan, cells))?;
    Ok(0)
}

fn tell(summary: &RunSummary, store: &str) -> Result<u8, Failure> {
    let RunSummary { folder, interrupted, .. } = summary;
    let mut out = people();
    writeln!(out, "{summary}\nrecorded in {}", folder.display())?;
    if !summary.measured_nothing() {
        let option = if store == "results" { String::new() } else { format!(" --store {store}") };
        writeln!(out, "next: benchbook{option} compare, or benchbook{option} report")?;
    }
    // A run in which nothing could be measured has not done what it was asked.
    Ok(if summary.measured_nothing() || *interrupted { EXIT_ERROR } else { 0 })
}

/// The plan in a file, or nothing where all of `targets` are names of workloads.
///
/// `of_workloads` are the options that a plan file has in itself, and whether each was given.
pub fn plan_file(targets: &[String], of_workloads: &[(&str, bool)]) -> Result<Option<Plan>, Failure> {
    let is_plan = |target: &&String| Path::new(target).extension().is_some_and(|extension| extension == "toml");
    let Some(file) = targets.iter().find(is_plan) else { return Ok(None) };
    if targets.len() > 1 {
        return Err(Failure::say("give one plan file, or names of workloads"));
    }
    if let Some((option, _)) = of_workloads.iter().find(|(_, given)| *given) {
        return Err(Failure::say(format!("{option} belongs to workloads; a plan file has its own")));
    }
    let text = read_text(Path::new(file)).map_err(|error| Failure::while_doing(file, error))?;
    Plan::from_toml(&text).map(Some).map_err(|error| Failure::while_doing(file, error))
}

/// Few blocks of short samples; what a plan says of disturbances and of answers that take long stays.
pub fn quicken(sampling: &mut SamplingSpec) {
    let SamplingSpec { blocks, min_sample_ns, warmup_ns, .. } = SamplingSpec::quick();
    sampling.blocks = blocks;
    sampling.min_sample_ns = min_sample_ns;
    sampling.warmup_ns = warmup_ns;
}
