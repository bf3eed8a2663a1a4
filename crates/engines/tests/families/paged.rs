//! Paged decoding: tables that are wrong.

use std::sync::Arc;

use benchbook_engines::flex::fused::{Options, Pages, paged_attention};
use burn::tensor::{Device, Tensor};

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
