//! The timed call allocates nothing once every thread has its scratch.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use benchbook_simd::{
    Activation, Affine, Attend, Between, BitmapWeights, BlockWeights, ByteDot, Capacity, CausalConv, Code, CodedCache,
    CodedKeys, CodedWeights, Contextual, ConvSize, Convolution, ConvolutionWeights, CsrWeights, Dispatch, Embedding,
    ExpertWeights, Experts, Gate, Heads, Int4Weights, IntegerWeights, Isa, LatentAttention, LatentMatrices,
    LatentSizes, LatentWeights, LinearWeights, MixtureBackward, MixtureGradients, MlpWeights, Norm, NormWeights,
    PackedWeights, PatchEmbedding, PatchWeights, Priority, Product, Projected, Projections, Pruned, Retention,
    RetentionSize, Rotary, Routed, Router, Rwkv4, Rwkv6, Rwkv7, RwkvSize, Scales, ScanGradients, ScanSize, Scoring,
    SelectiveScan, Softmax, Ssd, SsdSize, TransformerBlock, TransformerWeights, Turns, TwoFourWeights, Weights,
    attention, causal_conv, contextual_attention, convolution, copy, decode_coded, embedding, gated_rms_norm,
    latent_attention, layer_norm, linear, matmul, matmul_bitmap, matmul_blocks, matmul_csr, matmul_dynamic,
    matmul_int4, matmul_packed, matmul_two_four, mixture, mixture_backward, mlp, normalised_retention, patch_embedding,
    projected_attention, retention, rms_norm, route, route_backward, rwkv4, rwkv6, rwkv7, selective_scan,
    selective_scan_backward, softmax, ssd, transformer_block,
};
use half::bf16;

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLS: usize = 63;

/// Allocations of [`CALLS`] calls after a few to warm up, the fewest of some rounds.
///
/// Scratch is kept by thread, and on a busy machine a thread may take part for the first time late.
fn allocations(mut call: impl FnMut()) -> usize {
    (0..50).for_each(|_| call());
    let round = |_| {
        let before = COUNT.load(Ordering::Relaxed);
        (0..CALLS).for_each(|_| call());
        COUNT.load(Ordering::Relaxed) - before
    };
    (0..5).map(round).min().unwrap_or_default()
}

