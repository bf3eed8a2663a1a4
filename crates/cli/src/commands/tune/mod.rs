//! `benchbook tune`: settings of implementations and shapes of cases, searched by measuring them. The state of a search is
//! rows of the store: its runs have a tag, and a call of the same name goes on where those end.

mod confirmed;
mod model;
mod optuna;
mod seen;
mod space;

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::{Axis, Case, CaseSpec, DType, INPUT_SEEDS, Plan, SamplingSpec, Value, Variant, counted};
use benchbook_measure::clock;
use benchbook_measure::run::{Cell, Ready, RunSummary};
use benchbook_query::{Session, TIME, quoted};
use benchbook_record::{LocalStore, RunState, Store};
use benchbook_report::rows;
use benchbook_search::{Method, Observation, Point, Search, Space, best};

use super::run::{local_path, start};
use crate::args::{Finder, TuneArgs, once};
use crate::error::{EXIT_ERROR, Failure, say};
use crate::people::people;
use crate::progress::{Bar, interrupt_flag};
use seen::is_higher;
use space::Dimension;

pub use model::{Target, target};
pub use seen::{Found, Goal, Known, read};
pub use space::{Asked, Choice, Subject};

/// Points that a search goes through at most, those that cannot be among them.
const MOST_POINTS: usize = 20_000;

/// Points of a space that are gone through to find those of earlier runs.
const MOST_EARLIER: u64 = 20_000;

/// What a search measures by, and where it leaves its rows.
pub struct Bench<'a> {
    pub store: &'a str,
    pub local: LocalStore,
    pub ready: Ready,
    pub interrupted: Arc<AtomicBool>,
}

/// Searches, and confirms what was found.
pub fn tune(store: &str, arguments: &TuneArgs) -> Result<u8, Failure> {
    let began_ns = clock::now_ns();
    let interrupted = interrupt_flag("finishing the journal")?;
    let beside = arguments.beside.found()?;
    if arguments.budget == 0 {
        return Err(Failure::say("a budget of 0 settings finds nothing: give --budget 20 or more"));
    }
    for (option, values) in [("--set", &arguments.sets), ("--knob", &arguments.knobs)] {
        once(option, values, "write NAME=A,B for several values")?;
    }
    let of = (arguments.workload.as_ref(), arguments.model.as_ref());
    let target = target(of, &arguments.sets, u64::from(arguments.batch))?;
    let asked = asked(arguments, &target);
    let mut plan = first_plan(&asked, arguments.seed, arguments.keep_disturbed);
    let sample_ns = u64::try_from(arguments.sample.as_nanos()).unwrap_or(u64::MAX);
    plan.sampling.blocks = arguments.blocks;
    plan.sampling.min_sample_ns = sample_ns;
    plan.sampling.warmup_ns = sample_ns.saturating_mul(10);
    // What is asked for later settings, or for the end, is refused before anything is measured.
    for threads in arguments.threads.iter().copied().map(Some).chain([None]) {
        Plan { threads, replicates: arguments.replicates, ..plan.clone() }.check()?;
    }
    let mut ready = start(plan).beside(beside.workers.clone()).interrupted(&interrupted).workers()?;
    let cases: Vec<Case> = ready.cells.iter().map(|cell| cell.case.clone()).collect();
    let choice = Choice::new(&asked, ready.known(), &cases)?;
    let space = choice.space()?;
    if arguments.dry_run {
        return dry_run(&choice, &space);
    }
    ready.left_out.clear();
    let local = LocalStore::create_or_open(local_path(store)?)?;
    let mut bench = Bench { store, local, ready, interrupted };
    let name = arguments.name.clone().unwrap_or_else(|| {
        let of = arguments.model.as_ref().unwrap_or(&target.workload);
        format!("{of}-{}-{}", arguments.method.name(), arguments.seed)
    });
    let goal = Goal { metric: arguments.metric.clone(), under: arguments.under.clone(), over: arguments.over.clone() };
    let usual = choice.usual().map_err(Failure::say)?;
    let batch = usize::from(arguments.batch);
    // Where Optuna finds no further point, one is drawn.
    let method = match arguments.method {
        Finder::Own(method) => method,
        Finder::Optuna => Method::Random,
    };
    let search = Search { space, method, seed: arguments.seed, batch };
    let deadline_ns =
        arguments.time.map(|time| began_ns.saturating_add(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)));
    let mut tuning =
        Tuning { bench: &mut bench, choice: &choice, goal, usual, tag: format!("tune:{name}"), higher: false };
    let tried = tuning.search(&search, arguments, deadline_ns)?;
    if let Some(file) = &arguments.table {
        let text = tuning.table(&tried.seen);
        std::fs::write(file, text).map_err(|error| Failure::while_doing(&file.display().to_string(), error))?;
    }
    if let Some(why) = &tried.cut {
        writeln!(people(), "{why}: the same command goes on from here")?;
        return Ok(EXIT_ERROR);
    }
    tuning.tell(&tried, arguments)
}

