//! A LLaMA or a Qwen3 in `f64`, by plain loops, all positions layer by layer, so that only the weights of one are in memory.

use std::collections::BTreeMap;

use benchbook_models::weights::Source;
use benchbook_models::{Description, Error, Form, Result, Tensor};
use benchbook_workloads::attention::reference::{average_above, dot};
use benchbook_workloads::attention::window::turned_by;
use benchbook_workloads::blocks::rms_normed_by;
use benchbook_workloads::decoding::Otherwise;

/// Rows of numbers.
pub type Rows = Vec<Vec<f64>>;

/// Losses -ln p of each token but the first, in nats, of a model whose matrices of products are in this form, and which may go another way
/// by what a cache gives back, by weights of attention that are made less, by a scan, and by experts.
pub fn losses(
    model: &Description,
    source: &dyn Source,
    form: Form,
    ids: &[i32],
    otherwise: Otherwise<'_>,
) -> Result<Vec<f64>> {
    let text = &model.text;
    let weights = Weights { form, ..Weights::of(model, source) };
    let embedding = weights.numbers("model.embed_tokens.weight")?;
    let row = |id: &i32| -> Vec<f64> {
        embedding[*id as usize * text.width..][..text.width].iter().map(|x| f64::from(*x)).collect()
    };
    let mut stream: Rows = ids[..ids.len() - 1].iter().map(row).collect();
    let (d, group) = (text.head_dim, text.heads / text.kv_heads);
    let base = text.rotary_base.unwrap_or(1e4);
    for layer in 0..text.layers {
        let at = |name: &str| format!("model.layers.{layer}.{name}.weight");
        let normed = |stream: &[Vec<f64>], name: &str| -> Result<Rows> {
            let gain = weights.numbers(&at(name))?;
            Ok(stream.iter().map(|x| rms_normed_by(x, &gain, text.epsilon)).collect())
        };
        let seen = normed(&stream, "input_layernorm")?;
        let [queries, keys, values] =
            ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].map(|name| weights.product(&at(name), &seen));
        let kept = |which: usize, rows: Rows| -> Rows {
            let Some(cache) = otherwise.cache else { return rows };
            let believed = |(place, row): (usize, &Vec<f64>)| cache.believed((layer, which, place), row, d);
            rows.iter().enumerate().map(believed).collect()
        };
        // Those of Qwen3 have a norm for each head.
        let normed_heads = |name: &str, rows: Rows| -> Result<Rows> {
            if !text.architecture.head_norms() {
                return Ok(rows);
            }
            Ok(head_normed(&rows, &weights.numbers(&at(name))?, text.epsilon))
        };
        let queries = normed_heads("self_attn.q_norm", queries?)?;
        let keys = normed_heads("self_attn.k_norm", keys?)?;
        let (queries, keys, values) = (turned(&queries, d, base), turned(&keys, d, base), values?);
        let (keys, values) = (kept(0, keys), kept(1, values));
        let mixed = |(place, query): (usize, &Vec<f64>)| -> Vec<f64> {
            let of_head = |(head, query): (usize, &[f64])| {
                let from = head / group * d;
                let score = |key: &Vec<f64>| otherwise.score(layer, query, &key[from..][..d]);
                let scores: Vec<f64> = keys[..=place].iter().map(score).collect();
                average_above(&scores, otherwise.least.unwrap_or(0.0), d, |seen| &values[seen][from..])
            };
            query.chunks_exact(d).enumerate().flat_map(of_head).collect()
        };
        let mixed: Rows = queries.iter().enumerate().map(mixed).collect();
        add(&mut stream, &weights.product(&at("self_attn.o_proj"), &mixed)?);
        let seen = normed(&stream, "post_attention_layernorm")?;
        let gate = weights.product(&at("mlp.gate_proj"), &seen)?;
        let mut between = weights.product(&at("mlp.up_proj"), &seen)?;
        for (place, (between, mut gates)) in between.iter_mut().zip(gate).enumerate() {
            gates.iter_mut().for_each(|gate| *gate /= 1.0 + (-*gate).exp());
            otherwise.choose((layer, place), &mut gates);
            between.iter_mut().zip(gates).for_each(|(up, gate)| *up *= gate);
        }
        add(&mut stream, &weights.product(&at("mlp.down_proj"), &between)?);
    }
    let gain = weights.numbers("model.norm.weight")?;
    let last: Rows = stream.iter().map(|x| rms_normed_by(x, &gain, text.epsilon)).collect();
    let head = if text.tied { "model.embed_tokens.weight" } else { "lm_head.weight" };
    let logits = weights.product(head, &last)?;
    let loss = |(logits, target): (&Vec<f64>, &i32)| {
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
        most + sum.ln() - logits[*target as usize]
    };
    Ok(logits.iter().zip(&ids[1..]).map(loss).collect())
}

