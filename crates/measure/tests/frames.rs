//! What a frame claims costs no memory until it has come: one test, in a program that counts what all its threads allocate.

use benchbook_measure::frame::Reader;
use benchbook_measure::{CountingAllocator, allocated};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Bytes that reading may take, whatever is claimed.
const MOST_BYTES: u64 = 1 << 20;

/// A frame with these lengths before what follows them.
fn frame(header_bytes: u32, body_bytes: u64, rest: &[u8]) -> Vec<u8> {
    [&b"bbw3"[..], &header_bytes.to_le_bytes(), &body_bytes.to_le_bytes(), rest].concat()
}

#[test]
fn what_is_claimed_takes_no_memory() {
    let header = br#"{"say": "finished", "arrays": [{"name": "x", "dtype": "u8", "shape": [60, 1073741824]}]}"#;
    let body = [&header[..], &[1; 1000]].concat();
    for bytes in [
        frame(16 << 20, 0, b"{"),
        frame(u32::MAX, u64::MAX, b"{"),
        frame(header.len() as u32, 60 << 30, &body),
        frame(header.len() as u32, 1 << 63, &body),
    ] {
        let read = || allocated(|| assert!(Reader::new(bytes.as_slice()).receive().is_err()));
        // The least of several: the test's own harness allocates now and then.
        let peak = (0..20).filter_map(|_| read()).map(|found| found.peak_bytes).min();
        assert!(peak.is_some_and(|peak| peak < MOST_BYTES), "{peak:?} bytes for {:?}", &bytes[..16]);
    }
}
