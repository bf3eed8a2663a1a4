//! The verdicts of a family of comparisons, as a window function over what each says alone.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use benchbook_stats::verdict::{Judgement, Member, Rules, judge, unseen_share};
use datafusion::common::cast::{as_float64_array, as_int64_array, as_struct_array};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::family::{Cell, DEFAULT_LEVEL, Family, Kind, Output, struct_array};
use super::paired::PAIRED;
use super::unpaired::UNPAIRED;

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
          the share of slow processes from which on a slow mode is excluded at 95 %. Of unpaired_summary, which has \
          no test of equivalence, only directions are judged. A struct of verdict, said, reason, q_value, \
          equivalence_q, unseen_share. The view verdicts has it for every run.",
};

/// `suite_verdict(summary, usual_difference)`, of what `paired_summary` or `unpaired_summary` gives.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SuiteVerdict(Signature);

impl SuiteVerdict {
    pub(crate) const NAME: &'static str = SUITE.summary;
    pub(crate) const SIGNATURE: &'static str = "suite_verdict(summary, usual_difference) OVER (PARTITION BY …)";
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
            [DataType::Struct(fields), usual] if is_judged(fields) && Kind::Float.accepts(usual) => {
                Ok(vec![DataType::Struct(fields.clone()), DataType::Float64])
            }
            [_, _] => {
                plan_err!("{} takes what paired_summary gives, or unpaired_summary, and a number", Self::SIGNATURE)
            }
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
        let (ratio, p, usual) = (floats(alone, "speedup")?, floats(alone, "p_value")?, as_float64_array(usual)?);
        // Two runs are never called equivalent, and have no such test.
        let equivalence_p = alone.column_by_name("equivalence_p").map(|found| as_float64_array(found)).transpose()?;
        let at = |column: &Float64Array, row: usize| column.is_valid(row).then(|| column.value(row));
        let family: Vec<Member> = (0..alone.len())
            .map(|row| Member {
                // Without a ratio there is no p-value either, and nothing is asked of it.
                ratio: at(ratio, row).unwrap_or(1.0),
                p_value: at(p, row),
                equivalence_p: equivalence_p.and_then(|found| at(found, row)),
                usual_difference: at(usual, row),
            })
            .collect();
        let judged = match judge(&family, &Rules::default()) {
            Ok(judged) => judged,
            Err(error) => return exec_err!("{} cannot judge: {error}", SuiteVerdict::NAME),
        };
        let replicates = alone.column_by_name("replicates").map(|found| as_int64_array(found)).transpose()?;
        let count = |row: usize| {
            let known = replicates.filter(|found| found.is_valid(row));
            known.and_then(|found| usize::try_from(found.value(row)).ok()).unwrap_or(0)
        };
        let rows: Vec<Vec<Cell>> = judged.iter().enumerate().map(|(row, one)| cells(one, count(row))).collect();
        Ok(Arc::new(struct_array(&SUITE, &rows)))
    }
}

/// Whether these are the fields of a summary that is one comparison of a family.
fn is_judged(fields: &Fields) -> bool {
    [&PAIRED, &UNPAIRED].iter().any(|family| *fields == family.fields())
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

fn floats<'a>(alone: &'a StructArray, name: &str) -> Result<&'a Float64Array> {
    match alone.column_by_name(name) {
        Some(column) => as_float64_array(column),
        None => exec_err!("{} misses the field {name}", SuiteVerdict::NAME),
    }
}
