//! `benchbook report`: what was run, on what, tables, charts, checks, what was left out; as HTML, Markdown or JSON.

mod content;

use std::io::Write as _;
use std::path::Path;

use benchbook_query::Session;
use benchbook_record::Store;
use benchbook_report::charts::{Browser, Figure, document, script_once};
use benchbook_report::gate::{plain, write_whole};
use benchbook_report::{SCRIPT, STYLE, comparison_html, figures, html_table};
use minijinja::{AutoEscape, Environment, context, escape_formatter};

use self::content::{COMPARISON, Content, Section};
use crate::args::ReportArgs;
use crate::error::{Failure, say};
use crate::output::tell_left_out;
use crate::people::people;

/// Writes the report of a run.
pub fn report(location: &str, arguments: &ReportArgs) -> Result<u8, Failure> {
    let output = arguments.output.as_path();
    let kind = Kind::of(output)?;
    let store = Store::open(location)?;
    let session = Session::open(&store)?;
    let content = Content::gather(&store, &session, &arguments.run, arguments.baseline.as_deref())?;
    let drawn = if matches!(kind, Kind::Html) || arguments.figures.is_some() {
        figures(&session, &content.run.run_id, &content.compared)?
    } else {
        Vec::new()
    };
    let text = match kind {
        Kind::Json => serde_json::to_string_pretty(&content)?,
        Kind::Markdown => render(MARKDOWN, AutoEscape::Custom("markdown"), &content, &[])?,
        Kind::Html => render(HTML, AutoEscape::Html, &content, &drawn)?,
    };
    replace(output, text.as_bytes())?;
    if let Some(folder) = &arguments.figures {
        export(folder, &drawn)?;
    }
    writeln!(people(), "{}\nreport of run {} in {}", content.headline, content.run.run_id, output.display())?;
    Ok(tell_left_out(&content.compared.left_out, arguments.strict, 0))
}

/// Writes each figure by itself; pictures need a browser, and their absence is said, not an error.
fn export(folder: &Path, figures: &[Figure]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::while_doing(&folder.display().to_string(), error))?;
    let browser = Browser::find();
    for (index, figure) in figures.iter().enumerate() {
        let path = |kind: &str| folder.join(format!("figure-{}.{kind}", index + 1));
        replace(&path("json"), figure.json().as_bytes())?;
        replace(&path("html"), document(figure.title(), std::slice::from_ref(figure), "").as_bytes())?;
        if let Ok(browser) = &browser {
            replace(&path("svg"), figure.svg(browser)?.as_bytes())?;
            replace(&path("png"), &figure.png(browser)?)?;
        }
    }
    if let Err(error) = browser {
        say(format_args!("no SVG and PNG: {error}"));
    }
    Ok(())
}

enum Kind {
    Html,
    Markdown,
    Json,
}

impl Kind {
    fn of(output: &Path) -> Result<Self, Failure> {
        match output.extension().and_then(|extension| extension.to_str()) {
            Some("html") => Ok(Self::Html),
            Some("md") => Ok(Self::Markdown),
            Some("json") => Ok(Self::Json),
            _ => Err(Failure::say(format!("{}: a report is .html, .md or .json", output.display()))),
        }
    }
}

const HTML: (&str, &str) = ("report.html", include_str!("report.html"));
const MARKDOWN: (&str, &str) = ("report.md", include_str!("report.md"));

fn render(
    (name, template): (&'static str, &'static str),
    escape: AutoEscape,
    content: &Content,
    figures: &[Figure],
) -> Result<String, Failure> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(move |_| escape);
    // Whatever a template shows is text, in Markdown as in HTML.
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Custom(_) => out.write_str(&plain(&value.to_string())).map_err(minijinja::Error::from),
        _ => escape_formatter(out, state, value),
    });
    let wrong = |error: minijinja::Error| Failure::while_doing("the report's template", error);
    environment.add_template(name, template).map_err(wrong)?;
    let divs: Vec<String> =
        figures.iter().enumerate().map(|(index, figure)| figure.html_div(&format!("figure-{}", index + 1))).collect();
    let table = |section: &Section| match section.title {
        COMPARISON => comparison_html(&section.cells, &content.compared, &[]),
        _ => html_table(&section.cells, "", &[]),
    };
    let tables: Vec<String> = content.sections.iter().map(table).collect();
    let script = if figures.is_empty() { String::new() } else { script_once() };
    environment
        .get_template(name)
        .and_then(|template| {
            template.render(context! { content, divs, tables, script, style => STYLE, table_script => SCRIPT })
        })
        .map_err(wrong)
}

/// Writes a file whole or not at all, so that a full disk leaves the old report.
fn replace(output: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_whole(output, bytes).map_err(|error| Failure::while_doing(&output.display().to_string(), error))
}
