//! The views of verdicts: one text (`judged.sql`) judges any metric. What it judges comes in two tables whose names
//! nobody else can use.

use std::sync::{Arc, OnceLock};

use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::prelude::SessionContext;

use crate::noise::{Noise, UsualDifference};

/// What texts of ours call the facts of all trials.
pub(crate) const FACTS: &str = "Facts";

/// A table with the name that it has while a text is planned; no table of a user's can have a capital letter.
pub(crate) type Private = (&'static str, Arc<dyn TableProvider>);

/// A plan as a table.
pub(crate) fn view(plan: LogicalPlan) -> Arc<dyn TableProvider> {
    Arc::new(ViewTable::new(plan, None))
}

/// The plan of `sql`, which keeps the private tables that it names.
pub(crate) async fn planned(context: &SessionContext, sql: &str, private: &[Private]) -> Result<LogicalPlan> {
    for (name, table) in private {
        context.register_table(TableReference::bare(*name), Arc::clone(table))?;
    }
    let state = context.state();
    let plan = state.create_logical_plan(sql).await;
    for (name, _) in private {
        context.deregister_table(TableReference::bare(*name))?;
    }
    plan
}

/// What is judged of these subjects by these pairs, a row for each ordered pair of variants of a run, case and metric.
pub(crate) async fn judged(
    context: &SessionContext,
    subjects: LogicalPlan,
    pairs: LogicalPlan,
    noise: &Arc<OnceLock<Noise>>,
) -> Result<LogicalPlan> {
    // The plan keeps the function; nobody else may use it.
    context.register_udf(ScalarUDF::from(UsualDifference::new(Arc::clone(noise))));
    let tables = [("Subjects", view(subjects)), ("Pairs", view(pairs))];
    let plan = planned(context, include_str!("judged.sql"), &tables).await;
    context.deregister_udf(UsualDifference::NAME);
    plan
}

/// The plan of the view `verdicts`, over that of `pairs`.
pub(crate) async fn of_times(
    context: &SessionContext,
    facts: &Arc<dyn TableProvider>,
    noise: &Arc<OnceLock<Noise>>,
) -> Result<LogicalPlan> {
    let subjects = planned(context, include_str!("time_subjects.sql"), &[(FACTS, Arc::clone(facts))]).await?;
    let pairs = planned(context, include_str!("time_pairs.sql"), &[]).await?;
    let judged = view(judged(context, subjects, pairs, noise).await?);
    planned(context, include_str!("time_verdicts.sql"), &[("Judged", judged)]).await
}
