//! Every length and every flipped bit of a journal.

use std::io::Cursor;

use arrow::ipc::CompressionType;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;

use super::*;
use crate::batch::{body_of, body_schema};
use crate::columns::{StepColumns, StepValueColumns};
use crate::frame::{FRAME_HEADER_LEN, HEADER_LEN, encode, header, header_of};
use crate::reader::{Ending, Summary, read};
use crate::stream::decode;

const RUN: &str = "0190a000-0000-7000-8000-000000000001";

fn id() -> uuid::Uuid {
    uuid::Uuid::parse_str(RUN).unwrap()
}

fn event_row(message: &str) -> EventRow {
    EventRow { at_ns: 1, trial: None, level: Level::Warning, kind: "governor".into(), message: message.into() }
}

fn sample_row(sample: i64) -> SampleRow {
    SampleRow {
        trial: 0,
        sample,
        block: sample,
        position: 0,
        iterations: 3,
        elapsed_ns: 1_000 + sample,
        started_ns: 5_000 * sample,
        cpu_user_ns: (sample % 2 == 0).then_some(900),
        cpu_system_ns: Some(1),
        valid: sample != 4,
        invalid_reason: (sample == 4).then_some("clock_stepped"),
    }
}

fn read_all(bytes: &[u8]) -> (Vec<(Table, RecordBatch)>, Ending) {
    let mut batches = Vec::new();
    let ending = read(
        "journal",
        Cursor::new(bytes),
        bytes.len() as u64,
        RUN,
        &mut Summary::unknown(RUN),
        |_| true,
        |table, batch| {
            batches.push((table, batch));
            Ok(())
        },
    );
    (batches, ending.unwrap())
}

/// A small journal and the offsets at which it is whole.
fn journal() -> (Vec<u8>, Vec<usize>) {
    let mut out = header(id()).to_vec();
    let mut whole = vec![out.len()];
    let mut add = |table, body: RecordBatch, out: &mut Vec<u8>| {
        encode(table, &body, out).unwrap();
        whole.push(out.len());
    };
    add(Table::Events, body_of(Table::Events, &[event_row("one")]).unwrap(), &mut out);
    let mut samples = crate::columns::SampleColumns::new();
    (0..5).for_each(|sample| assert!(!samples.push(&sample_row(sample))));
    add(Table::Samples, samples.take().unwrap(), &mut out);
    let end = OutcomeRow { trial: None, at_ns: 9, status: Status::Ok, stop_reason: None, prepare_ns: None };
    add(Table::Outcomes, body_of(Table::Outcomes, &[end]).unwrap(), &mut out);
    (out, whole)
}

#[test]
fn every_truncation_keeps_exactly_the_whole_frames() {
    let (bytes, whole) = journal();
    let (all, ending) = read_all(&bytes);
    assert_eq!((all.len(), ending), (3, Ending::Clean));
    for len in 0..=bytes.len() {
        let (batches, ending) = read_all(&bytes[..len]);
        let frames = whole.iter().filter(|end| **end <= len).count().saturating_sub(1);
        assert_eq!(batches, all[..frames], "{len} bytes");
        if whole.contains(&len) {
            assert_eq!(ending, Ending::Clean, "{len} bytes");
        } else {
            assert!(matches!(ending, Ending::Torn(_)), "{len} bytes: {ending:?}");
        }
    }
}

#[test]
fn every_flipped_bit_is_found_and_only_frames_before_it_are_read() {
    let (bytes, whole) = journal();
    let (all, _) = read_all(&bytes);
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1 << bit;
            let (batches, ending) = read_all(&flipped);
            let frames = whole.iter().filter(|end| **end <= byte).count().saturating_sub(1);
            assert_eq!(batches, all[..frames], "byte {byte} bit {bit}");
            let named = if byte < HEADER_LEN {
                matches!(ending, Ending::Unreadable(_))
            } else {
                matches!(ending, Ending::Damaged(_))
            };
            assert!(named, "byte {byte} bit {bit}: {ending:?}");
        }
    }
}

#[test]
fn a_tail_of_zeros_is_damage_not_rows() {
    let (mut bytes, _) = journal();
    bytes.resize(bytes.len() + 4096, 0);
    let (batches, ending) = read_all(&bytes);
    assert_eq!(batches.len(), 3);
    assert!(matches!(ending, Ending::Damaged(reason) if reason.contains("4096 bytes")));
}

#[test]
fn a_later_version_and_another_run_are_refused_with_a_reason() {
    let (bytes, _) = journal();
    let mut later = header_of(id(), SCHEMA_VERSION + 1).to_vec();
    later.extend_from_slice(&bytes[HEADER_LEN..]);
    let (batches, ending) = read_all(&later);
    assert!(batches.is_empty());
    assert!(matches!(&ending, Ending::Unreadable(reason) if reason.contains("update benchbook")), "{ending:?}");

    let mut other = header(uuid::Uuid::nil()).to_vec();
    other.extend_from_slice(&bytes[HEADER_LEN..]);
    let (batches, ending) = read_all(&other);
    assert!(batches.is_empty());
    assert!(matches!(&ending, Ending::Unreadable(reason) if reason.contains("belongs to run")), "{ending:?}");
}

#[test]
fn a_frame_of_foreign_columns_is_damage() {
    let mut bytes = header(id()).to_vec();
    let events = body_of(Table::Events, &[event_row("one")]).unwrap();
    encode(Table::Outcomes, &events, &mut bytes).unwrap();
    let (batches, ending) = read_all(&bytes);
    assert!(batches.is_empty());
    assert!(matches!(ending, Ending::Damaged(_)));
}

