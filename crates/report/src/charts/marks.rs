//! The points of one variant over a number, and its entry in the legend.

use plotly::Scatter;
use plotly::common::{HoverInfo, Line, Marker, Mode};

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
