//! `benchbook list`.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use benchbook_core::Within;
use benchbook_core::message::Description;
use benchbook_measure::{all_threads, environment, offer, own};
use benchbook_report::{Row, number, rows};
use benchbook_workloads::CATEGORIES;
use clap::{Command, CommandFactory, ValueEnum};

use crate::args::{Cli, Format, ListArgs, Topic};
use crate::coverage::{self, Available, Claim, CoverageRow, Model};
use crate::error::Failure;
use crate::output::{self, text_batch};
use crate::people::people;
use crate::python;

use super::newer::newer;
use super::search::search;
use super::solved::Solved;

/// Shows what exists.
pub fn list(_store: &str, arguments: &ListArgs) -> Result<u8, Failure> {
    let format = arguments.format;
    if arguments.newer {
        return newer(format);
    }
    let topic = match arguments.words.as_slice() {
        [word] => Topic::from_str(word, false).ok(),
        _ => None,
    };
    if topic.is_none() && !arguments.words.is_empty() {
        let known = offered(arguments)?;
        let topics: Vec<String> = Topic::value_variants().iter().filter_map(topic_name).collect();
        let batch = search(&arguments.words, &known, &coverage_of(&known)?, &topics)?;
        output::print(&batch.schema(), &[batch], format)?;
        return Ok(0);
    }
    if let Some(topic) = topic {
        if topic == Topic::Claims && format.format != Format::Table {
            // Programs get every column, numbers as such.
            let answer = benchbook_query::claims()?;
            output::print(&answer.schema, &answer.batches, format)?;
            return Ok(0);
        }
        let needs_worker = !matches!(topic, Topic::Queries | Topic::Functions | Topic::Claims);
        let known = if needs_worker { Some(offered(arguments)?) } else { None };
        let batch = batch(topic, known.as_ref())?;
        output::print(&batch.schema(), &[batch], format)?;
        return Ok(0);
    }
    if format.format != Format::Table {
        return Err(Failure::say("--format needs one topic, such as `benchbook list workloads --format json`"));
    }
    let known = offered(arguments)?;
    for (title, topic) in [
        ("Workloads", Topic::Workloads),
        ("Implementations", Topic::Implementations),
        ("Devices", Topic::Devices),
        ("Named queries", Topic::Queries),
    ] {
        writeln!(people(), "{title}")?;
        let batch = batch(topic, Some(&known))?;
        output::print(&batch.schema(), &[batch], format)?;
    }
    Ok(0)
}

/// What there is to measure.
fn offered(arguments: &ListArgs) -> Result<Description, Failure> {
    let (threads, interrupted) = (all_threads(), Arc::default());
    let beside = arguments.beside.found()?;
    let offered = offer(threads, &interrupted)?.beside(&beside.workers, threads, &interrupted)?;
    Ok(offered.known)
}

fn topic_name(topic: &Topic) -> Option<String> {
    Some(topic.to_possible_value()?.get_name().to_owned())
}

fn batch(topic: Topic, known: Option<&Description>) -> Result<RecordBatch, Failure> {
    match (topic, known) {
        (Topic::Queries, _) => queries(),
        (Topic::Functions, _) => functions(),
        (Topic::Claims, _) => claims(),
        (_, None) => Err(Failure::say("this list needs a worker")),
        (Topic::Workloads, Some(known)) => workloads(known),
        (Topic::Implementations, Some(known)) => implementations(known),
        (Topic::Variants, Some(known)) => variants(known),
        (Topic::Devices, Some(known)) => devices(known),
        (Topic::Coverage, Some(known)) => coverage_rows(known),
    }
}

/// A column of a list: what each item shows in it.
fn column<'a, T>(name: &'a str, items: &[T], show: impl Fn(&T) -> String) -> (&'a str, Vec<String>) {
    (name, items.iter().map(show).collect())
}

fn workloads(known: &Description) -> Result<RecordBatch, Failure> {
    let items = &known.workloads;
    text_batch(&[
        column("workload", items, |item| item.name.clone()),
        column("about", items, |item| item.about.clone()),
        column("parameters", items, |item| {
            item.params.iter().map(|spec| format!("{}={}", spec.name, spec.default)).collect::<Vec<_>>().join(" ")
        }),
        column("ranges", items, |item| {
            let told = item.params.iter().filter_map(|spec| Some((&spec.name, spec.within.as_ref()?)));
            told.map(|(name, within)| format!("{name}={}", range(within))).collect::<Vec<_>>().join(" ")
        }),
        column("presets", items, |item| item.presets.join(" ")),
    ])
}

