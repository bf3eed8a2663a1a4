//! Attention of a layer as a scan: a state of one size in the place of keys and values (linear attention: Katharopoulos et al., arXiv
//! 2006.16236, sections 3.2 and 3.4).

use crate::description::Text;

/// What a scan keeps of the positions so far, whatever their number.
#[derive(Debug)]
pub struct State {
    /// Of each key head the sum of φ(key) · value, `[kv_heads, head_dim, head_dim]`.
    sums: Vec<f32>,
    /// The sum of φ(key), `[kv_heads, head_dim]`.
    keys: Vec<f32>,
}

/// φ(x) = elu(x) + 1, which is above nothing.
fn feature(x: f32) -> f32 {
    if x > 0.0 { x + 1.0 } else { x.exp() }
}

impl State {
    /// The state before a text.
    pub fn new(text: &Text) -> Self {
        let [_, kv] = text.projected();
        Self { sums: vec![0.0; kv * text.head_dim], keys: vec![0.0; kv] }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.sums[..]) + size_of_val(&self.keys[..])
    }

    /// Forgets all positions.
    pub fn forget(&mut self) {
        self.sums.fill(0.0);
        self.keys.fill(0.0);
    }

    /// Adds a position, whose key and value are `[kv_heads, head_dim]` each.
    pub fn add(&mut self, text: &Text, key: &[f32], value: &[f32]) {
        let d = text.head_dim;
        let heads = key.chunks_exact(d).zip(value.chunks_exact(d));
        let states = self.sums.chunks_exact_mut(d * d).zip(self.keys.chunks_exact_mut(d));
        for ((key, value), (sums, keys)) in heads.zip(states) {
            for ((key, of_keys), sums) in key.iter().zip(keys).zip(sums.chunks_exact_mut(d)) {
                let key = feature(*key);
                *of_keys += key;
                sums.iter_mut().zip(value).for_each(|(sum, value)| *sum += key * value);
            }
        }
    }

    /// What a query `[heads, head_dim]` sees of them, into `out` of that form: the mean of their values, by the weights φ(query) · φ(key).
    pub fn see(&self, text: &Text, query: &[f32], out: &mut [f32]) {
        let (d, together) = (text.head_dim, text.heads / text.kv_heads);
        out.fill(0.0);
        for (head, (query, out)) in query.chunks_exact(d).zip(out.chunks_exact_mut(d)).enumerate() {
            let at = head / together;
            let (sums, keys) = (&self.sums[at * d * d..][..d * d], &self.keys[at * d..][..d]);
            let mut weight = 0.0;
            for ((query, key), sums) in query.iter().zip(keys).zip(sums.chunks_exact(d)) {
                let query = feature(*query);
                weight += query * key;
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out += query * sum);
            }
            out.iter_mut().for_each(|out| *out /= weight);
        }
    }
}
