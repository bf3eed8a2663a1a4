//! Multi-head latent attention: keys and values of all heads are made of one short vector a position, which is what is cached.

use benchbook_core::{Answer, Array, Check, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::reference::{average, dot};
use super::sizes::{check_scores, scores};
use super::window::turned;
use crate::blocks::rms_normed;
use crate::draw::{check_numbers, normal, weights};
use crate::rows::{Place, Positions, times};
use crate::tolerance::tolerance_of_scores;

/// Multi-head latent attention with decoupled rotary positions (DeepSeek-AI, arXiv 2405.04434, section 2.1, equations 9 to 19),
/// causal, with the RMS norms of latents of its section 3.1.2.
///
/// Of a position h, the latent is c = norm(h W_dkv), and the key that carries its place, shared by all heads, is turn(h W_kr): both
/// are its entry of the cache. Of a head, the key is c W_uk beside the shared key, and the value is c W_uv. Queries are
/// norm(h W_dq) W_uq beside turn(norm(h W_dq) W_qr); scores are scaled by 1 / √(head_dim + rotary_dim), and W_out projects what
/// heads give. Rotation is that of [`Rotary`](crate::blocks::Rotary), norms are those of [`RmsNorm`](crate::blocks::RmsNorm).
///
/// Inputs: `input` `[batch, seq_q, width]`, the new positions, which are the last of `seq_kv`; `cache`
/// `[batch, seq_kv − seq_q, kv_rank + rotary_dim]`, entries of those before, latents first, absent where there are none; `w_dq`
/// `[width, query_rank]`, `w_uq` `[query_rank, heads · head_dim]`, `w_qr` `[query_rank, heads · rotary_dim]`, `w_dkv`
/// `[width, kv_rank]`, `w_kr` `[width, rotary_dim]`, `w_uk` `[kv_rank, heads · head_dim]`, `w_uv` `[kv_rank, heads · value_dim]`,
/// `w_out` `[heads · value_dim, width]`, each with variance 1 / rows; `query_gain` `[query_rank]`, `kv_gain` `[kv_rank]`. Weights
/// stay from call to call: bringing them into another layout is preparation, as loading a model is.
///
/// Outputs: `output` `[batch, seq_q, width]`, and `entries` `[batch, seq_q, kv_rank + rotary_dim]`, by which the cache grows.
pub struct LatentAttention;

benchbook_core::parameters! {
    /// Parameters of [`LatentAttention`].
    pub struct LatentAttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// heads
        heads: usize = 20, 1..=1 << 12;
        /// new positions of a sequence
        seq_q: usize = 512, 1..=1 << 20;
        /// all positions of a sequence, the new ones included; follows seq_q unless set
        seq_kv: usize = 512, 1..=1 << 20;
        /// numbers of a position
        width: usize = 2048, 1..=1 << 15;
        /// numbers of a position that queries are made of
        query_rank: usize = 768, 1..=1 << 13;
        /// numbers of a position that keys and values are made of
        kv_rank: usize = 512, 1..=1 << 13;
        /// numbers of a head's key, those that carry its place aside
        head_dim: usize = 192, 1..=1 << 12;
        /// numbers of a key that carry its place, even
        rotary_dim: usize = 64, 2..=1 << 12;
        /// numbers of a head's value
        value_dim: usize = 256, 1..=1 << 12;
    }
}

impl LatentAttentionParams {
    /// Positions whose entries are given.
    pub fn cached(&self) -> usize {
        self.seq_kv - self.seq_q
    }

    /// Numbers of an entry of the cache.
    pub fn entry(&self) -> usize {
        self.kv_rank + self.rotary_dim
    }

    /// The scale of scores.
    pub fn scale(&self) -> f64 {
        1.0 / ((self.head_dim + self.rotary_dim) as f64).sqrt()
    }

