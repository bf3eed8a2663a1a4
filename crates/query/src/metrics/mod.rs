//! Metrics beside the time of samples: what a trial used, how far off it was, how its steps went. There is one value a
//! trial (`values.sql`); values are paired by replicate, and judged by the text that judges times.

mod by_metric;
mod sought;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringViewArray};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;

use crate::facts::Facts;
use crate::noise::Noise;
use crate::verdicts::{FACTS, judged, planned, view};

pub(crate) use by_metric::{is_called, table_functions};
pub(crate) use sought::sought_in_times;

/// The metric of the views `pairs` and `verdicts`: the time of samples.
pub const TIME: &str = "time";

/// The names of the views of all other metrics.
pub(crate) const METRIC_VIEWS: [&str; 3] = ["metric_values", "metric_pairs", "metric_verdicts"];

const LOWER: &str = "lower";
const HIGHER: &str = "higher";

/// Which side of a metric is better, and the share up to which two values are equivalent. Of a metric that does not
/// stand here nobody knows the better side, and its margin is that of times.
const RULES: [(&str, &str, f64); 51] = [
    // Its margin is that of the rules of a verdict, and nobody gives it another.
    (TIME, LOWER, 0.01),
    ("peak_added_bytes", LOWER, 0.01),
    ("weight_bytes", LOWER, 0.01),
    ("cache_bytes", LOWER, 0.01),
    ("own_flops", LOWER, 0.01),
    // Counters of energy move once a millisecond, and count what idles too.
    ("cpu_energy_joules", LOWER, 0.05),
    // An error matters by its order of magnitude.
    ("relative_error", LOWER, 0.1),
    ("perplexity", LOWER, 0.01),
    ("loss", LOWER, 0.01),
    // A divergence matters by its order of magnitude.
    ("kl_divergence", LOWER, 0.1),
    ("top1_agreement", HIGHER, 0.01),
    ("precision_macro", HIGHER, 0.01),
    ("recall_macro", HIGHER, 0.01),
    ("f1_macro", HIGHER, 0.01),
    ("recall_at_k", HIGHER, 0.01),
    ("mrr", HIGHER, 0.01),
    ("ndcg_at_k", HIGHER, 0.01),
    ("pearson", HIGHER, 0.01),
    ("spearman", HIGHER, 0.01),
    ("bleu", HIGHER, 0.01),
    ("rouge_1", HIGHER, 0.01),
    ("rouge_2", HIGHER, 0.01),
    ("rouge_l", HIGHER, 0.01),
    ("word_error_rate", LOWER, 0.01),
    ("accuracy", HIGHER, 0.01),
    ("accepted", HIGHER, 0.01),
    ("time_to_first_step", LOWER, 0.01),
    ("step_time", LOWER, 0.01),
    // A hundredth of the steps decides it.
    ("step_time_p99", LOWER, 0.05),
    ("epoch_time", LOWER, 0.01),
    ("tokens_per_second", HIGHER, 0.01),
    ("requests_per_second", HIGHER, 0.01),
    ("time_to_first_token", LOWER, 0.01),
    ("inter_token_latency", LOWER, 0.01),
    ("inter_token_latency_p99", LOWER, 0.05),
    ("inter_token_spread", LOWER, 0.05),
    ("request_latency_p50", LOWER, 0.01),
    ("request_latency_p99", LOWER, 0.05),
    ("steps_to", LOWER, 0.05),
    ("recent_loss", LOWER, 0.01),
    ("activation_bytes", LOWER, 0.01),
    ("activation_bytes_per_sample", LOWER, 0.01),
    ("state_bytes", LOWER, 0.01),
    ("file_bytes", LOWER, 0.01),
    ("compressed_bytes", LOWER, 0.01),
    ("compression_ratio", HIGHER, 0.01),
    ("gradient_error", LOWER, 0.1),
    // Of a few faults, one more says little.
    ("page_faults", LOWER, 0.05),
    ("pool_bytes", LOWER, 0.01),
    ("fragmentation_share", LOWER, 0.05),
    ("compile_ns", LOWER, 0.05),
];

/// The names of the metrics of which it is stated which side is better.
pub fn stated_metrics() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, ..)| *name)
}

/// Gathers the values of all metrics and registers the views; those that are there give way.
pub(crate) async fn register(
    context: &SessionContext,
    facts: &Facts,
    margins: &BTreeMap<String, f64>,
    noise: &Arc<OnceLock<Noise>>,
) -> Result<()> {
    for name in METRIC_VIEWS {
        context.deregister_table(name)?;
    }
    let [values, pairs, verdicts] = METRIC_VIEWS;
    let facts = facts.table()?;
    let rules = rules(margins)?;
    let private = [(FACTS, Arc::clone(&facts)), ("Rules", Arc::clone(&rules))];
    let plan = planned(context, include_str!("values.sql"), &private).await?;
    context.register_table(values, gathered(context, plan).await?)?;
    let plan = planned(context, include_str!("pairs.sql"), &[(FACTS, Arc::clone(&facts))]).await?;
    context.register_table(pairs, view(plan))?;

    let kinds = view(planned(context, include_str!("kinds.sql"), &[]).await?);
    let private = [(FACTS, facts), ("Kinds", Arc::clone(&kinds))];
    let subjects = planned(context, include_str!("subjects.sql"), &private).await?;
    let sides = planned(context, include_str!("sides.sql"), &[]).await?;
    let judged = view(judged(context, subjects, sides, noise).await?);
    let plan = planned(context, include_str!("verdicts.sql"), &[("Judged", judged), ("Kinds", kinds)]).await?;
    context.register_table(verdicts, view(plan))?;
    by_metric::register(context, &rules).await
}

/// "Rules": name, better and margin of every metric that has a rule or was given a margin.
fn rules(margins: &BTreeMap<String, f64>) -> Result<Arc<dyn TableProvider>> {
    let is_stated = |name: &str| RULES.iter().any(|(known, ..)| *known == name);
    let stated = RULES.map(|(name, better, margin)| (name, Some(better), *margins.get(name).unwrap_or(&margin)));
    let given =
        margins.iter().filter(|(name, _)| !is_stated(name)).map(|(name, margin)| (name.as_str(), None, *margin));
    let all: Vec<(&str, Option<&str>, f64)> = stated.into_iter().chain(given).collect();
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("name", Arc::new(all.iter().map(|rule| Some(rule.0)).collect::<StringViewArray>()), false),
        ("better", Arc::new(all.iter().map(|rule| rule.1).collect::<StringViewArray>()), true),
        ("margin", Arc::new(Float64Array::from_iter_values(all.iter().map(|rule| rule.2))), false),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(columns)?;
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}

/// The rows of a plan, as a table.
async fn gathered(context: &SessionContext, plan: LogicalPlan) -> Result<Arc<dyn TableProvider>> {
    let plan = context.execute_logical_plan(plan).await?.create_physical_plan().await?;
    let schema = plan.schema();
    let rows = collect(plan, context.task_ctx()).await?;
    Ok(Arc::new(MemTable::try_new(schema, vec![rows])?))
}
