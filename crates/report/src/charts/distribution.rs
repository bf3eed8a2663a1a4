//! Every sample of every variant: a strip of points beside a box of quartiles, one panel a case.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use plotly::common::{Anchor, Fill, HoverInfo, Line, Marker, Mode};
use plotly::layout::Axis;
use plotly::{Scatter, Trace};

use super::columns::{Columns, Names};
use super::error::Result;
use super::figure::Figure;
use super::frame::{Frame, LABEL_CHARS, LABEL_PX, TimeUnit, above_row, axis, no_data, paper_text, value_axis};
use super::palette::{Style, style};
use super::strip::{fair_limit, jitter, quartiles, thinned, widths};
use super::text::{because, broken, count, counted, height, label, line, significant};

const TITLE: &str = "Distribution of time per iteration";

/// A strip with more samples than this is thinned, and says so.
pub const MAX_POINTS_PER_STRIP: usize = 20_000;
/// Points in all strips of one figure together; more would make a page slow.
pub const MAX_POINTS_PER_FIGURE: usize = 60_000;
/// Strips in one figure; further ones are left out, and the figure says so.
pub const MAX_STRIPS: usize = 120;

/// Height of a strip without its label, and 1 on its axis.
const STRIP_PX: f64 = 62.0;
/// Between two panels: tick labels and axis title of one, heading of the next.
const GAP_PX: f64 = 86.0;
const HEADING_PX: f64 = 26.0;
/// Ratio of largest to smallest time from which a panel's axis is logarithmic.
const LOG_FROM: f64 = 20.0;

#[derive(Default)]
struct Strip {
    variant: usize,
    sorted_ns: Vec<f64>,
    /// Why it has no times, where that is known.
    reason: Option<String>,
}

struct Panel {
    case: Option<String>,
    strips: Vec<Strip>,
}

/// Draws every sample.
///
/// Columns: `variant` (text), `time_ns` (number, nanoseconds per iteration), optionally `reason` (text), `case_name` (text): one panel a
/// case, each with a time axis of its own (logarithmic where its times span a factor of 20), and `case_place` (number, by which cases are
/// ordered). One row a sample; rows may come in any order.
/// Times that are NULL, not finite or negative are left out and counted in the figure; one with a reason is no sample: it says why its
/// strip has none. Strips above [`MAX_POINTS_PER_STRIP`] samples
/// (or a fair share of [`MAX_POINTS_PER_FIGURE`]) are thinned by rank, the 50 most extreme points of each end kept; boxes use all samples.
///
/// # Errors
/// A column is missing or has the wrong type.
pub fn distribution(batches: &[RecordBatch]) -> Result<Figure> {
    let columns = Columns::new("distribution", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no samples");
    }
    let variants = columns.names("variant")?;
    let times = columns.numbers("time_ns")?;
    let cases = columns.placed_names("case_name", "case_place")?;
    let reasons = columns.optional_texts("reason")?;
    let (mut panels, left_out) = panels(&variants, cases.as_ref(), &times, reasons.as_deref());
    if panels.iter().flat_map(|p| &p.strips).all(|s| s.sorted_ns.is_empty()) {
        return no_data(
            TITLE,
            &format!("{} in all, none with a time that can be drawn", counted(times.len(), "sample")),
        );
    }

    let mut frame = Frame::new(TITLE);
    frame
        .notes
        .push("every point a sample, of all replicates · box: quartiles, no interval · long line: median".to_owned());
    let strips = keep_first(&mut panels, MAX_STRIPS);
    if strips > MAX_STRIPS {
        frame.notes.push(format!(
            "{MAX_STRIPS} of {} strips shown: select fewer cases or variants to see the others",
            count(strips)
        ));
    }
    if left_out > 0 {
        frame.notes.push(format!("{} left out: NULL, not finite or negative", counted(left_out, "sample")));
    }
    let sizes: Vec<usize> = panels.iter().flat_map(|p| &p.strips).map(|s| s.sorted_ns.len()).collect();
    let limit = fair_limit(&sizes, MAX_POINTS_PER_STRIP, MAX_POINTS_PER_FIGURE);
    if sizes.iter().any(|&n| n > limit) {
        frame.notes.push("thinned evenly by rank where marked, extremes kept; boxes use every sample".to_owned());
    }

    let headings = panels.iter().filter_map(|panel| panel.case.as_deref()).map(heading);
    let heading_lines = headings.map(|heading| height(&heading)).max();
    let more_px = LABEL_PX * heading_lines.map_or(0, |lines| lines - 1) as f64;
    frame.heading_px = heading_lines.map_or(0.0, |_| HEADING_PX + more_px);
    let gap_px = GAP_PX + more_px;
    let gaps = gap_px * (panels.len() - 1) as f64;
    let labels = panels.iter().flat_map(|panel| panel.strips.iter().map(|strip| strip_label(strip, &variants, limit)));
    let lines = labels.map(|label| height(&label)).max().unwrap_or(1);
    let pitch = 1.0 + lines as f64 * LABEL_PX / STRIP_PX;
    frame.plot_px = STRIP_PX * pitch * sizes.len() as f64 + gaps;
    let mut top_px = 0.0;
    for (number, panel) in panels.iter().enumerate() {
        let height_px = STRIP_PX * pitch * panel.strips.len() as f64;
        let domain = [1.0 - (top_px + height_px) / frame.plot_px, 1.0 - top_px / frame.plot_px];
        draw_panel(&mut frame, panel, &variants, number, (domain, pitch), limit);
        top_px += height_px + gap_px;
    }
    frame.figure()
}

