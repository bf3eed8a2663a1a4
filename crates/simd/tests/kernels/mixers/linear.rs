//! State-space duality and retention: both against their recurrences, in chunks of any size.

use benchbook_simd::{Isa, Retention, RetentionSize, Ssd, SsdSize, Turns, normalised_retention, retention, ssd};
use proptest::prelude::*;

use super::{softplus, wide};
use crate::common::{close, numbers, present};

/// Drawn inputs of a duality.
struct Drawn {
    size: SsdSize,
    x: Vec<f32>,
    delta: Vec<f32>,
    delta_bias: Vec<f32>,
    a_log: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    d: Vec<f32>,
    start: Vec<f32>,
}

impl Drawn {
    /// Of `[batch, seq, heads, head_dim, groups, state]`.
    fn new([batch, seq, heads, head_dim, groups, state]: [usize; 6], seed: u64) -> Self {
        let [b, c] = [1, 2].map(|one| numbers(batch * seq * groups * state, seed ^ one));
        let [delta_bias, a_log, d] = [3, 4, 5].map(|one| numbers(heads, seed ^ one));
        Self {
            size: SsdSize { batch, seq, heads, head_dim, groups, state },
            x: numbers(batch * seq * heads * head_dim, seed ^ 6),
            // From a forgetting of all to one of almost nothing.
            delta: numbers(batch * seq * heads, seed ^ 7).iter().map(|number| 8.0 * number - 3.0).collect(),
            delta_bias,
            a_log: a_log.iter().map(|number| 3.0 * number).collect(),
            b,
            c,
            d,
            start: numbers(batch * heads * head_dim * state, seed ^ 8),
        }
    }

    fn call(&self, chunk: usize, isa: Isa) -> Ssd<'_> {
        let Self { size, x, delta, delta_bias, a_log, b, c, d, start } = self;
        Ssd { size: *size, x, delta, delta_bias, a_log, b, c, d, start, chunk, isa }
    }

    fn run(&self, chunk: usize, isa: Isa) -> [Vec<f32>; 2] {
        let mut found = [vec![f32::NAN; self.x.len()], vec![f32::NAN; self.start.len()]];
        let [out, end] = &mut found;
        ssd(&self.call(chunk, isa), out, end).unwrap();
        found
    }

    /// Step by step.
    fn right(&self) -> [Vec<f64>; 2] {
        let SsdSize { seq, heads, head_dim, groups, state, .. } = self.size;
        let mut end: Vec<f64> = self.start.iter().map(|number| f64::from(*number)).collect();
        let mut out = vec![0.0; self.x.len()];
        for (index, h) in end.chunks_exact_mut(head_dim * state).enumerate() {
            let (sequence, head) = (index / heads, index % heads);
            for step in 0..seq {
                let row = sequence * seq + step;
                let delta = softplus(wide(&self.delta, row * heads + head) + wide(&self.delta_bias, head));
                let decay = (-delta * wide(&self.a_log, head).exp()).exp();
                let shared = (row * groups + head / (heads / groups)) * state;
                for (column, h) in h.chunks_exact_mut(state).enumerate() {
                    let at = (row * heads + head) * head_dim + column;
                    out[at] = wide(&self.d, head) * wide(&self.x, at);
                    for (n, h) in h.iter_mut().enumerate() {
                        *h = decay * *h + delta * wide(&self.x, at) * wide(&self.b, shared + n);
                        out[at] += wide(&self.c, shared + n) * *h;
                    }
                }
            }
        }
        [out, end]
    }
}

