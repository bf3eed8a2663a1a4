//! Input that nobody means to give.

use benchbook_simd::{Attend, Cache, Heads, Isa, Paged, Product, Tiles, attention, decode, matmul, matmul_with};

const HEADS: Heads = Heads { batch: 2, heads: 4, kv_heads: 2, seq_q: 1, seq_kv: 10, head_dim: 8 };

fn call<'a>(heads: Heads, query: &'a [f32], key: &'a [f32], value: &'a [f32]) -> Attend<'a> {
    Attend { heads, query, key, value, scale: None, causal: false, window: None, mask: None, isa: Isa::detect() }
}

#[test]
fn wrong_lengths_name_the_argument_and_its_shape() {
    let (query, key) = (vec![0.0; 64], vec![0.0; 320]);
    let message = attention(&call(HEADS, &query, &key[1..], &key), &mut [0.0; 64]).unwrap_err().to_string();
    assert_eq!(message, "key holds 319 numbers, its shape [2, 2, 10, 8] needs 320");
    let message = attention(&call(HEADS, &query, &key, &key), &mut [0.0; 63]).unwrap_err().to_string();
    assert!(message.contains("[2, 4, 1, 8]"), "{message}");
    let uneven = Heads { kv_heads: 3, ..HEADS };
    let message = attention(&call(uneven, &query, &key, &key), &mut [0.0; 64]).unwrap_err().to_string();
    assert!(message.contains("4 query heads cannot share 3"), "{message}");
    let product = Product { size: [2, 3, 4], left: &[0.0; 6], right: &[0.0; 11], isa: Isa::detect() };
    let message = matmul(&product, &mut [0.0; 8]).unwrap_err().to_string();
    assert!(message.contains("[3, 4]") && message.contains("11"), "{message}");
}

#[test]
fn blocks_of_nothing_are_refused() {
    let product = Product { size: [2, 3, 4], left: &[1.0; 6], right: &[1.0; 12], isa: Isa::detect() };
    let asked = |depth, panels| {
        let tiles = Tiles { depth, panels, down: 0 };
        matmul_with(&product, tiles, &mut [0.0; 8]).map_err(|error| error.to_string())
    };
    assert_eq!([asked(16, 1), asked(0, 1)], [Ok(()), Ok(())]);
    for (depth, panels) in [(0, 0), (16, 0), (24, 1)] {
        assert!(asked(depth, panels).unwrap_err().contains("a multiple of 16 steps"), "{depth} {panels}");
    }
}

#[test]
fn tables_with_holes_and_strangers_are_refused() {
    let query = vec![0.0; 64];
    // Five blocks of four keys.
    let pool = vec![0.0; 5 * 2 * 4 * 8];
    let asked = |table: &[i32], lengths: &[usize]| {
        let cache = Cache::Paged(Paged { block: 4, table, lengths });
        decode(&call(HEADS, &query, &pool, &pool), &cache, &mut [0.0; 64]).map_err(|error| error.to_string())
    };
    assert_eq!(asked(&[0, 1, 2, 3, 4, 0], &[10, 9]), Ok(()));
    // What lies behind the last key is never read.
    assert_eq!(asked(&[0, 1, -1, 3, -1, 99], &[8, 4]), Ok(()));
    assert_eq!(asked(&[-1, -1, -1, -1, -1, -1], &[0, 0]), Ok(()));
    for (table, lengths, part) in [
        (&[0, -1, 2, 3, 4, 0][..], &[10, 10][..], "sequence 0 has a hole at 1"),
        (&[0, 1, 2, 3, 5, 0], &[10, 10], "sequence 1 has block 5 at 1: its 10 keys need 3 of the pool's 5 blocks"),
        (&[0, 1, 2, 3, 4, 0], &[11, 10], "sequence 0 has 11 keys, there is room for 10"),
        (&[0, 1, 2, 3], &[10, 8], "sequence 0 has 10 keys, there is room for 8"),
        (&[0, 1, 2, 3, 4, 0], &[10], "the lengths holds 1 numbers"),
        (&[0, 1, 2, 3, 4], &[10, 8], "the block table holds 5 numbers"),
    ] {
        let message = asked(table, lengths).unwrap_err();
        assert!(message.contains(part), "{message}");
    }
    let cache = Cache::Paged(Paged { block: 0, table: &[], lengths: &[0, 0] });
    assert!(decode(&call(HEADS, &query, &pool, &pool), &cache, &mut [0.0; 64]).is_err());
}

#[test]
fn infinities_denormals_and_large_numbers_answer_as_arithmetic_does() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
        for seq_q in [1, 40] {
            let heads = Heads { batch: 1, heads: 1, kv_heads: 1, seq_q, seq_kv: 3, head_dim: 1 };
            let answer = |query: f32, key: [f32; 3], value: [f32; 3]| {
                let query = vec![query; seq_q];
                let mut out = vec![0.0; seq_q];
                attention(&Attend { isa, ..call(heads, &query, &key, &value) }, &mut out).unwrap();
                out[seq_q - 1]
            };
            assert!(answer(1.0, [f32::INFINITY, 0.0, 0.0], [1.0; 3]).is_nan(), "∞ − ∞ in the softmax, as PyTorch");
            assert!(answer(f32::NAN, [1.0, 0.0, 0.0], [1.0; 3]).is_nan());
            assert!(answer(1.0, [0.0, f32::NAN, 0.0], [1.0; 3]).is_nan());
            assert_eq!(answer(1.0, [f32::NEG_INFINITY, 0.0, 0.0], [7.0, 2.0, 4.0]), 3.0);
            assert_eq!(answer(1.0, [0.0; 3], [1.0, f32::INFINITY, 1.0]), f32::INFINITY);
            // Scores of ±1e30 are far beyond what exp takes: the largest alone has weight.
            assert_eq!(answer(1e15, [1e15, -1e15, 0.0], [5.0, 6.0, 7.0]), 5.0);
            let tiny = f32::from_bits(1);
            assert_eq!(answer(tiny, [tiny; 3], [3.0, 3.0, 3.0]), 3.0);
        }
    }
}

#[test]
fn an_instruction_set_that_is_absent_is_refused() {
    let Some(absent) = Isa::ALL.into_iter().find(|isa| !isa.present()) else {
        // This processor has every instruction set: there is nothing to refuse.
        return;
    };
    let product = Product { size: [1, 1, 1], left: &[2.0], right: &[3.0], isa: absent };
    assert!(matmul(&product, &mut [0.0]).unwrap_err().to_string().contains(absent.name()));
}

#[test]
fn a_window_beyond_all_keys_hides_nothing() {
    let heads = Heads { batch: 1, heads: 1, kv_heads: 1, seq_q: 9, seq_kv: 12, head_dim: 4 };
    let numbers: Vec<f32> = (0..48).map(|index| (index as f32).sin()).collect();
    let plain = call(heads, &numbers[..36], &numbers, &numbers);
    let answer = |window: Option<usize>| {
        let mut out = vec![0.0; 36];
        attention(&Attend { window, causal: true, ..plain }, &mut out).unwrap();
        out
    };
    for window in [12, 13, 1 << 40, usize::MAX] {
        assert_eq!(answer(Some(window)), answer(None), "{window}");
    }
    assert_ne!(answer(Some(3)), answer(None));
}
