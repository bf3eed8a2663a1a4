//! Named columns out of record batches, whatever width their numbers and kind their strings have.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use super::error::{Error, Result};
use super::order::natural;

/// What stands where a name is NULL or empty.
const UNNAMED: &str = "(no name)";

/// The columns of the batches of one figure.
pub(crate) struct Columns<'a> {
    figure: &'static str,
    batches: &'a [RecordBatch],
}

/// A column of names: the distinct ones in order, and for each row the place of its name among them.
pub(crate) struct Names {
    pub distinct: Vec<String>,
    pub of_row: Vec<usize>,
}

impl<'a> Columns<'a> {
    pub fn new(figure: &'static str, batches: &'a [RecordBatch]) -> Self {
        Self { figure, batches }
    }

    /// True without batches: there is no schema to hold against the figure's needs.
    pub fn is_nothing(&self) -> bool {
        self.batches.is_empty()
    }

    pub fn names(&self, column: &str) -> Result<Names> {
        for batch in self.batches {
            let array = self.array(batch, column)?;
            if !is_text(array.data_type()) {
                return Err(self.wrong_type(column, "text", array));
            }
        }
        self.groups(column)
    }

    /// As [`Columns::names`], of a column of any type.
    pub fn groups(&self, column: &str) -> Result<Names> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut distinct: Vec<String> = Vec::new();
        let mut of_row = Vec::new();
        for batch in self.batches {
            let array = cast(self.array(batch, column)?, &DataType::Utf8)?;
            for name in array.as_string::<i32>() {
                let name = name.filter(|n| !n.trim().is_empty()).unwrap_or(UNNAMED);
                let place = seen.get(name).copied().unwrap_or_else(|| {
                    distinct.push(name.to_owned());
                    seen.insert(name.to_owned(), distinct.len() - 1);
                    distinct.len() - 1
                });
                of_row.push(place);
            }
        }
        let names = Names { distinct, of_row };
        // So that a figure does not depend on the order of rows.
        Ok(names.sorted(|a, b| natural(&names.distinct[a], &names.distinct[b])))
    }

    /// The numbers of a column, NULL as `None`; NaN and infinities stay what they are.
    pub fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>> {
        let mut out = Vec::new();
        for batch in self.batches {
            let array = self.array(batch, column)?;
            if !(array.data_type().is_numeric() || array.data_type().is_null()) {
                return Err(self.wrong_type(column, "a number", array));
            }
            let array = cast(array, &DataType::Float64)?;
            out.extend(array.as_primitive::<Float64Type>());
        }
        Ok(out)
    }

    /// As [`Columns::names`]; `None` where no batch has the column.
    pub fn optional_names(&self, column: &str) -> Result<Option<Names>> {
        self.has(column).then(|| self.names(column)).transpose()
    }

    /// The texts of a column, NULL and blank as `None`; `None` where no batch has the column.
    pub fn optional_texts(&self, column: &str) -> Result<Option<Vec<Option<String>>>> {
        let Some(names) = self.optional_names(column)? else { return Ok(None) };
        let text = |place: &usize| Some(names.distinct[*place].clone()).filter(|name| name != UNNAMED);
        Ok(Some(names.of_row.iter().map(text).collect()))
    }

    /// As [`Columns::optional_names`], in the order of the least number that stands in the column `place` beside a name,
    /// and in natural order where there is no such column.
    pub fn placed_names(&self, column: &str, place: &str) -> Result<Option<Names>> {
        let (Some(names), Some(places)) = (self.optional_names(column)?, self.optional_numbers(place)?) else {
            return self.optional_names(column);
        };
        let mut least = vec![f64::INFINITY; names.distinct.len()];
        for (name, place) in names.of_row.iter().zip(places) {
            least[*name] = place.unwrap_or(f64::INFINITY).min(least[*name]);
        }
        Ok(Some(names.sorted(|a, b| least[a].total_cmp(&least[b]))))
    }

    /// As [`Columns::numbers`]; `None` where no batch has the column.
    pub fn optional_numbers(&self, column: &str) -> Result<Option<Vec<Option<f64>>>> {
        self.has(column).then(|| self.numbers(column)).transpose()
    }

    /// Whether every value of a column is a number.
    pub fn is_number(&self, column: &str) -> Result<bool> {
        let arrays = self.batches.iter().map(|batch| self.array(batch, column));
        arrays.map(|array| Ok(array?.data_type().is_numeric())).try_fold(true, |all, one: Result<bool>| Ok(all && one?))
    }

    fn has(&self, column: &str) -> bool {
        self.batches.iter().any(|batch| batch.column_by_name(column).is_some())
    }

    fn array<'b>(&self, batch: &'b RecordBatch, column: &str) -> Result<&'b ArrayRef> {
        batch.column_by_name(column).ok_or_else(|| {
            let found: Vec<&str> = batch.schema_ref().fields().iter().map(|f| f.name().as_str()).collect();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            Error::MissingColumn { figure: self.figure, column: column.to_owned(), found }
        })
    }

    fn wrong_type(&self, column: &str, wanted: &'static str, array: &ArrayRef) -> Error {
        let (column, found) = (column.to_owned(), array.data_type().to_string());
        Error::ColumnType { figure: self.figure, column, wanted, found }
    }
}

