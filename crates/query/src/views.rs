//! The views `results` and `pairs` as logical plans over `samples` and the facts of trials; `verdicts` stands on
//! `pairs`.

use std::sync::Arc;

/// The fixed columns of `results`; the parameters follow `case_name`.
pub(crate) use benchbook_record::RESERVED as RESULT_COLUMNS;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::functions::core::expr_fn::{coalesce, nullif};
use datafusion::functions::math::expr_fn::ln;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, cast, col, lit, when};

use crate::facts::{PAIR_GROUP, PILOT, TRIAL_REASON, VARIANT_NUMBER};
use crate::metrics::TIME;

/// The columns of `pairs`.
pub(crate) const PAIR_COLUMNS: [&str; 21] = [
    "run_id",
    "workload",
    "case_name",
    "cache",
    "replicate",
    "block",
    "baseline",
    "candidate",
    "baseline_implementation",
    "candidate_implementation",
    "baseline_trial",
    "candidate_trial",
    "baseline_elapsed_ns",
    "candidate_elapsed_ns",
    "baseline_cpus",
    "candidate_cpus",
    "baseline_time_ns",
    "candidate_time_ns",
    "log_ratio",
    "pilot",
    "metric",
];

/// Columns of `results` that are columns of `samples`.
const OF_SAMPLES: [&str; 3] = ["block", "position", "sample"];

type Provider = Arc<dyn TableProvider>;

fn of(table: &str, name: &str) -> Expr {
    col(format!("{table}.{name}"))
}

/// Samples beside the facts of their trial; the facts stand left, as the side that a join keeps.
fn joined(samples: &Provider, facts: &Provider) -> Result<LogicalPlanBuilder> {
    let samples = LogicalPlanBuilder::scan("s", provider_as_source(Arc::clone(samples)), None)?.build()?;
    LogicalPlanBuilder::scan("f", provider_as_source(Arc::clone(facts)), None)?.join(
        samples,
        JoinType::Inner,
        (vec!["f.run_id", "f.trial"], vec!["s.run_id", "s.trial"]),
        None,
    )
}

fn float(expr: Expr) -> Expr {
    cast(expr, arrow::datatypes::DataType::Float64)
}

/// Nanoseconds of one call; NULL for a sample without calls.
fn time_ns() -> Expr {
    float(of("s", "elapsed_ns")) / float(nullif(of("s", "iterations"), lit(0_i64)))
}

/// Processors in use: processor time over elapsed time; NULL where it was not recorded.
fn cpus() -> Expr {
    let spent = float(of("s", "cpu_user_ns")) + float(of("s", "cpu_system_ns"));
    spent / float(nullif(of("s", "elapsed_ns"), lit(0_i64)))
}

fn valid() -> Expr {
    of("s", "valid").and(of("s", "iterations").gt(lit(0_i64))).and(of("f", TRIAL_REASON).is_null())
}

fn invalid_reason() -> Result<Expr> {
    let text = arrow::datatypes::DataType::Utf8View;
    let word = |word: &str| cast(lit(word), text.clone());
    when(of("s", "valid").is_not_true(), coalesce(vec![of("s", "invalid_reason"), word("unspecified")]))
        .when(of("s", "iterations").lt_eq(lit(0_i64)), word("no_iterations"))
        .otherwise(of("f", TRIAL_REASON))
}

/// The plan of `results`: one row a sample.
pub(crate) fn results(samples: &Provider, facts: &Provider, params: &[String]) -> Result<LogicalPlan> {
    let mut columns = Vec::with_capacity(RESULT_COLUMNS.len() + params.len());
    for name in RESULT_COLUMNS {
        columns.push(match name {
            "time_ns" => time_ns().alias(name),
            "valid" => valid().alias(name),
            "invalid_reason" => invalid_reason()?.alias(name),
            _ if OF_SAMPLES.contains(&name) => of("s", name).alias(name),
            _ => of("f", name).alias(name),
        });
        if name == "case_name" {
            let quoted = |name: &String| Expr::Column(datafusion::common::Column::new(Some("f"), name));
            columns.extend(params.iter().map(|name| quoted(name).alias(name)));
        }
    }
    joined(samples, facts)?.project(columns)?.build()
}

/// Valid samples with what pairing needs, under `alias`.
fn side(samples: &Provider, facts: &Provider, alias: &str) -> Result<LogicalPlan> {
    let of_facts = [
        "run_id",
        "workload",
        "case_name",
        "cache",
        "replicate",
        "variant",
        "implementation",
        "trial",
        PAIR_GROUP,
        VARIANT_NUMBER,
        PILOT,
    ];
    let mut columns: Vec<Expr> = of_facts.iter().map(|name| of("f", name).alias(*name)).collect();
    columns.extend(["block", "elapsed_ns"].map(|name| of("s", name).alias(name)));
    columns.push(time_ns().alias("time_ns"));
    columns.push(cpus().alias("cpus"));
    joined(samples, facts)?
        .filter(valid().and(of("s", "elapsed_ns").gt(lit(0_i64))))?
        .project(columns)?
        .alias(alias)?
        .build()
}

/// The plan of `pairs`: all ordered pairs of variants in a block.
pub(crate) fn pairs(samples: &Provider, facts: &Provider) -> Result<LogicalPlan> {
    let (b, c) = (side(samples, facts, "b")?, side(samples, facts, "c")?);
    let differ = of("b", VARIANT_NUMBER).not_eq(of("c", VARIANT_NUMBER));
    let columns = PAIR_COLUMNS.map(|name| {
        let expr = match name {
            "baseline" => of("b", "variant"),
            "candidate" => of("c", "variant"),
            "log_ratio" => ln(of("b", "time_ns") / of("c", "time_ns")),
            "metric" => lit(TIME),
            _ => match (name.strip_prefix("baseline_"), name.strip_prefix("candidate_")) {
                (Some(column), _) => of("b", column),
                (_, Some(column)) => of("c", column),
                _ => of("b", name),
            },
        };
        expr.alias(name)
    });
    // The group holds the run; as a key of its own, a condition on it reaches the files of both sides.
    let keys =
        ["b", "c"].map(|side| vec![format!("{side}.run_id"), format!("{side}.{PAIR_GROUP}"), format!("{side}.block")]);
    let [b_keys, c_keys] = keys;
    LogicalPlanBuilder::from(b).join(c, JoinType::Inner, (b_keys, c_keys), Some(differ))?.project(columns)?.build()
}
