//! The verdicts of a family of comparisons, as a window function over what each says alone.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use benchbook_stats::verdict::{Judgement, Member, Rules, judge, unseen_share};
use datafusion::common::cast::{as_float64_array, as_int64_array, as_struct_array};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::family::{Cell, DEFAULT_LEVEL, Family, Kind, Output, struct_array};
use super::paired::PAIRED;

/// The struct that `suite_verdict` gives.
static SUITE: Family = Family {
    summary: "suite_verdict",
    arguments: &[],
    level: false,
    optional: &[],
    outputs: &[
        Output { name: "verdict", kind: Kind::Text },
        Output { name: "said", kind: Kind::Text },
        Output { name: "reason", kind: Kind::Text },
        Output { name: "q_value", kind: Kind::Float },
        Output { name: "equivalence_q", kind: Kind::Float },
        Output { name: "unseen_share", kind: Kind::Float },
    ],
    shorts: &[],
    doc: "The verdict of each comparison beside all others of its partition: directions and equivalences adjusted \
          (Benjamini-Hochberg, 5 %), a direction no larger than the usual difference of equal programs undecided. \
          Said is the verdict in words; the reason is NULL where that of the comparison alone stands; unseen_share is \
          the share of slow processes from which on a slow mode is excluded at 95 %. A struct of verdict, said, \
          reason, q_value, equivalence_q, unseen_share. The view verdicts has it for every run.",
};

/// `suite_verdict(paired_summary, usual_difference)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SuiteVerdict(Signature);

impl SuiteVerdict {
    pub(crate) const NAME: &'static str = SUITE.summary;
    pub(crate) const SIGNATURE: &'static str = "suite_verdict(paired_summary, usual_difference) OVER (PARTITION BY …)";
    pub(crate) const DOC: &'static str = SUITE.doc;

    pub(crate) fn new() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl WindowUDFImpl for SuiteVerdict {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Struct(fields), usual] if *fields == PAIRED.fields() && Kind::Float.accepts(usual) => {
                Ok(vec![DataType::Struct(fields.clone()), DataType::Float64])
            }
            [_, _] => plan_err!("{} takes what paired_summary gives, and a number", Self::SIGNATURE),
            _ => plan_err!("wrong number of arguments: call {}, got {}", Self::SIGNATURE, given.len()),
        }
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Struct(SUITE.fields()), true)))
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Suite))
    }
}

/// Sees a family as a whole; a frame has no meaning for it.
#[derive(Debug)]
struct Suite;

impl PartitionEvaluator for Suite {
    fn evaluate_all(&mut self, values: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let [alone, usual] = values else {
            return exec_err!("{} got {} arguments", SuiteVerdict::NAME, values.len());
        };
        let alone = as_struct_array(alone)?;
        let [ratio, p, equivalence_p] = ["speedup", "p_value", "equivalence_p"].map(|name| floats(alone, name));
        let (ratio, p, equivalence_p, usual) = (ratio?, p?, equivalence_p?, as_float64_array(usual)?);
        let at = |column: &Float64Array, row: usize| column.is_valid(row).then(|| column.value(row));
        let family: Vec<Member> = (0..alone.len())
            .map(|row| Member {
                // Without a ratio there is no p-value either, and nothing is asked of it.
                ratio: at(ratio, row).unwrap_or(1.0),
                p_value: at(p, row),
                equivalence_p: at(equivalence_p, row),
                usual_difference: at(usual, row),
            })
            .collect();
        let judged = match judge(&family, &Rules::default()) {
            Ok(judged) => judged,
            Err(error) => return exec_err!("{} cannot judge: {error}", SuiteVerdict::NAME),
        };
        let replicates = as_int64_array(field(alone, "replicates")?)?;
        let rows: Vec<Vec<Cell>> = judged
            .iter()
            .zip(replicates)
            .map(|(one, count)| cells(one, count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)))
            .collect();
        Ok(Arc::new(struct_array(&SUITE, &rows)))
    }
}

fn cells(judged: &Judgement, replicates: usize) -> Vec<Cell> {
    vec![
        Cell::Text(Some(judged.label.text())),
        Cell::Text(Some(judged.label.said(replicates))),
        Cell::Text(judged.reason.map(|reason| reason.code())),
        Cell::Float(judged.q_value),
        Cell::Float(judged.equivalence_q),
        Cell::float(unseen_share(replicates, DEFAULT_LEVEL)),
    ]
}

fn field<'a>(alone: &'a StructArray, name: &str) -> Result<&'a ArrayRef> {
    match alone.column_by_name(name) {
        Some(column) => Ok(column),
        None => exec_err!("{} misses the field {name}", SuiteVerdict::NAME),
    }
}

fn floats<'a>(alone: &'a StructArray, name: &str) -> Result<&'a Float64Array> {
    as_float64_array(field(alone, name)?)
}
