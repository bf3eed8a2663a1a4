//! The tables and views of a snapshot, registered in a DataFusion context.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use benchbook_record::{Snapshot, Table};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::facts::{Facts, Sources};
use crate::functions::{BlockOrder, FamilyPlanner, aggregates, bound, scalars, windows};
use crate::noise::Noise;
use crate::store_table::StoreTable;
use crate::verdicts::{FACTS, of_times, planned, view};
use crate::views;

/// The names of the views of times, of cells of matrices, of what their techniques stand for, and of what searches have found.
pub(crate) const VIEWS: [&str; 7] = ["results", "pairs", "unusable", VERDICTS, "matrix_cells", "optimizations", FOUND];
pub(crate) const VERDICTS: &str = "verdicts";
/// What searches have found, which stands on verdicts.
pub(crate) const FOUND: &str = "matrix_found";
/// Trials of which no sample may be used, each with what became of it: every table says it in these words.
const UNUSABLE: &str = "SELECT run_id, trial, trial_lost AS reason FROM \"Facts\" WHERE trial_lost IS NOT NULL";

/// The tables of a snapshot.
pub(crate) type Tables = BTreeMap<Table, Arc<dyn TableProvider>>;

/// A context that knows the functions of this crate and nothing outside the store, and whose questions take no more
/// memory than that.
pub(crate) fn context(snapshot: &Snapshot, limit_bytes: u64) -> Result<SessionContext> {
    let mut config =
        SessionConfig::new().with_information_schema(true).with_default_catalog_and_schema("benchbook", "store");
    config.options_mut().sql_parser.collect_spans = true;
    // Nothing is written, so that what does not fit in memory fails and is not spilled.
    let no_files = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(usize::try_from(limit_bytes).unwrap_or(usize::MAX)));
    let runtime =
        RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool)).with_disk_manager_builder(no_files).build_arc()?;
    let state = SessionStateBuilder::new_with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_analyzer_rule(Arc::new(BlockOrder))
        .build();
    let context = SessionContext::new_with_state(state);
    {
        let state = context.state_ref();
        let mut state = state.write();
        bound(&mut *state, &pool, limit_bytes)?;
        for aggregate in aggregates() {
            datafusion::execution::FunctionRegistry::register_udaf(&mut *state, Arc::clone(aggregate))?;
        }
        for scalar in scalars() {
            datafusion::execution::FunctionRegistry::register_udf(&mut *state, scalar)?;
        }
        for window in windows() {
            datafusion::execution::FunctionRegistry::register_udwf(&mut *state, window)?;
        }
        datafusion::execution::FunctionRegistry::register_expr_planner(&mut *state, Arc::new(FamilyPlanner))?;
    }
    context.register_object_store(&snapshot.root, Arc::clone(&snapshot.object_store));
    // Local files are reachable by default; here only the store is.
    context.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    Ok(context)
}

/// Registers the tables of the record; one without rows is there with its schema.
pub(crate) fn register(context: &SessionContext, snapshot: &Snapshot) -> Result<Tables> {
    let url = ObjectStoreUrl::parse(snapshot.root.as_str())?;
    let mut tables = Tables::new();
    for table in Table::ALL {
        let files = snapshot.parquet.iter().filter(|file| file.table == table).cloned().collect();
        let batches: &[RecordBatch] = snapshot.batches.get(&table).map_or(&[], Vec::as_slice);
        let provider: Arc<dyn TableProvider> = Arc::new(StoreTable::try_new(table, url.clone(), files, batches)?);
        context.register_table(table.name(), Arc::clone(&provider))?;
        tables.insert(table, provider);
    }
    Ok(tables)
}

/// Reads the small tables and registers the views over them.
pub(crate) async fn register_views(
    context: &SessionContext,
    tables: &Tables,
    damaged: &[benchbook_record::Damaged],
    live: &HashSet<String>,
    noise: &Arc<OnceLock<Noise>>,
) -> Result<Facts> {
    let sources = Sources {
        runs: read(context, tables, Table::Runs).await?,
        trials: read(context, tables, Table::Trials).await?,
        outcomes: read(context, tables, Table::Outcomes).await?,
        checks: read(context, tables, Table::Checks).await?,
        runs_schema: tables[&Table::Runs].schema(),
        trials_schema: tables[&Table::Trials].schema(),
        live: live.clone(),
    };
    let facts = Facts::gather(&sources, damaged)?;
    let provider = facts.table()?;
    let samples = &tables[&Table::Samples];
    let [results, pairs, unusable, verdicts, cells, optimizations, found] = VIEWS;
    context.register_table(results, view(views::results(samples, &provider, &facts.params)?))?;
    context.register_table(pairs, view(views::pairs(samples, &provider)?))?;
    let lost = planned(context, UNUSABLE, &[(FACTS, Arc::clone(&provider))]).await?;
    context.register_table(unusable, view(lost))?;
    context.register_table(verdicts, view(of_times(context, &provider, noise).await?))?;
    context.register_table(cells, view(planned(context, include_str!("matrix/cells.sql"), &[]).await?))?;
    let named = planned(context, include_str!("matrix/optimizations.sql"), &[]).await?;
    context.register_table(optimizations, view(named))?;
    context.register_table(found, view(planned(context, include_str!("matrix/found.sql"), &[]).await?))?;
    Ok(facts)
}

async fn read(context: &SessionContext, tables: &Tables, table: Table) -> Result<Vec<RecordBatch>> {
    let plan = tables[&table].scan(&context.state(), None, &[], None).await?;
    collect(plan, context.task_ctx()).await
}
