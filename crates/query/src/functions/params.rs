//! Scalar functions on the map of parameters of a trial.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, MapArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::cast::{as_map_array, as_string_array};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::params::Params;

/// Which of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ParamFunction {
    /// `param(params, name)`.
    Number,
    /// `other_params(params, names)`.
    Others,
}

impl ParamFunction {
    pub(crate) const ALL: [Self; 2] = [Self::Number, Self::Others];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Number => "param",
            Self::Others => "other_params",
        }
    }

    pub(crate) fn signature(self) -> &'static str {
        match self {
            Self::Number => "param(params, name)",
            Self::Others => "other_params(params, names)",
        }
    }

    pub(crate) fn doc(self) -> &'static str {
        match self {
            Self::Number => {
                "A parameter of a trial as a number, by name; true is 1, false is 0; NULL if absent or text."
            }
            Self::Others => {
                "All parameters of a trial as text (`a=1 b=2`) but those in the comma-separated list, to group by \
                 what stays the same."
            }
        }
    }
}

/// A function of `(params, text)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ParamUdf {
    function: ParamFunction,
    signature: Signature,
}

impl ParamUdf {
    pub(crate) fn new(function: ParamFunction) -> Self {
        Self { function, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ParamUdf {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [map @ DataType::Map(..), _] => Ok(vec![map.clone(), DataType::Utf8]),
            _ => plan_err!("{} takes the column `params` of `trials` and text", self.function.signature()),
        }
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.function {
            ParamFunction::Number => DataType::Float64,
            ParamFunction::Others => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let maps = args.args[0].to_array(args.number_rows)?;
        let maps = as_map_array(&maps)?;
        let array: ArrayRef = match &args.args[1] {
            ColumnarValue::Scalar(ScalarValue::Utf8(text)) => self.evaluate(maps, |_| text.as_deref())?,
            other => {
                let texts = other.to_array(args.number_rows)?;
                let texts = as_string_array(&texts)?;
                self.evaluate(maps, |row| texts.is_valid(row).then(|| texts.value(row)))?
            }
        };
        Ok(ColumnarValue::Array(array))
    }
}

impl ParamUdf {
    fn evaluate<'a>(&self, maps: &MapArray, text: impl Fn(usize) -> Option<&'a str>) -> Result<ArrayRef> {
        let params = Params::of(maps)?;
        let rows = 0..maps.len();
        Ok(match self.function {
            ParamFunction::Number => Arc::new(
                rows.map(|row| params.find(row, text(row)?).and_then(|value| value.number())).collect::<Float64Array>(),
            ),
            ParamFunction::Others => Arc::new(
                rows.map(|row| {
                    let left_out: BTreeSet<&str> = text(row)?.split(',').map(str::trim).collect();
                    let mut others: Vec<String> = params
                        .row(row)
                        .filter(|(name, _)| !left_out.contains(name))
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect();
                    others.sort_unstable();
                    Some(others.join(" "))
                })
                .collect::<StringArray>(),
            ),
        })
    }
}
