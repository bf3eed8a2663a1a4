//! Ratios of pairs of names as a table of colours: in each cell the ratio, and what is judged of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::RecordBatch;
use plotly::HeatMap;
use plotly::common::{ColorScale, ColorScaleElement, HoverInfo};

use super::columns::{Columns, Names};
use super::error::Result;
use super::figure::Figure;
use super::frame::{Frame, LABEL_CHARS, LABEL_PX, axis, font, no_data, paper_text};
use super::marks::drawable;
use super::palette::{INK, ON_AREA, ORANGE, PALE, SKY};
use super::ratio::{self, Verdict};
use super::text::{broken, counted, fixed, height, label, line, significant};

const TITLE: &str = "Heat map";
/// Rows and columns in one figure; further ones are left out, and the figure says so.
const MOST: [usize; 2] = [60, 16];
/// Height of a row whose name has few lines.
const ROW_PX: f64 = 44.0;
/// Characters in a line of a name beside a row, and below a column.
const NAME_CHARS: [usize; 2] = [18, 12];
/// The ratio from which on a colour is as deep as it gets.
const DEEPEST: f64 = 4.0;
/// What a pair is that no row of the answer is about.
const ABSENT: &str = "not measured";

/// What is known of a pair.
struct Cell {
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    verdict: Verdict,
    /// Why there is no ratio, where that is known.
    reason: Option<String>,
}

/// Draws ratios of pairs of names.
///
/// Columns: `down` and `across` (text), `ratio` (number; above 1 is better), optionally `low` and `high` (numbers), `verdict` (as of
/// [`speedup`](super::speedup)), `baseline` (text), `reason` (text), and `down_place` and `across_place` (numbers, by which names are
/// ordered). One row a pair. A ratio that is NULL, not finite or not positive has no colour, and the figure counts why; so
/// does a pair without a row. Nothing hangs on colour: a cell has its number, and a letter for its verdict.
///
/// # Errors
/// A column is missing or has the wrong type, or a verdict is none of the words.
pub fn heat_map(batches: &[RecordBatch]) -> Result<Figure> {
    let columns = Columns::new("heat_map", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no pairs");
    }
    let names = [placed(&columns, "down", "down_place")?, placed(&columns, "across", "across_place")?];
    let (cells, twice) = cells(&columns, &names)?;
    if !cells.values().any(|cell| cell.ratio.is_some()) {
        let reason = if cells.is_empty() { "there are no pairs" } else { "no pair has a ratio that can be drawn" };
        return no_data(TITLE, reason);
    }
    let baselines = columns.optional_names("baseline")?;
    let baseline = baselines.filter(|names| names.distinct.len() == 1).map(|names| label(&names.distinct[0]));

    let mut frame = Frame::new(TITLE);
    let over = baseline.map_or_else(String::new, |name| format!(" over {name}"));
    let deepest = significant(DEEPEST, 3);
    frame.notes.push(format!(
        "number: ratio{over} · above 1 is better and blue, below it orange, both deepest at a factor of {deepest}"
    ));
    frame.notes.push(legend());
    let shown = [0, 1].map(|axis| names[axis].distinct.len().min(MOST[axis]));
    for (axis, what) in ["row", "column"].into_iter().enumerate() {
        let all = names[axis].distinct.len();
        if all > shown[axis] {
            frame.notes.push(format!("{} of {} shown", shown[axis], counted(all, what)));
        }
    }
    if twice > 0 {
        frame.notes.push(format!("{} left out: their pair has one before them", counted(twice, "row")));
    }
    frame.notes.extend(missing(&cells, shown));
    draw(&mut frame, &names, &cells, shown);
    frame.figure()
}

/// Names in the order of their places, or in natural order.
fn placed(columns: &Columns<'_>, column: &'static str, place: &'static str) -> Result<Names> {
    match columns.placed_names(column, place)? {
        Some(names) => Ok(names),
        None => columns.names(column),
    }
}

/// What is known of each pair, by their places, and how many rows were about a pair that had one before.
fn cells(columns: &Columns<'_>, names: &[Names; 2]) -> Result<(BTreeMap<[usize; 2], Cell>, usize)> {
    let ratios = columns.numbers("ratio")?;
    let [lows, highs] = [columns.optional_numbers("low")?, columns.optional_numbers("high")?];
    let (verdicts, reasons) = (columns.optional_names("verdict")?, columns.optional_texts("reason")?);
    let end = |ends: &Option<Vec<Option<f64>>>, row: usize| ends.as_ref().and_then(|ends| ends[row]);
    let (mut cells, mut twice) = (BTreeMap::new(), 0);
    for (row, ratio) in ratios.iter().enumerate() {
        let ratio = ratio.filter(|ratio| ratio.is_finite() && *ratio > 0.0);
        let reason = reasons.as_ref().and_then(|reasons| Some(reasons[row].as_ref()?.replace('-', " ")));
        let cell = Cell {
            ratio,
            interval: ratio.and_then(|_| drawable(end(&lows, row), end(&highs, row))),
            verdict: Verdict::parse(verdicts.as_ref().map(|verdicts| verdicts.of(row)))?,
            reason,
        };
        let place = [names[0].of_row[row], names[1].of_row[row]];
        match cells.entry(place) {
            Entry::Vacant(free) => {
                free.insert(cell);
            }
            Entry::Occupied(_) => twice += 1,
        }
    }
    Ok((cells, twice))
}

