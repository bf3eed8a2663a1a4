//! A cache of few bits: keys and values in whole numbers, packed for registers.
//!
//! Keys share a scale by channel and by 32 of them, which the query is multiplied by; a value has one, which its weight is
//! multiplied by (KIVI, Liu et al., arXiv 2402.02750, with scales that are symmetric). So no number is scaled by itself.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use super::Heads;
use super::step::KEYS;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::words::pack;
use crate::matmul::{Code, Scales};
use crate::memory::Lines;
use crate::tools::{self as isa, panel};

/// Keys that share the scale of a channel.
pub const GROUP: usize = 32;

/// Keys and values in whole numbers with scales.
#[derive(Debug, Clone, Copy)]
pub struct CodedKeys<'a> {
    /// Sizes; each sequence has one query.
    pub heads: Heads,
    /// [`Code::Int8`] or [`Code::Int4`].
    pub code: Code,
    /// `[batch, kv_heads, seq_kv, head_dim]`, one in a byte.
    pub keys: &'a [u8],
    /// `[batch, kv_heads, ⌈seq_kv / 32⌉, head_dim]`
    pub key_scales: &'a [f32],
    /// `[batch, kv_heads, seq_kv, head_dim]`, one in a byte.
    pub values: &'a [u8],
    /// `[batch, kv_heads, seq_kv]`
    pub value_scales: &'a [f32],
    /// Whether keys were rotated by [`crate::hadamard`] before, as queries are then in each call.
    pub rotated: bool,
}

impl CodedKeys<'_> {
    /// Refuses what does not go together.
    fn check(&self) -> Result<()> {
        let Heads { batch, kv_heads, seq_q, seq_kv, head_dim, .. } = self.heads;
        self.heads.check()?;
        if seq_q != 1 {
            return Err(Error::Shape(format!("{seq_q} queries of a sequence: a cache of few bits takes one")));
        }
        if !matches!(self.code, Code::Int4 | Code::Int8) {
            return Err(Error::Shape(format!("{:?} stands for no whole numbers", self.code)));
        }
        if self.rotated && !head_dim.is_power_of_two() {
            return Err(Error::Shape(format!("a rotation takes a head_dim that is a power of two, not {head_dim}")));
        }
        expect_len("the codes of keys", &self.heads.key(), self.keys.len())?;
        expect_len("the codes of values", &self.heads.key(), self.values.len())?;
        let groups = [batch, kv_heads, seq_kv.div_ceil(GROUP), head_dim];
        expect_len("the scales of keys", &groups, self.key_scales.len())?;
        expect_len("the scales of values", &[batch, kv_heads, seq_kv], self.value_scales.len())?;
        Scales::Numbers(self.key_scales).expect_finite()?;
        Scales::Numbers(self.value_scales).expect_finite()?;
        let bits = self.code.bits();
        match self.keys.iter().chain(self.values).find(|code| usize::from(**code) >> bits > 0) {
            Some(code) => Err(Error::Shape(format!("{code} is no code of {bits} bits"))),
            None => Ok(()),
        }
    }
}

/// Keys and values packed for the registers of an instruction set, in tiles of 64: what a call reads of a head lies together.
#[derive(Debug, Clone)]
pub struct CodedCache {
    pub(super) heads: Heads,
    pub(super) code: Code,
    pub(super) rotated: bool,
    pub(super) isa: Isa,
    /// Columns of a panel.
    pub(super) columns: usize,
    /// `[batch · kv_heads, tiles, 64 / columns, words, columns]`: a word holds codes of a key's channels.
    pub(super) keys: Lines<u32>,
    /// `[batch · kv_heads, tiles, panels, words, columns]`: a word holds codes of values that follow each other.
    pub(super) values: Lines<u32>,
    /// As [`CodedKeys::key_scales`].
    pub(super) key_scales: Lines<f32>,
    /// As [`CodedKeys::value_scales`].
    pub(super) value_scales: Lines<f32>,
}

impl CodedCache {
    /// Packs keys and values for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, codes of another kind or of too many bits, an infinite scale, more than one query, a rotation of a
    /// head_dim that is no power of two, an instruction set that is absent.
    pub fn new(from: &CodedKeys, isa: Isa) -> Result<Self> {
        from.check()?;
        let columns = with_isa!(isa, |tools| panel(&tools));
        let Heads { batch, kv_heads, seq_kv, head_dim: d, .. } = from.heads;
        let (units, bits) = (batch * kv_heads, from.code.bits());
        let [key_words, value_words] = words(d, bits, columns);
        let tiles = seq_kv.div_ceil(KEYS);
        let (mut keys, mut values) =
            (Lines::<u32>::new(units * tiles * key_words), Lines::new(units * tiles * value_words));
        // Of the last tile, keys that do not exist are zero.
        let mut tile = vec![0; KEYS * d];
        for (index, (unit, first)) in
            (0..units).flat_map(|unit| (0..seq_kv).step_by(KEYS).map(move |first| (unit, first))).enumerate()
        {
            let codes = (unit * seq_kv + first) * d..(unit * seq_kv + seq_kv.min(first + KEYS)) * d;
            tile.fill(0);
            for (at, code) in from.keys[codes.clone()].iter().enumerate() {
                tile[at % d * KEYS + at / d] = *code;
            }
            pack(&tile, [d, KEYS], bits, columns, &mut keys.all_mut()[index * key_words..][..key_words]);
            tile.fill(0);
            tile[..codes.len()].copy_from_slice(&from.values[codes]);
            pack(&tile, [KEYS, d], bits, columns, &mut values.all_mut()[index * value_words..][..value_words]);
        }
        let kept = |from: &[f32]| {
            let mut scales = Lines::<f32>::new(from.len());
            scales.all_mut().copy_from_slice(from);
            scales
        };
        let (key_scales, value_scales) = (kept(from.key_scales), kept(from.value_scales));
        let (heads, code, rotated) = (from.heads, from.code, from.rotated);
        Ok(Self { heads, code, rotated, isa, columns, keys, values, key_scales, value_scales })
    }

    /// Bytes that codes and scales take, keys and columns that do not exist included.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes() + self.key_scales.bytes() + self.value_scales.bytes()
    }
}

/// Words of the keys and of the values of a tile.
pub fn words(d: usize, bits: usize, columns: usize) -> [usize; 2] {
    [KEYS * d.div_ceil(32 / bits), d.next_multiple_of(columns) * KEYS * bits / 32]
}