impl Names {
    pub fn of(&self, row: usize) -> &str {
        &self.distinct[self.of_row[row]]
    }

    /// The same names in another order, of equal ones as they stand.
    fn sorted(&self, compare: impl Fn(usize, usize) -> Ordering) -> Self {
        let mut order: Vec<usize> = (0..self.distinct.len()).collect();
        order.sort_by(|&a, &b| compare(a, b));
        let mut rank = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            rank[old] = new;
        }
        Self {
            distinct: order.iter().map(|&old| self.distinct[old].clone()).collect(),
            of_row: self.of_row.iter().map(|&old| rank[old]).collect(),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, DictionaryArray, Float64Array, Int32Array, StringArray, StringViewArray};
    use arrow::datatypes::Int8Type;

    use super::*;

    fn batch(column: &str, array: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([(column, array, true)]).expect("one column makes a batch")
    }

    #[test]
    fn every_kind_of_string_is_read() {
        let dictionary: DictionaryArray<Int8Type> = vec![Some("b10"), None, Some("b9")].into_iter().collect();
        let batches = [
            batch("variant", Arc::new(StringArray::from(vec!["b9", " "]))),
            batch("variant", Arc::new(StringViewArray::from(vec!["a"]))),
            batch("variant", Arc::new(dictionary)),
        ];
        let names = Columns::new("distribution", &batches).names("variant").expect("text");
        assert_eq!(names.distinct, ["(no name)", "a", "b9", "b10"]);
        let rows: Vec<&str> = (0..6).map(|row| names.of(row)).collect();
        assert_eq!(rows, ["b9", "(no name)", "a", "b10", "(no name)", "b9"]);
    }

    #[test]
    fn names_stand_where_their_places_say() {
        let places: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), Some(3), None, Some(1)]));
        let names: ArrayRef = Arc::new(StringArray::from(vec!["s64", "s256", "s64", "s512"]));
        let columns = [("case_name", names, true), ("case_place", places, true)];
        let placed = [RecordBatch::try_from_iter_with_nullable(columns).expect("two columns make a batch")];
        let of = |place| Columns::new("speedup", &placed).placed_names("case_name", place).expect("text");
        let names = of("case_place").expect("the column is there");
        assert_eq!(names.distinct, ["s512", "s256", "s64"]);
        assert_eq!((0..4).map(|row| names.of(row)).collect::<Vec<_>>(), ["s64", "s256", "s64", "s512"]);
        assert_eq!(of("no such column").expect("the names are there").distinct, ["s64", "s256", "s512"]);
    }

    #[test]
    fn every_kind_of_number_is_read() {
        let decimal = Decimal128Array::from(vec![Some(150), None]).with_precision_and_scale(5, 2).expect("fits");
        let batches = [
            batch("x", Arc::new(Int32Array::from(vec![Some(1), None]))),
            batch("x", Arc::new(Float64Array::from(vec![f64::INFINITY]))),
            batch("x", Arc::new(decimal)),
        ];
        let numbers = Columns::new("scaling", &batches).numbers("x").expect("numbers");
        assert_eq!(numbers, [Some(1.0), None, Some(f64::INFINITY), Some(1.5), None]);
    }

    #[test]
    fn wrong_and_missing_columns_say_what_to_do() {
        let batches = [batch("variant", Arc::new(Int32Array::from(vec![1])))];
        let columns = Columns::new("distribution", &batches);
        let wrong = columns.names("variant").err().map(|e| e.to_string());
        assert_eq!(
            wrong.as_deref(),
            Some("distribution needs column `variant` as text, found Int32: cast it in the query")
        );
        let missing = columns.numbers("time_ns").err().map(|e| e.to_string());
        assert_eq!(
            missing.as_deref(),
            Some("distribution needs a column `time_ns`, found variant: name it with `AS time_ns` in the query")
        );
        assert!(columns.optional_numbers("level").expect("optional").is_none());
    }
}