fn both(name: &str, found: &[Vec<f32>; 2], right: &[Vec<f64>; 2], tolerance: f64) {
    close(&format!("out of {name}"), &found[0], &right[0], tolerance);
    close(&format!("state of {name}"), &found[1], &right[1], tolerance);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_size_of_a_chunk_changes_nothing(
        (groups, of_group) in (1..4_usize, 1..5_usize),
        batch in 1..3_usize,
        seq in prop_oneof![0..5_usize, 5..140_usize],
        (head_dim, state) in (1..70_usize, 1..40_usize),
        chunks in prop::array::uniform3(1..150_usize),
        seed in any::<u64>(),
    ) {
        let drawn = Drawn::new([batch, seq, groups * of_group, head_dim, groups, state], seed);
        let right = drawn.right();
        for isa in present() {
            for chunk in chunks {
                both(&format!("chunks of {chunk} by {}", isa.name()), &drawn.run(chunk, isa), &right, 3e-6);
            }
        }
    }

    #[test]
    fn a_retention_is_its_recurrence_in_every_form(
        (batch, heads) in (1..3_usize, 1..4_usize),
        seq in prop_oneof![0..4_usize, 4..100_usize],
        (pairs, value_dim) in (1..20_usize, 1..70_usize),
        chunk in 1..130_usize,
        turned in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let of = Retained::new([batch, seq, heads, 2 * pairs, value_dim], turned.then_some(3), seed);
        for isa in present() {
            both(&format!("a retention by {}", isa.name()), &of.run(chunk, isa), &of.right(), 3e-6);
            let mut out = vec![f32::NAN; of.value.len()];
            normalised_retention(&of.call(chunk, isa), &mut out).unwrap();
            close(&format!("the normalised form by {}", isa.name()), &out, &of.normalised(), 3e-6);
        }
    }
}

#[test]
fn sizes_at_the_ends_of_their_ranges_are_right() {
    for size in
        [[1, 1, 1, 1, 1, 1], [1, 1, 3, 70, 1, 256], [1, 70, 1, 1, 1, 256], [0, 3, 4, 5, 2, 3], [2, 300, 8, 3, 8, 1]]
    {
        let drawn = Drawn::new(size, 11);
        for isa in present() {
            both(&format!("{size:?} by {}", isa.name()), &drawn.run(64, isa), &drawn.right(), 3e-6);
        }
    }
}

#[test]
fn a_duality_goes_on_where_another_ended() {
    let whole = Drawn::new([1, 90, 4, 17, 2, 33], 5);
    let part = |from: usize, to: usize, start: &[f32]| {
        let cut = |numbers: &[f32], width: usize| numbers[from * width..to * width].to_vec();
        Drawn {
            size: SsdSize { seq: to - from, ..whole.size },
            x: cut(&whole.x, 4 * 17),
            delta: cut(&whole.delta, 4),
            b: cut(&whole.b, 2 * 33),
            c: cut(&whole.c, 2 * 33),
            delta_bias: whole.delta_bias.clone(),
            a_log: whole.a_log.clone(),
            d: whole.d.clone(),
            start: start.to_vec(),
        }
    };
    for isa in present() {
        // A prompt, and then one step after another.
        let mut found = part(0, 87, &whole.start).run(32, isa);
        for step in 87..90 {
            let [out, end] = part(step, step + 1, &found[1]).run(32, isa);
            found[0].extend(out);
            found[1] = end;
        }
        both(isa.name(), &found, &whole.right(), 3e-6);
    }
}

#[test]
fn a_long_sequence_keeps_its_digits_in_chunks_of_any_size() {
    let drawn = Drawn::new([1, 8192, 2, 5, 1, 9], 7);
    let mut retained = Retained::new([1, 8192, 2, 10, 9], Some(0), 7);
    // As RetNet has them: 32 steps and 256.
    retained.left = vec![1.0 - 1.0 / 32.0, 1.0 - 1.0 / 256.0];
    let (of_duality, of_retention) = (drawn.right(), retained.right());
    for isa in present() {
        let mut normalised: Option<Vec<f64>> = None;
        for chunk in [64, 128, 512] {
            let name = format!("chunks of {chunk} by {}", isa.name());
            both(&name, &drawn.run(chunk, isa), &of_duality, 1e-5);
            both(&name, &retained.run(chunk, isa), &of_retention, 1e-5);
            let mut out = vec![f32::NAN; retained.value.len()];
            normalised_retention(&retained.call(chunk, isa), &mut out).unwrap();
            let first = normalised.get_or_insert_with(|| out.iter().map(|number| f64::from(*number)).collect());
            close(&format!("the normalised form in {name}"), &out, first, 1e-5);
        }
    }
}

