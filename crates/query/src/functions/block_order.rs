//! Gives the paired family the order of blocks, the size of the pilot, the margin and whether ratios are exact, where
//! the rows carry them.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use super::paired::PAIRED;

/// Adds the columns that stand beside `log_ratio` as arguments where they are not given.
///
/// Blocks of one process are resampled in the order they were run, but rows reach an aggregate in
/// any order. An interval is wider where a pilot has fixed the number of replicates. A metric other than time states
/// its margin.
#[derive(Debug)]
pub(crate) struct BlockOrder;

impl AnalyzerRule for BlockOrder {
    fn name(&self) -> &str {
        "block_order"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan
            .transform_up_with_subqueries(|node| {
                let LogicalPlan::Aggregate(aggregate) = node else {
                    return Ok(Transformed::no(node));
                };
                match in_order(&aggregate)? {
                    Some(plan) => Ok(Transformed::yes(plan)),
                    None => Ok(Transformed::no(LogicalPlan::Aggregate(aggregate))),
                }
            })?
            .data)
    }
}

/// The aggregate with the order of its blocks, its columns under their old names; none where nothing
/// is to be done.
fn in_order(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let schema = aggregate.input.schema();
    let ordered: Vec<Option<Expr>> = aggregate.aggr_expr.iter().map(|expr| with_block(expr, schema)).collect();
    if ordered.iter().all(Option::is_none) {
        return Ok(None);
    }
    let groups = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
    let mut columns: Vec<Expr> =
        (0..groups).map(|index| Expr::Column(Column::from(aggregate.schema.qualified_field(index)))).collect();
    let mut exprs: Vec<Expr> = Vec::new();
    for (old, ordered) in aggregate.aggr_expr.iter().zip(ordered) {
        let new = ordered.unwrap_or_else(|| old.clone());
        let column = Expr::Column(Column::from_name(new.schema_name().to_string()));
        columns.push(column.alias_if_changed(old.schema_name().to_string())?);
        // The same call may stand there with its blocks given.
        if !exprs.contains(&new) {
            exprs.push(new);
        }
    }
    let aggregate = Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), exprs)?;
    let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate)).project(columns)?.build()?;
    Ok(Some(plan))
}

/// The call with the column of blocks added.
fn with_block(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::AggregateFunction(mut function) = expr.clone() else {
        return None;
    };
    let given = function.params.args.len();
    // The level stands before them.
    let missing = PAIRED.optional.get(given.checked_sub(PAIRED.arguments.len() + 1)?..)?;
    if function.func.name() != PAIRED.summary || missing.is_empty() {
        return None;
    }
    let relation = {
        let columns = function.params.args[0].column_refs();
        let mut relations = columns.iter().map(|column| column.relation.clone());
        let first = relations.next()?;
        relations.all(|other| other == first).then_some(first)?
    };
    for argument in missing {
        let column = Column::new(relation.clone(), argument.name);
        let kind = schema.maybe_index_of_column(&column).map(|index| schema.field(index).data_type());
        if kind != Some(&argument.kind.data_type()) {
            break;
        }
        function.params.args.push(Expr::Column(column));
    }
    (function.params.args.len() > given).then_some(Expr::AggregateFunction(function))
}
