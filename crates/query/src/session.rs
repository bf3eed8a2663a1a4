//! A session: questions to one snapshot of a store.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use benchbook_record::{Damaged, RunState, Store, Table};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::answer::{ALL_MARKS, Answer, Invalid, LeftOut, OWN_MARKS};
use crate::bind::{Bound, bind};
use crate::csv;
use crate::error::{Error, Result};
use crate::explain::{Known, explain};
use crate::facts::Facts;
use crate::memory::default_memory_bytes;
use crate::metrics::{self, METRIC_VIEWS, TIME};
use crate::named::{NamedQuery, named_queries, named_queries_in, parse};
use crate::names::nearest;
use crate::noise::Noise;
use crate::tables::{self, FOUND, Tables, VERDICTS, VIEWS};
use crate::wait::Threads;
use crate::{answer, claims};

/// SQL over what a store held when the session was opened.
///
/// All methods block until the answer is there; they may be called inside another runtime.
pub struct Session {
    context: SessionContext,
    tables: Tables,
    damaged: Vec<Damaged>,
    /// Runs whose writer was at work.
    live: HashSet<String>,
    facts: Mutex<Option<Arc<Facts>>>,
    /// Whether the views of metrics are there, with these margins.
    metrics: Mutex<bool>,
    margins: BTreeMap<String, f64>,
    noise: Arc<OnceLock<Noise>>,
    invalid: OnceLock<Vec<Invalid>>,
    queries: Vec<NamedQuery>,
    /// Tables that stand beside those of the store.
    added: BTreeSet<String>,
    store: Store,
    threads: Threads,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("store", &self.store.location()).finish_non_exhaustive()
    }
}

impl Session {
    /// Opens a session over a snapshot of `store`; a question of it may take [`default_memory_bytes`].
    ///
    /// # Errors
    /// [`Error::Record`] where the store cannot be read; a damaged file is left out and named instead.
    /// [`Error::MemoryVariable`] where it cannot be read what a question may take.
    pub fn open(store: &Store) -> Result<Self> {
        Self::open_within(store, default_memory_bytes()?)
    }

