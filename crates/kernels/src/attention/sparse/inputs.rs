//! Queries and keys with a structure that can be found, and without one.

use benchbook_core::{HostArray, Inputs, Params};

/// What inputs are made of.
pub const STRUCTURES: [&str; 2] = ["topics", "random"];

/// Topics of a head.
const TOPICS: usize = 16;

/// Positions that a topic lasts: no multiple of a block, so that blocks are mixed.
const STRETCH: usize = 96;

/// How much of a query or key is its topic, beside noise of variance 1.
const SHARE: f32 = 0.8;

/// Seeded inputs: noise, plus a topic in the structure `topics`.
pub fn sparse_inputs(params: &Params, seed: u64) -> Inputs {
    let [batch, heads, seq, d] = ["batch", "heads", "seq", "head_dim"].map(|name| params.size(name));
    let shape = vec![batch, heads, seq, d];
    let mut inputs = Inputs::default();
    for (stream, name) in ["query", "key", "value"].into_iter().enumerate() {
        inputs.0.insert(name, HostArray::normal(shape.clone(), seed, stream as u64 + 1));
    }
    if params.text("structure") == "topics" {
        let topics = HostArray::normal(vec![batch * heads, TOPICS, d], seed, 4);
        for name in ["query", "key"] {
            if let Some(array) = inputs.0.get_mut(name) {
                add_topics(array, &topics, seq, d);
            }
        }
    }
    inputs
}

fn add_topics(array: &mut HostArray, topics: &HostArray, seq: usize, d: usize) {
    for (row, numbers) in array.data.chunks_exact_mut(d).enumerate() {
        let (unit, position) = (row / seq, row % seq);
        // Seven and sixteen share no factor: every topic comes back, far from where it was.
        let topic = position / STRETCH * 7 % TOPICS;
        let of_topic = &topics.data[(unit * TOPICS + topic) * d..];
        numbers.iter_mut().zip(of_topic).for_each(|(number, topic)| *number += SHARE * topic);
    }
}
