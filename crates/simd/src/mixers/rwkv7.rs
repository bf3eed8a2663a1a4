//! The recurrence of RWKV-7, whose state is corrected where it is wrong about a key.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per chunk; tasks write results of their own head")]

use super::panels;
use super::rwkv6::{RwkvSize, STEPS};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, sigmoid, store_first, sum_first};
use crate::memory::{LINE, Pieces, Soon, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Chains of each sum over keys, since one waits for itself.
const CHAINS: usize = 2;

/// ln of the smallest decay, −e^(−½): every step leaves more than half of the state.
const FASTEST: f32 = -0.606_530_66;

/// The smallest length that a key is divided by.
const SHORTEST: f32 = 1e-12;

/// What goes through the recurrence (Peng et al., arXiv 2503.14456, section 4.1): with the decay d = exp(−e^(−½) σ(`w`)), the
/// removal key κ = `kappa` / ‖`kappa`‖ and the rate α = σ(`a`), S ← S (diag(d) − κ ⊗ (α κ)) + v ⊗ k, y = S r.
#[derive(Debug, Clone, Copy)]
pub struct Rwkv7<'a> {
    /// Sizes of all that follows.
    pub size: RwkvSize,
    /// `[batch, seq, heads, head_dim]`, receptance
    pub r: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, of which the decay is made
    pub w: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, keys
    pub k: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, values
    pub v: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, of which the removal key is made
    pub kappa: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, of which the rate is made
    pub a: &'a [f32],
    /// `[batch, heads, head_dim, head_dim]`, before the first step, a row for each value
    pub start: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// The recurrence into `out` `[batch, seq, heads, head_dim]`, and the state after the last step into `end`
/// `[batch, heads, head_dim, head_dim]`. A step reads and writes the state once: what it knows of the next removal key is summed
/// while it is written. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn rwkv7(call: &Rwkv7, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    let Rwkv7 { size, r, w, k, v, kappa, a, start, isa } = *call;
    for (name, numbers) in [("r", r), ("w", w), ("k", k), ("v", v), ("kappa", kappa), ("a", a), ("the result", &*out)] {
        expect_len(name, &size.steps(), numbers.len())?;
    }
    for (name, numbers) in [("the first state", start), ("the last state", &*end)] {
        expect_len(name, &size.states(), numbers.len())?;
    }
    with_isa!(isa, |tools| run(&tools, call, out, end));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &Rwkv7, out: &mut [f32], end: &mut [f32]) {
    let RwkvSize { batch, seq, heads, head_dim } = call.size;
    if seq == 0 || head_dim == 0 {
        return end.copy_from_slice(call.start);
    }
    let wide = head_dim.next_multiple_of(2 * T::LANES);
    let (steps, state) = (seq.min(STEPS) * wide, if seq > 1 { head_dim * wide } else { 0 });
    let (out, end) = (Pieces::new(out), Pieces::new(end));
    parallel_for(0..batch * heads, |index| {
        // SAFETY: the state of this head is this task's alone.
        let end = unsafe { end.piece(call.size.state(index)) };
        scratch([steps, steps, steps, steps, state], |room| {
            tools.run(Head { call, sequence: index / heads, head: index % heads, wide, out: &out, end, room });
        });
    });
}

/// A head of a sequence.
struct Head<'a> {
    call: &'a Rwkv7<'a>,
    sequence: usize,
    head: usize,
    /// Numbers of a row in the room.
    wide: usize,
    out: &'a Pieces<'a>,
    end: &'a mut [f32],
    /// Decays, removal keys with the sign changed, these times their rates, and values, then sums, of a chunk, each
    /// `[steps, wide]`; and the state with keys as rows, `[panels, head_dim, columns]`.
    room: [&'a mut [f32]; 5],
}

