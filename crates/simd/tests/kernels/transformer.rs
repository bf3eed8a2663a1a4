//! Transformer blocks: every instruction set against plain loops in `f64`, and calls that must be refused.

use benchbook_simd::{
    Activation, Affine, Between, Isa, NormWeights, Rotary, TransformerBlock, TransformerWeights, transformer_block,
};
use proptest::prelude::*;

use crate::common::{BASE, close, exact_gelu, numbers, present, turned};

const EPSILON: f64 = 1e-5;

/// What tells blocks apart.
#[derive(Debug, Clone, Copy)]
struct Form {
    causal: bool,
    post_norm: bool,
    /// Layer norms and biases of products, in the place of RMS norms and none.
    biased: bool,
    head_norms: bool,
    rotary: bool,
    /// Where there is no SwiGLU.
    activation: Option<Activation>,
}

const GPT2: Form = Form {
    causal: true,
    post_norm: false,
    biased: true,
    head_norms: false,
    rotary: false,
    activation: Some(Activation::Gelu),
};
const BERT: Form = Form { causal: false, post_norm: true, activation: Some(Activation::ExactGelu), ..GPT2 };
const LLAMA: Form = Form { biased: false, rotary: true, activation: None, ..GPT2 };
const QWEN3: Form = Form { head_norms: true, ..LLAMA };
/// What no model has.
const ODD: Form = Form { causal: false, post_norm: true, activation: Some(Activation::Relu), ..QWEN3 };
const FORMS: [Form; 5] = [GPT2, BERT, LLAMA, QWEN3, ODD];

/// Batch and seq; query heads, key heads and numbers of a head; numbers of a position, and between the products.
type Sizes = ([usize; 2], [usize; 3], [usize; 2]);

/// Numbers of a block, by their names.
struct Drawn {
    form: Form,
    sizes: Sizes,
    input: Vec<f32>,
    /// Query, key, value, out, up, down, gate.
    weights: [Vec<f32>; 7],
    biases: [Vec<f32>; 6],
    gains: [Vec<f32>; 2],
    shifts: [Vec<f32>; 2],
    head_gains: [Vec<f32>; 2],
}

impl Drawn {
    fn new(form: Form, sizes: Sizes, seed: u64) -> Self {
        let ([batch, seq], [heads, kv_heads, d], [width, hidden]) = sizes;
        let (all, kv) = (heads * d, kv_heads * d);
        let mut stream = seed;
        let mut drawn = |count: usize, factor: f32, middle: f32| -> Vec<f32> {
            stream = stream.wrapping_add(1);
            numbers(count, stream).into_iter().map(|x| middle + factor * x).collect()
        };
        let shapes =
            [[width, all], [width, kv], [width, kv], [all, width], [width, hidden], [hidden, width], [width, hidden]];
        // Scores of a few units: weights of the softmax that differ.
        let weights = shapes.map(|[rows, columns]| drawn(rows * columns, 2.0 / (rows as f32).sqrt(), 0.0));
        let biases = [all, kv, kv, width, hidden, width].map(|count| drawn(count, 0.5, 0.0));
        let input = drawn(batch * seq * width, 1.0, 0.0);
        let gains = [width; 2].map(|count| drawn(count, 0.3, 1.0));
        let shifts = [width; 2].map(|count| drawn(count, 0.3, 0.0));
        let head_gains = [d; 2].map(|count| drawn(count, 0.3, 1.0));
        Self { form, sizes, input, weights, biases, gains, shifts, head_gains }
    }

