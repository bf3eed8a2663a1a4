//! What a machine gives at best, by all threads: a copy, sums, and multiply-adds, exponentials, products of bytes and of tiles in
//! registers.

use std::hint::black_box;

use benchbook_core::{DType, Inputs, Metric, Result, Row, Setting, Subject, Support};
use benchbook_simd::{self as simd, ByteDot, Isa, TileFormat, byte_dots, multiply_add, powers, sums, tile_dots};
use benchbook_workloads::roofs::{
    BYTE_PRODUCTS, BYTE_SUMS, CHAINS, Copy, Exp2, FACTOR, Fma, INT8, Int8Dot, POWERS, Read, SHRINK, STEPS, SUMMED,
    TERM, TILE_PRODUCTS, TILE_SUMS, TileDot, TileDotParams,
};
use rayon::prelude::*;

use crate::flex::calls::{Calls, Named};
use crate::flex::engine::{engine_by, integer_engine};
use crate::flex::row::fused_row;
use crate::flex::weight_only::own_flops;

// What the problems name a block and a task is what the kernels take at once.
const _: () = assert!(SUMMED == benchbook_simd::SUMMED && CHAINS == benchbook_simd::CHAINS);
const _: () = assert!(TILE_SUMS == benchbook_simd::TILE_SUMS && TILE_PRODUCTS == benchbook_simd::TILE_PRODUCTS);
const _: () = assert!(BYTE_SUMS == benchbook_simd::BYTE_SUMS && BYTE_PRODUCTS == benchbook_simd::BYTE_PRODUCTS);

/// The C library's `memcpy` on each thread's share, into memory that is there. Bytes are bytes, so `f32` is enough.
pub const MEMCPY: Row<Copy> = Row::<Copy>::new(
    "memcpy",
    "memcpy by all threads, into memory that is there (STREAM, kernel Copy)",
    &["flex"],
    &[DType::F32],
    |_| ("rayon".to_owned(), "1".to_owned()),
    |name, setting, _, inputs| {
        let from = inputs.get("from");
        let share = from.len().div_ceil(SHARES * setting.threads.max(1)).max(1);
        let copy = move |from: &[f32], to: &mut [f32]| {
            let shares = to.par_chunks_mut(share).zip(from.par_chunks(share));
            shares.for_each(|(to, from)| to.copy_from_slice(from));
            Ok(())
        };
        prepare(name, setting, inputs, from.shape().to_vec(), copy)
    },
);

/// Shares of a thread, so that a late one does not hold up the rest for long.
const SHARES: usize = 4;

/// Where the last-level cache does not hold both sides, no line is read before it is written: two thirds of the traffic.
pub const STREAMED: Row<Copy> = fused_row::<Copy>(
    "streamed",
    "hand-written: AVX-512, AVX2 or portable, stores past the caches where the last level does not hold both sides",
    &[DType::F32],
    |name, setting, _, inputs| {
        let shape = inputs.get("from").shape().to_vec();
        prepare(name, setting, inputs, shape, |from: &[f32], to: &mut [f32]| simd::copy(Isa::detect(), from, to))
    },
);

/// Two stretches at a time, asked for ahead.
pub const SUMS: Row<Read> = fused_row::<Read>(
    "sums",
    "hand-written: AVX-512, AVX2 or portable, two stretches at a time, asked for ahead",
    &[DType::F32],
    |name, setting, _, inputs| {
        let blocks = inputs.get("from").len() / SUMMED;
        prepare(name, setting, inputs, vec![blocks], |from: &[f32], to: &mut [f32]| sums(Isa::detect(), from, to))
    },
);

/// As many independent chains as hide the latency of a multiply-add.
pub const FMA_CHAINS: Row<Fma> = fused_row::<Fma>(
    "chains",
    "hand-written: AVX-512, AVX2 or portable, every chain in a register from its first step to its last",
    &[DType::F32],
    |name, setting, _, inputs| {
        let shape = inputs.get("from").shape().to_vec();
        prepare(name, setting, inputs, shape, |from: &[f32], to: &mut [f32]| {
            multiply_add(Isa::detect(), STEPS, black_box([FACTOR, TERM]), from, to)
        })
    },
);

/// The same by AVX2, also where there are wider registers.
pub const FMA_AVX2: Row<Fma> = chains_by::<false>("chains-avx2", "hand-written: as chains, by AVX2 alone");

/// The same by AVX-512.
pub const FMA_AVX512: Row<Fma> = chains_by::<true>("chains-avx512", "hand-written: as chains, by AVX-512 alone");

const fn isa_of(wide: bool) -> Isa {
    if wide { Isa::Avx512 } else { Isa::Avx2 }
}

const fn chains_by<const WIDE: bool>(name: &'static str, about: &'static str) -> Row<Fma> {
    Row::<Fma>::new(
        name,
        about,
        &["flex"],
        &[DType::F32],
        |_| engine_by(isa_of(WIDE).name(), isa_of(WIDE).present()),
        |name, setting, _, inputs| {
            let shape = inputs.get("from").shape().to_vec();
            prepare(name, setting, inputs, shape, |from: &[f32], to: &mut [f32]| {
                multiply_add(isa_of(WIDE), STEPS, black_box([FACTOR, TERM]), from, to)
            })
        },
    )
    .only(|_, _, _| here(isa_of(WIDE).name(), isa_of(WIDE).present()))
    .on_request()
}

