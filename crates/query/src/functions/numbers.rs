//! Scalar functions of numbers: categories of a ratio, and intervals from what a query has at hand.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use benchbook_stats::{category, clopper_pearson, false_coverage_level, student_interval};
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::family::{Argument, DEFAULT_LEVEL, Kind};

const fn float(name: &'static str) -> Argument {
    Argument { name, kind: Kind::Float }
}

const fn int(name: &'static str) -> Argument {
    Argument { name, kind: Kind::Int }
}

static RATIO: [Argument; 1] = [float("ratio")];
static ESTIMATE: [Argument; 3] = [float("ratio"), float("standard_error"), float("df")];
static SELECTION: [Argument; 3] = [int("selected"), int("tests"), float("rate")];
static COUNTS: [Argument; 2] = [int("successes"), int("trials")];
static LEVEL: [Argument; 1] = [float("level")];

/// Which of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum NumberFunction {
    /// `speedup_category(ratio)`.
    Category,
    /// `interval_low(ratio, standard_error, df [, level])`.
    IntervalLow,
    /// `interval_high(ratio, standard_error, df [, level])`.
    IntervalHigh,
    /// `false_coverage_level(selected, tests, rate)`.
    FalseCoverage,
    /// `binomial_low(successes, trials [, level])`.
    BinomialLow,
    /// `binomial_high(successes, trials [, level])`.
    BinomialHigh,
}

impl NumberFunction {
    pub(crate) const ALL: [Self; 6] = [
        Self::Category,
        Self::IntervalLow,
        Self::IntervalHigh,
        Self::FalseCoverage,
        Self::BinomialLow,
        Self::BinomialHigh,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Category => "speedup_category",
            Self::IntervalLow => "interval_low",
            Self::IntervalHigh => "interval_high",
            Self::FalseCoverage => "false_coverage_level",
            Self::BinomialLow => "binomial_low",
            Self::BinomialHigh => "binomial_high",
        }
    }

    fn arguments(self) -> &'static [Argument] {
        match self {
            Self::Category => &RATIO,
            Self::IntervalLow | Self::IntervalHigh => &ESTIMATE,
            Self::FalseCoverage => &SELECTION,
            Self::BinomialLow | Self::BinomialHigh => &COUNTS,
        }
    }

    /// What may follow the arguments.
    fn optional(self) -> &'static [Argument] {
        match self {
            Self::Category | Self::FalseCoverage => &[],
            _ => &LEVEL,
        }
    }

    pub(crate) fn signature(self) -> String {
        let names: Vec<&str> = self.arguments().iter().map(|argument| argument.name).collect();
        let optional: String = self.optional().iter().map(|argument| format!(" [, {}]", argument.name)).collect();
        format!("{}({}{optional})", self.name(), names.join(", "))
    }

    pub(crate) fn doc(self) -> &'static str {
        match self {
            Self::Category => {
                "The size of a speedup as a word: excellent above 1.5, good from 1.2, measured from 1, else \
                 investigate. It says nothing of certainty."
            }
            Self::IntervalLow => {
                "Lower bound of a ratio from the standard error of its logarithm: Student's interval at the level \
                 given, as for paired_se and paired_df."
            }
            Self::IntervalHigh => {
                "Upper bound of a ratio from the standard error of its logarithm: Student's interval at the level \
                 given, as for paired_se and paired_df."
            }
            Self::FalseCoverage => {
                "The level at which the intervals of those selected among many tests miss at the rate given \
                 (Benjamini and Yekutieli)."
            }
            Self::BinomialLow => "Lower bound of the share of successes (Clopper and Pearson, exact).",
            Self::BinomialHigh => "Upper bound of the share of successes (Clopper and Pearson, exact).",
        }
    }

    /// The number for arguments none of which is NULL; NULL where it cannot be given.
    fn number(self, arguments: &[f64]) -> Option<f64> {
        let number = match self {
            Self::Category => None,
            Self::IntervalLow => Some(ratio_interval(arguments)?.0),
            Self::IntervalHigh => Some(ratio_interval(arguments)?.1),
            Self::FalseCoverage => selected_level(arguments),
            Self::BinomialLow => Some(share_interval(arguments)?.0),
            Self::BinomialHigh => Some(share_interval(arguments)?.1),
        };
        number.filter(|number| number.is_finite())
    }
}

/// A function of numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct NumberUdf {
    function: NumberFunction,
    signature: Signature,
}

impl NumberUdf {
    pub(crate) fn new(function: NumberFunction) -> Self {
        Self { function, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for NumberUdf {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (arguments, optional) = (self.function.arguments(), self.function.optional());
        let call = self.function.signature();
        if given.len() < arguments.len() || given.len() > arguments.len() + optional.len() {
            return plan_err!("wrong number of arguments: call {call}, got {}", given.len());
        }
        let mut coerced = Vec::with_capacity(given.len());
        for (argument, given) in arguments.iter().chain(optional).zip(given) {
            if !argument.kind.accepts(given) {
                return plan_err!("`{}` of {call} must be {}, not {given}", argument.name, argument.kind.word());
            }
            coerced.push(argument.kind.data_type());
        }
        Ok(coerced)
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.function {
            NumberFunction::Category => DataType::Utf8,
            _ => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(args.args.len());
        for value in &args.args {
            arrays.push(cast(&value.to_array(args.number_rows)?, &DataType::Float64)?);
        }
        let columns = arrays.iter().map(|array| as_float64_array(array)).collect::<Result<Vec<_>>>()?;
        let rows = (0..args.number_rows).map(|row| -> Option<Vec<f64>> {
            columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect()
        });
        let array: ArrayRef = match self.function {
            NumberFunction::Category => {
                Arc::new(rows.map(|row| speedup_word(row?.first().copied()?)).collect::<StringArray>())
            }
            function => Arc::new(rows.map(|row| function.number(&row?)).collect::<Float64Array>()),
        };
        Ok(ColumnarValue::Array(array))
    }
}

fn speedup_word(ratio: f64) -> Option<&'static str> {
    category(ratio).ok().map(|category| category.text())
}

fn ratio_interval(arguments: &[f64]) -> Option<(f64, f64)> {
    let [ratio, standard_error, df, rest @ ..] = arguments else {
        return None;
    };
    let estimate = Some(ratio.ln()).filter(|estimate| estimate.is_finite())?;
    let level = rest.first().copied().unwrap_or(DEFAULT_LEVEL);
    let interval = student_interval(estimate, *standard_error, *df, level).ok()?;
    Some((interval.low.exp(), interval.high.exp()))
}

fn selected_level(arguments: &[f64]) -> Option<f64> {
    let [selected, tests, rate] = arguments else {
        return None;
    };
    let size = |value: f64| count(value).and_then(|count| usize::try_from(count).ok());
    false_coverage_level(size(*selected)?, size(*tests)?, *rate).ok()
}

fn share_interval(arguments: &[f64]) -> Option<(f64, f64)> {
    let [successes, trials, rest @ ..] = arguments else {
        return None;
    };
    let level = rest.first().copied().unwrap_or(DEFAULT_LEVEL);
    let interval = clopper_pearson(count(*successes)?, count(*trials)?, level).ok()?;
    Some((interval.low, interval.high))
}

/// A count that came as an integer; none below zero.
fn count(value: f64) -> Option<u64> {
    (value >= 0.0).then_some(value as u64)
}
