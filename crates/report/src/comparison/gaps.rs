//! What a run lacks of what its plan asked for, in words.

use std::collections::BTreeMap;

use benchbook_core::{CaseSpec, Planned, Value};
use benchbook_query::{Session, quoted};
use benchbook_record::RunState;

use crate::Result;
use crate::row::{Row, rows};

/// Lines, and names in a line, beyond which the rest is counted.
const MOST_LINES: usize = 10;
const MOST_NAMES: usize = 4;

/// Why a replicate is missing whose trial was cut off before its first check, or is not there at all.
const NOT_BEGUN: &str = "not begun";

/// A case with its variants, in the order of their first trials.
struct Case {
    workload: String,
    name: String,
    first_trial: i64,
    variants: Vec<Variant>,
}

/// The replicates of a variant on a case.
struct Variant {
    name: String,
    /// Those with a valid sample.
    usable: usize,
    /// Those without one, by the reason.
    unusable: BTreeMap<String, usize>,
}

impl Variant {
    fn begun(&self) -> usize {
        self.usable + self.unusable.values().sum::<usize>()
    }
}

/// A variant that has fewer replicates than planned, and why; the same in several cases.
#[derive(PartialEq)]
struct Gap {
    workload: String,
    variant: String,
    usable: usize,
    expected: usize,
    why: String,
}

/// What is missing of a run: that it was interrupted or is still being measured, and what its plan asked for and
/// it has not.
///
/// # Errors
/// A store that cannot be read.
pub(crate) fn gaps(session: &Session, run_id: &str) -> Result<Vec<String>> {
    let state = session.store().resolve(run_id)?.state;
    let plan = session.store().run_row(run_id)?.plan;
    let planned = plan.as_deref().and_then(Planned::read);
    let mut lines = Vec::new();
    if plan.is_some() && planned.is_none() {
        lines.push(
            "the plan of the run cannot be read: what it asked for is unknown, and intervals are as wide as after the \
             smallest pilot"
                .to_owned(),
        );
    }
    if state == RunState::Live {
        lines.push(
            "the run is still being measured: trials that have not ended have passed their first check alone, and \
             nothing here is final"
                .to_owned(),
        );
        return Ok(lines);
    }
    let interrupted = state == RunState::Interrupted;
    if interrupted {
        lines.push("the run was interrupted before it was complete".to_owned());
    }
    let cases = measured(session, run_id)?;
    if let Some(specs) = planned.as_ref().and_then(|planned| planned.cases.as_deref()) {
        lines.extend(never_begun(session, run_id, specs)?);
        // In each replicate every case is begun before the next.
        let first_only = cases.iter().flat_map(|case| &case.variants).all(|variant| variant.begun() <= 1);
        let presets = specs.iter().filter_map(|spec| Some((&spec.workload, spec.preset.as_ref()?)));
        lines.extend(presets.filter(|_| interrupted && first_only).map(|(workload, preset)| {
            format!("cases of the preset `{preset}` of {workload} that had not begun cannot be named")
        }));
    }
    let mut told: Vec<String> =
        short_of(&cases, planned.as_ref(), state != RunState::Finished).into_iter().map(words).collect();
    if told.len() > MOST_LINES {
        let more = told.len() - MOST_LINES;
        told.truncate(MOST_LINES);
        told.push(format!("{more} more variants have fewer replicates than planned"));
    }
    lines.extend(told);
    Ok(lines)
}

/// A variant of a case that was begun and has no valid sample.
pub(crate) struct Lost {
    /// The workload and the case.
    pub case: String,
    /// The first trial of the case.
    pub first_trial: i64,
    /// The name of the variant.
    pub variant: String,
    /// How many replicates ended how.
    pub why: String,
}

/// Everything that was begun and has no valid sample.
///
/// # Errors
/// A store that cannot be read.
pub(crate) fn lost(session: &Session, run_id: &str) -> Result<Vec<Lost>> {
    let mut lost = Vec::new();
    for Case { workload, name, first_trial, variants } in measured(session, run_id)? {
        for variant in variants.into_iter().filter(|variant| variant.usable == 0) {
            let why = reasons(&variant, 0);
            lost.push(Lost { case: format!("{workload} {name}"), first_trial, variant: variant.name, why });
        }
    }
    Ok(lost)
}

/// Replicates of every case and variant that has a trial.
fn measured(session: &Session, run_id: &str) -> Result<Vec<Case>> {
    let id = quoted(run_id);
    let answer = session.sql(&format!(
        "with counted as ( \
             select trial, sum(case when valid then 1 else 0 end) as usable, \
                 max(case when not valid then invalid_reason end) as reason \
             from results where run_id = {id} group by trial \
         ), told as ( \
             select t.workload, t.variant, t.replicate, t.trial, \
                 case when t.cache = 'cold' then t.case_name || ' cold' else t.case_name end as label, \
                 case when c.usable > 0 then null else coalesce(u.reason, c.reason, 'no samples') end as why \
             from trials t \
             left join counted c on c.trial = t.trial \
             left join unusable u on u.run_id = t.run_id and u.trial = t.trial and u.run_id = {id} \
             where t.run_id = {id} \
         ) \
         select workload, label, variant, why, count(distinct replicate) as replicates, min(trial) as first_trial \
         from told group by workload, label, variant, why order by min(trial)"
    ))?;
    let mut cases: Vec<Case> = Vec::new();
    for row in rows(&answer) {
        let text = |name: &str| row.text(name).unwrap_or_default();
        let (workload, name, variant) = (text("workload"), text("label"), text("variant"));
        let count = row.integer("replicates").and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let first_trial = row.integer("first_trial").unwrap_or_default();
        let case = place(
            &mut cases,
            |case| case.workload == workload && case.name == name,
            || Case { workload: workload.clone(), name: name.clone(), first_trial, variants: Vec::new() },
        );
        let variant = place(
            &mut case.variants,
            |known| known.name == variant,
            || Variant { name: variant.clone(), usable: 0, unusable: BTreeMap::new() },
        );
        match row.text("why") {
            None => variant.usable += count,
            Some(why) => *variant.unusable.entry(why.replace(['_', '-'], " ")).or_default() += count,
        }
    }
    Ok(cases)
}

