//! A space that was measured in full once: what a search would have found there, and how far that is from the best.

use std::collections::HashMap;

use crate::{Axis, Domain, Error, Method, Observation, Result, Scale, Search, Space, Value};

/// Every point of a space with its loss.
///
/// As text it is CSV without quotes: a header, and a line for each point. The last column is the loss, above zero, and empty
/// where the point failed; the others are axes. One whose values are all whole numbers has them in their order.
#[derive(Debug, Clone)]
pub struct Table {
    /// Of a numeric axis the number of the value in its order, of another that of the choice.
    space: Space,
    /// Of each point, by the numbers of its values.
    losses: HashMap<Vec<usize>, Option<f64>>,
    least: f64,
}

/// The program of a rival, for a Python that has Optuna: searches by its TPE in a table. Its arguments are the path of the table, as
/// [`Table::read`] takes it, how many tries a search has, and how many searches; it prints of each, in a line, what [`Regret::read`] takes.
pub const OPTUNA: &str = include_str!("optuna_search.py");

/// How far the best of what was tried is from the best there is, after each try.
#[derive(Debug, Clone, PartialEq)]
pub struct Regret {
    /// As a share of the least loss; infinite while nothing worked.
    pub curve: Vec<f64>,
}

impl Regret {
    /// Reads a regret: numbers with blanks between them, `inf` while nothing worked. Nothing where it is none.
    pub fn read(line: &str) -> Option<Self> {
        let curve: Option<Vec<f64>> = line.split_whitespace().map(|number| number.parse().ok()).collect();
        curve.filter(|curve| !curve.is_empty()).map(|curve| Self { curve })
    }

    /// How many tries it took to come so near.
    pub fn reached(&self, share: f64) -> Option<usize> {
        self.curve.iter().position(|regret| *regret <= share).map(|index| index + 1)
    }
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// [`Error::Table`] with the line for text that is none, for a point that stands twice or is missing, and where nothing
    /// worked; what [`Space::new`] says of axes.
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |line: usize, reason: String| Error::Table { line, reason };
        let lines =
            || text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.is_empty());
        let Some((first, header)) = lines().next() else {
            return Err(wrong(1, "is missing: give a header and a line for each point".into()));
        };
        let mut names: Vec<&str> = header.split(',').map(str::trim).collect();
        if names.pop().is_none_or(str::is_empty) || names.is_empty() {
            return Err(wrong(
                first,
                "names no axis beside the loss: give a column for each axis, and the loss last".into(),
            ));
        }
        let mut rows: Vec<(usize, Vec<&str>, Option<f64>)> = Vec::new();
        for (line, text) in lines().skip(1) {
            let mut cells: Vec<&str> = text.split(',').map(str::trim).collect();
            let loss = cells.pop().unwrap_or_default();
            if cells.len() != names.len() {
                let reason = format!("has {} columns, the header {}", cells.len() + 1, names.len() + 1);
                return Err(wrong(line, reason));
            }
            let loss = match (loss, loss.parse::<f64>()) {
                ("", _) => None,
                (_, Ok(loss)) if loss > 0.0 && loss.is_finite() => Some(loss),
                _ => return Err(wrong(line, format!("has the loss `{loss}`: give a number above zero, or nothing"))),
            };
            rows.push((line, cells, loss));
        }
        let values: Vec<Vec<&str>> = (0..names.len()).map(|axis| levels(rows.iter().map(|row| row.1[axis]))).collect();
        let axes = names.iter().zip(&values).map(|(name, values)| {
            let numeric = values.iter().all(|value| value.parse::<i64>().is_ok());
            let most = i64::try_from(values.len()).unwrap_or(i64::MAX) - 1;
            let domain = match numeric && most >= 0 {
                true => Domain::Integers { least: 0, most, scale: Scale::Linear },
                false => Domain::Choices(values.len()),
            };
            Axis { name: (*name).to_owned(), domain }
        });
        let mut losses = HashMap::new();
        for (line, cells, loss) in &rows {
            let place = |(cell, values): (&&str, &Vec<&str>)| values.iter().position(|value| value == cell);
            let point: Vec<usize> = cells.iter().zip(&values).filter_map(place).collect();
            if losses.insert(point, *loss).is_some() {
                return Err(wrong(*line, "has a point that stands above it already: leave one of them out".into()));
            }
        }
        let space = Space::new(axes.collect())?;
        let last = rows.last().map_or(first, |row| row.0);
        if space.points() != Some(losses.len() as u64) {
            let points = space.points().map_or_else(|| "more".to_owned(), |points| points.to_string());
            let reason = format!("is the last of {} points, the axes have {points}: measure all of them", losses.len());
            return Err(wrong(last, reason));
        }
        let Some(least) = losses.values().flatten().copied().reduce(f64::min) else {
            return Err(wrong(last, "ends a table in which nothing worked: measure again".into()));
        };
        Ok(Self { space, losses, least })
    }

    /// Its space, each axis by the numbers of its values.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// How many points it has.
    pub fn points(&self) -> usize {
        self.losses.len()
    }

    /// What was measured at a point.
    pub fn observed(&self, point: &[Value]) -> Observation {
        let number = |value: &Value| match *value {
            Value::Int(value) => usize::try_from(value).unwrap_or(usize::MAX),
            Value::Choice(value) => value,
            Value::Float(_) => usize::MAX,
        };
        let numbers: Vec<usize> = point.iter().map(number).collect();
        match self.losses.get(&numbers).copied().flatten() {
            Some(loss) => Observation { point: point.to_vec(), loss: Some(loss), excess: 0.0 },
            None => Observation::failed(point.to_vec()),
        }
    }

    /// What a search by this method would have tried in it, one point after another.
    pub fn search(&self, method: Method, seed: u64, earlier: &[Observation], count: usize) -> Vec<Observation> {
        let search = Search { space: self.space.clone(), method, seed, batch: 1 };
        search.run(earlier, count, |point| self.observed(&point))
    }

    /// The regret of tries.
    pub fn regret(&self, seen: &[Observation]) -> Regret {
        let mut least = f64::INFINITY;
        let curve = seen.iter().map(|one| {
            least = least.min(one.met().unwrap_or(f64::INFINITY));
            least / self.least - 1.0
        });
        Regret { curve: curve.collect() }
    }
}