/// Tensors by their names, and in which form matrices are.
pub struct Weights<'a> {
    source: &'a dyn Source,
    form: Form,
    tensors: BTreeMap<String, Tensor>,
}

impl<'a> Weights<'a> {
    /// Of a model in `f32`.
    pub fn of(model: &Description, source: &'a dyn Source) -> Self {
        let tensors = model.tensors().into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Self { source, form: Form::Plain, tensors }
    }

    pub fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        let unknown = || Error::Missing { name: name.to_owned(), found: "no tensor of this name".to_owned() };
        self.source.numbers(self.tensors.get(name).ok_or_else(unknown)?)
    }

    /// Rows by a matrix `[outer, inner]`, in the form of matrices.
    pub fn product(&self, name: &str, rows: &[Vec<f64>]) -> Result<Rows> {
        let inner = rows.first().map_or(1, Vec::len);
        let matrix = self.numbers(name)?;
        let matrix = self.form.stands_for_rows(&matrix, [matrix.len() / inner, inner])?;
        let by = |x: &Vec<f64>| -> Vec<f64> { matrix.chunks_exact(inner).map(|row| dot(x, row)).collect() };
        Ok(rows.iter().map(by).collect())
    }
}

/// Heads as wide as their gain, each with a norm of its own.
fn head_normed(rows: &[Vec<f64>], gain: &[f32], epsilon: f64) -> Rows {
    let heads =
        |row: &Vec<f64>| row.chunks_exact(gain.len()).flat_map(|head| rms_normed_by(head, gain, epsilon)).collect();
    rows.iter().map(heads).collect()
}

/// Heads of `d` numbers, turned by their position.
fn turned(rows: &[Vec<f64>], d: usize, base: f64) -> Rows {
    let one = |(place, row): (usize, &Vec<f64>)| -> Vec<f64> {
        row.chunks_exact(d).flat_map(|head| turned_by(head, place, base)).collect()
    };
    rows.iter().enumerate().map(one).collect()
}

pub fn add(to: &mut [Vec<f64>], other: &[Vec<f64>]) {
    to.iter_mut().flatten().zip(other.iter().flatten()).for_each(|(to, other)| *to += other);
}

#[cfg(test)]
mod tests {
    use benchbook_models::weights::Seeded;
    use benchbook_models::{Architecture, Decoder, MOST_STEP, Session};
    use benchbook_quality::logits;

    use super::super::compared::steps;
    use super::*;

    #[test]
    fn the_norms_of_heads_are_those_of_the_decoder() {
        let qwen3 = Description::parse(include_str!("../../../../models/fixtures/own/mine.toml")).unwrap();
        let mut llama = qwen3.clone();
        llama.text.architecture = Architecture::Llama;
        let (source, ids) = (Seeded { seed: 7 }, (0..20).map(|place| place * 37 % 257).collect::<Vec<i32>>());
        let right = |model: &Description| losses(model, &source, Form::Plain, &ids, Otherwise::default()).unwrap();
        let decoder = Decoder::load(&qwen3, &source, ids.len()).unwrap();
        let (mut session, mut found) = (Session::new(&decoder, ids.len(), MOST_STEP).unwrap(), Vec::new());
        for (given, targets) in steps(&ids) {
            found.extend(logits::losses(session.step(&decoder, given).unwrap(), &targets, 257).unwrap());
        }
        let farthest =
            |right: &[f64]| right.iter().zip(&found).map(|(a, b): (&f64, &f64)| (a - b).abs()).fold(0.0, f64::max);
        assert_eq!((found.len(), right(&qwen3).len()), (19, 19));
        assert!(farthest(&right(&qwen3)) < 1e-4, "{}", farthest(&right(&qwen3)));
        assert!(farthest(&right(&llama)) > 1e-3, "without these norms it is another model");
    }
}
