//! Aligned tables for terminals and logs.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use benchbook_core::{counted, on_one_line};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, Color, Table};

use super::cells::Cells;
use super::fit::{Fit, Spare, folded, wrapped};
use crate::Result;
use crate::comparison::Comparison;
use crate::comparison::ranks::{self, Rank};
use crate::comparison::verdicts::lost;

/// Rows shown of a long answer; the table says how many there are.
const MOST_ROWS: usize = 1_000;

/// How the program shows the columns that had no room.
pub const WIDE: &str = "--wide shows all";

/// Columns of a comparison that go where there is no room for all.
const SPARE: Spare = Spare {
    first: &["scope", "CPUs in use", "blocks", "values", "MDE", "why"],
    last: &["baseline time", "time", "baseline value", "value"],
};

/// The same where a comparison is lost: its reason stays.
const SPARE_WITH_LOST: Spare = Spare { first: &["scope", "CPUs in use", "blocks", "values", "MDE"], ..SPARE };

/// An answer as a table with its number of rows, as it is but for its columns; within `width` characters, whole
/// without one.
///
/// # Errors
/// A column of a type that has no text.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch], width: Option<usize>) -> Result<String> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let cells = Cells::exact(schema, batches, MOST_ROWS)?;
    let shown = cells.rows.len();
    let count = if shown == rows {
        counted(rows, "row")
    } else {
        format!("{shown} of {rows} rows; add a limit, or take --format csv for all")
    };
    Ok(format!("{}\n{count}", drawn(cells, width.map(|width| (width, WIDE)), Spare::default(), |_, _| None)))
}

/// Cells as a table with coloured verdicts, whole.
pub fn fitted(cells: &Cells) -> String {
    drawn(marked(cells), None, Spare::default(), |_, _| None)
}

/// A comparison as a table within a number of characters, whole without one; beside the number stands where the columns
/// are that had no room. On a terminal the shortest time of each case is cyan and the longest magenta, and a line says so.
pub fn comparison(comparison: &Comparison, within: Option<(usize, &str)>) -> String {
    ranked(comparison, within, Table::new().should_style())
}

fn ranked(comparison: &Comparison, within: Option<(usize, &str)>, in_color: bool) -> String {
    let rank = ranks::cells(&comparison.answer);
    // Only cells that are shown are asked for their colour.
    let is_shown = std::cell::Cell::new(false);
    let color = |row: usize, column: &str| {
        let rank = rank(row, column)?;
        is_shown.set(true);
        Some(match rank {
            Rank::Shortest => Color::Cyan,
            Rank::Longest => Color::Magenta,
        })
    };
    let spare = if lost(&comparison.answer) { SPARE_WITH_LOST } else { SPARE };
    let table = drawn(marked(&comparison.cells), within, spare, color);
    match in_color && is_shown.get() {
        true => format!("{table}\nThe shortest time of each case is cyan, the longest magenta."),
        false => table,
    }
}

/// The cells with a symbol before each verdict.
fn marked(cells: &Cells) -> Cells {
    let mark = |text: &String| match text.as_str() {
        up @ ("faster" | "better") => format!("▲ {up}"),
        down @ ("slower" | "worse") => format!("▼ {down}"),
        said @ ("equivalent" | "equivalent in the processes seen") => format!("= {said}"),
        "undecided" => "? undecided".to_owned(),
        _ => text.clone(),
    };
    Cells { rows: cells.rows.iter().map(|row| row.iter().map(mark).collect()).collect(), ..cells.clone() }
}

fn verdict_color(text: &str) -> Option<Color> {
    match text {
        "▲ faster" | "▲ better" => Some(Color::Green),
        "▼ slower" | "▼ worse" => Some(Color::Red),
        "= equivalent" | "= equivalent in the processes seen" => Some(Color::Blue),
        "? undecided" => Some(Color::DarkGrey),
        _ => None,
    }
}

