//! Time over the runs of a store, with the levels it held and the points where a new level began.

use arrow::array::RecordBatch;
use plotly::Scatter;
use plotly::common::{Anchor, HoverInfo, Line, LineShape, Marker, MarkerSymbol, Mode};
use plotly::layout::{Annotation, Axis};

use super::columns::{Columns, Names};
use super::error::Result;
use super::figure::Figure;
use super::frame::{self, Frame, TimeUnit, font, no_data, value_axis};
use super::marks::{Marks, marks};
use super::palette::{INK, Style, style};
use super::text::{counted, label, line, significant};

const TITLE: &str = "Time per iteration over the runs";
/// Up to this many runs are named one by one below the axis.
const NAMED_RUNS: usize = 16;
/// The ring around the first run of a new level: none of the symbols that variants have.
const RING: MarkerSymbol = MarkerSymbol::CircleOpen;
const RING_SIZE: usize = 20;

struct Point {
    run: f64,
    run_id: Option<String>,
    time_ns: f64,
    level_ns: Option<f64>,
    change_percent: Option<f64>,
}

struct Series {
    variant: usize,
    points: Vec<Point>,
}

/// Draws time over runs.
///
/// Columns: `variant` (text), `run_number` (number, the place of the run in time), `time_ns` (number, nanoseconds per iteration of that
/// run); optionally `level_ns` (the level that the series holds there), `change_percent` (number, NULL where no new level begins) and
/// `run_id` (text, for the pointer). One row a run and variant, in any order. Points whose run or time is NULL, not finite or, for a
/// time, not positive are left out and counted in the figure.
///
/// # Errors
/// A column is missing or has the wrong type.
pub fn history(batches: &[RecordBatch]) -> Result<Figure> {
    let columns = Columns::new("history", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no runs");
    }
    let variants = columns.names("variant")?;
    let (series, left_out) = read(&columns, &variants)?;
    let mut times: Vec<f64> = series.iter().flat_map(|one| &one.points).map(|point| point.time_ns).collect();
    times.sort_unstable_by(f64::total_cmp);
    let Some(typical_ns) = times.get(times.len() / 2) else {
        let reason = match left_out {
            0 => "there are no runs".to_owned(),
            rows => format!("{}, none that a log axis can show", counted(rows, "point")),
        };
        return no_data(TITLE, &reason);
    };
    let unit = TimeUnit::for_time(*typical_ns);

    let mut frame = Frame::new(TITLE);
    frame.notes.push("point: median of a run · line: level that the runs hold · ring: a new level begins".to_owned());
    if left_out > 0 {
        frame.notes.push(format!("{} left out: NULL, not finite or not positive", counted(left_out, "point")));
    }
    frame.axes.push(("xaxis".to_owned(), run_axis(&series)));
    frame.axes.push(("yaxis".to_owned(), time_axis(&series, unit)));
    let filled: Vec<&Series> = series.iter().filter(|one| !one.points.is_empty()).collect();
    frame.legend_rows = filled.len().div_ceil(2);
    for one in filled {
        draw_series(&mut frame, one, variants.distinct.get(one.variant).map_or("", String::as_str), unit);
    }
    frame.figure()
}

fn read(columns: &Columns<'_>, variants: &Names) -> Result<(Vec<Series>, usize)> {
    let (runs, times) = (columns.numbers("run_number")?, columns.numbers("time_ns")?);
    let optional = |column| columns.optional_numbers(column).map(|c| c.unwrap_or_else(|| vec![None; runs.len()]));
    let (levels, changes) = (optional("level_ns")?, optional("change_percent")?);
    let run_ids = columns.optional_names("run_id")?;
    let mut series: Vec<Series> =
        (0..variants.distinct.len()).map(|variant| Series { variant, points: Vec::new() }).collect();
    let mut left_out = 0;
    let positive = |value: &f64| value.is_finite() && *value > 0.0;
    for row in 0..runs.len() {
        match (runs[row].filter(|run| run.is_finite()), times[row].filter(positive)) {
            (Some(run), Some(time_ns)) => series[variants.of_row[row]].points.push(Point {
                run,
                run_id: run_ids.as_ref().map(|ids| ids.of(row).to_owned()),
                time_ns,
                level_ns: levels[row].filter(positive),
                change_percent: changes[row].filter(|change| change.is_finite()),
            }),
            _ => left_out += 1,
        }
    }
    for one in &mut series {
        one.points.sort_by(|a, b| a.run.total_cmp(&b.run).then(a.time_ns.total_cmp(&b.time_ns)));
    }
    Ok((series, left_out))
}

