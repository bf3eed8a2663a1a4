//! Of every four weights along k two are kept, with two bits each that say which: half of the values (Mishra et al., "Accelerating
//! sparse deep neural networks", arXiv 2104.08378, section 3). CPUs have no unit for it: what it saves is memory.
#![expect(unsafe_code, reason = "pointers, whose bounds are checked once per task")]

use std::ops::Range;

use rayon::prelude::*;

use crate::bits::Bits;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::fused::by_panels;
use crate::matmul::isa::Tile;
use crate::matmul::pack::Right;
use crate::matmul::{Code, CodedWeights, Factors, product};
use crate::memory::{LINE, Lines, Soon, scratch};
use crate::tools::{self as isa, Kernel, Tools, panel};

/// Rows at most that meet the weights as they are kept: for more, a task makes a dense panel first.
const FEW: usize = 4;

/// Steps of a block: the choices of a column in it are a word.
const STEPS: usize = 32;

/// Values of a column that a block keeps.
const KEPT: usize = STEPS / 2;

/// Words that memory is asked for ahead: 4 KiB.
const AHEAD: usize = 1024;

/// A right factor `[k, n]` of which no four steps of a column, counted from the first on, have more than two weights.
#[derive(Debug, Clone, Copy)]
pub enum Pruned<'a> {
    /// Numbers, and steps and columns of them; zeros are left out.
    Numbers(&'a [f32], [usize; 2]),
    /// Integers of eight bits with a scale for each column; codes of zero are left out.
    Integers(CodedWeights<'a>),
}

impl Pruned<'_> {
    /// Refuses what has other lengths than its size, or is of another kind.
    fn check(&self) -> Result<[usize; 2]> {
        match self {
            Self::Numbers(numbers, size) => expect_len("the right factor", size, numbers.len()).map(|()| *size),
            Self::Integers(weights) => {
                let [k, n] = weights.size;
                expect_len("the codes of the right factor", &[k, n], weights.codes.len())?;
                expect_len("the scales of the right factor", &[1, n], weights.scales.len())?;
                weights.scales.expect_finite()?;
                if weights.code != Code::Int8 || weights.group < k {
                    let message =
                        "two of four weights are numbers, or integers of eight bits with a scale for each column";
                    return Err(Error::Shape(message.into()));
                }
                Ok(weights.size)
            }
        }
    }

    /// The bits of a weight, where it is kept.
    fn value(&self, at: usize) -> Option<u32> {
        match self {
            Self::Numbers(numbers, _) => (numbers[at] != 0.0).then(|| numbers[at].to_bits()),
            // Signed, since they are not looked up.
            Self::Integers(weights) => (weights.codes[at] != 128).then(|| u32::from(weights.codes[at] ^ 128)),
        }
    }

    fn scale(&self, column: usize) -> f32 {
        match self {
            Self::Numbers(..) => 1.0,
            Self::Integers(weights) => weights.scales.number(column),
        }
    }
}

/// Two of every four weights, packed for the registers of an instruction set.
#[derive(Debug, Clone)]
pub struct TwoFourWeights {
    size: [usize; 2],
    isa: Isa,
    /// Columns of a panel.
    columns: usize,
    /// Values in a word: 1, or 4 of eight bits.
    together: usize,
    /// `[panels, blocks, 1 + 16 / together, columns]`: of a block of 32 steps the choices, two bits for each of 16 values, and the
    /// values; a value that is not there is zero.
    words: Lines<u32>,
    /// `[panels · columns]`
    scales: Lines<f32>,
}

impl TwoFourWeights {
    /// Packs weights for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, integers of another kind, an infinite scale, more than two weights in four, an instruction set
    /// that is absent.
    pub fn new(weights: &Pruned, isa: Isa) -> Result<Self> {
        let size = weights.check()?;
        let [k, n] = size;
        let columns = with_isa!(isa, |tools| panel(&tools));
        let together = if matches!(weights, Pruned::Numbers(..)) { 1 } else { 4 };
        let (panels, blocks, down) = (n.div_ceil(columns), k.div_ceil(STEPS), 1 + KEPT / together);
        let mut words = Lines::<u32>::new(panels * blocks * down * columns);
        let each = blocks * down * columns;
        // Whoever comes first, the error is that of the first steps.
        let filled = |(panel, words): (usize, &mut [u32])| {
            fill(weights, size, [panel * columns, columns, down, together], words).err()
        };
        let wrong = words.all_mut().par_chunks_mut(each.max(1)).enumerate().filter_map(filled).min();
        if let Some([step, column]) = wrong {
            let message = format!("column {column} has more than two weights in the four steps from {step} on");
            return Err(Error::Shape(message));
        }
        let mut scales = Lines::<f32>::new(panels * columns);
        scales.all_mut().iter_mut().zip(0..n).for_each(|(to, column)| *to = weights.scale(column));
        Ok(Self { size, isa, columns, together, words, scales })
    }

