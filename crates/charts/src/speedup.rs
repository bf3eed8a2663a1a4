//! Ratios with their intervals on a log axis: one row a comparison, a line at 1, symbol and colour by verdict.

use arrow::array::RecordBatch;
use plotly::Scatter;
use plotly::common::{Anchor, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::Annotation;

use crate::columns::Columns;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::frame::{Frame, axis, font, no_data, paper_text, value_axis, vertical_rule};
use crate::palette::{BLUE, GREEN, GREY, VERMILLION};
use crate::text::{count, fixed, label, line, significant};
use crate::whiskers::{Direction, Whisker, drawable, level_text, whiskers};

const TITLE: &str = "Speedup";
/// Rows in one figure; further ones are left out, and the figure says so.
const MAX_ROWS: usize = 200;
const ROW_PX: f64 = 32.0;

/// The words a comparison ends with, and how each looks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Faster,
    Slower,
    Equivalent,
    EquivalentSeen,
    Undecided,
    None,
}

impl Verdict {
    const ALL: [Self; 6] =
        [Self::Faster, Self::Slower, Self::Equivalent, Self::EquivalentSeen, Self::Undecided, Self::None];

    fn parse(word: Option<&str>) -> Result<Self> {
        let word = word.unwrap_or_default().trim().to_ascii_lowercase();
        match word.as_str() {
            "faster" => Ok(Self::Faster),
            "slower" => Ok(Self::Slower),
            "equivalent" => Ok(Self::Equivalent),
            "equivalent in the processes seen" => Ok(Self::EquivalentSeen),
            "undecided" => Ok(Self::Undecided),
            "" | "(no name)" => Ok(Self::None),
            _ => Err(Error::UnknownVerdict { found: word }),
        }
    }

    fn look(self) -> (&'static str, &'static str, MarkerSymbol) {
        match self {
            Self::Faster => ("faster", GREEN, MarkerSymbol::TriangleRight),
            Self::Slower => ("slower", VERMILLION, MarkerSymbol::TriangleLeft),
            Self::Equivalent => ("equivalent", BLUE, MarkerSymbol::Square),
            Self::EquivalentSeen => ("equivalent in the processes seen", BLUE, MarkerSymbol::SquareOpen),
            Self::Undecided => ("undecided", GREY, MarkerSymbol::CircleOpen),
            Self::None => ("no verdict", GREY, MarkerSymbol::DiamondOpen),
        }
    }
}

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
/// equivalent, equivalent in the processes seen, undecided, or NULL for none), optionally `case_name` (text), `baseline` (text),
/// `reason` (text) and `level` (number, 0.95 for 95 %).
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
    let (places, tick_values, tick_text) = arrange(&rows);
    let slots = tick_values.iter().copied().fold(0.0, f64::max) + 1.0;
    frame.plot_px = ROW_PX * slots.max(3.0);

    let drawn =
        rows.iter().flat_map(|r| r.ratio.into_iter().chain(r.interval.into_iter().flat_map(|(low, high)| [low, high])));
    let (low, high) = drawn.fold((0.9, 1.1), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let over = baseline.map_or_else(|| "the baseline".to_owned(), |name| label(&name));
    frame.axes.push(("xaxis".to_owned(), value_axis(&format!("speedup over {over} (×, log scale)"), low, high, true)));
    let y_axis =
        axis("").range(vec![slots - 0.4, -0.6]).tick_values(tick_values).tick_text(tick_text).fixed_range(true);
    frame.axes.push(("yaxis".to_owned(), y_axis));
    frame.shapes.push(vertical_rule(1.0));

    for verdict in Verdict::ALL {
        draw_verdict(&mut frame, &rows, &places, verdict);
    }
    let told: Vec<String> = rows.iter().map(ratio_text).collect();
    let widest = told.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    frame.right_px = 28.0 + 7.6 * widest as f64;
    for (told, place) in told.iter().zip(&places) {
        frame.annotations.push(beside(told, *place));
    }
    frame.figure()
}

/// The rows in natural order of case and candidate, and the baseline where there is one only.
fn read(columns: &Columns<'_>) -> Result<(Vec<Row>, Option<String>)> {
    let candidates = columns.names("candidate")?;
    let [ratios, lows, highs] = [columns.numbers("ratio")?, columns.numbers("low")?, columns.numbers("high")?];
    let verdicts = columns.names("verdict")?;
    let cases = columns.optional_names("case_name")?;
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
            Some(b) if single.is_none() => format!("{candidate} over {}", b.of(row)),
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

/// The place of each row down the figure, and the ticks: cases become headings where both cases and candidates differ.
fn arrange(rows: &[Row]) -> (Vec<f64>, Vec<f64>, Vec<String>) {
    let one_case = rows.iter().all(|r| r.case == rows[0].case);
    let one_candidate = rows.iter().all(|r| r.candidate == rows[0].candidate);
    let (mut places, mut ticks, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = 0.0;
    let mut heading: Option<&str> = None;
    for row in rows {
        if !one_case && !one_candidate && heading != Some(&row.case) {
            heading = Some(&row.case);
            ticks.push(next);
            texts.push(format!("<b>{}</b>", label(&row.case)));
            next += 1.0;
        }
        places.push(next);
        ticks.push(next);
        texts.push(label(if one_candidate && !one_case { &row.case } else { &row.candidate }));
        next += 1.0;
    }
    (places, ticks, texts)
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

/// `1.52× [1.40, 1.65]`, with as many decimals as the interval's width makes meaningful.
fn ratio_text(row: &Row) -> String {
    let Some(ratio) = row.ratio else {
        return row
            .reason
            .as_ref()
            .map_or_else(|| "no ratio".to_owned(), |reason| format!("no ratio: {}", label(reason)));
    };
    match row.interval {
        Some((low, high)) if high > low => {
            let decimals = (1.0 - (high - low).log10().floor()).clamp(0.0, 6.0);
            format!("{}× [{}, {}]", fixed(ratio, decimals), fixed(low, decimals), fixed(high, decimals))
        }
        Some((low, _)) => format!("{}× [{1}, {1}]", significant(ratio, 4), significant(low, 4)),
        None => format!("{}×, no interval", significant(ratio, 4)),
    }
}

/// Text to the right of the plot, in line with a row.
fn beside(told: &str, place: f64) -> Annotation {
    paper_text(told, 1.0, place).y_ref("y").x_anchor(Anchor::Left).x_shift(10.0).font(font(13))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, low: f64, high: f64) -> Row {
        let interval = drawable(Some(low), Some(high));
        Row {
            case: String::new(),
            candidate: String::new(),
            ratio: Some(ratio),
            interval,
            verdict: Verdict::None,
            reason: None,
        }
    }

    #[test]
    fn decimals_follow_the_interval() {
        assert_eq!(ratio_text(&row(1.523, 1.401, 1.652)), "1.52× [1.40, 1.65]");
        assert_eq!(ratio_text(&row(1.0032, 0.9981, 1.0084)), "1.003× [0.998, 1.008]");
        assert_eq!(ratio_text(&row(152.4, 140.1, 170.2)), "152× [140, 170]");
        assert_eq!(ratio_text(&row(2.0, 2.0, 2.0)), "2× [2, 2]");
        assert_eq!(ratio_text(&row(2.0, f64::NAN, 2.0)), "2×, no interval");
    }

    #[test]
    fn every_verdict_has_its_own_symbol() {
        for (i, a) in Verdict::ALL.iter().enumerate() {
            for b in &Verdict::ALL[i + 1..] {
                assert_ne!(format!("{:?}", a.look().2), format!("{:?}", b.look().2));
            }
        }
    }
}