/// What a parameter may be, in the notation of Rust.
fn range(within: &Within) -> String {
    match within {
        Within::Whole(least, most) => format!("{least}..={most}"),
        Within::Below(least, end) => format!("{least}..{end}"),
        Within::Words(words) => words.join("|"),
    }
}

fn implementations(known: &Description) -> Result<RecordBatch, Failure> {
    let items = &known.implementations;
    text_batch(&[
        column("workload", items, |item| item.workload.clone()),
        column("implementation", items, |item| item.name.clone()),
        column("devices", items, |item| item.devices.join(" ")),
        column("catalogue", items, |item| item.catalogue.join(" ")),
        column("measured", items, |item| if item.on_request { "on request" } else { "always" }.to_owned()),
        column("about", items, |item| item.about.clone()),
    ])
}

/// Every implementation on every device: workload, label, and why it cannot run here.
pub fn variants_of(known: &Description) -> Vec<(String, String, Option<String>)> {
    let mut rows = Vec::new();
    for implementation in &known.implementations {
        for device in known.devices.iter().filter(|device| implementation.devices.contains(&device.name)) {
            let variant = format!("{}/{}/f32/{}t", implementation.name, device.name, all_threads());
            rows.push((implementation.workload.clone(), variant, device.unavailable.clone()));
        }
    }
    rows
}

fn variants(known: &Description) -> Result<RecordBatch, Failure> {
    let rows = variants_of(known);
    text_batch(&[
        column("workload", &rows, |row| row.0.clone()),
        column("variant", &rows, |row| row.1.clone()),
        column("available", &rows, |row| row.2.clone().unwrap_or_else(|| "here".into())),
    ])
}

fn devices(known: &Description) -> Result<RecordBatch, Failure> {
    let items = &known.devices;
    text_batch(&[
        column("device", items, |item| item.name.clone()),
        column("engine", items, |item| format!("{} {}", item.engine, item.engine_version)),
        column("available", items, |item| item.unavailable.clone().unwrap_or_else(|| "here".into())),
    ])
}

fn queries() -> Result<RecordBatch, Failure> {
    let items = benchbook_query::named_queries()?;
    text_batch(&[
        column("query", &items, |item| item.name.clone()),
        column("title", &items, |item| item.title.clone()),
        column("parameters", &items, |item| item.params.iter().map(parameter).collect::<Vec<_>>().join(" ")),
    ])
}

/// `name=default`, or `name` alone where a value must be given.
fn parameter(param: &benchbook_query::QueryParam) -> String {
    param.default.as_ref().map_or_else(|| param.name.clone(), |default| format!("{}={default}", param.name))
}

fn functions() -> Result<RecordBatch, Failure> {
    let items = benchbook_query::functions();
    text_batch(&[
        column("function", &items, |item| item.signature.clone()),
        column("about", &items, |item| item.doc.clone()),
    ])
}

/// Published claims as people read them.
fn claims() -> Result<RecordBatch, Failure> {
    let answer = benchbook_query::claims()?;
    let items: Vec<Row<'_>> = rows(&answer).collect();
    let word = |row: &Row<'_>, name: &str| row.text(name).unwrap_or_default();
    let claimed = |row: &Row<'_>| {
        let claimed = row.text("claimed").unwrap_or_else(|| "no number".to_owned());
        format!("{} {claimed}", word(row, "quantity").replace('_', " "))
    };
    let found = |row: &Row<'_>| match (row.float("value"), row.float("low"), row.float("high")) {
        (Some(value), Some(low), Some(high)) => format!("{} ({} – {})", number(value), number(low), number(high)),
        (Some(value), ..) => format!("{}, {}", number(value), word(row, "provenance")),
        (None, ..) => String::new(),
    };
    text_batch(&[
        column("claim", &items, |row| word(row, "claim")),
        column("kind", &items, |row| word(row, "kind")),
        column("claimed", &items, claimed),
        column("found", &items, found),
        column("verdict", &items, |row| word(row, "verdict")),
        column("source", &items, |row| word(row, "source")),
    ])
}

