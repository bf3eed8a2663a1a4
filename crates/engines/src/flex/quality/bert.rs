//! A BERT in `f64`, by plain loops, layer by layer.

use benchbook_models::weights::Source;
use benchbook_models::{Description, Result};
use benchbook_workloads::attention::reference::{average, dot};
use benchbook_workloads::blocks::layer_normed_by;
use benchbook_workloads::encoding::Merges;

use super::reference::{Rows, Weights, add};

/// The direction of a text: the mean of its positions behind the last block, of length 1, where some may have become one with others.
pub fn direction(
    model: &Description,
    source: &dyn Source,
    ids: &[i32],
    merges: Option<Merges<'_>>,
) -> Result<Vec<f64>> {
    let text = &model.text;
    let (width, d) = (text.width, text.head_dim);
    let weights = Weights::of(model, source);
    let normed = |rows: &[Vec<f64>], name: &str| -> Result<Rows> {
        let gain = weights.numbers(&format!("{name}.weight"))?;
        let bias = weights.numbers(&format!("{name}.bias"))?;
        Ok(rows.iter().map(|x| layer_normed_by(x, [&gain, &bias], text.epsilon)).collect())
    };
    let linear = |name: &str, rows: &[Vec<f64>]| -> Result<Rows> {
        let bias = weights.numbers(&format!("{name}.bias"))?;
        let mut product = weights.product(&format!("{name}.weight"), rows)?;
        for row in &mut product {
            row.iter_mut().zip(&bias).for_each(|(sum, bias)| *sum += f64::from(*bias));
        }
        Ok(product)
    };
    let tables = ["word_embeddings", "position_embeddings", "token_type_embeddings"];
    let [words, places, kinds] = tables.map(|name| weights.numbers(&format!("embeddings.{name}.weight")));
    let (words, places, kinds) = (words?, places?, kinds?);
    let sum = |(place, id): (usize, &i32)| -> Vec<f64> {
        let rows = [&words[*id as usize * width..], &places[place * width..], &kinds[..]];
        (0..width).map(|at| rows.iter().map(|row| f64::from(row[at])).sum()).collect()
    };
    let sums: Rows = ids.iter().enumerate().map(sum).collect();
    let mut stream = normed(&sums, "embeddings.LayerNorm")?;
    // How many positions each one stands for.
    let mut sizes = vec![1.0; ids.len()];
    for layer in 0..text.layers {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
        let [queries, keys, values] =
            ["query", "key", "value"].map(|name| linear(&at(&format!("attention.self.{name}")), &stream));
        let (queries, keys, values) = (queries?, keys?, values?);
        let mixed = |query: &Vec<f64>| -> Vec<f64> {
            let of_head = |(head, query): (usize, &[f64])| {
                let score =
                    |(key, size): (&Vec<f64>, &f64)| dot(query, &key[head * d..][..d]) / (d as f64).sqrt() + size.ln();
                let scores: Vec<f64> = keys.iter().zip(&sizes).map(score).collect();
                average(&scores, d, |seen| &values[seen][head * d..])
            };
            query.chunks_exact(d).enumerate().flat_map(of_head).collect()
        };
        let mixed: Rows = queries.iter().map(mixed).collect();
        let mut between = linear(&at("attention.output.dense"), &mixed)?;
        add(&mut between, &stream);
        let mut between = normed(&between, &at("attention.output.LayerNorm"))?;
        if let Some(merges) = merges {
            let (keys, mut rows) = (keys.iter().map(Vec::as_slice).collect::<Vec<_>>(), between.concat());
            merges.make(layer, (&keys, d), &mut rows, &mut sizes);
            between = rows.chunks_exact(width).map(<[f64]>::to_vec).collect();
        }
        let mut wide = linear(&at("intermediate.dense"), &between)?;
        wide.iter_mut().flatten().for_each(|x| *x *= 0.5 * (1.0 + erf(*x / std::f64::consts::SQRT_2)));
        let mut fed = linear(&at("output.dense"), &wide)?;
        add(&mut fed, &between);
        stream = normed(&fed, &at("output.LayerNorm"))?;
    }
    let of_all = |at: usize| stream.iter().zip(&sizes).map(|(row, size)| row[at] * size).sum::<f64>();
    let sums: Vec<f64> = (0..width).map(of_all).collect();
    let size = dot(&sums, &sums).sqrt();
    Ok(sums.iter().map(|sum| sum / size).collect())
}

/// The error function: by its power series near zero, and by the continued fraction of its complement elsewhere (Abramowitz &
/// Stegun, 7.1.5 and 7.1.14).
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..80).rev().fold(size, |below, n| size + f64::from(n) / 2.0 / below);
    let complement = (-size * size).exp() / fraction / std::f64::consts::PI.sqrt();
    (1.0 - complement).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_that_of_the_tables() {
        // Abramowitz & Stegun, table 7.1, and 7.2 from 2 on.
        for (x, right) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (2.0, 0.995_322_265_0),
            (2.5, 0.999_593_048_0),
            (3.0, 0.999_977_909_5),
        ] {
            assert!((erf(x) - right).abs() < 1e-10 && (erf(-x) + right).abs() < 1e-10, "{x}: {}", erf(x));
        }
        // Both ways meet.
        assert!((erf(2.5 - 1e-12) - erf(2.5)).abs() < 1e-12);
    }
}
