//! Prompts beside PyTorch, tokens beside the logits of a prompt, and counts by hand.

use benchbook_core::{Array, DType, Problem};
use benchbook_workloads::decoding::{Generate, GenerateParams, Prefill, PrefillParams, ROTARY_BASE};

use crate::pytorch::agrees;

#[test]
fn references_agree_with_pytorch() {
    agrees::<Prefill>(&serde_json::from_str(include_str!("../../fixtures/decoding.json")).unwrap());
}

#[test]
fn each_token_is_the_best_behind_all_before_it() {
    // A prompt is taken by angles of the usual base alone.
    for given in Generate::ugly().into_iter().filter(|given| given.rotary_base == ROTARY_BASE) {
        let mut inputs = Generate::inputs(&given, 3);
        let tokens = Generate::reference(&given, &inputs, 3).answers.remove(0).values;
        for token in tokens {
            let mut ids = inputs.get("prompt").of::<i32>().to_vec();
            let GenerateParams { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, .. } = given;
            let params = PrefillParams {
                architecture: given.architecture.clone(),
                layers,
                heads,
                kv_heads,
                head_dim,
                width,
                hidden,
                vocabulary,
                prompt: ids.len(),
                chunk: 1,
            };
            let logits = Prefill::reference(&params, &inputs, 3).answers.remove(0).values;
            let best = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(logits[token as usize], best);
            ids.push(token as i32);
            inputs.insert("prompt", Array::new(vec![ids.len()], &ids));
        }
    }
}

#[test]
fn work_counts_what_is_multiplied_and_read() {
    let params = PrefillParams {
        layers: 3,
        heads: 2,
        kv_heads: 1,
        head_dim: 4,
        width: 5,
        hidden: 7,
        vocabulary: 11,
        prompt: 6,
        chunk: 2,
        ..PrefillParams::default()
    };
    // A layer has 8 · 5 + 2 · 4 · 5 + 5 · 8 + 3 · 5 · 7 = 225 weights and two gains of 5; the head has 55.
    let work = Prefill::work(&params, DType::F32);
    // Scores and sums of 8 numbers for 1 + … + 6 = 21 pairs of a layer.
    assert_eq!(work.flops, 2.0 * 3.0 * 225.0 * 6.0 + 2.0 * 55.0 + 3.0 * 4.0 * 8.0 * 21.0);
    // Of the embedding, six rows at most are read.
    assert_eq!(work.bytes, 4.0 * (3.0 * 225.0 + 3.0 * 10.0 + 5.0 + 55.0 + 30.0));
}

#[test]
fn sizes_that_do_not_go_together_are_refused() {
    let usual = PrefillParams::default();
    let of = |params: &PrefillParams| Prefill::check(params).unwrap_err().0;
    assert_eq!(of(&PrefillParams { kv_heads: 3, ..usual.clone() }), "kv_heads");
    assert_eq!(of(&PrefillParams { head_dim: 15, ..usual.clone() }), "head_dim");
    assert_eq!(Generate::check(&GenerateParams::default()), Ok(()));
    assert_eq!(Prefill::check(&usual), Ok(()));
}
