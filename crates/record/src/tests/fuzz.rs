//! Whole bytes, changed at random by fixed seeds, their checksums made right again: no panic, no wait, no great need
//! of memory, and never a row from nowhere.

use std::io::{Cursor, Write};
use std::process::Command;

use benchbook_journal::body_of;
use benchbook_journal::frame::header;
use benchbook_journal::reader::{Ending, Summary, read};
use serde_json::{Value as Json, json};

use super::*;
use crate::manifest::{Manifest, checksum};
use crate::parquet_file::Tail;

const RUN: &str = "0190a000-0000-7000-8000-000000000001";

/// A generator of numbers (`splitmix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// What lengths and offsets should not be.
const ODD: [u64; 10] = [0, 1, 7, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 1 << 60, u64::MAX];

/// Changes some bytes, up to four times.
fn change(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.below(bytes.len());
        let end = at + 1 + dice.below(bytes.len() - at);
        match dice.below(8) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.roll() as u8,
            2..=4 => {
                // Numbers lie where their own size divides the place.
                let width = *dice.of(&[4, 8]);
                let at = at / width * width;
                let number = dice.of(&ODD).to_le_bytes();
                let len = width.min(bytes.len() - at);
                bytes[at..at + len].copy_from_slice(&number[..len]);
            }
            5 => bytes.truncate(at),
            6 => {
                let piece = bytes[at..end].to_vec();
                let rest = bytes.split_off(dice.below(bytes.len()));
                bytes.extend(piece);
                bytes.extend(rest);
            }
            _ => {
                bytes.drain(at..end);
            }
        }
    }
}

fn payloads() -> Vec<(Table, Vec<u8>)> {
    let samples: Vec<SampleRow> = (0..20).map(|sample| sample_row(0, sample)).collect();
    let bodies = [
        (Table::Runs, body_of(Table::Runs, &[run_row()])),
        (Table::Trials, body_of(Table::Trials, &[trial_row(0), trial_row(1)])),
        (Table::Samples, body_of(Table::Samples, &samples)),
        (Table::Outcomes, body_of(Table::Outcomes, &[outcome_row(Some(0), Status::Ok), outcome_row(None, Status::Ok)])),
        (Table::Checks, body_of(Table::Checks, &[check_row(0)])),
        (Table::Events, body_of(Table::Events, &[event_row("one"), event_row("two")])),
        (Table::Steps, body_of(Table::Steps, &[step_row(0, 0), step_row(0, 1), step_row(1, 0)])),
        (Table::StepValues, body_of(Table::StepValues, &[step_value_row(0, 2.5), step_value_row(1, f64::INFINITY)])),
    ];
    bodies.into_iter().map(|(table, body)| (table, payload(table, &body.unwrap()))).collect()
}

#[test]
fn journals_of_any_bytes_are_read_or_named() {
    let whole = payloads();
    let (mut clean, mut damaged) = (0, 0);
    for seed in 0..4000 {
        let mut dice = Dice(seed);
        let mut bytes = header(uuid::Uuid::parse_str(RUN).unwrap()).to_vec();
        for _ in 0..=dice.below(3) {
            let (table, payload) = dice.of(&whole);
            let mut payload = payload.clone();
            if dice.below(4) > 0 {
                change(&mut dice, &mut payload);
            }
            bytes.extend(frame(*table, &payload));
        }
        if dice.below(16) == 0 {
            change(&mut dice, &mut bytes);
        }
        let (mut summary, size) = (Summary::unknown(RUN), bytes.len());
        let take = |table: Table, batch: arrow::record_batch::RecordBatch| {
            assert_eq!(batch.schema(), table.schema(), "seed {seed}");
            assert!(batch.num_rows() <= size, "seed {seed}: {} rows of {size} bytes", batch.num_rows());
            Ok(())
        };
        let ending = read("journal", Cursor::new(&bytes), size as u64, RUN, &mut summary, |_| true, take).unwrap();
        match ending {
            Ending::Clean => clean += 1,
            _ => damaged += 1,
        }
    }
    assert!(clean > 200 && damaged > 200, "{clean} clean, {damaged} not: the changes must matter, and not always");
}

#[test]
fn journals_of_any_bytes_are_read_in_little_memory() {
    // Address space counts what is never touched too; the least odd length that is much is 2 GiB.
    let alone = "ulimit -v 2097152 && exec \"$0\" --exact tests::fuzz::journals_of_any_bytes_are_read_or_named";
    let output = Command::new("sh").arg("-c").arg(alone).arg(std::env::current_exe().unwrap()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

/// A value that a field of a manifest should not have.
fn strange(dice: &mut Dice) -> Json {
    let number = *dice.of(&ODD);
    match dice.below(9) {
        0 => json!(number),
        1 => json!(-(number as i64 as f64)),
        2 => Json::Null,
        3 => json!([]),
        4 => json!({}),
        5 => json!(""),
        6 => json!("../../samples.parquet"),
        7 => json!("samples"),
        _ => json!("x".repeat(dice.below(2000))),
    }
}

#[test]
fn manifests_of_any_content_are_read_or_named() {
    let scratch = scratch();
    let path = finished(&scratch.store, &run_row()).join("manifest.json");
    let whole: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let fields = ["schema_version", "run_id", "started_at_ns", "suite", "tags", "finished", "left_out", "files"];
    let of_file = ["table", "name", "rows", "size_bytes", "blake3"];
    let zeros = "0".repeat(64);
    let store = scratch.store.reader().unwrap();
    let (mut believed, mut refused) = (0, 0);
    for seed in 0..1500 {
        let mut dice = Dice(seed);
        let mut manifest = whole.clone();
        for _ in 0..=dice.below(2) {
            let at = match dice.below(4) {
                0 => format!("/{}", dice.of(&fields)),
                1 => format!("/files/{}", dice.below(6)),
                _ => format!("/files/{}/{}", dice.below(6), dice.of(&of_file)),
            };
            let other = manifest.pointer(&format!("/files/{}", dice.below(6))).cloned();
            let value = if dice.below(4) == 0 { other.unwrap_or_default() } else { strange(&mut dice) };
            if let Some(slot) = manifest.pointer_mut(&at) {
                *slot = value;
            }
        }
        manifest["checksum"] = json!(zeros);
        let blank = serde_json::to_vec_pretty(&manifest).unwrap();
        manifest["checksum"] = json!(checksum(&blank, &zeros).unwrap());
        let mut bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        if dice.below(8) == 0 {
            change(&mut dice, &mut bytes);
        }
        match Manifest::from_bytes("manifest", &bytes) {
            Ok(_) => believed += 1,
            Err(_) => refused += 1,
        }
        fs::write(&path, &bytes).unwrap();
        let rows = count(&store.snapshot().unwrap(), Table::Samples);
        assert!([0, 10].contains(&rows), "seed {seed}: {rows} samples of 10");
    }
    assert!(believed > 20 && refused > 20, "{believed} believed, {refused} refused");
}

#[test]
fn footers_of_any_bytes_are_read_or_not() {
    let scratch = scratch();
    let whole = fs::read(finished(&scratch.store, &run_row()).join("samples.parquet")).unwrap();
    let (body, end) = whole.split_at(whole.len() - 8);
    let mut read = 0;
    for seed in 0..4000 {
        let mut dice = Dice(seed);
        let mut bytes = body.to_vec();
        change(&mut dice, &mut bytes);
        bytes.extend_from_slice(end);
        let mut tail = Tail::default();
        tail.write_all(&bytes).unwrap();
        read += usize::from(tail.rows().is_some());
    }
    assert!((1..4000).contains(&read), "{read}: the changes must matter, and not always");
}