/// The table, before it what all rows share, after it what was left out and where it is; `color` knows rows by number
/// and columns by name.
fn drawn(
    cells: Cells,
    within: Option<(usize, &str)>,
    spare: Spare,
    color: impl Fn(usize, &str) -> Option<Color>,
) -> String {
    let (width, all) = within.unzip();
    let clean = |texts: Vec<String>| texts.iter().map(|text| on_one_line(text)).collect::<Vec<_>>();
    let (header, rows) = (clean(cells.header), cells.rows.into_iter().map(clean).collect());
    let cells = Cells { header, rows, numeric: cells.numeric };
    let Fit { cells, widths, shared, left_out } = Fit::of(cells, width, spare);
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_header(cells.header.iter().zip(&widths).map(|(name, width)| Cell::new(folded(name, *width, false))));
    for (index, numeric) in cells.numeric.iter().enumerate() {
        if *numeric && let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for (number, row) in cells.rows.iter().enumerate() {
        let cell = |(index, text): (usize, &String)| {
            let cell = Cell::new(folded(text, widths[index], cells.numeric[index]));
            match color(number, &cells.header[index]).or_else(|| verdict_color(text)) {
                Some(color) => cell.fg(color),
                None => cell,
            }
        };
        table.add_row(row.iter().enumerate().map(cell));
    }
    let prose = |text: String| match width {
        Some(width) => wrapped(&text, width),
        None => text,
    };
    let mut parts = Vec::new();
    if !shared.is_empty() {
        parts.push(prose(format!("In every row: {}.", shared.join(", "))));
    }
    parts.push(table.to_string());
    if !left_out.is_empty() {
        let (count, names) = (counted(left_out.len(), "column"), left_out.join(", "));
        parts.push(prose(format!("{count} left out, {}: {names}", all.unwrap_or_default())));
    }
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};
    use benchbook_query::Answer;

    use super::*;
    use crate::comparison::paired;

    fn cells() -> Cells {
        let header =
            ["case", "baseline", "candidate", "baseline time", "time", "speedup", "verdict", "blocks", "scope"];
        let row = |case: &str, candidate: &str| {
            let times = ["12.34 ms", "1.234 ms", "10.00×"];
            let rest = ["equivalent in the processes seen", "100 in 5 replicates", "across replicates"];
            let names = [case, "naive/libtorch/f32/2t", candidate];
            [&names[..], &times, &rest].concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
        };
        Cells {
            header: header.map(str::to_owned).to_vec(),
            numeric: header.map(|name| matches!(name, "baseline time" | "time" | "speedup")).to_vec(),
            rows: vec![row("attention s256 causal", "burn-attention/libtorch/f32/2t"), row("attention s64", "flash")],
        }
    }

    #[test]
    fn a_comparison_keeps_to_its_width_and_breaks_no_word() {
        for width in [80, 100, 120, 200] {
            let text = drawn(marked(&cells()), Some((width, WIDE)), SPARE, |_, _| None);
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width, "{widest} of {width}:\n{text}");
            assert!(text.starts_with("In every row: baseline naive/libtorch/f32/2t"), "{text}");
            for word in ["attention", "causal", "burn-attention/", "12.34 ms", "1.234 ms", "equivalent", "processes"] {
                assert!(text.contains(word), "{word} at {width}:\n{text}");
            }
        }
        let narrow = drawn(marked(&cells()), Some((70, WIDE)), SPARE, |_, _| None);
        assert!(narrow.contains("1 column left out, --wide shows") && narrow.contains("baseline time"), "{narrow}");
        let whole = drawn(marked(&cells()), None, SPARE, |_, _| None);
        assert!(whole.contains("naive/libtorch/f32/2t") && !whole.contains("left out"), "{whole}");
    }

    #[test]
    fn what_is_lost_says_why_in_a_narrow_terminal_too() {
        let text = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let columns = [
            ("workload", text(["attention"; 2])),
            ("case_name", text(["b1 h8 s2048 d64 causal"; 2])),
            ("baseline", text(["naive/libtorch/f32/2t"; 2])),
            ("candidate", text(["burn-attention/libtorch/f32/2t", "fused/flex/f32/2t"])),
            ("speedup", Arc::new(Float64Array::from(vec![Some(1.5), None])) as ArrayRef),
            ("said", text(["faster", "undecided"])),
            ("reason", text(["direction-excludes-one", "candidate-failed"])),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)));
        let batch = batch.unwrap();
        let answer = Answer::from(batch);
        let cells = paired(&answer).into();
        let text =
            comparison(&Comparison { note: String::new(), warnings: Vec::new(), answer, cells }, Some((80, WIDE)));
        assert!(text.contains("failed") && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn colours_are_explained_where_a_time_is_shown() {
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let number = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let columns = [
            ("case_name", text("s512")),
            ("baseline", text("naive/libtorch/f32/2t")),
            ("candidate", text("burn-attention/libtorch/f32/2t")),
            ("baseline_ns", number(9e6)),
            ("candidate_ns", number(3e6)),
            ("speedup", number(3.0)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let answer = Answer::from(batch);
        let (note, warnings, cells) = (String::new(), Vec::new(), paired(&answer).into());
        let comparison = Comparison { note, warnings, answer, cells };
        let explained = |width: usize, in_color: bool| {
            let text = ranked(&comparison, Some((width, WIDE)), in_color);
            (text.contains("3.000 ms"), text.contains("cyan"))
        };
        assert_eq!(explained(200, true), (true, true));
        assert_eq!(explained(200, false), (true, false));
        assert_eq!(explained(40, true), (false, false));
    }

    #[test]
    fn no_name_gives_a_terminal_orders() {
        let hostile = "\u{1b}[31m\nred".to_owned();
        let cells = Cells { header: vec![hostile.clone()], numeric: vec![false], rows: vec![vec![hostile]] };
        for within in [None, Some((80, WIDE))] {
            let text = drawn(cells.clone(), within, SPARE, |_, _| None);
            assert!(!text.contains('\u{1b}') && text.lines().all(|line| !line.starts_with("red")), "{text:?}");
        }
    }
}
