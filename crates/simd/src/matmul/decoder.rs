//! What codes in words stand for, and how registers make numbers of them.
#![expect(unsafe_code, reason = "instructions that not every CPU has, each called only where it was detected")]

use benchbook_formats::{E2M3, E3M2, E4M3FN, Minifloat};

use crate::bits::Bits;

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Code {
    /// Four bits: themselves less 8.
    Int4,
    /// Eight bits: themselves less 128.
    Int8,
    /// Eight bits: e4m3fn (OCP OFP8, section 5).
    E4m3,
    /// Six bits: e2m3 (OCP Microscaling Formats 1.0, section 5.3.2).
    E2m3,
    /// Six bits: e3m2 (the same).
    E3m2,
    /// Four bits: the number at their place.
    Table([f32; 16]),
    /// Sixteen bits: bf16, the upper half of an `f32`.
    Bf16,
}

impl Code {
    /// Bits of a code.
    pub fn bits(&self) -> usize {
        match self {
            Self::Int4 | Self::Table(_) => 4,
            Self::E2m3 | Self::E3m2 => 6,
            Self::Int8 | Self::E4m3 => 8,
            Self::Bf16 => 16,
        }
    }

    /// The number of a code, of which the lowest bits count.
    pub fn number(&self, code: u16) -> f32 {
        match self {
            Self::Int4 => INT4[usize::from(code & 15)],
            Self::Int8 => f32::from(code) - 128.0,
            Self::E4m3 => E4M3FN.decode(code),
            Self::E2m3 => E2M3.decode(code),
            Self::E3m2 => E3M2.decode(code),
            Self::Table(values) => values[usize::from(code & 15)],
            Self::Bf16 => f32::from_bits(u32::from(code) << 16),
        }
    }
}

