//! Counting allocations, in a program that counts: one test, since the count is of all threads.

use std::hint::black_box;
use std::thread;

use benchbook_measure::{Allocated, AllocationEvent, CountingAllocator, allocated, recorded};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// What a call allocates; the least of several times, since the test's own harness allocates too now and then.
fn least(mut call: impl FnMut()) -> Option<Allocated> {
    (0..20).filter_map(|_| allocated(&mut call)).min_by_key(|found| found.count)
}

#[test]
fn what_is_allocated_is_counted_and_nothing_else() {
    assert_eq!(least(|| ()), Some(Allocated { count: 0, bytes: 0, peak_bytes: 0 }));
    let found = least(|| {
        drop(black_box(vec![1_u8; 100]));
        drop(black_box(vec![0_u64; 25]));
        let mut grown: Vec<u8> = black_box(Vec::with_capacity(10));
        grown.reserve_exact(30);
        drop(black_box(grown));
    });
    assert_eq!(found, Some(Allocated { count: 4, bytes: 100 + 200 + 10 + 30, peak_bytes: 200 }));
    // What was there before and goes leaves room that what comes may take.
    let with_room = |_| {
        let kept = black_box(vec![1_u8; 50]);
        allocated(|| {
            let first = black_box(vec![1_u8; 3000]);
            drop(black_box(vec![1_u8; 4000]));
            drop((first, kept));
            drop(black_box(vec![1_u8; 7020]));
        })
    };
    let peak = (0..20).filter_map(with_room).map(|found| found.peak_bytes).min();
    assert_eq!(peak, Some(7000));
    // Of large blocks it is known when each comes and goes; small ones are not recorded.
    let events = recorded(|| {
        let first = black_box(vec![1_u8; 10_000]);
        drop(black_box(vec![1_u8; 100]));
        let mut second = black_box(Vec::<u8>::with_capacity(5_000));
        drop(first);
        second.reserve_exact(6_000);
        drop(black_box(second));
    });
    // Another thread, such as that of the harness, may take some of its own.
    let sizes = [10_000, 5_000, 6_000];
    let ours: Vec<AllocationEvent> = events.unwrap().into_iter().filter(|event| sizes.contains(&event.bytes)).collect();
    let told: Vec<(usize, bool)> = ours.iter().map(|event| (event.bytes, event.taken)).collect();
    let wanted = [(10_000, true), (5_000, true), (10_000, false), (5_000, false), (6_000, true), (6_000, false)];
    assert_eq!(told, wanted);
    assert!(ours[0].address == ours[2].address && ours[4].address == ours[5].address, "{ours:?}");
    // A thread allocates what it needs to begin, and its closure's memory.
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let (ask, asked) = std::sync::mpsc::sync_channel(1);
    let other = thread::spawn(move || {
        asked.recv().expect("a question");
        drop(black_box(vec![1_u8; 1 << 20]));
        tell.send(()).expect("somebody listens");
    });
    let found = allocated(|| {
        ask.send(()).expect("somebody listens");
        told.recv().expect("an answer");
    });
    assert!(found.is_some_and(|found| found.count >= 1 && found.bytes >= 1 << 20), "{found:?}");
    other.join().expect("the other thread is well");
}
