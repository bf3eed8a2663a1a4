//! Short names become fields of their family's summary, so that a query computes each state once.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr};
use datafusion::logical_expr::{Expr, WindowFunctionDefinition, lit};

use super::catalogue::find;
use super::family::{DEFAULT_LEVEL, Family, Short};

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
