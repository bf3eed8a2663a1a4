//! A table of the store: Parquet files of finished runs beside the journals of the others.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use benchbook_record::{ParquetFile, Table};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{ColumnarValue, Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

/// The column that the path of a file holds.
pub(crate) const RUN_ID: &str = "run_id";

/// Rough size of a row in memory, by which the planner compares tables.
const ROW_BYTES: usize = 100;

struct File {
    run_id: String,
    source: ParquetFile,
}

struct Journal {
    run_id: String,
    batches: Vec<RecordBatch>,
}

/// A table of the record.
///
/// `run_id` is the same throughout a file, so it is never decoded: it is a partition column, and
/// a condition on it leaves whole files unopened.
pub(crate) struct StoreTable {
    schema: SchemaRef,
    url: ObjectStoreUrl,
    files: Vec<File>,
    journals: Vec<Journal>,
}

impl std::fmt::Debug for StoreTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreTable").field("files", &self.files.len()).field("journals", &self.journals.len()).finish()
    }
}

impl StoreTable {
    /// The table over Parquet `files` at `url` and `batches` of journals, each of one run.
    pub(crate) fn try_new(
        table: Table,
        url: ObjectStoreUrl,
        files: Vec<ParquetFile>,
        batches: &[RecordBatch],
    ) -> Result<Self> {
        let schema = view_schema(&table.schema());
        let mut journals: Vec<Journal> = Vec::new();
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            let batch = as_views(batch, &schema)?;
            let run_id = batch.column(0).as_string_view().value(0).to_owned();
            match journals.last_mut() {
                Some(journal) if journal.run_id == run_id => journal.batches.push(batch),
                _ => journals.push(Journal { run_id, batches: vec![batch] }),
            }
        }
        let files = files.into_iter().map(|source| File { run_id: source.run_id.clone(), source }).collect();
        Ok(Self { schema, url, files, journals })
    }

    /// Which runs pass the conditions on `run_id`; the conditions name no other column.
    fn keep(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<bool>> {
        let runs =
            self.files.iter().map(|file| &file.run_id).chain(self.journals.iter().map(|journal| &journal.run_id));
        let ids: ArrayRef = Arc::new(runs.map(|id| Some(id.as_str())).collect::<StringViewArray>());
        let Some(filter) = conjunction(filters.iter().filter(|filter| on_run_id_only(filter)).cloned()) else {
            return Ok(vec![true; ids.len()]);
        };
        let schema = Arc::new(Schema::new(vec![Field::new(RUN_ID, DataType::Utf8View, false)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids])?;
        let filter = state.create_physical_expr(unqualified(filter)?, &DFSchema::try_from(schema)?)?;
        Ok(match filter.evaluate(&batch)? {
            ColumnarValue::Array(kept) => {
                let kept: &BooleanArray = kept.as_boolean();
                (0..kept.len()).map(|row| kept.is_valid(row) && kept.value(row)).collect()
            }
            ColumnarValue::Scalar(kept) => vec![kept == ScalarValue::Boolean(Some(true)); batch.num_rows()],
        })
    }

    /// The scan of the kept files, with the columns at `projection` of the table's schema.
    async fn scan_files(
        &self,
        state: &dyn Session,
        files: &[&File],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rest: Vec<_> = self.schema.fields().iter().skip(1).cloned().collect();
        let file_schema = Arc::new(Schema::new_with_metadata(rest, self.schema.metadata().clone()));
        let table_schema = TableSchema::builder(file_schema)
            .with_table_partition_cols(vec![Arc::clone(&self.schema.fields()[0])])
            .build();
        let last = self.schema.fields().len() - 1;
        let all: Vec<usize> = (0..=last).collect();
        // `run_id` is the first column of the table, but follows the columns of a file.
        let indices = projection.unwrap_or(&all).iter().map(|index| index.checked_sub(1).unwrap_or(last)).collect();
        let partitioned = files.iter().map(|file| {
            let mut partitioned = PartitionedFile::new(String::new(), file.source.size_bytes)
                .with_partition_values(vec![ScalarValue::Utf8View(Some(file.run_id.clone()))]);
            partitioned.object_meta.location = file.source.path.clone();
            partitioned
        });
        let rows = files.iter().map(|file| usize::try_from(file.source.rows).unwrap_or(usize::MAX));
        let rows = rows.fold(0, usize::saturating_add);
        let mut statistics = Statistics::new_unknown(table_schema.table_schema());
        statistics.num_rows = Precision::Exact(rows);
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(ROW_BYTES));
        let groups = FileGroup::new(partitioned.collect()).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(ParquetSource::new(table_schema)))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(indices))?
            .with_limit(limit)
            .build();
        let options = state.table_options().parquet.clone();
        ParquetFormat::default().with_options(options).create_physical_plan(state, config).await
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match on_run_id_only(filter) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let keep = self.keep(state, filters)?;
        let (keep_files, keep_journals) = keep.split_at(self.files.len());
        let files: Vec<&File> =
            self.files.iter().zip(keep_files).filter(|(_, keep)| **keep).map(|pair| pair.0).collect();
        let journals: Vec<Vec<RecordBatch>> = self
            .journals
            .iter()
            .zip(keep_journals)
            .filter(|(_, keep)| **keep)
            .map(|(journal, _)| journal.batches.clone())
            .collect();
        let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            let all_filters_done = filters.iter().all(on_run_id_only);
            plans.push(self.scan_files(state, &files, projection, limit.filter(|_| all_filters_done)).await?);
        }
        if !journals.is_empty() {
            let schema = Arc::clone(&self.schema);
            plans.push(MemorySourceConfig::try_new_exec(&journals, schema, projection.cloned())?);
        }
        Ok(match plans.len() {
            0 => Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)),
            1 => plans.swap_remove(0),
            _ => UnionExec::try_new(plans)?,
        })
    }
}

fn on_run_id_only(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|column| column.name == RUN_ID) && !filter.is_volatile()
}

/// The same condition on the bare column name.
fn unqualified(filter: Expr) -> Result<Expr> {
    let bare = |expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::from_name(column.name)))),
        other => Ok(Transformed::no(other)),
    };
    filter.transform(bare).data()
}

/// The schema in which text is compared and grouped without copies.
fn view_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn as_views(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)?)
}