/// The entry that fits, added where there is none.
fn place<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    let index = list.iter().position(fits).unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    });
    &mut list[index]
}

/// The variants with fewer usable replicates than planned, each with the cases where it is so. A run that ended by
/// itself has a trial of all that it meant to measure; one that was `cut` may lack a variant of a case.
fn short_of(cases: &[Case], planned: Option<&Planned>, cut: bool) -> Vec<(Gap, Vec<String>)> {
    let mut gaps: Vec<(Gap, Vec<String>)> = Vec::new();
    for case in cases {
        let most = case.variants.iter().map(Variant::begun).max().unwrap_or_default();
        // What follows a pilot is planned case by case.
        let expected = planned.map_or(0, |planned| planned.replicates as usize).max(most);
        let there =
            case.variants.iter().map(|variant| (variant.name.clone(), variant.usable, reasons(variant, expected)));
        let absent = if cut { absent(case, cases, planned) } else { Vec::new() };
        let absent = absent.into_iter().map(|name| (name, 0, format!("{expected} {NOT_BEGUN}")));
        for (variant, usable, why) in there.chain(absent).filter(|(_, usable, _)| *usable < expected) {
            let gap = Gap { workload: case.workload.clone(), variant, usable, expected, why };
            match gaps.iter_mut().find(|(known, _)| *known == gap) {
                Some((_, names)) => names.push(case.name.clone()),
                None => gaps.push((gap, vec![case.name.clone()])),
            }
        }
    }
    gaps
}

fn reasons(variant: &Variant, expected: usize) -> String {
    let cut = variant.unusable.get(NOT_BEGUN).copied().unwrap_or_default();
    let not_begun = cut + expected.saturating_sub(variant.begun());
    let others = variant.unusable.iter().filter(|(why, _)| why.as_str() != NOT_BEGUN);
    let known = others.map(|(why, count)| format!("{count} {why}"));
    known.chain((not_begun > 0).then(|| format!("{not_begun} {NOT_BEGUN}"))).collect::<Vec<_>>().join(", ")
}

/// Variants that other cases of the workload have, where the plan asks for the same ones in all of them.
fn absent(case: &Case, cases: &[Case], planned: Option<&Planned>) -> Vec<String> {
    let specs = planned.and_then(|planned| planned.cases.as_deref()).unwrap_or_default();
    let mut asked = specs.iter().filter(|spec| spec.workload == case.workload).map(|spec| &spec.implementations);
    let first = asked.next();
    if asked.any(|other| Some(other) != first) {
        return Vec::new();
    }
    let others = cases.iter().filter(|other| other.workload == case.workload).flat_map(|other| &other.variants);
    let mut names: Vec<String> = Vec::new();
    for other in others {
        if !names.contains(&other.name) && case.variants.iter().all(|variant| variant.name != other.name) {
            names.push(other.name.clone());
        }
    }
    names
}

/// Cases and implementations that the plan names and no trial has.
fn never_begun(session: &Session, run_id: &str, specs: &[CaseSpec]) -> Result<Vec<String>> {
    let answer = session.sql(&format!(
        "select distinct workload, implementation, other_params(params, '') as params from trials where run_id = {}",
        quoted(run_id)
    ))?;
    let text = |row: Row<'_>, name: &str| row.text(name).unwrap_or_default();
    let trials: Vec<[String; 3]> =
        rows(&answer).map(|row| ["workload", "implementation", "params"].map(|name| text(row, name))).collect();
    let mut lines = Vec::new();
    for spec in specs {
        let of_workload: Vec<_> = trials.iter().filter(|[workload, ..]| *workload == spec.workload).collect();
        let has = |params: &[String]| {
            of_workload.iter().any(|[.., all]| params.iter().all(|one| all.split(' ').any(|known| known == one)))
        };
        if spec.preset.is_none() {
            let named = |(name, value): (&String, &Value)| format!("{name}={value}");
            let wanted = spec.combinations().into_iter().map(|params| params.0.iter().map(named).collect::<Vec<_>>());
            let absent: Vec<String> = wanted.filter(|params| !has(params)).map(|params| params.join(" ")).collect();
            if !absent.is_empty() {
                lines.push(format!("{} has no trial of {}", spec.workload, listed(&absent)));
            }
        }
        let missing = spec.implementations.iter().filter(|name| of_workload.iter().all(|[_, other, _]| other != *name));
        lines.extend(missing.map(|name| format!("{} has no trial of the implementation {name}", spec.workload)));
    }
    Ok(lines)
}

fn words((gap, cases): (Gap, Vec<String>)) -> String {
    let Gap { workload, variant, usable, expected, why } = gap;
    let cases = listed(&cases);
    match usable {
        0 => format!("{variant} is missing in {workload} {cases} ({why})"),
        _ => format!("{variant} has {usable} of {expected} replicates in {workload} {cases} ({why})"),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
