//! Products by weights that are left out where they are zero: against dense ones, from nothing left to everything.

use benchbook_simd::{
    BitmapWeights, BlockWeights, Code, CodedWeights, CsrWeights, Error, Isa, Product, Pruned, Scales, TwoFourWeights,
    matmul, matmul_bitmap, matmul_blocks, matmul_csr, matmul_kept, matmul_low_rank, matmul_two_four,
};
use proptest::prelude::*;

use crate::common::{bytes, numbers, present, within};

/// Rows at most that meet two of four weights as they are kept.
const FEW: usize = 4;

/// Weights `[k, n]` of which about this share is not zero, in runs of `run` columns.
fn pruned([k, n]: [usize; 2], share: f32, run: usize, seed: u64) -> Vec<f32> {
    let (values, draws) = (numbers(k * n, seed), numbers(k * n.div_ceil(run), seed ^ 4));
    let kept = |at: usize| (draws[at / n * n.div_ceil(run) + at % n / run] + 1.0) / 2.0 < share;
    values.iter().enumerate().map(|(at, value)| if kept(at) { *value } else { 0.0 }).collect()
}

/// Weights of which two at most are left of every four steps.
fn two_of_four(mut weights: Vec<f32>, [k, n]: [usize; 2], seed: u64) -> Vec<f32> {
    let draws = bytes(k.div_ceil(4) * n, seed);
    for (at, weight) in weights.iter_mut().enumerate() {
        let (step, column) = (at / n, at % n);
        let first = draws[step / 4 * n + column];
        // Two places, which may be the same.
        if ![first % 4, first / 4 % 4].contains(&((step % 4) as u8)) {
            *weight = 0.0;
        }
    }
    weights
}