    fn block(&self) -> TransformerBlock<'_> {
        let (_, heads, [width, hidden]) = self.sizes;
        let Form { causal, post_norm, biased, head_norms, activation, .. } = self.form;
        let affine = |part: usize| {
            let bias = biased.then(|| &self.biases[part][..]);
            Affine { weight: &self.weights[part], bias }
        };
        let norm = |part: usize| {
            let bias = biased.then(|| &self.shifts[part][..]);
            NormWeights { gain: &self.gains[part], bias }
        };
        TransformerBlock {
            width,
            hidden,
            heads,
            causal,
            post_norm,
            norms: [norm(0), norm(1)],
            epsilon: EPSILON,
            query: affine(0),
            key: affine(1),
            value: affine(2),
            out: affine(3),
            head_gains: head_norms.then(|| self.head_gains.each_ref().map(|gains| &gains[..])),
            up: affine(4),
            down: affine(5),
            between: activation.map_or(Between::Gate(&self.weights[6]), Between::Activation),
        }
    }

    fn rotary(&self) -> Option<Rotary> {
        let ([_, seq], [_, _, d], _) = self.sizes;
        self.form.rotary.then(|| Rotary::new(seq, d, BASE).unwrap())
    }

    fn answer(&self, isa: Isa) -> Vec<f32> {
        let weights = TransformerWeights::new(&self.block(), self.rotary(), isa).unwrap();
        let mut out = vec![f32::NAN; self.input.len()];
        transformer_block(&weights, self.sizes.0, &self.input, &mut out).unwrap();
        out
    }

    /// Every position by itself, its sequence before it.
    fn reference(&self) -> Vec<f64> {
        let ([_, seq], [heads, kv_heads, d], [width, _]) = self.sizes;
        let rows: Vec<Vec<f64>> = self.input.chunks(width).map(wide).collect();
        let seen: Vec<Vec<f64>> = rows.iter().map(|x| self.before(0, x)).collect();
        let projected = |part: usize, row: usize| self.product(part, &seen[row]);
        let placed = |part: usize, row: usize| -> Vec<f64> {
            let all = projected(part, row);
            all.chunks(d).flat_map(|head| self.placed(part, head, row % seq)).collect()
        };
        let [query, key] = [0, 1].map(|part| (0..rows.len()).map(|row| placed(part, row)).collect::<Vec<_>>());
        let value: Vec<Vec<f64>> = (0..rows.len()).map(|row| projected(2, row)).collect();
        let one = |row: usize| {
            let (first, step) = (row / seq * seq, row % seq);
            let last = if self.form.causal { step + 1 } else { seq };
            let of_head = |head: usize| {
                let part = head / (heads / kv_heads) * d..(head / (heads / kv_heads) + 1) * d;
                let query = &query[row][head * d..][..d];
                let score = |j: usize| dot(query, &key[first + j][part.clone()]) / (d as f64).sqrt();
                let scores: Vec<f64> = (0..last).map(score).collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
                let mut sum = vec![0.0; d];
                for (j, score) in scores.iter().enumerate() {
                    let (weight, value) = ((score - most).exp() / total, &value[first + j][part.clone()]);
                    sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
                }
                sum
            };
            let mixed: Vec<f64> = (0..heads).flat_map(of_head).collect();
            let between = self.after(0, &rows[row], self.product(3, &mixed));
            let fed = self.fed(&self.before(1, &between));
            self.after(1, &between, fed)
        };
        (0..rows.len()).flat_map(one).collect()
    }

    fn fed(&self, x: &[f64]) -> Vec<f64> {
        let up = self.product(4, x);
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let between: Vec<f64> = match self.form.activation {
            None => {
                let gate = times(x, &self.weights[6]);
                up.into_iter().zip(gate).map(|(up, gate)| silu(gate) * up).collect()
            }
            Some(Activation::Relu) => up.into_iter().map(|x| x.max(0.0)).collect(),
            Some(Activation::ExactGelu) => up.into_iter().map(exact_gelu).collect(),
            Some(_) => up.into_iter().map(gelu).collect(),
        };
        self.product(5, &between)
    }

    fn product(&self, part: usize, x: &[f64]) -> Vec<f64> {
        let mut sums = times(x, &self.weights[part]);
        if self.form.biased {
            sums.iter_mut().zip(&self.biases[part]).for_each(|(sum, bias)| *sum += f64::from(*bias));
        }
        sums
    }

    /// A head's query or key where it has a norm, and is turned.
    fn placed(&self, part: usize, head: &[f64], step: usize) -> Vec<f64> {
        let head = if self.form.head_norms { normed(head, &self.head_gains[part], None) } else { head.to_vec() };
        if self.form.rotary { turned(&head, step) } else { head }
    }

    fn before(&self, part: usize, x: &[f64]) -> Vec<f64> {
        if self.form.post_norm { x.to_vec() } else { self.norm(part, x) }
    }

    fn after(&self, part: usize, x: &[f64], mut made: Vec<f64>) -> Vec<f64> {
        made.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        if self.form.post_norm { self.norm(part, &made) } else { made }
    }

    fn norm(&self, part: usize, x: &[f64]) -> Vec<f64> {
        normed(x, &self.gains[part], self.form.biased.then_some(&self.shifts[part][..]))
    }

    fn check(&self) {
        let wanted = self.reference();
        for isa in present() {
            let name = format!("{:?} {:?} by {}", self.form, self.sizes, isa.name());
            let found = self.answer(isa);
            assert_eq!(found.len(), wanted.len());
            close(&name, &found, &wanted, 1e-5);
        }
    }
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A row times a matrix.
fn times(row: &[f64], matrix: &[f32]) -> Vec<f64> {
    let columns = matrix.len() / row.len();
    let mut sums = vec![0.0; columns];
    for (x, weights) in row.iter().zip(matrix.chunks(columns)) {
        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * f64::from(*weight));
    }
    sums
}