    /// Bytes that values, choices and scales take; columns and steps are filled up to whole panels and blocks.
    pub fn bytes(&self) -> usize {
        // Numbers need no scale.
        self.words.bytes() + if self.together == 1 { 0 } else { self.scales.bytes() }
    }

    /// Blocks of a column, and words of a block in a column.
    fn down(&self) -> [usize; 2] {
        [self.size[0].div_ceil(STEPS), 1 + KEPT / self.together]
    }

    /// The step and the number of value `index` of a block, whose choices lie in word `at`.
    fn kept(&self, at: usize, index: usize, scale: f32) -> (usize, f32) {
        let words = self.words.all();
        let step = index / 2 * 4 + (words[at] >> (2 * index)) as usize % 4;
        let value = words[at + (1 + index / self.together) * self.columns] >> (8 * (index % self.together));
        (step, if self.together == 1 { f32::from_bits(value) } else { scale * f32::from(value as i8) })
    }
}

/// Packs so many columns from `first` on into words `[blocks, down, columns]` of zeros; the first step and the column of the first four
/// weights that cannot be packed are an error.
fn fill(
    weights: &Pruned,
    [k, n]: [usize; 2],
    [first, columns, down, together]: [usize; 4],
    words: &mut [u32],
) -> std::result::Result<(), [usize; 2]> {
    for four in 0..k.div_ceil(4) {
        let block = &mut words[four / (STEPS / 4) * down * columns..][..down * columns];
        for within in 0..columns.min(n - first) {
            let mut kept = 0;
            for step in 4 * four..k.min(4 * four + 4) {
                let Some(value) = weights.value(step * n + first + within) else { continue };
                if kept == 2 {
                    return Err([4 * four, first + within]);
                }
                // Of the sixteen values of the block.
                let index = 2 * (four % (STEPS / 4)) + kept;
                block[within] |= (step as u32 % 4) << (2 * index);
                block[within + (1 + index / together) * columns] |= value << (8 * (index % together));
                kept += 1;
            }
        }
    }
    Ok(())
}

/// Where the choices of the block lie to which these four steps of a column belong.
fn place(four: usize, column: usize, [columns, blocks, down]: [usize; 3]) -> usize {
    let block = column / columns * blocks + four / (STEPS / 4);
    block * down * columns + column % columns
}

impl Right for TwoFourWeights {
    fn panels<T: Tile>(&self, _tile: &T, _columns: usize, [step, steps]: [usize; 2], first: usize, to: &mut [f32]) {
        let ([blocks, down], wide) = (self.down(), T::COLUMNS);
        assert!(wide == self.columns && step.is_multiple_of(4), "panels of another tile");
        to.fill(0.0);
        for (panel, to) in to.chunks_exact_mut(steps * wide).enumerate() {
            for four in step / 4..(step + steps).div_ceil(4) {
                for column in 0..wide {
                    let column = first + panel * wide + column;
                    let at = place(four, column, [wide, blocks, down]);
                    for index in [0, 1].map(|kept| 2 * (four % (STEPS / 4)) + kept) {
                        let (within, number) = self.kept(at, index, self.scales.all()[column]);
                        let row = (four * 4 - step) + within % 4;
                        // A value that is not there is zero, and may stand where another one does.
                        if row < steps && number != 0.0 {
                            to[row * wide + column % wide] = number;
                        }
                    }
                }
            }
        }
    }