/// The strips by case and variant, in their order, and how many times could not be used.
fn panels(
    variants: &Names,
    cases: Option<&Names>,
    times: &[Option<f64>],
    reasons: Option<&[Option<String>]>,
) -> (Vec<Panel>, usize) {
    let mut groups: BTreeMap<usize, BTreeMap<usize, Strip>> = BTreeMap::new();
    let mut left_out = 0;
    for (row, time) in times.iter().enumerate() {
        let (case, variant) = (cases.map_or(0, |c| c.of_row[row]), variants.of_row[row]);
        let strip = groups.entry(case).or_default().entry(variant).or_default();
        strip.variant = variant;
        let reason = reasons.and_then(|reasons| reasons[row].as_ref());
        match time {
            Some(t) if t.is_finite() && *t >= 0.0 => strip.sorted_ns.push(*t),
            None if reason.is_some() => strip.reason = reason.cloned(),
            _ => left_out += 1,
        }
    }
    let sorted = |mut strip: Strip| {
        strip.sorted_ns.sort_unstable_by(f64::total_cmp);
        strip
    };
    let panels = groups.into_iter().map(|(case, strips)| Panel {
        case: cases.map(|c| c.distinct[case].clone()),
        strips: strips.into_values().map(sorted).collect(),
    });
    (panels.collect(), left_out)
}

/// Leaves out strips beyond the first `most`; gives how many there were.
fn keep_first(panels: &mut Vec<Panel>, most: usize) -> usize {
    let mut total = 0;
    for panel in panels.iter_mut() {
        let room = most.saturating_sub(total);
        total += panel.strips.len();
        panel.strips.truncate(room);
    }
    panels.retain(|panel| !panel.strips.is_empty());
    total
}

/// Draws the strips `pitch` apart, each below its label.
fn draw_panel(
    frame: &mut Frame,
    panel: &Panel,
    variants: &Names,
    number: usize,
    (domain, pitch): ([f64; 2], f64),
    limit: usize,
) {
    let suffix = if number == 0 { String::new() } else { (number + 1).to_string() };
    let (x_name, y_name) = (format!("x{suffix}"), format!("y{suffix}"));
    let scale = Scale::of(panel);
    let places: Vec<f64> = (0..panel.strips.len()).map(|row| pitch * row as f64).collect();
    for (place, strip) in places.iter().zip(&panel.strips) {
        let name = &variants.distinct[strip.variant];
        frame.annotations.push(above_row(&strip_label(strip, variants, limit), place - 0.42, 0.0).y_ref(&y_name));
        frame.traces.extend(strip_traces(strip, name, *place, limit, &scale, [&x_name, &y_name]));
    }
    let last = places.last().copied().unwrap_or(0.0);
    let y_axis = axis("")
        .range(vec![last + 0.5, 0.5 - pitch])
        .tick_values(places)
        .show_tick_labels(false)
        .show_grid(false)
        .fixed_range(true)
        .domain(&domain)
        .anchor(&x_name);
    frame.axes.push((format!("xaxis{suffix}"), scale.axis().domain(&[0.0, 1.0]).anchor(&y_name)));
    frame.axes.push((format!("yaxis{suffix}"), y_axis));
    if let Some(case) = &panel.case {
        frame
            .annotations
            .push(paper_text(&heading(case), 0.0, domain[1]).x_anchor(Anchor::Left).y_anchor(Anchor::Bottom));
    }
}

/// The time axis of one panel.
struct Scale {
    unit: TimeUnit,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(panel: &Panel) -> Self {
        let filled = || panel.strips.iter().filter(|s| !s.sorted_ns.is_empty());
        let mut medians: Vec<f64> = filled().map(|s| quartiles(&s.sorted_ns)[1]).collect();
        medians.sort_unstable_by(f64::total_cmp);
        let low = filled().map(|s| s.sorted_ns[0]).fold(f64::INFINITY, f64::min);
        let high = filled().filter_map(|s| s.sorted_ns.last().copied()).fold(0.0, f64::max);
        let unit = TimeUnit::for_time(medians.get(medians.len() / 2).copied().unwrap_or(1.0));
        Self { unit, low: low / unit.nanoseconds, high: high / unit.nanoseconds }
    }

