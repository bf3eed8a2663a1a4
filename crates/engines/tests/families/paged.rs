//! Paged decoding: the implementations against the reference, and tables that are wrong.

use std::sync::Arc;

use benchbook_core::DType;
use benchbook_engines::flex::attention::paged::{Gathered, Paged};
use benchbook_engines::flex::fused::{Options, Pages, paged_attention};
use benchbook_workloads::attention::PagedAttention;
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;

use crate::common::{case, error, wrong};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, kv_heads, group) in (1_i64..5, 1_i64..3, 1_i64..4),
        (block, more) in (1_i64..20, 0_i64..300),
        head_dim in 1_i64..40,
    ) {
        let params = case(&PagedAttention, &[("batch", batch), ("heads", kv_heads * group), ("kv_heads", kv_heads),
            ("context", block + more), ("head_dim", head_dim), ("block", block)]);
        prop_assert_eq!(wrong(&PagedAttention, &[&Gathered, &Paged], &params, 1e-5), None);
        let error = error(&PagedAttention, &Paged, "flex", DType::Bf16, &params);
        // Computed in f32: what is left is the rounding of the result to 8 bits, half a unit of the last.
        prop_assert!(error <= 1.0 / 256.0 + 1e-5, "bf16, {params}: {error}");
    }
}

#[test]
fn wrong_tables_and_shapes_are_refused_with_their_place() {
    let device = Device::flex();
    let (query, pool) = (Tensor::<4>::ones([2, 4, 1, 8], &device), Tensor::<4>::ones([5, 2, 4, 8], &device));
    let asked = |pool: &Tensor<4>, table: [i32; 4], lengths: [usize; 2]| {
        let pages = Arc::new(Pages { table: table.into(), lengths: lengths.into() });
        paged_attention(query.clone(), pool.clone(), pool.clone(), &pages, Options::default()).map(drop)
    };
    assert!(asked(&pool, [4, 0, 1, -1], [8, 3]).is_ok());
    for (pool, table, lengths, part) in [
        (&pool, [4, -1, 1, -1], [8, 3], "sequence 0 has a hole at 1"),
        (&pool, [4, 0, 5, -1], [8, 3], "sequence 1 has block 5 at 0"),
        (&pool, [4, 0, 1, 2], [8, 9], "sequence 1 has 9 keys, there is room for 8"),
        (&Tensor::ones([5, 3, 4, 8], &device), [4, 0, 1, -1], [8, 3], "4 query heads cannot share 3"),
        (&Tensor::ones([5, 2, 4, 9], &device), [4, 0, 1, -1], [8, 3], "[5, 2, 4, 9]"),
    ] {
        let message = asked(pool, table, lengths).unwrap_err().to_string();
        assert!(message.contains(part) && message.contains("[2, 4, 1, 8]"), "{message}");
    }
}