fn exact(weights: &[f32]) -> Vec<f64> {
    weights.iter().map(|weight| f64::from(*weight)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_out_is_not_missed(
        // Rows on both sides of each bound: single numbers, one register to eight, and several tiles.
        (m, k, n) in prop_oneof![
            (1..150_usize, 1..120_usize, 1..60_usize),
            (1..20_usize, 300..900_usize, 1..60_usize),
            (1..14_usize, 1..60_usize, 250..500_usize),
        ],
        (share, run) in (prop_oneof![Just(0.0_f32), Just(1.1), 0.02..0.6_f32], prop_oneof![Just(1_usize), Just(16)]),
        seed in any::<u64>(),
    ) {
        let (size, left) = ([m, k, n], numbers(m * k, seed));
        let weights = pruned([k, n], share, run, !seed);
        let right = exact(&weights);
        let (single, blocks) = (CsrWeights::new(&weights, [k, n]).unwrap(), BlockWeights::new(&weights, [k, n]).unwrap());
        prop_assert_eq!(single.kept(), weights.iter().filter(|weight| **weight != 0.0).count());
        prop_assert!(blocks.kept() >= single.kept() && blocks.kept() <= k * n.next_multiple_of(16));
        let bitmap = BitmapWeights::new(&weights, [k, n]).unwrap();
        prop_assert_eq!(bitmap.kept(), single.kept());
        for isa in present() {
            let mut out = vec![f32::NAN; m * n];
            matmul_csr(isa, m, &left, &single, &mut out).unwrap();
            within(&format!("single weights on {}", isa.name()), size, [&left, &out], &right, k + 4);
            let by_steps = out.clone();
            out.fill(f32::NAN);
            matmul_bitmap(isa, m, &left, &bitmap, &mut out).unwrap();
            prop_assert_eq!(&out, &by_steps, "a bit for each place on {}", isa.name());
            out.fill(f32::NAN);
            matmul_blocks(isa, m, &left, &blocks, &mut out).unwrap();
            within(&format!("blocks on {}", isa.name()), size, [&left, &out], &right, k + 1);
        }
    }

    #[test]
    fn two_of_four_weights_are_those_of_a_dense_factor(
        (m, k, n) in prop_oneof![
            (1..12_usize, 1..200_usize, 1..90_usize),
            (1..12_usize, 500..900_usize, 1..70_usize),
        ],
        share in prop_oneof![Just(0.0_f32), Just(1.1), 0.2..0.9_f32],
        seed in any::<u64>(),
    ) {
        let (size, left) = ([m, k, n], numbers(m * k, seed));
        let weights = two_of_four(pruned([k, n], share, 1, !seed), [k, n], seed ^ 5);
        // Integers in the same places, and scales.
        let codes: Vec<u8> = weights.iter().map(|weight| (128.0 + weight * 127.0).round() as u8).collect();
        let scales = numbers(n, seed ^ 6);
        let of = |at: usize| scales[at % n] * (f32::from(codes[at]) - 128.0);
        let whole: Vec<f32> = (0..k * n).map(of).collect();
        let coded =
            CodedWeights { size: [k, n], codes: &codes, code: Code::Int8, scales: Scales::Numbers(&scales), group: k };
        for (pruned, right) in [(Pruned::Numbers(&weights, [k, n]), &weights), (Pruned::Integers(coded), &whole)] {
            for isa in present() {
                let packed = TwoFourWeights::new(&pruned, isa).unwrap();
                let mut out = vec![f32::NAN; m * n];
                matmul_two_four(m, &left, &packed, &mut out).unwrap();
                if m > FEW {
                    let mut dense = vec![f32::NAN; m * n];
                    matmul(&Product { size, left: &left, right, isa }, &mut dense).unwrap();
                    prop_assert_eq!(&out, &dense, "{}", isa.name());
                } else {
                    // The scale is another rounding, of the sum here and of each weight there.
                    within(isa.name(), size, [&left, &out], &exact(right), k + 3);
                }
            }
        }
    }
}

#[test]
fn one_step_and_one_column_are_products_too() {
    for (size, rows) in
        [[1, 1], [1, 37], [37, 1]].into_iter().flat_map(|size| [1, 3, FEW + 1, 40].map(|rows| (size, rows)))
    {
        let [k, n] = size;
        // Of four steps the first two, so that every sum is exact.
        let weights: Vec<f32> = (0..k * n).map(|at| if at / n % 4 < 2 { 2.0 } else { 0.0 }).collect();
        let right = vec![3.0 * weights.iter().step_by(n).sum::<f32>(); rows * n];
        let (left, mut out) = (vec![3.0; rows * k], vec![f32::NAN; rows * n]);
        let (single, bitmap) = (CsrWeights::new(&weights, size).unwrap(), BitmapWeights::new(&weights, size).unwrap());
        let blocks = BlockWeights::new(&weights, size).unwrap();
        for isa in present() {
            let half = TwoFourWeights::new(&Pruned::Numbers(&weights, size), isa).unwrap();
            let mut check = |form: &str, done: &dyn Fn(&mut [f32]) -> Result<(), Error>| {
                out.fill(f32::NAN);
                done(&mut out).unwrap();
                assert_eq!(out, right, "{form}, {size:?}, {rows} rows on {}", isa.name());
            };
            check("single weights", &|out| matmul_csr(isa, rows, &left, &single, out));
            check("a bitmap", &|out| matmul_bitmap(isa, rows, &left, &bitmap, out));
            check("blocks", &|out| matmul_blocks(isa, rows, &left, &blocks, out));
            check("two of four", &|out| matmul_two_four(rows, &left, &half, out));
        }
    }
}

#[test]
fn what_is_no_number_stays_where_it_is() {
    // Two columns, five steps: the second has a NaN at step 3. An infinity on the left meets zeros alone.
    let mut weights = [0.0; 10];
    [(0, 2.0), (4, -1.0), (7, f32::NAN), (8, 3.0)].iter().for_each(|(at, weight)| weights[*at] = *weight);
    for (isa, rows) in present().flat_map(|isa| [1, 2, 4, 40].map(|rows| (isa, rows))) {
        let left = [1.0, f32::INFINITY, 10.0, 4.0, 0.5].repeat(rows);
        let mut out = vec![0.0; rows * 2];
        matmul_csr(isa, rows, &left, &CsrWeights::new(&weights, [5, 2]).unwrap(), &mut out).unwrap();
        let right = |row: &[f32]| row[0] == 2.0 - 10.0 + 1.5 && row[1].is_nan();
        assert!(out.chunks(2).all(right), "{} {rows} rows: {out:?}", isa.name());
        out.fill(0.0);
        matmul_bitmap(isa, rows, &left, &BitmapWeights::new(&weights, [5, 2]).unwrap(), &mut out).unwrap();
        assert!(out.chunks(2).all(right), "{} {rows} rows by a bitmap: {out:?}", isa.name());
        matmul_blocks(isa, rows, &left, &BlockWeights::new(&weights, [5, 2]).unwrap(), &mut out).unwrap();
        assert!(out.chunks(2).all(right), "{} {rows} rows in blocks: {out:?}", isa.name());
    }
}

#[test]
fn integers_without_a_scale_are_no_numbers() {
    let codes = [[130_u8, 255], [128, 128], [128, 1], [127, 128], [128, 128]];
    let scales = [f32::NAN, 0.0];
    let weights = CodedWeights {
        size: [5, 2],
        codes: codes.as_flattened(),
        code: Code::Int8,
        scales: Scales::Numbers(&scales),
        group: 5,
    };
    for (isa, rows) in present().flat_map(|isa| [(isa, 1), (isa, FEW + 1)]) {
        let mut out = vec![7.0; rows * 2];
        let packed = TwoFourWeights::new(&Pruned::Integers(weights), isa).unwrap();
        matmul_two_four(rows, &vec![1.5; rows * 5], &packed, &mut out).unwrap();
        assert!(out.chunks(2).all(|row| row[0].is_nan() && row[1] == 0.0), "{}: {out:?}", isa.name());
    }
}

#[test]
fn bytes_are_those_of_what_is_kept() {
    // Of 32 columns, column 1 has one weight, columns 16 to 31 one step.
    let mut weights = vec![0.0; 3 * 32];
    weights[1] = 5.0;
    weights[2 * 32 + 16..3 * 32].fill(1.0);
    let single = CsrWeights::new(&weights, [3, 32]).unwrap();
    assert_eq!((single.kept(), single.bytes()), (17, 33 * 4 + 17 * 8));
    // A word of bits for each column.
    let bitmap = BitmapWeights::new(&weights, [3, 32]).unwrap();
    assert_eq!((bitmap.kept(), bitmap.bytes()), (17, 33 * 4 + 32 * 4 + 17 * 4));
    let blocks = BlockWeights::new(&weights, [3, 32]).unwrap();
    assert_eq!((blocks.kept(), blocks.bytes()), (32, 3 * 4 + 2 * 4 + 32 * 4));
    // Eight columns to a panel: 32 steps are a word of choices, and 16 words of numbers or 4 of integers with a scale each.
    let half = [1.0, 1.0, 0.0, 0.0].repeat(16);
    let half: Vec<f32> = (0..64 * 8).map(|at| half[at / 8]).collect();
    let packed = TwoFourWeights::new(&Pruned::Numbers(&half, [64, 8]), Isa::Portable).unwrap();
    assert_eq!(packed.bytes(), 2 * 8 * (1 + 16) * 4);
    let codes: Vec<u8> = half.iter().map(|weight| 128 + *weight as u8).collect();
    let (scales, size) = ([1.0; 8], [64, 8]);
    let coded = CodedWeights { size, codes: &codes, code: Code::Int8, scales: Scales::Numbers(&scales), group: 64 };
    let packed = TwoFourWeights::new(&Pruned::Integers(coded), Isa::Portable).unwrap();
    assert_eq!(packed.bytes(), 2 * 8 * (1 + 4) * 4 + 8 * 4);
}

/// What packing two of four weights says.
fn two_four(pruned: &Pruned) -> Result<(), String> {
    TwoFourWeights::new(pruned, Isa::Portable).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn weights_that_are_no_factor_are_refused() {
    let message = |size: [usize; 2], weights: &[f32]| {
        let [single, bitmap] = [CsrWeights::new(weights, size).err(), BitmapWeights::new(weights, size).err()];
        [single, bitmap, BlockWeights::new(weights, size).err()].map(|error| error.unwrap().to_string())
    };
    for said in message([3, 4], &[1.0; 11]) {
        assert_eq!(said, "the right factor holds 11 numbers, its shape [3, 4] needs 12");
    }
    let column = |weights: &[f32]| two_four(&Pruned::Numbers(weights, [weights.len(), 1]));
    assert_eq!(column(&[1.0, 2.0, 0.0, 0.0, 1.0, 1.0]), Ok(()), "a length that is no multiple of four");
    let said = column(&[1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap_err();
    assert_eq!(said, "column 0 has more than two weights in the four steps from 4 on");
    // In the last panel the first steps, in the first one others: of threads that find both, the first steps are told.
    let mut dense = vec![0.0; 8 * 43];
    (0..3).for_each(|step| dense[step * 43 + 42] = 1.0);
    (4..8).for_each(|step| dense[step * 43] = 1.0);
    let said = two_four(&Pruned::Numbers(&dense, [8, 43])).unwrap_err();
    assert_eq!(said, "column 42 has more than two weights in the four steps from 0 on");
    assert!(two_four(&Pruned::Numbers(&[1.0; 3], [2, 1])).unwrap_err().contains("holds 3 numbers"));
    let coded = |code: Code, group: usize, scales: &'static [f32]| {
        let scales = Scales::Numbers(scales);
        two_four(&Pruned::Integers(CodedWeights { size: [8, 1], codes: &[128; 8], code, scales, group }))
    };
    assert_eq!(coded(Code::Int8, 8, &[1.0]), Ok(()));
    assert!(coded(Code::Int8, 4, &[1.0]).unwrap_err().contains("a scale for each column"));
    assert!(coded(Code::E4m3, 8, &[1.0]).unwrap_err().contains("integers of eight bits"));
    assert!(coded(Code::Int8, 8, &[1.0; 2]).unwrap_err().contains("the scales of the right factor holds 2 numbers"));
    assert!(coded(Code::Int8, 8, &[f32::INFINITY]).unwrap_err().contains("a scale is infinite"));
    // Rows that are no rows, nothing to add up, and nothing to give.
    let (single, blocks) = (CsrWeights::new(&[2.0], [1, 1]).unwrap(), BlockWeights::new(&[2.0], [1, 1]).unwrap());
    let packed = TwoFourWeights::new(&Pruned::Numbers(&[2.0], [1, 1]), Isa::Portable).unwrap();
    for rows in [2, 20] {
        let (left, mut out) = (vec![1.0; rows + 1], vec![0.0; rows]);
        assert!(matmul_csr(Isa::Portable, rows, &left, &single, &mut out).is_err());
        let bitmap = BitmapWeights::new(&[2.0], [1, 1]).unwrap();
        assert!(matmul_bitmap(Isa::Portable, rows, &left, &bitmap, &mut out).is_err());
        assert!(matmul_blocks(Isa::Portable, rows, &left, &blocks, &mut out).is_err());
        assert!(matmul_two_four(rows, &left, &packed, &mut out).is_err());
    }
    matmul_csr(Isa::Portable, 0, &[], &single, &mut []).unwrap();
    let (none, mut out) = (CsrWeights::new(&[], [0, 3]).unwrap(), [7.0; 6]);
    matmul_csr(Isa::Portable, 2, &[], &none, &mut out).unwrap();
    assert_eq!(out, [0.0; 6]);
    out.fill(7.0);
    matmul_bitmap(Isa::Portable, 2, &[], &BitmapWeights::new(&[], [0, 3]).unwrap(), &mut out).unwrap();
    assert_eq!(out, [0.0; 6]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn fewer_channels_and_less_rank_are_smaller_products(
        (m, k, n) in (0..40_usize, 1..120_usize, 0..90_usize),
        // A rank above the full one is as good as any.
        (rank, every) in (0..140_usize, 1..6_usize),
        seed in any::<u64>(),
    ) {
        let left = numbers(m * k, seed);
        let kept: Vec<usize> = (0..k).rev().step_by(every).collect();
        let right = numbers(kept.len() * n, seed ^ 1);
        let mut dense = vec![0.0; k * n];
        for (column, row) in kept.iter().enumerate() {
            (0..n).for_each(|at| dense[row * n + at] = f64::from(right[column * n + at]));
        }
        let [first, second] = [numbers(k * rank, seed ^ 2), numbers(rank * n, seed ^ 3)];
        for isa in present() {
            let mut out = vec![f32::NAN; m * n];
            matmul_kept(isa, [m, k, n], &left, &kept, &right, &mut out).unwrap();
            within(isa.name(), [m, k, n], [&left, &out], &dense, kept.len());
            out.fill(f32::NAN);
            matmul_low_rank(isa, [m, k, rank, n], &left, [&first, &second], &mut out).unwrap();
            let [mut middle, mut twice] = [vec![0.0; m * rank], vec![0.0; m * n]];
            matmul(&Product { size: [m, k, rank], left: &left, right: &first, isa }, &mut middle).unwrap();
            matmul(&Product { size: [m, rank, n], left: &middle, right: &second, isa }, &mut twice).unwrap();
            prop_assert_eq!(&out, &twice, "{}", isa.name());
        }
    }
}

#[test]
fn channels_that_are_not_there_are_refused() {
    let said =
        matmul_kept(Isa::Portable, [1, 2, 1], &[1.0; 2], &[0, 2], &[1.0; 2], &mut [0.0]).unwrap_err().to_string();
    assert_eq!(said, "column 2 is kept of 2 columns, numbered from 0");
    assert!(matmul_kept(Isa::Portable, [1, 2, 1], &[1.0; 2], &[1], &[1.0; 2], &mut [0.0]).is_err());
    let mut out = [7.0];
    matmul_kept(Isa::Portable, [1, 2, 1], &[1.0; 2], &[], &[], &mut out).unwrap();
    assert_eq!(out, [0.0], "nothing is left");
    assert!(matmul_low_rank(Isa::Portable, [1, 2, 1, 1], &[1.0; 2], [&[1.0; 2], &[1.0; 2]], &mut [0.0]).is_err());
}
