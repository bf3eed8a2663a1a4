//! The map of parameters of `trials`, read once, and its parameters as typed columns.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, MapArray, StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::DataType;
use datafusion::common::cast::{as_boolean_array, as_float64_array, as_int64_array, as_string_array, as_struct_array};
use datafusion::common::{Result, exec_err};

/// A value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bool(bool),
}

impl Value<'_> {
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Bool(value) => Some(f64::from(u8::from(value))),
            Self::Text(_) => None,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Int(_) => DataType::Int64,
            Self::Float(_) => DataType::Float64,
            Self::Text(_) => DataType::Utf8View,
            Self::Bool(_) => DataType::Boolean,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

/// The maps of a column, taken apart.
pub(crate) struct Params<'a> {
    maps: &'a MapArray,
    names: &'a StringArray,
    ints: &'a Int64Array,
    floats: &'a Float64Array,
    texts: &'a StringArray,
    bools: &'a BooleanArray,
}

impl<'a> Params<'a> {
    pub(crate) fn of(maps: &'a MapArray) -> Result<Self> {
        let values = as_struct_array(maps.values())?;
        Ok(Self {
            maps,
            names: as_string_array(maps.keys())?,
            ints: as_int64_array(member(values, "int")?)?,
            floats: as_float64_array(member(values, "float")?)?,
            texts: as_string_array(member(values, "text")?)?,
            bools: as_boolean_array(member(values, "bool")?)?,
        })
    }

    fn value(&self, entry: usize) -> Option<Value<'a>> {
        if self.ints.is_valid(entry) {
            Some(Value::Int(self.ints.value(entry)))
        } else if self.floats.is_valid(entry) {
            Some(Value::Float(self.floats.value(entry)))
        } else if self.texts.is_valid(entry) {
            Some(Value::Text(self.texts.value(entry)))
        } else if self.bools.is_valid(entry) {
            Some(Value::Bool(self.bools.value(entry)))
        } else {
            None
        }
    }

    /// The parameters of a row.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&'a str, Value<'a>)> + '_ {
        let offsets = self.maps.value_offsets();
        let entries = match self.maps.is_valid(row) {
            true => offsets[row] as usize..offsets[row + 1] as usize,
            false => 0..0,
        };
        entries.filter_map(|entry| Some((self.names.value(entry), self.value(entry)?)))
    }

    pub(crate) fn find(&self, row: usize, name: &str) -> Option<Value<'a>> {
        self.row(row).find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Every parameter as a column of one type, by name.
    ///
    /// A parameter has one type in every workload; should a store hold two, numbers become floats and
    /// everything else becomes text, so that no value is lost.
    pub(crate) fn columns(&self) -> Vec<(String, ArrayRef)> {
        let mut types: BTreeMap<&str, DataType> = BTreeMap::new();
        for row in 0..self.maps.len() {
            for (name, value) in self.row(row) {
                let kind = types.entry(name).or_insert_with(|| value.data_type());
                *kind = common(kind, &value.data_type());
            }
        }
        types.into_iter().map(|(name, kind)| (name.to_owned(), self.column(name, &kind))).collect()
    }

    fn column(&self, name: &str, kind: &DataType) -> ArrayRef {
        let values = (0..self.maps.len()).map(|row| self.find(row, name));
        match kind {
            DataType::Int64 => Arc::new(
                values
                    .map(|value| match value {
                        Some(Value::Int(value)) => Some(value),
                        _ => None,
                    })
                    .collect::<Int64Array>(),
            ),
            DataType::Boolean => Arc::new(
                values
                    .map(|value| match value {
                        Some(Value::Bool(value)) => Some(value),
                        _ => None,
                    })
                    .collect::<BooleanArray>(),
            ),
            DataType::Float64 => Arc::new(values.map(|value| value.and_then(Value::number)).collect::<Float64Array>()),
            _ => Arc::new(values.map(|value| value.map(|value| value.to_string())).collect::<StringViewArray>()),
        }
    }
}

fn member<'a>(values: &'a StructArray, name: &str) -> Result<&'a ArrayRef> {
    match values.column_by_name(name) {
        Some(column) => Ok(column),
        None => exec_err!("the values of `params` have no field `{name}`"),
    }
}

fn common(a: &DataType, b: &DataType) -> DataType {
    let numbers = [DataType::Int64, DataType::Float64];
    if a == b {
        a.clone()
    } else if numbers.contains(a) && numbers.contains(b) {
        DataType::Float64
    } else {
        DataType::Utf8View
    }
}