fn any_sample() -> impl Strategy<Value = SampleRow> {
    let reasons = prop_oneof![Just(None), Just(Some("")), Just(Some("clock_stepped")), Just(Some("ungültig"))];
    (any::<[i64; 7]>(), any::<[Option<i64>; 2]>(), any::<bool>(), reasons).prop_map(|(ints, cpu, valid, reason)| {
        let [trial, sample, block, position, iterations, elapsed_ns, started_ns] = ints;
        let [cpu_user_ns, cpu_system_ns] = cpu;
        SampleRow {
            trial,
            sample,
            block,
            position,
            iterations,
            elapsed_ns,
            started_ns,
            cpu_user_ns,
            cpu_system_ns,
            valid,
            invalid_reason: reason,
        }
    })
}

fn any_step() -> impl Strategy<Value = (StepRow, StepValueRow)> {
    (any::<[i64; 5]>(), any::<Option<i64>>(), any::<[String; 2]>(), any::<f64>()).prop_map(
        |([trial, sample, step, started_ns, elapsed_ns], tokens, [name, unit], value)| {
            (
                StepRow { trial, sample, step, started_ns, elapsed_ns, tokens },
                StepValueRow { trial, sample, step, name, value, unit },
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The columnar path of samples writes what the path through serde writes.
    #[test]
    fn samples_survive_the_journal(rows in prop::collection::vec(any_sample(), 1..600), cut in any::<prop::sample::Index>()) {
        let mut columns = crate::columns::SampleColumns::new();
        for row in &rows {
            prop_assert!(!columns.push(row));
        }
        prop_assert_eq!(columns.rows(), rows.len());
        let body = columns.take().unwrap();
        prop_assert_eq!(columns.rows(), 0);
        prop_assert_eq!(&body, &body_of(Table::Samples, &rows).unwrap());

        let mut bytes = header(id()).to_vec();
        encode(Table::Samples, &body, &mut bytes).unwrap();
        let whole = bytes.len();
        encode(Table::Samples, &body, &mut bytes).unwrap();
        let (batches, ending) = read_all(&bytes);
        prop_assert_eq!(ending, Ending::Clean);
        let expected = batch_of(Table::Samples, RUN, &rows).unwrap();
        prop_assert_eq!(&batches, &vec![(Table::Samples, expected.clone()), (Table::Samples, expected)]);

        let cut = whole + 1 + cut.index(whole - HEADER_LEN - 1);
        let (batches, ending) = read_all(&bytes[..cut]);
        prop_assert_eq!(batches.len(), 1);
        prop_assert!(matches!(ending, Ending::Torn(_)));
    }

    /// And so do the columnar paths of steps and of their values.
    #[test]
    fn steps_survive_the_journal(rows in prop::collection::vec(any_step(), 1..60)) {
        let (steps, values): (Vec<StepRow>, Vec<StepValueRow>) = rows.into_iter().unzip();
        let (mut of_steps, mut of_values) = (StepColumns::default(), StepValueColumns::default());
        prop_assert!(!steps.iter().any(|row| of_steps.push(row)) && !values.iter().any(|row| of_values.push(row)));
        let bodies = [(Table::Steps, of_steps.take().unwrap()), (Table::StepValues, of_values.take().unwrap())];
        prop_assert_eq!((of_steps.rows(), of_values.rows()), (0, 0));
        prop_assert_eq!(&bodies[0].1, &body_of(Table::Steps, &steps).unwrap());
        prop_assert_eq!(&bodies[1].1, &body_of(Table::StepValues, &values).unwrap());

        let mut bytes = header(id()).to_vec();
        bodies.iter().for_each(|(table, body)| encode(*table, body, &mut bytes).unwrap());
        let (batches, ending) = read_all(&bytes);
        prop_assert_eq!(ending, Ending::Clean);
        let wanted = [
            (Table::Steps, batch_of(Table::Steps, RUN, &steps).unwrap()),
            (Table::StepValues, batch_of(Table::StepValues, RUN, &values).unwrap()),
        ];
        prop_assert_eq!(&batches[..], &wanted[..]);
    }

    #[test]
    fn texts_survive_the_journal(texts in prop::collection::vec(any::<String>(), 1..40)) {
        let rows: Vec<EventRow> = texts.iter().map(|text| event_row(text)).collect();
        let mut bytes = Vec::new();
        encode(Table::Events, &body_of(Table::Events, &rows).unwrap(), &mut bytes).unwrap();
        let decoded = decode(Table::Events, u64::from(SCHEMA_VERSION), bytes[FRAME_HEADER_LEN..].to_vec()).unwrap();
        prop_assert_eq!(decoded.len(), 1);
        prop_assert_eq!(decoded[0].schema(), body_schema(Table::Events));
        let back: Vec<EventRow> = rows_of(&decoded[0]).unwrap();
        prop_assert_eq!(back, rows);
    }
}

#[test]
fn a_compressed_frame_is_refused() {
    let body = body_of(Table::Events, &[event_row(&"long ".repeat(1000))]).unwrap();
    let write = |compression| {
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let mut payload = Vec::new();
        let mut writer = StreamWriter::try_new_with_options(&mut payload, &body.schema(), options).unwrap();
        writer.write(&body).unwrap();
        writer.finish().unwrap();
        drop(writer);
        payload
    };
    assert_eq!(decode(Table::Events, u64::from(SCHEMA_VERSION), write(None)).unwrap(), std::slice::from_ref(&body));
    let error = decode(Table::Events, u64::from(SCHEMA_VERSION), write(Some(CompressionType::ZSTD))).unwrap_err();
    assert!(error.to_string().contains("no plain batch"), "{error}");
}
