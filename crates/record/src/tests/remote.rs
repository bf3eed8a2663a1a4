//! Stores behind an object store.

use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use tokio::runtime::Runtime;

use super::*;

/// The store of `scratch` under `prefix` in memory.
fn upload(scratch: &Scratch, prefix: &str) -> Arc<InMemory> {
    let memory = Arc::new(InMemory::new());
    let runtime = Runtime::new().unwrap();
    let mut folders = vec![scratch.store.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(scratch.store.path()).unwrap().to_str().unwrap();
            let object = ObjectPath::from(format!("{prefix}/{name}"));
            runtime.block_on(memory.put(&object, fs::read(&path).unwrap().into())).unwrap();
        }
    }
    memory
}

fn three_runs() -> (Scratch, [RunRow; 3]) {
    let scratch = scratch();
    let runs = [run_row(), run_row(), run_row()];
    finished(&scratch.store, &runs[0]);
    dead(&scratch.store, &runs[1]);
    flip(&finished(&scratch.store, &runs[2]).join("samples.parquet"), 77, 1);
    (scratch, runs)
}

fn check(store: &Store, runs: &[RunRow; 3]) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.states[&runs[0].run_id], RunState::Finished);
    assert_eq!(snapshot.states[&runs[1].run_id], RunState::Interrupted);
    assert!(matches!(snapshot.states[&runs[2].run_id], RunState::Damaged(_)));
    assert_eq!(snapshot.damaged.len(), 1);
    assert_eq!(count(&snapshot, Table::Samples), 20);
    for run in runs {
        assert_eq!(store.run_row(&run.run_id).unwrap().started_at, run.started_at);
    }
    assert_eq!(verify(store).unwrap(), snapshot.damaged);
    assert!(matches!(store.run_row("0190a000-0000-7000-8000-000000000001").unwrap_err(), Error::NoRun { .. }));
}

#[test]
fn an_object_store_answers_like_a_folder() {
    let (scratch, runs) = three_runs();
    check(&scratch.store.reader().unwrap(), &runs);
    let memory = upload(&scratch, "team/results");
    let store = Store::from_object_store(memory.clone(), ObjectPath::from("team/results")).unwrap();
    check(&store, &runs);
    let error = Store::from_object_store(memory, ObjectPath::from("team")).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");

    let other = super::scratch();
    let merged = merge(&store, &other.store).unwrap();
    assert_eq!((merged.copied, merged.left_out.len()), (2, 1));
    assert_eq!(verify(&other.store.reader().unwrap()).unwrap(), []);
}

#[test]
fn it_may_be_read_inside_a_runtime_too() {
    let (scratch, runs) = three_runs();
    let memory = upload(&scratch, "x");
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::from_object_store(memory, ObjectPath::from("x")).unwrap();
        check(&store, &runs);
    });
}

#[test]
fn the_object_store_of_a_snapshot_is_rooted_at_the_store() {
    let (scratch, runs) = three_runs();
    let outside = scratch.folder.path().join("secret");
    fs::write(&outside, "secret").unwrap();
    let local = scratch.store.reader().unwrap();
    let remote = Store::from_object_store(upload(&scratch, "y"), ObjectPath::from("y")).unwrap();
    let runtime = Runtime::new().unwrap();
    for store in [local, remote] {
        let snapshot = store.snapshot().unwrap();
        assert_eq!((snapshot.root.scheme(), snapshot.root.path()), ("benchbook", "/"));
        let file = snapshot.parquet.iter().find(|file| file.run_id == runs[0].run_id).unwrap();
        let head = runtime.block_on(snapshot.object_store.head(&file.path)).unwrap();
        assert_eq!(head.size, file.size_bytes);
        for path in ["secret", "../secret", outside.to_str().unwrap()] {
            assert!(runtime.block_on(snapshot.object_store.head(&ObjectPath::from(path))).is_err(), "{path}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_not_a_hang() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            // Read the request before the answer, or the connection is reset under the client.
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
            let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            std::io::Write::write_all(&mut stream, answer).unwrap();
        });
        let error = Store::open(&format!("http://127.0.0.1:{port}/results")).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    });
}