#[test]
fn a_decay_may_forget_all_or_nothing_whatever_the_chunk() {
    let mut drawn = Drawn::new([1, 150, 3, 9, 1, 5], 3);
    for (step, row) in drawn.delta.chunks_exact_mut(3).enumerate() {
        // exp(ΔA) underflows; Δ is 0 in `f32`; Δ is as it was.
        row.iter_mut().for_each(|number| *number += [1000.0, -1000.0, 0.0][step % 3]);
    }
    drawn.x.iter_mut().step_by(5).for_each(|number| *number = 1e-41);
    let right = drawn.right();
    for isa in present() {
        for chunk in [1, 16, 64, 150] {
            both(&format!("{chunk} by {}", isa.name()), &drawn.run(chunk, isa), &right, 3e-6);
        }
    }
}

#[test]
fn what_is_infinite_reaches_nothing_before_it() {
    let mut drawn = Drawn::new([1, 45, 2, 5, 1, 6], 3);
    let at = (20 * 2 + 1) * 5 + 3;
    drawn.x[at] = f32::INFINITY;
    let right = drawn.right();
    for isa in present() {
        for chunk in [1, 32, 64] {
            let [out, _] = drawn.run(chunk, isa);
            for (index, (found, right)) in out.iter().zip(&right[0]).enumerate() {
                assert_eq!(right.is_finite(), index % 10 != at % 10 || index < at, "{index}");
                assert_eq!(found.is_finite(), right.is_finite(), "{index} in {chunk} by {}: {found}", isa.name());
            }
        }
    }
}

/// Panics where numbers are not finite exactly where the right ones are.
fn as_finite(name: &str, found: &[f32], right: &[f64]) {
    for (index, (found, right)) in found.iter().zip(right).enumerate() {
        assert_eq!(found.is_finite(), right.is_finite(), "{name} at {index}: {found} for {right}");
    }
}

#[test]
fn an_infinite_key_or_query_of_a_duality_reaches_nothing_before_it() {
    for key in [true, false] {
        let mut drawn = Drawn::new([1, 45, 2, 5, 1, 6], 3);
        let input = if key { &mut drawn.b } else { &mut drawn.c };
        input[20 * 6 + 3] = f32::INFINITY;
        let [right, states] = drawn.right();
        for (index, number) in right.iter().enumerate() {
            let step = index / 10;
            assert_eq!(number.is_finite(), if key { step < 20 } else { step != 20 }, "{index}");
        }
        for isa in present() {
            for chunk in [1, 32, 64] {
                let ([out, end], name) = (drawn.run(chunk, isa), format!("{chunk} by {}", isa.name()));
                as_finite(&name, &out, &right);
                as_finite(&name, &end, &states);
            }
        }
    }
}

#[test]
fn what_is_infinite_in_a_retention_reaches_nothing_before_it() {
    // Heads that leave half, nothing and all.
    for (head, position) in (0..3).flat_map(|head| [(head, None), (head, Some(3))]) {
        for which in ["query", "key", "value"] {
            let mut of = Retained::new([1, 45, 3, 6, 5], position, 3);
            let (input, width) = match which {
                "query" => (&mut of.query, 6),
                "key" => (&mut of.key, 6),
                _ => (&mut of.value, 5),
            };
            input[(20 * 3 + head) * width + 3] = f32::INFINITY;
            let ([right, states], normalised) = (of.right(), of.normalised());
            let (before, since) = right.split_at(20 * 3 * 5);
            let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
            assert!(finite(before) && !finite(since), "{which}");
            for isa in present() {
                for chunk in [1, 32, 64] {
                    let name = format!("{which} of head {head} in {chunk} by {}", isa.name());
                    let [out, end] = of.run(chunk, isa);
                    as_finite(&name, &out, &right);
                    as_finite(&format!("state of {name}"), &end, &states);
                    let mut out = vec![0.0; of.value.len()];
                    normalised_retention(&of.call(chunk, isa), &mut out).unwrap();
                    as_finite(&format!("normalised {name}"), &out, &normalised);
                }
            }
        }
    }
}

