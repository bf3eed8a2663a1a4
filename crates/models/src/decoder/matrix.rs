//! A matrix of a decoder in one of many forms, each multiplied by the kernel that is made for it.

use std::sync::Arc;

use benchbook_simd::{
    Activation, CsrWeights, Isa, LinearWeights, PackedWeights, Pruned, TwoFourWeights, activate, linear, matmul_csr,
    matmul_low_rank, matmul_packed, matmul_two_four,
};

use half::bf16;

use crate::compress::{Factors, Scheme, singles, two_of_four};
use crate::error::Result;
use crate::packing::transposed;

/// Rows whose codes are decoded one by one whatever their number: each has the same bits in any company.
const FEW: usize = 8;

/// What a matrix `[inner, outer]` becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Numbers as they are.
    #[default]
    Plain,
    /// Numbers of bf16, rounded to nearest, which registers widen; only matrices, not the table of embeddings.
    Bf16,
    /// Codes of few bits, decoded in registers; only matrices become codes, not the table of embeddings.
    Coded(Scheme),
    /// Two of every four numbers down a column.
    TwoOfFour,
    /// All but so many percent of the numbers, the smallest.
    Singles(usize),
    /// Two factors of such a part of the full rank: 8 for an eighth.
    LowRank(usize),
}

impl Form {
    /// Puts zeros in the place of what is left out; of other forms, all stays.
    pub fn prune(self, numbers: &mut [f32], [_, outer]: [usize; 2]) {
        match self {
            Self::TwoOfFour => two_of_four(numbers, outer),
            Self::Singles(percent) => singles(numbers, percent),
            Self::Plain | Self::Bf16 | Self::Coded(_) | Self::LowRank(_) => {}
        }
    }

    /// The numbers `[inner, outer]` that the form of a matrix stands for.
    ///
    /// # Errors
    /// More or fewer numbers than the matrix has places.
    pub fn stands_for(self, mut numbers: Vec<f32>, size: [usize; 2]) -> Result<Vec<f32>> {
        match self {
            Self::Coded(scheme) => Ok(scheme.coded(&numbers, size)?.numbers),
            Self::Bf16 => Ok(halves(&numbers).iter().map(|half| half.to_f32()).collect()),
            Self::LowRank(part) => {
                let factors = Factors::shared(&numbers, size, rank(size, part));
                // Nothing of the matrix lies beside what stands for it.
                drop(numbers);
                Ok(factors.product())
            }
            Self::Plain | Self::TwoOfFour | Self::Singles(_) => {
                self.prune(&mut numbers, size);
                Ok(numbers)
            }
        }
    }

    /// The same of a matrix as checkpoints of LLaMA have it, `[outer, inner]`.
    ///
    /// # Errors
    /// As there.
    pub fn stands_for_rows(self, rows: &[f32], [outer, inner]: [usize; 2]) -> Result<Vec<f32>> {
        if self == Self::Plain {
            return Ok(rows.to_vec());
        }
        let numbers = self.stands_for(transposed(rows, inner), [inner, outer])?;
        Ok(transposed(&numbers, outer))
    }
}

/// Numbers rounded to bf16.
fn halves(numbers: &[f32]) -> Vec<bf16> {
    numbers.iter().map(|number| bf16::from_f32(*number)).collect()
}

/// Such a part of the full rank, one at least.
fn rank([inner, outer]: [usize; 2], part: usize) -> usize {
    (inner.min(outer) / part).max(1)
}

/// A matrix `[inner, outer]`, and what is added to its products.
#[derive(Debug)]
pub struct Matrix {
    size: [usize; 2],
    kind: Box<Kind>,
    /// Of every form but the plain one, which has it packed.
    bias: Option<Vec<f32>>,
    isa: Isa,
    held: Held,
}

#[derive(Debug)]
enum Kind {
    Plain(LinearWeights),
    Coded(PackedWeights),
    TwoOfFour(TwoFourWeights),
    Singles(CsrWeights),
    LowRank(Arc<Factors>),
}

/// What matrices take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes that a product reads of them.
    pub bytes: usize,
    /// Numbers that are multiplied: of a row, two operations each.
    pub numbers: usize,
}

impl std::ops::Add for Held {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, numbers: self.numbers + other.numbers }
    }
}

impl std::iter::Sum for Held {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), std::ops::Add::add)
    }
}

