//! `benchbook list WORD`: what is called like that, and what of the catalogue works.

use arrow::array::RecordBatch;
use benchbook_core::message::Description;
use benchbook_core::unknown;
use benchbook_report::rows;

use super::list::variants_of;
use crate::coverage::CoverageRow;
use crate::error::Failure;
use crate::output::text_batch;

/// One thing that a name or title was found in: topic, kind, name, title, status.
type Found = [String; 5];

/// Everything whose topic, name or title has all of these words, the rows of the catalogue among it.
pub fn search(
    words: &[String],
    known: &Description,
    catalogue: &[CoverageRow],
    topics: &[String],
) -> Result<RecordBatch, Failure> {
    let mut found = everything(known, catalogue)?;
    found.retain(|[topic, kind, name, title, _]| {
        let text = format!("{topic} {kind} {name} {title}").to_lowercase();
        words.iter().all(|word| text.contains(&word.to_lowercase()))
    });
    if found.is_empty() {
        let word = words.join(" ");
        return Err(unknown("topic, name or title", &word, topics.iter().map(String::as_str)).into());
    }
    let column = |index: usize| found.iter().map(|row| row[index].clone()).collect::<Vec<_>>();
    text_batch(&[("kind", column(1)), ("name", column(2)), ("title", column(3)), ("status", column(4))])
}

fn everything(known: &Description, catalogue: &[CoverageRow]) -> Result<Vec<Found>, Failure> {
    let one = |topic: &str, kind: &str, name: &str, title: &str, status: String| {
        [topic.to_owned(), kind.to_owned(), name.to_owned(), title.to_owned(), status]
    };
    let works = || "works".to_owned();
    let here = |reason: Option<&str>| reason.map_or_else(works, |reason| format!("unavailable: {reason}"));
    let on = |devices: &[String]| {
        let these = known.devices.iter().filter(|device| devices.contains(&device.name));
        let reasons: Vec<Option<&str>> = these.map(|device| device.unavailable.as_deref()).collect();
        here(reasons.iter().flatten().next().copied().filter(|_| reasons.iter().all(Option::is_some)))
    };
    let mut all = Vec::new();
    all.extend(known.workloads.iter().map(|item| one("workloads", "workload", &item.name, &item.about, works())));
    all.extend(known.implementations.iter().map(|item| {
        let name = format!("{} of {}", item.name, item.workload);
        one("implementations", "implementation", &name, &item.about, on(&item.devices))
    }));
    all.extend(variants_of(known).iter().map(|(workload, variant, unavailable)| {
        one("variants", "variant", variant, &format!("of {workload}"), here(unavailable.as_deref()))
    }));
    all.extend(known.devices.iter().map(|item| {
        let engine = format!("{} {}", item.engine, item.engine_version);
        one("devices", "device", &item.name, &engine, here(item.unavailable.as_deref()))
    }));
    let queries = benchbook_query::named_queries()?;
    all.extend(queries.iter().map(|item| one("queries", "query", &item.name, &item.title, works())));
    let functions = benchbook_query::functions();
    all.extend(functions.iter().map(|item| one("functions", "function", &item.signature, &item.doc, works())));
    all.extend(rows(&benchbook_query::claims()?).map(|row| {
        let [claim, statement, verdict] =
            ["claim", "statement", "verdict"].map(|name| row.text(name).unwrap_or_default());
        one("claims", "claim", &claim, &statement, verdict)
    }));
    all.extend(catalogue.iter().map(|row| {
        let (kind, status) = (format!("catalogue, {}", row.section), format!("{}: {}", row.status, row.because));
        one("coverage", &kind, &row.id, &row.title, status)
    }));
    Ok(all)
}
