//! What is known of a model before it runs: what a technique has left of its numbers.

use benchbook_core::Metric;
use benchbook_models::Decoder;
use benchbook_models::technique::{Tried, mean_bits};

use super::weight_only::weight_bytes;

/// What is known of a decoder before it runs, beside the plain one where it is another.
pub(super) fn told(decoder: &Decoder, beside: Option<(&Decoder, &[Tried])>) -> Vec<Metric> {
    let (held, head) = (decoder.held(), decoder.held_by_head());
    let mut metrics = vec![weight_bytes(decoder.matrix_bytes())];
    let Some((plain, tried)) = beside else { return metrics };
    let text = decoder.text();
    let (all, embedded) = (plain.held().numbers, text.vocabulary * text.width);
    metrics.extend(kept([held.numbers, all], embedded + head.numbers));
    if !tried.is_empty() {
        metrics.push(Metric::modelled("formats_tried", tried.len() as f64, "count"));
        metrics.push(Metric::modelled("layer_bits", mean_bits(tried, text.layers), "bits"));
        let worst = tried.iter().filter(|one| one.taken).map(|one| one.off).fold(0.0, f64::max);
        metrics.push(Metric::measured("layer_error", worst, "share"));
    }
    metrics
}

/// What is left of the numbers of a model: the share of those of its layers that is gone, and that of all which stays, where `others`
/// stay as they are.
pub(super) fn kept([held, all]: [usize; 2], others: usize) -> [Metric; 2] {
    let share = |one: usize, of: usize| one as f64 / of.max(1) as f64;
    [
        Metric::modelled("sparsity", 1.0 - share(held, all), "share"),
        Metric::modelled("capacity_kept", share(held + others, all + others), "share"),
    ]
}
