//! Patches of an image as positions of a sequence.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use std::ops::Range;

use super::finish::{Added, Finish, Place, Spread};
use super::linear::expect_numbers;
use super::product::products;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::packed::Packed;
use crate::memory::Pieces;
use crate::tools::Tools;

/// The weights of patches, packed for an instruction set: made once for a model, used by every call.
#[derive(Debug)]
pub struct PatchWeights {
    channels: usize,
    /// Rows, and columns, of a patch.
    side: usize,
    width: usize,
    isa: Isa,
    packed: Packed<1>,
}

impl PatchWeights {
    /// Packs `weight` `[width, channels, side, side]`, of patches of `side` rows and columns, for the instructions `isa`.
    ///
    /// # Errors
    /// A slice of the wrong length, patches or positions of no numbers, an instruction set that is absent.
    pub fn new([channels, side, width]: [usize; 3], weight: &[f32], isa: Isa) -> Result<Self> {
        let patch = channels * side * side;
        expect_numbers([patch, width])?;
        expect_len("the weight", &[width, channels, side, side], weight.len())?;
        let turned: Vec<f32> = (0..patch * width).map(|index| weight[index % width * patch + index / width]).collect();
        let packed = with_isa!(isa, |tile| Packed::new(&tile, [&turned[..]], [1, patch, width]));
        Ok(Self { channels, side, width, isa, packed })
    }
}

/// Images, and what is put beside their patches.
#[derive(Debug, Clone, Copy)]
pub struct PatchEmbedding<'a> {
    /// Images, and rows and columns of each.
    pub size: [usize; 3],
    /// `[batch, channels, height, width]`
    pub image: &'a [f32],
    /// `[width]`, where `width` is that of a position.
    pub class: &'a [f32],
    /// `[1 + patches, width]`, that of the class first.
    pub positions: &'a [f32],
}

/// The class and the patches of each image, row by row of it, as positions: a patch times the weights, and to all of them what
/// stands for their place (Dosovitskiy et al., arXiv 2010.11929, section 3.1, equation 1), into `out` `[batch, 1 + patches, width]`.
///
/// Patches go from the image to where the product reads them, and their places are added to its sums while these are near. Nothing
/// is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, patches that do not divide an image, an instruction set that is absent.
pub fn patch_embedding(weights: &PatchWeights, call: &PatchEmbedding, out: &mut [f32]) -> Result<()> {
    let PatchWeights { channels, side, width, .. } = *weights;
    let [batch, rows, columns] = call.size;
    if !rows.is_multiple_of(side) || !columns.is_multiple_of(side) {
        return Err(Error::Shape(format!("patches of {side} × {side} do not divide an image of {rows} × {columns}")));
    }
    let seq = 1 + rows / side * (columns / side);
    expect_len("the image", &[batch, channels, rows, columns], call.image.len())?;
    expect_len("the class", &[width], call.class.len())?;
    expect_len("the positions", &[seq, width], call.positions.len())?;
    expect_len("the result", &[batch, seq, width], out.len())?;
    with_isa!(weights.isa, |tile| run(&tile, weights, call, out));
    Ok(())
}

fn run<T: Tile + Tools + Sync>(tile: &T, weights: &PatchWeights, call: &PatchEmbedding, out: &mut [f32]) {
    let PatchWeights { channels, side, width, ref packed, .. } = *weights;
    let PatchEmbedding { size: [batch, rows, columns], image, class, positions } = *call;
    let across = columns / side;
    let patches = rows / side * across;
    let copy = |row: usize, steps: Range<usize>, to: &mut [f32]| {
        let (first, patch) = (row / patches * channels, row % patches);
        let (top, left) = (patch / across * side, patch % across * side);
        let mut done = 0;
        while done < to.len() {
            let (line, column) = ((steps.start + done) / side, (steps.start + done) % side);
            let together = (side - column).min(to.len() - done);
            let from = ((first + line / side) * rows + top + line % side) * columns + left + column;
            to[done..done + together].copy_from_slice(&image[from..from + together]);
            done += together;
        }
    };
    let to = Pieces::new(out);
    let apart = [(1 + patches) * width, 0, width];
    let place = Place::Spread(Spread { to: &to, first: width, seq: patches, apart, width, padded: packed.across() });
    let added = Some(Added { numbers: &positions[width..], columns: width });
    products(tile, [batch * patches, channels * side * side], copy, &[(packed, Finish { added, ..Finish::to(place) })]);
    for out in out.chunks_exact_mut((1 + patches) * width) {
        for ((to, class), position) in out.iter_mut().zip(class).zip(&positions[..width]) {
            *to = class + position;
        }
    }
}