#[test]
fn kernels_reuse_their_scratch() {
    let isa = Isa::detect();
    let heads = Heads { batch: 1, heads: 4, kv_heads: 2, seq_q: 300, seq_kv: 300, head_dim: 64 };
    let (query, key) = (vec![0.5; 4 * 300 * 64], vec![0.25; 2 * 300 * 64]);
    let mut out = vec![0.0; query.len()];
    let attend = Attend {
        heads,
        query: &query,
        key: &key,
        value: &key,
        scale: None,
        causal: true,
        window: None,
        mask: None,
        isa,
    };
    let found = allocations(|| attention(&attend, &mut out).unwrap());
    assert_eq!(found, 0, "attention: allocations in {CALLS} calls");
    let one = Heads { seq_q: 1, ..heads };
    let decode = Attend { heads: one, query: &query[..4 * 64], ..attend };
    let found = allocations(|| attention(&decode, &mut out[..4 * 64]).unwrap());
    assert_eq!(found, 0, "decoding: allocations in {CALLS} calls");
    let embedding = &query[..70 * 64];
    let coded = vec![9; 2 * 300 * 64];
    let (key_scales, value_scales, code) = (&key[..2 * 10 * 64], &key[..2 * 300], Code::Int4);
    let coded = CodedKeys { heads: one, code, keys: &coded, key_scales, values: &coded, value_scales, rotated: true };
    let coded = CodedCache::new(&coded, isa).unwrap();
    let found = allocations(|| decode_coded(&query[..4 * 64], &coded, &mut out[..4 * 64]).unwrap());
    assert_eq!(found, 0, "decoding over four bits: allocations in {CALLS} calls");
    let (positions, scale) = (70, None);
    let contextual = Contextual { heads, query: &query, key: &key, value: &key, embedding, positions, scale, isa };
    let found = allocations(|| contextual_attention(&contextual, &mut out).unwrap());
    assert_eq!(found, 0, "contextual attention: allocations in {CALLS} calls");
    // More steps than a block has: rows are copied too.
    let (left, right) = (vec![0.5; 300 * 700], vec![0.25; 700 * 200]);
    let mut product = vec![0.0; 300 * 200];
    let ask = Product { size: [300, 700, 200], left: &left, right: &right, isa };
    let found = allocations(|| matmul(&ask, &mut product).unwrap());
    assert_eq!(found, 0, "matmul: allocations in {CALLS} calls");
    let (codes, scales) = (vec![0x5a; 700 * 100], vec![0.25; 22 * 200]);
    let packed = Int4Weights { codes: &codes, scales: &scales, group: 32 };
    let found = allocations(|| matmul_int4(isa, [300, 700, 200], &left, &packed, &mut product).unwrap());
    assert_eq!(found, 0, "matmul by four bits: allocations in {CALLS} calls");
    // From a thread of rayon's pool, whose own queues take memory now and then, once in some dozens of jobs.
    let found = rayon::scope(|_| allocations(|| matmul(&ask, &mut product).unwrap()));
    assert!(found <= CALLS / 6, "matmul within the pool: {found} allocations in {CALLS} calls");
    let weight = vec![0.1; 256 * 256];
    let weights = Weights {
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
        query: &weight,
        key: &weight[..256 * 128],
        value: &weight[..256 * 128],
        out: &weight,
    };
    let (weights, input) = (Projections::new(&weights, isa).unwrap(), vec![0.5; 300 * 256]);
    let mut result = vec![0.0; input.len()];
    let ask_all = Projected { batch: 1, seq: 300, input: &input, weights: &weights, causal: true };
    let found = allocations(|| projected_attention(&ask_all, &mut result).unwrap());
    assert_eq!(found, 0, "with projections: allocations in {CALLS} calls");
    few_bits();
    sparse();
    mixers_reuse_theirs();
    experts();
    blocks();
    convolutions();
    latents();
    transformers();
}

/// The same of products by packed weights: of few rows and of many, and of rows that are rounded within the call.
fn few_bits() {
    let (size, group) = ([700, 200], 32);
    let (codes, scales, left) = (vec![9; 700 * 200], vec![0.25; 22 * 200], vec![0.5; 300 * 700]);
    let weights = CodedWeights { size, codes: &codes, code: Code::Int4, scales: Scales::Numbers(&scales), group };
    let (packed, mut out) = (PackedWeights::new(&weights, Isa::detect()).unwrap(), vec![0.0; 300 * 200]);
    let whole = IntegerWeights::new(&weights, ByteDot::detect()).unwrap();
    let halves = PackedWeights::of_bf16(&vec![bf16::ONE; 700 * 200], size, Isa::detect()).unwrap();
    for rows in [1, 300] {
        let (left, out) = (&left[..rows * 700], &mut out[..rows * 200]);
        let found = allocations(|| matmul_packed(rows, left, &packed, out).unwrap());
        assert_eq!(found, 0, "{rows} rows by packed weights: allocations in {CALLS} calls");
        let found = allocations(|| matmul_packed(rows, left, &halves, out).unwrap());
        assert_eq!(found, 0, "{rows} rows by bf16: allocations in {CALLS} calls");
        let found = allocations(|| matmul_dynamic(rows, left, &whole, out).unwrap());
        assert_eq!(found, 0, "{rows} rows in whole numbers: allocations in {CALLS} calls");
    }
}

