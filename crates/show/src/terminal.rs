//! Aligned tables for terminals and logs.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use benchbook_core::on_one_line;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table};

use crate::Result;
use crate::cells::{Cells, texts};

/// Rows shown of a long answer; the table says how many there are.
const MOST_ROWS: usize = 1_000;

/// An aligned table with its number of rows; numbers to the right.
///
/// # Errors
/// A column of a type that has no text.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String> {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_header(schema.fields().iter().map(|field| Cell::new(on_one_line(field.name()))));
    for (index, field) in schema.fields().iter().enumerate() {
        if field.data_type().is_numeric()
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut shown = 0;
    for batch in batches {
        let take = batch.num_rows().min(MOST_ROWS - shown);
        let columns = batch.columns().iter().map(|column| texts(column, take)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..take {
            table.add_row(columns.iter().map(|column| Cell::new(&column[row])));
        }
        shown += take;
    }
    let count = match (shown == rows, rows) {
        (true, 1) => String::from("1 row"),
        (true, _) => format!("{rows} rows"),
        (false, _) => format!("{shown} of {rows} rows; add a limit, or take --format csv for all"),
    };
    Ok(format!("{table}\n{count}"))
}

/// Cells as an aligned table with coloured verdicts; `fit` breaks long cells to the width of the terminal.
pub fn fitted(cells: &Cells, fit: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    if fit {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(cells.header.iter().map(|name| on_one_line(name)));
    for (index, numeric) in cells.numeric.iter().enumerate() {
        if *numeric && let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in &cells.rows {
        table.add_row(row.iter().map(|text| match text.as_str() {
            "faster" => Cell::new("▲ faster").fg(Color::Green),
            "slower" => Cell::new("▼ slower").fg(Color::Red),
            said @ ("equivalent" | "equivalent in the processes seen") => {
                Cell::new(format!("= {said}")).fg(Color::Blue)
            }
            "undecided" => Cell::new("? undecided").fg(Color::DarkGrey),
            _ => Cell::new(on_one_line(text)),
        }));
    }
    table
}
