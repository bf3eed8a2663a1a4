//! Ratios with their intervals on a log axis: one row a comparison, a line at 1, symbol and colour by verdict.

use arrow::array::RecordBatch;
use plotly::Scatter;
use plotly::common::{Anchor, HoverInfo, Line, Marker, Mode};

use super::columns::Columns;
use super::error::Result;
use super::figure::Figure;
use super::frame::{Frame, LABEL_CHARS, LABEL_PX, above_row, axis, no_data, value_axis, vertical_rule};
use super::marks::{Direction, Whisker, drawable, level_text, whiskers};
use super::ratio::{self, Verdict};
use super::text::{broken, count, height, label, line};

const TITLE: &str = "Speedup";
/// Rows in one figure; further ones are left out, and the figure says so.
const MAX_ROWS: usize = 200;
/// Height of a row without the text above it.
const ROW_PX: f64 = 28.0;
/// Between the middle of a row and the text above it.
const CLEAR_PX: f64 = 9.0;

struct Row {
    case: String,
    candidate: String,
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    verdict: Verdict,
    /// Why there is no ratio, where that is known.
    reason: Option<String>,
}

/// Draws ratios with their intervals.
///
/// Columns: `candidate` (text), `ratio`, `low`, `high` (numbers; ratio > 1 means the candidate is faster), `verdict` (faster, slower,
/// equivalent, equivalent in the processes seen, undecided, or NULL for none), optionally `case_name` (text), `case_place`
/// (number, by which cases are ordered), `baseline` (text), `reason` (text) and `level` (number, 0.95 for 95 %).
/// One row a comparison. A ratio that is NULL, not finite or not positive stays as a row that says so, with its reason; an interval with such an end is
/// not drawn, and the row says so.
///
/// # Errors
/// A column is missing or has the wrong type, or a verdict is none of the words above.
pub fn speedup(batches: &[RecordBatch]) -> Result<Figure> {
    let columns = Columns::new("speedup", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no comparisons");
    }
    let (mut rows, baseline) = read(&columns)?;
    let levels = columns.optional_numbers("level")?;
    if rows.iter().all(|row| row.ratio.is_none()) {
        let reason =
            if rows.is_empty() { "there are no comparisons" } else { "no comparison has a ratio that can be drawn" };
        return no_data(TITLE, reason);
    }

    let mut frame = Frame::new(TITLE);
    frame.notes.push(format!("point: ratio of times, above 1 is faster · whiskers: {}", level_text(levels.as_deref())));
    if rows.len() > MAX_ROWS {
        frame.notes.push(format!(
            "{MAX_ROWS} of {} comparisons shown: select fewer cases or candidates to see the others",
            count(rows.len())
        ));
        rows.truncate(MAX_ROWS);
    }
    let (places, headings) = arrange(&rows);
    let labels = labels(&rows);
    let told: Vec<String> = rows.iter().map(ratio_text).collect();
    // Either every ratio stands in the line of its label, or every one in a line of its own.
    let beside = labels.iter().zip(&told).all(|(label, told)| {
        height(label) + height(told) == 2 && label.chars().count() + told.chars().count() < LABEL_CHARS
    });
    let of_row = |(label, told): (&String, &String)| height(label) + if beside { 0 } else { height(told) };
    let lines = labels.iter().zip(&told).map(of_row).max().unwrap_or(1);
    let row_px = ROW_PX + LABEL_PX * lines as f64;
    let slots = places.iter().copied().fold(0.0, f64::max) + 1.0;
    frame.plot_px = row_px * slots;

    let drawn =
        rows.iter().flat_map(|r| r.ratio.into_iter().chain(r.interval.into_iter().flat_map(|(low, high)| [low, high])));
    let (low, high) = drawn.fold((0.9, 1.1), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let over = baseline.map_or_else(|| "the baseline".to_owned(), |name| label(&name));
    frame.axes.push(("xaxis".to_owned(), value_axis(&format!("speedup over {over} (×, log scale)"), low, high, true)));
    // A row's text stands above its middle.
    let below = 0.5 * ROW_PX / row_px;
    let y_axis = axis("")
        .range(vec![slots - 1.0 + below, below - 1.0])
        .tick_values(places.clone())
        .show_tick_labels(false)
        .fixed_range(true);
    frame.axes.push(("yaxis".to_owned(), y_axis));
    frame.shapes.push(vertical_rule(1.0));

    for verdict in Verdict::ALL {
        draw_verdict(&mut frame, &rows, &places, verdict);
    }
    for (case, place) in headings {
        frame.annotations.push(above_row(&format!("<b>{}</b>", broken(case, LABEL_CHARS)), place, -CLEAR_PX));
    }
    for ((label, told), place) in labels.iter().zip(&told).zip(&places) {
        let ratio = above_row(told, *place, CLEAR_PX);
        if beside {
            frame.annotations.push(above_row(label, *place, CLEAR_PX));
            frame.annotations.push(ratio.x(1.0).x_anchor(Anchor::Right));
        } else {
            frame.annotations.push(above_row(label, *place, CLEAR_PX + LABEL_PX * height(told) as f64));
            frame.annotations.push(ratio);
        }
    }
    frame.figure()
}

/// The rows in the order of cases, and of candidates by name, and the baseline where there is one only.
fn read(columns: &Columns<'_>) -> Result<(Vec<Row>, Option<String>)> {
    let candidates = columns.names("candidate")?;
    let [ratios, lows, highs] = [columns.numbers("ratio")?, columns.numbers("low")?, columns.numbers("high")?];
    let verdicts = columns.names("verdict")?;
    let cases = columns.placed_names("case_name", "case_place")?;
    let baselines = columns.optional_names("baseline")?;
    let reasons = columns.optional_texts("reason")?;
    let single = baselines.as_ref().filter(|b| b.distinct.len() == 1).map(|b| b.distinct[0].clone());
    let mut order: Vec<usize> = (0..ratios.len()).collect();
    order.sort_by_key(|&row| {
        (cases.as_ref().map(|c| c.of_row[row]), candidates.of_row[row], baselines.as_ref().map(|b| b.of_row[row]))
    });
    let mut rows = Vec::with_capacity(order.len());
    for row in order {
        let candidate = candidates.of(row).to_owned();
        let candidate = match &baselines {
            Some(b) if single.is_none() => format!("{candidate} over {}", apart(&candidate, b.of(row))),
            _ => candidate,
        };
        let ratio = ratios[row].filter(|r| r.is_finite() && *r > 0.0);
        rows.push(Row {
            case: cases.as_ref().map_or_else(String::new, |c| c.of(row).to_owned()),
            candidate,
            ratio,
            interval: ratio.and_then(|_| drawable(lows[row], highs[row])),
            verdict: Verdict::parse(Some(verdicts.of(row)))?,
            reason: reasons.as_ref().and_then(|reasons| Some(reasons[row].as_ref()?.replace('-', " "))),
        });
    }
    Ok((rows, single))
}

/// The baseline without what follows its name, where the candidate has the same: `naive` beside `fused/flex/f32/2t`.
fn apart<'a>(candidate: &str, baseline: &'a str) -> &'a str {
    match (candidate.split_once('/'), baseline.split_once('/')) {
        (Some((_, ours)), Some((name, theirs))) if ours == theirs => name,
        _ => baseline,
    }
}