    /// As [`Session::open`], where a question may take `limit_bytes` of memory.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_within(store: &Store, limit_bytes: u64) -> Result<Self> {
        let snapshot = store.snapshot()?;
        let context = tables::context(&snapshot, limit_bytes)?;
        let tables = tables::register(&context, &snapshot)?;
        context.register_table(TableReference::bare(claims::TABLE), Arc::new(claims::embedded()?))?;
        Ok(Self {
            context,
            tables,
            damaged: snapshot.damaged,
            live: live(snapshot.states),
            facts: Mutex::default(),
            metrics: Mutex::default(),
            margins: BTreeMap::new(),
            noise: Arc::default(),
            invalid: OnceLock::new(),
            queries: named_queries()?,
            added: BTreeSet::from([claims::TABLE.to_owned()]),
            store: store.clone(),
            threads: Threads::start(limit_bytes)?,
        })
    }

    /// Adds the queries of a folder; one of the same name replaces the embedded one.
    ///
    /// # Errors
    /// Those of [`named_queries_in`].
    pub fn add_queries(&mut self, folder: &Path) -> Result<()> {
        for query in named_queries_in(folder)? {
            self.queries.retain(|known| known.name != query.name);
            self.queries.push(query);
        }
        self.queries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }

    /// Adds the rows of a CSV file with a header as a table; one added before under that name gives way.
    ///
    /// The table `claims` is there from the beginning; what takes its place must have its columns.
    ///
    /// # Errors
    /// [`Error::TableName`] for a name that a table or view of the store has, or that SQL would need quotes for,
    /// [`Error::CsvUnread`] for a file that cannot be read, [`Error::Csv`] for one that is no CSV, [`Error::Claims`]
    /// for one that is no table of claims.
    pub fn add_csv(&mut self, name: &str, path: &Path) -> Result<()> {
        if !csv::is_plain(name) {
            let reason = "write a lower-case letter, then lower-case letters, digits or _";
            return Err(Error::TableName { name: name.to_owned(), reason });
        }
        free(name)?;
        let bytes = csv::bytes(path)?;
        let table = match name {
            claims::TABLE => claims::read(&bytes, path)?,
            _ => csv::read(&bytes, path)?,
        };
        self.add(name, table)
    }

    /// Adds the rows of an answer as a table; one added before under that name gives way. A name that is not lower-case
    /// throughout needs quotes in SQL.
    ///
    /// # Errors
    /// [`Error::TableName`] for a name that a table or view of the store has, or the table `claims`.
    pub fn add_answer(&mut self, name: &str, answer: &Answer) -> Result<()> {
        free(name)?;
        if name == claims::TABLE {
            let reason = "it holds the published claims; choose another name";
            return Err(Error::TableName { name: name.to_owned(), reason });
        }
        let table = MemTable::try_new(Arc::clone(&answer.schema), vec![answer.batches.clone()])?;
        self.add(name, table)
    }

    fn add(&mut self, name: &str, table: MemTable) -> Result<()> {
        self.context.deregister_table(TableReference::bare(name))?;
        self.context.register_table(TableReference::bare(name), Arc::new(table))?;
        self.added.insert(name.to_owned());
        Ok(())
    }

    /// Ends every question that is being answered while this flag is set, by [`Error::Interrupted`].
    pub fn interrupted_by(&mut self, flag: &Arc<AtomicBool>) {
        self.threads.stop_at(flag);
    }

    /// Calls values of a metric equivalent up to this share, whatever the metric says of itself.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for [`TIME`], whose margin is fixed, and for a margin that is not above 0.
    pub fn set_margin(&mut self, metric: &str, margin: f64) -> Result<()> {
        let refused =
            |expected| Err(Error::BadParameter { name: "margin".into(), value: margin.to_string(), expected });
        if metric == TIME {
            return refused("that of another metric: that of time is 1 %");
        }
        if !(margin > 0.0 && margin.is_finite()) {
            return refused("a share above 0, as 0.01");
        }
        self.margins.insert(metric.to_owned(), margin);
        *self.metrics.get_mut().unwrap_or_else(PoisonError::into_inner) = false;
        Ok(())
    }

    /// The store that is asked.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The named queries of this session, by name.
    pub fn queries(&self) -> &[NamedQuery] {
        &self.queries
    }

    /// Every table and view, with its columns in their order.
    ///
    /// # Errors
    /// The facts of the store cannot be read.
    pub fn columns(&self) -> Result<BTreeMap<String, Vec<String>>> {
        self.metrics()?;
        let state = self.context.state();
        let tables = self.known(&state).tables;
        let read = async {
            let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for name in tables {
                let table = self.context.table_provider(TableReference::bare(name.as_str())).await?;
                let fields = table.schema();
                columns.insert(name, fields.fields().iter().map(|field| field.name().clone()).collect());
            }
            Ok::<_, DataFusionError>(columns)
        };
        self.wait(&state, read)
    }

    /// Every function that a statement may call; [`functions`](crate::functions) describes those of this crate.
    pub fn function_names(&self) -> Vec<String> {
        let mut names = self.known(&self.context.state()).functions;
        names.extend(metrics::table_functions().map(|function| function.name.to_owned()));
        names
    }

    /// Answers a query.
    ///
    /// # Errors
    /// [`Error::Sql`] with position and nearest name, [`Error::ReadOnly`] for a statement that would
    /// change something, [`Error::MissingParameter`] for a `$parameter`, [`Error::Memory`] for one that takes more
    /// than it may, [`Error::Panic`] for one that the engine cannot bear.
    pub fn sql(&self, sql: &str) -> Result<Answer> {
        self.answer(sql, Bound::default())
    }

    /// As [`Session::sql`], with values for the `$parameters` that stand in the statement.
    ///
    /// # Errors
    /// As [`Session::sql`]; [`Error::MissingParameter`] for a parameter without a value.
    pub fn sql_with(&self, sql: &str, values: Vec<(String, ScalarValue)>) -> Result<Answer> {
        self.answer(sql, Bound { values, runs: None })
    }

    /// Answers a query with the values given to the parameters that its header declares, as in the file `name` of
    /// a named query; one without values needs no header.
    ///
    /// # Errors
    /// [`Error::QueryFile`] for values without a header, and those of [`Session::named`].
    pub fn script(&self, name: &str, sql: &str, params: &BTreeMap<String, String>) -> Result<Answer> {
        match parse(name, sql, Path::new(name)) {
            Ok(query) => self.ask(&query, params),
            Err(_) if params.is_empty() => self.sql(sql),
            Err(error) => Err(error),
        }
    }

    /// Answers a named query with the values given to its parameters.
    ///
    /// # Errors
    /// [`Error::UnknownQuery`], [`Error::UnknownParameter`], [`Error::MissingParameter`],
    /// [`Error::BadParameter`], [`Error::NotInStore`], and those of [`Session::sql`].
    pub fn named(&self, name: &str, params: &BTreeMap<String, String>) -> Result<Answer> {
        let names = || self.queries.iter().map(|query| query.name.clone());
        let Some(query) = self.queries.iter().find(|query| query.name == name) else {
            return Err(Error::UnknownQuery {
                name: name.to_owned(),
                nearest: nearest(name, names()),
                known: names().collect(),
            });
        };
        self.ask(query, params)
    }

    fn ask(&self, query: &NamedQuery, params: &BTreeMap<String, String>) -> Result<Answer> {
        let bound = bind(query, params, &self.store, || self.facts())?;
        self.answer(&query.sql, bound)
    }

    fn answer(&self, sql: &str, bound: Bound) -> Result<Answer> {
        let state = self.context.state();
        let statement = self.parse(&state, sql)?;
        if let Some(message) = metrics::sought_in_times(&statement) {
            return Err(Error::Sql { message, position: None, nearest: None });
        }
        let by_metric = metrics::is_called(&statement);
        let reads_metrics = by_metric || self.reads(&state, &statement, &METRIC_VIEWS)?;
        let reads_views = reads_metrics || self.reads(&state, &statement, &VIEWS)?;
        if reads_views {
            self.facts()?;
        }
        if reads_metrics {
            self.metrics()?;
        }
        if self.noise.get().is_none() && (by_metric || self.reads(&state, &statement, &[VERDICTS, FOUND])?) {
            // Where two threads come at once, both have read the same.
            let _ = self.noise.set(Noise::read(self)?);
        }
        // With what was registered meanwhile.
        let state = self.context.state();
        let run = async {
            let mut plan = state.statement_to_plan(statement).await?;
            read_only().verify_plan(&plan)?;
            if !bound.values.is_empty() {
                plan = plan.with_param_values(bound.values)?;
            }
            let mut missing: Vec<String> =
                plan.get_parameter_names()?.into_iter().map(|name| name.trim_start_matches('$').to_owned()).collect();
            if !missing.is_empty() {
                missing.sort_unstable();
                return Ok(Err(missing));
            }
            let frame = self.context.execute_logical_plan(plan).await?;
            let schema = frame.schema().clone();
            let batches = frame.collect().await?;
            Ok::<_, DataFusionError>(Ok(Answer::new(&schema, &batches, self.threads.limit_bytes())?))
        };
        let mut answer = self.wait(&state, run)?.map_err(|names| Error::MissingParameter { names })?;
        let mut damaged = self.damaged.clone();
        let mut samples = BTreeMap::new();
        if reads_views {
            damaged.extend(self.facts()?.left_out.iter().cloned());
            samples = answer::by_reason(self.invalid()?, bound.runs.as_deref());
        }
        answer.left_out = LeftOut { samples, damaged };
        Ok(answer)
    }

    /// Runs `future` to its end, its errors in words.
    fn wait<T: Send>(
        &self,
        state: &SessionState,
        future: impl Future<Output = std::result::Result<T, DataFusionError>> + Send,
    ) -> Result<T> {
        self.threads.wait(future)?.map_err(|error| explain(error, &self.known(state)))
    }

    fn parse(&self, state: &SessionState, sql: &str) -> Result<Statement> {
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(|error| explain(error, &self.known(state)))?;
        match refused(&statement) {
            Some(statement) => Err(Error::ReadOnly { statement }),
            None => Ok(statement),
        }
    }

    /// Whether one of these views, or the list of tables, is named.
    fn reads(&self, state: &SessionState, statement: &Statement, views: &[&str]) -> Result<bool> {
        if let Statement::Explain(explain) = statement {
            return self.reads(state, &explain.statement, views);
        }
        if !matches!(statement, Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_))) {
            return Ok(true);
        }
        let tables = state.resolve_table_references(statement).map_err(|error| explain(error, &self.known(state)))?;
        Ok(tables.iter().any(|table| views.contains(&table.table()) || table.schema() == Some("information_schema")))
    }

    /// The facts of all trials; the first call reads them and registers the views.
    fn facts(&self) -> Result<Arc<Facts>> {
        let mut slot = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = &*slot {
            return Ok(Arc::clone(facts));
        }
        let read = tables::register_views(&self.context, &self.tables, &self.damaged, &self.live, &self.noise);
        let facts = self.wait(&self.context.state(), read)?;
        Ok(Arc::clone(slot.insert(Arc::new(facts))))
    }

    /// Gathers the values of metrics and registers their views, unless they are there.
    fn metrics(&self) -> Result<()> {
        let facts = self.facts()?;
        let mut registered = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if !*registered {
            let read = metrics::register(&self.context, &facts, &self.margins, &self.noise);
            self.wait(&self.context.state(), read)?;
            *registered = true;
        }
        Ok(())
    }

    /// Counts of samples that are not valid, taken once.
    fn invalid(&self) -> Result<&[Invalid]> {
        if let Some(invalid) = self.invalid.get() {
            return Ok(invalid);
        }
        let sql = if self.facts()?.any_bad { ALL_MARKS } else { OWN_MARKS };
        let batches = self.wait(&self.context.state(), async { self.context.sql(sql).await?.collect().await })?;
        let invalid = answer::invalid(&batches)?;
        Ok(self.invalid.get_or_init(|| invalid))
    }

    fn known(&self, state: &SessionState) -> Known {
        let tables = ours().map(str::to_owned).chain(self.added.iter().cloned()).collect();
        let functions = state
            .aggregate_functions()
            .keys()
            .chain(state.scalar_functions().keys())
            .chain(state.window_functions().keys())
            .cloned()
            .collect();
        Known { tables, functions, limit_bytes: self.threads.limit_bytes() }
    }
}