impl Kernel for Head<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(mut self) {
        let (size, wide) = (self.call.size, self.wide);
        let RwkvSize { seq, heads, head_dim, .. } = size;
        let start = &self.call.start[size.state(self.sequence * heads + self.head)];
        // SAFETY: the CPU has the instruction set, as promised; the call's lengths were checked, and the room is large enough; this
        // head's part of the result is this task's alone.
        unsafe {
            if seq == 1 {
                self.prepare::<V>(0, 1);
                return self.by_rows::<V>(start);
            }
            panels::from_columns(start, head_dim, 2 * V::LANES, self.room[4]);
            for first in (0..seq).step_by(STEPS) {
                let steps = STEPS.min(seq - first);
                self.prepare::<V>(first, steps);
                for panel in 0..wide / (2 * V::LANES) {
                    self.advance::<V>(panel, first, steps);
                }
                size.finish([self.sequence, self.head, first], &self.room[3][..steps * wide], wide, self.out);
            }
        }
        panels::to_columns(self.room[4], head_dim, 2 * V::LANES, self.end);
    }
}

impl Head<'_> {
    /// What the steps of a chunk do to the state.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn prepare<V: Vector>(&mut self, first: usize, steps: usize) {
        let (call, wide) = (self.call, self.wide);
        let head_dim = call.size.head_dim;
        for step in 0..steps {
            let at = call.size.at(self.sequence, first + step, self.head);
            let [w, kappa, a, v] = [call.w, call.kappa, call.a, call.v].map(|numbers| &numbers[at..][..head_dim]);
            let [decays, removed, added, values, _] = &mut self.room;
            let row = step * wide..(step + 1) * wide;
            let (decays, removed) = (&mut decays[row.clone()], &mut removed[row.clone()]);
            let (added, values) = (&mut added[row.clone()], &mut values[row]);
            let mut squares = 0.0;
            // SAFETY: as promised; rows of the room are whole registers, and those of the inputs are looked at as far as they go.
            unsafe {
                for column in (0..head_dim).step_by(V::LANES) {
                    let kappa = load_first::<V>(kappa[column..].as_ptr(), V::LANES.min(head_dim - column));
                    squares += kappa.mul(kappa).sum();
                }
                let length = squares.sqrt();
                // Not `max`, which would lose what is no number.
                let inverse = V::splat(1.0 / if length < SHORTEST { SHORTEST } else { length });
                for column in (0..wide).step_by(V::LANES) {
                    let lanes = head_dim.saturating_sub(column).min(V::LANES);
                    let load = column.min(head_dim);
                    let decay = exp(sigmoid(load_first::<V>(w[load..].as_ptr(), lanes)).mul(V::splat(FASTEST)));
                    let key = load_first::<V>(kappa[load..].as_ptr(), lanes).mul(inverse);
                    let rate = sigmoid(load_first::<V>(a[load..].as_ptr(), lanes));
                    decay.store(decays[column..].as_mut_ptr());
                    V::splat(0.0).sub(key).store(removed[column..].as_mut_ptr());
                    key.mul(rate).store(added[column..].as_mut_ptr());
                    load_first::<V>(v[load..].as_ptr(), lanes).store(values[column..].as_mut_ptr());
                }
            }
        }
    }

    /// A panel of the state over a chunk; values become sums.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set; there is such a panel.
    #[inline(always)]
    unsafe fn advance<V: Vector>(&mut self, panel: usize, first: usize, steps: usize) {
        let (call, wide, columns) = (self.call, self.wide, 2 * V::LANES);
        let head_dim = call.size.head_dim;
        let [decays, removed, added, values, state] = &mut self.room;
        let state = state[panel * head_dim * columns..][..head_dim * columns].as_mut_ptr();
        assert!([&decays, &removed, &added, &values].iter().all(|part| part.len() >= steps * wide));
        // SAFETY: as promised; what is read lies within inputs whose lengths were checked, and within the room.
        unsafe {
            // What the state says of the first removal key.
            let mut known = [V::splat(0.0); 2];
            for (key, removed) in removed[..head_dim].iter().enumerate() {
                let (removed, row) = (V::splat(*removed), state.add(key * columns));
                known =
                    [removed.mul_add(V::load(row), known[0]), removed.mul_add(V::load(row.add(V::LANES)), known[1])];
            }
            let lines = head_dim.div_ceil(LINE);
            for step in 0..steps {
                let of_key = call.size.at(self.sequence, first + step, self.head);
                // Of the same step of the next chunk, of three inputs by either of two panels.
                let far = of_key + STEPS * call.size.heads * head_dim;
                for input in [[call.r, call.w, call.k], [call.v, call.kappa, call.a]][panel % 2] {
                    (0..lines).for_each(|line| Soon::of(input).ask(far + line * LINE));
                }
                let (r, k) = (call.r.as_ptr().add(of_key), call.k.as_ptr().add(of_key));
                let (decay, add) = (decays.as_ptr().add(step * wide), added.as_ptr().add(step * wide));
                // Of the last step of a chunk it is not asked for.
                let next_removed = removed.as_ptr().add((step + 1).min(steps - 1) * wide);
                let value_at = values.as_mut_ptr().add(step * wide + panel * columns);
                let value = [V::load(value_at), V::load(value_at.add(V::LANES))];
                let (mut sums, mut nexts) = ([[V::splat(0.0); 2]; CHAINS], [[V::splat(0.0); 2]; CHAINS]);
                for pair in (0..head_dim).step_by(CHAINS) {
                    // An odd key is alone.
                    let alone = head_dim - pair < CHAINS;
                    for (chain, (sum, next)) in sums.iter_mut().zip(&mut nexts).enumerate() {
                        if chain > 0 && alone {
                            break;
                        }
                        let (key, row) = (pair + chain, state.add((pair + chain) * columns));
                        let (r, k) = (V::splat(*r.add(key)), V::splat(*k.add(key)));
                        let (decay, add) = (V::splat(*decay.add(key)), V::splat(*add.add(key)));
                        let removed = V::splat(*next_removed.add(key));
                        for side in 0..2 {
                            let at = row.add(side * V::LANES);
                            let kept = decay.mul_add(V::load(at), k.mul(value[side]));
                            let now = add.mul_add(known[side], kept);
                            now.store(at);
                            sum[side] = r.mul_add(now, sum[side]);
                            next[side] = removed.mul_add(now, next[side]);
                        }
                    }
                }
                let sum = [sums[0][0].add(sums[1][0]), sums[0][1].add(sums[1][1])];
                let next = [nexts[0][0].add(nexts[1][0]), nexts[0][1].add(nexts[1][1])];
                sum[0].store(value_at);
                sum[1].store(value_at.add(V::LANES));
                known = next;
            }
        }
    }

    /// The only step, with the state where it lies, a row for each value.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn by_rows<V: Vector>(&mut self, start: &[f32]) {
        let call = self.call;
        let (head_dim, at) = (call.size.head_dim, call.size.at(self.sequence, 0, self.head));
        let [r, k] = [call.r, call.k].map(|numbers| &numbers[at..][..head_dim]);
        let [decays, removed, added, values, _] = &mut self.room;
        // SAFETY: this head's part of the result is this task's alone.
        let out = unsafe { self.out.piece(at..at + head_dim) };
        let rows = start.chunks_exact(head_dim).zip(self.end.chunks_exact_mut(head_dim));
        for ((start, end), (value, out)) in rows.zip(values.iter().zip(out)) {
            let (mut known, mut sum) = (0.0, 0.0);
            // SAFETY: as promised; rows of the room are whole registers, and those of the state are looked at as far as they go.
            unsafe {
                for column in (0..head_dim).step_by(V::LANES) {
                    let lanes = V::LANES.min(head_dim - column);
                    let state = load_first::<V>(start[column..].as_ptr(), lanes);
                    known += sum_first(state.mul(V::load(removed[column..].as_ptr())), lanes);
                }
                let (known, value) = (V::splat(known), V::splat(*value));
                for column in (0..head_dim).step_by(V::LANES) {
                    let lanes = V::LANES.min(head_dim - column);
                    let key = load_first::<V>(k[column..].as_ptr(), lanes);
                    let (decay, add) = (V::load(decays[column..].as_ptr()), V::load(added[column..].as_ptr()));
                    let kept = decay.mul_add(load_first(start[column..].as_ptr(), lanes), key.mul(value));
                    let now = add.mul_add(known, kept);
                    store_first(now, end[column..].as_mut_ptr(), lanes);
                    sum += sum_first(now.mul(load_first(r[column..].as_ptr(), lanes)), lanes);
                }
            }
            *out = sum;
        }
    }
}
