//! A trained estimate of which pairs of blocks matter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use benchbook_core::{Array, Problem};
use benchbook_simd::Heads;
use benchbook_workloads::attention::{SparseAttention, SparseAttentionParams};
use burn::tensor::{Device, Tensor, TensorData};

use super::blocks::{BLOCK, POOLS, Room};
use crate::flex::tensor::download;

/// Positions of a training sequence.
const SEQ: usize = 512;

/// Training sequences, none of which is ever measured: their seeds lie where nobody draws inputs from.
const SEQUENCES: u64 = 4;

/// First seed of the training sequences.
const SEED: u64 = 0x6761_7465_0000_0000;

/// Steps of Adam (Kingma & Ba, arXiv 1412.6980, algorithm 1).
const STEPS: i32 = 120;

/// Size of a step.
const RATE: f64 = 3e-3;

/// A bilinear form of pooled queries and keys (SeerAttention: Gao et al., arXiv 2410.13276, section 3.1): mean of the
/// queries · weights · mean, largest and smallest of the keys.
#[derive(Debug)]
pub struct Gate {
    /// `[head_dim, 3 · head_dim]`
    weights: Vec<f64>,
}

impl Gate {
    /// The gate for a case, trained at the first call in this process; the same in every process.
    pub fn of(params: &SparseAttentionParams) -> Result<Arc<Self>, String> {
        static TRAINED: Mutex<BTreeMap<String, Arc<Gate>>> = Mutex::new(BTreeMap::new());
        let key = format!("{} {} {}", params.structure, params.heads, params.head_dim);
        let mut trained = TRAINED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = trained.get(&key) {
            return Ok(Arc::clone(gate));
        }
        let gate = Arc::new(train(params)?);
        trained.insert(key, Arc::clone(&gate));
        Ok(gate)
    }

    /// Of mean queries and of mean, largest and smallest keys, all `[head_dim]`: query · weights · keys / √head_dim, number by
    /// number as it is defined.
    pub fn worth(&self, query: &[f64], keys: [&Vec<f64>; POOLS]) -> f64 {
        let d = query.len();
        let weight = |from: usize, pool: usize, to: usize| self.weights[(from * POOLS + pool) * d + to];
        let one = |from: usize| {
            let of = |pool: usize| (0..d).map(move |to| weight(from, pool, to) * keys[pool][to]).sum::<f64>();
            query[from] * (0..POOLS).map(of).sum::<f64>()
        };
        (0..d).map(one).sum::<f64>() / (d as f64).sqrt()
    }

    /// `to = weightsᵀ · query`: of `[head_dim]`, `[3 · head_dim]`.
    pub fn project(&self, query: &[f64], to: &mut [f64]) {
        to.fill(0.0);
        for (factor, row) in query.iter().zip(self.weights.chunks_exact(to.len())) {
            to.iter_mut().zip(row).for_each(|(sum, weight)| *sum += factor * weight);
        }
    }
}

/// One training sequence: pooled queries `[heads, blocks, head_dim]`, pooled keys `[heads, 3 · head_dim, blocks]`, and the
/// logarithm of the attention between blocks `[heads, blocks, blocks]`, less its mean over a row.
fn sequence(params: &SparseAttentionParams, seed: u64, device: &Device) -> [Tensor<3>; 3] {
    let (h, d, blocks) = (params.heads, params.head_dim, SEQ / BLOCK);
    let inputs = SparseAttention::inputs(&SparseAttentionParams { batch: 1, seq: SEQ, ..params.clone() }, seed);
    let (query, key) = (inputs.get("query"), inputs.get("key"));
    let mut room = Room::default();
    let heads = Heads { batch: 1, heads: h, kv_heads: h, seq_q: SEQ, seq_kv: SEQ, head_dim: d };
    room.pool(&heads, query.of(), key.of());
    let floats = |numbers: &[f64]| numbers.iter().map(|number| *number as f32).collect::<Vec<_>>();
    let pooled_query = Tensor::from_data(TensorData::new(floats(&room.query), [h, blocks, d]), device);
    let pooled_key = Tensor::<3>::from_data(TensorData::new(floats(&room.key), [h, blocks, POOLS * d]), device);
    let whole = |array: &Array| -> Tensor<3> {
        Tensor::from_data(TensorData::new(array.of::<f32>().to_vec(), [h, SEQ, d]), device)
    };
    let scores = whole(query).matmul(whole(key).swap_dims(1, 2)).div_scalar((d as f64).sqrt());
    let weight = scores.exp().reshape([h, blocks, BLOCK, blocks, BLOCK]);
    let mass: Tensor<3> = weight.sum_dim(4).sum_dim(2).reshape([h, blocks, blocks]);
    [pooled_query, pooled_key.swap_dims(1, 2), centred(mass.log())]
}

fn centred(rows: Tensor<3>) -> Tensor<3> {
    let mean = rows.clone().mean_dim(2);
    rows - mean
}

/// Least squares between the gate and the logarithm of the attention, by Adam, from means alone.
fn train(params: &SparseAttentionParams) -> Result<Gate, String> {
    let d = params.head_dim;
    let device = Device::flex().autodiff();
    let all: Vec<[Tensor<3>; 3]> = (0..SEQUENCES).map(|index| sequence(params, SEED + index, &device)).collect();
    let scale = (d as f64).sqrt().recip();
    // At first the product of means.
    let start = |index: usize| if index / (POOLS * d) == index % (POOLS * d) { 1.0 } else { 0.0 };
    let numbers: Vec<f32> = (0..POOLS * d * d).map(start).collect();
    let plain = Device::flex();
    let mut weights = Tensor::<2>::from_data(TensorData::new(numbers, [d, POOLS * d]), &plain);
    let (mut mean, mut square) = (weights.zeros_like(), weights.zeros_like());
    for step in 1..=STEPS {
        let tracked = Tensor::from_inner(weights.clone()).require_grad();
        let loss = all.iter().map(|[query, key, wanted]| {
            let [h, blocks, _] = query.dims();
            let turned = query.clone().reshape([h * blocks, d]).matmul(tracked.clone());
            let gate = turned.reshape([h, blocks, POOLS * d]).matmul(key.clone());
            (centred(gate.mul_scalar(scale)) - wanted.clone()).powf_scalar(2.0).mean()
        });
        let loss = loss.reduce(|sum, one| sum + one).ok_or("there is nothing to train on")?;
        let grad = tracked.grad(&loss.backward()).ok_or("the gate got no gradient")?;
        mean = mean.mul_scalar(0.9) + grad.clone().mul_scalar(0.1);
        square = square.mul_scalar(0.999) + (grad.clone() * grad).mul_scalar(0.001);
        let [first, second] = [1.0 - 0.9_f64.powi(step), 1.0 - 0.999_f64.powi(step)];
        let by = mean.clone().div_scalar(first) / (square.clone().div_scalar(second).sqrt().add_scalar(1e-8));
        weights = weights - by.mul_scalar(RATE);
    }
    Ok(Gate { weights: download(weights)?.to_f64() })
}
