//! Merging stores.

use super::*;

pub(super) fn copy_folder(from: &Path, to: &LocalStore) -> PathBuf {
    let target = to.path().join(from.file_name().unwrap());
    fs::create_dir(&target).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), target.join(file.file_name())).unwrap();
    }
    target
}

#[test]
fn runs_are_copied_once_whatever_their_state() {
    let (a, b) = (scratch(), scratch());
    let (done, died, live, other) = (run_row(), run_row(), run_row(), run_row());
    finished(&a.store, &done);
    dead(&a.store, &died);
    let writer = RunWriter::create(&a.store, &live).unwrap();
    finished(&b.store, &other);
    let from = a.store.reader().unwrap();
    let merged = merge(&from, &b.store).unwrap();
    assert_eq!((merged.copied, merged.identical, merged.left_out.len()), (2, 0, 1));
    assert!(merged.left_out[0].path.contains(&live.run_id));
    let into = b.store.reader().unwrap();
    assert_eq!(verify(&into).unwrap(), []);
    let snapshot = into.snapshot().unwrap();
    assert_eq!(count(&snapshot, Table::Samples), 30);
    assert_eq!(snapshot.states[&died.run_id], RunState::Interrupted);
    let merged = merge(&from, &b.store).unwrap();
    assert_eq!((merged.copied, merged.identical), (0, 2));
    drop(writer);
}

#[test]
fn a_journal_and_its_parquet_are_the_same_run() {
    let (a, b) = (scratch(), scratch());
    let run = run_row();
    copy_folder(&dead(&a.store, &run), &b.store);
    repair(&a.store).unwrap();
    let merged = merge(&a.store.reader().unwrap(), &b.store).unwrap();
    assert_eq!((merged.copied, merged.identical), (0, 1));
}

#[test]
fn one_id_with_two_contents_stops_the_merge_before_it_starts() {
    let (a, b) = (scratch(), scratch());
    let run = run_row();
    finished(&a.store, &RunRow { started_at: run.started_at - chrono::TimeDelta::days(1), ..run_row() });
    finished(&a.store, &run);
    let mut writer = RunWriter::create(&b.store, &run).unwrap();
    fill(&mut writer, 11).unwrap();
    writer.finish(to_parquet).unwrap();
    let error = merge(&a.store.reader().unwrap(), &b.store).unwrap_err();
    assert!(matches!(&error, Error::Conflict { run_id, what } if *run_id == run.run_id && what.contains("samples")));
    assert!(error.to_string().contains("nothing was merged"));
    assert_eq!(b.store.reader().unwrap().runs().unwrap().len(), 1);
}

#[test]
fn damaged_runs_stay_where_they_are() {
    let (a, b) = (scratch(), scratch());
    let folder = finished(&a.store, &run_row());
    let copy = copy_folder(&folder, &b.store);
    flip(&folder.join("samples.parquet"), 50, 5);
    let error = merge(&a.store.reader().unwrap(), &b.store).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    fs::remove_dir_all(copy).unwrap();
    let merged = merge(&a.store.reader().unwrap(), &b.store).unwrap();
    assert_eq!((merged.copied, merged.left_out.len()), (0, 1));
    assert!(merged.left_out[0].reason.contains("checksum"));
    assert!(b.store.reader().unwrap().runs().unwrap().is_empty());
}

#[test]
fn a_store_merged_into_itself_does_not_change() {
    let a = scratch();
    finished(&a.store, &run_row());
    dead(&a.store, &run_row());
    let merged = merge(&a.store.reader().unwrap(), &a.store).unwrap();
    assert_eq!((merged.copied, merged.identical), (0, 2));
}