/// A norm; a mean is taken off where there is a shift.
fn normed(x: &[f64], gain: &[f32], shift: Option<&[f32]>) -> Vec<f64> {
    let mean = shift.map_or(0.0, |_| x.iter().sum::<f64>() / x.len() as f64);
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let one = |(at, x): (usize, &f64)| {
        let shift = shift.map_or(0.0, |shift| f64::from(shift[at]));
        (x - mean) / (variance + EPSILON).sqrt() * f64::from(gain[at]) + shift
    };
    x.iter().enumerate().map(one).collect()
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_block_is_its_formula(
        which in 0..FORMS.len(),
        (batch, seq) in (1..4_usize, 1..60_usize),
        // A norm of a few numbers that are all near to zero, or to each other, makes much of what rounding leaves.
        (kv_heads, group, half) in (1..4_usize, 1..4_usize, 4..20_usize),
        (width, hidden) in (9..70_usize, 1..90_usize),
        seed in any::<u64>(),
    ) {
        Drawn::new(FORMS[which], ([batch, seq], [kv_heads * group, kv_heads, 2 * half], [width, hidden]), seed).check();
    }
}

#[test]
fn ugly_sizes_are_right() {
    // A position; more steps than a run; more queries than a block; more rows than a task; heads of one panel.
    for sizes in [
        ([1, 1], [1, 1, 2], [3, 1]),
        ([2, 5], [3, 1, 34], [17, 300]),
        ([1, 150], [4, 2, 64], [20, 33]),
        ([150, 1], [2, 2, 8], [270, 5]),
        ([3, 70], [2, 1, 32], [33, 19]),
    ] {
        for form in FORMS {
            Drawn::new(form, sizes, 13).check();
        }
    }
}

#[test]
fn what_comes_later_and_what_is_another_sequence_never_shows() {
    let sizes = ([2, 40], [2, 1, 16], [24, 30]);
    for form in [GPT2, QWEN3] {
        let (plain, mut changed) = (Drawn::new(form, sizes, 5), Drawn::new(form, sizes, 5));
        // The last ten positions of the first sequence, and all of the second.
        changed.input[30 * 24..40 * 24].iter_mut().for_each(|x| *x = 1.0 - *x);
        changed.input[40 * 24..].fill(f32::NAN);
        for isa in present() {
            let (before, after) = (plain.answer(isa), changed.answer(isa));
            assert_eq!(before[..30 * 24], after[..30 * 24], "{}", isa.name());
            assert!(after[..40 * 24].iter().all(|x| x.is_finite()), "{}", isa.name());
            assert!(after[40 * 24..].iter().all(|x| x.is_nan()), "{}", isa.name());
        }
    }
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    let drawn = Drawn::new(GPT2, ([2, 3], [4, 2, 6], [10, 14]), 1);
    let plain = drawn.block();
    let refused = |block: TransformerBlock, rotary: Option<Rotary>| {
        TransformerWeights::new(&block, rotary, Isa::Portable).unwrap_err().to_string()
    };
    let nothing = Affine { weight: &[], bias: None };
    let gate = Between::Gate(&drawn.weights[6]);
    for (message, part) in [
        (
            refused(TransformerBlock { query: nothing, ..plain }, None),
            "the query weights holds 0 numbers, its shape [10, 24]",
        ),
        (refused(TransformerBlock { key: plain.query, ..plain }, None), "the key weights holds 240 numbers"),
        (
            refused(TransformerBlock { value: Affine { bias: Some(&[]), ..plain.value }, ..plain }, None),
            "the value bias",
        ),
        (refused(TransformerBlock { out: plain.up, ..plain }, None), "the output weights holds 140 numbers"),
        (refused(TransformerBlock { down: nothing, ..plain }, None), "the down weights holds 0 numbers"),
        (refused(TransformerBlock { heads: [4, 3, 6], ..plain }, None), "4 query heads cannot share 3"),
        (refused(TransformerBlock { head_gains: Some([&[]; 2]), ..plain }, None), "the gain of heads holds 0"),
        (refused(TransformerBlock { between: gate, ..plain }, None), "a gated network has no bias"),
        (refused(plain, Some(Rotary::new(3, 4, BASE).unwrap())), "heads are 6 wide, angles are known for 4"),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let rotary = Rotary::new(3, 6, BASE).unwrap();
    let weights = TransformerWeights::new(&plain, Some(rotary), Isa::Portable).unwrap();
    let said = |size: [usize; 2], input: usize, out: usize| {
        let result = transformer_block(&weights, size, &vec![0.5; input], &mut vec![0.0; out]);
        result.map_err(|error| error.to_string())
    };
    assert_eq!(said([2, 3], 60, 60), Ok(()));
    assert_eq!(said([0, 3], 0, 0), Ok(()));
    assert!(said([2, 3], 59, 60).unwrap_err().contains("the input holds 59 numbers, its shape [2, 3, 10]"));
    assert!(said([2, 3], 60, 59).unwrap_err().contains("the result holds 59 numbers"));
    assert_eq!(said([1, 4], 40, 40), Err("positions up to 4 are asked, angles are known for 3".into()));
}