/// The different values of a column: whole numbers in their order, others as they come.
fn levels<'a>(cells: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut values: Vec<&str> = Vec::new();
    for cell in cells {
        if !values.contains(&cell) {
            values.push(cell);
        }
    }
    if values.iter().all(|value| value.parse::<i64>().is_ok()) {
        values.sort_by_key(|value| value.parse::<i64>().unwrap_or_default());
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "depth,form,time_ns\n64,a,4\n256,a,2\n128,a,8\n64,b,\n128,b,3\n256,b,6\n";

    #[test]
    fn it_is_read_as_it_was_measured() {
        let table = Table::read(TEXT).unwrap();
        assert_eq!((table.points(), table.space().points()), (6, Some(6)));
        let loss = |depth: i64, form: usize| table.observed(&[Value::Int(depth), Value::Choice(form)]).loss;
        // 64, 128, 256 by their order, not by their lines.
        assert_eq!(
            [loss(0, 0), loss(1, 0), loss(2, 0), loss(0, 1), loss(1, 1)].map(|loss| loss.unwrap_or(0.0)),
            [4.0, 8.0, 2.0, 0.0, 3.0]
        );
        assert!(table.observed(&[Value::Int(9), Value::Choice(0)]).loss.is_none());
    }

    #[test]
    fn regret_is_the_share_above_the_best() {
        let table = Table::read(TEXT).unwrap();
        let seen = [(0, 1), (1, 1), (1, 0), (2, 0)]
            .map(|(depth, form)| table.observed(&[Value::Int(depth), Value::Choice(form)]));
        let regret = table.regret(&seen);
        assert_eq!(regret.curve, [f64::INFINITY, 0.5, 0.5, 0.0]);
        assert_eq!(
            [regret.reached(0.5), regret.reached(0.02), table.regret(&[]).reached(0.02)],
            [Some(2), Some(4), None]
        );
        assert_eq!(Regret::read("inf 0.5 0.5 0.0\n"), Some(regret));
        assert_eq!(["", "0.5 none", "unavailable: no optuna"].map(Regret::read), [None, None, None]);
    }

    #[test]
    fn every_method_finds_the_best_of_a_table_that_it_tries_in_full() {
        let table = Table::read(TEXT).unwrap();
        for method in Method::ALL {
            let seen = table.search(method, 5, &[], 100);
            assert_eq!(seen.len(), 6, "no point is tried twice");
            assert_eq!(table.regret(&seen).curve.last(), Some(&0.0));
        }
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, line, part) in [
            ("", 1, "give a header"),
            ("time_ns\n1\n", 1, "names no axis"),
            ("a,\n1,2\n", 1, "names no axis"),
            ("a,ns\n1,2\n2\n", 3, "has 1 columns, the header 2"),
            ("a,ns\n1,2\n2,fast\n", 3, "the loss `fast`"),
            ("a,ns\n1,2\n2,-1\n", 3, "above zero"),
            ("a,ns\n1,2\n2,nan\n", 3, "above zero"),
            ("a,ns\n1,2\n1,3\n", 3, "stands above it"),
            ("a,b,ns\n1,1,2\n2,2,3\n", 3, "the axes have 4"),
            ("a,ns\n1,\n2,\n", 3, "nothing worked"),
        ] {
            let told = Table::read(text).unwrap_err();
            assert!(matches!(&told, Error::Table { line: at, .. } if *at == line), "{text:?}: {told}");
            assert!(told.to_string().contains(part), "{text:?}: {told}");
        }
        assert_eq!(Table::read("a,ns\n1,2\n").unwrap_err(), Error::EmptySpace);
        assert!(Table::read("a,ns\n").is_err());
    }
}
