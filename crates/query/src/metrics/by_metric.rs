//! `pairs` and `verdicts` as functions of a metric: `verdicts('time')`, `verdicts('perplexity')`. Whatever the metric,
//! the columns are those of `metric_pairs` and `metric_verdicts`; without a metric both names are the views of times.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{TableFactor, Visit, Visitor};

use super::TIME;
use crate::error::Error;
use crate::functions::FunctionInfo;
use crate::names::{nearest, quoted};
use crate::verdicts::{planned, view};

/// A function of a metric, and what it is made of.
struct Function {
    name: &'static str,
    of_time: &'static str,
    of_others: &'static str,
    doc: &'static str,
}

static FUNCTIONS: [Function; 2] = [
    Function {
        name: "pairs",
        of_time: include_str!("pairs_of_time.sql"),
        of_others: "SELECT * FROM metric_pairs",
        doc: "A table, so it stands after FROM: all ordered pairs of variants by this metric, time or one that the \
              store has, with the columns of metric_pairs. Times are paired by block, others by replicate or by piece \
              of the data.",
    },
    Function {
        name: "verdicts",
        of_time: include_str!("verdicts_of_time.sql"),
        of_others: "SELECT * FROM metric_verdicts",
        doc: "A table, so it stands after FROM: what is judged of every pair of variants by this metric, time or one \
              that the store has, with the columns of metric_verdicts.",
    },
];

/// The functions that give a table, as people call them.
pub(crate) fn table_functions() -> impl Iterator<Item = FunctionInfo> {
    FUNCTIONS.iter().map(|function| FunctionInfo {
        name: function.name,
        signature: format!("{}(metric)", function.name),
        doc: function.doc.to_owned(),
    })
}

/// One of the functions over a store.
#[derive(Debug)]
struct ByMetric {
    name: &'static str,
    of_time: LogicalPlan,
    of_others: LogicalPlan,
    /// The metrics that the store has, the time of samples first.
    known: Vec<String>,
}

impl TableFunctionImpl for ByMetric {
    fn call_with_args(&self, arguments: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let metric = match arguments.exprs() {
            [Expr::Literal(value, _)] => value.try_as_str().flatten(),
            _ => None,
        };
        let Some(metric) = metric else {
            let name = self.name;
            let words = format!("`{name}` takes the name of a metric, as text: write {name}({})", quoted(TIME));
            return Err(DataFusionError::Plan(words));
        };
        if metric == TIME {
            return Ok(view(self.of_time.clone()));
        }
        // As for other names, any will do in a store that has none.
        if self.known.len() > 1 && !self.known.iter().any(|known| known == metric) {
            let (name, nearest) = (metric.to_owned(), nearest(metric, &self.known));
            let error = Error::NotInStore { what: "metric", name, nearest, known: self.known.clone() };
            return Err(DataFusionError::Plan(error.to_string()));
        }
        let of_metric = LogicalPlanBuilder::from(self.of_others.clone()).filter(col("metric").eq(lit(metric)))?;
        Ok(view(of_metric.build()?))
    }
}

/// Registers the functions over the views of times and of all other metrics, which are there; those of before give way.
pub(super) async fn register(context: &SessionContext, rules: &Arc<dyn TableProvider>) -> Result<()> {
    let mut known = vec![TIME.to_owned()];
    for batch in context.sql("SELECT DISTINCT metric FROM metric_values").await?.collect().await? {
        let names = cast(batch.column(0), &DataType::Utf8)?;
        known.extend(names.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    known[1..].sort_unstable();
    for function in &FUNCTIONS {
        let name = function.name;
        let of_time = planned(context, function.of_time, &[("Rules", Arc::clone(rules))]).await?;
        let of_others = planned(context, function.of_others, &[]).await?;
        context.register_udtf(name, Arc::new(ByMetric { name, of_time, of_others, known: known.clone() }));
    }
    Ok(())
}

/// Whether a statement calls one of the functions.
pub(crate) fn is_called(statement: &Statement) -> bool {
    struct Calls;

    impl Visitor for Calls {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            let called = match factor {
                TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => name.to_string(),
                _ => return ControlFlow::Continue(()),
            };
            if FUNCTIONS.iter().any(|function| function.name == called) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
    }

    match statement {
        Statement::Explain(explain) => is_called(&explain.statement),
        Statement::Statement(inner) => inner.visit(&mut Calls).is_break(),
        _ => false,
    }
}
