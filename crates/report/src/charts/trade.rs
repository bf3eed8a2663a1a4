//! Speed against quality: a point for each name with both intervals, and steps along those that no other one beats in both.

use plotly::Scatter;
use plotly::common::{DashType, HoverInfo, Line, LineShape, MarkerSymbol, Mode};

use super::error::Result;
use super::figure::Figure;
use super::frame::{Frame, LABEL_CHARS, horizontal_rule, no_data, value_axis, vertical_rule};
use super::marks::{Direction, Marks, Whisker, level_text, marks, whiskers};
use super::palette::{GREY, RULE, Style, style};
use super::ratio;
use super::text::{counted, label, line, significant};

const TITLE: &str = "Quality against speed";

/// An estimate, and the ends of its 95 % interval where there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Around {
    pub value: f64,
    pub ends: Option<[f64; 2]>,
}

/// One of those that are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trade<'a> {
    pub name: &'a str,
    /// Its place among all looks, the same in every figure of a page; none is what all others stand beside.
    pub look: Option<usize>,
    /// How many times as fast it is.
    pub speed: Around,
    pub quality: Around,
    /// Whether no other one is better in both.
    pub is_best: bool,
}

/// Whether an axis has a place for a number.
fn fits(value: f64, log: bool) -> bool {
    value.is_finite() && (!log || value > 0.0)
}

impl Around {
    /// The ends that an axis has a place for, the low one first.
    fn ends(self, log: bool) -> Option<(f64, f64)> {
        let [one, other] = self.ends.filter(|ends| ends.iter().all(|end| fits(*end, log)))?;
        Some((one.min(other), one.max(other)))
    }

    /// As the pointer tells it.
    fn told(self, log: bool) -> String {
        let value = significant(self.value, 4);
        match self.ends(log) {
            Some((low, high)) => format!("{value} [{}, {}]", significant(low, 4), significant(high, 4)),
            None => format!("{value}, no interval"),
        }
    }
}

/// Draws each of them by its speed, on a log axis, and by its quality, whose axis has a title and may be a log one too. Who has no finite
/// number has no place, and the figure says so.
///
/// # Errors
/// The figure cannot be written as JSON.
pub(crate) fn trade(trades: &[Trade<'_>], quality: &str, log: bool) -> Result<Figure> {
    let has_place = |one: &&Trade<'_>| fits(one.speed.value, true) && fits(one.quality.value, log);
    let drawn: Vec<&Trade<'_>> = trades.iter().filter(has_place).collect();
    if drawn.is_empty() {
        return no_data(TITLE, &format!("{} in all, none that can be drawn", counted(trades.len(), "point")));
    }
    let mut frame = Frame::new(TITLE);
    let level = level_text(Some(&[Some(0.95)]));
    frame.notes.push(format!("point: estimate · whiskers: {level} · dotted: no other one is better in both"));
    if drawn.len() < trades.len() {
        frame.notes.push(format!("{} left out: no finite number", counted(trades.len() - drawn.len(), "point")));
    }
    frame.plot_px = 400.0;
    // Beside the points, the steps have an entry.
    frame.legend_rows = (drawn.len() + 1).div_ceil(2);
    for one in drawn.iter().filter(|one| one.look.is_none()) {
        frame.shapes.extend([vertical_rule(one.speed.value), horizontal_rule(one.quality.value)]);
    }
    steps(&mut frame, &drawn);
    for one in &drawn {
        draw(&mut frame, one, quality, log);
    }
    let over = "speed over the model as it is (×, log scale)";
    let [speeds, qualities] =
        [extent(drawn.iter().map(|one| one.speed), true), extent(drawn.iter().map(|one| one.quality), log)];
    frame.axes.push(("xaxis".to_owned(), value_axis(over, speeds[0], speeds[1], true)));
    frame.axes.push(("yaxis".to_owned(), value_axis(quality, qualities[0], qualities[1], log)));
    frame.figure()
}

/// From the least to the most of what is drawn.
fn extent(all: impl Iterator<Item = Around>, log: bool) -> [f64; 2] {
    let numbers = all.flat_map(|one| {
        let (low, high) = one.ends(log).unwrap_or((one.value, one.value));
        [one.value, low, high]
    });
    numbers.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], number| [low.min(number), high.max(number)])
}

