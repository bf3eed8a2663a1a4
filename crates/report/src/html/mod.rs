//! Answers as HTML.

use std::fmt::Write as _;

use benchbook_query::Answer;

use crate::comparison::ranks::{self, Rank};
use crate::text::Cells;

pub use crate::charts::escape_html as escaped;

/// The look of tables and messages; lines and shades are half transparent, so the page's own colours shine through.
pub const STYLE: &str = include_str!("table.css");

/// What sorts and filters every table of a page, also one that comes later; a page may hold it many times.
pub const SCRIPT: &str = include_str!("table.js");

/// A table with fewer rows is seen at a glance and has no filter.
const FILTER_FROM: usize = 8;

/// A table with lines of text under it; `class` says what it is (`benchbook-comparison`).
///
/// Every text is escaped; verdicts carry a symbol as well as a colour. Where [`SCRIPT`] runs, the header sorts and a
/// field filters.
pub fn table(cells: &Cells, class: &str, under: &[String]) -> String {
    ranked(cells, class, under, |_, _| None)
}

/// As [`table`], of the cells of a comparison: a symbol stands before the shortest and the longest time of each case, and
/// a line says so.
pub fn comparison(cells: &Cells, answer: &Answer, under: &[String]) -> String {
    let rank = ranks::cells(answer);
    let has_ranks = (0..cells.rows.len()).any(|row| cells.header.iter().any(|name| rank(row, name).is_some()));
    let legend = has_ranks.then(|| {
        let [(shortest, _), (longest, _)] = [Rank::Shortest, Rank::Longest].map(look);
        format!("{shortest} is the shortest time of each case, {longest} the longest.")
    });
    let under: Vec<String> = legend.into_iter().chain(under.iter().cloned()).collect();
    ranked(cells, "benchbook-comparison", &under, rank)
}

fn ranked(cells: &Cells, class: &str, under: &[String], rank: impl Fn(usize, &str) -> Option<Rank>) -> String {
    let filter =
        "<div class=\"benchbook-filter\"><label>Filter <input type=\"search\"></label> <output></output></div>";
    let filter = if cells.rows.len() < FILTER_FROM { "" } else { filter };
    let mut html = format!(
        "<div class=\"benchbook-table {class}\">{filter}\
         <div class=\"benchbook-wide\" tabindex=\"0\" role=\"region\" aria-label=\"table\"><table><thead><tr>"
    );
    let side = |numeric: bool| if numeric { " class=\"n\"" } else { "" };
    // Writing to a String cannot fail.
    for (name, numeric) in cells.header.iter().zip(&cells.numeric) {
        let (side, name) = (side(*numeric), escaped(name));
        let _ = write!(html, "<th{side} scope=\"col\" aria-sort=\"none\"><button type=\"button\">{name}</button></th>");
    }
    html += "</tr></thead><tbody>\n";
    for (number, row) in cells.rows.iter().enumerate() {
        html += "<tr>";
        for ((text, numeric), name) in row.iter().zip(&cells.numeric).zip(&cells.header) {
            let _ = write!(html, "<td{}>{}</td>", side(*numeric), cell(text, rank(number, name)));
        }
        html += "</tr>\n";
    }
    html += "</tbody></table></div>";
    for line in under {
        let _ = write!(html, "<p>{}</p>", escaped(line));
    }
    html + "</div>\n"
}

/// The symbol and the class of a rank.
fn look(rank: Rank) -> (&'static str, &'static str) {
    match rank {
        Rank::Shortest => ("↓", "shortest"),
        Rank::Longest => ("↑", "longest"),
    }
}

fn cell(text: &str, rank: Option<Rank>) -> String {
    if let Some((symbol, class)) = rank.map(look) {
        return format!("<span class=\"rank {class}\">{symbol} {}</span>", escaped(text));
    }
    // A verdict may have lines under it.
    let verdict = text.lines().next().unwrap_or_default();
    let symbol = match verdict {
        "faster" | "better" => "▲",
        "slower" | "worse" => "▼",
        "equivalent" | "equivalent in the processes seen" => "=",
        "undecided" => "?",
        _ => return escaped(text),
    };
    let class = verdict.split(' ').next().unwrap_or_default();
    format!("<span class=\"v {class}\">{symbol} {verdict}</span>{}", escaped(&text[verdict.len()..]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::*;
    use crate::comparison::{paired, sequential};

    fn cells(rows: &[[&str; 2]]) -> Cells {
        Cells {
            header: vec!["na<me".into(), "time".into()],
            numeric: vec![false, true],
            rows: rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect(),
        }
    }

    #[test]
    fn names_cannot_become_markup() {
        let html = table(&cells(&[["<script>alert(1)</script>", "\"1\" & '2'"]]), "", &["<b>".into()]);
        assert!(!html.contains("<script") && !html.contains("<b>") && html.contains("na&lt;me"), "{html}");
        assert!(html.contains("&quot;1&quot; &amp; &#39;2&#39;"), "{html}");
    }

    #[test]
    fn the_ends_of_a_case_have_a_symbol_and_a_line_says_which() {
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let number = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let columns = [("case_name", text("a")), ("baseline_ns", number(9e6)), ("candidate_ns", number(3e6))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let answer = Answer::from(batch);
        let html = comparison(&paired(&answer), &answer, &["said".into()]);
        for part in [
            "<td class=\"n\"><span class=\"rank longest\">↑ 9.000 ms</span></td>",
            "<td class=\"n\"><span class=\"rank shortest\">↓ 3.000 ms</span></td>",
            "<p>↓ is the shortest time of each case, ↑ the longest.</p><p>said</p>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let two_runs = comparison(&sequential(&answer), &answer, &[]);
        assert!(two_runs.contains("9.000 ms") && !two_runs.contains("rank") && !two_runs.contains('↓'), "{two_runs}");
    }

    #[test]
    fn a_long_table_filters_and_every_table_sorts() {
        let sorts = "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\">na&lt;me</button></th>";
        for (rows, filters) in [(FILTER_FROM - 1, false), (FILTER_FROM, true)] {
            let html = table(&cells(&vec![["a", "1"]; rows]), "", &[]);
            assert!(html.contains(sorts) && html.contains("<input") == filters, "{html}");
        }
    }

    #[test]
    fn numbers_stand_right_and_verdicts_have_a_symbol() {
        let html = table(&cells(&[["faster", "1.5 ms"]]), "benchbook-comparison", &[]);
        assert!(
            html.contains("<th class=\"n\" scope=\"col\"") && html.contains("<td class=\"n\">1.5 ms</td>"),
            "{html}"
        );
        assert!(html.contains("<span class=\"v faster\">▲ faster</span>"), "{html}");
        let html = table(&cells(&[["worse", "2 GiB"], ["less", "1"]]), "benchbook-comparison", &[]);
        assert!(html.contains("<span class=\"v worse\">▼ worse</span>") && html.contains("<td>less</td>"), "{html}");
        let html = table(&cells(&[["equivalent in the processes seen", "1"]]), "benchbook-comparison", &[]);
        let seen = "<span class=\"v equivalent\">= equivalent in the processes seen</span>";
        assert!(html.contains(seen), "{html}");
        let html = table(&cells(&[["faster\n2× of <a>", "1"]]), "", &[]);
        assert!(html.contains("<td><span class=\"v faster\">▲ faster</span>\n2× of &lt;a&gt;</td>"), "{html}");
    }
}
