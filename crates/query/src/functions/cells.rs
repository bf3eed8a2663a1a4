//! Rows of a summary as an Arrow struct, and why a value of it is NULL.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
use benchbook_stats::Error;

use super::family::{Family, Kind};

/// A value of a summary; a float that is not finite becomes NULL.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Float(Option<f64>),
    Int(Option<i64>),
    Text(Option<&'static str>),
}

impl Cell {
    /// The value of a computation, NULL where it failed.
    pub(crate) fn float<E>(value: Result<f64, E>) -> Self {
        Self::Float(value.ok())
    }

    /// A count.
    pub(crate) fn count(value: usize) -> Self {
        Self::Int(i64::try_from(value).ok())
    }

    fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => value.filter(|value| value.is_finite()),
            _ => None,
        }
    }

    fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => *value,
            _ => None,
        }
    }

    fn as_text(&self) -> Option<&'static str> {
        match self {
            Self::Text(value) => *value,
            _ => None,
        }
    }
}

/// The word that stands in the `reason` field beside a NULL.
pub(crate) fn reason(error: &Error) -> &'static str {
    match error {
        Error::TooFew { .. } => "too-few",
        Error::NotFinite { .. } => "not-finite",
        Error::NotPositive { .. } | Error::MeanNotPositive { .. } => "not-positive",
        Error::Constant => "constant",
        Error::TooSmall => "too-small",
        Error::Ties => "ties",
        Error::Overflow => "not-finite",
        _ => "undefined",
    }
}

/// One struct a row, with the fields of `family`.
pub(crate) fn struct_array(family: &Family, rows: &[Vec<Cell>]) -> StructArray {
    let columns = family.outputs.iter().enumerate().map(|(index, output)| -> ArrayRef {
        let cells = rows.iter().map(|row| &row[index]);
        match output.kind {
            Kind::Float => Arc::new(cells.map(Cell::as_float).collect::<Float64Array>()),
            Kind::Int => Arc::new(cells.map(Cell::as_int).collect::<Int64Array>()),
            Kind::Text => Arc::new(cells.map(Cell::as_text).collect::<StringArray>()),
            Kind::Flag => Arc::new(BooleanArray::new_null(rows.len())),
        }
    });
    StructArray::new(family.fields(), columns.collect(), None)
}
