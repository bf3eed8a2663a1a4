//! What should not lie in a store: nothing is written or read through links, and pipes, devices and folders where files
//! should be are refused at once, since reading them may never end. Each is named.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

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

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What `f` gives; who waits for a pipe fails here and not the whole suite.
fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = channel();
    thread::spawn(move || send.send(f()));
    receive.recv_timeout(Duration::from_secs(60)).expect("an answer")
}

fn folder(path: &Path) {
    fs::create_dir(path).unwrap();
}

#[test]
fn what_is_no_file_in_a_run_is_named_and_the_rest_answers() {
    let names = ["journal.bbj", "journal.bbj.damaged", "manifest.json", "manifest.json.new", "samples.parquet"];
    let planted: [(fn(&Path), &str); 2] = [(pipe, "named pipe"), (folder, "a folder")];
    for (name, (plant, what)) in names.into_iter().flat_map(|name| planted.map(|planted| (name, planted))) {
        let (scratch, into) = (scratch(), scratch());
        let held = run_row();
        let folder = dead(&scratch.store, &held);
        finished(&scratch.store, &run_row());
        let _ = fs::remove_file(folder.join(name));
        plant(&folder.join(name));
        let (store, other) = (scratch.store.clone(), into.store.clone());
        let (snapshot, findings, repaired, merged) = in_time(move || {
            let reader = store.reader().unwrap();
            let (snapshot, findings) = (reader.snapshot().unwrap(), verify(&reader).unwrap());
            (snapshot, findings, repair(&store).unwrap(), merge(&reader, &other).unwrap())
        });
        let path = format!("run_id={}/{name}", held.run_id);
        assert_eq!(snapshot.damaged.len(), 1, "{name}");
        assert_eq!(snapshot.damaged[0].path, path);
        assert!(snapshot.damaged[0].reason.contains(what), "{}", snapshot.damaged[0]);
        assert!(findings.contains(&snapshot.damaged[0]), "{name}");
        assert_eq!(count(&snapshot, Table::Samples), 10, "{name}");
        assert!(repaired.len() == 1 && repaired[0].untouched, "{repaired:?}");
        assert_eq!((merged.copied, merged.left_out.len()), (1, 1), "{name}");
        assert!(matches!(RunWriter::create(&scratch.store, &held).unwrap_err(), Error::Exists { .. }));
    }
}

#[test]
fn a_pipe_as_the_marker_is_refused() {
    let scratch = scratch();
    let marker = scratch.store.path().join("benchbook-store.json");
    fs::remove_file(&marker).unwrap();
    pipe(&marker);
    let path = scratch.store.path().to_owned();
    let errors = in_time(move || [Store::local(&path).unwrap_err(), LocalStore::create_or_open(&path).unwrap_err()]);
    for error in errors {
        assert!(error.to_string().contains("named pipe"), "{error}");
    }
}

#[test]
fn a_pipe_in_a_run_that_never_began_holds_nobody_up() {
    let scratch = scratch();
    let staging = scratch.store.path().join(".new-something");
    fs::create_dir(&staging).unwrap();
    pipe(&staging.join("journal.bbj"));
    let store = scratch.store.clone();
    let (findings, repaired) = in_time(move || (verify(&store.reader().unwrap()).unwrap(), repair(&store).unwrap()));
    assert_eq!((findings, repaired), (Vec::new(), Vec::new()), "someone may be making it");
}

#[test]
fn what_a_person_names_may_be_a_link_but_not_endless() {
    let scratch = scratch();
    let path = |name: &str| scratch.folder.path().join(name);
    fs::write(path("file"), "text").unwrap();
    symlink(path("file"), path("link")).unwrap();
    assert_eq!(read_text(&path("file")).unwrap(), "text");
    assert_eq!(read_bytes(&path("link")).unwrap(), b"text");
    fs::write(path("bytes"), b"\xff").unwrap();
    assert!(read_text(&path("bytes")).unwrap_err().to_string().contains("UTF-8"));
    pipe(&path("pipe"));
    symlink("/dev/null", path("device")).unwrap();
    for (name, word) in [("pipe", "named pipe"), ("device", "device"), (".", "folder")] {
        let path = path(name);
        let error = in_time(move || read_bytes(&path)).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("not a regular file"), "{name}: {error}");
    }
}
