//! Weights of few bits in words of 32, in the order in which registers take them: made once for a model.

use super::decoder::{Code, shift, together};
use super::table::Scales;
use crate::error::{Error, Result, expect_len};
use crate::memory::{Lines, Plain};
use crate::team::parallel_for;

/// Weights `[k, n]` in codes: that of step `s` and column `c` is the number of `codes[s, c]` times the scale `[s / group, c]`.
#[derive(Debug, Clone, Copy)]
pub struct CodedWeights<'a> {
    /// Steps and columns.
    pub size: [usize; 2],
    /// `[k, n]`, one in a byte.
    pub codes: &'a [u8],
    /// What they stand for: anything but bf16, which is packed from its numbers.
    pub code: Code,
    /// `[⌈k / group⌉, n]`
    pub scales: Scales<'a>,
    /// Steps that share a scale: a multiple of the codes in a word (8 of four bits, 4 of eight) or in three (16 of six), or all steps.
    pub group: usize,
}

impl CodedWeights<'_> {
    /// Refuses codes and scales that are no weights of this size.
    fn check(&self) -> Result<()> {
        let ([k, n], bits) = (self.size, self.code.bits());
        let [_, steps] = together(bits);
        if self.code == Code::Bf16 {
            return Err(Error::Shape("a code of one byte is no bf16: pack the numbers themselves".into()));
        }
        if self.group == 0 {
            return Err(Error::Shape("a group of 0 steps has no scale".into()));
        }
        if !self.group.is_multiple_of(steps) && self.group < k {
            let Self { group, .. } = self;
            return Err(Error::Shape(format!(
                "groups of {group} of {k} steps cut words of {steps} codes: take a multiple of {steps}, or all steps"
            )));
        }
        expect_len("the codes of the right factor", &[k, n], self.codes.len())?;
        expect_len("the scales of the right factor", &[k.div_ceil(self.group), n], self.scales.len())?;
        self.scales.expect_finite()?;
        match self.codes.iter().find(|code| usize::from(**code) >> bits > 0) {
            Some(code) => Err(Error::Shape(format!("{code} is no code of {bits} bits"))),
            None => Ok(()),
        }
    }
}

/// Weights packed for panels of so many columns.
#[derive(Debug, Clone)]
pub struct Words {
    /// Steps and columns.
    pub size: [usize; 2],
    /// Columns of a panel; those that do not exist have codes and scales of 0.
    pub columns: usize,
    /// Words of a column.
    pub down: usize,
    /// Words of a column that share a scale.
    pub group: usize,
    bits: usize,
    /// `[panels, down, columns]`
    words: Lines<u32>,
    /// `[panels, groups, columns]`
    scales: Held,
}

/// The power of two of E8M0 that is one.
const ONE: u8 = 127;

#[derive(Debug, Clone)]
enum Held {
    Numbers(Lines<f32>),
    Powers(Lines<u8>),
}

/// The weights of some panels.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    /// `[panels, down, columns]`
    pub words: &'a [u32],
    /// `[panels, groups, columns]`
    pub scales: Scales<'a>,
}

impl Words {
    /// Packs weights for panels of so many columns.
    ///
    /// # Errors
    /// Slices of the wrong length, groups of nothing or such that cut words, codes of too many bits.
    pub fn new(weights: &CodedWeights, columns: usize) -> Result<Self> {
        weights.check()?;
        let CodedWeights { size, codes, code, scales, group } = *weights;
        Ok(Self::packed(codes, size, code.bits(), (scales, group), columns))
    }

    /// Packs bf16, `[k, n]` by their bits, which have the scale one.
    ///
    /// # Errors
    /// A slice of the wrong length.
    pub fn of_bf16(bits: &[u16], size: [usize; 2], columns: usize) -> Result<Self> {
        expect_len("the right factor", &size, bits.len())?;
        let [k, n] = size;
        Ok(Self::packed(bits, size, Code::Bf16.bits(), (Scales::Powers(&vec![ONE; n]), k.max(1)), columns))
    }

    /// Packs codes of so many bits, with a scale for each so many steps.
    fn packed<C: Copy + Into<u32> + Sync>(
        codes: &[C],
        size: [usize; 2],
        bits: usize,
        (scales, group): (Scales, usize),
        columns: usize,
    ) -> Self {
        let ([k, n], [each, steps]) = (size, together(bits));
        let down = k.div_ceil(steps) * each;
        let mut words = Lines::<u32>::new(n.div_ceil(columns) * down * columns);
        let panels = words.all_mut().chunks_mut((down * columns).max(1)).enumerate();
        parallel_for(panels, |(panel, words)| pack_panel(codes, size, bits, [panel * columns, columns], words));
        let scales = match scales {
            Scales::Numbers(numbers) => Held::Numbers(by_panels(numbers, n, columns)),
            Scales::Powers(powers) => Held::Powers(by_panels(powers, n, columns)),
        };
        let group = group.min(k.max(1)).div_ceil(steps) * each;
        Self { size, columns, down, group, bits, words, scales }
    }

