//! Two columns of any answer against each other.

use arrow::array::RecordBatch;
use plotly::common::{Fill, HoverInfo, Line, Marker, Mode};
use plotly::layout::AxisType;
use plotly::{Bar, Scatter, Trace};
use serde_json::Value;

use super::columns::Columns;
use super::distribution::MAX_POINTS_PER_FIGURE;
use super::error::Result;
use super::figure::Figure;
use super::frame::{Frame, TimeUnit, axis, no_data};
use super::palette::{Style, style};
use super::text::{count, counted, label, line};

const TITLE: &str = "Chart";

/// How the rows of an answer are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Points that are joined in the order of the rows.
    Line,
    /// Points.
    Scatter,
    /// A bar for each row.
    Bar,
}

/// The points of one colour.
#[derive(Debug, Default)]
struct Series {
    places: Vec<Value>,
    values: Vec<f64>,
    /// Below and above each, where these are known.
    bounds: Vec<Option<[f64; 2]>>,
}

/// The title of an axis, and what its numbers are divided by.
struct Scale {
    title: String,
    by: f64,
}

/// Draws the column `y` (numbers) over `x` (numbers, or anything else as text), a colour for each value of `by`.
///
/// Lines have a band around them where the answer has the columns `{y}_low` and `{y}_high`, such as an interval, or the range of seeds.
/// Columns whose name ends with `_ns` are drawn in the unit that fits. Rows whose x or y is NULL or not finite are left
/// out, and so are those beyond [`MAX_POINTS_PER_FIGURE`]; the figure says how many.
///
/// # Errors
/// A column is missing, or `y` is no number.
pub fn chart(batches: &[RecordBatch], mark: Mark, x: &str, y: &str, by: Option<&str>) -> Result<Figure> {
    let columns = Columns::new("the chart", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no rows");
    }
    let values = columns.numbers(y)?;
    let numeric = columns.is_number(x)?;
    let places = if numeric { Vec::new() } else { texts(&columns, x)? };
    let numbers = if numeric { columns.numbers(x)? } else { Vec::new() };
    let groups = by.map(|by| columns.groups(by)).transpose()?;

    let [low, high] = ["low", "high"].map(|end| columns.optional_numbers(&format!("{y}_{end}")));
    let bounds = if mark == Mark::Line { low?.zip(high?) } else { None };
    let over = scale(x, &numbers);
    let up = scale(y, &values);
    let mut series: Vec<Series> = Vec::new();
    series.resize_with(groups.as_ref().map_or(1, |groups| groups.distinct.len()), Series::default);
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    let (mut drawn, mut beyond) = (0, 0);
    for (row, value) in values.iter().enumerate() {
        let place = match numeric {
            true => finite(numbers[row]).map(|number| Value::from(number / over.by)),
            false => Some(places[row].clone()),
        };
        let (Some(place), Some(value)) = (place, finite(*value)) else { continue };
        if drawn == MAX_POINTS_PER_FIGURE {
            beyond += 1;
            continue;
        }
        drawn += 1;
        let one = &mut series[groups.as_ref().map_or(0, |groups| groups.of_row[row])];
        one.places.push(place);
        one.values.push(value / up.by);
        let around = bounds.as_ref().and_then(|(low, high)| finite(low[row]).zip(finite(high[row])));
        one.bounds.push(around.map(|(low, high)| [low / up.by, high / up.by]));
    }
    if drawn == 0 {
        return no_data(TITLE, &format!("{} in all, none that can be drawn", counted(values.len(), "row")));
    }

    let mut frame = Frame::new(TITLE);
    let left_out = values.len() - drawn - beyond;
    if left_out > 0 {
        frame.notes.push(format!("{} left out: NULL or not finite", counted(left_out, "row")));
    }
    if beyond > 0 {
        frame.notes.push(format!("the first {} of {} rows shown", count(drawn), count(drawn + beyond)));
    }
    frame.plot_px = 400.0;
    frame.legend_rows = groups.as_ref().map_or(0, |groups| groups.distinct.len().div_ceil(2));
    for (number, one) in series.into_iter().enumerate() {
        let name = groups.as_ref().map(|groups| label(&groups.distinct[number]));
        draw(&mut frame, mark, number, one, name.as_deref());
    }
    let across = axis(&over.title);
    // Text that looks like numbers stays text.
    let across = if numeric { across } else { across.type_(AxisType::Category) };
    frame.axes.push(("xaxis".to_owned(), across));
    frame.axes.push(("yaxis".to_owned(), axis(&up.title)));
    Ok(frame.figure()?.with_title(&format!("{y} by {x}")))
}

/// The values of a column as plotly's categories.
fn texts(columns: &Columns<'_>, name: &str) -> Result<Vec<Value>> {
    let names = columns.groups(name)?;
    let categories: Vec<Value> = names.distinct.iter().map(|name| Value::from(line(name))).collect();
    Ok(names.of_row.iter().map(|place| categories[*place].clone()).collect())
}

/// Times are drawn in the unit of the median.
fn scale(name: &str, values: &[Option<f64>]) -> Scale {
    let mut sizes: Vec<f64> =
        values.iter().flatten().filter(|value| value.is_finite()).map(|value| value.abs()).collect();
    match name.strip_suffix("_ns") {
        Some(stem) if !sizes.is_empty() => {
            sizes.sort_unstable_by(f64::total_cmp);
            let unit = TimeUnit::for_time(sizes[sizes.len() / 2]);
            Scale { title: format!("{} ({})", label(stem), unit.symbol), by: unit.nanoseconds }
        }
        _ => Scale { title: label(name), by: 1.0 },
    }
}