/// The words of the command line as a search is asked for.
fn asked<'a>(arguments: &'a TuneArgs, target: &'a Target) -> Asked<'a> {
    Asked {
        workload: &target.workload,
        sets: &target.sets,
        implementations: &arguments.implementations,
        knobs: &arguments.knobs,
        device: arguments.device.as_deref(),
        dtypes: &arguments.dtype,
        threads: &arguments.threads,
        as_given: false,
    }
}

/// A plan of the first of all values, by which the workers are asked what there is; of a workload that only a worker makes cases of,
/// all values of its parameters.
pub fn first_plan(asked: &Asked<'_>, seed: u64, keep_disturbed: bool) -> Plan {
    let is_linked = benchbook_workloads::problems().find_workload(asked.workload).is_ok();
    let first = |(name, values): &(String, Axis)| {
        let count = if is_linked { 1 } else { values.0.len() };
        (name.clone(), Axis(values.0.iter().take(count).cloned().collect()))
    };
    let case = CaseSpec {
        workload: asked.workload.to_owned(),
        preset: None,
        params: asked.sets.iter().map(first).collect(),
        implementations: asked.implementations.to_vec(),
    };
    Plan {
        seed,
        replicates: 1,
        devices: asked.device.map(str::to_owned).into_iter().collect(),
        dtypes: asked.dtypes.first().copied().into_iter().collect(),
        threads: asked.threads.first().copied(),
        sampling: SamplingSpec { keep_disturbed, ..SamplingSpec::quick() },
        ..Plan::of(&format!("{}-search", asked.workload), vec![case])
    }
}

fn dry_run(choice: &Choice, space: &Space) -> Result<u8, Failure> {
    let mut out = people();
    for Dimension { name, values, .. } in &choice.dimensions {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        writeln!(out, "{name}: {}", values.join(", "))?;
    }
    let points = space.points().map_or_else(|| "more than can be counted".to_owned(), |points| points.to_string());
    writeln!(out, "{points} settings")?;
    Ok(0)
}

/// The cells of these subjects, those of one case in the same blocks.
fn cells<'s>(subjects: impl IntoIterator<Item = &'s Subject>) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for Subject { case, variant } in subjects {
        match cells.iter_mut().find(|cell| cell.case == *case) {
            Some(cell) if cell.variants.contains(variant) => {}
            Some(cell) => cell.variants.push(variant.clone()),
            None => cells.push(Cell { case: case.clone(), variants: vec![variant.clone()], seeds: INPUT_SEEDS }),
        }
    }
    cells
}

