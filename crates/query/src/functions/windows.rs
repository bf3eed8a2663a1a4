//! Window functions: what can be said of a row only beside all others of its partition.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use benchbook_stats::change::{Rules, change_points};
use benchbook_stats::{benjamini_hochberg, mean};
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::family::{Argument, Cell, Family, Kind, Output, reason, struct_array};

/// The struct that `change_point` gives.
static CHANGE: Family = Family {
    summary: "change_point",
    arguments: &[Argument { name: "value", kind: Kind::Float }],
    level: false,
    optional: &[],
    outputs: &[
        Output { name: "level", kind: Kind::Float },
        Output { name: "p_value", kind: Kind::Float },
        Output { name: "before", kind: Kind::Float },
        Output { name: "after", kind: Kind::Float },
        Output { name: "reason", kind: Kind::Text },
    ],
    shorts: &[],
    doc: "The level that the series holds at a row, in the order of the window; where a new level begins, also the \
          p-value of the change, at most 0.01, and the levels before and after. At most 1 % of series without a \
          change have one; fewer than ten values never do. The reason says why none could be looked for. A struct of \
          level, p_value, before, after, reason.",
};

/// Which of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WindowFunction {
    /// `change_point(value)`.
    ChangePoint,
    /// `q_value(p)`.
    QValue,
}

impl WindowFunction {
    pub(crate) const ALL: [Self; 2] = [Self::ChangePoint, Self::QValue];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ChangePoint => CHANGE.summary,
            Self::QValue => "q_value",
        }
    }

    pub(crate) fn signature(self) -> &'static str {
        match self {
            Self::ChangePoint => "change_point(value) OVER (ORDER BY …)",
            Self::QValue => "q_value(p) OVER ()",
        }
    }

    pub(crate) fn doc(self) -> &'static str {
        match self {
            Self::ChangePoint => CHANGE.doc,
            Self::QValue => {
                "The p-value adjusted for all of its partition (Benjamini-Hochberg): rows at or below 0.05 hold false \
                 discoveries at a rate of at most 5 %. NULL stays NULL and is not counted."
            }
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::ChangePoint => DataType::Struct(CHANGE.fields()),
            Self::QValue => DataType::Float64,
        }
    }

    fn evaluate(self, values: &Float64Array) -> Result<ArrayRef> {
        match self {
            Self::ChangePoint => Ok(levels(values)),
            Self::QValue => q_values(values),
        }
    }
}

/// A function of one number, over whole partitions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct WindowUdf {
    function: WindowFunction,
    signature: Signature,
}

impl WindowUdf {
    pub(crate) fn new(function: WindowFunction) -> Self {
        Self { function, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl WindowUDFImpl for WindowUdf {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let call = self.function.signature();
        match given {
            [given] if Kind::Float.accepts(given) => Ok(vec![DataType::Float64]),
            [given] => plan_err!("{call} takes {}, not {given}", Kind::Float.word()),
            _ => plan_err!("wrong number of arguments: call {call}, got {}", given.len()),
        }
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), self.function.data_type(), true)))
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Whole(self.function)))
    }
}

/// Sees a partition as a whole; a frame has no meaning for it.
#[derive(Debug)]
struct Whole(WindowFunction);

impl PartitionEvaluator for Whole {
    fn evaluate_all(&mut self, values: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let Some(column) = values.first() else {
            return exec_err!("{} got no argument", self.0.name());
        };
        self.0.evaluate(as_float64_array(column)?)
    }
}

/// Adjusted p-values; what is no p-value is an error, since it would spoil all others.
fn q_values(p_values: &Float64Array) -> Result<ArrayRef> {
    let given: Vec<f64> = p_values.iter().flatten().collect();
    if given.is_empty() {
        return Ok(Arc::new(Float64Array::new_null(p_values.len())));
    }
    let mut adjusted = match benjamini_hochberg(&given) {
        Ok(adjusted) => adjusted.into_iter(),
        Err(error) => return exec_err!("q_value takes p-values: {error}"),
    };
    let column: Float64Array = p_values.iter().map(|p| p.and_then(|_| adjusted.next())).collect();
    Ok(Arc::new(column))
}

/// The level of each row that has a value, and the changes between levels.
fn levels(values: &Float64Array) -> ArrayRef {
    let series: Vec<f64> = values.iter().flatten().collect();
    let found = change_points(&series, &Rules::default());
    let reason = found.as_ref().err().map(reason);
    let changes = found.unwrap_or_default();
    // A series too short for a change still has a level.
    let mut level = changes.first().map(|change| change.before).or_else(|| mean(&series).ok());
    let mut next = changes.iter().peekable();
    let mut place = 0;
    let rows: Vec<Vec<Cell>> = values
        .iter()
        .map(|value| {
            if value.is_none() {
                return row(None, None, None);
            }
            let change = next.next_if(|change| change.index == place);
            place += 1;
            level = change.map(|change| change.after).or(level);
            row(level, change.map(|change| [change.p_value, change.before, change.after]), reason)
        })
        .collect();
    Arc::new(struct_array(&CHANGE, &rows))
}

fn row(level: Option<f64>, change: Option<[f64; 3]>, reason: Option<&'static str>) -> Vec<Cell> {
    let part = |index: usize| Cell::Float(change.and_then(|change| change.get(index).copied()));
    vec![Cell::Float(level), part(0), part(1), part(2), Cell::Text(reason)]
}