impl Matrix {
    /// Packs `weight` `[inner, outer]` in a form. What is pruned has its zeros already ([`Form::prune`]).
    ///
    /// # Errors
    /// Slices of the wrong length, or what the kernel of the form refuses.
    pub fn new(form: Form, size: [usize; 2], weight: &[f32], bias: Option<&[f32]>, isa: Isa) -> Result<Self> {
        let kind = match form {
            Form::Plain => Kind::Plain(LinearWeights::new(size, weight, bias, isa)?),
            Form::Bf16 => Kind::Coded(PackedWeights::of_bf16(&halves(weight), size, isa)?),
            Form::Coded(scheme) => Kind::Coded(PackedWeights::new(&scheme.coded(weight, size)?.weights(), isa)?),
            Form::TwoOfFour => Kind::TwoOfFour(TwoFourWeights::new(&Pruned::Numbers(weight, size), isa)?),
            Form::Singles(_) => Kind::Singles(CsrWeights::new(weight, size)?),
            Form::LowRank(part) => Kind::LowRank(Factors::shared(weight, size, rank(size, part))),
        };
        let kept = weight.iter().filter(|number| **number != 0.0).count();
        let held = match &kind {
            Kind::Plain(_) => Held { bytes: size_of_val(weight), numbers: weight.len() },
            Kind::Coded(packed) => Held { bytes: packed.bytes(), numbers: weight.len() },
            Kind::TwoOfFour(packed) => Held { bytes: packed.bytes(), numbers: kept },
            Kind::Singles(packed) => Held { bytes: packed.bytes(), numbers: kept },
            Kind::LowRank(factors) => {
                let numbers = factors.first.len() + factors.second.len();
                Held { bytes: numbers * size_of::<f32>(), numbers }
            }
        };
        let bias = bias.filter(|_| form != Form::Plain).map(<[f32]>::to_vec);
        Ok(Self { size, kind: Box::new(kind), bias, isa, held })
    }

    /// What it takes.
    pub fn held(&self) -> Held {
        self.held
    }

    /// Numbers of a row that it multiplies.
    pub fn inner(&self) -> usize {
        self.size[0]
    }