#[test]
fn denormals_and_states_of_any_size_are_right_in_a_retention() {
    for (size, position) in [
        ([1, 1, 1, 1, 1], None),
        ([1, 1, 2, 256, 65], Some(7)),
        ([1, 70, 1, 256, 3], None),
        ([1, 66, 1, 2, 300], Some(0)),
        ([0, 3, 2, 4, 5], None),
    ] {
        let mut of = Retained::new(size, position, 11);
        // Numbers that are too small to be normal.
        of.key.iter_mut().step_by(5).for_each(|number| *number = 1e-41);
        of.value.iter_mut().step_by(3).for_each(|number| *number = -1e-41);
        for isa in present() {
            both(&format!("{size:?} by {}", isa.name()), &of.run(64, isa), &of.right(), 3e-6);
            let mut out = vec![f32::NAN; of.value.len()];
            normalised_retention(&of.call(64, isa), &mut out).unwrap();
            close(&format!("{size:?}, normalised, by {}", isa.name()), &out, &of.normalised(), 3e-6);
        }
    }
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    let drawn = Drawn::new([1, 2, 6, 3, 2, 4], 1);
    let call = drawn.call(64, Isa::Portable);
    let said = |call: Ssd| ssd(&call, &mut [0.0; 36], &mut [0.0; 72]).unwrap_err().to_string();
    let groups = SsdSize { groups: 4, ..drawn.size };
    assert!(said(Ssd { size: groups, ..call }).contains("6 heads cannot share 4 groups"));
    assert!(said(Ssd { size: SsdSize { groups: 0, ..drawn.size }, ..call }).contains("0 groups"));
    assert!(said(Ssd { chunk: 0, ..call }).contains("chunk 0"));
    assert!(said(Ssd { delta: &drawn.d, ..call }).contains("its shape [1, 2, 6] needs 12"));
    let of = Retained::new([1, 2, 1, 4, 3], Some(0), 1);
    let turns = Turns::new(0, 3, 4).unwrap();
    let said =
        retention(&Retention { turns: Some(&turns), ..of.call(4, Isa::Portable) }, &mut [0.0; 6], &mut [0.0; 12]);
    assert!(said.unwrap_err().to_string().contains("6 angles of 2 pairs do not fit 2 steps of key_dim 4"));
    assert!(Turns::new(0, 1, 3).unwrap_err().to_string().contains("key_dim 3 is odd"));
}

/// Drawn inputs of a retention.
struct Retained {
    size: RetentionSize,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    left: Vec<f64>,
    start: Vec<f32>,
    /// The first position, where queries and keys are turned.
    position: Option<usize>,
    turns: Option<Turns>,
}

impl Retained {
    /// Of `[batch, seq, heads, key_dim, value_dim]`.
    fn new([batch, seq, heads, key_dim, value_dim]: [usize; 5], position: Option<usize>, seed: u64) -> Self {
        let [query, key] = [1, 2].map(|one| numbers(batch * seq * heads * key_dim, seed ^ one));
        Self {
            size: RetentionSize { batch, seq, heads, key_dim, value_dim },
            query,
            key,
            value: numbers(batch * seq * heads * value_dim, seed ^ 3),
            // Half, nothing, all.
            left: [0.5, 0.0, 1.0].into_iter().cycle().take(heads).collect(),
            start: numbers(batch * heads * key_dim * value_dim, seed ^ 4),
            position,
            turns: position.map(|position| Turns::new(position, seq, key_dim).unwrap()),
        }
    }

