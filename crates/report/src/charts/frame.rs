//! What all figures share: margins, fonts, axes, title with notes, legend, and the figure that says "no data".

use plotly::common::{Anchor, ExponentFormat, Font, Label, Orientation, Pad, Reference, Title};
use plotly::configuration::{DisplayModeBar, ModeBarButtonName};
use plotly::layout::{
    Annotation, Axis, AxisType, DragMode, HAlign, HoverMode, ItemSizing, Legend, Margin, ModeBar, Shape, ShapeLayer,
    ShapeLine, ShapeType,
};
use plotly::{Configuration, Layout, Trace};
use serde_json::{Value, json, to_value};

use super::error::Result;
use super::figure::Figure;
use super::palette::{BLUE, GRID, INK, RULE};
use super::text;

/// Pixels between the plot and the legend below it: tick labels and the axis title.
const AXIS_PX: f64 = 58.0;
const LEGEND_ROW_PX: f64 = 26.0;
const NOTE_PX: f64 = 19.0;
/// Characters in a line of a label inside of the plot: a phone shows as many.
pub(crate) const LABEL_CHARS: usize = 34;
/// Height of such a line.
pub(crate) const LABEL_PX: f64 = 18.0;

/// The parts of a figure, before plotly sees them.
pub(crate) struct Frame {
    /// Shown as text.
    pub title: &'static str,
    /// Lines below the title, already safe as plotly labels.
    pub notes: Vec<String>,
    pub traces: Vec<Box<dyn Trace>>,
    /// Axes by their name in plotly's layout (`xaxis`, `yaxis2` …): the typed layout has room for eight only.
    pub axes: Vec<(String, Axis)>,
    pub annotations: Vec<Annotation>,
    pub shapes: Vec<Shape>,
    /// Number of lines that the legend is likely to take; 0 draws none.
    pub legend_rows: usize,
    /// Room between the notes and the plot for a heading, in pixels.
    pub heading_px: f64,
    /// Height of the area between the margins, in pixels.
    pub plot_px: f64,
}

impl Frame {
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            notes: Vec::new(),
            traces: Vec::new(),
            axes: Vec::new(),
            annotations: Vec::new(),
            shapes: Vec::new(),
            legend_rows: 0,
            heading_px: 0.0,
            plot_px: 320.0,
        }
    }

    pub fn figure(self) -> Result<Figure> {
        let legend_px = LEGEND_ROW_PX * self.legend_rows as f64;
        let top = 48.0 + NOTE_PX * self.notes.len() as f64 + self.heading_px;
        let bottom = AXIS_PX + legend_px;
        let height = (top + self.plot_px + bottom).round();
        // A title of several lines stands higher by the height of its capitals: plotly moves only single lines down by it.
        let title_pad = if self.notes.is_empty() { 12 } else { 25 };
        let layout = Layout::new()
            .height(height as usize)
            .auto_size(true)
            .font(font(14).color(INK))
            .margin(Margin::new().top(top as usize).bottom(bottom as usize).left(24).right(24).auto_expand(true))
            .paper_background_color("rgba(0,0,0,0)")
            .plot_background_color("rgba(0,0,0,0)")
            .title(
                Title::with_text(title_text(self.title, &self.notes))
                    .font(font(18))
                    .x(0.0)
                    .x_anchor(Anchor::Left)
                    .x_ref(Reference::Container)
                    .y(1.0)
                    .y_anchor(Anchor::Top)
                    .y_ref(Reference::Container)
                    .pad(Pad::new(title_pad, 0, 12)),
            )
            .mode_bar(ModeBar::new().background_color("rgba(0,0,0,0)").color(RULE).active_color(BLUE))
            .hover_mode(HoverMode::Closest)
            .hover_label(Label::new().font(font(13)).name_length(-1))
            .drag_mode(DragMode::Zoom)
            .show_legend(self.legend_rows > 0)
            .legend(
                Legend::new()
                    .orientation(Orientation::Horizontal)
                    .font(font(14))
                    .item_sizing(ItemSizing::Trace)
                    .item_width(44)
                    .background_color("rgba(0,0,0,0)")
                    .x(0.0)
                    .x_anchor(Anchor::Left)
                    .y(-AXIS_PX / self.plot_px)
                    .y_anchor(Anchor::Top),
            )
            .annotations(self.annotations)
            .shapes(self.shapes);
        let mut layout = to_value(layout)?;
        if let Value::Object(parts) = &mut layout {
            for (name, axis) in self.axes {
                let mut axis = to_value(axis)?;
                if let Some(Value::Object(title)) = axis.get_mut("title") {
                    // Room between tick labels and title, which the typed title cannot say.
                    title.insert("standoff".to_owned(), json!(12));
                }
                parts.insert(name, axis);
            }
        }
        let value = json!({ "data": to_value(&self.traces)?, "layout": layout, "config": to_value(configuration())? });
        Ok(Figure::new(self.title, self.notes, value, height as u32))
    }
}

/// A figure without points that says why there are none. `reason` is ours, not the user's.
pub(crate) fn no_data(title: &'static str, reason: &str) -> Result<Figure> {
    let mut frame = Frame::new(title);
    frame.plot_px = 140.0;
    for name in ["xaxis", "yaxis"] {
        frame.axes.push((name.to_owned(), Axis::new().visible(false).range(vec![0.0, 1.0]).fixed_range(true)));
    }
    frame
        .annotations
        .push(paper_text(&format!("<b>no data</b><br>{}", text::line(reason)), 0.5, 0.5).x_anchor(Anchor::Center));
    frame.figure()
}