/// A cell as a plan asks for it.
fn spec(cell: &Cell) -> CaseSpec {
    let axis = |(name, value): (&String, &Value)| (name.clone(), Axis(vec![value.clone()]));
    let mut implementations: Vec<String> = Vec::new();
    for Variant { implementation, .. } in &cell.variants {
        if !implementations.contains(implementation) {
            implementations.push(implementation.clone());
        }
    }
    let params = cell.case.params.0.iter().map(axis).collect();
    CaseSpec { workload: cell.case.workload.clone(), preset: None, params, implementations }
}

impl Bench<'_> {
    /// Measures these variants on their cases; the run has this tag.
    pub fn measure<'s>(
        &mut self,
        subjects: impl IntoIterator<Item = &'s Subject>,
        tag: &str,
        replicates: u32,
    ) -> Result<RunSummary, Failure> {
        let cells = cells(subjects);
        let variants = || cells.iter().flat_map(|cell| &cell.variants);
        let dtypes: Vec<DType> =
            DType::ALL.into_iter().filter(|dtype| variants().any(|one| one.dtype == *dtype)).collect();
        let mut devices: Vec<String> = variants().map(|one| one.device.clone()).collect();
        devices.sort_unstable();
        devices.dedup();
        let cases = cells.iter().map(spec).collect();
        let plan = self.ready.plan.clone();
        self.ready.plan = Plan { cases, devices, dtypes, replicates, tags: vec![tag.to_owned()], ..plan };
        self.ready.cells = cells;
        let mut bar = Bar::new();
        let summary = self.ready.run(&self.local, &mut bar);
        bar.clear();
        Ok(summary?)
    }

    /// The store as it is now.
    pub fn session(&self) -> Result<Session, Failure> {
        Ok(Session::open(&Store::open(self.store)?)?)
    }

    /// The runs with this tag, oldest first, and when the first of them began.
    ///
    /// # Errors
    /// One of them is being measured at this moment.
    pub fn own(&self, tag: &str) -> Result<(Vec<String>, Option<i64>), Failure> {
        let mut runs = Store::open(self.store)?.runs()?;
        runs.retain(|run| run.tags.iter().any(|one| one == tag));
        runs.sort_by_key(|run| run.started_at_ns);
        if let Some(live) = runs.iter().find(|run| run.state == RunState::Live) {
            return Err(Failure::say(format!(
                "another process is at work on {tag} (run {}): wait for it, or give this search another --name",
                live.run_id
            )));
        }
        let first = runs.first().map(|run| run.started_at_ns);
        Ok((runs.into_iter().map(|run| run.run_id).collect(), first))
    }
}

/// A search over what can be chosen.
struct Tuning<'a, 'b> {
    bench: &'a mut Bench<'b>,
    choice: &'a Choice,
    goal: Goal,
    /// What every setting of one case stands beside.
    usual: Subject,
    tag: String,
    /// Whether more of the metric is better.
    higher: bool,
}

/// What was tried.
struct Tried {
    seen: Vec<Observation>,
    /// Settings that were measured, now or before.
    measured: usize,
    /// What ended it before its budget was used up.
    cut: Option<String>,
}

