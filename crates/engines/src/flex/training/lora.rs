//! A linear layer with an adapter of low rank: weights as they are, and in the four bits of QLoRA.

use benchbook_core::{Array, DType, Inputs, Problem, Result, Row, Setting, Subject};
use benchbook_models::compress::{Coded, Held, Scheme};
use benchbook_simd::{self as simd, Isa, Product, TableWeights, decode_table, matmul_table};
use benchbook_workloads::training::{LoraStep, LoraStepParams};

use crate::flex::calls::{Calls, Named, failed, named, numbers, room};
use crate::flex::row::fused_row;
use crate::flex::weight_only::weight_bytes;

/// Implementations of `lora-step`.
pub const ROWS: [Row<LoraStep>; 2] = [PLAIN, NF4];

/// Rows of weights that are numbers at a time on the way back.
const BLOCK: usize = 256;

const PLAIN: Row<LoraStep> = fused_row::<LoraStep>(
    "fused",
    "products by our own kernels, weights in f32 (LoRA: arXiv 2106.09685)",
    &[DType::F32],
    |name, setting, params, inputs| {
        let weight = inputs.numbers("weight").to_vec();
        let bytes = size_of_val(&weight[..]);
        prepare((name, setting), params, inputs, Weights::Plain(weight), bytes)
    },
)
.catalogue(&["PR5"]);

const NF4: Row<LoraStep> = fused_row::<LoraStep>(
    "nf4-g64",
    "as fused, weights of 4 bits (NF4, groups of 64 along the sum, f32 scales: QLoRA, arXiv 2305.14314), made numbers by panels forward, \
     and by blocks of rows back",
    &[DType::F32],
    |name, setting, params, inputs| {
        let coded = coded(params, inputs).map_err(|why| failed(name, &setting.device, &why))?;
        let bytes = coded.bytes;
        prepare((name, setting), params, inputs, Weights::of(coded), bytes)
    },
)
.catalogue(&["PR5"])
.approximating(|params, inputs, seed| {
    let coded = coded(params, inputs).ok()?;
    let mut inputs = inputs.clone();
    inputs.insert("weight", Array::new(coded.size.to_vec(), &coded.numbers));
    Some(LoraStep::reference(params, &inputs, seed))
});

fn coded(params: &LoraStepParams, inputs: &Inputs) -> Result<Coded, String> {
    let coded = Scheme::Nf4.coded(inputs.numbers("weight"), [params.inner, params.outer]);
    coded.map_err(|error| error.to_string())
}

/// Weights `[inner, outer]` that nothing changes.
enum Weights {
    Plain(Vec<f32>),
    /// Codes of a table, two to a byte.
    Table {
        codes: Vec<u8>,
        values: Vec<f32>,
        scales: Held,
        group: usize,
    },
}

impl Weights {
    fn of(coded: Coded) -> Self {
        let values = (0..1 << coded.code.bits()).map(|code| coded.code.number(code)).collect();
        Self::Table { codes: coded.without_gaps(), values, group: coded.group, scales: coded.scales }
    }

    /// `out = left · W`, of so many rows.
    fn product(&self, isa: Isa, size: [usize; 3], left: &[f32], out: &mut [f32]) -> simd::Result<()> {
        match self {
            Self::Plain(right) => simd::matmul(&Product { size, left, right, isa }, out),
            Self::Table { codes, values, scales, group } => {
                let right = TableWeights { codes, values, scales: scales.lent(), group: *group };
                matmul_table(isa, size, left, &right, out)
            }
        }
    }

    /// `out = W · right`, where `right` is `[outer, columns]`; `block` has room for [`BLOCK`] rows.
    fn times(
        &self,
        isa: Isa,
        [inner, outer, columns]: [usize; 3],
        right: &[f32],
        block: &mut [f32],
        out: &mut [f32],
    ) -> simd::Result<()> {
        match self {
            Self::Plain(left) => simd::matmul(&Product { size: [inner, outer, columns], left, right, isa }, out),
            Self::Table { codes, values, scales, group } => {
                let weights = TableWeights { codes, values, scales: scales.lent(), group: *group };
                for (number, out) in out.chunks_mut(BLOCK * columns).enumerate() {
                    let rows = out.len() / columns;
                    let left = &mut block[..rows * outer];
                    decode_table([inner, outer], &weights, number * BLOCK, left)?;
                    simd::matmul(&Product { size: [rows, outer, columns], left, right, isa }, out)?;
                }
                Ok(())
            }
        }
    }
}

