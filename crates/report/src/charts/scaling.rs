//! Time against size on log–log axes, with the power law that the caller fitted.

use arrow::array::RecordBatch;
use plotly::Scatter;
use plotly::common::{HoverInfo, Line, Mode};
use plotly::layout::Axis;

use super::columns::{Columns, Names};
use super::error::{Error, Result};
use super::figure::Figure;
use super::frame::{self, Frame, TimeUnit, no_data, value_axis};
use super::marks::{Direction, Marks, Whisker, drawable, level_text, marks, whiskers};
use super::palette::{Style, style};
use super::text::{counted, fixed, label, line, significant};

const TITLE: &str = "Scaling of time per iteration";
/// Up to this many sizes are named one by one below the axis.
const NAMED_SIZES: usize = 16;

struct Point {
    x: f64,
    time_ns: f64,
    interval: Option<(f64, f64)>,
}

/// `time_ns = coefficient_ns · x^exponent`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fit {
    exponent: f64,
    interval: Option<(f64, f64)>,
    coefficient_ns: Option<f64>,
}

struct Series {
    variant: usize,
    points: Vec<Point>,
    fit: Option<Fit>,
}

/// Draws time against size.
///
/// Columns: `variant` (text), `x` (number, the size), `time_ns` (number, the median in nanoseconds); optionally `low_ns` and `high_ns`
/// (its interval, over replicates), `exponent`, `exponent_low`, `exponent_high` and `coefficient_ns` (the fit `coefficient_ns · x^exponent`, repeated in
/// each row of its variant), `x_name` (text, what x is, for the axis), `level` (number, 0.95 for 95 %). One row a point.
/// Without `coefficient_ns` the line goes through the geometric centre of the points, as a least-squares fit does.
/// Points whose size or time is NULL, not finite or not positive are left out and counted in the figure.
///
/// # Errors
/// A column is missing or has the wrong type, or the rows of a variant disagree about its fit.
pub fn scaling(batches: &[RecordBatch]) -> Result<Figure> {
    let columns = Columns::new("scaling", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no points");
    }
    let variants = columns.names("variant")?;
    let (series, left_out) = read(&columns, &variants)?;
    let levels = columns.optional_numbers("level")?;
    let x_name = columns
        .optional_names("x_name")?
        .filter(|names| names.distinct.len() == 1)
        .map(|names| names.distinct[0].clone());
    let rows = variants.of_row.len();
    if rows == left_out {
        let reason = if rows == 0 {
            "there are no points".to_owned()
        } else {
            format!("{}, none that a log axis can show", counted(rows, "point"))
        };
        return no_data(TITLE, &reason);
    }

    let mut frame = Frame::new(TITLE);
    let level = level_text(levels.as_deref());
    frame.notes.push(format!("point: median · whiskers: {level} · line: fitted power law, exponent with {level}"));
    if left_out > 0 {
        frame.notes.push(format!("{} left out: NULL, not finite or not positive", counted(left_out, "point")));
    }
    frame.plot_px = 400.0;
    let mut times: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|p| p.time_ns).collect();
    times.sort_unstable_by(f64::total_cmp);
    let unit = TimeUnit::for_time(times[times.len() / 2]);
    let filled = || series.iter().filter(|s| !s.points.is_empty());
    frame.legend_rows = filled().count().div_ceil(2);
    for one in filled() {
        draw_series(&mut frame, one, &variants.distinct[one.variant], unit);
    }
    frame.axes.push(("xaxis".to_owned(), size_axis(&series, x_name.as_deref())));
    frame.axes.push(("yaxis".to_owned(), time_axis(&series, unit)));
    frame.figure()
}