fn draw(frame: &mut Frame, mark: Mark, number: usize, series: Series, name: Option<&str>) {
    let Style { color, symbol, dash } = style(number);
    frame.traces.extend(band(&series, color));
    let Series { places, values, .. } = series;
    let (in_legend, name) = (name.is_some(), name.unwrap_or_default());
    let mode = match mark {
        Mark::Bar => {
            let bars = Bar::new(places, values).marker(Marker::new().color(color));
            frame.traces.push(bars.name(name).show_legend(in_legend));
            return;
        }
        Mark::Line => Mode::LinesMarkers,
        Mark::Scatter => Mode::Markers,
    };
    frame.traces.push(
        Scatter::new(places, values)
            .mode(mode)
            .marker(Marker::new().symbol(symbol).size(8).color(color))
            .line(Line::new().color(color).dash(dash).width(2.0))
            .name(name)
            .show_legend(in_legend),
    );
}

/// The area between bounds as one shape, along the upper ones and back along the lower ones; nothing where none are known.
fn band(series: &Series, color: &str) -> Option<Box<dyn Trace>> {
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for (place, bounds) in series.places.iter().zip(&series.bounds) {
        if let Some([low, high]) = bounds {
            above.push((place.clone(), *high));
            below.push((place.clone(), *low));
        }
    }
    if above.is_empty() {
        return None;
    }
    let (places, values): (Vec<Value>, Vec<f64>) = above.into_iter().chain(below.into_iter().rev()).unzip();
    let shape = Scatter::new(places, values)
        .mode(Mode::Lines)
        .fill(Fill::ToSelf)
        .fill_color(format!("{color}33"))
        .line(Line::new().width(0.0))
        .hover_info(HoverInfo::Skip)
        .show_legend(false);
    Some(shape)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};

    use super::*;

    fn rows() -> Vec<RecordBatch> {
        let columns: [(&str, ArrayRef); 4] = [
            ("seq_q", Arc::new(Int64Array::from(vec![128, 256, 128, 256]))),
            ("median_ns", Arc::new(Float64Array::from(vec![Some(2e6), Some(4e6), Some(1e6), None]))),
            ("variant", Arc::new(StringArray::from(vec!["naive", "naive", "<b>", "<b>"]))),
            ("heads", Arc::new(Int64Array::from(vec![8, 8, 16, 16]))),
        ];
        vec![RecordBatch::try_from_iter(columns).expect("columns of one length")]
    }

    #[test]
    fn each_value_has_a_colour_and_times_a_unit() {
        let figure = chart(&rows(), Mark::Line, "seq_q", "median_ns", Some("variant")).expect("columns that are there");
        let traces = figure.value()["data"].as_array().expect("traces").clone();
        assert_eq!(traces.len(), 2);
        // In natural order of the names, which are no markup.
        assert_eq!((&traces[0]["name"], &traces[0]["x"]), (&"&lt;b&gt;".into(), &serde_json::json!([128.0])));
        assert_eq!((&traces[1]["name"], &traces[1]["y"]), (&"naive".into(), &serde_json::json!([2.0, 4.0])));
        assert_eq!(traces[1]["mode"], "lines+markers");
        assert_eq!(figure.value()["layout"]["yaxis"]["title"]["text"], "median (ms)");
        assert_eq!(figure.title(), "median_ns by seq_q");
        assert!(figure.json().contains("1 row left out"));
    }

    #[test]
    fn a_line_has_a_band_where_its_bounds_are_known() {
        let columns: [(&str, ArrayRef); 4] = [
            ("step", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("loss", Arc::new(Float64Array::from(vec![4.0, 3.0, 2.0]))),
            ("loss_low", Arc::new(Float64Array::from(vec![Some(3.5), Some(2.5), None]))),
            ("loss_high", Arc::new(Float64Array::from(vec![Some(5.0), Some(3.5), Some(9.0)]))),
        ];
        let rows = vec![RecordBatch::try_from_iter(columns).expect("columns of one length")];
        let figure = chart(&rows, Mark::Line, "step", "loss", None).expect("columns that are there");
        let traces = figure.value()["data"].as_array().expect("traces").clone();
        assert_eq!(traces.len(), 2, "the band lies behind its line");
        assert_eq!(traces[0]["x"], serde_json::json!([1.0, 2.0, 2.0, 1.0]));
        assert_eq!(traces[0]["y"], serde_json::json!([5.0, 3.5, 2.5, 3.5]));
        assert_eq!((&traces[0]["fill"], &traces[0]["hoverinfo"]), (&"toself".into(), &"skip".into()));
        assert_eq!(traces[1]["y"], serde_json::json!([4.0, 3.0, 2.0]));
        let points = chart(&rows, Mark::Scatter, "step", "loss", None).expect("columns that are there");
        assert_eq!(points.value()["data"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn text_stands_side_by_side_and_numbers_may_tell_colours_apart() {
        let figure = chart(&rows(), Mark::Bar, "variant", "seq_q", Some("heads")).expect("columns that are there");
        let value = figure.value();
        assert_eq!(value["layout"]["xaxis"]["type"], "category");
        assert_eq!((&value["data"][0]["type"], &value["data"][1]["name"]), (&"bar".into(), &"16".into()));
        let alone = chart(&rows(), Mark::Scatter, "seq_q", "heads", None).expect("columns that are there");
        assert_eq!(alone.value()["data"][0]["showlegend"], false);
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let told = |x, y| chart(&rows(), Mark::Line, x, y, None).expect_err("no such column").to_string();
        assert!(told("seq_q", "variant").contains("`variant` as a number"));
        assert!(told("absent", "seq_q").contains("found seq_q, median_ns, variant, heads"));
        let none = chart(&[], Mark::Line, "x", "y", None).expect("a figure without rows");
        assert!(none.json().contains("there are no rows"));
    }
}