/// The same of products by weights that are left out where they are zero.
fn sparse() {
    let (isa, size, left) = (Isa::detect(), [700, 200], vec![0.5; 300 * 700]);
    let weights: Vec<f32> = (0..700 * 200).map(|at| f32::from(u8::from(at / 200 % 4 < 2))).collect();
    let single = CsrWeights::new(&weights, size).unwrap();
    let bitmap = BitmapWeights::new(&weights, size).unwrap();
    let blocks = BlockWeights::new(&weights, size).unwrap();
    let half = TwoFourWeights::new(&Pruned::Numbers(&weights, size), isa).unwrap();
    let mut out = vec![0.0; 300 * 200];
    for rows in [1, 300] {
        let (left, out) = (&left[..rows * 700], &mut out[..rows * 200]);
        let found = allocations(|| matmul_csr(isa, rows, left, &single, out).unwrap());
        assert_eq!(found, 0, "{rows} rows by single weights: allocations in {CALLS} calls");
        let found = allocations(|| matmul_bitmap(isa, rows, left, &bitmap, out).unwrap());
        assert_eq!(found, 0, "{rows} rows by single weights and their bits: allocations in {CALLS} calls");
        let found = allocations(|| matmul_blocks(isa, rows, left, &blocks, out).unwrap());
        assert_eq!(found, 0, "{rows} rows by blocks: allocations in {CALLS} calls");
        let found = allocations(|| matmul_two_four(rows, left, &half, out).unwrap());
        assert_eq!(found, 0, "{rows} rows by two of four: allocations in {CALLS} calls");
    }
}

/// The same of mixers, within the only test: others would be counted too.
fn mixers_reuse_theirs() {
    let (isa, seq) = (Isa::detect(), 70);
    let (x, mut out) = (vec![0.5; 70 * 4 * 64], vec![0.0; 70 * 4 * 64]);
    let (start, mut end) = (vec![0.5; 4 * 64 * 64], vec![0.0; 4 * 64 * 64]);
    let (wide, narrow) = (&x[..seq * 200], &x[..seq * 16]);
    let size = ScanSize { batch: 1, seq, channels: 200, state: 16 };
    let (delta_bias, a_log, d) = (&x[..200], &x[..200 * 16], &x[..200]);
    let scan = SelectiveScan {
        size,
        x: wide,
        delta: wide,
        z: wide,
        delta_bias,
        a_log,
        b: narrow,
        c: narrow,
        d,
        start: &start[..200 * 16],
        isa,
    };
    let found = allocations(|| selective_scan(&scan, &mut out[..seq * 200], &mut end[..200 * 16]).unwrap());
    assert_eq!(found, 0, "a scan: allocations in {CALLS} calls");
    let mut back = [(); 9].map(|()| vec![0.0; seq * 200]);
    let found = allocations(|| {
        let [x, delta, z, b, c, a_log, delta_bias, d, start] = back.each_mut().map(|numbers| &mut numbers[..]);
        let (b, c, start) = (&mut b[..seq * 16], &mut c[..seq * 16], &mut start[..200 * 16]);
        let (a_log, delta_bias, d) = (&mut a_log[..200 * 16], &mut delta_bias[..200], &mut d[..200]);
        let gradients = ScanGradients { x, delta, z, b, c, a_log, delta_bias, d, start };
        selective_scan_backward(&scan, wide, gradients).unwrap();
    });
    assert_eq!(found, 0, "a scan back: allocations in {CALLS} calls");
    let size = ConvSize { batch: 1, seq, channels: 200, width: 4 };
    let (weight, bias) = (&x[..800], &x[..200]);
    let conv = CausalConv { size, x: wide, weight, bias, start: &start[..600], silu: true, isa };
    let found = allocations(|| causal_conv(&conv, &mut out[..seq * 200], &mut end[..600]).unwrap());
    assert_eq!(found, 0, "a convolution: allocations in {CALLS} calls");
    let size = SsdSize { batch: 1, seq, heads: 4, head_dim: 64, groups: 1, state: 64 };
    let (delta, b, heads) = (&x[..seq * 4], &x[..seq * 64], &x[..4]);
    let (delta_bias, a_log, d, start) = (heads, heads, heads, &start[..]);
    let duality = Ssd { size, x: &x, delta, delta_bias, a_log, b, c: b, d, start, chunk: 64, isa };
    let found = allocations(|| ssd(&duality, &mut out, &mut end).unwrap());
    assert_eq!(found, 0, "a duality: allocations in {CALLS} calls");
    let size = RetentionSize { batch: 1, seq, heads: 4, key_dim: 64, value_dim: 64 };
    let (left, turns) = ([0.9, 0.95, 0.99, 1.0], Turns::new(0, seq, 64).unwrap());
    let (query, turns) = (&x[..], Some(&turns));
    let retained = Retention { size, query, key: query, value: query, left: &left, start, turns, chunk: 64, isa };
    let found = allocations(|| retention(&retained, &mut out, &mut end).unwrap());
    assert_eq!(found, 0, "a retention: allocations in {CALLS} calls");
    let found = allocations(|| normalised_retention(&retained, &mut out).unwrap());
    assert_eq!(found, 0, "a normalised retention: allocations in {CALLS} calls");
    let size = RwkvSize { batch: 1, seq, heads: 4, head_dim: 64 };
    let (r, u) = (&x[..], &x[..4 * 64]);
    let six = Rwkv6 { size, r, k: r, v: r, w: r, u, start, isa };
    let found = allocations(|| rwkv6(&six, &mut out, &mut end).unwrap());
    assert_eq!(found, 0, "version 6: allocations in {CALLS} calls");
    let seven = Rwkv7 { size, r, w: r, k: r, v: r, kappa: r, a: r, start, isa };
    let found = allocations(|| rwkv7(&seven, &mut out, &mut end).unwrap());
    assert_eq!(found, 0, "version 7: allocations in {CALLS} calls");
    let (size, start) = ([1, seq, 256], &start[..512]);
    let four = Rwkv4 { size, r, k: r, v: r, decay: u, u, start, isa };
    let found = allocations(|| rwkv4(&four, &mut out, &mut end[..512]).unwrap());
    assert_eq!(found, 0, "version 4: allocations in {CALLS} calls");
}

