//! Optimizations by the names that people have for them, a row for what stands for each and a column for each model.

use std::fmt::Write as _;

use benchbook_core::counted;
use benchbook_query::Answer;

use crate::html::escaped;
use crate::row::{Row, rows};
use crate::text::{Cells, duration, number};

/// The class of a table whose columns are all to be seen at once: its cells break into lines.
pub const FITS: &str = "benchbook-fits";

/// What a cell says where nobody asked for it.
pub const ABSENT: &str = "–";

/// The column of what stands for an optimization.
const BY: &str = "technique or command";

/// What a command has that searches a model, or closes a loop around it: what it finds is a cell of that model.
const OF_A_MODEL: &str = " --model ";

/// The cells of the table, of the rows of the named queries `optimizations`, `matrix` and `adaptive`; `across` gives the column of a cell
/// of the matrix.
pub fn optimized(
    optimizations: &Answer,
    matrix: &Answer,
    adaptive: &Answer,
    across: impl Fn(&Row<'_>) -> Option<String>,
) -> Cells {
    let mut models: Vec<String> = Vec::new();
    let searched = rows(adaptive).filter_map(|row| row.text("model"));
    for model in rows(matrix).filter_map(|row| across(&row)).chain(searched) {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    let row = |row: Row<'_>| -> Vec<String> {
        let technique = row.text("technique");
        let by = technique.clone().unwrap_or_else(|| elsewhere(&row));
        let searches = row.text("command").is_some_and(|command| command.contains(OF_A_MODEL));
        let of = |model: &String| -> String {
            if searches {
                return found(adaptive, row.text("optimization").as_deref(), model);
            }
            let is_of = |cell: &Row<'_>| cell.text("technique") == technique && across(cell).as_ref() == Some(model);
            let found = technique.as_ref().and_then(|_| rows(matrix).find(is_of));
            found.map_or_else(|| ABSENT.to_owned(), |cell| told(&cell))
        };
        let cells = models.iter().map(of);
        [row.text("optimization").unwrap_or_default(), by].into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = rows(optimizations).map(row).collect();
    let header: Vec<String> = ["optimization", BY].map(str::to_owned).into_iter().chain(models.clone()).collect();
    Cells { numeric: vec![false; header.len()], header, rows }
}

/// The commands that measure what is no technique of a model, and what searches and loops have not yet found of one: to be opened and
/// copied, by their optimization, each once.
pub fn commands(optimizations: &Answer, adaptive: &Answer) -> String {
    let mut by_name: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows(optimizations).chain(rows(adaptive)) {
        let (Some(name), Some(command)) = (row.text("optimization"), row.text("command")) else { continue };
        match by_name.iter_mut().find(|(known, _)| *known == name) {
            Some((_, commands)) if commands.contains(&command) => {}
            Some((_, commands)) => commands.push(command),
            None => by_name.push((name, vec![command])),
        }
    }
    if by_name.is_empty() {
        return String::new();
    }
    let mut html = String::from("<h3>Commands for what is not measured yet, or elsewhere</h3>\n");
    for (name, commands) in by_name {
        let count = counted(commands.len(), "command");
        // Writing to a String cannot fail.
        let _ = writeln!(html, "<details><summary>{}: {count}</summary>", escaped(&name));
        for command in commands {
            let _ = writeln!(html, "<pre>{}</pre>", escaped(&command));
        }
        html += "</details>\n";
    }
    html
}

/// The best setting that searches and loops have found for an optimization of a model.
fn found(adaptive: &Answer, optimization: Option<&str>, model: &str) -> String {
    let is_of = |row: &Row<'_>| {
        row.text("optimization").as_deref() == optimization
            && row.text("model").as_deref() == Some(model)
            && row.integer("place").is_none_or(|place| place == 1)
    };
    let best = rows(adaptive).filter(is_of).max_by(|one, other| {
        let speedup = |row: &Row<'_>| row.float("speedup").unwrap_or(f64::NEG_INFINITY);
        speedup(one).total_cmp(&speedup(other))
    });
    let Some(row) = best else { return ABSENT.to_owned() };
    let word = |name: &str| row.text(name);
    if word("command").is_some() {
        return "not measured".to_owned();
    }
    let beside = word("baseline").and_then(|baseline| Some(format!("{} beside {baseline}", judged(&row)?)));
    let time = || {
        let [low, high] = ["low_ns", "high_ns"].map(|end| row.float(end).map(duration));
        let within = low.zip(high).map(|(low, high)| format!(" ({low} to {high})")).unwrap_or_default();
        Some(format!("{}{within}", duration(row.float("median_ns")?)))
    };
    let figure = beside.or_else(time).unwrap_or_else(|| "no usable sample".to_owned());
    let setting = [word("variant"), word("case_name").filter(|_| word("baseline").is_none())];
    let setting: Vec<String> = setting.into_iter().flatten().collect();
    format!("{figure}\n{}", setting.join(" on "))
}

/// Which command measures something that is no technique of a model, by its first two words, how often it has, and what came of it
/// where it stands beside something.
fn elsewhere(row: &Row<'_>) -> String {
    let command = row.text("command").unwrap_or_default();
    let name = command.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let runs = match row.integer("runs") {
        None | Some(0) => "no run yet".to_owned(),
        Some(1) => "1 run".to_owned(),
        Some(runs) => format!("{runs} runs"),
    };
    let beside = row.text("beside").and_then(|beside| Some(format!("{} beside {beside}", judged(row)?)));
    [name, runs].into_iter().chain(beside).collect::<Vec<_>>().join("\n")
}

/// A cell in a few lines: its verdict, `2.1× (2 to 2.2)`, `0.26 of the memory`, `answers move by 0.1 nats`; or what it is instead.
fn told(cell: &Row<'_>) -> String {
    let word = |name: &str| cell.text(name);
    match word("cell").as_deref() {
        Some("measured") => {
            let parts: Vec<String> = judged(cell).into_iter().chain(cost(cell, word("quality"))).collect();
            if parts.is_empty() { "measured".to_owned() } else { parts.join("\n") }
        }
        Some(other) => other.to_owned(),
        None => ABSENT.to_owned(),
    }
}

/// The verdict, where there is one, and under it how much faster.
fn judged(cell: &Row<'_>) -> Option<String> {
    let speed = speed(cell)?;
    Some(match cell.text("said") {
        Some(said) => format!("{said}\n{speed}"),
        None => speed,
    })
}

/// How much faster, with the 95 % interval where there is one: `2.1× (2 to 2.2)`.
pub fn speed(cell: &Row<'_>) -> Option<String> {
    let speedup = rounded(cell.float("speedup")?);
    Some(match (cell.float("low"), cell.float("high")) {
        (Some(low), Some(high)) => format!("{speedup}× ({} to {})", rounded(low), rounded(high)),
        _ => format!("{speedup}×"),
    })
}

/// What remains of the memory, and of the energy where that was read, and what it costs: `quality` where it is known, else how far
/// answers move.
pub fn cost(cell: &Row<'_>, quality: Option<String>) -> Vec<String> {
    let memory = share(cell, "memory_ratio").map(|share| format!("{share} of the memory"));
    let energy = share(cell, "energy_ratio").map(|share| format!("{share} of the energy"));
    let quality = quality.map(|quality| format!("quality {quality}"));
    memory.into_iter().chain(energy).chain(quality.or_else(|| moved(cell))).collect()
}

/// A share of what the model as it is takes.
pub fn share(cell: &Row<'_>, name: &str) -> Option<String> {
    cell.float(name).map(rounded)
}

/// How far answers move from those of the model as it is.
pub fn moved(cell: &Row<'_>) -> Option<String> {
    cell.float("kl_divergence").map(|nats| format!("answers move by {} nats", rounded(nats)))
}

/// Two decimals, of a small number two digits.
fn rounded(value: f64) -> String {
    let places =
        if value != 0.0 && value.abs() < 0.01 { 10_f64.powf(1.0 - value.abs().log10().floor()) } else { 100.0 };
    number((value * places).round() / places)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

    use super::*;

    fn words(words: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(words.to_vec()))
    }

    fn floats(numbers: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(numbers.to_vec()))
    }

    fn answer(columns: Vec<(&str, ArrayRef)>) -> Answer {
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap().into()
    }

    #[test]
    fn each_optimization_has_a_row_for_what_stands_for_it() {
        let runs: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(0), Some(3)]));
        let optimizations = answer(vec![
            ("optimization", words(&[Some("sparse networks"), Some("feedback"), Some("feedback")])),
            ("technique", words(&[Some("2of4"), None, None])),
            ("command", words(&[None, Some("benchbook feedback a"), Some("benchbook feedback b")])),
            ("runs", runs),
            ("beside", words(&[None, Some("usual"), Some("usual")])),
            ("said", words(&[None, None, Some("faster")])),
            ("speedup", floats(&[Some(3.0), None, Some(1.5)])),
            ("low", floats(&[None, None, Some(1.4)])),
            ("high", floats(&[None, None, Some(1.6)])),
        ]);
        let matrix = answer(vec![
            ("model", words(&[Some("a"), Some("b"), Some("c")])),
            ("technique", words(&[Some("2of4"), Some("2of4"), Some("int8")])),
            ("cell", words(&[Some("measured"), Some("not here"), Some("measured")])),
            ("said", words(&[Some("faster"), None, None])),
            ("speedup", floats(&[Some(2.104), None, Some(1.0)])),
            ("low", floats(&[Some(2.0), None, None])),
            ("high", floats(&[Some(2.2), None, None])),
            ("memory_ratio", floats(&[Some(0.55), None, None])),
            ("kl_divergence", floats(&[Some(0.001_23), None, None])),
        ]);
        let nothing = answer(vec![("model", words(&[]))]);
        let cells = optimized(&optimizations, &matrix, &nothing, |row| row.text("model"));
        assert_eq!(cells.header, ["optimization", BY, "a", "b", "c"]);
        let measured = "faster\n2.1× (2 to 2.2)\n0.55 of the memory\nanswers move by 0.0012 nats";
        assert_eq!(cells.rows[0], ["sparse networks", "2of4", measured, "not here", "–"]);
        assert_eq!(cells.rows[1][1..3], ["benchbook feedback\nno run yet", "–"]);
        assert_eq!(cells.rows[2][1], "benchbook feedback\n3 runs\nfaster\n1.5× (1.4 to 1.6) beside usual");
        let empty = optimized(&optimizations, &nothing, &nothing, |row| row.text("model"));
        assert_eq!((empty.rows.len(), empty.header.len()), (3, 2), "what there is none of has a row too");
    }

    #[test]
    fn what_was_found_is_a_cell_of_its_model_and_what_was_not_says_what_finds_it() {
        let optimizations = answer(vec![
            ("optimization", words(&[Some("tuning"), Some("search")])),
            ("technique", words(&[None, None])),
            ("command", words(&[Some("benchbook tune --model a"), Some("benchbook tune --model a --set layers=1,2")])),
        ]);
        let places: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(1), None]));
        let adaptive = answer(vec![
            ("model", words(&[Some("a"), Some("a"), Some("b"), Some("a")])),
            ("optimization", words(&[Some("tuning"), Some("tuning"), Some("search"), Some("search")])),
            ("place", places),
            ("case_name", words(&[Some("a l1"), Some("a l1"), Some("b l2"), None])),
            ("variant", words(&[Some("plain"), Some("int8"), Some("nf4"), None])),
            ("baseline", words(&[None, Some("plain"), None, None])),
            ("speedup", floats(&[None, Some(2.0), None, None])),
            ("low", floats(&[None, Some(1.9), None, None])),
            ("high", floats(&[None, Some(2.1), None, None])),
            ("said", words(&[None, Some("faster"), None, None])),
            ("median_ns", floats(&[Some(2e6), Some(1e6), Some(3e6), None])),
            ("low_ns", floats(&[Some(2e6), Some(1e6), Some(2e6), None])),
            ("high_ns", floats(&[Some(2e6), Some(1e6), Some(4e6), None])),
            ("command", words(&[None, None, None, Some("benchbook tune --model a --set layers=1,2")])),
        ]);
        let matrix = answer(vec![("model", words(&[Some("a")])), ("technique", words(&[Some("int8")]))]);
        let cells = optimized(&optimizations, &matrix, &adaptive, |row| row.text("model"));
        assert_eq!(cells.header, ["optimization", BY, "a", "b"]);
        assert_eq!(cells.rows[0][2..], ["faster\n2× (1.9 to 2.1) beside plain\nint8", "–"]);
        let [low, median, high] = [2e6, 3e6, 4e6].map(duration);
        let timed = format!("{median} ({low} to {high})\nnf4 on b l2");
        assert_eq!(cells.rows[1][2..], ["not measured", timed.as_str()]);
        let copied = commands(&optimizations, &adaptive);
        let search =
            "<summary>search: 1 command</summary>\n<pre>benchbook tune --model a --set layers=1,2</pre>\n</details>";
        assert!(copied.contains(search), "what two rows say stands once: {copied}");
    }

    #[test]
    fn quality_stands_in_the_place_of_what_seeded_weights_say() {
        let matrix = answer(vec![
            ("quality", words(&[Some("kept"), None])),
            ("kl_divergence", floats(&[Some(0.25); 2])),
            ("energy_ratio", floats(&[None, Some(0.804)])),
        ]);
        let told: Vec<Vec<String>> = rows(&matrix).map(|row| cost(&row, row.text("quality"))).collect();
        assert_eq!(told, [vec!["quality kept"], vec!["0.8 of the energy", "answers move by 0.25 nats"]]);
    }
}
