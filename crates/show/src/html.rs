//! Cells as an HTML table that reads on light and on dark.

use std::fmt::Write as _;

pub use benchbook_charts::escape_html as escaped;

use crate::cells::Cells;

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
    for row in &cells.rows {
        html += "<tr>";
        for (text, numeric) in row.iter().zip(&cells.numeric) {
            let _ = write!(html, "<td{}>{}</td>", side(*numeric), cell(text));
        }
        html += "</tr>\n";
    }
    html += "</tbody></table></div>";
    for line in under {
        let _ = write!(html, "<p>{}</p>", escaped(line));
    }
    html + "</div>\n"
}

fn cell(text: &str) -> String {
    let symbol = match text {
        "faster" => "▲",
        "slower" => "▼",
        "equivalent" | "equivalent in the processes seen" => "=",
        "undecided" => "?",
        _ => return escaped(text),
    };
    let class = text.split(' ').next().unwrap_or_default();
    format!("<span class=\"v {class}\">{symbol} {text}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let html = table(&cells(&[["equivalent in the processes seen", "1"]]), "benchbook-comparison", &[]);
        let seen = "<span class=\"v equivalent\">= equivalent in the processes seen</span>";
        assert!(html.contains(seen), "{html}");
    }
}
