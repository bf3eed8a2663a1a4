//! Hidden places of attention as an array that other people's engines add to scores.

use benchbook_core::{Array, Inputs};
use benchbook_workloads::attention::AttentionParams;

/// −∞ where a key is hidden from a query, by the mask or by causality, and zero elsewhere, `[batch or 1, 1, seq_q, seq_kv]`;
/// nothing where none is hidden.
pub fn penalties(params: &AttentionParams, inputs: &Inputs) -> Option<Array> {
    let AttentionParams { batch, seq_q, seq_kv, causal, masked, .. } = *params;
    if !causal && !masked {
        return None;
    }
    let mask: Option<Vec<bool>> = masked.then(|| inputs.get("mask").as_flags().collect());
    let batch = if masked { batch } else { 1 };
    let penalty = |at: usize| {
        let (query, key) = (at / seq_kv % seq_q, at % seq_kv);
        // The last query sees all keys.
        let is_later = causal && key + seq_q > query + seq_kv;
        if is_later || mask.as_ref().is_some_and(|mask| mask[at]) { f32::NEG_INFINITY } else { 0.0 }
    };
    let numbers: Vec<f32> = (0..batch * seq_q * seq_kv).map(penalty).collect();
    Some(Array::new(vec![batch, 1, seq_q, seq_kv], &numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hidden_by_its_mask_or_by_its_place() {
        let params = AttentionParams { seq_q: 2, seq_kv: 3, ..Default::default() };
        let mut inputs = Inputs::from([]);
        assert_eq!(penalties(&params, &inputs), None);
        let (no, yes) = (f32::NEG_INFINITY, 0.0);
        let causal = AttentionParams { causal: true, ..params.clone() };
        let found = penalties(&causal, &inputs).unwrap();
        assert_eq!((found.shape(), found.of::<f32>()), (&[1, 1, 2, 3][..], &[yes, yes, no, yes, yes, yes][..]));
        inputs.insert("mask", Array::flags(vec![1, 1, 2, 3], [false, true, false, false, false, true]));
        let masked = AttentionParams { masked: true, ..params };
        assert_eq!(penalties(&masked, &inputs).unwrap().of::<f32>(), [yes, no, yes, yes, yes, no]);
        let both = AttentionParams { causal: true, ..masked };
        assert_eq!(penalties(&both, &inputs).unwrap().of::<f32>(), [yes, no, no, yes, yes, no]);
    }
}