    /// f(`input` · weight + bias) into `out` `[rows, outer]`, of `input` `[rows, inner]`. In a plain form and in codes, a row of a few has
    /// the same bits in any company.
    ///
    /// # Errors
    /// Slices of the wrong length.
    pub fn apply(&self, activation: Activation, input: &[f32], out: &mut [f32]) -> Result<()> {
        let [inner, outer] = self.size;
        let rows = input.len() / inner;
        match &*self.kind {
            Kind::Plain(weights) => return Ok(linear(weights, activation, input, out)?),
            Kind::Coded(weights) => {
                // More rows than are a step of decoding: their weights are decoded once for all.
                let each = if rows > super::MOST_STEP { rows } else { FEW };
                for (input, out) in input.chunks(each * inner).zip(out.chunks_mut(each * outer)) {
                    matmul_packed(input.len() / inner, input, weights, out)?;
                }
            }
            Kind::TwoOfFour(weights) => matmul_two_four(rows, input, weights, out)?,
            Kind::Singles(weights) => matmul_csr(self.isa, rows, input, weights, out)?,
            Kind::LowRank(factors) => {
                let Factors { first, second, size: [_, rank, _] } = &**factors;
                matmul_low_rank(self.isa, [rows, inner, *rank, outer], input, [first, second], out)?;
            }
        }
        if let Some(bias) = &self.bias {
            for row in out.chunks_exact_mut(outer) {
                row.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
            }
        }
        if activation != Activation::None {
            activate(self.isa, activation, out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::Tensor;
    use crate::weights::Seeded;

    fn drawn(name: &str, shape: [usize; 2]) -> Vec<f32> {
        Seeded { seed: 3 }.drawn(&Tensor { name: name.to_owned(), shape: shape.to_vec(), mean: 0.0, deviation: 1.0 })
    }

    const CODED: [Form; 9] = [
        Form::Bf16,
        Form::Coded(Scheme::Int8),
        Form::Coded(Scheme::Int8G32),
        Form::Coded(Scheme::Int4G32),
        Form::Coded(Scheme::E4m3),
        Form::Coded(Scheme::Mxfp6E2m3Floor),
        Form::Coded(Scheme::Mxfp6E3m2Floor),
        Form::Coded(Scheme::Mxfp4),
        Form::Coded(Scheme::Nf4),
    ];

    /// Beside plain loops in `f64` over the numbers that the form stands for.
    #[test]
    fn every_form_multiplies_by_the_numbers_that_it_stands_for() {
        let (size, isa) = ([70, 37], Isa::detect());
        let (weight, bias) = (drawn("w", size), drawn("b", [1, 37]));
        let turned = transposed(&weight, 37);
        let others = [Form::Plain, Form::TwoOfFour, Form::Singles(50), Form::LowRank(4)];
        for form in CODED.into_iter().chain(others) {
            let mut pruned = weight.clone();
            form.prune(&mut pruned, size);
            let matrix = Matrix::new(form, size, &pruned, Some(&bias), isa).unwrap();
            let stands_for = form.stands_for(weight.clone(), size).unwrap();
            assert_eq!(transposed(&form.stands_for_rows(&turned, [37, 70]).unwrap(), 70), stands_for, "{form:?}");
            for rows in [1, 3, 9, 16, 20, 40] {
                let input = drawn("x", [rows, 70]);
                let mut out = vec![f32::NAN; rows * 37];
                matrix.apply(Activation::Gelu, &input, &mut out).unwrap();
                for (row, out) in out.chunks_exact(37).enumerate() {
                    for (column, found) in out.iter().enumerate() {
                        let terms = (0..70)
                            .map(|step| f64::from(input[row * 70 + step]) * f64::from(stands_for[step * 37 + column]));
                        let sum = terms.sum::<f64>() + f64::from(bias[column]);
                        let inner = (2.0 / std::f64::consts::PI).sqrt() * (sum + 0.044_715 * sum.powi(3));
                        let wanted = 0.5 * sum * (1.0 + inner.tanh());
                        // Sums of 70 products of standard numbers are about 8, and rounded to 2⁻²⁴ some tens of times.
                        assert!((f64::from(*found) - wanted).abs() < 1e-4, "{form:?} {rows}: {found} {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_company() {
        let ([inner, outer], isa) = ([67, 45], Isa::detect());
        let weight = drawn("w", [inner, outer]);
        for form in CODED.into_iter().chain([Form::Plain]) {
            let matrix = Matrix::new(form, [inner, outer], &weight, None, isa).unwrap();
            for rows in [1, 8, 9, super::super::MOST_STEP] {
                let input = drawn("x", [rows, inner]);
                let mut out = vec![f32::NAN; rows * outer];
                matrix.apply(Activation::None, &input, &mut out).unwrap();
                let mut alone = vec![f32::NAN; outer];
                matrix.apply(Activation::None, &input[(rows - 1) * inner..], &mut alone).unwrap();
                assert_eq!(alone, out[(rows - 1) * outer..], "{form:?} {rows}");
            }
        }
    }

    #[test]
    fn fewer_bits_are_fewer_bytes_and_farther_off() {
        let rows: Vec<f32> = (0..96 * 128).map(|at| ((at * 7919) % 1013) as f32 / 506.0 - 1.0).collect();
        let forms = [Form::Plain, Form::Coded(Scheme::Int8G32), Form::Coded(Scheme::Int4G32), Form::Bf16];
        let off = forms.map(|form| {
            let rounded = form.stands_for_rows(&rows, [96, 128]).unwrap();
            rounded.iter().zip(&rows).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()))
        });
        // Half a step of a group's largest number: of 127 and of 7½.
        assert_eq!(off[0], 0.0);
        assert!(off[1] <= 1.0001 / 254.0 && off[2] <= 1.0001 / 15.0 && off[2] > off[1], "{off:?}");
        // Eight bits of a mantissa, the first of them hidden: half a step below 1 is 2⁻⁹ at most.
        assert!(off[3] > 0.0 && off[3] <= 1.0 / 512.0, "{off:?}");
        let bytes = forms.map(|form| Matrix::new(form, [128, 96], &rows, None, Isa::detect()).unwrap().held().bytes);
        assert_eq!(bytes[0], 4 * 96 * 128);
        // Eight and four bits, and a scale of 32 for each group, columns filled up to panels of 32 at most.
        assert!(bytes[1] <= 9 * 128 * 128 / 8 && bytes[2] <= 5 * 128 * 128 / 8, "{bytes:?}");
        assert_eq!(bytes[3], 2 * 96 * 128 + 96, "two bytes a number, and one a column");
    }

    #[test]
    fn forms_take_less_and_say_how_much() {
        let (size, isa) = ([128, 64], Isa::detect());
        let weight = drawn("w", size);
        let held = |form: Form| {
            let mut pruned = weight.clone();
            form.prune(&mut pruned, size);
            Matrix::new(form, size, &pruned, None, isa).unwrap().held()
        };
        let plain = held(Form::Plain);
        assert_eq!(plain, Held { bytes: 4 * 8192, numbers: 8192 });
        assert_eq!(held(Form::TwoOfFour).numbers, 4096);
        assert_eq!(held(Form::Singles(75)).numbers, 2048);
        assert_eq!(held(Form::LowRank(8)), Held { bytes: 4 * 8 * 192, numbers: 8 * 192 });
        assert!(held(Form::Coded(Scheme::Int8)).bytes < plain.bytes * 27 / 100);
        assert!(held(Form::Coded(Scheme::Int4G32)).bytes < plain.bytes * 17 / 100);
        assert_eq!(held(Form::Coded(Scheme::Int8)).numbers, plain.numbers);
    }
}