fn read(columns: &Columns<'_>, variants: &Names) -> Result<(Vec<Series>, usize)> {
    let (sizes, times) = (columns.numbers("x")?, columns.numbers("time_ns")?);
    let optional = |column| columns.optional_numbers(column).map(|c| c.unwrap_or_else(|| vec![None; sizes.len()]));
    let (lows, highs) = (optional("low_ns")?, optional("high_ns")?);
    let mut left_out = 0;
    let mut series: Vec<Series> = Vec::new();
    for variant in 0..variants.distinct.len() {
        series.push(Series { variant, points: Vec::new(), fit: fit_of(columns, variants, variant)? });
    }
    let fits = |v: &f64| v.is_finite() && *v > 0.0;
    for row in 0..sizes.len() {
        match (sizes[row].filter(fits), times[row].filter(fits)) {
            (Some(x), Some(time_ns)) => {
                let interval = drawable(lows[row], highs[row]);
                series[variants.of_row[row]].points.push(Point { x, time_ns, interval });
            }
            _ => left_out += 1,
        }
    }
    for one in &mut series {
        one.points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.time_ns.total_cmp(&b.time_ns)));
    }
    Ok((series, left_out))
}

/// The fit that the rows of a variant carry; none where they have no finite exponent.
fn fit_of(columns: &Columns<'_>, variants: &Names, variant: usize) -> Result<Option<Fit>> {
    let value = |column: &'static str| -> Result<Option<f64>> {
        let Some(numbers) = columns.optional_numbers(column)? else { return Ok(None) };
        let mut given = variants.of_row.iter().zip(numbers).filter(|(v, _)| **v == variant).filter_map(|(_, n)| n);
        let first = given.next();
        if given.any(|other| Some(other) != first && !(other.is_nan() && first.is_some_and(f64::is_nan))) {
            return Err(Error::FitDiffers { variant: variants.distinct[variant].clone(), column });
        }
        Ok(first.filter(|v| v.is_finite()))
    };
    let (low, high) = (value("exponent_low")?, value("exponent_high")?);
    let coefficient_ns = value("coefficient_ns")?.filter(|c| *c > 0.0);
    Ok(value("exponent")?.map(|exponent| Fit { exponent, interval: low.zip(high), coefficient_ns }))
}

fn draw_series(frame: &mut Frame, series: &Series, name: &str, unit: TimeUnit) {
    let Style { color, dash, .. } = style(series.variant);
    let group = format!("variant-{}", series.variant);
    let points = &series.points;
    let in_unit = |ns: f64| ns / unit.nanoseconds;
    if let Some((xs, times)) = series.fit.and_then(|fit| fit_line(&fit, points)) {
        frame.traces.push(
            Scatter::new(xs, times.into_iter().map(in_unit).collect())
                .mode(Mode::Lines)
                .line(Line::new().color(color).dash(dash).width(2.0))
                .hover_info(HoverInfo::Skip)
                .legend_group(&group)
                .show_legend(false),
        );
    }
    let bars: Vec<Whisker> = points
        .iter()
        .filter_map(|p| p.interval.map(|(low, high)| Whisker { place: p.x, low: in_unit(low), high: in_unit(high) }))
        .collect();
    if !bars.is_empty() {
        frame.traces.push(whiskers(Direction::Vertical, &bars, color, &group));
    }
    let told: Vec<String> = points
        .iter()
        .map(|p| {
            let time = |ns: f64| significant(in_unit(ns), 4);
            let interval =
                p.interval.map_or_else(String::new, |(low, high)| format!(" [{}, {}]", time(low), time(high)));
            format!("{}<br>size {}<br>{}{interval} {}", line(name), significant(p.x, 6), time(p.time_ns), unit.symbol)
        })
        .collect();
    let drawn = Marks {
        style: style(series.variant),
        group: &group,
        size: 9,
        places: points.iter().map(|p| p.x).collect(),
        values: points.iter().map(|p| in_unit(p.time_ns)).collect(),
        told,
        legend: legend_text(name, series.fit.as_ref()),
        with_line: series.fit.is_some(),
    };
    marks(frame, drawn);
}

/// `flash: n^1.93 [1.88, 1.98]`
fn legend_text(name: &str, fit: Option<&Fit>) -> String {
    let name = label(name);
    match fit {
        None => format!("{name}: no fit"),
        Some(Fit { exponent, interval: None, .. }) => format!("{name}: n^{}", fixed(*exponent, 2.0)),
        Some(Fit { exponent, interval: Some((low, high)), .. }) => {
            // A narrow interval gets the decimals that tell its ends apart.
            let decimals = (-(high - low).abs().log10().floor()).clamp(2.0, 5.0);
            format!("{name}: n^{} [{}, {}]", fixed(*exponent, decimals), fixed(*low, decimals), fixed(*high, decimals))
        }
    }
}