fn draw_series(frame: &mut Frame, series: &Series, name: &str, unit: TimeUnit) {
    let Style { color, dash, .. } = style(series.variant);
    let group = format!("variant-{}", series.variant);
    let points = &series.points;
    let in_unit = |ns: f64| ns / unit.nanoseconds;
    let with_level = points.iter().any(|point| point.level_ns.is_some());
    if with_level {
        // A run without a level leaves a gap.
        let levels = points.iter().map(|point| point.level_ns.map_or(f64::NAN, in_unit)).collect();
        frame.traces.push(
            Scatter::new(points.iter().map(|point| point.run).collect(), levels)
                .mode(Mode::Lines)
                .line(Line::new().color(color).dash(dash).width(2.0).shape(LineShape::Hv))
                .hover_info(HoverInfo::Skip)
                .legend_group(&group)
                .show_legend(false),
        );
    }
    let drawn = Marks {
        style: style(series.variant),
        group: &group,
        size: 8,
        places: points.iter().map(|point| point.run).collect(),
        values: points.iter().map(|point| in_unit(point.time_ns)).collect(),
        told: points.iter().map(|point| told(point, name, unit)).collect(),
        legend: label(name),
        with_line: with_level,
    };
    marks(frame, drawn);
    let changes: Vec<(f64, f64, f64)> = points
        .iter()
        .filter_map(|point| point.change_percent.map(|change| (point.run, in_unit(point.time_ns), change)))
        .collect();
    if changes.is_empty() {
        return;
    }
    frame.traces.push(
        Scatter::new(changes.iter().map(|change| change.0).collect(), changes.iter().map(|change| change.1).collect())
            .mode(Mode::Markers)
            .marker(Marker::new().symbol(RING).size(RING_SIZE).color(color).line(Line::new().color(color).width(2.5)))
            .hover_info(HoverInfo::Skip)
            .legend_group(&group)
            .show_legend(false),
    );
    for (run, time, change) in changes {
        frame.annotations.push(above(&percent(change), run, time));
    }
}

/// What the pointer tells of a point.
fn told(point: &Point, name: &str, unit: TimeUnit) -> String {
    let time = |ns: f64| format!("{} {}", significant(ns / unit.nanoseconds, 4), unit.symbol);
    let run_id = point.run_id.as_ref().map_or_else(String::new, |id| format!(": {}", line(id)));
    let level = point.level_ns.map_or_else(String::new, |ns| format!("<br>level {}", time(ns)));
    let change =
        point.change_percent.map_or_else(String::new, |change| format!(", {} from the one before", percent(change)));
    format!("{}<br>run {}{run_id}<br>{}{level}{change}", line(name), significant(point.run, 6), time(point.time_ns))
}

/// `+12 %`, with the sign of a slower level.
fn percent(change: f64) -> String {
    let sign = if change < 0.0 { "−" } else { "+" };
    format!("{sign}{}\u{a0}&#37;", significant(change.abs(), 2))
}

/// Text above a point, clear of its ring. On a log axis an annotation stands at the logarithm.
fn above(text: &str, run: f64, time: f64) -> Annotation {
    Annotation::new()
        .text(text)
        .show_arrow(false)
        .x_ref("x")
        .y_ref("y")
        .x(run)
        .y(time.log10())
        .y_anchor(Anchor::Bottom)
        .y_shift(12.0)
        .font(font(13).color(INK))
}

fn run_axis(series: &[Series]) -> Axis {
    let mut runs: Vec<f64> = series.iter().flat_map(|one| &one.points).map(|point| point.run).collect();
    runs.sort_unstable_by(f64::total_cmp);
    runs.dedup();
    let (low, high) = (runs.first().copied().unwrap_or(0.0), runs.last().copied().unwrap_or(0.0));
    let axis = value_axis("run, oldest first", low, high, false);
    if runs.len() > NAMED_RUNS {
        return axis;
    }
    let names = runs.iter().map(|run| significant(*run, 6)).collect();
    axis.tick_values(runs).tick_text(names)
}

fn time_axis(series: &[Series], unit: TimeUnit) -> Axis {
    let (low, high) = series
        .iter()
        .flat_map(|one| &one.points)
        .flat_map(|point| std::iter::once(point.time_ns).chain(point.level_ns))
        .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), ns| (low.min(ns), high.max(ns)));
    frame::time_axis(unit, low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_with_their_sign() {
        assert_eq!(percent(12.34), "+12\u{a0}&#37;");
        assert_eq!(percent(-0.456), "−0.46\u{a0}&#37;");
        assert_eq!(percent(150.0), "+150\u{a0}&#37;");
    }

    #[test]
    fn the_pointer_tells_what_is_known() {
        let unit = TimeUnit::for_time(2e6);
        let mut point = Point { run: 7.0, run_id: None, time_ns: 2.5e6, level_ns: None, change_percent: None };
        assert_eq!(told(&point, "flash", unit), "flash<br>run 7<br>2.5 ms");
        point.run_id = Some("0190-ab".to_owned());
        point.level_ns = Some(2e6);
        point.change_percent = Some(-10.0);
        assert_eq!(
            told(&point, "flash", unit),
            "flash<br>run 7: 0190-ab<br>2.5 ms<br>level 2 ms, −10\u{a0}&#37; from the one before"
        );
    }

    #[test]
    fn a_ring_is_no_symbol_of_a_variant() {
        let ring = format!("{RING:?}");
        assert!((0..56).all(|variant| format!("{:?}", style(variant).symbol) != ring));
    }
}