/// What is to be had at each speed: the quality of the next faster one of those that no other one beats.
fn steps(frame: &mut Frame, drawn: &[&Trade<'_>]) {
    let best = drawn.iter().filter(|one| one.is_best).map(|one| (one.speed.value, one.quality.value));
    let mut best: Vec<(f64, f64)> = best.collect();
    best.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (speeds, qualities): (Vec<f64>, Vec<f64>) = best.into_iter().unzip();
    frame.traces.push(
        Scatter::new(speeds, qualities)
            .mode(Mode::Lines)
            .line(Line::new().color(RULE).dash(DashType::Dot).width(2.0).shape(LineShape::Vh))
            .hover_info(HoverInfo::Skip)
            .name("no other one is better in both")
            .show_legend(true),
    );
}

fn draw(frame: &mut Frame, one: &Trade<'_>, quality: &str, log: bool) {
    let plain = || Style { color: GREY, symbol: MarkerSymbol::StarOpen, dash: DashType::Solid };
    let style = one.look.map_or_else(plain, style);
    let (speed, lost) = (one.speed.ends(true), one.quality.ends(log));
    if let Some((low, high)) = speed {
        let whisker = Whisker { place: one.quality.value, low, high };
        frame.traces.push(whiskers(Direction::Horizontal, &[whisker], style.color, one.name));
    }
    if let Some((low, high)) = lost {
        let whisker = Whisker { place: one.speed.value, low, high };
        frame.traces.push(whiskers(Direction::Vertical, &[whisker], style.color, one.name));
    }
    let speed = ratio::told(Some(one.speed.value), speed, None, LABEL_CHARS);
    let told = format!("{}<br>{speed}<br>{}: {}", line(one.name), line(quality), one.quality.told(log));
    marks(
        frame,
        Marks {
            style,
            group: one.name,
            size: 10,
            places: vec![one.speed.value],
            values: vec![one.quality.value],
            told: vec![told],
            legend: label(one.name),
            with_line: false,
        },
    );
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn around(value: f64, ends: [f64; 2]) -> Around {
        Around { value, ends: Some(ends) }
    }

    fn alone(value: f64) -> Around {
        Around { value, ends: None }
    }

    /// The model as it is, one that is faster, one that is beaten, and one whose quality is no number.
    fn trades() -> [Trade<'static>; 4] {
        let of = |name, look, speed, quality, is_best| Trade { name, look, speed, quality, is_best };
        [
            of("as it is", None, alone(1.0), alone(1.0), true),
            of("int8", Some(0), around(2.0, [1.9, 2.2]), around(1.02, [1.01, 1.04]), true),
            of("<nf4>", Some(1), around(1.5, [1.4, 1.6]), around(1.3, [1.2, 1.5]), false),
            of("none", Some(2), alone(3.0), alone(f64::INFINITY), false),
        ]
    }

    fn traces(figure: &Figure) -> Vec<Value> {
        figure.value()["data"].as_array().expect("traces").clone()
    }

    #[test]
    fn points_stand_with_both_intervals_in_a_colour_and_a_symbol_of_their_own() {
        let figure = trade(&trades(), "perplexity (less is better)", true).expect("a figure");
        let traces = traces(&figure);
        let of = |name: &str, x: Value, y: Value| {
            let found = traces.iter().find(|one| one["legendgroup"] == name && one["x"] == x && one["y"] == y);
            found.unwrap_or_else(|| panic!("{name} {x} {y}: {traces:?}")).clone()
        };
        let [int8, nf4] = [of("int8", json!([2.0]), json!([1.02])), of("<nf4>", json!([1.5]), json!([1.3]))];
        let wide = of("int8", json!([1.9, 2.2, null]), json!([1.02, 1.02, null]));
        let high = of("int8", json!([2.0, 2.0, null]), json!([1.01, 1.04, null]));
        let color = &int8["marker"]["color"];
        assert_eq!((&wide["line"]["color"], &high["line"]["color"]), (color, color));
        assert!(nf4["marker"]["color"] != *color && nf4["marker"]["symbol"] != int8["marker"]["symbol"]);
        assert_eq!(
            int8["hovertext"][0],
            "int8<br>2.00× [1.90, 2.20]<br>perplexity (less is better): 1.02 [1.01, 1.04]"
        );
        assert_eq!(traces.iter().filter(|one| one["name"] == "&lt;nf4&gt;").count(), 1, "a name is no markup");
        assert!(figure.json().contains("1 point left out: no finite number"));
        assert!(!traces.iter().any(|one| one["legendgroup"] == "none"));
    }

    #[test]
    fn axes_have_names_and_steps_go_along_those_that_none_beats() {
        let figure = trade(&trades(), "perplexity", true).expect("a figure");
        let layout = &figure.value()["layout"];
        assert_eq!(layout["xaxis"]["title"]["text"], "speed over the model as it is (×, log scale)");
        assert_eq!(
            (&layout["yaxis"]["title"]["text"], &layout["yaxis"]["type"]),
            (&json!("perplexity"), &json!("log"))
        );
        let steps = &traces(&figure)[0];
        assert_eq!((&steps["x"], &steps["y"]), (&json!([1.0, 2.0]), &json!([1.0, 1.02])));
        assert_eq!((&steps["line"]["shape"], &steps["line"]["dash"]), (&json!("vh"), &json!("dot")));
        let shapes = layout["shapes"].as_array().expect("rules");
        assert_eq!(
            shapes.iter().map(|shape| (&shape["x0"], &shape["y1"])).collect::<Vec<_>>(),
            [(&json!(1.0), &json!(1.0)), (&json!(0.0), &json!(1.0)),]
        );
        // Differences may be below nothing.
        let [plain, fast, ..] = trades();
        let fast = Trade { quality: around(-0.02, [-0.05, 0.01]), ..fast };
        let plain = Trade { quality: alone(0.0), ..plain };
        let linear = trade(&[plain, fast], "accuracy", false).expect("a figure");
        assert!(traces(&linear).iter().any(|one| one["y"] == json!([-0.05, 0.01, null])));
        assert_ne!(linear.value()["layout"]["yaxis"]["type"], "log");
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let [.., none] = trades();
        assert!(trade(&[none], "perplexity", true).expect("a figure").json().contains("none that can be drawn"));
    }
}