/// A layer whose rows are routed, admitted, sorted and computed anew in each call, by other logits.
fn experts() {
    let ([tokens, experts, chosen], [width, hidden]) = ([300, 8, 2], [70, 40]);
    let each = vec![0.1; experts * width * hidden];
    let weights = Experts { experts, width, hidden, gate: &each, up: &each, down: &each };
    let weights = ExpertWeights::new(&weights, Isa::detect()).unwrap();
    let router = Router { experts, chosen, scoring: Scoring::Softmax, renormalised: true, bias: None };
    let (input, mut out) = (vec![0.5; tokens * width], vec![0.0; tokens * width]);
    let (mut ids, mut shares) = (vec![0; tokens * chosen], vec![0.0; tokens * chosen]);
    let (mut kept, mut logits) = (vec![0; tokens * chosen], vec![0.0; tokens * experts]);
    let (mut dispatch, mut load, mut turn) = (Dispatch::default(), vec![0; experts], 0);
    let capacity = Capacity { slots: 90, priority: Priority::Logit };
    let found = allocations(|| {
        turn += 1;
        logits.iter_mut().enumerate().for_each(|(place, logit)| *logit = (place * turn % 17) as f32);
        route(&router, &logits, &mut ids, &mut shares).unwrap();
        benchbook_simd::auxiliary_loss(&router, &logits, &ids, &mut load).unwrap();
        dispatch.admit(capacity, [experts, chosen], &logits, &ids, &mut kept).unwrap();
        let routed = Routed { tokens, experts, chosen, shared: 0, ids: &ids, weights: &shares, kept: Some(&kept) };
        dispatch.sorted(&routed).unwrap();
        mixture(&weights, &dispatch, &input, &mut out).unwrap();
    });
    assert_eq!(found, 0, "a layer of experts: allocations in {CALLS} calls");
    let mut back = [(); 3].map(|()| vec![0.0; experts * width * hidden]);
    let (mut of_counts, mut of_logits) = (vec![0.0; tokens * chosen], vec![0.0; tokens * experts]);
    let found = allocations(|| {
        turn += 1;
        logits.iter_mut().enumerate().for_each(|(place, logit)| *logit = (place * turn % 17) as f32);
        route(&router, &logits, &mut ids, &mut shares).unwrap();
        let routed = Routed { tokens, experts, chosen, shared: 0, ids: &ids, weights: &shares, kept: None };
        let weights = Experts { experts, width, hidden, gate: &each, up: &each, down: &each };
        let isa = Isa::detect();
        let call = MixtureBackward { weights, routed, input: &input, grad: &input, isa };
        let [gate, up, down] = back.each_mut().map(|numbers| &mut numbers[..]);
        let to = MixtureGradients { input: &mut out, counts: &mut of_counts, gate, up, down };
        mixture_backward(&call, &mut dispatch, to).unwrap();
        route_backward(&router, &logits, &ids, &shares, &of_counts, &mut of_logits).unwrap();
    });
    assert_eq!(found, 0, "experts back: allocations in {CALLS} calls");
}

