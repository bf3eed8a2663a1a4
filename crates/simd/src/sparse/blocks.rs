//! Sixteen weights of one step that lie side by side are kept or left out together: registers of columns, as in a dense product
//! (Fang et al., "An efficient sparse inference software accelerator for transformer-based language models on CPUs", arXiv
//! 2306.16601, with blocks of four).
#![expect(unsafe_code, reason = "pointers to rows that steps name; columns of the result do not lie together")]

use std::ops::Range;

use super::{share, turned};
use crate::bits::Bits;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::Factors;
use crate::memory::{Lines, Pieces, Soon, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};

/// Columns of a block.
const BLOCK: usize = 16;

/// Rows of a tile at most, each a register of sums.
const MOST: usize = 12;

/// Numbers that memory is asked for ahead: 4 KiB.
const AHEAD: usize = 1024;

/// The blocks `[1, 16]` of a right factor `[k, n]` that are not zero.
#[derive(Debug, Clone)]
pub struct BlockWeights {
    size: [usize; 2],
    /// `[⌈n / 16⌉ + 1]`: where the blocks of sixteen columns begin.
    starts: Vec<u32>,
    /// The step of each block, below k, ascending within its columns.
    steps: Vec<u32>,
    /// `[blocks, 16]`, zeros behind the last column
    values: Lines<f32>,
}

impl BlockWeights {
    /// The blocks of `numbers` `[k, n]` with a weight that is not zero.
    ///
    /// # Errors
    /// Numbers of another count, or more of them than 32 bits count.
    pub fn new(numbers: &[f32], size: [usize; 2]) -> Result<Self> {
        let [k, n] = size;
        expect_len("the right factor", &size, numbers.len())?;
        if u32::try_from(numbers.len()).is_err() {
            return Err(Error::Shape(format!("{k} by {n} weights are more than 32 bits count")));
        }
        let block = |first: usize, step: usize| &numbers[step * n + first..step * n + n.min(first + BLOCK)];
        let (mut starts, mut steps, mut firsts) = (vec![0], Vec::new(), Vec::new());
        for first in (0..n).step_by(BLOCK) {
            for step in (0..k).filter(|step| block(first, *step).iter().any(|value| *value != 0.0)) {
                steps.push(step as u32);
                firsts.push(first);
            }
            starts.push(steps.len() as u32);
        }
        let mut values = Lines::<f32>::new(steps.len() * BLOCK);
        for (to, (step, first)) in values.all_mut().chunks_exact_mut(BLOCK).zip(steps.iter().zip(firsts)) {
            let from = block(first, *step as usize);
            to[..from.len()].copy_from_slice(from);
        }
        Ok(Self { size, starts, steps, values })
    }

    /// Bytes that blocks, steps and beginnings take.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.steps) + self.values.bytes()
    }

    /// Weights that are kept, zeros within blocks included.
    pub fn kept(&self) -> usize {
        self.values.all().len()
    }
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`, where blocks of zeros are left out.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul_blocks(isa: Isa, rows: usize, left: &[f32], right: &BlockWeights, out: &mut [f32]) -> Result<()> {
    let [k, n] = right.size;
    if (Factors { size: [rows, k, n], left, right }).begin(out)? {
        with_isa!(isa, |tools| run(&tools, left, right, out));
    }
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, left: &[f32], right: &BlockWeights, out: &mut [f32]) {
    let [k, n] = right.size;
    let rows = left.len() / k;
    let tall = match rows {
        1 => 1,
        2..=4 => 4,
        _ => MOST,
    };
    let (tiles, each) = (rows.div_ceil(tall), share(n.div_ceil(BLOCK), 1));
    // A single row lies as its tile does.
    let room = if tall == 1 { 0 } else { tiles * k * tall };
    scratch([room], |[room]| {
        if tall > 1 {
            turned(left, k, tall, room);
        }
        let (left, out) = (if tall == 1 { left } else { &*room }, &Pieces::new(out));
        parallel_for((0..n.div_ceil(BLOCK)).step_by(each), |first| {
            let groups = first..n.div_ceil(BLOCK).min(first + each);
            tools.run(Columns { right, left, tall, rows, groups, out });
        });
    });
}

/// Sums of some groups of columns, of all rows.
struct Columns<'a> {
    right: &'a BlockWeights,
    /// `[tiles, k, tall]`
    left: &'a [f32],
    tall: usize,
    rows: usize,
    groups: Range<usize>,
    out: &'a Pieces<'a>,
}

impl Kernel for Columns<'_> {
    #[inline(always)]
    unsafe fn run<V: Bits, const ROWS: usize, const STATES: usize>(self) {
        assert!(self.left.len() == self.rows.div_ceil(self.tall) * self.right.size[0] * self.tall);
        assert!(BLOCK.is_multiple_of(V::LANES));
        // SAFETY: the CPU has the instruction set, and the left factor has whole tiles.
        unsafe {
            match self.tall {
                1 => self.tiles::<V, 1>(),
                4 => self.tiles::<V, 4>(),
                _ => self.tiles::<V, MOST>(),
            }
        }
    }
}

impl Columns<'_> {
    /// # Safety
    /// The CPU has `V`'s instruction set, and `left` has whole tiles of `TALL` rows.
    #[inline(always)]
    unsafe fn tiles<V: Bits, const TALL: usize>(self) {
        let Self { right, left, rows, groups, out, .. } = self;
        let [k, n] = right.size;
        for (tile, left) in left.chunks_exact(k * TALL).enumerate() {
            for group in groups.clone() {
                let blocks = right.starts[group] as usize..right.starts[group + 1] as usize;
                let (steps, values) = (&right.steps[blocks.clone()], &right.values.all()[blocks.start * BLOCK..]);
                let mut sums = [[0.0; BLOCK]; TALL];
                for side in (0..BLOCK).step_by(V::LANES) {
                    // SAFETY: as promised, with steps below k, and blocks that are there.
                    unsafe {
                        columns::<V, TALL>(left.as_ptr(), steps, values.as_ptr().wrapping_add(side), side, &mut sums)
                    }
                }
                let first = group * BLOCK;
                let real = BLOCK.min(n - first);
                for (row, sums) in (tile * TALL..rows).zip(&sums) {
                    // SAFETY: these columns are this task's alone.
                    unsafe { out.piece(row * n + first..row * n + first + real) }.copy_from_slice(&sums[..real]);
                }
            }
        }
    }
}

/// Sets the sums of a register of columns from column `side` of the blocks on.
///
/// # Safety
/// The CPU has `V`'s instruction set; a register can be read at `values` for each step, `16` numbers apart, and `TALL` numbers at
/// `left` for each step, and the sums have a register from `side` on.
#[inline(always)]
unsafe fn columns<V: Bits, const TALL: usize>(
    left: *const f32,
    steps: &[u32],
    values: *const f32,
    side: usize,
    sums: &mut [[f32; BLOCK]; TALL],
) {
    // SAFETY: as promised.
    unsafe {
        let mut all = [V::splat(0.0); TALL];
        for (block, step) in steps.iter().enumerate() {
            let (value, left) = (values.add(block * BLOCK), left.add(*step as usize * TALL));
            Soon::at(value).ask(AHEAD);
            let value = V::load(value);
            for (row, sum) in all.iter_mut().enumerate() {
                *sum = V::splat(*left.add(row)).mul_add(value, *sum);
            }
        }
        for (sum, to) in all.into_iter().zip(sums) {
            sum.store(to.as_mut_ptr().add(side));
        }
    }
}