    fn call(&self, chunk: usize, isa: Isa) -> Retention<'_> {
        let Self { size, query, key, value, left, start, turns, .. } = self;
        Retention { size: *size, query, key, value, left, start, turns: turns.as_ref(), chunk, isa }
    }

    fn run(&self, chunk: usize, isa: Isa) -> [Vec<f32>; 2] {
        let mut found = [vec![f32::NAN; self.value.len()], vec![f32::NAN; self.start.len()]];
        let [out, end] = &mut found;
        retention(&self.call(chunk, isa), out, end).unwrap();
        found
    }

    /// A query or key as it is turned at its step.
    fn turned(&self, numbers: &[f32], row: usize) -> Vec<f64> {
        let RetentionSize { seq, heads, key_dim, .. } = self.size;
        let plain: Vec<f64> = (0..key_dim).map(|index| wide(numbers, row * key_dim + index)).collect();
        let Some(first) = self.position else { return plain };
        let angle = |pair: usize| {
            let share = if key_dim > 2 { pair as f64 / (key_dim / 2 - 1) as f64 } else { 0.0 };
            (first + row / heads % seq) as f64 * 10_000_f64.powf(-share)
        };
        let one = |index: usize| {
            let (sin, cos) = angle(index / 2).sin_cos();
            if index.is_multiple_of(2) {
                plain[index] * cos - plain[index + 1] * sin
            } else {
                plain[index] * cos + plain[index - 1] * sin
            }
        };
        (0..key_dim).map(one).collect()
    }

    /// Step by step.
    fn right(&self) -> [Vec<f64>; 2] {
        let RetentionSize { seq, heads, key_dim, value_dim, .. } = self.size;
        let mut end: Vec<f64> = self.start.iter().map(|number| f64::from(*number)).collect();
        let mut out = vec![0.0; self.value.len()];
        for (index, state) in end.chunks_exact_mut(key_dim * value_dim).enumerate() {
            let (sequence, head) = (index / heads, index % heads);
            for step in 0..seq {
                let row = (sequence * seq + step) * heads + head;
                let (query, key) = (self.turned(&self.query, row), self.turned(&self.key, row));
                for (k, state) in state.chunks_exact_mut(value_dim).enumerate() {
                    for (column, state) in state.iter_mut().enumerate() {
                        let value = wide(&self.value, row * value_dim + column);
                        *state = self.left[head] * *state + key[k] * value / (key_dim as f64).sqrt();
                        out[row * value_dim + column] += query[k] * *state;
                    }
                }
            }
        }
        [out, end]
    }

    /// From all pairs of steps, as in the parallel form of torchscale.
    fn normalised(&self) -> Vec<f64> {
        let RetentionSize { batch, seq, heads, key_dim, value_dim } = self.size;
        let mut out = Vec::with_capacity(self.value.len());
        for row in 0..batch * seq * heads {
            let (step, head) = (row / heads % seq, row % heads);
            let query = self.turned(&self.query, row);
            let decays: Vec<f64> = (0..=step).map(|since| self.left[head].powi(since as i32)).collect();
            let root = decays.iter().sum::<f64>().sqrt();
            let weight = |since: usize| {
                let key = self.turned(&self.key, row - since * heads);
                let product: f64 = query.iter().zip(&key).map(|(query, key)| query * key).sum();
                product / (key_dim as f64).sqrt() * decays[since] / root
            };
            let weights: Vec<f64> = (0..=step).map(weight).collect();
            let divisor = weights.iter().sum::<f64>().abs().max(1.0);
            out.extend((0..value_dim).map(|column| {
                let value = |since: usize| wide(&self.value, (row - since * heads) * value_dim + column);
                weights.iter().enumerate().map(|(since, weight)| weight * value(since)).sum::<f64>() / divisor
            }));
        }
        out
    }
}