    fn axis(&self) -> Axis {
        let title = format!("time per iteration ({})", self.unit.symbol);
        if !self.low.is_finite() {
            return value_axis(&title, 0.0, 1.0, false);
        }
        let title = if self.is_log() { format!("time per iteration ({}, log scale)", self.unit.symbol) } else { title };
        value_axis(&title, self.low, self.high, self.is_log())
    }

    fn is_log(&self) -> bool {
        self.low > 0.0 && self.high / self.low >= LOG_FROM
    }

    /// How far along the axis a time in the panel's unit stands: 0 at the smallest, 1 at the largest.
    fn place(&self, time: f64) -> f64 {
        let place = if self.is_log() {
            (time / self.low).ln() / (self.high / self.low).ln()
        } else {
            (time - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place } else { 0.5 }
    }
}

fn heading(case: &str) -> String {
    format!("<b>{}</b>", broken(case, LABEL_CHARS))
}

fn strip_label(strip: &Strip, variants: &Names, limit: usize) -> String {
    let all = strip.sorted_ns.len();
    let shown = all.min(limit);
    let size = match all {
        0 => {
            strip.reason.as_ref().map_or_else(|| "no data".to_owned(), |reason| because("no data", reason, LABEL_CHARS))
        }
        _ if shown < all => format!("{} of {} shown", count(shown), count(all)),
        _ => format!("n = {}", count(all)),
    };
    let name = broken(&variants.distinct[strip.variant], LABEL_CHARS);
    let apart = if name.chars().count() + size.len() < LABEL_CHARS { " " } else { "<br>" };
    format!("{name}{apart}<span style=\"font-size:11px\">{size}</span>")
}

/// Points above the middle of the row, box below it, median line through both.
fn strip_traces(
    strip: &Strip,
    name: &str,
    row: f64,
    limit: usize,
    scale: &Scale,
    [x_axis, y_axis]: [&str; 2],
) -> Vec<Box<dyn Trace>> {
    let times = &strip.sorted_ns;
    if times.is_empty() {
        return Vec::new();
    }
    let unit = scale.unit;
    let Style { color, symbol, .. } = style(strip.variant);
    let ranks = thinned(times.len(), limit);
    let (size, opacity) = match ranks.len() {
        0..=100 => (7, 0.7),
        101..=1000 => (5, 0.5),
        1001..=5000 => (4, 0.35),
        _ => (3, 0.25),
    };
    let x = ranks.iter().map(|&rank| short(times[rank] / unit.nanoseconds)).collect();
    let places: Vec<f64> = ranks.iter().map(|&rank| scale.place(times[rank] / unit.nanoseconds)).collect();
    let across =
        widths(&places).into_iter().enumerate().map(|(i, width)| row - 0.16 + 0.48 * width * (jitter(i) - 0.5));
    let y = across.map(|y| (y * 1e4).round() / 1e4).collect();
    let points = Scatter::new(x, y)
        .mode(Mode::Markers)
        .name(label(name))
        .marker(Marker::new().symbol(symbol).size(size).color(color).opacity(opacity))
        .hover_template(format!("%{{x:.6~g}} {}<extra>{}</extra>", unit.symbol, label(name)));
    let [q1, median, q3] = quartiles(times).map(|t| short(t / unit.nanoseconds));
    let (upper, lower) = (row + 0.14, row + 0.36);
    let on_panel = |trace: Box<Scatter<f64, f64>>| -> Box<dyn Trace> { trace.x_axis(x_axis).y_axis(y_axis) };
    let mut traces = vec![on_panel(points)];
    if times.len() >= 4 {
        traces.push(on_panel(
            Scatter::new(vec![q1, q3, q3, q1, q1], vec![upper, upper, lower, lower, upper])
                .mode(Mode::Lines)
                .fill(Fill::ToSelf)
                .fill_color(format!("{color}40"))
                .line(Line::new().color(color).width(1.5))
                .hover_info(HoverInfo::Skip),
        ));
    }
    if times.len() >= 2 {
        let told = format!(
            "{}<br>median {} {unit}<br>quartiles {} and {} {unit}",
            line(name),
            significant(median, 5),
            significant(q1, 5),
            significant(q3, 5),
            unit = unit.symbol
        );
        traces.push(on_panel(
            Scatter::new(vec![median; 3], vec![row - 0.4, (upper + lower) / 2.0, row + 0.4])
                .mode(Mode::Lines)
                .line(Line::new().color(color).width(2.5))
                .hover_text(told)
                .hover_info(HoverInfo::Text),
        ));
    }
    traces
}

/// Seven significant digits: finer than any screen, and half the size of the page.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(6 - value.abs().log10().floor() as i32);
    let rounded = (value * scale).round() / scale;
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keeps_seven_digits() {
        assert_eq!(short(1.234_567_89), 1.234_568);
        assert_eq!(short(123_456_789.0), 123_456_800.0);
        for extreme in [0.0, 5e-324, f64::MIN_POSITIVE, f64::MAX] {
            assert!((short(extreme) - extreme).abs() <= extreme * 1e-6);
        }
    }
}
