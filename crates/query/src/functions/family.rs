//! What a family of functions is: its arguments, the fields of its summary, and their short names; and rows of a summary
//! as an Arrow struct, with why a value of it is NULL.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use benchbook_stats::Error;

/// The level of an interval where none is given.
pub(crate) const DEFAULT_LEVEL: f64 = 0.95;

/// What an argument or a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Float,
    Int,
    Flag,
    Text,
}

impl Kind {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Float => DataType::Float64,
            Self::Int => DataType::Int64,
            Self::Flag => DataType::Boolean,
            Self::Text => DataType::Utf8,
        }
    }

    /// Whether a column of `given` may stand for an argument of this kind.
    pub(crate) fn accepts(self, given: &DataType) -> bool {
        *given == DataType::Null
            || match self {
                Self::Float => given.is_numeric(),
                Self::Int => given.is_integer(),
                Self::Flag => *given == DataType::Boolean,
                Self::Text => matches!(given, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8),
            }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Float => "a number",
            Self::Int => "an integer",
            Self::Flag => "true or false",
            Self::Text => "text",
        }
    }
}

/// An argument taken from each row.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A field of a summary.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Output {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A function that is a field of a summary.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Short {
    pub(crate) name: &'static str,
    pub(crate) field: &'static str,
    /// Whether the result depends on the level, which may then be given.
    pub(crate) level: bool,
    pub(crate) doc: &'static str,
}

/// Functions that share one state, computed once however many of them a query uses.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Family {
    /// Name of the aggregate that returns all fields as a struct.
    pub(crate) summary: &'static str,
    pub(crate) arguments: &'static [Argument],
    /// Whether a constant level follows the arguments.
    pub(crate) level: bool,
    /// Arguments that may follow the level.
    pub(crate) optional: &'static [Argument],
    pub(crate) outputs: &'static [Output],
    pub(crate) shorts: &'static [Short],
    pub(crate) doc: &'static str,
}

impl Family {
    pub(crate) fn fields(&self) -> Fields {
        self.outputs.iter().map(|output| Field::new(output.name, output.kind.data_type(), true)).collect()
    }

    /// How the function is called, as `name(a, b [, level])`.
    pub(crate) fn signature(&self, name: &str, with_level: bool) -> String {
        let mut text = self.arguments.iter().map(|argument| argument.name).collect::<Vec<_>>().join(", ");
        if self.level && with_level {
            text.push_str(" [, level");
            self.optional.iter().for_each(|optional| text.push_str(&format!(" [, {}]", optional.name)));
            text.push(']');
        }
        format!("{name}({text})")
    }

    /// The kind of the argument at `index` of a normalised call.
    pub(crate) fn kind_at(&self, index: usize) -> Option<(&'static str, Kind)> {
        let values = self.arguments.len();
        if let Some(argument) = self.arguments.get(index) {
            return Some((argument.name, argument.kind));
        }
        match (self.level, index - values) {
            (true, 0) => Some(("level", Kind::Float)),
            (true, after) => self.optional.get(after - 1).map(|argument| (argument.name, argument.kind)),
            _ => None,
        }
    }
}

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
