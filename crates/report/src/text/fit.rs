//! Which columns of a table are shown, and how wide, so that it keeps to the width of a terminal.

use super::cells::Cells;
use crate::charts::in_lines;

/// Where a cell may be broken: between words, and within the name of a variant.
const BREAKS: [char; 2] = [' ', '/'];
/// Where an interval may be broken; other numbers never are.
const BREAKS_OF_NUMBERS: [char; 1] = ['–'];
/// A column of text that is this wide reads well, however much longer its cells are.
const COMFORTABLE: usize = 16;
/// What stays a column even where all rows agree.
const NEVER_SHARED: &str = "verdict";

/// Names of columns that a table can do without, the least important first.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spare {
    /// They go once the others would have to be squeezed.
    pub first: &'static [&'static str],
    /// They go where there is no room at all.
    pub last: &'static [&'static str],
}

/// Cells that keep to a width, and what was taken out of them for it.
#[derive(Debug)]
pub(crate) struct Fit {
    /// The columns that are shown.
    pub cells: Cells,
    /// Their widths, without the space around them.
    pub widths: Vec<usize>,
    /// What all rows share: name and value.
    pub shared: Vec<String>,
    /// Names of the columns that had no room.
    pub left_out: Vec<String>,
}

impl Fit {
    /// The cells within `width` characters, whole without one.
    ///
    /// Where columns can be spared, what all rows share is told once in any case, otherwise only for want of room.
    pub fn of(cells: Cells, width: Option<usize>, spare: Spare) -> Self {
        let mut fit = Self { widths: natural(&cells), cells, shared: Vec::new(), left_out: Vec::new() };
        let Some(width) = width else { return fit };
        if !spare.first.is_empty() || total(&fit.widths) > width {
            fit.share();
        }
        fit.spare(spare.first, |cells| total(&comfortable(cells)) <= width);
        let fits = |cells: &Cells| total(&narrowest(cells)) <= width;
        fit.spare(spare.last, fits);
        while fit.cells.header.len() > 1 && !fits(&fit.cells) {
            fit.left_out.push(fit.cells.remove(fit.cells.header.len() - 1));
        }
        fit.widths = widths(&fit.cells, width);
        fit
    }

    /// Takes columns away in this order until the others fit.
    fn spare(&mut self, names: &[&str], fits: impl Fn(&Cells) -> bool) {
        for name in names {
            if fits(&self.cells) {
                return;
            }
            if let Some(index) = self.cells.header.iter().position(|header| header == name) {
                self.left_out.push(self.cells.remove(index));
            }
        }
    }

    /// Tells once what is the same in every row.
    fn share(&mut self) {
        let Some((first, others)) = self.cells.rows.split_first().filter(|(_, others)| !others.is_empty()) else {
            return;
        };
        let same = |index: usize| others.iter().all(|row| row[index] == first[index]);
        let told = |index: usize| !self.cells.numeric[index] && self.cells.header[index] != NEVER_SHARED;
        let values: Vec<(usize, String)> = (0..first.len())
            .filter(|index| told(*index) && same(*index))
            .map(|index| (index, first[index].clone()))
            .collect();
        if values.len() == self.cells.header.len() {
            return;
        }
        for (index, value) in values.into_iter().rev() {
            let name = self.cells.remove(index);
            let value = if value.is_empty() { "(empty)" } else { &value };
            self.shared.insert(0, format!("{name} {value}"));
        }
    }
}

/// The text in lines of at most `width` characters; a longer word stands whole.
pub fn wrapped(text: &str, width: usize) -> String {
    broken(text, width, &[' '])
}

/// A cell in lines of at most `width` characters; what cannot be broken stands whole.
pub(crate) fn folded(text: &str, width: usize, numeric: bool) -> String {
    broken(text, width, breaks(numeric))
}

fn breaks(numeric: bool) -> &'static [char] {
    if numeric { &BREAKS_OF_NUMBERS } else { &BREAKS }
}

fn broken(text: &str, width: usize, at: &[char]) -> String {
    text.split('\n').flat_map(|paragraph| in_lines(pieces(paragraph, at), width)).collect::<Vec<_>>().join("\n")
}

/// The pieces between which a line may be broken; a single character goes with what follows it.
fn pieces<'a>(text: &'a str, at: &[char]) -> Vec<&'a str> {
    let (mut pieces, mut start, mut end) = (Vec::new(), 0, 0);
    for piece in text.split_inclusive(at) {
        end += piece.len();
        if length(text[start..end].trim()) > 1 {
            pieces.push(&text[start..end]);
            start = end;
        }
    }
    if start < end {
        pieces.push(&text[start..end]);
    }
    pieces
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The longest of a text's pieces.
fn piece(text: &str, at: &[char]) -> usize {
    pieces(text, at).into_iter().map(|piece| length(piece.trim())).max().unwrap_or(0)
}