/// Room between inputs and results.
#[derive(Clone)]
struct Room {
    /// `[rows, rank]` forward and back, and turned.
    low: Vec<f32>,
    back: Vec<f32>,
    low_turned: Vec<f32>,
    /// Factors turned: `[rank, inner]` and `[outer, rank]`.
    first_turned: Vec<f32>,
    second_turned: Vec<f32>,
    /// `[inner, rows]` and `[outer, rows]`
    input_turned: Vec<f32>,
    grad_turned: Vec<f32>,
    /// `[inner, rows]`, the gradient of the input turned.
    of_input: Vec<f32>,
    /// `[rows, max(inner, outer)]`, what the adapter adds.
    added: Vec<f32>,
    /// Rows of weights.
    block: Vec<f32>,
}

impl Room {
    fn new(params: &LoraStepParams, weights: &Weights) -> Self {
        let LoraStepParams { rows, inner, outer, rank, .. } = *params;
        let zeros = |count: usize| vec![0.0; count];
        let decoded = if matches!(weights, Weights::Plain(_)) { 0 } else { BLOCK.min(inner) };
        Self {
            low: zeros(rows * rank),
            back: zeros(rows * rank),
            low_turned: zeros(rows * rank),
            first_turned: zeros(inner * rank),
            second_turned: zeros(rank * outer),
            input_turned: zeros(rows * inner),
            grad_turned: zeros(rows * outer),
            of_input: zeros(rows * inner),
            added: zeros(rows * inner.max(outer)),
            block: zeros(decoded * outer),
        }
    }
}

fn add(to: &mut [f32], other: &[f32]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}

fn prepare(
    (name, setting): (&'static str, &Setting),
    params: &LoraStepParams,
    inputs: &Inputs,
    weights: Weights,
    bytes: usize,
) -> Result<Box<dyn Subject>> {
    let LoraStepParams { rows, inner, outer, rank, scale } = *params;
    let outputs = [[rows, outer], [rows, inner], [inner, rank], [rank, outer]].map(|shape| room::<f32>(shape.into()));
    let between = Room::new(params, &weights);
    let copy = || Ok((named(inputs, ["input", "first", "second", "grad"]), between.clone()));
    let kernel = move |(inputs, room): &mut ([Named; 4], Room), outputs: &mut [Array; 4]| {
        let [input, first, second, grad] = numbers(inputs);
        let [output, input_grad, first_grad, second_grad] = outputs.each_mut().map(|array| array.of_mut::<f32>());
        let isa = Isa::detect();
        let matmul = |size: [usize; 3], left: &[f32], right: &[f32], out: &mut [f32]| {
            simd::matmul(&Product { size, left, right, isa }, out)
        };
        let scaled = |numbers: &mut [f32]| numbers.iter_mut().for_each(|number| *number *= scale as f32);
        // Forward: what lies between the factors is scaled once for all that is made of it.
        matmul([rows, inner, rank], input, first, &mut room.low)?;
        scaled(&mut room.low);
        weights.product(isa, [rows, inner, outer], input, output)?;
        let added = &mut room.added[..rows * outer];
        matmul([rows, rank, outer], &room.low, second, added)?;
        add(output, added);
        // Back: through the second factor, and through the weights as they lie.
        simd::transpose([rank, outer], second, &mut room.second_turned)?;
        matmul([rows, outer, rank], grad, &room.second_turned, &mut room.back)?;
        scaled(&mut room.back);
        simd::transpose([rows, outer], grad, &mut room.grad_turned)?;
        weights.times(isa, [inner, outer, rows], &room.grad_turned, &mut room.block, &mut room.of_input)?;
        simd::transpose([inner, rows], &room.of_input, input_grad)?;
        simd::transpose([inner, rank], first, &mut room.first_turned)?;
        let added = &mut room.added[..rows * inner];
        matmul([rows, rank, inner], &room.back, &room.first_turned, added)?;
        add(input_grad, added);
        // The gradients of the factors.
        simd::transpose([rows, inner], input, &mut room.input_turned)?;
        matmul([inner, rows, rank], &room.input_turned, &room.back, first_grad)?;
        simd::transpose([rows, rank], &room.low, &mut room.low_turned)?;
        matmul([rank, rows, outer], &room.low_turned, grad, second_grad)
    };
    Ok(Box::new(Calls::new(name, setting, copy, &outputs, kernel)?.with_metrics(vec![weight_bytes(bytes)])))
}
