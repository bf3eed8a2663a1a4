//! Writing a run: rows are buffered, and frames go to the journal.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use uuid::Uuid;

use crate::batch::body_of;
use crate::columns::{SampleColumns, StepColumns, StepValueColumns};
use crate::file::{Disk, Sink, disk};
use crate::folder::{Staging, create_locked, refuse_existing, run_folder, sync_folder};
use crate::frame::{encode, header};
use crate::reader::JOURNAL;
use crate::{
    CheckRow, Error, EventRow, LocalStore, MeasureRow, OutcomeRow, Result, RunRow, SampleRow, StepRow, StepValueRow,
    Table, TelemetryRow, TrialRow,
};

/// What was buffered is written out when this long has passed since the last time.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Reads the text of a run id; only the canonical form names a folder.
///
/// # Errors
/// It is another form, or none.
pub fn parse_run_id(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).ok().filter(|id| id.to_string() == text).ok_or_else(|| Error::RunId(text.to_owned()))
}

/// A run that has ended: its journal is whole and on the disk, and its writer still holds the lock.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// The run.
    pub run_id: &'a str,
    /// The run's folder.
    pub folder: &'a Path,
    /// What is written through.
    pub disk: &'a Disk,
}

/// What becomes of the journal of a run that has ended.
pub type Keep = fn(&Ended<'_>) -> Result<()>;

/// Keeps a run as its journal: readers take it for whole, and `benchbook store repair` makes Parquet of it.
///
/// # Errors
/// The disk refuses.
pub fn as_journal(ended: &Ended<'_>) -> Result<()> {
    sync_folder(ended.folder)
}

/// The one writer of a run; it holds the lock of the run's journal while it lives.
///
/// After an error of a write the rows stay buffered and the journal ends at its last whole frame:
/// a later call tries again. Dropping the writer writes out what is buffered and leaves the journal
/// behind: the run is then interrupted, unless its outcome was written.
pub struct RunWriter {
    run_id: String,
    folder: PathBuf,
    // Also the lock: it is held until the last handle of the file is closed.
    file: File,
    sink: Sink,
    disk: Disk,
    // Length of the journal up to its last whole frame.
    whole_bytes: u64,
    torn: bool,
    out: Vec<u8>,
    written_at: Instant,
    trials: Vec<TrialRow>,
    samples: SampleColumns,
    steps: StepColumns,
    step_values: StepValueColumns,
    measures: Vec<MeasureRow>,
    checks: Vec<CheckRow>,
    telemetry: Vec<TelemetryRow>,
    events: Vec<EventRow>,
    outcomes: Vec<OutcomeRow>,
}

impl std::fmt::Debug for RunWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunWriter").field("run_id", &self.run_id).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl RunWriter {
    /// Begins the journal of `run` in `store`; `environment_id` is filled in where it is empty.
    ///
    /// # Errors
    /// The id is no UUID, the run is there already or has another writer, or the disk refuses.
    pub fn create(store: &LocalStore, run: &RunRow) -> Result<Self> {
        Self::create_on(store, run, disk())
    }

    /// As [`RunWriter::create`], writing through `disk`.
    ///
    /// # Errors
    /// As [`RunWriter::create`].
    pub fn create_on(store: &LocalStore, run: &RunRow, disk: Disk) -> Result<Self> {
        let id = parse_run_id(&run.run_id)?;
        refuse_existing(&store.path().join(run_folder(&run.run_id)), &run.run_id)?;
        let mut run = run.clone();
        if run.environment_id.is_none() {
            run.environment_id = Some(run.environment_id());
        }
        let staging = Staging::new(store.path(), &run.run_id)?;
        let path = staging.path().join(JOURNAL);
        let file = create_locked(&path, &run.run_id)?;
        let sink = disk(file.try_clone().map_err(Error::io("open", &path))?);
        let mut out = header(id).to_vec();
        encode(Table::Runs, &body_of(Table::Runs, &[&run])?, &mut out)?;
        let mut writer = Self {
            run_id: run.run_id,
            folder: staging.path().to_owned(),
            file,
            sink,
            disk,
            whole_bytes: 0,
            torn: false,
            out,
            written_at: Instant::now(),
            trials: Vec::new(),
            samples: SampleColumns::new(),
            steps: StepColumns::default(),
            step_values: StepValueColumns::default(),
            measures: Vec::new(),
            checks: Vec::new(),
            telemetry: Vec::new(),
            events: Vec::new(),
            outcomes: Vec::new(),
        };
        writer.write_out()?;
        writer.folder = staging.commit(store.path(), &writer.run_id)?;
        Ok(writer)
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Buffers a sample; each 65,536 of them are written out as a frame.
    ///
    /// # Errors
    /// The disk refuses a full frame.
    #[inline]
    pub fn sample(&mut self, row: &SampleRow) -> Result<()> {
        if self.samples.push(row) { self.flush() } else { Ok(()) }
    }

    /// Buffers a step of a sample; each 65,536 of them are written out as a frame, after the samples.
    ///
    /// # Errors
    /// As [`RunWriter::sample`].
    pub fn step(&mut self, row: &StepRow) -> Result<()> {
        if self.steps.push(row) { self.flush() } else { Ok(()) }
    }

    /// Buffers a number that a step says of itself, as [`RunWriter::step`] does the step.
    ///
    /// # Errors
    /// As [`RunWriter::sample`].
    pub fn step_value(&mut self, row: &StepValueRow) -> Result<()> {
        if self.step_values.push(row) { self.flush() } else { Ok(()) }
    }

    /// Buffers a trial; it reaches the journal before its samples.
    ///
    /// # Errors
    /// None at present: writing happens in [`RunWriter::flush`].
    pub fn trial(&mut self, row: &TrialRow) -> Result<()> {
        self.trials.push(row.clone());
        Ok(())
    }

    /// Buffers an ending.
    ///
    /// # Errors
    /// As [`RunWriter::trial`].
    pub fn outcome(&mut self, row: &OutcomeRow) -> Result<()> {
        self.outcomes.push(row.clone());
        Ok(())
    }

    /// Buffers a metric that is not a time.
    ///
    /// # Errors
    /// As [`RunWriter::trial`].
    pub fn measure(&mut self, row: &MeasureRow) -> Result<()> {
        self.measures.push(row.clone());
        Ok(())
    }

    /// Buffers a correctness check.
    ///
    /// # Errors
    /// As [`RunWriter::trial`].
    pub fn check(&mut self, row: &CheckRow) -> Result<()> {
        self.checks.push(row.clone());
        Ok(())
    }

    /// Buffers a reading of the machine.
    ///
    /// # Errors
    /// As [`RunWriter::trial`].
    pub fn telemetry(&mut self, row: &TelemetryRow) -> Result<()> {
        self.telemetry.push(row.clone());
        Ok(())
    }

    /// Buffers something that happened.
    ///
    /// # Errors
    /// As [`RunWriter::trial`].
    pub fn event(&mut self, row: &EventRow) -> Result<()> {
        self.events.push(row.clone());
        Ok(())
    }

    /// Writes out what is buffered if a second has passed since the last time; call it between
    /// samples, it costs one reading of the clock.
    ///
    /// # Errors
    /// As [`RunWriter::flush`].
    pub fn tick(&mut self) -> Result<()> {
        if self.written_at.elapsed() >= WRITE_EVERY { self.flush() } else { Ok(()) }
    }

    /// Hands what is buffered to the operating system: it then survives the end of this process.
    ///
    /// # Errors
    /// The disk refuses; what was written before is kept, what was not stays buffered.
    pub fn flush(&mut self) -> Result<()> {
        // Trials go first and outcomes last, so that any prefix of the journal makes sense.
        drain(Table::Trials, &mut self.trials, &mut self.out)?;
        if self.samples.rows() > 0 {
            encode(Table::Samples, &self.samples.take()?, &mut self.out)?;
        }
        if self.steps.rows() > 0 {
            encode(Table::Steps, &self.steps.take()?, &mut self.out)?;
        }
        if self.step_values.rows() > 0 {
            encode(Table::StepValues, &self.step_values.take()?, &mut self.out)?;
        }
        drain(Table::Checks, &mut self.checks, &mut self.out)?;
        drain(Table::Measures, &mut self.measures, &mut self.out)?;
        drain(Table::Telemetry, &mut self.telemetry, &mut self.out)?;
        drain(Table::Events, &mut self.events, &mut self.out)?;
        drain(Table::Outcomes, &mut self.outcomes, &mut self.out)?;
        self.write_out()
    }

    fn write_out(&mut self) -> Result<()> {
        let path = self.folder.join(JOURNAL);
        if self.torn {
            self.cut(&path)?;
        }
        if let Err(cause) = self.sink.write_all(&self.out).and_then(|()| self.sink.flush()) {
            self.torn = true;
            // If the torn frame cannot be cut off now, the next write tries before it appends.
            let _ = self.cut(&path);
            return Err(Error::Io { doing: "write", path: path.display().to_string(), cause });
        }
        self.whole_bytes += self.out.len() as u64;
        self.out.clear();
        self.written_at = Instant::now();
        Ok(())
    }

    fn cut(&mut self, path: &Path) -> Result<()> {
        self.file.set_len(self.whole_bytes).map_err(Error::io("cut", path))?;
        self.torn = false;
        Ok(())
    }

    /// Ends the run: writes out everything and does with the journal what `keep` does. Returns the run's folder.
    ///
    /// # Errors
    /// The disk refuses; the journal is then still there, and `benchbook store repair` ends the work.
    pub fn finish(mut self, keep: Keep) -> Result<PathBuf> {
        self.flush()?;
        self.file.sync_all().map_err(Error::io("sync", &self.folder.join(JOURNAL)))?;
        keep(&Ended { run_id: &self.run_id, folder: &self.folder, disk: &self.disk })?;
        Ok(self.folder.clone())
    }
}

fn drain<T: Serialize>(table: Table, rows: &mut Vec<T>, out: &mut Vec<u8>) -> Result<()> {
    if !rows.is_empty() {
        encode(table, &body_of(table, rows)?, out)?;
        rows.clear();
    }
    Ok(())
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; the frames written before are whole.
        let _ = self.flush();
    }
}
