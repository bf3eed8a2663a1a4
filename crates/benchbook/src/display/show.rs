//! What each kind of result looks like.

use benchbook_core::{counted, on_one_line};
use benchbook_query::Answer;
use benchbook_report::charts::Figure;
use benchbook_report::{Cells, Comparison, comparison_html, comparison_table, counts, fitted, html_table};
use uuid::Uuid;

use super::{Bundle, Stack};

/// Rows of an answer that a cell shows.
const MOST_ROWS: usize = 100;

/// Characters in a line of a comparison's plain text, which a notebook shows where it cannot show HTML.
const MOST_COLUMNS: usize = 120;

/// Where a notebook has the columns that had no room there.
const ALL_COLUMNS: &str = "`.cells` has all";

/// Something that a cell can show as its last expression.
pub trait Show {
    /// The result in every form.
    fn bundle(&self) -> Bundle;

    /// What evcxr calls on the last expression of a cell.
    fn evcxr_display(&self) {
        self.bundle().emit();
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn bundle(&self) -> Bundle {
        (**self).bundle()
    }
}

impl<T: Show> Show for Vec<T> {
    fn bundle(&self) -> Bundle {
        if self.is_empty() {
            return Bundle::of_text("nothing to show");
        }
        Stack::of(self.iter().map(Show::bundle).collect()).bundle()
    }
}

impl Show for Answer {
    fn bundle(&self) -> Bundle {
        let cells = match Cells::of(&self.schema, &self.batches, MOST_ROWS) {
            Ok(cells) => cells,
            Err(error) => return Bundle::of_text(format!("this answer cannot be shown: {error}")),
        };
        let (shown, all) = (cells.rows.len(), self.rows());
        let mut under = vec![if shown == all {
            counted(all, "row")
        } else {
            format!("{shown} of {all} rows; narrow the question, or take `.batches` for all")
        }];
        under.extend(self.left_out.lines().iter().map(|line| on_one_line(line)));
        Bundle {
            html: html_table(&cells, "", &under),
            text: format!("{}\n{}", fitted(&cells), under.join("\n")),
            ..Bundle::default()
        }
    }
}

impl Show for Comparison {
    fn bundle(&self) -> Bundle {
        let mut under = vec![counts(&self.answer), self.note.clone()];
        under.extend(self.warnings.iter().map(|warning| format!("Warning: {warning}.")));
        under.extend(self.answer.left_out.lines().iter().map(|line| on_one_line(line)));
        Bundle {
            html: comparison_html(&self.cells, &self.answer, &under),
            text: format!("{}\n{}", comparison_table(self, Some((MOST_COLUMNS, ALL_COLUMNS))), under.join("\n")),
            ..Bundle::default()
        }
    }
}

impl Show for Figure {
    fn bundle(&self) -> Bundle {
        // Unique in a page that may hold the cells of several sessions.
        let id = format!("figure-{}", Uuid::now_v7().simple());
        Bundle {
            html: self.html_cell(&id),
            text: self.text(),
            plotly: Some(self.json_of_fixed_size()),
            ..Bundle::default()
        }
    }
}

impl Show for Stack {
    fn bundle(&self) -> Bundle {
        self.joined()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use benchbook_report::paired;

    use super::*;

    #[test]
    fn a_comparison_as_text_names_no_option_of_the_program() {
        let columns = [
            ("workload", "attention"),
            ("case_name", "b1 h8 s2048 d64 causal"),
            ("baseline", "naive/libtorch/f32/2t"),
            ("candidate", "burn-attention/libtorch/f32/2t"),
            ("reason", "direction-excludes-one"),
        ];
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let batch = RecordBatch::try_from_iter(columns.map(|(name, value)| (name, text(value)))).unwrap();
        let answer = Answer { schema: batch.schema(), batches: vec![batch], left_out: Default::default() };
        let (note, warnings, cells) = (String::new(), Vec::new(), paired(&answer));
        let text = Comparison { note, warnings, answer, cells }.bundle().text;
        assert!(text.contains("left out, `.cells` has all: ") && !text.contains("--wide"), "{text}");
    }
}
