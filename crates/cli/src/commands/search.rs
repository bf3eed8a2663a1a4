//! `benchbook list WORD`: what is called like that, and what of the catalogue works.

use arrow::array::RecordBatch;
use benchbook_core::message::Description;
use benchbook_core::unknown;

use crate::batch::text_batch;
use crate::coverage::report::CoverageRow;
use crate::error::Failure;

/// One thing that a name or title was found in: kind, name, title, status.
type Found = [String; 4];

/// Everything whose name or title has all of these words, the rows of the catalogue among it.
pub fn search(
    words: &[String],
    known: &Description,
    catalogue: &[CoverageRow],
    topics: &[String],
) -> Result<RecordBatch, Failure> {
    let mut found = everything(known, catalogue)?;
    found.retain(|[kind, name, title, _]| {
        let text = format!("{kind} {name} {title}").to_lowercase();
        words.iter().all(|word| text.contains(&word.to_lowercase()))
    });
    if found.is_empty() {
        let word = words.join(" ");
        return Err(unknown("topic, name or title", &word, topics.iter().map(String::as_str)).into());
    }
    let column = |index: usize| found.iter().map(|row| row[index].clone()).collect::<Vec<_>>();
    text_batch(&[("kind", column(0)), ("name", column(1)), ("title", column(2)), ("status", column(3))])
}

fn everything(known: &Description, catalogue: &[CoverageRow]) -> Result<Vec<Found>, Failure> {
    let works = || "works".to_owned();
    let kind = |kind: &str| kind.to_owned();
    let on = |devices: &[String]| {
        let these = known.devices.iter().filter(|device| devices.contains(&device.name));
        let reasons: Vec<Option<&str>> = these.map(|device| device.unavailable.as_deref()).collect();
        match reasons.iter().flatten().next() {
            Some(reason) if reasons.iter().all(Option::is_some) => format!("unavailable: {reason}"),
            _ => works(),
        }
    };
    let workloads = known.workloads.iter().map(|one| [kind("workload"), one.name.clone(), one.about.clone(), works()]);
    let implementations = known.implementations.iter().map(|one| {
        let name = format!("{} of {}", one.name, one.workload);
        [kind("implementation"), name, one.about.clone(), on(&one.devices)]
    });
    let queries = benchbook_query::named_queries()?;
    let queries = queries.into_iter().map(|one| [kind("query"), one.name, one.title, works()]);
    let functions = benchbook_query::functions();
    let functions = functions.into_iter().map(|one| [kind("function"), one.signature, one.doc, works()]);
    let rows = catalogue.iter().map(|row| {
        let status = format!("{}: {}", row.status, row.because);
        [format!("catalogue, {}", row.section), row.id.clone(), row.title.clone(), status]
    });
    Ok(workloads.chain(implementations).chain(queries).chain(functions).chain(rows).collect())
}