/// Latent attention: a prompt, and a step of decoding over a cache in parts.
fn latents() {
    let (isa, numbers, mut out) = (Isa::detect(), vec![0.1; 2 * 1100 * 40], vec![0.0; 2 * 130 * 48]);
    let [heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim] = [3, 48, 20, 32, 16, 8, 24];
    let sizes = LatentSizes { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim };
    let of = |rows: usize, columns: usize| &numbers[..rows * columns];
    let matrices = LatentMatrices {
        query_down: of(width, query_rank),
        query_up: of(query_rank, heads * head_dim),
        query_rotary: of(query_rank, heads * rotary_dim),
        kv_down: of(width, kv_rank),
        key_rotary: of(width, rotary_dim),
        key_up: of(kv_rank, heads * head_dim),
        value_up: of(kv_rank, heads * value_dim),
        out: of(heads * value_dim, width),
        query_gain: of(1, query_rank),
        kv_gain: of(1, kv_rank),
    };
    let rotary = Rotary::new(1101, rotary_dim, 10_000.0).unwrap();
    let weights = &LatentWeights::new(sizes, &matrices, rotary, 1e-5, isa).unwrap();
    let (batch, mut entries) = (2, vec![0.0; 2 * 130 * 40]);
    for (seq_q, cached) in [(130, 0), (1, 1100)] {
        let (input, cache) = (of(batch * seq_q, width), of(batch * cached, sizes.entry()));
        let call = LatentAttention { batch, seq_q, seq_kv: cached + seq_q, input, cache, weights };
        let (out, entries) = (&mut out[..batch * seq_q * width], &mut entries[..batch * seq_q * sizes.entry()]);
        let found = allocations(|| latent_attention(&call, out, entries).unwrap());
        assert_eq!(found, 0, "{seq_q} new positions by latents: allocations in {CALLS} calls");
    }
}

/// Blocks of GPT-2, BERT and Qwen3.
fn transformers() {
    let (isa, numbers, [batch, seq, width, hidden]) = (Isa::detect(), vec![0.1; 90 * 200], [2, 130, 90, 200]);
    let (heads, all, kv) = ([4, 2, 16], 4 * 16, 2 * 16);
    let (input, mut out) = (vec![0.5; batch * seq * width], vec![0.0; batch * seq * width]);
    for (biased, post_norm) in [(true, false), (true, true), (false, false)] {
        let affine = |inner: usize, outer: usize| {
            let bias = biased.then(|| &numbers[..outer]);
            Affine { weight: &numbers[..inner * outer], bias }
        };
        let gate = Between::Gate(&numbers[..width * hidden]);
        let norm = NormWeights { gain: &numbers[..width], bias: biased.then(|| &numbers[..width]) };
        let block = TransformerBlock {
            width,
            hidden,
            heads,
            causal: !post_norm,
            post_norm,
            norms: [norm; 2],
            epsilon: 1e-5,
            query: affine(width, all),
            key: affine(width, kv),
            value: affine(width, kv),
            out: affine(all, width),
            head_gains: (!biased).then(|| [&numbers[..16]; 2]),
            up: affine(width, hidden),
            down: affine(hidden, width),
            between: if biased { Between::Activation(Activation::ExactGelu) } else { gate },
        };
        let rotary = (!biased).then(|| Rotary::new(seq, 16, 10_000.0).unwrap());
        let weights = TransformerWeights::new(&block, rotary, isa).unwrap();
        let found = allocations(|| transformer_block(&weights, [batch, seq], &input, &mut out).unwrap());
        assert_eq!(found, 0, "a transformer block: allocations in {CALLS} calls");
    }
}

