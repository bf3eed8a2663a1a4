//! Patches of images: every instruction set against plain loops in `f64`, and calls that must be refused.

use benchbook_simd::{Isa, PatchEmbedding, PatchWeights, patch_embedding};
use proptest::prelude::*;

use crate::common::{close, numbers, present};

/// Images as drawn.
struct Drawn {
    /// Images, and rows and columns of patches of each.
    grid: [usize; 3],
    /// Channels, rows of a patch, and numbers of a position.
    sizes: [usize; 3],
    image: Vec<f32>,
    weight: Vec<f32>,
    class: Vec<f32>,
    positions: Vec<f32>,
}

impl Drawn {
    fn new(grid: [usize; 3], sizes: [usize; 3], seed: u64) -> Self {
        let ([batch, down, across], [channels, side, width]) = (grid, sizes);
        let (patch, patches) = (channels * side * side, down * across);
        let [image, weight, class, positions] = [batch * patches * patch, width * patch, width, (1 + patches) * width];
        let mut seeds = seed..;
        let [image, weight, class, positions] =
            [image, weight, class, positions].map(|count| numbers(count, seeds.next().unwrap_or_default()));
        Self { grid, sizes, image, weight, class, positions }
    }

    fn call(&self) -> PatchEmbedding<'_> {
        let ([batch, down, across], [_, side, _]) = (self.grid, self.sizes);
        let Self { image, class, positions, .. } = self;
        PatchEmbedding { size: [batch, down * side, across * side], image, class, positions }
    }

    fn answer(&self, isa: Isa) -> Vec<f32> {
        let ([batch, down, across], [_, _, width]) = (self.grid, self.sizes);
        let weights = PatchWeights::new(self.sizes, &self.weight, isa).unwrap();
        let mut out = vec![f32::NAN; batch * (1 + down * across) * width];
        patch_embedding(&weights, &self.call(), &mut out).unwrap();
        out
    }

    /// Every result, number by number.
    fn reference(&self) -> Vec<f64> {
        let ([batch, down, across], [channels, side, width]) = (self.grid, self.sizes);
        let (patch, seq) = (channels * side * side, 1 + down * across);
        let pixel = |image: usize, place: usize, number: usize| {
            let (channel, row, column) = (number / side / side, number / side % side, number % side);
            let (y, x) = (place / across * side + row, place % across * side + column);
            self.image[((image * channels + channel) * down * side + y) * across * side + x]
        };
        let one = |index: usize| {
            let (image, place, number) = (index / width / seq, index / width % seq, index % width);
            let added = f64::from(self.positions[place * width + number]);
            if place == 0 {
                return added + f64::from(self.class[number]);
            }
            let weights = &self.weight[number * patch..][..patch];
            let products = weights.iter().enumerate();
            added + products.map(|(at, w)| f64::from(*w) * f64::from(pixel(image, place - 1, at))).sum::<f64>()
        };
        (0..batch * seq * width).map(one).collect()
    }

    fn check(&self) {
        let wanted = self.reference();
        for isa in present() {
            let name = format!("{:?} of {:?} by {}", self.grid, self.sizes, isa.name());
            close(&name, &self.answer(isa), &wanted, 1e-5);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn any_patches_are_right(
        grid in [0..4_usize, 1..8_usize, 1..8_usize],
        sizes in [1..5_usize, 1..10_usize, 1..90_usize],
        seed in 0..u64::MAX / 2,
    ) {
        Drawn::new(grid, sizes, seed).check();
    }
}

#[test]
fn ugly_sizes_are_right() {
    // A number; more steps than a run, which end within a line of a patch; more rows than a task.
    for (grid, sizes) in [
        ([1, 1, 1], [1, 1, 1]),
        ([2, 1, 2], [3, 17, 33]),
        ([5, 13, 7], [1, 1, 3]),
        ([2, 2, 3], [5, 11, 130]),
        ([3, 12, 12], [3, 2, 17]),
    ] {
        Drawn::new(grid, sizes, 7).check();
    }
}

#[test]
fn a_class_and_other_patches_know_nothing_of_a_patch() {
    let ([batch, down, across], [channels, side, width]) = ([2, 3, 5], [2, 4, 19]);
    let mut drawn = Drawn::new([batch, down, across], [channels, side, width], 3);
    // A pixel of the second image, in the second row and the fourth column of patches.
    drawn.image[(channels * down * side + side + 2) * across * side + 3 * side] = f32::NAN;
    for isa in present() {
        for (row, found) in drawn.answer(isa).chunks(width).enumerate() {
            let strange = row == (1 + down * across) + 1 + across + 3;
            assert_eq!(found.iter().all(|x| x.is_nan()), strange, "{row} by {}", isa.name());
            assert_eq!(found.iter().any(|x| x.is_nan()), strange, "{row} by {}", isa.name());
        }
    }
}

#[test]
fn patches_that_do_not_fit_are_refused() {
    let said = |result: benchbook_simd::Result<()>| result.unwrap_err().to_string();
    let made = |sizes: [usize; 3], weight: usize| PatchWeights::new(sizes, &vec![0.0; weight], Isa::Portable).map(drop);
    assert_eq!(said(made([3, 2, 5], 59)), "the weight holds 59 numbers, its shape [5, 3, 2, 2] needs 60");
    assert_eq!(said(made([3, 0, 5], 0)), "a layer from 0 to 5 numbers has no weights");
    let drawn = Drawn::new([2, 3, 4], [3, 2, 5], 1);
    let weights = PatchWeights::new([3, 2, 5], &drawn.weight, Isa::Portable).unwrap();
    let (call, mut out) = (drawn.call(), vec![0.0; 2 * 13 * 5]);
    assert_eq!(patch_embedding(&weights, &call, &mut out), Ok(()));
    let mut refused = |call: PatchEmbedding| said(patch_embedding(&weights, &call, &mut out));
    assert_eq!(refused(PatchEmbedding { size: [2, 6, 7], ..call }), "patches of 2 × 2 do not divide an image of 6 × 7");
    assert!(refused(PatchEmbedding { image: &call.image[1..], ..call }).contains("the image holds 287 numbers"));
    assert!(refused(PatchEmbedding { class: &[], ..call }).contains("the class holds 0 numbers, its shape [5]"));
    assert!(refused(PatchEmbedding { positions: call.class, ..call }).contains("its shape [13, 5] needs 65"));
    assert!(said(patch_embedding(&weights, &call, &mut out[1..])).contains("the result holds 129 numbers"));
}