/// What the letters mean.
fn legend() -> String {
    let one = |verdict: Verdict| format!("{} {}", verdict.glyph(), verdict.look().0);
    Verdict::ALL.map(one).join(" · ")
}

/// How many pairs have no ratio, by the reason.
fn missing(cells: &BTreeMap<[usize; 2], Cell>, [rows, columns]: [usize; 2]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for place in (0..rows).flat_map(|row| (0..columns).map(move |column| [row, column])) {
        match cells.get(&place) {
            None => *counts.entry(ABSENT).or_default() += 1,
            Some(cell) if cell.ratio.is_none() => {
                *counts.entry(cell.reason.as_deref().unwrap_or("for no reason that is known")).or_default() += 1;
            }
            Some(_) => {}
        }
    }
    let told: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    (!told.is_empty()).then(|| line(&format!("– no ratio: {}", told.join(", "))))
}

fn draw(frame: &mut Frame, names: &[Names; 2], cells: &BTreeMap<[usize; 2], Cell>, [rows, columns]: [usize; 2]) {
    let (mut depths, mut told) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let (mut of_row, mut told_row) = (Vec::new(), Vec::new());
        for column in 0..columns {
            let cell = cells.get(&[row, column]);
            of_row.push(cell.and_then(|cell| cell.ratio).map(f64::log2));
            told_row.push(hover(names, [row, column], cell));
            frame.annotations.push(
                paper_text(&inside(cell), column as f64, row as f64)
                    .x_ref("x")
                    .y_ref("y")
                    .font(font(12).color(if cell.is_some_and(|cell| cell.ratio.is_some()) { ON_AREA } else { INK })),
            );
        }
        depths.push(of_row);
        told.push(told_row);
    }
    let places = |count: usize| (0..count).map(|place| place as f64).collect::<Vec<f64>>();
    let colors = [(0.0, ORANGE), (0.5, PALE), (1.0, SKY)];
    let scale = colors.map(|(place, color)| ColorScaleElement(place, color.to_owned())).to_vec();
    let deepest = DEEPEST.log2();
    frame.traces.push(
        HeatMap::new(places(columns), places(rows), depths)
            .color_scale(ColorScale::Vector(scale))
            .zmin(-deepest)
            .zmax(deepest)
            .show_scale(false)
            .x_gap(2_usize)
            .y_gap(2_usize)
            .hover_text_matrix(told)
            .hover_info(HoverInfo::Text),
    );
    let labels = [0, 1].map(|which| {
        let shown = names[which].distinct.iter().take([rows, columns][which]);
        shown.map(|name| broken(name, NAME_CHARS[which])).collect::<Vec<String>>()
    });
    let lines = labels.each_ref().map(|labels| labels.iter().map(|label| height(label)).max().unwrap_or(1));
    let row_px = ROW_PX.max(LABEL_PX * (lines[0] as f64 + 0.5));
    // Below the plot there is room for two lines; what further ones take is taken from the plot.
    frame.plot_px = row_px * rows as f64 + LABEL_PX * lines[1].saturating_sub(2) as f64;
    let [down, across] = labels.map(|labels| {
        let axis = axis("").tick_values(places(labels.len())).tick_text(labels);
        axis.show_grid(false).fixed_range(true)
    });
    frame.axes.push(("xaxis".to_owned(), across.range(vec![-0.5, columns as f64 - 0.5])));
    // The first row is the uppermost.
    frame.axes.push(("yaxis".to_owned(), down.range(vec![rows as f64 - 0.5, -0.5])));
}

/// What stands in a cell.
fn inside(cell: Option<&Cell>) -> String {
    match cell.and_then(|cell| Some((cell.ratio?, cell.verdict))) {
        Some((ratio, verdict)) => format!("{}<br>{}", short(ratio), verdict.glyph()),
        None => "–".to_owned(),
    }
}

/// A ratio in few digits: two decimals, fewer of what is large.
fn short(ratio: f64) -> String {
    if ratio < 0.1 { significant(ratio, 2) } else { fixed(ratio, 2.0 - ratio.log10().floor().max(0.0)) }
}

/// What the pointer tells of a cell.
fn hover(names: &[Names; 2], [row, column]: [usize; 2], cell: Option<&Cell>) -> String {
    let pair = format!("{}<br>{}", line(&names[0].distinct[row]), line(&names[1].distinct[column]));
    let Some(cell) = cell else { return format!("{pair}<br>{ABSENT}") };
    let ratio = ratio::told(cell.ratio, cell.interval, cell.reason.as_deref(), LABEL_CHARS);
    let verdict = if cell.ratio.is_some() { format!(": {}", cell.verdict.look().0) } else { String::new() };
    format!("{pair}<br>{ratio}{verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_short() {
        for (ratio, told) in
            [(1.0, "1.00"), (0.6725, "0.67"), (4.068, "4.07"), (15.27, "15.3"), (1234.6, "1,235"), (0.0123, "0.012")]
        {
            assert_eq!(short(ratio), told);
        }
    }
}
