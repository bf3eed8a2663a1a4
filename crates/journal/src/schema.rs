//! Arrow schemas of the tables, with the unit and the meaning of every column.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::Table;

/// Version of the schema that this build writes; every version up to it can be read.
pub const SCHEMA_VERSION: u32 = 2;

/// Key of the schema's metadata that holds [`SCHEMA_VERSION`] in every file.
pub const VERSION_KEY: &str = "benchbook.schema_version";

/// Key of a field's metadata that holds its unit (`ns`, `bytes`, `flop`).
pub const UNIT_KEY: &str = "unit";

/// Key of a field's metadata that holds its meaning in one line.
pub const DOC_KEY: &str = "doc";

static SCHEMAS: LazyLock<[SchemaRef; Table::ALL.len()]> = LazyLock::new(|| Table::ALL.map(build));

impl Table {
    /// The Arrow schema: units and meanings in the fields' metadata, the version in the schema's.
    pub fn schema(self) -> SchemaRef {
        SCHEMAS[usize::from(self.code())].clone()
    }
}

/// The values of a parameter: exactly one of the four fields is set.
pub(crate) fn param_fields() -> Fields {
    vec![
        Field::new("int", DataType::Int64, true),
        Field::new("float", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("bool", DataType::Boolean, true),
    ]
    .into()
}

fn map_of(value: DataType) -> DataType {
    let entries = vec![Field::new("keys", DataType::Utf8, false), Field::new("values", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn device_fields() -> Fields {
    vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("kind", DataType::Utf8, true),
        Field::new("driver", DataType::Utf8, true),
        Field::new("memory_bytes", DataType::Int64, true),
    ]
    .into()
}

struct Column(Field);

impl Column {
    fn unit(self, unit: &str) -> Self {
        let mut metadata = self.0.metadata().clone();
        metadata.insert(UNIT_KEY.to_owned(), unit.to_owned());
        Self(self.0.with_metadata(metadata))
    }

    fn nullable(self) -> Self {
        Self(self.0.with_nullable(true))
    }
}

fn column(name: &str, kind: DataType, doc: &str) -> Column {
    Column(Field::new(name, kind, false).with_metadata(HashMap::from([(DOC_KEY.to_owned(), doc.to_owned())])))
}

fn text(name: &str, doc: &str) -> Column {
    column(name, DataType::Utf8, doc)
}

fn int(name: &str, doc: &str) -> Column {
    column(name, DataType::Int64, doc)
}

fn float(name: &str, doc: &str) -> Column {
    column(name, DataType::Float64, doc)
}

fn flag(name: &str, doc: &str) -> Column {
    column(name, DataType::Boolean, doc)
}

fn ns(name: &str, doc: &str) -> Column {
    int(name, doc).unit("ns")
}

fn run_id() -> Column {
    text("run_id", "the run, a UUIDv7 as lower-case text")
}

fn trial() -> Column {
    int("trial", "number of the trial in its run")
}

fn sample() -> Column {
    int("sample", "number of the sample in its trial")
}

fn step() -> Column {
    int("step", "number of the step in its sample, from 0")
}

fn build(table: Table) -> SchemaRef {
    let columns = match table {
        Table::Runs => runs(),
        Table::Trials => trials(),
        Table::Samples => samples(),
        Table::Outcomes => outcomes(),
        Table::Measures => measures(),
        Table::Checks => checks(),
        Table::Telemetry => telemetry(),
        Table::Events => events(),
        Table::Steps => steps(),
        Table::StepValues => step_values(),
    };
    let fields: Fields = columns.into_iter().map(|column| column.0).collect();
    let version = HashMap::from([(VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string())]);
    Arc::new(Schema::new_with_metadata(fields, version))
}

fn runs() -> Vec<Column> {
    let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let texts = list_of(DataType::Utf8);
    vec![
        run_id(),
        column("started_at", utc, "when the run began; every *_ns of the run counts from here").unit("ns"),
        text("suite", "name of the plan"),
        column("tags", texts.clone(), "names given by the user, usable where a run is asked for").nullable(),
        text("command", "the command line as typed").nullable(),
        text("git_commit", "full hash of the commit the run was started in").nullable(),
        flag("git_dirty", "whether the working tree differed from that commit").nullable(),
        text("benchbook_version", "version of benchbook").nullable(),
        text("rustc_version", "compiler of the kernels").nullable(),
        text("build_profile", "cargo profile of the kernels").nullable(),
        flag("debug_assertions", "whether the kernels were compiled with debug assertions").nullable(),
        text("os", "operating system").nullable(),
        text("kernel", "release of the operating system's kernel").nullable(),
        text("hostname_hash", "hash of the host's name, to tell machines apart without naming them").nullable(),
        text("cpu_model", "model name of the processor").nullable(),
        column("cpu_features", texts, "instruction sets of the processor that kernels may use").nullable(),
        int("cpu_cores", "logical processors").unit("count").nullable(),
        text("cpu_governor", "frequency governor").nullable(),
        flag("cpu_turbo", "whether the clock may rise above its nominal rate").nullable(),
        flag("cpu_smt", "whether cores run more than one thread").nullable(),
        int("l3_bytes", "size of the last-level cache").unit("bytes").nullable(),
        int("memory_bytes", "size of the main memory").unit("bytes").nullable(),
        column("devices", list_of(DataType::Struct(device_fields())), "accelerators, with driver and memory in bytes")
            .nullable(),
        column("libraries", map_of(DataType::Utf8), "versions and flags of the engines").nullable(),
        column("environment_variables", map_of(DataType::Utf8), "variables that change speed").nullable(),
        int("threads", "worker threads given to every pool").unit("count").nullable(),
        int("seed", "seed of the order of blocks and of the inputs").nullable(),
        text("plan", "the plan as run, in TOML").nullable(),
        text("environment_id", "hash of everything that must be equal for two runs to be compared").nullable(),
    ]
}

fn trials() -> Vec<Column> {
    vec![
        run_id(),
        trial(),
        text("workload", "name of the problem"),
        text("case_name", "label of the parameters"),
        column("params", map_of(DataType::Struct(param_fields())), "parameters of the case, one typed value each"),
        text("variant", "label of implementation, device, dtype and threads: what a comparison compares"),
        text("implementation", "name of the implementation"),
        text("device", "name of the device"),
        text("dtype", "element type"),
        int("threads", "worker threads given to every pool").unit("count"),
        text("build", "revision and profile of the kernels").nullable(),
        text("engine", "engine behind the device").nullable(),
        text("engine_version", "version of that engine, and the instructions that it took").nullable(),
        int("replicate", "number of the replicate: a fresh process each, unless isolation says otherwise"),
        text("isolation", "process: the replicate has a process of its own; in_process: it has not"),
        int("worker", "process id of the worker").nullable(),
        int("input_seed", "seed of the inputs, as the bits of a signed integer"),
        text("cache", "hot: one input again and again; cold: inputs rotate through memory"),
        float("flops", "floating-point operations of one call").unit("flop").nullable(),
        float("bytes", "bytes that one call must move at least").unit("bytes").nullable(),
    ]
}

fn samples() -> Vec<Column> {
    vec![
        run_id(),
        trial(),
        sample(),
        int("block", "number of the block, unique in a run and shared by the trials it pairs"),
        int("position", "place of the trial in the random order of its block"),
        int("iterations", "calls in the sample").unit("count"),
        ns("elapsed_ns", "elapsed time of all calls"),
        ns("started_ns", "when the sample began, since runs.started_at on the monotonic clock"),
        ns("cpu_user_ns", "user time of the whole process during the sample").nullable(),
        ns("cpu_system_ns", "system time of the whole process during the sample").nullable(),
        flag("valid", "whether the sample may be used"),
        text("invalid_reason", "why it may not").nullable(),
    ]
}

fn outcomes() -> Vec<Column> {
    vec![
        run_id(),
        trial().nullable(),
        ns("at_ns", "when, since runs.started_at"),
        text("status", "ok, failed, wrong, unsupported or interrupted; of a run: ok, failed or interrupted"),
        text("stop_reason", "why it ended there").nullable(),
        ns("prepare_ns", "time to set up, check and warm up the trial").nullable(),
    ]
}

fn measures() -> Vec<Column> {
    vec![
        run_id(),
        trial(),
        int("sample", "the sample it belongs to; null: the whole trial").nullable(),
        text("device", "the device it belongs to; null: the host").nullable(),
        text("name", "what was measured"),
        float("value", "how much, in the unit beside it"),
        text("unit", "unit of the value"),
        text("provenance", "measured, modelled or quoted"),
    ]
}

fn checks() -> Vec<Column> {
    vec![
        run_id(),
        trial(),
        text("phase", "before or after the timing"),
        text("output", "name of the output; null: the only one, whose name was not told (version 1)").nullable(),
        float("max_abs_error", "largest |a - b|"),
        float("max_scaled_error", "largest |a - b| over the largest |reference| of its row (version 1: of all)")
            .unit("ratio"),
        float("tolerance", "largest scaled error that passes").unit("ratio"),
        flag("passed", "whether the output was right"),
        int("rows_checked", "rows of the output that were compared").unit("count"),
    ]
}

fn telemetry() -> Vec<Column> {
    vec![
        run_id(),
        ns("at_ns", "when, since runs.started_at"),
        text("device", "the device read; null: the host").nullable(),
        text("source", "where the reading comes from"),
        text("name", "what was read"),
        float("value", "how much, in the unit beside it"),
        text("unit", "unit of the value"),
    ]
}

fn events() -> Vec<Column> {
    vec![
        run_id(),
        ns("at_ns", "when, since runs.started_at"),
        trial().nullable(),
        text("level", "info, warning or error"),
        text("kind", "what kind of event, one word"),
        text("message", "what happened, for a person"),
    ]
}

fn steps() -> Vec<Column> {
    vec![
        run_id(),
        trial(),
        sample(),
        step(),
        ns("started_ns", "when the step began, since runs.started_at on the monotonic clock"),
        ns("elapsed_ns", "elapsed time of the step"),
        int("tokens", "tokens that the step made; null: it makes none").unit("count").nullable(),
    ]
}

fn step_values() -> Vec<Column> {
    vec![
        run_id(),
        trial(),
        sample(),
        step(),
        text("name", "what the step says of itself: loss, accepted"),
        float("value", "how much, in the unit beside it"),
        text("unit", "unit of the value"),
    ]
}