/// Images that are laid out, and such that are read where they lie: channels together, and apart.
fn convolutions() {
    let (isa, input) = (Isa::detect(), vec![0.5; 2 * 40 * 30 * 31]);
    let mut out = vec![0.0; 2 * 40 * 30 * 31];
    for (groups, stride, padding) in [(1, 1, 1), (1, 1, 0), (4, 2, 1), (40, 1, 1)] {
        let [kernel, stride, padding, dilation] = [3, stride, padding, 1].map(|size: usize| [size; 2]);
        let of = Convolution { channels: [40, 40], groups, kernel, stride, padding, dilation };
        let weight = vec![0.1; 40 * (40 / groups) * 9];
        let weights = ConvolutionWeights::new(of, &weight, &input[..40], isa).unwrap();
        let [height, width] = of.after([30, 31]).unwrap();
        let out = &mut out[..2 * 40 * height * width];
        let found = allocations(|| convolution(&weights, [2, 30, 31], &input, out).unwrap());
        assert_eq!(found, 0, "a convolution of {groups} groups: allocations in {CALLS} calls");
    }
}

/// Norms, softmax, tables, rotation, and layers of more rows than a task and more steps than a run.
fn blocks() {
    let (isa, width, hidden) = (Isa::detect(), 300, 170);
    let (input, table, mut out) = (vec![0.5; 290 * 300], vec![0.25; 300 * 170], vec![0.0; 290 * 300]);
    let norm = Norm { width, input: &input, gain: &table[..width], epsilon: 1e-5, isa };
    let found = allocations(|| layer_norm(&norm, &table[..width], &mut out).unwrap());
    assert_eq!(found, 0, "a layer norm: allocations in {CALLS} calls");
    let found = allocations(|| rms_norm(&norm, &mut out).unwrap());
    assert_eq!(found, 0, "an RMS norm: allocations in {CALLS} calls");
    let found = allocations(|| gated_rms_norm(&norm, Gate::Before, &input, &mut out).unwrap());
    assert_eq!(found, 0, "a gated RMS norm: allocations in {CALLS} calls");
    let found = allocations(|| softmax(&Softmax { width, input: &input, isa }, &mut out).unwrap());
    assert_eq!(found, 0, "a softmax: allocations in {CALLS} calls");
    let ids: Vec<i32> = (0..290).map(|token| token % 170).collect();
    let found = allocations(|| embedding(&Embedding { width, table: &table, ids: &ids, isa }, &mut out).unwrap());
    assert_eq!(found, 0, "rows of a table: allocations in {CALLS} calls");
    let found = allocations(|| copy(isa, &input, &mut out).unwrap());
    assert_eq!(found, 0, "a copy: allocations in {CALLS} calls");
    let rotary = Rotary::new(290, width, 10_000.0).unwrap();
    let found = allocations(|| rotary.rotate(isa, 290, 0, &input, &mut out).unwrap());
    assert_eq!(found, 0, "a rotation: allocations in {CALLS} calls");
    let layer = LinearWeights::new([width, hidden], &table, Some(&input[..hidden]), isa).unwrap();
    let found = allocations(|| linear(&layer, Activation::Gelu, &input, &mut out[..290 * 170]).unwrap());
    assert_eq!(found, 0, "a linear layer: allocations in {CALLS} calls");
    // Images of 20 patches.
    let patches = PatchWeights::new([3, 10, hidden], &table, isa).unwrap();
    let (class, positions) = (&input[..hidden], &input[..21 * hidden]);
    let images = PatchEmbedding { size: [14, 40, 50], image: &input[..14 * 3 * 40 * 50], class, positions };
    let found = allocations(|| patch_embedding(&patches, &images, &mut out[..14 * 21 * hidden]).unwrap());
    assert_eq!(found, 0, "patches: allocations in {CALLS} calls");
    for network in [
        MlpWeights::gelu([width, hidden], &table, &table, isa).unwrap(),
        MlpWeights::swiglu([width, hidden], &table, &table, &table, isa).unwrap(),
    ] {
        let found = allocations(|| mlp(&network, &input, &mut out).unwrap());
        assert_eq!(found, 0, "a feed-forward network: allocations in {CALLS} calls");
    }
}