/// Characters that a table with such columns takes, borders and the space around each cell included.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 3 * widths.len() + 1
}

/// The width of each column in which no cell is broken.
fn natural(cells: &Cells) -> Vec<usize> {
    each(cells, |index| longest(cells, index, length).max(length(&cells.header[index])))
}

/// The least width of each column.
fn narrowest(cells: &Cells) -> Vec<usize> {
    each(cells, |index| {
        let cell = longest(cells, index, |text| piece(text, breaks(cells.numeric[index])));
        cell.max(piece(&cells.header[index], &BREAKS))
    })
}

/// Widths in which cells are broken, and read well all the same.
fn comfortable(cells: &Cells) -> Vec<usize> {
    let (natural, narrowest) = (natural(cells), narrowest(cells));
    each(cells, |index| match cells.numeric[index] {
        true => longest(cells, index, length).max(narrowest[index]),
        false => natural[index].min(narrowest[index].max(COMFORTABLE)),
    })
}

fn each(cells: &Cells, of: impl Fn(usize) -> usize) -> Vec<usize> {
    (0..cells.header.len()).map(of).collect()
}

fn longest(cells: &Cells, index: usize, of: impl Fn(&str) -> usize) -> usize {
    cells.rows.iter().map(|row| of(&row[index])).max().unwrap_or(0)
}

/// The widths within `width`: each column has its least, and those that want the fewest more come first.
fn widths(cells: &Cells, width: usize) -> Vec<usize> {
    let (wanted, mut widths) = (natural(cells), narrowest(cells));
    let mut left = width.saturating_sub(total(&widths));
    let mut order: Vec<usize> = (0..widths.len()).collect();
    order.sort_by_key(|index| wanted[*index] - widths[*index]);
    for (place, index) in order.iter().enumerate() {
        let more = (wanted[*index] - widths[*index]).min(left / (order.len() - place));
        widths[*index] += more;
        left -= more;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(header: &[&str], numeric: &[bool], rows: &[&[&str]]) -> Cells {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Cells { header: owned(header), numeric: numeric.to_vec(), rows: rows.iter().map(|row| owned(row)).collect() }
    }

    const SPARE: Spare = Spare { first: &["b"], last: &["a"] };

    #[test]
    fn what_all_rows_share_is_told_once_and_never_the_verdict() {
        let table = cells(&["case", "scope", "verdict"], &[false; 3], &[&["a", "x", "faster"], &["b", "x", "faster"]]);
        let fit = Fit::of(table.clone(), Some(80), SPARE);
        assert_eq!(fit.cells.header, ["case", "verdict"]);
        assert_eq!(fit.shared, ["scope x"]);
        let fits = Fit::of(table.clone(), Some(80), Spare::default());
        assert!(fits.shared.is_empty(), "an answer that has room stays as it was asked for");
        let whole = Fit::of(table, None, SPARE);
        assert_eq!((whole.cells.header.len(), whole.shared.len(), whole.left_out.len()), (3, 0, 0));
    }

    #[test]
    fn the_least_important_go_first_and_are_named() {
        let long = "word ".repeat(8);
        let long = long.trim();
        let table = cells(&["a", "b", "c"], &[false; 3], &[&["1", long, "x"], &["2", long, "y"], &["3", "zz", "z"]]);
        let fit = Fit::of(table.clone(), Some(20), SPARE);
        assert_eq!(fit.cells.header, ["a", "c"]);
        assert_eq!(fit.left_out, ["b"]);
        let fit = Fit::of(table, Some(12), Spare::default());
        assert_eq!(fit.cells.header, ["a", "b"]);
        assert_eq!(fit.left_out, ["c"]);
        assert_eq!(fit.widths, [1, 4], "a column is broken between words before another is left out");
    }

    #[test]
    fn variants_are_broken_after_a_slash_and_numbers_at_most_between_two() {
        assert_eq!(folded("burn-attention/flex/f32/2t", 16, false), "burn-attention/\nflex/f32/2t");
        assert_eq!(folded("0.998 – 1.003", 9, true), "0.998 –\n1.003");
        assert_eq!(folded("1.234 ms", 2, true), "1.234 ms");
        assert_eq!(wrapped("one two  three", 7), "one two\nthree");
        assert_eq!(wrapped("= equivalent here", 12), "= equivalent\nhere", "a symbol stays with its word");
    }
}
