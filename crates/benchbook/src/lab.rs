//! A store to measure into and to ask.

use std::collections::BTreeMap;
use std::ops::DerefMut;
use std::path::Path;
use std::sync::Arc;

use benchbook_core::{Implementation, Registry};
use benchbook_measure::{Foreign, InProcess};
use benchbook_query::{Answer, Session};
use benchbook_record::Store;
use benchbook_report::charts::Figure;
use benchbook_report::{
    By, Comparison, across, distribution_figure, history_figures, scaling_figures, speedup_figure, within_by,
};

use crate::asked::Asked;
use crate::{Result, host, opened};

/// A store, and the kernels of this process.
///
/// What it holds is behind a pointer to a trait, and what takes any type hands on at once: each cell of a notebook compiles
/// both anew.
pub struct Lab(pub(crate) Box<dyn DerefMut<Target = Parts>>);

/// What a lab holds.
pub(crate) struct Parts {
    pub(crate) asked: Arc<Asked>,
    pub(crate) here: InProcess,
    /// Workers of other programs.
    pub(crate) beside: Vec<Foreign>,
}

impl Lab {
    /// Opens a store, making it where there is none, and says which of its runs were interrupted.
    ///
    /// Labs of one folder share one store.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written; `BENCHBOOK_MEMORY` says no amount.
    pub fn open(store: impl AsRef<Path>) -> Result<Self> {
        Self::made(store.as_ref(), Box::new(|_| ()))
    }

    /// As [`Lab::open`], with workloads and implementations of your own.
    ///
    /// # Errors
    /// As [`Lab::open`].
    pub fn with(store: impl AsRef<Path>, extend: impl FnOnce(&mut Registry)) -> Result<Self> {
        Self::made(store.as_ref(), Box::new(extend))
    }

    #[inline(never)]
    fn made(store: &Path, extend: Box<dyn FnOnce(&mut Registry) + '_>) -> Result<Self> {
        let (asked, here) = (Asked::open(store)?, InProcess::new(host(extend)));
        let lab = Self(Box::new(Box::new(Parts { asked, here, beside: Vec::new() })));
        opened::tell_of_interrupted(&lab)?;
        Ok(lab)
    }

    /// Adds an implementation of yours for [`Lab::run_here`], in the place of one of the same name if there is one.
    pub fn add(&mut self, implementation: impl Implementation + 'static) {
        self.put(Box::new(implementation));
    }

    #[inline(never)]
    fn put(&mut self, implementation: Box<dyn Implementation>) {
        self.0.here.extend(|registry| {
            registry.replace(implementation);
        });
    }

    /// Adds a worker of another program, in any language, for [`Lab::run`], in the place of one of the same name if there is
    /// one: what it offers is measured beside the library's, under devices of its own.
    ///
    /// `command` is what starts it, as one writes it in a shell: `python3 ../crates/engines/python` has the engines of that
    /// Python.
    pub fn worker(&mut self, name: &str, command: &str) {
        self.0.beside.retain(|worker| worker.name != name);
        self.0.beside.push(Foreign { name: name.to_owned(), command: command.to_owned() });
    }

    /// What this process can measure: workload, implementation, device, and why not where it cannot.
    ///
    /// # Errors
    /// Never in practice: the kernels of this process always answer.
    pub fn list(&self) -> Result<Answer> {
        host::list(self)
    }

    /// Lets every later question ask a CSV file with a header as the table `name`; it is read anew each time.
    ///
    /// # Errors
    /// A name that a table of the store has, a file that cannot be read or is no CSV.
    pub fn csv(&self, name: &str, path: impl AsRef<Path>) -> Result<()> {
        self.0.asked.csv(name, path.as_ref())
    }

    /// Lets every later question take this much memory, in bytes, instead of what the variable `BENCHBOOK_MEMORY` says or
    /// a quarter of the machine's. One that takes more is an error, and the notebook goes on.
    pub fn memory(&self, bytes: u64) {
        self.0.asked.memory(bytes);
    }

    /// Answers a statement over everything recorded so far.
    ///
    /// # Errors
    /// A statement that cannot be planned or run, with its position and the nearest known name.
    pub fn sql(&self, statement: &str) -> Result<Answer> {
        Ok(self.session()?.sql(statement)?)
    }

