//! Speed over the operations for each byte on log–log axes, below the roofs that were measured.

use arrow::array::RecordBatch;
use plotly::Scatter;
use plotly::common::{HoverInfo, Line, Marker, Mode};

use super::columns::Columns;
use super::error::Result;
use super::figure::Figure;
use super::frame::{Frame, no_data, value_axis};
use super::palette::{RULE, Style, style};
use super::text::{counted, label, line, significant};

const TITLE: &str = "Roofline";
/// Workloads that are roofs themselves: what they reach are the lines.
const ROOFS: [&str; 5] = ["fma", "read", "copy", "exp2", "int8-dot"];
/// By how much axes go on beyond what stands on them.
const ROOM: f64 = 1.5;
const MIB: f64 = 1_048_576.0;

/// A variant on a case.
struct Point {
    variant: usize,
    /// Operations for each byte.
    intensity: f64,
    /// Operations in a nanosecond.
    rate: f64,
    told: String,
}

/// What no variant can exceed.
#[derive(Debug, PartialEq)]
struct Roof {
    name: String,
    /// Operations in a nanosecond, or bytes.
    rate: f64,
}

/// Draws how many operations a second variants reach over how many they make for each byte, both on log axes, below the roofs:
/// operations of a kind are a level line, and bytes of a memory a rising one (Williams et al., Roofline, CACM 52(4), 2009).
///
/// Columns are those of the named query `roofline`: `workload` and `variant` (text), `flops_a_byte`, `gflops`, `peak_gflops` and
/// `memory_gb_s` (numbers), and optionally `case_name` (text), `int8_gops`, `peak_int8_gops`, `memory_bytes` (the buffer whose reads
/// are the roof) and `of_the_roof` (numbers). One row a point. Roofs that are NULL are not drawn; workloads that are roofs are no
/// points; a row that a log axis cannot show, such as one of no operations, is left out and counted in the figure. Nothing
/// hangs on colour: each variant has a symbol, and each roof a dash and its number.
///
/// # Errors
/// A column is missing or has the wrong type.
pub fn roofline(batches: &[RecordBatch]) -> Result<Figure> {
    let columns = Columns::new("roofline", batches);
    if columns.is_nothing() {
        return no_data(TITLE, "there are no variants");
    }
    let variants = columns.names("variant")?;
    let (points, left_out) = points(&columns)?;
    let (ceilings, slopes) = (ceilings(&columns)?, slopes(&columns)?);
    if points.is_empty() {
        return no_data(TITLE, &format!("{}, none that a log axis can show", counted(left_out, "variant")));
    }

    let mut frame = Frame::new(TITLE);
    frame.notes.push("point: a variant on a case · lines: the roofs that were measured".to_owned());
    if left_out > 0 {
        frame.notes.push(format!("{} left out: no operations or bytes, or no time", counted(left_out, "row")));
    }
    frame.plot_px = 400.0;
    let ridges = ceilings.iter().flat_map(|top| slopes.iter().map(move |slope| top.rate / slope.rate));
    let across = extent(points.iter().map(|point| point.intensity).chain(ridges));
    let lines = lines(&ceilings, &slopes, across);
    let up = extent(points.iter().map(|point| point.rate).chain(lines.iter().flat_map(|(_, [_, rates])| *rates)));
    for (place, (name, [over, rates])) in lines.iter().enumerate() {
        frame.traces.push(
            Scatter::new(over.to_vec(), rates.to_vec())
                .mode(Mode::Lines)
                .line(Line::new().color(RULE).dash(style(place).dash).width(2.0))
                .name(name)
                .hover_info(HoverInfo::Skip)
                .show_legend(true),
        );
    }
    let mut entries = lines.len();
    for (variant, name) in variants.distinct.iter().enumerate() {
        let mine = || points.iter().filter(|point| point.variant == variant);
        if mine().next().is_none() {
            continue;
        }
        entries += 1;
        let Style { color, symbol, .. } = style(variant);
        frame.traces.push(
            Scatter::new(mine().map(|point| point.intensity).collect(), mine().map(|point| point.rate).collect())
                .mode(Mode::Markers)
                .marker(Marker::new().symbol(symbol).size(9).color(color))
                .name(label(name))
                .hover_text_array(mine().map(|point| point.told.clone()).collect::<Vec<String>>())
                .hover_info(HoverInfo::Text)
                .show_legend(true),
        );
    }
    frame.legend_rows = entries.div_ceil(2);
    frame
        .axes
        .push(("xaxis".to_owned(), value_axis("operations for each byte (log scale)", across[0], across[1], true)));
    frame.axes.push(("yaxis".to_owned(), value_axis("G operations/s (log scale)", up[0], up[1], true)));
    frame.figure()
}

