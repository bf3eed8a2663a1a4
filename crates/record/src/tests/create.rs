//! Making stores and runs, and refusing to.

use super::*;

#[test]
fn a_second_writer_is_refused_while_the_first_lives_and_after() {
    let scratch = scratch();
    let run = run_row();
    let mut first = RunWriter::create(&scratch.store, &run).unwrap();
    let error = RunWriter::create(&scratch.store, &run).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(error.to_string().contains("another process"));
    fill(&mut first, 3).unwrap();
    first.finish(to_parquet).unwrap();
    let error = RunWriter::create(&scratch.store, &run).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(count(&scratch.store.reader().unwrap().snapshot().unwrap(), Table::Samples), 3);
}

#[test]
fn two_writers_that_race_get_one_run() {
    let scratch = scratch();
    let run = run_row();
    let results: Vec<_> = std::thread::scope(|scope| {
        let race = || scope.spawn(|| RunWriter::create(&scratch.store, &run));
        [race(), race(), race(), race()].map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let refused = |error: &Error| matches!(error, Error::Busy { .. } | Error::Exists { .. });
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(refused));
    drop(results);
    assert_eq!(verify(&scratch.store.reader().unwrap()).unwrap(), [], "the losers leave nothing behind");
}

#[test]
fn an_id_that_is_not_canonical_never_becomes_a_folder() {
    let scratch = scratch();
    for id in ["", "run-1", "../../etc", "0190A000-0000-7000-8000-000000000001", "0190a00000007000800000000000000a"] {
        let error = RunWriter::create(&scratch.store, &RunRow { run_id: id.into(), ..run_row() }).unwrap_err();
        assert!(matches!(error, Error::RunId(_)), "{id}: {error}");
    }
    assert!(scratch.store.reader().unwrap().runs().unwrap().is_empty());
}

#[test]
fn what_is_not_a_store_is_refused_with_advice() {
    let scratch = scratch();
    let absent = scratch.folder.path().join("absent");
    let message = Store::local(&absent).unwrap_err().to_string();
    assert!(message.contains("benchbook run"), "{message}");
    let empty = scratch.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let message = Store::open(empty.to_str().unwrap()).unwrap_err().to_string();
    assert!(message.contains("not a benchbook store") && message.contains("--store"), "{message}");
    let message = Store::open("memory:///").unwrap_err().to_string();
    assert!(message.contains("not a benchbook store"), "{message}");
    let message = Store::open("gopher://host/x").unwrap_err().to_string();
    assert!(message.contains("s3://bucket"), "{message}");
    let message = Store::open("http://").unwrap_err().to_string();
    assert!(message.contains("cannot be opened"), "{message}");

    let full = scratch.folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.tex"), "x").unwrap();
    let message = LocalStore::create_or_open(&full).unwrap_err().to_string();
    assert!(message.contains("other files"), "{message}");
    LocalStore::create_or_open(&empty).unwrap();
    assert!(Store::local(&empty).unwrap().runs().unwrap().is_empty());
    LocalStore::create_or_open(&empty).unwrap();
}

#[test]
fn a_file_is_not_a_store_either() {
    let scratch = scratch();
    let file = scratch.folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(Store::local(&file).unwrap_err(), Error::NotAStore { .. }));
    assert!(matches!(LocalStore::create_or_open(&file).unwrap_err(), Error::Io { .. }));
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let scratch = scratch();
    let marker = scratch.store.path().join("benchbook-store.json");
    let later = SCHEMA_VERSION + 1;
    let says = |version: u32| format!("\"schema_version\": {version}");
    let text = fs::read_to_string(&marker).unwrap().replace(&says(SCHEMA_VERSION), &says(later));
    fs::write(&marker, text).unwrap();
    for error in [scratch.store.reader().unwrap_err(), LocalStore::create_or_open(scratch.store.path()).unwrap_err()] {
        assert!(matches!(error, Error::Newer { found, .. } if found == u64::from(later)), "{error}");
        let told = error.to_string();
        // What reads a store may be an old snapshot of the library, in a notebook.
        assert!(told.contains("update benchbook") && told.contains("restart its Jupyter kernel"), "{told}");
    }
    fs::write(&marker, "{").unwrap();
    assert!(matches!(scratch.store.reader().unwrap_err(), Error::Damaged { .. }));
}

#[test]
fn writers_and_readers_take_a_location_for_the_same_folder() {
    let scratch = scratch();
    let folder = scratch.folder.path().canonicalize().unwrap().join("my store");
    let url = url::Url::from_directory_path(&folder).unwrap();
    assert!(url.as_str().contains("my%20store"), "{url}");
    let path = folder_of(url.as_str()).unwrap().unwrap();
    finished(&LocalStore::create_or_open(&path).unwrap(), &run_row());
    assert_eq!(Store::open(url.as_str()).unwrap().runs().unwrap().len(), 1);
    assert_eq!(Store::local(&folder).unwrap().runs().unwrap().len(), 1);
    assert_eq!(folder_of("a b%20c").unwrap(), Some(PathBuf::from("a b%20c")), "a path is no URL");
    assert_eq!(folder_of("s3://bucket/x").unwrap(), None);
    assert!(folder_of("file://elsewhere/x").is_err());
}

#[test]
fn a_location_that_cannot_be_opened_tells_no_password() {
    for location in ["s3://me:secret@host:99999/x", "http://me:secret@[/x"] {
        for error in [folder_of(location).unwrap_err(), Store::open(location).unwrap_err()] {
            let told = format!("{error} {error:?}");
            assert!(told.contains("me:***@") && !told.contains("secret"), "{told}");
        }
    }
}

#[test]
fn a_store_opens_by_path_and_by_url() {
    let scratch = scratch();
    let run = run_row();
    finished(&scratch.store, &run);
    let path = scratch.store.path().canonicalize().unwrap();
    let url = url::Url::from_directory_path(&path).unwrap();
    for location in [path.to_str().unwrap(), url.as_str()] {
        let runs = Store::open(location).unwrap().runs().unwrap();
        assert_eq!(runs.len(), 1, "{location}");
        assert_eq!(runs[0].run_id, run.run_id);
    }
}