/// Whether a row for these instructions takes cases on this processor.
fn here(instructions: &str, present: bool) -> Support {
    if present { Support::Yes } else { Support::No(format!("this processor has no {instructions}")) }
}

/// The exponential that our kernels use, as often as its instructions let it.
pub const POWERS_OF_TWO: Row<Exp2> = fused_row::<Exp2>(
    "powers",
    "hand-written: AVX-512, AVX2 or portable, exponents and sums in registers from the first step to the last",
    &[DType::F32],
    |name, setting, _, inputs| {
        let shape = inputs.get("from").shape().to_vec();
        prepare(name, setting, inputs, shape, |from: &[f32], to: &mut [f32]| {
            powers(Isa::detect(), POWERS, black_box(SHRINK), from, to)
        })
    },
);

/// Codes of eight bits, as weights of products in whole numbers are.
pub const EIGHTS: Row<Int8Dot> = byte_sums::<8>(
    "eights",
    "hand-written: codes of 8 bits by VNNI, AVX2 or portable, sums in registers, factors in the first-level cache",
);

/// Codes of four bits, two in a byte: where there is no VNNI, these may be faster.
pub const FOURS: Row<Int8Dot> = byte_sums::<4>(
    "fours",
    "hand-written: codes of 4 bits by VNNI, AVX2 or portable, sums in registers, factors in the first-level cache",
);

const fn byte_sums<const BITS: usize>(name: &'static str, about: &'static str) -> Row<Int8Dot> {
    Row::<Int8Dot>::new(
        name,
        about,
        &["flex"],
        &[DType::F32],
        |_| integer_engine(),
        |name, setting, _, inputs| {
            let from = inputs.get("from");
            let operations = (2 * BYTE_PRODUCTS * from.len()) as f64;
            let call = |from: &Named, [to]: [&mut [f32]; 1]| byte_dots(ByteDot::detect(), BITS, from.1.of::<f32>(), to);
            let subject = Calls::of_slices(name, setting, Named("from", from.clone()), [from.shape().to_vec()], call);
            // Its operations are none of `f32`, by whose roof it is not held.
            let own = vec![own_flops(0.0), Metric::modelled("int8_ops", operations, "count")];
            Ok(Box::new(subject.with_metrics(own)))
        },
    )
}

/// Tiles of AMX, four of sums and four of factors, from the first product to the last.
pub const TILES: Row<TileDot> = tiles::<2>("amx", "hand-written: AMX, sums and factors in tiles (tdpbssd, tdpbf16ps)");

/// Registers of AVX-512 BF16, which many processors have that have no tiles.
pub const TILES_AVX512: Row<TileDot> = tiles::<1>(
    "avx512-bf16",
    "hand-written: AVX-512 BF16, sums in registers, factors in the first-level cache (vdpbf16ps)",
);

/// What any processor makes of it.
pub const TILES_PLAIN: Row<TileDot> = tiles::<0>("plain", "a plain loop in f32, which holds the same sums exactly");

/// What makes the products, by the number of a row.
const TILE_DOTS: [simd::TileDot; 3] = [simd::TileDot::Plain, simd::TileDot::Avx512Bf16, simd::TileDot::Amx];

fn format_of(params: &TileDotParams) -> TileFormat {
    if params.format == INT8 { TileFormat::Int8 } else { TileFormat::Bf16 }
}

const fn tiles<const BY: usize>(name: &'static str, about: &'static str) -> Row<TileDot> {
    Row::<TileDot>::new(
        name,
        about,
        &["flex"],
        &[DType::F32],
        |_| engine_by(TILE_DOTS[BY].name(), TILE_DOTS[BY].present()),
        |name, setting, params, inputs| {
            let (dot, format, from) = (TILE_DOTS[BY], format_of(params), inputs.get("from"));
            let call = move |from: &Named, [to]: [&mut [f32]; 1]| tile_dots(dot, format, from.1.of::<f32>(), to);
            let subject = Calls::of_slices(name, setting, Named("from", from.clone()), [from.shape().to_vec()], call);
            // As of bytes, it is not held by the roof of `f32`.
            Ok(Box::new(subject.with_metrics(vec![own_flops(0.0)])))
        },
    )
    .only(|_, _, params| {
        let dot = TILE_DOTS[BY];
        if dot.takes(format_of(params)) {
            here(dot.name(), dot.present())
        } else {
            Support::No(format!("{} makes no products of bytes", dot.name()))
        }
    })
}

/// A kernel of the numbers of `from` as something to time; `shape` is that of its result.
fn prepare(
    name: &'static str,
    setting: &Setting,
    inputs: &Inputs,
    shape: Vec<usize>,
    kernel: impl Fn(&[f32], &mut [f32]) -> benchbook_simd::Result<()> + 'static,
) -> Result<Box<dyn Subject>> {
    let from = Named("from", inputs.get("from").clone());
    let kernel = move |from: &Named, [to]: [&mut [f32]; 1]| kernel(from.1.of::<f32>(), to);
    Ok(Box::new(Calls::of_slices(name, setting, from, [shape], kernel)))
}
