//! Attention with its projections: the implementations against the reference, and what they refuse.

use benchbook_core::{DType, Params, Value, Workload};
use benchbook_kernels::attention::projected::{Chain, FusedProjected, ProjectedAttention};
use benchbook_kernels::fused::{projected_attention, projections};
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;

use crate::common::{case, wrong};

fn projected(sizes: &[(&str, i64)], causal: bool) -> Params {
    case(&ProjectedAttention, sizes).with("causal", Value::Bool(causal))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, kv_heads, group) in (1_i64..4, 1_i64..3, 1_i64..4),
        (seq, head_dim) in (1_i64..200, 1_i64..40),
        causal in any::<bool>(),
    ) {
        let sizes = [("batch", batch), ("heads", kv_heads * group), ("kv_heads", kv_heads), ("seq", seq),
            ("head_dim", head_dim)];
        let params = projected(&sizes, causal);
        prop_assert_eq!(wrong(&ProjectedAttention, &[&Chain, &FusedProjected], &params, 1e-5), None);
    }
}

#[test]
fn a_sample_of_sequences_and_rows_is_the_whole_answer_in_part() {
    // Keys and values of a sequence cost as much as the budget: one is drawn, with the first and the last.
    let params = projected(&[("batch", 5), ("heads", 8), ("kv_heads", 4), ("seq", 512), ("head_dim", 64)], true);
    let inputs = ProjectedAttention.inputs(&params, 9);
    let reference = ProjectedAttention.reference(&params, &inputs, 9);
    assert_eq!(reference.shape, [5, 512, 512]);
    assert_eq!((reference.rows[0], reference.rows[reference.rows.len() - 1]), (0, 5 * 512 - 1));
    assert!(reference.rows.len() < 5 * 512 && reference.values.len() == reference.rows.len() * 512);
    assert!(reference.rows.is_sorted());
    assert_eq!(wrong(&ProjectedAttention, &[&Chain, &FusedProjected], &params, 1e-5), None);
}

#[test]
fn work_is_four_products_and_attention() {
    let sizes = [("batch", 2), ("heads", 4), ("kv_heads", 2), ("seq", 3), ("head_dim", 5)];
    let work = |causal: bool| ProjectedAttention.work(&projected(&sizes, causal), DType::F32);
    // Six rows of 20 numbers by 20 + 10 + 10 + 20 columns; 9 pairs, or 6, in each of 2 × 4 heads of 5.
    let products = 2.0 * 6.0 * 20.0 * 60.0;
    assert_eq!(work(false).flops, products + 4.0 * 8.0 * 9.0 * 5.0);
    assert_eq!(work(true).flops, products + 4.0 * 8.0 * 6.0 * 5.0);
    assert_eq!(work(true).bytes, 4.0 * (2.0 * 6.0 * 20.0 + 20.0 * 60.0));
    let params = projected(&sizes, false);
    let figure = &ProjectedAttention.figures(&params, &ProjectedAttention.inputs(&params, 1))[0];
    assert_eq!((figure.name.as_str(), figure.value), ("projection_share", products / (products + 1440.0)));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let of = |rows: usize, columns: usize| Tensor::<2>::ones([rows, columns], &device);
    let (square, narrow) = (of(24, 24), of(24, 12));
    let asked = |heads: [usize; 2], [query, key, value, out]: [&Tensor<2>; 4]| {
        projections(heads, [query, key, value, out]).map_err(|error| error.to_string())
    };
    let weights = asked([4, 2], [&square, &narrow, &narrow, &square]).unwrap();
    for (heads, weights) in [
        ([4, 2], [&square, &of(12, 24), &narrow, &square]),
        ([4, 4], [&square, &narrow, &narrow, &square]),
        ([5, 1], [&square, &narrow, &narrow, &square]),
        ([0, 0], [&square, &narrow, &narrow, &square]),
        ([4, 2], [&square, &narrow, &narrow, &of(24, 23)]),
    ] {
        let message = asked(heads, weights).unwrap_err();
        assert!(message.contains("do not fit") && message.contains("[24, 24]"), "{message}");
    }
    // Eight numbers a head: 16 of them are two thirds of a group.
    let uneven = of(24, 16);
    let message = asked([3, 2], [&square, &uneven, &uneven, &square]).unwrap_err();
    assert!(message.contains("3 query heads cannot share 2"), "{message}");

    let input = |width: usize| Tensor::<3>::ones([2, 3, width], &device);
    assert_eq!(projected_attention(input(24), &weights, true).unwrap().dims(), [2, 3, 24]);
    let message = projected_attention(input(23), &weights, true).unwrap_err().to_string();
    assert!(message.contains("[2, 3, 23]") && message.contains("24"), "{message}");
    let tracked = Tensor::<3>::ones([2, 3, 24], &device.autodiff());
    let message = projected_attention(tracked, &weights, true).unwrap_err().to_string();
    assert!(message.contains("gradients"), "{message}");
}

#[test]
fn impossible_cases_are_refused() {
    for (name, value, part) in
        [("seq", 0, "not a size"), ("kv_heads", 3, "does not divide"), ("head_dim", 5000, "heads × head_dim is 40000")]
    {
        let message = ProjectedAttention.case(Params::default().with(name, Value::Int(value))).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}