/// Every command, those of commands too, every option with the command before it, and every category that can be run.
fn commands() -> Vec<String> {
    let root = Cli::command();
    let of_categories = CATEGORIES.map(|category| format!("run --category {}", category.name));
    root.get_subcommands().flat_map(|command| with_options(command, "")).chain(of_categories).collect()
}

/// A command behind what stands before its name, with its options and its own commands.
fn with_options(command: &Command, before: &str) -> Vec<String> {
    let name = format!("{before}{}", command.get_name());
    let options = command.get_arguments().filter_map(|option| option.get_long());
    let mut found: Vec<String> = options.map(|option| format!("{name} --{option}")).collect();
    let own = format!("{name} ");
    found.extend(command.get_subcommands().flat_map(|command| with_options(command, &own)));
    found.push(name);
    found
}

/// This machine's processors by their names, of graphics too, or why there are none of these.
fn chips() -> Vec<String> {
    let processor = environment::cpu_model().unwrap_or_else(|| "a processor without a name".to_owned());
    let gpus = environment::query_gpus();
    let found = gpus.found.into_iter().map(|gpu| format!("GPU {}", gpu.name));
    let why = gpus.reason.map(|reason| format!("none of graphics is known ({reason})"));
    std::iter::once(processor).chain(found).chain(why).collect()
}

/// Every row of the catalogue, with what this program has of it.
fn coverage_of(known: &Description) -> Result<Vec<CoverageRow>, Failure> {
    let columns = benchbook_record::Table::ALL.into_iter().flat_map(|table| {
        table.schema().fields().iter().map(|field| format!("{table}.{}", field.name())).collect::<Vec<_>>()
    });
    let claims = benchbook_query::claims()?;
    let claims = rows(&claims).map(|row| {
        let word = |name: &str| row.text(name).unwrap_or_default();
        let catalogue = word("catalogue").split_whitespace().map(str::to_owned).collect();
        Claim { name: word("claim"), catalogue, verdict: word("verdict"), reason: word("reason") }
    });
    let models = benchbook_matrix::crossed()?.into_iter().filter_map(|one| {
        let rows = one.techniques.iter().flat_map(|(technique, _)| technique.catalogue);
        let techniques = rows.map(|id| (*id).to_owned()).collect();
        Some(Model { id: one.catalogue?, not_here: one.not_here, techniques })
    });
    let Solved { posed, parameters, presets } = Solved::of(known)?;
    let available = Available {
        posed,
        parameters,
        presets,
        claims: claims.collect(),
        models: models.collect(),
        implementations: known.implementations.clone(),
        devices: known.devices.clone(),
        functions: benchbook_query::functions().into_iter().map(|function| function.name.to_owned()).collect(),
        queries: benchbook_query::named_queries()?.into_iter().map(|query| query.name).collect(),
        columns: columns.collect(),
        commands: commands(),
        measures: benchbook_measure::run::MEASURES.map(str::to_owned).into(),
        metrics: benchbook_query::stated_metrics().map(str::to_owned).collect(),
        charts: ["distribution", "speedup", "scaling", "history", "heat_map", "roofline"].map(str::to_owned).into(),
        calls: own::CALLS.map(str::to_owned).into(),
        python: python::carried(),
        chips: chips(),
    };
    coverage::coverage(&available).map_err(|error| Failure::while_doing("the catalogue", error))
}

fn coverage_rows(known: &Description) -> Result<RecordBatch, Failure> {
    let rows = coverage_of(known)?;
    text_batch(&[
        column("id", &rows, |row| row.id.clone()),
        column("section", &rows, |row| row.section.clone()),
        column("title", &rows, |row| row.title.clone()),
        column("status", &rows, |row| row.status.to_string()),
        column("because", &rows, |row| row.because.clone()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_commands_have_their_options_too() {
        let found = commands();
        for wanted in
            ["run", "run --quick", "run --category cpu", "list --newer", "notebook run --jobs", "store ls --since"]
        {
            assert_eq!(found.iter().filter(|one| *one == wanted).count(), 1, "{wanted} in {found:?}");
        }
    }
}
