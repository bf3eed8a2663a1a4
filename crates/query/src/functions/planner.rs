//! How calls are planned: short names become fields of their family's summary, so that a query computes each state once,
//! and the paired family gets the order of blocks, the size of the pilot, the margin and whether ratios are exact, where
//! the rows carry them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result, ScalarValue, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, WindowFunctionDefinition, lit};
use datafusion::optimizer::AnalyzerRule;

use super::catalogue::find;
use super::family::{DEFAULT_LEVEL, Family, Short};
use super::paired::PAIRED;

/// Plans the aggregates of this crate.
#[derive(Debug)]
pub(crate) struct FamilyPlanner;

impl ExprPlanner for FamilyPlanner {
    fn plan_aggregate(&self, raw: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let Some((registered, short)) = find(raw.func.name()) else {
            return Ok(PlannerResult::Original(raw));
        };
        let args = complete(registered.family, short, raw.args.clone())?;
        let summary = Expr::AggregateFunction(AggregateFunction::new_udf(
            Arc::clone(&registered.summary),
            args,
            raw.distinct,
            raw.filter.clone(),
            raw.order_by.clone(),
            raw.null_treatment,
        ));
        let Some(short) = short else {
            return Ok(PlannerResult::Planned(summary));
        };
        let asked = Expr::AggregateFunction(AggregateFunction::new_udf(
            raw.func,
            raw.args,
            raw.distinct,
            raw.filter,
            raw.order_by,
            raw.null_treatment,
        ));
        Ok(PlannerResult::Planned(field(summary, short, &asked)))
    }

    fn plan_window(&self, raw: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        let Some((registered, short)) = find(raw.func_def.name()) else {
            return Ok(PlannerResult::Original(raw));
        };
        let args = complete(registered.family, short, raw.args.clone())?;
        let params = WindowFunctionParams {
            args: raw.args,
            partition_by: raw.partition_by,
            order_by: raw.order_by,
            window_frame: raw.window_frame,
            filter: raw.filter,
            null_treatment: raw.null_treatment,
            distinct: raw.distinct,
        };
        let fun = WindowFunctionDefinition::AggregateUDF(Arc::clone(&registered.summary));
        let summary = Expr::WindowFunction(Box::new(WindowFunction {
            fun,
            params: WindowFunctionParams { args, ..params.clone() },
        }));
        let Some(short) = short else {
            return Ok(PlannerResult::Planned(summary));
        };
        let asked = Expr::WindowFunction(Box::new(WindowFunction { fun: raw.func_def, params }));
        Ok(PlannerResult::Planned(field(summary, short, &asked)))
    }
}

/// A field of a summary, under the name of the function that was asked for.
fn field(summary: Expr, short: &Short, asked: &Expr) -> Expr {
    get_field(summary, short.field).alias(asked.schema_name().to_string())
}

/// Adds the default level; refuses a wrong number of arguments with the signature.
fn complete(family: &Family, short: Option<&Short>, mut args: Vec<Expr>) -> Result<Vec<Expr>> {
    let with_level = family.level && short.is_none_or(|short| short.level);
    let least = family.arguments.len();
    let most = least + usize::from(with_level) + if with_level { family.optional.len() } else { 0 };
    if args.len() < least || args.len() > most {
        let signature = family.signature(short.map_or(family.summary, |short| short.name), with_level);
        return plan_err!("wrong number of arguments: call {signature}, got {}", args.len());
    }
    if family.level {
        if args.len() == least {
            args.push(lit(DEFAULT_LEVEL));
        } else if let Expr::Literal(value, _) = &args[least]
            && let Ok(level @ ScalarValue::Float64(Some(_))) = value.cast_to(&DataType::Float64)
        {
            // One spelling, so that 0.95 and DECIMAL '0.95' share a state.
            args[least] = lit(level);
        }
    }
    Ok(args)
}

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