/// Two ends of the fitted line over the sizes of the points; none where there is one size only.
fn fit_line(fit: &Fit, points: &[Point]) -> Option<(Vec<f64>, Vec<f64>)> {
    let (first, last) = (points.first()?.x, points.last()?.x);
    if first == last {
        return None;
    }
    let log_coefficient = fit.coefficient_ns.map_or_else(
        || points.iter().map(|p| p.time_ns.ln() - fit.exponent * p.x.ln()).sum::<f64>() / points.len() as f64,
        f64::ln,
    );
    let xs = vec![first, last];
    let times: Vec<f64> = xs.iter().map(|x| (log_coefficient + fit.exponent * x.ln()).exp()).collect();
    times.iter().all(|t| t.is_finite() && *t > 0.0).then_some((xs, times))
}

fn size_axis(series: &[Series], x_name: Option<&str>) -> Axis {
    let mut sizes: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|p| p.x).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    let (low, high) = (sizes[0], sizes[sizes.len() - 1]);
    let title =
        format!("{} (log scale)", x_name.map_or_else(|| "size n".to_owned(), |name| format!("n = {}", label(name))));
    let axis = value_axis(&title, low, high, true);
    // Each measured size is named, unless they would run into each other.
    let apart = sizes.windows(2).all(|w| (w[1] / w[0]).log10() >= (high / low).log10() / 20.0);
    if sizes.len() > NAMED_SIZES || !apart {
        return axis;
    }
    let names = sizes.iter().map(|x| significant(*x, 6)).collect();
    axis.tick_values(sizes).tick_text(names)
}

fn time_axis(series: &[Series], unit: TimeUnit) -> Axis {
    let points = series.iter().flat_map(|s| {
        s.points.iter().flat_map(|p| [Some(p.time_ns), p.interval.map(|i| i.0), p.interval.map(|i| i.1)])
    });
    let lines = series
        .iter()
        .filter_map(|s| fit_line(s.fit.as_ref()?, &s.points))
        .flat_map(|(_, times)| times.into_iter().map(Some));
    let (low, high) = points
        .chain(lines)
        .flatten()
        .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), t| (low.min(t), high.max(t)));
    frame::time_axis(unit, low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legend_has_exponent_and_interval() {
        let fit = Fit { exponent: 1.93, interval: Some((1.88, 1.98)), coefficient_ns: None };
        assert_eq!(legend_text("flash", Some(&fit)), "flash: n^1.93 [1.88, 1.98]");
        let narrow = Fit { interval: Some((1.9291, 1.9312)), ..fit };
        assert_eq!(legend_text("flash", Some(&narrow)), "flash: n^1.930 [1.929, 1.931]");
        assert_eq!(legend_text("flash", Some(&Fit { interval: None, ..fit })), "flash: n^1.93");
        assert_eq!(legend_text("flash", None), "flash: no fit");
    }

    #[test]
    fn line_without_coefficient_goes_through_the_centre() {
        let point = |x, time_ns| Point { x, time_ns, interval: None };
        let points = [point(10.0, 100.0), point(1000.0, 1e6)];
        let fit = Fit { exponent: 1.0, interval: None, coefficient_ns: None };
        let (xs, times) = fit_line(&fit, &points).expect("two sizes make a line");
        assert_eq!(xs, [10.0, 1000.0]);
        // Centre: x = 100, t = 10⁴; slope 1 gives 10³ and 10⁵ at the ends.
        for (time, expected) in times.iter().zip([1e3, 1e5]) {
            assert!((time / expected - 1.0).abs() < 1e-12, "{time}");
        }
        assert!(fit_line(&fit, &points[..1]).is_none());
        let wild = Fit { exponent: 1e6, ..fit };
        assert!(fit_line(&wild, &points).is_none(), "a line that overflows is not drawn");
    }
}
