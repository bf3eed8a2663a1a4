//! Checksums that are right over content that is not: each run is named, and the others answer.

use std::io::Write;

use arrow::ipc::root_as_message;
use benchbook_journal::body_of;
use benchbook_journal::file::SMALL_BYTES;
use benchbook_journal::frame::u32_at;

use super::*;
use crate::manifest::Manifest;
use crate::parquet_file::Tail;

fn samples() -> Vec<u8> {
    let rows: Vec<SampleRow> = (0..5).map(|sample| sample_row(0, sample)).collect();
    payload(Table::Samples, &body_of(Table::Samples, &rows).unwrap())
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..=bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty(), "there is something to replace");
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

/// A payload of samples with each kind of length that lies.
fn lying() -> Vec<(&'static str, Vec<u8>)> {
    let whole = samples();
    let batch = 8 + u32_at(&whole, 4) as usize;
    let body = batch + 8 + u32_at(&whole, batch + 4) as usize;
    let message = root_as_message(&whole[batch + 8..body]).unwrap();
    let buffer = *message.header_as_record_batch().unwrap().buffers().unwrap().get(1);
    let in_metadata = |old: &[u8], new: &[u8]| {
        let metadata = replaced(&whole[batch..body], old, new);
        [&whole[..batch], metadata.as_slice(), &whole[body..]].concat()
    };
    let length = |at: usize, len: u32| {
        let mut payload = whole.clone();
        payload[at..at + 4].copy_from_slice(&len.to_le_bytes());
        payload
    };
    let body_len = message.bodyLength().to_le_bytes();
    let placed = |len: i64| [buffer.offset().to_le_bytes(), len.to_le_bytes()].concat();
    vec![
        ("a schema of 2 GiB", length(4, i32::MAX as u32)),
        ("metadata of 2 GiB", length(batch + 4, i32::MAX as u32)),
        ("metadata of a negative length", length(batch + 4, u32::MAX)),
        ("a body of 2^60 bytes", in_metadata(&body_len, &(1_i64 << 60).to_le_bytes())),
        ("a body of 9 GB", in_metadata(&body_len, &9_000_000_000_i64.to_le_bytes())),
        ("a body of a negative length", in_metadata(&body_len, &(-1_i64).to_le_bytes())),
        ("a column that ends beyond the body", in_metadata(&placed(buffer.length()), &placed(1 << 40))),
        ("a column of no bytes", in_metadata(&placed(buffer.length()), &placed(0))),
        ("no end", whole[..whole.len() - 9].to_vec()),
        ("a beginning alone", whole[..5].to_vec()),
    ]
}

#[test]
fn a_frame_that_lies_is_damage_of_its_run_alone() {
    for (what, payload) in lying() {
        let (scratch, into) = (scratch(), scratch());
        let (hurt, whole) = (run_row(), run_row());
        let journal = dead(&scratch.store, &hurt).join("journal.bbj");
        finished(&scratch.store, &whole);
        let mut file = fs::OpenOptions::new().append(true).open(&journal).unwrap();
        file.write_all(&frame(Table::Samples, &payload)).unwrap();
        drop(file);

        let store = scratch.store.reader().unwrap();
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.damaged.len(), 1, "{what}");
        assert_eq!(snapshot.damaged[0].path, format!("run_id={}/journal.bbj", hurt.run_id));
        assert!(snapshot.damaged[0].reason.contains("a frame of `samples` cannot be read"), "{}", snapshot.damaged[0]);
        assert_eq!(count(&snapshot, Table::Samples), 20, "{what}: all before it, and the other run");
        assert_eq!(store.run_row(&hurt.run_id).unwrap().suite, "attention");
        let merged = merge(&store, &into.store).unwrap();
        assert_eq!((merged.copied, merged.left_out.len()), (1, 1), "{what}");

        let repaired = repair(&scratch.store).unwrap();
        assert!(repaired.len() == 1 && repaired[0].left_out.is_some(), "{what}: {repaired:?}");
        let after = store.snapshot().unwrap();
        assert_eq!((count(&after, Table::Samples), after.damaged.len()), (20, 1), "{what}");
    }
}

#[test]
fn rows_are_counted_by_the_file_and_each_file_once() {
    let scratch = scratch();
    let run = run_row();
    let folder = finished(&scratch.store, &run);
    let path = folder.join("manifest.json");
    let manifest = Manifest::from_bytes("manifest", &fs::read(&path).unwrap()).unwrap();
    let store = scratch.store.reader().unwrap();
    for rows in [0, 9, 11, 20, 1_u64 << 63, u64::MAX] {
        let mut lying = manifest.clone();
        lying.files.iter_mut().find(|file| file.table == "samples").unwrap().rows = rows;
        fs::write(&path, lying.to_bytes().unwrap()).unwrap();
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.damaged.len(), 1, "{rows}");
        assert_eq!(snapshot.damaged[0].path, format!("run_id={}/samples.parquet", run.run_id));
        let reason = format!("it has 10 rows, its manifest says {rows}");
        assert_eq!(snapshot.damaged[0].reason, reason);
        assert_eq!(count(&snapshot, Table::Samples), 0, "{rows}");
        assert_eq!(verify(&store).unwrap(), snapshot.damaged);
    }
    let mut twice = manifest.clone();
    twice.files.push(manifest.files[0].clone());
    fs::write(&path, twice.to_bytes().unwrap()).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!((snapshot.parquet.len(), snapshot.damaged.len()), (0, 1));
    assert!(snapshot.damaged[0].reason.contains("twice"), "{}", snapshot.damaged[0]);

    fs::write(&path, manifest.to_bytes().unwrap()).unwrap();
    assert_eq!(verify(&store).unwrap(), []);
    fs::File::options().write(true).open(&path).unwrap().set_len(SMALL_BYTES + 1).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert!(snapshot.damaged[0].reason.contains("far too many"), "{}", snapshot.damaged[0]);
}

#[test]
fn a_footer_tells_its_rows_or_nothing() {
    let scratch = scratch();
    let folder = finished(&scratch.store, &run_row());
    let rows = |bytes: &[u8]| {
        let mut tail = Tail::default();
        // As pieces come from a disk.
        bytes.chunks(1000).for_each(|piece| tail.write_all(piece).unwrap());
        tail.rows()
    };
    for (table, expected) in [(Table::Samples, 10), (Table::Runs, 1), (Table::Outcomes, 2)] {
        let bytes = fs::read(folder.join(table.file_name())).unwrap();
        assert_eq!(rows(&bytes), Some(expected), "{table}");
        for len in 0..bytes.len() {
            assert_eq!(rows(&bytes[..len]), None, "{table}, {len} bytes");
        }
    }
    let long = [vec![7; 9 << 20], fs::read(folder.join("samples.parquet")).unwrap()].concat();
    assert_eq!(rows(&long), Some(10), "whatever comes before");
}