/// The names of the tables and views of a store.
fn ours() -> impl Iterator<Item = &'static str> {
    Table::ALL.into_iter().map(Table::name).chain(VIEWS).chain(METRIC_VIEWS)
}

/// Whether a table beside those of the store may have this name.
fn free(name: &str) -> Result<()> {
    if ours().any(|known| known == name) {
        return Err(Error::TableName { name: name.to_owned(), reason: "the store has a table or view of that name" });
    }
    Ok(())
}

/// The runs whose writer is at work.
fn live(states: BTreeMap<String, RunState>) -> HashSet<String> {
    states.into_iter().filter(|(_, state)| *state == RunState::Live).map(|(run_id, _)| run_id).collect()
}

fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// The first words of a statement that is not a question.
fn refused(statement: &Statement) -> Option<String> {
    let asks = match statement {
        Statement::Statement(inner) => matches!(
            **inner,
            ast::Statement::Query(_)
                | ast::Statement::Explain { .. }
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ShowFunctions { .. }
        ),
        Statement::Explain(explain) => return refused(&explain.statement),
        _ => false,
    };
    (!asks).then(|| {
        let text = statement.to_string();
        let words: Vec<&str> =
            text.split_whitespace().take_while(|word| word.chars().all(char::is_uppercase)).collect();
        if words.is_empty() { "this statement".to_owned() } else { words.join(" ") }
    })
}