/// The numbers of [`Code::Int4`].
const INT4: [f32; 16] = [-8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// Words of a column in which codes of so many bits lie without gaps, and how many codes these are. Of six bits, four codes lie in
/// three bytes, the first in the lowest bits.
pub const fn together(bits: usize) -> [usize; 2] {
    if bits == 6 { [3, 16] } else { [1, 32 / bits] }
}

/// Bits below the code of step `step` in such words, of which the first is the lowest. Codes of four bits lie so that the low nibbles
/// of a word's bytes are those of its first four steps, and the high ones those of the others: what products of bytes take.
pub const fn shift(bits: usize, step: usize) -> u32 {
    (if bits == 4 { 8 * (step % 4) + step / 4 * 4 } else { bits * step }) as u32
}

/// Makes numbers of the codes in words.
pub trait Decoder: Copy + Send + Sync {
    /// Words of a column that codes lie in without gaps.
    const WORDS: usize = 1;

    /// Parts of these words that numbers are made of, one after another: 1 or 4.
    const PARTS: usize = 1;

    /// Codes of a part.
    const STEPS: usize;

    /// What is made once, for registers of a kind.
    type Ready<V: Bits>: Copy;

    /// # Safety
    /// As for every method of this trait: the CPU has `V`'s instruction set.
    unsafe fn ready<V: Bits>(self) -> Self::Ready<V>;

    /// A part of words as the numbers are made of it; from one word of a column to the next lie `apart` words.
    ///
    /// # Safety
    /// `LANES` words can be read at `from`, and at each further one of [`Self::WORDS`]; `part` is below [`Self::PARTS`].
    unsafe fn words<V: Bits>(from: *const u32, apart: usize, part: usize) -> V::Words;

    /// The numbers of step `step` of a part.
    ///
    /// # Safety
    /// The CPU has the instruction set, and `step` is below [`Self::STEPS`].
    unsafe fn number<V: Bits>(ready: &Self::Ready<V>, words: V::Words, step: usize) -> V;
}

/// See [`Code::Int4`].
#[derive(Clone, Copy)]
pub struct Int4;

impl Decoder for Int4 {
    const STEPS: usize = 8;
    type Ready<V: Bits> = V::Table;

    #[inline(always)]
    unsafe fn ready<V: Bits>(self) -> V::Table {
        // SAFETY: as promised.
        unsafe { V::table(&INT4) }
    }

    #[inline(always)]
    unsafe fn words<V: Bits>(from: *const u32, _: usize, _: usize) -> V::Words {
        // SAFETY: as promised.
        unsafe {
            let words = V::words(from);
            // Without the highest bit of each code turned over, they would be unsigned.
            if V::LOOKS_UP { words } else { V::turned(words, 0x8888_8888) }
        }
    }

    #[inline(always)]
    unsafe fn number<V: Bits>(ready: &V::Table, words: V::Words, step: usize) -> V {
        let at = shift(4, step);
        // SAFETY: as promised; eight codes of four bits lie in a word.
        unsafe { if V::LOOKS_UP { V::chosen(words, at, ready) } else { V::signed(words, at, 4) } }
    }
}

/// See [`Code::Int8`].
#[derive(Clone, Copy)]
pub struct Int8;

impl Decoder for Int8 {
    const STEPS: usize = 4;
    type Ready<V: Bits> = ();

    #[inline(always)]
    unsafe fn ready<V: Bits>(self) {}

    #[inline(always)]
    unsafe fn words<V: Bits>(from: *const u32, _: usize, _: usize) -> V::Words {
        // SAFETY: as promised.
        unsafe { V::turned(V::words(from), 0x8080_8080) }
    }

    #[inline(always)]
    unsafe fn number<V: Bits>(_: &(), words: V::Words, step: usize) -> V {
        // SAFETY: as promised; four codes of eight bits lie in a word.
        unsafe { V::signed(words, shift(8, step), 8) }
    }
}

/// See [`Code::E4m3`]; where `NAN` is false, there must be no code of NaN.
#[derive(Clone, Copy)]
pub struct E4m3<const NAN: bool>;

impl<const NAN: bool> Decoder for E4m3<NAN> {
    const STEPS: usize = 4;
    type Ready<V: Bits> = ();

    #[inline(always)]
    unsafe fn ready<V: Bits>(self) {}

    #[inline(always)]
    unsafe fn words<V: Bits>(from: *const u32, _: usize, _: usize) -> V::Words {
        // SAFETY: as promised.
        unsafe { V::words(from) }
    }

    #[inline(always)]
    unsafe fn number<V: Bits>(_: &(), words: V::Words, step: usize) -> V {
        // SAFETY: as promised; four codes of eight bits lie in a word.
        unsafe { V::e4m3::<NAN>(words, shift(8, step)) }
    }
}

/// See [`Code::E2m3`] and [`Code::E3m2`]: of sixteen codes in three words, a part has those of three bytes.
#[derive(Clone, Copy)]
pub struct Float6 {
    /// Numbers without a sign, in the order of the codes.
    magnitudes: [f32; 32],
    /// Bits of a mantissa.
    mantissa: u32,
}

impl Float6 {
    pub const E2M3: Self = Self::of(&E2M3);
    pub const E3M2: Self = Self::of(&E3M2);

    const fn of(format: &Minifloat) -> Self {
        let (mut magnitudes, mut code) = ([0.0; 32], 0);
        while code < magnitudes.len() {
            magnitudes[code] = format.decode(code as u16);
            code += 1;
        }
        Self { magnitudes, mantissa: format.mantissa_bits }
    }
}

impl Decoder for Float6 {
    const WORDS: usize = 3;
    const PARTS: usize = 4;
    const STEPS: usize = 4;
    type Ready<V: Bits> = V::Six;

    #[inline(always)]
    unsafe fn ready<V: Bits>(self) -> V::Six {
        // SAFETY: as promised.
        unsafe { V::sixes(&self.magnitudes, self.mantissa) }
    }

    #[inline(always)]
    unsafe fn words<V: Bits>(from: *const u32, apart: usize, part: usize) -> V::Words {
        // SAFETY: as promised, in each of three words.
        unsafe {
            let (second, third) = (from.add(apart), from.add(2 * apart));
            match part {
                0 => V::words(from),
                1 => V::joined(V::words(from), V::words(second), 24),
                2 => V::joined(V::words(second), V::words(third), 16),
                _ => V::down(V::words(third), 8),
            }
        }
    }

    #[inline(always)]
    unsafe fn number<V: Bits>(ready: &V::Six, words: V::Words, step: usize) -> V {
        // SAFETY: as promised; four codes of six bits lie in the lowest three bytes.
        unsafe { V::six(words, shift(6, step), ready) }
    }
}

/// See [`Code::Table`].
#[derive(Clone, Copy)]
pub struct Table(pub [f32; 16]);

impl Decoder for Table {
    const STEPS: usize = 8;
    type Ready<V: Bits> = V::Table;

    #[inline(always)]
    unsafe fn ready<V: Bits>(self) -> V::Table {
        // SAFETY: as promised.
        unsafe { V::table(&self.0) }
    }

    #[inline(always)]
    unsafe fn words<V: Bits>(from: *const u32, _: usize, _: usize) -> V::Words {
        // SAFETY: as promised.
        unsafe { V::words(from) }
    }

    #[inline(always)]
    unsafe fn number<V: Bits>(ready: &V::Table, words: V::Words, step: usize) -> V {
        // SAFETY: as promised; eight codes of four bits lie in a word.
        unsafe { V::chosen(words, shift(4, step), ready) }
    }
}

/// See [`Code::Bf16`].
#[derive(Clone, Copy)]
pub struct Bf16;

impl Decoder for Bf16 {
    const STEPS: usize = 2;
    type Ready<V: Bits> = ();

    #[inline(always)]
    unsafe fn ready<V: Bits>(self) {}

    #[inline(always)]
    unsafe fn words<V: Bits>(from: *const u32, _: usize, _: usize) -> V::Words {
        // SAFETY: as promised.
        unsafe { V::words(from) }
    }

    #[inline(always)]
    unsafe fn number<V: Bits>(_: &(), words: V::Words, step: usize) -> V {
        // SAFETY: as promised; two codes of sixteen bits lie in a word.
        unsafe { V::bf16(words, shift(16, step)) }
    }
}

/// Evaluates `$run` with the decoder of a code; `$nan` says whether there may be a code of NaN.
macro_rules! with_decoder {
    ($code:expr, $nan:expr, |$decoder:ident| $run:expr) => {
        match ($code, $nan) {
            (crate::matmul::decoder::Code::Int4, _) => {
                let $decoder = crate::matmul::decoder::Int4;
                $run
            }
            (crate::matmul::decoder::Code::Int8, _) => {
                let $decoder = crate::matmul::decoder::Int8;
                $run
            }
            (crate::matmul::decoder::Code::E4m3, false) => {
                let $decoder = crate::matmul::decoder::E4m3::<false>;
                $run
            }
            (crate::matmul::decoder::Code::E4m3, true) => {
                let $decoder = crate::matmul::decoder::E4m3::<true>;
                $run
            }
            (crate::matmul::decoder::Code::E2m3, _) => {
                let $decoder = crate::matmul::decoder::Float6::E2M3;
                $run
            }
            (crate::matmul::decoder::Code::E3m2, _) => {
                let $decoder = crate::matmul::decoder::Float6::E3M2;
                $run
            }
            (crate::matmul::decoder::Code::Table(values), _) => {
                let $decoder = crate::matmul::decoder::Table(values);
                $run
            }
            (crate::matmul::decoder::Code::Bf16, _) => {
                let $decoder = crate::matmul::decoder::Bf16;
                $run
            }
        }
    };
}
pub(crate) use with_decoder;