/// The title in plotly's pseudo-HTML, notes in smaller lines below it.
pub(crate) fn title_text(title: &str, notes: &[String]) -> String {
    let mut out = format!("<b>{}</b>", text::line(title));
    for note in notes {
        out.push_str("<br><span style=\"font-size:13px\">");
        out.push_str(note);
        out.push_str("</span>");
    }
    out
}

pub(crate) fn font(size: usize) -> Font {
    Font::new().size(size).family("system-ui, sans-serif")
}

/// An axis with grid and readable ticks; numbers in full, never as powers.
pub(crate) fn axis(title: &str) -> Axis {
    let axis = Axis::new()
        .tick_font(font(13))
        .grid_color(GRID)
        .line_color(RULE)
        .show_line(true)
        .zero_line(false)
        .auto_margin(true)
        .separate_thousands(true)
        .exponent_format(ExponentFormat::None);
    if title.is_empty() { axis } else { axis.title(Title::with_text(title).font(font(14))) }
}

/// A log axis of times per iteration, given in nanoseconds.
pub(crate) fn time_axis(unit: TimeUnit, low_ns: f64, high_ns: f64) -> Axis {
    let title = format!("time per iteration ({}, log scale)", unit.symbol);
    value_axis(&title, low_ns / unit.nanoseconds, high_ns / unit.nanoseconds, true)
}

/// An axis over `low..high` (both positive where `log`), a little room added on both sides.
pub(crate) fn value_axis(title: &str, low: f64, high: f64, log: bool) -> Axis {
    let (low, high) = if log { (low.log10(), high.log10()) } else { (low, high) };
    // One value alone still gets room to stand in: 2 % of a decade, or a tenth of itself.
    let least = if log { 0.02 } else { (low.abs() * 0.1).max(1e-9) };
    let room = ((high - low) * 0.05).max(least);
    let axis = axis(title).range(vec![low - room, high + room]);
    if !log {
        return axis;
    }
    let axis = axis.type_(AxisType::Log).tick_format(",.6~r");
    // Over a decade or more, few enough ticks that plotly labels 1, 2 and 5 and not every digit.
    let decades = high - low + 2.0 * room;
    if decades >= 1.0 { axis.n_ticks((decades / 0.31).min(12.0) as usize) } else { axis }
}

/// Text placed in fractions of the plot area.
pub(crate) fn paper_text(text: &str, x: f64, y: f64) -> Annotation {
    Annotation::new().text(text).show_arrow(false).x_ref("paper").y_ref("paper").x(x).y(y).font(font(14))
}

/// A label at the left end of the plot, `shift_px` above a row: beside the plot it would leave a phone no room for it.
pub(crate) fn above_row(text: &str, row: f64, shift_px: f64) -> Annotation {
    paper_text(text, 0.0, row)
        .y_ref("y")
        .x_anchor(Anchor::Left)
        .align(HAlign::Left)
        .y_anchor(Anchor::Bottom)
        .y_shift(shift_px)
        .font(font(13))
}

/// A vertical line over the whole height of the plot at `x`.
pub(crate) fn vertical_rule(x: f64) -> Shape {
    rule().x_ref("x").x0(x).x1(x).y_ref("paper").y0(0.0).y1(1.0)
}

/// A horizontal line over the whole width of the plot at `y`.
pub(crate) fn horizontal_rule(y: f64) -> Shape {
    rule().x_ref("paper").x0(0.0).x1(1.0).y_ref("y").y0(y).y1(y)
}

fn rule() -> Shape {
    Shape::new().shape_type(ShapeType::Line).layer(ShapeLayer::Below).line(ShapeLine::new().color(RULE).width(1.5))
}

fn configuration() -> Configuration {
    Configuration::new()
        .responsive(true)
        .display_logo(false)
        .display_mode_bar(DisplayModeBar::Hover)
        .mode_bar_buttons_to_remove(vec![
            ModeBarButtonName::Select2d,
            ModeBarButtonName::Lasso2d,
            ModeBarButtonName::AutoScale2d,
        ])
        .typeset_math(false)
}

/// A unit in which times are drawn. Input is always nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TimeUnit {
    /// The symbol: ns, µs, ms or s.
    pub symbol: &'static str,
    /// Nanoseconds in one unit.
    pub nanoseconds: f64,
}

const UNITS: [TimeUnit; 4] = [
    TimeUnit { symbol: "ns", nanoseconds: 1.0 },
    TimeUnit { symbol: "µs", nanoseconds: 1e3 },
    TimeUnit { symbol: "ms", nanoseconds: 1e6 },
    TimeUnit { symbol: "s", nanoseconds: 1e9 },
];

impl TimeUnit {
    /// The largest unit in which `typical_ns` is at least 1 (nanoseconds below that).
    pub fn for_time(typical_ns: f64) -> Self {
        UNITS.into_iter().rev().find(|unit| typical_ns >= unit.nanoseconds).unwrap_or(UNITS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_follows_magnitude() {
        let cases =
            [(0.0, "ns"), (0.3, "ns"), (999.0, "ns"), (1e3, "µs"), (9.9e5, "µs"), (1e6, "ms"), (5e9, "s"), (1e15, "s")];
        for (time_ns, symbol) in cases {
            assert_eq!(TimeUnit::for_time(time_ns).symbol, symbol, "{time_ns}");
        }
    }
}