impl Tuning<'_, '_> {
    fn search(&mut self, search: &Search, arguments: &TuneArgs, deadline_ns: Option<i64>) -> Result<Tried, Failure> {
        let (own, first) = self.bench.own(&self.tag)?;
        let session = self.bench.session()?;
        self.higher = is_higher(&session, &self.goal.metric)?;
        let workload = self.usual.case.workload.clone();
        let usual = self.usual.variant.to_string();
        let mut known = read(&session, &own, &workload, &self.goal, &usual)?;
        if self.is_beside() {
            // What was cut off before it stood beside the usual setting says nothing yet.
            known.retain(|(_, variant), found| found.lost.is_some() || found.log_ratio.is_some() || *variant == usual);
        }
        let learns = !arguments.afresh && search.method != Method::Random;
        let earlier = if learns { self.earlier(&session, &own, first, search)? } else { Vec::new() };
        drop(session);
        say(match (known.len(), earlier.len()) {
            (0, 0) => format!("{}: nothing is known yet of these settings", self.tag),
            (0, learned) => format!("{}: learns from {} of earlier runs", self.tag, counted(learned, "setting")),
            (found, _) => format!("{}: goes on, {} measured before", self.tag, counted(found, "setting")),
        });
        let (mut seen, mut measured, mut cut) = (Vec::new(), 0, None);
        while measured < arguments.budget {
            let theirs = match arguments.method {
                Finder::Own(_) => Vec::new(),
                Finder::Optuna => optuna::batch(search, &seen)?,
            };
            let ahead = self.ahead(search, &theirs, [&earlier, &seen], arguments.budget - measured);
            if ahead.is_empty() {
                break;
            }
            let subjects: Vec<Option<Subject>> = ahead.iter().map(|point| self.choice.subject(point).ok()).collect();
            let missing: Vec<&Subject> =
                subjects.iter().flatten().filter(|one| !known.contains_key(&one.key())).collect();
            if !missing.is_empty() {
                if self.bench.interrupted.load(Ordering::Relaxed) {
                    cut = Some("interrupted".to_owned());
                    break;
                }
                if deadline_ns.is_some_and(|end| clock::now_ns() >= end) {
                    cut = Some("the time is used up".to_owned());
                    break;
                }
                if self.take(&missing, &mut known)? {
                    cut = Some("interrupted".to_owned());
                    break;
                }
            }
            for (point, subject) in ahead.into_iter().zip(&subjects) {
                let found = subject.as_ref().and_then(|subject| known.get(&subject.key()).zip(Some(subject)));
                measured += usize::from(subject.is_some());
                seen.push(match found {
                    Some((found, subject)) => self.observed(point, found, subject),
                    None => Observation::failed(point),
                });
            }
            self.progress(&seen, measured, arguments.budget);
        }
        Ok(Tried { seen, measured, cut })
    }

    /// The points of the next batch, those that cannot be among them; `theirs` are points of the whole batch that were found elsewhere.
    fn ahead(
        &self,
        search: &Search,
        theirs: &[Point],
        [earlier, seen]: [&[Observation]; 2],
        left: usize,
    ) -> Vec<Point> {
        let (mut ahead, mut possible): (Vec<Point>, usize) = (Vec::new(), 0);
        let begun = seen.len() % search.batch.max(1);
        while possible < left && seen.len() + ahead.len() < MOST_POINTS {
            let whole = (seen.len() + ahead.len()).is_multiple_of(search.batch.max(1));
            if whole && !ahead.is_empty() {
                break;
            }
            let found = theirs.get(begun + ahead.len()).cloned();
            let Some(point) = found.or_else(|| search.next(earlier, seen, &ahead)) else { break };
            possible += usize::from(self.choice.subject(&point).is_ok());
            ahead.push(point);
        }
        ahead
    }

    /// Measures what is missing; whether that was interrupted.
    fn take(&mut self, missing: &[&Subject], known: &mut Known) -> Result<bool, Failure> {
        let usual = self.usual.variant.to_string();
        let beside = self.choice.is_paired().then_some(&self.usual);
        let subjects = beside.into_iter().chain(missing.iter().copied());
        let summary = self.bench.measure(subjects, &self.tag, 1)?;
        let session = self.bench.session()?;
        self.higher = is_higher(&session, &self.goal.metric)?;
        let workload = &self.usual.case.workload;
        let found = read(&session, std::slice::from_ref(&summary.run_id), workload, &self.goal, &usual)?;
        if let Some(metric) = self.goal.absent(&found) {
            return Err(absent(&session, &summary.run_id, metric)?);
        }
        known.extend(found);
        if summary.interrupted {
            return Ok(true);
        }
        for subject in missing {
            // Whatever the reason, it is not measured a second time by this call.
            known.entry(subject.key()).or_insert_with(|| Found { lost: Some("nothing".into()), ..Found::default() });
        }
        Ok(false)
    }

