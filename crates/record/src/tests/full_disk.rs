//! A disk that is full after so many bytes: a clear error, and nothing written before is lost.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use benchbook_journal::{Disk, Sink};

use super::*;
use crate::repair::repair_on;

struct Small {
    file: File,
    left: Arc<AtomicU64>,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let take = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let written = self.file.write(&bytes[..take])?;
        self.left.fetch_sub(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn small(bytes: u64) -> (Disk, Arc<AtomicU64>) {
    let left = Arc::new(AtomicU64::new(bytes));
    let shared = left.clone();
    let disk: Disk = Arc::new(move |file: File| -> Sink { Box::new(Small { file, left: shared.clone() }) });
    (disk, left)
}

fn assert_clear(error: &Error) {
    let message = error.to_string();
    assert!(message.contains("free some space") && message.contains("kept"), "{message}");
}

/// Bytes that a filled run needs in all, its Parquet files and manifest included.
fn needed() -> u64 {
    let scratch = scratch();
    let (disk, left) = small(u64::MAX);
    let mut writer = RunWriter::create_on(&scratch.store, &run_row(), disk).unwrap();
    fill(&mut writer, 10).unwrap();
    writer.finish(to_parquet).unwrap();
    u64::MAX - left.load(Ordering::Relaxed)
}

#[test]
fn whatever_the_room_what_was_written_survives() {
    let total = needed();
    let mut failures = 0;
    for room in (0..total + 200).step_by(499) {
        let scratch = scratch();
        let run = run_row();
        let (disk, _) = small(room);
        let written = RunWriter::create_on(&scratch.store, &run, disk.clone()).and_then(|mut writer| {
            fill(&mut writer, 10)?;
            writer.finish(to_parquet)
        });
        let store = scratch.store.reader().unwrap();
        let Err(error) = written else {
            assert_eq!(verify(&store).unwrap(), [], "{room} bytes");
            continue;
        };
        failures += 1;
        assert_clear(&error);
        let before = store.snapshot().unwrap();
        assert_eq!(before.damaged, [], "{room} bytes: the journal ends at a whole frame");
        if before.states.is_empty() {
            assert_eq!(fs::read_dir(scratch.store.path()).unwrap().count(), 1, "{room} bytes: nothing is left behind");
            continue;
        }
        assert_eq!(before.parquet, [], "{room} bytes");
        assert!([0, 10].contains(&count(&before, Table::Samples)), "{room} bytes");
        if repair_on(&scratch.store, &disk).unwrap().iter().any(|run| run.untouched) {
            assert_eq!(verify(&store).unwrap(), [], "{room} bytes: a repair that fails leaves it as it was");
        }
        repair(&scratch.store).unwrap();
        let after = store.snapshot().unwrap();
        for table in Table::ALL {
            assert_eq!(count(&before, table), count(&after, table), "{room} bytes, {table}");
        }
        assert_eq!(verify(&store).unwrap(), [], "{room} bytes");
    }
    assert!(failures > 20, "the steps must fall into every stage, {total} bytes in all");
}

#[test]
fn a_run_that_cannot_be_repaired_keeps_nobody_from_the_others() {
    let scratch = scratch();
    dead(&scratch.store, &run_row());
    dead(&scratch.store, &run_row());
    let (disk, _) = small(0);
    let repaired = repair_on(&scratch.store, &disk).unwrap();
    let told =
        |run: &Repaired| run.untouched && run.left_out.as_ref().is_some_and(|why| why.contains("free some space"));
    assert!(repaired.len() == 2 && repaired.iter().all(told), "{repaired:?}");
    assert!(repair(&scratch.store).unwrap().iter().all(|run| !run.untouched));
}

#[test]
fn room_that_comes_back_lets_the_run_go_on() {
    let scratch = scratch();
    let run = run_row();
    let (disk, left) = small(u64::MAX);
    let mut writer = RunWriter::create_on(&scratch.store, &run, disk).unwrap();
    writer.trial(&trial_row(0)).unwrap();
    writer.flush().unwrap();
    left.store(100, Ordering::Relaxed);
    writer.sample(&sample_row(0, 0)).unwrap();
    for _ in 0..3 {
        assert_clear(&writer.flush().unwrap_err());
    }
    let store = scratch.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Trials), count(&snapshot, Table::Samples)), (1, 0));
    left.store(u64::MAX, Ordering::Relaxed);
    writer.sample(&sample_row(0, 1)).unwrap();
    writer.outcome(&outcome_row(None, Status::Ok)).unwrap();
    writer.finish(to_parquet).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Samples), snapshot.damaged.len()), (2, 0), "each row once");
    assert_eq!(snapshot.states[&run.run_id], RunState::Finished);
}

#[test]
#[cfg(target_os = "linux")]
fn the_real_answer_of_a_full_device_is_understood() {
    let scratch = scratch();
    let disk: Disk = Arc::new(|_: File| -> Sink {
        match File::options().write(true).open("/dev/full") {
            Ok(full) => Box::new(full),
            Err(_) => Box::new(Small { file: tempfile::tempfile().unwrap(), left: Arc::default() }),
        }
    });
    assert_clear(&RunWriter::create_on(&scratch.store, &run_row(), disk).unwrap_err());
    assert!(scratch.store.reader().unwrap().runs().unwrap().is_empty());
}
