//! What the first step comes to where two workers send a part of their gradients, by plain loops.

use benchbook_core::{Answer, Check, Inputs, Reference};
use benchbook_workloads::singular::orthonormal;
use benchbook_workloads::training::{TENSORS, Tensors, loss_and_gradients};

use super::exchange::{Scheme, begin_with, matrix};
use super::{WORKERS, part};
use crate::flex::training::text::TextTrainingParams;

/// The right answer of the first step: of later ones, what a worker has rounded or left out decides.
pub fn right(params: &TextTrainingParams, inputs: &Inputs, scheme: Scheme) -> Option<Reference> {
    let own = part(&params.model());
    let weights = Tensors::of(inputs, &TENSORS);
    let texts = inputs.get("ids").of::<i32>();
    let mut loss = 0.0;
    let mut mean: Vec<f64> = Vec::new();
    for texts in texts.chunks_exact(own.batch * (own.seq + 1)).take(WORKERS) {
        let (of_part, grads) = loss_and_gradients(&own, &weights, texts);
        loss += of_part / WORKERS as f64;
        let all: Vec<f32> =
            TENSORS.iter().flat_map(|name| grads.get(name).iter().map(|gradient| *gradient as f32)).collect();
        let sent = sent(scheme, params.width, &all);
        mean.resize(sent.len(), 0.0);
        mean.iter_mut().zip(sent).for_each(|(mean, number)| *mean += number / WORKERS as f64);
    }
    let mut rest = &mean[..];
    let mut norms = Vec::with_capacity(TENSORS.len());
    for name in TENSORS {
        let (tensor, others) = rest.split_at_checked(weights.get(name).len())?;
        norms.push(tensor.iter().map(|number| number * number).sum::<f64>().sqrt());
        rest = others;
    }
    let answer = |name: &'static str, values: Vec<f64>| Answer {
        name: name.into(),
        shape: vec![params.steps, values.len()],
        rows: vec![0],
        values,
        check: Check::Near,
    };
    Some(Reference { answers: vec![answer("losses", vec![loss]), answer("norms", norms)] })
}

/// What arrives of a gradient.
pub fn sent(scheme: Scheme, width: usize, gradient: &[f32]) -> Vec<f64> {
    match scheme {
        Scheme::Whole => gradient.iter().map(|number| f64::from(*number)).collect(),
        Scheme::Int8 | Scheme::Int8Plain => gradient.chunks(width).flat_map(eight_bits).collect(),
        Scheme::TopK | Scheme::TopKPlain => {
            let mut places: Vec<usize> = (0..gradient.len()).collect();
            places.sort_by(|a, b| gradient[*b].abs().total_cmp(&gradient[*a].abs()));
            let mut sent = vec![0.0; gradient.len()];
            for place in &places[..Scheme::taken(gradient.len())] {
                sent[*place] = f64::from(gradient[*place]);
            }
            sent
        }
        Scheme::Power | Scheme::PowerPlain => low_rank(matrix(gradient.len(), width), gradient),
    }
}

/// The product of both factors of a matrix, by one step of the power method.
fn low_rank(size: [usize; 3], gradient: &[f32]) -> Vec<f64> {
    let [_, columns, rank] = size;
    let start = begin_with(size);
    let rows = || gradient.chunks_exact(columns);
    let column = |place: usize| -> Vec<f64> {
        let factors = || start.iter().skip(place).step_by(rank);
        rows().map(|row| row.iter().zip(factors()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()).collect()
    };
    let first = orthonormal((0..rank).map(column).collect(), 1);
    let mut product = vec![0.0; gradient.len()];
    for first in &first {
        let mut second = vec![0.0; columns];
        for (row, factor) in rows().zip(first) {
            second.iter_mut().zip(row).for_each(|(sum, number)| *sum += factor * f64::from(*number));
        }
        for (to, factor) in product.chunks_exact_mut(columns).zip(first) {
            to.iter_mut().zip(&second).for_each(|(to, second)| *to += factor * second);
        }
    }
    product
}

/// A row as its codes stand for it.
fn eight_bits(row: &[f32]) -> Vec<f64> {
    let largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    row.iter().map(|number| f64::from((number / scale).round_ties_even() * scale)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_by_hand() {
        let gradient = [127.0, -1.4, 0.0, 0.5, 2.0, -254.0, 3.0, 1.0];
        assert_eq!(sent(Scheme::Int8, 4, &gradient), [127.0, -1.0, 0.0, 0.0, 2.0, -254.0, 4.0, 0.0]);
        // One of eight.
        let largest = sent(Scheme::TopK, 4, &gradient);
        assert_eq!(largest, [0.0, 0.0, 0.0, 0.0, 0.0, -254.0, 0.0, 0.0]);
        assert_eq!(sent(Scheme::Whole, 4, &gradient)[1], f64::from(-1.4_f32));
        // Two rows have no more than two directions, so that their factors lack nothing.
        let whole = sent(Scheme::Power, 4, &gradient);
        assert!(
            whole.iter().zip(gradient).all(|(found, number)| (found - f64::from(number)).abs() < 1e-9),
            "{whole:?}"
        );
    }
}