    fn observed(&self, point: Point, found: &Found, subject: &Subject) -> Observation {
        let beside = self.choice.is_paired().then_some([subject, &self.usual]);
        self.goal.observed(point, found, beside, self.higher)
    }

    /// What runs of other searches and plans say of this space, on this machine and before this search began: of the same
    /// case, or where nothing is known of that, of settings beside the usual one in other cases.
    fn earlier(
        &self,
        session: &Session,
        own: &[String],
        first: Option<i64>,
        search: &Search,
    ) -> Result<Vec<Observation>, Failure> {
        let Some(points) = search.space.points().filter(|points| *points <= MOST_EARLIER) else {
            return Ok(Vec::new());
        };
        let environment = self.bench.ready.row()?.environment_id();
        let same = format!("SELECT run_id FROM runs WHERE environment_id = {}", quoted(&environment));
        let same: HashSet<String> = rows(&session.sql(&same)?).filter_map(|row| row.text("run_id")).collect();
        let mut runs = Store::open(self.bench.store)?.runs()?;
        runs.retain(|run| same.contains(&run.run_id) && !own.contains(&run.run_id) && run.state != RunState::Live);
        runs.retain(|run| first.is_none_or(|first| run.started_at_ns < first));
        let runs: Vec<String> = runs.into_iter().map(|run| run.run_id).collect();
        let workload = &self.usual.case.workload;
        let known = read(session, &runs, workload, &self.goal, &self.usual.variant.to_string())?;
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        for point in (0..points).filter_map(|number| search.space.point(number)) {
            let Ok(subject) = self.choice.subject(&point) else { continue };
            if let Some(found) = known.get(&subject.key()) {
                here.push(self.observed(point, found, &subject));
            } else if self.choice.is_paired() && self.goal.metric == TIME {
                let variant = subject.variant.to_string();
                let of_variant = known.iter().filter(|((_, one), _)| *one == variant);
                let mut others: Vec<Observation> =
                    of_variant.map(|(_, found)| self.observed(point.clone(), found, &subject)).collect();
                others.sort_by(benchbook_search::order);
                elsewhere.extend(others.into_iter().next());
            }
        }
        here.retain(|one| one.loss.is_some());
        elsewhere.retain(|one| one.loss.is_some());
        Ok(if here.is_empty() { elsewhere } else { here })
    }

    fn progress(&self, seen: &[Observation], measured: usize, budget: usize) {
        let so_far = match best(seen) {
            Some(one) => format!("best so far {}, {}", self.choice.words(&one.point), self.figure(one)),
            None => "none meets its bounds so far".to_owned(),
        };
        say(format_args!("{measured} of {budget} settings: {so_far}"));
    }

    /// Every setting that was measured, as CSV: the axes, and what is to be small.
    fn table(&self, seen: &[Observation]) -> String {
        let names: Vec<&str> = self.choice.dimensions.iter().map(|of| of.name.as_str()).collect();
        let mut text = format!("{},{}\n", names.join(","), self.measured_by());
        for one in seen {
            let values = self.choice.dimensions.iter().zip(&one.point);
            let values: Vec<String> = values.filter_map(|(of, value)| of.value(*value).map(Value::to_string)).collect();
            let loss = one.loss.map_or_else(String::new, |loss| self.value(loss).to_string());
            text.push_str(&format!("{},{loss}\n", values.join(",")));
        }
        text
    }
}

/// A metric that no trial has, with those that there are.
pub fn absent(session: &Session, run: &str, metric: &str) -> Result<Failure, Failure> {
    let known = format!("SELECT DISTINCT metric FROM metric_values WHERE run_id = {} ORDER BY metric", quoted(run));
    let mut names: Vec<String> = rows(&session.sql(&known)?).filter_map(|row| row.text("metric")).collect();
    names.insert(0, TIME.to_owned());
    Ok(benchbook_core::unknown("metric", metric, names.iter().map(String::as_str)).into())
}