    /// Answers a named query.
    ///
    /// # Errors
    /// An unknown query or parameter, with the nearest known name.
    pub fn query(&self, name: &str, params: &[(&str, &str)]) -> Result<Answer> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(self.session()?.named(name, &params.iter().map(pair).collect::<BTreeMap<_, _>>())?)
    }

    /// Compares the variants of a run with a baseline, paired block by block.
    ///
    /// # Errors
    /// An unknown run, or a run with nothing beside the baseline.
    pub fn compare(&self, run: impl AsRef<str>, baseline: &str) -> Result<Comparison> {
        self.within(run.as_ref(), By::Implementation, baseline)
    }

    /// As [`Lab::compare`], where the baseline may be a device or a dtype: each implementation then stands beside itself
    /// there.
    ///
    /// # Errors
    /// As [`Lab::compare`].
    pub fn compare_by(&self, run: impl AsRef<str>, by: By, baseline: &str) -> Result<Comparison> {
        self.within(run.as_ref(), by, baseline)
    }

    #[inline(never)]
    fn within(&self, run: &str, by: By, baseline: &str) -> Result<Comparison> {
        Ok(within_by(&self.session()?, run, by, Some(baseline))?)
    }

    /// Compares two runs, unpaired and sequential: descriptive, never *equivalent*.
    ///
    /// # Errors
    /// [`ErrorKind::Show`](crate::ErrorKind::Show) with the list of differences where their environments are not alike.
    pub fn compare_runs(&self, baseline: impl AsRef<str>, candidate: impl AsRef<str>) -> Result<Comparison> {
        self.across(baseline.as_ref(), candidate.as_ref(), false)
    }

    /// As [`Lab::compare_runs`], also where the environments differ: the note lists how.
    ///
    /// # Errors
    /// An unknown run, or two runs that share no case and variant.
    pub fn compare_runs_anyway(&self, baseline: impl AsRef<str>, candidate: impl AsRef<str>) -> Result<Comparison> {
        self.across(baseline.as_ref(), candidate.as_ref(), true)
    }

    #[inline(never)]
    fn across(&self, baseline: &str, candidate: &str, anyway: bool) -> Result<Comparison> {
        Ok(across(&self.session()?, baseline, candidate, anyway)?)
    }

    /// The speedups of a run over a baseline with their intervals, as a figure.
    ///
    /// # Errors
    /// As [`Lab::compare`].
    pub fn speedup(&self, run: impl AsRef<str>, baseline: &str) -> Result<Figure> {
        self.speedup_of(run.as_ref(), baseline)
    }

    #[inline(never)]
    fn speedup_of(&self, run: &str, baseline: &str) -> Result<Figure> {
        Ok(speedup_figure(&self.compare(run, baseline)?.answer)?)
    }

    /// Every valid sample of a run as a figure.
    ///
    /// # Errors
    /// An unknown run, or one without valid samples.
    pub fn distribution(&self, run: impl AsRef<str>) -> Result<Figure> {
        self.distribution_of(run.as_ref())
    }

    #[inline(never)]
    fn distribution_of(&self, run: &str) -> Result<Figure> {
        let (session, run_id) = self.found(run)?;
        let figure = distribution_figure(&session, &run_id)?;
        figure.ok_or_else(|| benchbook_report::Error::Nothing(format!("run {run_id} has no valid sample")).into())
    }

    /// Time against size on log–log axes with the fitted exponent: a figure for each workload and set of other
    /// parameters with at least three sizes.
    ///
    /// # Errors
    /// An unknown run.
    pub fn scaling(&self, run: impl AsRef<str>) -> Result<Vec<Figure>> {
        self.scaling_of(run.as_ref())
    }

    #[inline(never)]
    fn scaling_of(&self, run: &str) -> Result<Vec<Figure>> {
        let (session, run_id) = self.found(run)?;
        Ok(scaling_figures(&session, &run_id)?)
    }

    /// Time over the runs of the store, change points marked: a figure for each case of a run whose variants have at
    /// least five runs in the same environment.
    ///
    /// # Errors
    /// An unknown run.
    pub fn history(&self, run: impl AsRef<str>) -> Result<Vec<Figure>> {
        self.history_of(run.as_ref())
    }

    #[inline(never)]
    fn history_of(&self, run: &str) -> Result<Vec<Figure>> {
        let (session, run_id) = self.found(run)?;
        Ok(history_figures(&session, &run_id)?)
    }

    /// Copies the runs of another store that this one lacks, and gives their number.
    ///
    /// # Errors
    /// A folder that is no store, or a run that differs from ours of the same id.
    pub fn merge(&self, other: impl AsRef<Path>) -> Result<usize> {
        opened::merge(self, other.as_ref())
    }

    pub(crate) fn reader(&self) -> Result<Store> {
        self.0.asked.reader()
    }

    pub(crate) fn session(&self) -> Result<Session> {
        self.0.asked.session()
    }

    /// A session, and the id of a run in it.
    fn found(&self, run: &str) -> Result<(Session, String)> {
        let session = self.session()?;
        let run_id = session.store().resolve(run)?.run_id;
        Ok((session, run_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Run, Stack};
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use benchbook_record::{RunRow, RunWriter, TrialRow, to_parquet};
    use serde_json::json;

    fn total(lab: &Lab) -> i64 {
        let answer = lab.sql("select sum(a) from extra").unwrap();
        answer.batches[0].column(0).as_primitive::<Int64Type>().value(0)
    }

    #[test]
    fn a_question_without_end_leaves_the_lab_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::open(folder.path().join("store")).unwrap();
        lab.memory(64 << 20);
        let endless = "select a.value + b.value as x from range(0, 5000) a cross join range(0, 5000) b order by x";
        let error = lab.sql(endless).unwrap_err().to_string();
        assert!(error.contains("more than 64 MiB of memory"), "{error}");
        assert_eq!(lab.sql("select 1").unwrap().rows(), 1);
    }

    #[test]
    fn an_implementation_stands_beside_itself_on_another_device() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::open(folder.path().join("store")).unwrap();
        let mut writer = RunWriter::create(&lab.0.asked.store, &RunRow::new("test")).unwrap();
        for (trial, device) in [(0, "flex"), (1, "moon")] {
            let row: TrialRow = serde_json::from_value(json!({
                "trial": trial, "workload": "attention", "case_name": "a", "params": {},
                "variant": format!("naive/{device}/f32/2t"), "implementation": "naive", "device": device,
                "dtype": "f32", "threads": 2, "replicate": 0, "isolation": "process", "input_seed": 7, "cache": "hot",
            }))
            .unwrap();
            writer.trial(&row).unwrap();
        }
        writer.finish(to_parquet).unwrap();
        let compared = lab.compare_by("latest", By::Device, "flex").unwrap();
        assert_eq!(compared.answer.rows(), 1);
        assert!(compared.note.contains("beside itself by device, baseline flex"), "{}", compared.note);
        assert!(lab.compare("latest", "naive").is_err(), "by implementation there is nothing beside it");
    }

    #[test]
    fn a_worker_takes_the_place_of_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = Lab::open(folder.path().join("store")).unwrap();
        for (name, command) in [("a", "one"), ("b", "two"), ("a", "/no/such/worker")] {
            lab.worker(name, command);
        }
        let commands: Vec<&str> = lab.0.beside.iter().map(|worker| worker.command.as_str()).collect();
        assert_eq!(commands, ["two", "/no/such/worker"]);
    }

    #[test]
    fn whoever_holds_what_cells_hold_knows_a_pointer() {
        let pointer = size_of::<[usize; 2]>();
        for held in [size_of::<Lab>(), size_of::<Run>(), size_of::<Answer>(), size_of::<Figure>(), size_of::<Stack>()] {
            assert_eq!(held, pointer);
        }
    }

    #[test]
    fn a_csv_stands_beside_the_store_for_every_later_question() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("extra.csv");
        let lab = Lab::open(folder.path().join("store")).unwrap();
        assert!(lab.csv("extra", &path).is_err(), "there is no file yet");
        assert!(lab.sql("select 1").is_ok(), "what was refused is not kept");
        std::fs::write(&path, "a\n1\n2\n").unwrap();
        assert!(lab.csv("runs", &path).is_err());
        lab.csv("extra", &path).unwrap();
        assert_eq!(total(&lab), 3);
        assert_eq!(lab.query("runs", &[]).unwrap().rows(), 0);
        std::fs::write(&path, "a\n5\n").unwrap();
        assert_eq!(total(&lab), 5);
        std::fs::write(folder.path().join("other.csv"), "a\n7\n").unwrap();
        lab.csv("extra", folder.path().join("other.csv")).unwrap();
        assert_eq!(total(&lab), 7);
    }
}
