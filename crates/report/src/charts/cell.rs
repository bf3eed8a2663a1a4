//! A figure in the cell of a notebook, live or exported.

use std::fmt::Write as _;

use serde_json::Value;

use super::figure::Figure;
use super::text;

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

    /// The figure as text: its title, and each line's name with its points.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.title());
        let none = Vec::new();
        for trace in self.value()["data"].as_array().unwrap_or(&none) {
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