/// The rows that are no roofs and can be drawn, and how many of them cannot.
fn points(columns: &Columns<'_>) -> Result<(Vec<Point>, usize)> {
    let [workloads, variants] = [columns.names("workload")?, columns.names("variant")?];
    let cases = columns.optional_names("case_name")?;
    let [intensities, flops] = [columns.numbers("flops_a_byte")?, columns.numbers("gflops")?];
    let [whole, shares] = [columns.optional_numbers("int8_gops")?, columns.optional_numbers("of_the_roof")?];
    let of = |numbers: &Option<Vec<Option<f64>>>, row: usize| numbers.as_ref().and_then(|numbers| numbers[row]);
    let (mut points, mut left_out) = (Vec::new(), 0);
    for row in 0..intensities.len() {
        if ROOFS.contains(&workloads.of(row)) {
            continue;
        }
        let rate = flops[row].unwrap_or(0.0) + of(&whole, row).unwrap_or(0.0);
        let (Some(intensity), Some(rate)) = (drawable(intensities[row]), drawable(Some(rate))) else {
            left_out += 1;
            continue;
        };
        let case = cases.as_ref().map_or_else(String::new, |cases| format!(" {}", line(cases.of(row))));
        let share = drawable(of(&shares, row))
            .map_or_else(String::new, |share| format!("<br>{} &#37; of the roof", significant(100.0 * share, 3)));
        let told = format!(
            "{}<br>{}{case}<br>{} G operations/s, {} for each byte{share}",
            line(variants.of(row)),
            line(workloads.of(row)),
            significant(rate, 4),
            significant(intensity, 3),
        );
        points.push(Point { variant: variants.of_row[row], intensity, rate, told });
    }
    Ok((points, left_out))
}

/// The highest rate of each kind of operations.
fn ceilings(columns: &Columns<'_>) -> Result<Vec<Roof>> {
    let most = |column: &str| -> Result<Option<f64>> {
        let numbers = columns.optional_numbers(column)?.unwrap_or_default();
        Ok(numbers.into_iter().filter_map(drawable).reduce(f64::max))
    };
    let kinds = [("f32", most("peak_gflops")?), ("bytes added up", most("peak_int8_gops")?)];
    let roof = |(kind, rate): (&str, Option<f64>)| {
        let rate = rate?;
        Some(Roof { name: format!("{kind}: {} G operations/s", significant(rate, 3)), rate })
    };
    Ok(kinds.into_iter().filter_map(roof).collect())
}

/// The rates of memory, each with the buffer that was read, the smallest first.
fn slopes(columns: &Columns<'_>) -> Result<Vec<Roof>> {
    let rates = columns.numbers("memory_gb_s")?;
    let sizes = columns.optional_numbers("memory_bytes")?.unwrap_or_else(|| vec![None; rates.len()]);
    let mut found: Vec<(Option<f64>, f64)> = Vec::new();
    for (size, rate) in sizes.into_iter().zip(rates) {
        let Some(rate) = drawable(rate) else { continue };
        let one = (drawable(size), rate);
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found.sort_by(|a, b| a.0.unwrap_or(0.0).total_cmp(&b.0.unwrap_or(0.0)).then(a.1.total_cmp(&b.1)));
    let roof = |(size, rate): (Option<f64>, f64)| {
        let of = size.map_or_else(String::new, |size| format!(", {} MiB", significant(size / MIB, 4)));
        Roof { name: format!("memory{of}: {} GB/s", significant(rate, 3)), rate }
    };
    Ok(found.into_iter().map(roof).collect())
}

/// The ends of each roof's line, over and up: memory rises to the highest of the others, which begin where the fastest meets them.
fn lines(ceilings: &[Roof], slopes: &[Roof], [first, last]: [f64; 2]) -> Vec<(String, [[f64; 2]; 2])> {
    let highest = ceilings.iter().map(|roof| roof.rate).reduce(f64::max);
    let fastest = slopes.iter().map(|roof| roof.rate).reduce(f64::max);
    let rising = slopes.iter().map(|roof| {
        let end = highest.map_or(last, |top| (top / roof.rate).min(last));
        (roof.name.clone(), [[first, end], [first * roof.rate, end * roof.rate]])
    });
    let level = ceilings.iter().map(|roof| {
        let start = fastest.map_or(first, |rate| (roof.rate / rate).max(first));
        (roof.name.clone(), [[start, last], [roof.rate; 2]])
    });
    rising.chain(level).collect()
}

/// The least and the most of some numbers, with room on both sides.
fn extent(numbers: impl Iterator<Item = f64>) -> [f64; 2] {
    let ends = numbers.fold([f64::INFINITY, 0.0], |[low, high]: [f64; 2], x| [low.min(x), high.max(x)]);
    [ends[0] / ROOM, ends[1] * ROOM]
}

/// A number that a log axis can show.
fn drawable(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite() && *number > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roofs_meet_where_memory_is_as_fast_as_arithmetic() {
        let of = |name: &str, rate: f64| Roof { name: name.to_owned(), rate };
        let drawn = lines(&[of("f32", 200.0), of("bytes", 800.0)], &[of("far", 20.0), of("near", 100.0)], [0.1, 60.0]);
        let ends = |name: &str| drawn.iter().find(|(of, _)| of == name).expect("a line").1;
        assert_eq!(ends("far"), [[0.1, 40.0], [2.0, 800.0]], "up to the highest");
        assert_eq!(ends("near"), [[0.1, 8.0], [10.0, 800.0]]);
        assert_eq!(ends("f32"), [[2.0, 60.0], [200.0; 2]], "from the fastest memory on");
        assert_eq!(lines(&[], &[of("far", 20.0)], [1.0, 2.0])[0].1, [[1.0, 2.0], [20.0, 40.0]]);
        assert_eq!(lines(&[of("f32", 200.0)], &[], [1.0, 2.0])[0].1, [[1.0, 2.0], [200.0; 2]]);
    }
}