    /// Names and shapes of the matrices, down, up and out.
    fn matrices(&self) -> [(&'static str, [usize; 2]); 8] {
        let Self { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim, .. } = *self;
        [
            ("w_dq", [width, query_rank]),
            ("w_uq", [query_rank, heads * head_dim]),
            ("w_qr", [query_rank, heads * rotary_dim]),
            ("w_dkv", [width, kv_rank]),
            ("w_kr", [width, rotary_dim]),
            ("w_uk", [kv_rank, heads * head_dim]),
            ("w_uv", [kv_rank, heads * value_dim]),
            ("w_out", [heads * value_dim, width]),
        ]
    }

    /// Operations of the projections of new positions, and of attention by keys and values of every head, and by latents.
    fn operations(&self) -> [f64; 3] {
        let new = (self.batch * self.seq_q) as f64;
        let products = |[from, to]: [usize; 2]| 2.0 * from as f64 * to as f64;
        // Those to keys and values are counted where they are made.
        let projections = self.matrices().into_iter().filter(|(name, _)| !["w_uk", "w_uv"].contains(name));
        let projections: f64 = projections.map(|(_, shape)| products(shape)).sum();
        let up = products([self.kv_rank, self.heads * (self.head_dim + self.value_dim)]);
        let pairs = self.batch as f64 * scores(self.seq_q, self.seq_kv, true);
        let by = |numbers: usize| 2.0 * pairs * self.heads as f64 * numbers as f64;
        let expanded = (self.batch * self.seq_kv) as f64 * up + by(self.head_dim + self.rotary_dim + self.value_dim);
        [new * projections, expanded, new * up + by(2 * self.kv_rank + self.rotary_dim)]
    }
}

impl Problem for LatentAttention {
    const NAME: &'static str = "latent-attention";
    const ABOUT: &'static str =
        "multi-head latent attention: the cache keeps one short vector a position for all heads";
    type Params = LatentAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |params: Params, [seq_q, seq_kv]: [i64; 2]| {
            params.with("seq_q", Value::Int(seq_q)).with("seq_kv", Value::Int(seq_kv))
        };
        let names = ["heads", "width", "query_rank", "kv_rank", "head_dim", "rotary_dim", "value_dim"];
        let small = names.into_iter().zip([4, 256, 96, 64, 32, 16, 32]);
        let small = small.fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)));
        let quick = [[128, 128], [1, 512]].map(|seq| of(small.clone(), seq)).into();
        // The sizes of GLM-4.7-Flash: a prompt, a part of one, and a step of decoding.
        let full = [[512, 512], [128, 1024], [1, 2048]].map(|seq| of(Params::default(), seq)).into();
        vec![Preset { name: "quick", cases: quick }, Preset { name: "default", cases: full }]
    }

    fn ugly() -> Vec<LatentAttentionParams> {
        let of =
            |[batch, heads, seq_q, seq_kv]: [usize; 4], [width, query_rank, kv_rank]: [usize; 3], dims: [usize; 3]| {
                let [head_dim, rotary_dim, value_dim] = dims;
                LatentAttentionParams {
                    batch,
                    heads,
                    seq_q,
                    seq_kv,
                    width,
                    query_rank,
                    kv_rank,
                    head_dim,
                    rotary_dim,
                    value_dim,
                }
            };
        vec![
            of([1, 1, 1, 1], [1, 1, 1], [1, 2, 1]),
            // The first position sees itself alone.
            of([2, 3, 17, 17], [33, 17, 9], [5, 6, 7]),
            of([1, 2, 67, 67], [18, 5, 33], [17, 2, 3]),
            of([2, 4, 3, 33], [17, 9, 17], [3, 4, 18]),
            of([1, 5, 1, 1031], [19, 3, 7], [33, 8, 1]),
            of([3, 1, 1, 2], [67, 130, 1], [1, 34, 67]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("seq_kv", "seq_q")
    }

    fn check(params: &LatentAttentionParams) -> Result<(), (&'static str, String)> {
        let LatentAttentionParams { batch, heads, seq_q, seq_kv, rotary_dim, .. } = *params;
        if seq_q > seq_kv {
            return Err(("seq_kv", format!("{seq_q} new positions are more than {seq_kv} in all")));
        }
        if !rotary_dim.is_multiple_of(2) {
            return Err(("rotary_dim", format!("{rotary_dim} is odd: numbers are rotated in pairs")));
        }
        params.matrices().iter().try_for_each(|(_, shape)| check_numbers("heads", shape))?;
        check_numbers("seq_kv", &[batch, seq_kv, params.entry().max(params.width)])?;
        check_scores("seq_q", [batch, heads, seq_q, seq_kv])
    }

    fn label(params: &LatentAttentionParams) -> String {
        let LatentAttentionParams { batch, heads, seq_q, seq_kv, width, query_rank, kv_rank, .. } = *params;
        let LatentAttentionParams { head_dim, rotary_dim, value_dim, .. } = *params;
        let seq = if seq_q == seq_kv { format!("s{seq_q}") } else { format!("q{seq_q} s{seq_kv}") };
        format!("b{batch} h{heads} {seq} w{width} ranks {query_rank} {kv_rank} d{head_dim}+{rotary_dim} v{value_dim}")
    }

    fn inputs(params: &LatentAttentionParams, seed: u64) -> Inputs {
        let LatentAttentionParams { batch, seq_q, width, query_rank, kv_rank, .. } = *params;
        let mut inputs = Inputs::from([
            ("input", Array::normal(vec![batch, seq_q, width], seed, 1)),
            ("query_gain", normal(vec![query_rank], [1.0, 0.1], seed, 3)),
            ("kv_gain", normal(vec![kv_rank], [1.0, 0.1], seed, 4)),
        ]);
        if params.cached() > 0 {
            inputs.insert("cache", Array::normal(vec![batch, params.cached(), params.entry()], seed, 2));
        }
        for ((name, shape), stream) in params.matrices().into_iter().zip(5..) {
            inputs.insert(name, weights(shape, seed, stream));
        }
        inputs
    }

    /// By plain loops over latents, so that no key of a head is needed; a row is one position of one sequence.
    fn reference(params: &LatentAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let LatentAttentionParams { batch, heads, seq_q, seq_kv, width, query_rank, kv_rank, .. } = *params;
        let LatentAttentionParams { head_dim, rotary_dim, value_dim, .. } = *params;
        let (cached, entry, scale) = (params.cached(), params.entry(), params.scale());
        let [input, query_gain, kv_gain] = ["input", "query_gain", "kv_gain"].map(|name| inputs.numbers(name));
        let [w_dq, w_uq, w_qr, w_dkv, w_kr, w_uk, w_uv, w_out] =
            params.matrices().map(|(name, _)| inputs.numbers(name));
        let cache = if cached > 0 { inputs.numbers("cache") } else { &[] };
        let at = |row: usize| input[row * width..][..width].iter().map(|x| f64::from(*x));

        let of_head = kv_rank * (head_dim + value_dim) + 2 * seq_kv * entry + value_dim * width;
        let own = width * query_rank + heads * (query_rank * (head_dim + rotary_dim) + of_head);
        let positions = Positions::choose([batch, seq_q], seq_q * width * entry, own, seed);
        let entries = positions.all(|row| {
            let mut entry = rms_normed(&times(at(row), w_dkv, kv_rank), kv_gain);
            entry.extend(turned(&times(at(row), w_kr, rotary_dim), cached + row % seq_q));
            entry
        });
        let (rows, found) = positions.solve(|Place { first, step, row }| {
            let before = cache[row / seq_q * cached * entry..][..cached * entry].iter().map(|x| f64::from(*x));
            let new = entries[first * entry..(first + step + 1) * entry].iter().copied();
            let seen: Vec<f64> = before.chain(new).collect();
            let latent = rms_normed(&times(at(row), w_dq, query_rank), query_gain);
            let plain = times(latent.iter().copied(), w_uq, heads * head_dim);
            let placed = times(latent.iter().copied(), w_qr, heads * rotary_dim);
            let of_head = |head: usize| {
                // q · (c W) is (q Wᵀ) · c.
                let part = |number: usize| {
                    dot(&plain[head * head_dim..][..head_dim], &w_uk[(number * heads + head) * head_dim..])
                };
                let mut query: Vec<f64> = (0..kv_rank).map(part).collect();
                query.extend(turned(&placed[head * rotary_dim..][..rotary_dim], cached + step));
                let scores: Vec<f64> = seen.chunks_exact(entry).map(|one| scale * dot(&query, one)).collect();
                let mixed = average(&scores, kv_rank, |j| &seen[j * entry..]);
                let mut value = vec![0.0; value_dim];
                for (number, mixed) in mixed.into_iter().enumerate() {
                    let weights = &w_uv[(number * heads + head) * value_dim..][..value_dim];
                    value.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += mixed * f64::from(*weight));
                }
                value
            };
            times((0..heads).flat_map(of_head), w_out, width)
        });
        let answer = |name: &'static str, width, rows, values| Answer {
            name: name.into(),
            shape: vec![batch, seq_q, width],
            rows,
            values,
            check: Check::Near,
        };
        let computed = positions.rows();
        Reference { answers: vec![answer("output", width, rows, found), answer("entries", entry, computed, entries)] }
    }

    /// Operations of the projections, and of attention in the one of its two forms that takes fewer: by keys and values of every
    /// head, or by latents. Bytes of the inputs and of both outputs, each once.
    fn work(params: &LatentAttentionParams, dtype: DType) -> Work {
        let LatentAttentionParams { batch, seq_q, seq_kv, width, query_rank, kv_rank, .. } = *params;
        let [projections, expanded, absorbed] = params.operations();
        let weights: usize = params.matrices().into_iter().map(|(_, [from, to])| from * to).sum();
        let numbers = batch * (2 * seq_q * width + seq_kv * params.entry()) + weights + query_rank + kv_rank;
        Work { flops: projections + expanded.min(absorbed), bytes: numbers as f64 * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &LatentAttentionParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }

    /// What the cache holds beside one of keys and values of every head, and the operations of the form by latents beside those
    /// of the other.
    fn metrics(params: &LatentAttentionParams, _inputs: &Inputs) -> Vec<Metric> {
        let of_heads = params.heads * (params.head_dim + params.rotary_dim + params.value_dim);
        let [projections, expanded, absorbed] = params.operations();
        vec![
            Metric::modelled("cache_share", params.entry() as f64 / of_heads as f64, "share"),
            Metric::modelled("absorbed_flops_ratio", (projections + absorbed) / (projections + expanded), "ratio"),
        ]
    }
}
