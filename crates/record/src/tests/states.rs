//! Live, interrupted and finished runs, seen by readers.

use super::*;

fn state(store: &LocalStore, run: &RunRow) -> RunState {
    let entry = store.reader().unwrap().resolve(&run.run_id).unwrap();
    assert_eq!(store.reader().unwrap().snapshot().unwrap().states[&run.run_id], entry.state);
    entry.state
}

#[test]
fn a_run_is_live_then_finished() {
    let scratch = scratch();
    let run = run_row();
    let mut writer = RunWriter::create(&scratch.store, &run).unwrap();
    assert_eq!(state(&scratch.store, &run), RunState::Live);
    fill(&mut writer, 4).unwrap();
    assert_eq!(state(&scratch.store, &run), RunState::Live, "its outcome is there, its writer too");
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Samples), snapshot.damaged.len()), (4, 0));
    writer.finish(to_parquet).unwrap();
    assert_eq!(state(&scratch.store, &run), RunState::Finished);
    let entry = scratch.store.reader().unwrap().resolve("latest").unwrap();
    assert_eq!((entry.suite.as_str(), entry.tags.as_slice()), ("attention", &["nightly".to_owned()][..]));
    assert_eq!(entry.started_at_ns, run.started_at.timestamp_nanos_opt().unwrap());
}

#[test]
fn a_dropped_writer_leaves_an_interrupted_run_with_all_its_rows() {
    let scratch = scratch();
    let run = run_row();
    let mut writer = RunWriter::create(&scratch.store, &run).unwrap();
    writer.trial(&trial_row(0)).unwrap();
    writer.sample(&sample_row(0, 0)).unwrap();
    drop(writer);
    assert_eq!(state(&scratch.store, &run), RunState::Interrupted);
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Samples), snapshot.damaged.len()), (1, 0));
}

#[test]
fn the_outcome_of_the_run_decides_when_nobody_writes() {
    for (status, expected) in [
        (Status::Ok, RunState::Finished),
        (Status::Failed, RunState::Finished),
        (Status::Interrupted, RunState::Interrupted),
    ] {
        let scratch = scratch();
        let run = run_row();
        let mut writer = RunWriter::create(&scratch.store, &run).unwrap();
        writer.outcome(&outcome_row(None, status)).unwrap();
        drop(writer);
        assert_eq!(state(&scratch.store, &run), expected);
        repair(&scratch.store).unwrap();
        assert_eq!(state(&scratch.store, &run), expected, "and stays so as Parquet");
    }
    let scratch = scratch();
    let run = run_row();
    let mut writer = RunWriter::create(&scratch.store, &run).unwrap();
    writer.outcome(&outcome_row(Some(0), Status::Ok)).unwrap();
    writer.finish(to_parquet).unwrap();
    assert_eq!(state(&scratch.store, &run), RunState::Interrupted, "the end of a trial is not that of the run");
}

#[test]
fn a_run_kept_as_its_journal_has_ended_and_may_become_parquet_later() {
    let scratch = scratch();
    let run = run_row();
    let mut writer = RunWriter::create(&scratch.store, &run).unwrap();
    fill(&mut writer, 10).unwrap();
    let folder = writer.finish(as_journal).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing but the journal");
    assert_eq!(state(&scratch.store, &run), RunState::Finished);
    let store = scratch.store.reader().unwrap();
    let before = store.snapshot().unwrap();
    assert_eq!((count(&before, Table::Samples), verify(&store).unwrap()), (10, Vec::new()));
    assert_eq!(repair(&scratch.store).unwrap().len(), 1);
    let after = store.snapshot().unwrap();
    assert!(Table::ALL.into_iter().all(|table| count(&before, table) == count(&after, table)));
    assert_eq!((state(&scratch.store, &run), after.batches.len()), (RunState::Finished, 0));
}

#[test]
fn a_torn_frame_is_named_unless_its_writer_lives() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    let journal = folder.join("journal.bbj");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 3]).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!(snapshot.states[&run.run_id], RunState::Interrupted);
    assert!(snapshot.damaged[0].reason.contains("torn"));
    assert_eq!(count(&snapshot, Table::Trials), 1);

    let lock = fs::File::open(&journal).unwrap();
    lock.lock().unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!((snapshot.states[&run.run_id].clone(), snapshot.damaged.len()), (RunState::Live, 0));
    assert_eq!(repair(&scratch.store).unwrap(), []);
    assert!(journal.exists());
}

#[test]
fn a_journal_cut_anywhere_still_opens_and_repairs() {
    let scratch = scratch();
    let run = run_row();
    let journal = dead(&scratch.store, &run).join("journal.bbj");
    let bytes = fs::read(&journal).unwrap();
    for len in (0..bytes.len()).step_by(211) {
        let copy = LocalStore::create_or_open(scratch.folder.path().join(format!("cut-{len}"))).unwrap();
        let folder = copy.path().join(format!("run_id={}", run.run_id));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("journal.bbj"), &bytes[..len]).unwrap();
        let before = copy.reader().unwrap().snapshot().unwrap();
        assert_eq!(before.states[&run.run_id], RunState::Interrupted, "{len} bytes");
        let repaired = repair(&copy).unwrap();
        assert_eq!(repaired.len(), 1, "{len} bytes");
        let after = copy.reader().unwrap().snapshot().unwrap();
        assert_eq!(after.states[&run.run_id], RunState::Interrupted, "{len} bytes");
        assert_eq!(after.damaged, []);
        for table in Table::ALL {
            assert_eq!(count(&before, table), count(&after, table), "{len} bytes, {table}");
        }
    }
}
