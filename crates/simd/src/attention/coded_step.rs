//! Decoding over a cache of few bits: codes become numbers in registers, and each is read once.
#![expect(unsafe_code, reason = "pointers, whose bounds are checked once per part of the keys")]

use std::ops::Range;

use super::Heads;
use super::coded::{CodedCache, GROUP, words};
use super::decode::{Part, in_parts, parts};
use super::few::{Row, soften};
use super::hadamard::hadamard;
use super::step::{KEYS, LOWEST};
use crate::bits::Bits;
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::matmul::Code;
use crate::matmul::decoder::{Decoder, Int4, Int8};
use crate::matmul::fused::products;
use crate::memory::{Soon, scratch};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Strided;

/// The attention of one query of each sequence, `[batch, heads, 1, head_dim]`, to a cache of few bits, scaled by 1 / √head_dim.
///
/// As in [`super::decode()`], the keys of a head are cut into parts. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length.
pub fn decode_coded(query: &[f32], cache: &CodedCache, out: &mut [f32]) -> Result<()> {
    expect_len("query", &cache.heads.query(), query.len())?;
    expect_len("the result", &cache.heads.query(), out.len())?;
    if !out.is_empty() {
        with_isa!(cache.isa, |tools| run(&tools, query, cache, out));
    }
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, query: &[f32], cache: &CodedCache, out: &mut [f32]) {
    let Heads { batch, heads, kv_heads, seq_kv, head_dim: d, .. } = cache.heads;
    let (units, rows, wide) = (batch * kv_heads, heads / kv_heads, d.next_multiple_of(cache.columns));
    let tiles = seq_kv.div_ceil(KEYS);
    let scale = std::f32::consts::LOG2_E / (d as f32).sqrt();
    in_parts([units, rows, d, parts(units, seq_kv)], out, |Part { unit, of, index }, gathered| {
        let tiles = index * tiles / of..(index + 1) * tiles / of;
        scratch([rows * d, rows * d, rows * KEYS, rows * wide, rows], |[turned, scaled, weights, sums, factors]| {
            for (to, from) in turned.chunks_exact_mut(d).zip(query[unit * rows * d..].chunks_exact(d)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
                if cache.rotated {
                    hadamard(to);
                }
            }
            let room = Room { query: turned, scaled, weights, sums: &mut *sums, factors, gathered: &mut *gathered };
            if cache.code == Code::Int4 {
                tools.run(Tiles { decoder: Int4, cache, unit, tiles, rows, room });
            } else {
                tools.run(Tiles { decoder: Int8, cache, unit, tiles, rows, room });
            }
            for (to, sums) in gathered.chunks_exact_mut(d + 2).zip(sums.chunks_exact(wide)) {
                to[..d].copy_from_slice(&sums[..d]);
            }
        });
    });
}

/// Memory of a part.
struct Room<'a> {
    /// `[rows, d]`: times scale and log₂ e.
    query: &'a [f32],
    /// `[rows, d]`: times the scales of keys.
    scaled: &'a mut [f32],
    /// `[rows, 64]`: scores, then weights of a tile.
    weights: &'a mut [f32],
    /// `[rows, panels · columns]`: weighted sum of values.
    sums: &'a mut [f32],
    /// `[rows]`: what sums so far are multiplied by.
    factors: &'a mut [f32],
    /// `[rows, d + 2]`: behind `d` numbers the largest score and the sum of weights.
    gathered: &'a mut [f32],
}

/// Some tiles of the keys of a head, for the queries that share it.
struct Tiles<'a, D> {
    decoder: D,
    cache: &'a CodedCache,
    unit: usize,
    tiles: Range<usize>,
    rows: usize,
    room: Room<'a>,
}

