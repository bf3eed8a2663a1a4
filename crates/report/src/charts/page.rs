//! Pages that need no network: plotly.js once, then each figure as a div, its JSON and a call; and a figure in the cell of
//! a notebook, live or exported.

use std::fmt::Write as _;
use std::sync::LazyLock;

use plotly::Plot;
use serde_json::Value;

use super::figure::Figure;
use super::text;

/// The scripts that plotly embeds come as HTML: the first element is plotly.js, the second MathJax, which no figure uses.
static PLOTLY_JS: LazyLock<String> = LazyLock::new(|| {
    let sources = Plot::offline_js_sources();
    let script = sources.split_once('>').and_then(|(_, rest)| rest.split_once("</script>"));
    script.map(|(script, _)| script.to_owned()).unwrap_or_default()
});

const DRAW: &str = include_str!("draw.js");
const STYLE: &str = include_str!("page.css");

/// The source of plotly.js (4.6 MB, MIT licence) as bundled with the `plotly` crate.
#[must_use]
pub fn plotly_js() -> &'static str {
    &PLOTLY_JS
}

/// The `<script>` elements that every page with figures needs exactly once, before the first [`Figure::html_div`].
#[must_use]
pub fn script_once() -> String {
    format!("<script>{}</script>\n<script>{DRAW}</script>\n", plotly_js())
}

/// A whole HTML page with these figures, ids `figure-1`, `figure-2` …, then `extra_html` (inserted as it is).
///
/// It loads nothing from anywhere, and its content security policy keeps it so. Light or dark as the reader prefers.
#[must_use]
pub fn document(title: &str, figures: &[Figure], extra_html: &str) -> String {
    document_after(title, "", figures, extra_html)
}

/// The same with `first_html` before the figures.
pub(crate) fn document_after(title: &str, first_html: &str, figures: &[Figure], extra_html: &str) -> String {
    let title = text::html(title);
    let mut body = String::new();
    for (i, figure) in figures.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(body, "<figure>\n{}</figure>", figure.html_div(&format!("figure-{}", i + 1)));
    }
    if figures.is_empty() {
        body.push_str("<p>There are no figures.</p>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n{}</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n<noscript>The figures are drawn by a script in this page: turn JavaScript on to see them.</noscript>\n\
         {first_html}{body}{extra_html}</main>\n</body>\n</html>\n",
        script_once(),
    )
}

const SCRIPT: &str = concat!(include_str!("draw.js"), include_str!("cell.js"));
/// Points of one line of a figure's text.
const MOST_POINTS: usize = 12;

impl Figure {
    /// A div that draws itself where plotly.js is: an exported page that embeds it, or a live notebook whose kernel
    /// was installed with it. Until then, and where no script may run, it holds [`Figure::text`].
    ///
    /// `id` must be unique in the page.
    #[must_use]
    pub fn html_cell(&self, id: &str) -> String {
        let text = format!("<pre>{}</pre>", text::html(&self.text()));
        self.piece(id, &text, &format!("{SCRIPT}benchbookCell(\"{}\");", Self::safe(id)))
    }

    /// The figure as text: its title, and each line's name with its points, or what each cell of a heat map tells.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.title());
        let none = Vec::new();
        for trace in self.value()["data"].as_array().unwrap_or(&none) {
            if trace["type"] == "heatmap" {
                let cells = trace["hovertext"].as_array().unwrap_or(&none).iter().filter_map(Value::as_array).flatten();
                for told in cells.filter_map(Value::as_str) {
                    // Writing to a String cannot fail.
                    let _ = writeln!(out, "  {}", told.split("<br>").collect::<Vec<_>>().join(", "));
                }
                continue;
            }
            let (Some(xs), Some(ys)) = (trace["x"].as_array(), trace["y"].as_array()) else { continue };
            if xs.is_empty() {
                continue;
            }
            let points: Vec<String> =
                xs.iter().zip(ys).take(MOST_POINTS).map(|(x, y)| format!("({}, {})", one(x), one(y))).collect();
            let more = xs.len().saturating_sub(MOST_POINTS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {}: {}{more}", trace["name"].as_str().unwrap_or("line"), points.join(" "));
        }
        out
    }
}

fn one(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(String::new, |number| text::significant(number, 4)),
        other => other.to_string(),
    }
}