/// The place of each row down the figure, and of each heading: cases are ones where both cases and candidates differ.
fn arrange(rows: &[Row]) -> (Vec<f64>, Vec<(&str, f64)>) {
    let with_headings = !one(rows, |row| &row.case) && !one(rows, |row| &row.candidate);
    let (mut places, mut headings) = (Vec::new(), Vec::<(&str, f64)>::new());
    let mut next = 0.0;
    for row in rows {
        if with_headings && headings.last().is_none_or(|(case, _)| *case != row.case) {
            headings.push((row.case.as_str(), next));
            next += 1.0;
        }
        places.push(next);
        next += 1.0;
    }
    (places, headings)
}

/// What stands above each row: the case where it alone differs, the candidate elsewhere.
fn labels(rows: &[Row]) -> Vec<String> {
    let by_case = one(rows, |row| &row.candidate) && !one(rows, |row| &row.case);
    rows.iter().map(|row| broken(if by_case { &row.case } else { &row.candidate }, LABEL_CHARS)).collect()
}

/// Whether all rows have the same of something.
fn one(rows: &[Row], of: fn(&Row) -> &String) -> bool {
    rows.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]))
}

fn draw_verdict(frame: &mut Frame, rows: &[Row], places: &[f64], verdict: Verdict) {
    let (name, color, symbol) = verdict.look();
    let mine = || rows.iter().zip(places).filter(|(row, _)| row.verdict == verdict);
    let bars: Vec<Whisker> =
        mine().filter_map(|(row, &place)| row.interval.map(|(low, high)| Whisker { place, low, high })).collect();
    if !bars.is_empty() {
        frame.traces.push(whiskers(Direction::Horizontal, &bars, color, name));
    }
    let points: Vec<(&Row, f64, f64)> =
        mine().filter_map(|(row, &place)| row.ratio.map(|ratio| (row, ratio, place))).collect();
    if points.is_empty() {
        return;
    }
    let told: Vec<String> = points
        .iter()
        .map(|(row, ..)| {
            let case = if row.case.is_empty() { String::new() } else { format!("{}<br>", line(&row.case)) };
            format!("{case}{}<br>{}: {name}", line(&row.candidate), ratio_text(row))
        })
        .collect();
    frame.legend_rows = 1;
    frame.traces.push(
        Scatter::new(points.iter().map(|p| p.1).collect(), points.iter().map(|p| p.2).collect())
            .mode(Mode::Markers)
            .name(name)
            .legend_group(name)
            .marker(Marker::new().symbol(symbol).size(13).color(color).line(Line::new().color(color).width(2.0)))
            .hover_text_array(told)
            .hover_info(HoverInfo::Text),
    );
}

/// The ratio of a row, or why there is none.
fn ratio_text(row: &Row) -> String {
    ratio::told(row.ratio, row.interval, row.reason.as_deref(), LABEL_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_what_differs() {
        assert_eq!(apart("fused/flex/f32/2t", "naive/flex/f32/2t"), "naive");
        assert_eq!(apart("fused/flex/f32/2t", "naive/libtorch/f32/2t"), "naive/libtorch/f32/2t");
        assert_eq!(apart("fused", "naive"), "naive");
    }
}
