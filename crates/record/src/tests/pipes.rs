//! Pipes, devices and folders where files should be: refused at once, since reading them may never end.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::*;

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