    /// Bytes that codes and scales take, columns that do not exist included.
    pub fn bytes(&self) -> usize {
        let scales = match &self.scales {
            Held::Numbers(numbers) => numbers.bytes(),
            Held::Powers(powers) => powers.bytes(),
        };
        self.words.bytes() + scales
    }

    /// How many panels there are.
    pub fn panels(&self) -> usize {
        self.size[1].div_ceil(self.columns)
    }

    /// Groups of words that share a scale.
    pub fn groups(&self) -> usize {
        self.down.div_ceil(self.group)
    }

    /// The panels from this one on.
    pub fn from(&self, panel: usize) -> Panels<'_> {
        let words = &self.words.all()[panel * self.down * self.columns..];
        let scales = panel * self.groups() * self.columns;
        let scales = match &self.scales {
            Held::Numbers(numbers) => Scales::Numbers(&numbers.all()[scales..]),
            Held::Powers(powers) => Scales::Powers(&powers.all()[scales..]),
        };
        Panels { words, scales }
    }

    /// The code and the scale of a weight.
    pub fn weight(&self, step: usize, column: usize) -> (u16, f32) {
        let [each, steps] = together(self.bits);
        let panel = self.from(column / self.columns);
        let (word, within) = (step / steps * each, column % self.columns);
        let one = |index: usize| u128::from(panel.words[(word + index) * self.columns + within]) << (32 * index);
        let code = (0..each).fold(0_u128, |all, index| all | one(index)) >> shift(self.bits, step % steps);
        let scale = panel.scales.number(word / self.group * self.columns + within);
        ((code & ((1 << self.bits) - 1)) as u16, scale)
    }
}

/// Packs codes `[k, n]` of so many bits into words `[panels, down, columns]` of zeros.
pub fn pack<C: Copy + Into<u32>>(codes: &[C], [k, n]: [usize; 2], bits: usize, columns: usize, words: &mut [u32]) {
    let [each, steps] = together(bits);
    let panel = k.div_ceil(steps) * each * columns;
    for (index, words) in words.chunks_mut(panel.max(1)).enumerate() {
        pack_panel(codes, [k, n], bits, [index * columns, columns], words);
    }
}

/// Packs so many columns from `first` on into words `[down, columns]`.
fn pack_panel<C: Copy + Into<u32>>(
    codes: &[C],
    [k, n]: [usize; 2],
    bits: usize,
    [first, columns]: [usize; 2],
    words: &mut [u32],
) {
    let [each, steps] = together(bits);
    for (row, words) in words.chunks_mut(columns).enumerate() {
        // Bits of the words that codes lie in together below this one.
        let (begin, below) = (row / each * steps, 32 * (row % each) as u32);
        for step in begin..k.min(begin + steps) {
            let at = shift(bits, step - begin);
            let line = codes[step * n..][..n].iter().skip(first);
            for (word, code) in words.iter_mut().zip(line) {
                let code: u32 = (*code).into();
                let part = if at < below { code.checked_shr(below - at) } else { code.checked_shl(at - below) };
                *word |= part.unwrap_or(0);
            }
        }
    }
}

/// Rows of `n` values as `[panels, rows, columns]`, with zeros behind the last column.
fn by_panels<T: Plain>(from: &[T], n: usize, columns: usize) -> Lines<T> {
    let rows = from.len().checked_div(n).unwrap_or(0);
    let mut to = Lines::<T>::new(n.div_ceil(columns) * rows * columns);
    for (place, line) in to.all_mut().chunks_exact_mut(columns).enumerate() {
        let (row, first) = (place % rows, place / rows * columns);
        let count = columns.min(n - first);
        line[..count].copy_from_slice(&from[row * n + first..][..count]);
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row, one column, panels that are not full, and many of them.
    #[test]
    fn every_panel_holds_its_own_codes_and_scales() {
        for (size, code) in [[1, 1], [1, 70], [70, 1], [33, 15], [40, 16], [41, 17], [64, 333]]
            .into_iter()
            .flat_map(|size| [Code::Int4, Code::E2m3, Code::Int8].map(|code| (size, code)))
        {
            let ([k, n], group): ([usize; 2], usize) = (size, 32);
            let most = u8::MAX >> (8 - code.bits());
            let codes: Vec<u8> = (0..k * n).map(|at| (at * 37 % 251) as u8 & most).collect();
            let scales: Vec<f32> = (0..k.div_ceil(group) * n).map(|at| at as f32).collect();
            let weights = CodedWeights { size, codes: &codes, code, scales: Scales::Numbers(&scales), group };
            let words = Words::new(&weights, 16).unwrap();
            for (at, one) in codes.iter().enumerate() {
                let (step, column) = (at / n, at % n);
                let right = (u16::from(*one), scales[step / group * n + column]);
                assert_eq!(words.weight(step, column), right, "{code:?} {size:?}: step {step} of column {column}");
            }
        }
    }
}
