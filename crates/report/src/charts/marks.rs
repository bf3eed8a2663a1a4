//! The points of one variant over a number with their entry in the legend, and intervals as lines with end caps, drawn
//! from their own bounds so that they may be lopsided or leave the estimate out.

use plotly::Scatter;
use plotly::common::{HoverInfo, Line, Marker, MarkerSymbol, Mode};

use super::frame::Frame;
use super::palette::Style;

/// What is drawn of a variant.
pub(crate) struct Marks<'a> {
    pub style: Style,
    /// Traces of one group come and go together.
    pub group: &'a str,
    pub size: usize,
    pub places: Vec<f64>,
    pub values: Vec<f64>,
    /// What the pointer tells of each point.
    pub told: Vec<String>,
    pub legend: String,
    /// Whether a line of its own trace belongs to the points.
    pub with_line: bool,
}

/// Adds the points, and a trace that stands in the legend alone.
pub(crate) fn marks(frame: &mut Frame, marks: Marks<'_>) {
    let Style { color, symbol, dash } = marks.style;
    let marker = Marker::new().symbol(symbol).size(marks.size).color(color);
    frame.traces.push(
        Scatter::new(marks.places, marks.values)
            .mode(Mode::Markers)
            .marker(marker.clone())
            .hover_text_array(marks.told)
            .hover_info(HoverInfo::Text)
            .legend_group(marks.group)
            .show_legend(false),
    );
    // Symbol and dash stand together in the legend only on a trace that has both: this one draws nothing else.
    frame.traces.push(
        Scatter::new(vec![f64::NAN], vec![f64::NAN])
            .mode(if marks.with_line { Mode::LinesMarkers } else { Mode::Markers })
            .name(marks.legend)
            .marker(marker)
            .line(Line::new().color(color).dash(dash).width(2.0))
            .legend_group(marks.group)
            .show_legend(true),
    );
}

/// Which way intervals lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Direction {
    Horizontal,
    Vertical,
}

/// One interval: its place across the direction, and its two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Whisker {
    pub place: f64,
    pub low: f64,
    pub high: f64,
}

/// The interval of a row if both of its ends can be drawn on a log axis, low end first.
pub(crate) fn drawable(low: Option<f64>, high: Option<f64>) -> Option<(f64, f64)> {
    let (low, high) = (low?, high?);
    let fits = |v: f64| v.is_finite() && v > 0.0;
    (fits(low) && fits(high)).then_some(if low <= high { (low, high) } else { (high, low) })
}

/// All whiskers of one group in one trace.
pub(crate) fn whiskers(
    direction: Direction,
    all: &[Whisker],
    color: &'static str,
    group: &str,
) -> Box<Scatter<f64, f64>> {
    let ends: Vec<f64> = all.iter().flat_map(|w| [w.low, w.high, f64::NAN]).collect();
    let places: Vec<f64> = all.iter().flat_map(|w| [w.place, w.place, f64::NAN]).collect();
    let (trace, cap) = match direction {
        Direction::Horizontal => (Scatter::new(ends, places), MarkerSymbol::LineNSOpen),
        Direction::Vertical => (Scatter::new(places, ends), MarkerSymbol::LineEWOpen),
    };
    trace
        .mode(Mode::LinesMarkers)
        .line(Line::new().color(color).width(2.0))
        .marker(Marker::new().symbol(cap).size(9).color(color).line(Line::new().color(color).width(2.0)))
        .hover_info(HoverInfo::Skip)
        .legend_group(group)
        .show_legend(false)
}

/// `95 % interval` where the rows name one level between 0 and 1, else `interval`.
pub(crate) fn level_text(levels: Option<&[Option<f64>]>) -> String {
    let mut given = levels.into_iter().flatten().flatten();
    match given.next() {
        Some(&level) if level > 0.0 && level < 1.0 && given.all(|&other| other == level) => {
            format!("{}\u{a0}&#37; interval", super::text::significant(level * 100.0, 4))
        }
        _ => "interval".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_positive_intervals_are_drawn() {
        assert_eq!(drawable(Some(1.0), Some(2.0)), Some((1.0, 2.0)));
        assert_eq!(drawable(Some(2.0), Some(1.0)), Some((1.0, 2.0)));
        for (low, high) in
            [(None, Some(1.0)), (Some(0.0), Some(1.0)), (Some(1.0), Some(f64::INFINITY)), (Some(f64::NAN), Some(1.0))]
        {
            assert_eq!(drawable(low, high), None, "{low:?} {high:?}");
        }
    }

    #[test]
    fn the_level_is_named_only_if_it_is_one() {
        assert_eq!(level_text(Some(&[Some(0.95), None, Some(0.95)])), "95\u{a0}&#37; interval");
        assert_eq!(level_text(Some(&[Some(0.95), Some(0.9)])), "interval");
        assert_eq!(level_text(Some(&[Some(f64::NAN)])), "interval");
        assert_eq!(level_text(None), "interval");
    }
}