impl<D: Decoder> Kernel for Tiles<'_, D> {
    #[inline(always)]
    unsafe fn run<V: Bits, const ROWS: usize, const STATES: usize>(self) {
        let Self { decoder, cache, unit, tiles, rows, room } = self;
        let Room { query, scaled, weights, sums, factors, gathered } = room;
        let (Heads { seq_kv, head_dim: d, .. }, columns) = (cache.heads, cache.columns);
        let (wide, [key_words, value_words]) = (d.next_multiple_of(columns), words(d, 32 / D::STEPS, columns));
        assert!(columns == 2 * V::LANES && GROUP.is_multiple_of(columns) && KEYS.is_multiple_of(GROUP));
        assert!(query.len() == rows * d && scaled.len() == rows * d && weights.len() == rows * KEYS);
        assert!(sums.len() == rows * wide && factors.len() == rows && gathered.len() == rows * (d + 2));
        let (all, groups) = (seq_kv.div_ceil(KEYS), seq_kv.div_ceil(GROUP));
        sums.fill(0.0);
        gathered.chunks_exact_mut(d + 2).for_each(|row| row[d..].copy_from_slice(&[LOWEST, 0.0]));
        // SAFETY: the CPU has the instruction set.
        let ready = unsafe { decoder.ready::<V>() };
        for tile in tiles {
            let (first, count) = (tile * KEYS, KEYS.min(seq_kv - tile * KEYS));
            let keys = &cache.keys.all()[(unit * all + tile) * key_words..][..key_words];
            for panel in (0..count).step_by(columns) {
                if panel % GROUP == 0 {
                    let scales = &cache.key_scales.all()[(unit * groups + (first + panel) / GROUP) * d..][..d];
                    for (to, from) in scaled.chunks_exact_mut(d).zip(query.chunks_exact(d)) {
                        to.iter_mut().zip(from.iter().zip(scales)).for_each(|(to, (from, scale))| *to = from * scale);
                    }
                }
                let left = Strided { start: scaled.as_ptr(), per_row: d, per_step: 1 };
                let (at, to) = (keys[panel * (key_words / KEYS)..].as_ptr(), weights[panel..].as_mut_ptr());
                let scores = Panel { at, columns, count: d, left, to, per_row: KEYS, factors: None };
                // SAFETY: the panel has words for all channels, the rows have these, and there is a panel of scores in each.
                unsafe { scores.add::<V, D>(&ready, rows) }
            }
            let value_scales = &cache.value_scales.all()[unit * seq_kv + first..][..count];
            let states = weights.chunks_exact_mut(KEYS).zip(&mut *factors).zip(gathered.chunks_exact_mut(d + 2));
            for ((row, factor), gathered) in states {
                let (mut bounds, soon) = ([gathered[d], gathered[d + 1]], [Soon::of(query); 2]);
                let mut state = Row { query, weights: &mut *row, sum: &mut [], bounds: &mut bounds, soon };
                // SAFETY: the CPU has the instruction set, and the count is at most `KEYS`.
                *factor = unsafe { soften::<V>(count, &mut state) };
                gathered[d..].copy_from_slice(&bounds);
                row.iter_mut().zip(value_scales).for_each(|(weight, scale)| *weight *= scale);
            }
            let values = &cache.values.all()[(unit * all + tile) * value_words..][..value_words];
            for panel in (0..wide).step_by(columns) {
                let left = Strided { start: weights.as_ptr(), per_row: KEYS, per_step: 1 };
                let (at, to) = (values[panel * (KEYS / D::STEPS)..].as_ptr(), sums[panel..].as_mut_ptr());
                let gather = Panel { at, columns, count, left, to, per_row: wide, factors: Some(&*factors) };
                // SAFETY: the panel has words for all values of a tile, the rows have weights, and a panel of sums each.
                unsafe { gather.add::<V, D>(&ready, rows) }
            }
        }
    }
}

/// Products of rows with a panel.
struct Panel<'a> {
    /// Words `[_, columns]`.
    at: *const u32,
    columns: usize,
    /// Steps of the sums.
    count: usize,
    left: Strided,
    /// Where a panel of each row begins, and numbers from one to the next.
    to: *mut f32,
    per_row: usize,
    /// What the numbers that are there are multiplied by, before the sums are added; nothing where they are set.
    factors: Option<&'a [f32]>,
}

impl Panel<'_> {
    /// # Safety
    /// The CPU has `V`'s instruction set; the words have two registers of columns and these steps, there are `rows` rows of the left
    /// factor, of what is set, and of factors.
    #[inline(always)]
    unsafe fn add<V: Bits, D: Decoder>(&self, ready: &D::Ready<V>, rows: usize) {
        let mut row = 0;
        // SAFETY: as promised.
        unsafe {
            while row < rows {
                row += match rows - row {
                    1 => self.some::<V, D, 1>(ready, row),
                    2 | 3 => self.some::<V, D, 2>(ready, row),
                    _ => self.some::<V, D, 4>(ready, row),
                };
            }
        }
    }

    /// The same for `ROWS` rows from `row` on, and how many these are.
    ///
    /// # Safety
    /// As for [`Self::add`].
    #[inline(always)]
    unsafe fn some<V: Bits, D: Decoder, const ROWS: usize>(&self, ready: &D::Ready<V>, row: usize) -> usize {
        // SAFETY: as promised.
        unsafe {
            let part = products::<V, D, ROWS, 2>(ready, self.at, [self.columns, 0], self.count, self.left.from(row));
            for (index, part) in part.into_iter().enumerate() {
                for (side, mut sum) in part.into_iter().enumerate() {
                    let to = self.to.add((row + index) * self.per_row + side * V::LANES);
                    if let Some(factors) = self.factors {
                        sum = V::load(to).mul_add(V::splat(factors[row + index]), sum);
                    }
                    sum.store(to);
                }
            }
        }
        ROWS
    }
}
