//! Links in a store: nothing is written through them, nothing is read through them, each is named.

use std::os::unix::fs::symlink;

use super::*;

const TEXT: &str = "years of work";

/// A file of somebody's own beside the store.
fn thesis(scratch: &Scratch) -> PathBuf {
    let path = scratch.folder.path().join("thesis.tex");
    fs::write(&path, TEXT).unwrap();
    path
}

#[test]
fn a_repair_leaves_a_run_with_a_link_as_it_is_and_ends_the_others() {
    let names = ["samples.parquet", "trials.parquet", "manifest.json", "manifest.json.new", "journal.bbj.damaged", "x"];
    for name in names {
        let (scratch, into) = (scratch(), scratch());
        let (held, other) = (run_row(), run_row());
        let folder = dead(&scratch.store, &held);
        dead(&scratch.store, &other);
        let thesis = thesis(&scratch);
        symlink(&thesis, folder.join(name)).unwrap();
        let path = format!("run_id={}/{name}", held.run_id);

        let repaired = repair(&scratch.store).unwrap();
        assert_eq!(fs::read_to_string(&thesis).unwrap(), TEXT, "{name}");
        let left = repaired.iter().find(|run| run.run_id == held.run_id).unwrap();
        let reason = left.left_out.as_ref().unwrap();
        assert!(left.untouched && reason.contains(&path) && reason.contains("symbolic link"), "{name}: {left:?}");
        assert!(repaired.iter().any(|run| run.run_id == other.run_id && !run.untouched), "{name}");

        let store = scratch.store.reader().unwrap();
        let snapshot = store.snapshot().unwrap();
        let damaged: Vec<&str> = snapshot.damaged.iter().map(|damaged| damaged.path.as_str()).collect();
        assert_eq!(damaged, [path.as_str()]);
        assert!(matches!(snapshot.states[&held.run_id], RunState::Damaged(_)), "{name}");
        assert_eq!(count(&snapshot, Table::Samples), 10, "{name}: those of the other run");
        let merged = merge(&store, &into.store).unwrap();
        assert_eq!((merged.copied, merged.left_out.len()), (1, 1), "{name}");
    }
}

#[test]
fn a_folder_that_is_a_link_is_neither_read_nor_repaired() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    let outside = scratch.folder.path().join("outside");
    fs::rename(&folder, &outside).unwrap();
    symlink(&outside, &folder).unwrap();
    let repaired = repair(&scratch.store).unwrap();
    assert!(repaired.len() == 1 && repaired[0].untouched, "{repaired:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "its journal alone");
    let store = scratch.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!((snapshot.damaged.len(), count(&snapshot, Table::Samples)), (1, 0));
    assert!(snapshot.damaged[0].reason.contains("symbolic link"), "{}", snapshot.damaged[0]);
    assert!(matches!(store.run_row(&run.run_id).unwrap_err(), Error::Damaged { .. }));
    fs::remove_dir_all(&outside).unwrap();
    let error = RunWriter::create(&scratch.store, &run).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "a link that leads nowhere: {error}");
}

#[test]
fn a_run_that_ends_writes_through_no_link() {
    let scratch = scratch();
    let thesis = thesis(&scratch);
    let mut writer = RunWriter::create(&scratch.store, &run_row()).unwrap();
    fill(&mut writer, 10).unwrap();
    for name in ["samples.parquet", "events.parquet", "manifest.json.new", "manifest.json"] {
        symlink(&thesis, writer.path().join(name)).unwrap();
    }
    writer.finish(to_parquet).unwrap();
    assert_eq!(fs::read_to_string(&thesis).unwrap(), TEXT);
    let store = scratch.store.reader().unwrap();
    assert_eq!(verify(&store).unwrap(), []);
    assert_eq!(count(&store.snapshot().unwrap(), Table::Samples), 10);
}

#[test]
fn a_marker_is_a_file_and_nothing_else() {
    let scratch = scratch();
    let marker = scratch.store.path().join("benchbook-store.json");
    let elsewhere = scratch.folder.path().join("marker");
    fs::rename(&marker, &elsewhere).unwrap();
    symlink(&elsewhere, &marker).unwrap();
    for error in [scratch.store.reader().unwrap_err(), LocalStore::create_or_open(scratch.store.path()).unwrap_err()] {
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
}

#[test]
fn a_store_may_itself_be_reached_through_a_link() {
    let scratch = scratch();
    finished(&scratch.store, &run_row());
    let link = scratch.folder.path().join("link");
    symlink(scratch.store.path(), &link).unwrap();
    let store = Store::local(&link).unwrap();
    assert_eq!(verify(&store).unwrap(), []);
    assert_eq!(count(&store.snapshot().unwrap(), Table::Samples), 10);
}