    fn last<T: Tile>(&self, columns: usize, [step, _]: [usize; 2], count: usize, to: &mut [f32]) {
        let ([blocks, down], scales) = (self.down(), self.scales.all());
        for (row, to) in to.chunks_exact_mut(T::COLUMNS).enumerate() {
            let row = step + row;
            let first = 2 * (row / 4 % (STEPS / 4));
            for (column, number) in (columns - count..columns).zip(to) {
                let at = place(row / 4, column, [self.columns, blocks, down]);
                let kept = [0, 1].map(|kept| self.kept(at, first + kept, scales[column]));
                *number = kept.iter().filter(|(step, _)| step % 4 == row % 4).map(|(_, number)| number).sum();
            }
        }
    }
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`, of which few choose the numbers that they are multiplied by in
/// registers; for more, weights become dense first.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length.
pub fn matmul_two_four(rows: usize, left: &[f32], right: &TwoFourWeights, out: &mut [f32]) -> Result<()> {
    let [k, n] = right.size;
    let factors = Factors { size: [rows, k, n], left, right };
    if rows > FEW {
        return product(right.isa, &factors, out);
    }
    if factors.begin(out)? {
        with_isa!(right.isa, |tools| few(&tools, rows, left, right, out));
    }
    Ok(())
}

fn few<T: Tools + Sync>(tools: &T, rows: usize, left: &[f32], right: &TwoFourWeights, out: &mut [f32]) {
    let [k, n] = right.size;
    let filled = k.next_multiple_of(STEPS);
    scratch([rows * filled], |[room]| {
        for (to, from) in room.chunks_exact_mut(filled).zip(left.chunks_exact(k)) {
            let (real, beyond) = to.split_at_mut(k);
            real.copy_from_slice(from);
            beyond.fill(0.0);
        }
        let left = &*room;
        by_panels([rows, n, right.columns], out, |panels, sums| tools.run(Few { right, left, rows, panels, sums }));
    });
}

/// The sums of some panels.
struct Few<'a> {
    right: &'a TwoFourWeights,
    /// `[rows, blocks · 32]`
    left: &'a [f32],
    rows: usize,
    panels: Range<usize>,
    /// `[rows, panels · columns]`
    sums: &'a mut [f32],
}

impl Kernel for Few<'_> {
    #[inline(always)]
    unsafe fn run<V: Bits, const ROWS: usize, const STATES: usize>(self) {
        let [blocks, _] = self.right.down();
        assert!(self.right.columns == 2 * V::LANES && self.left.len() == self.rows * blocks * STEPS);
        assert!(self.sums.len() >= self.rows * self.panels.len() * self.right.columns);
        // SAFETY: the CPU has the instruction set; rows, panels and sums are there.
        unsafe {
            match (self.rows, self.right.together) {
                (1, 1) => self.panels::<V, 1, false>(),
                (2, 1) => self.panels::<V, 2, false>(),
                (3, 1) => self.panels::<V, 3, false>(),
                (_, 1) => self.panels::<V, FEW, false>(),
                (1, _) => self.panels::<V, 1, true>(),
                (2, _) => self.panels::<V, 2, true>(),
                (3, _) => self.panels::<V, 3, true>(),
                _ => self.panels::<V, FEW, true>(),
            }
        }
    }
}

impl Few<'_> {
    /// # Safety
    /// The CPU has `V`'s instruction set; there are `ROWS` rows, and panels and sums as the fields say; with `BYTES`, values have
    /// eight bits.
    #[inline(always)]
    unsafe fn panels<V: Bits, const ROWS: usize, const BYTES: bool>(self) {
        let Self { right, left, panels, sums, .. } = self;
        let ([blocks, down], columns) = (right.down(), right.columns);
        let (per_row, wide) = (blocks * STEPS, panels.len() * columns);
        let words = &right.words.all()[panels.start * blocks * down * columns..];
        let scales = &right.scales.all()[panels.start * columns..];
        for panel in 0..panels.len() {
            // SAFETY: as promised, with places within words, scales, rows and sums.
            unsafe {
                let mut all = [[V::splat(0.0); 2]; ROWS];
                for block in 0..blocks {
                    let at = words.as_ptr().add((panel * blocks + block) * down * columns);
                    let left = left.as_ptr().add(block * STEPS);
                    (0..down * columns).step_by(LINE).for_each(|word| Soon::at(at).ask(AHEAD + word));
                    for index in 0..KEPT {
                        let mut rows = [V::splat(0.0); ROWS];
                        for (row, numbers) in rows.iter_mut().enumerate() {
                            *numbers = V::four(left.add(row * per_row + index / 2 * 4));
                        }
                        for side in 0..2 {
                            let at = at.add(side * V::LANES);
                            let choices = V::down(V::words(at), 2 * index as u32);
                            let value = if BYTES {
                                V::signed(V::words(at.add((1 + index / 4) * columns)), 8 * (index as u32 % 4), 8)
                            } else {
                                V::load(at.add((1 + index) * columns).cast())
                            };
                            for (numbers, sums) in rows.iter().zip(&mut all) {
                                sums[side] = numbers.among(choices).mul_add(value, sums[side]);
                            }
                        }
                    }
                }
                for (row, all) in all.into_iter().enumerate() {
                    for (side, sum) in all.into_iter().enumerate() {
                        let scale = V::load(scales.as_ptr().add(panel * columns + side * V::LANES));
                        sum.mul(scale).store(sums.as_mut_ptr().add(row * wide + panel * columns + side * V::LANES));
                    }
                }
            }
        }
    }
}
