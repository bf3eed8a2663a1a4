//! The timed call allocates nothing once every thread has its scratch.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use benchbook_simd::{
    Attend, Contextual, Heads, Int4Weights, Isa, Product, Projected, Projections, Weights, attention,
    contextual_attention, matmul, matmul_int4, projected_attention,
};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLS: usize = 63;

/// Allocations of [`CALLS`] calls after a few to warm up.
fn allocations(mut call: impl FnMut()) -> usize {
    // Every thread takes part sooner or later: scratch is kept by thread.
    (0..50).for_each(|_| call());
    let before = COUNT.load(Ordering::Relaxed);
    (0..CALLS).for_each(|_| call());
    COUNT.load(Ordering::Relaxed) - before
}

#[test]
fn kernels_reuse_their_scratch() {
    let isa = Isa::detect();
    let heads = Heads { batch: 1, heads: 4, kv_heads: 2, seq_q: 300, seq_kv: 300, head_dim: 64 };
    let (query, key) = (vec![0.5; 4 * 300 * 64], vec![0.25; 2 * 300 * 64]);
    let mut out = vec![0.0; query.len()];
    let attend = Attend {
        heads,
        query: &query,
        key: &key,
        value: &key,
        scale: None,
        causal: true,
        window: None,
        mask: None,
        isa,
    };
    let found = allocations(|| attention(&attend, &mut out).unwrap());
    assert_eq!(found, 0, "attention: allocations in {CALLS} calls");
    let one = Heads { seq_q: 1, ..heads };
    let decode = Attend { heads: one, query: &query[..4 * 64], ..attend };
    let found = allocations(|| attention(&decode, &mut out[..4 * 64]).unwrap());
    assert_eq!(found, 0, "decoding: allocations in {CALLS} calls");
    let embedding = &query[..70 * 64];
    let (positions, scale) = (70, None);
    let contextual = Contextual { heads, query: &query, key: &key, value: &key, embedding, positions, scale, isa };
    let found = allocations(|| contextual_attention(&contextual, &mut out).unwrap());
    assert_eq!(found, 0, "contextual attention: allocations in {CALLS} calls");
    // More steps than a block has: rows are copied too.
    let (left, right) = (vec![0.5; 300 * 700], vec![0.25; 700 * 200]);
    let mut product = vec![0.0; 300 * 200];
    let ask = Product { size: [300, 700, 200], left: &left, right: &right, isa };
    let found = allocations(|| matmul(&ask, &mut product).unwrap());
    assert_eq!(found, 0, "matmul: allocations in {CALLS} calls");
    let (codes, scales) = (vec![0x5a; 700 * 100], vec![0.25; 22 * 200]);
    let packed = Int4Weights { codes: &codes, scales: &scales, group: 32 };
    let found = allocations(|| matmul_int4(isa, [300, 700, 200], &left, &packed, &mut product).unwrap());
    assert_eq!(found, 0, "matmul by four bits: allocations in {CALLS} calls");
    // From a thread of rayon's pool, whose own queues take memory now and then, once in some dozens of jobs.
    let found = rayon::scope(|_| allocations(|| matmul(&ask, &mut product).unwrap()));
    assert!(found <= CALLS / 6, "matmul within the pool: {found} allocations in {CALLS} calls");
    let weight = vec![0.1; 256 * 256];
    let weights = Weights {
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
        query: &weight,
        key: &weight[..256 * 128],
        value: &weight[..256 * 128],
        out: &weight,
    };
    let (weights, input) = (Projections::new(&weights, isa).unwrap(), vec![0.5; 300 * 256]);
    let mut result = vec![0.0; input.len()];
    let ask_all = Projected { batch: 1, seq: 300, input: &input, weights: &weights, causal: true };
    let found = allocations(|| projected_attention(&ask_all, &mut result).unwrap());
    assert_eq!(found, 0, "with projections: allocations in {CALLS} calls");
}
