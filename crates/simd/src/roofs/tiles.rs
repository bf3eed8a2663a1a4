//! Products of tiles, the one operation of AMX, whose sums and factors never leave its registers.
#![expect(unsafe_code, reason = "instructions that Rust has no functions for, on tiles of a fixed size")]

use std::hint::black_box;

use half::bf16;

use crate::error::{Error, Result, expect_len};
use crate::team::parallel_for;

/// Sums of a task, 32 rows of 32.
pub const SUMS: usize = SIDE * SIDE;

/// Products of a sum.
pub const PRODUCTS: usize = 16_384;

const SIDE: usize = 32;

/// Steps of the factors, which are taken again and again.
const STEPS: usize = 32;

/// Bytes of a row of a tile, which has 16 rows.
const LINE: usize = 64;

/// Rows of a tile, and columns of its sums.
const TILE: usize = 16;

/// What makes the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileDot {
    /// A plain loop over `f32`, which holds these whole numbers exactly.
    Plain,
    /// AVX-512 BF16: `vdpbf16ps`, on registers of 16 sums. It has no bytes.
    Avx512Bf16,
    /// AMX: `tdpbssd` and `tdpbf16ps`, on tiles of 1 KiB.
    Amx,
}

/// What the factors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileFormat {
    /// Bytes, added up in 32 bits.
    Int8,
    /// bf16, added up in f32.
    Bf16,
}

impl TileDot {
    /// Whether this processor has it, and the system lets this process use it.
    pub fn present(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512Bf16 => false,
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Amx => amx::present(),
            #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
            Self::Amx => false,
        }
    }

    /// The name, as records and errors show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "portable",
            Self::Avx512Bf16 => "AVX-512 BF16",
            Self::Amx => "AMX",
        }
    }

    /// Whether it makes products of this format.
    pub fn takes(self, format: TileFormat) -> bool {
        self != Self::Avx512Bf16 || format == TileFormat::Bf16
    }
}

/// The left factor of a row at a step.
fn left(row: usize, step: usize) -> i8 {
    ((row + step) % 8) as i8
}

/// The right factor of a column at a step.
fn right(column: usize, step: usize) -> i8 {
    ((column + step) % 5) as i8 - 1
}

/// Each of `from` `[tasks, 32, 32]` and the sum of 16,384 products, into `out`: of step `s` of 32, which are taken again and again, the
/// left factor of row `r` is `(r + s) % 8`, and the right one of column `c` is `(c + s) % 5 − 1`. Both formats hold these exactly.
///
/// # Errors
/// Numbers that are no whole tasks or not as many as results, instructions that are absent, not allowed, or not for the format.
pub fn tile_dots(dot: TileDot, format: TileFormat, from: &[f32], out: &mut [f32]) -> Result<()> {
    if !from.len().is_multiple_of(SUMS) {
        return Err(Error::Shape(format!("{} numbers are no whole number of tasks of {SUMS}", from.len())));
    }
    expect_len("the results", &[from.len()], out.len())?;
    if !dot.present() {
        return Err(Error::Isa(dot.name()));
    }
    if !dot.takes(format) {
        return Err(Error::Shape(format!("{} makes no products of bytes", dot.name())));
    }
    match dot {
        TileDot::Plain => run(from, out, plain),
        #[cfg(target_arch = "x86_64")]
        TileDot::Avx512Bf16 => {
            let factors = Factors::of(format);
            // SAFETY: it is present.
            run(from, out, |sums| unsafe { pairs::sums(&factors, sums) });
        }
        #[cfg(not(target_arch = "x86_64"))]
        TileDot::Avx512Bf16 => return Err(Error::Isa(dot.name())),
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        TileDot::Amx => {
            let factors = Factors::of(format);
            // SAFETY: it is present.
            run(from, out, |sums| unsafe { amx::sums(format, &factors, sums) });
        }
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        TileDot::Amx => return Err(Error::Isa(dot.name())),
    }
    Ok(())
}

/// Every task with the sums that `work` makes, on all threads.
fn run(from: &[f32], out: &mut [f32], work: impl Fn(&mut [f32; SUMS]) + Sync) {
    parallel_for(out.chunks_exact_mut(SUMS).zip(from.chunks_exact(SUMS)), |(out, from)| {
        let mut sums = [0.0; SUMS];
        work(&mut sums);
        for ((to, number), sum) in out.iter_mut().zip(from).zip(&sums) {
            *to = number + sum;
        }
    });
}

fn plain(sums: &mut [f32; SUMS]) {
    let mut rights = [0.0; STEPS * SIDE];
    for (at, to) in rights.iter_mut().enumerate() {
        *to = f32::from(right(at % SIDE, at / SIDE));
    }
    let rights = black_box(rights);
    for (row, sums) in sums.chunks_exact_mut(SIDE).enumerate() {
        for _ in 0..PRODUCTS / STEPS {
            for (step, rights) in rights.chunks_exact(SIDE).enumerate() {
                let left = f32::from(left(row, step));
                sums.iter_mut().zip(rights).for_each(|(sum, right)| *sum += left * right);
            }
        }
    }
}

/// The factors as AMX and AVX-512 BF16 take them: two tiles of rows, and two of columns, whose rows hold four bytes of each column, of
/// steps that follow each other (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18).
#[repr(C, align(64))]
struct Factors {
    left: [u8; SIDE * LINE],
    right: [u8; SIDE * LINE],
}

impl Factors {
    fn of(format: TileFormat) -> Self {
        let width = match format {
            TileFormat::Int8 => 1,
            TileFormat::Bf16 => 2,
        };
        let mut all = Self { left: [0; SIDE * LINE], right: [0; SIDE * LINE] };
        let group = 4 / width;
        for (side, step) in (0..SIDE).flat_map(|side| (0..LINE / width).map(move |step| (side, step))) {
            let at = side * LINE + step * width;
            put(left(side, step % STEPS), &mut all.left[at..][..width]);
            let row = side / TILE * TILE + step / group;
            let at = row * LINE + side % TILE * 4 + step % group * width;
            put(right(side, step % STEPS), &mut all.right[at..][..width]);
        }
        all
    }
}

/// A number in one byte, or in two as bf16.
fn put(number: i8, to: &mut [u8]) {
    match to {
        [byte] => *byte = number.cast_unsigned(),
        two => two.copy_from_slice(&bf16::from_f32(f32::from(number)).to_bits().to_le_bytes()),
    }
}

#[cfg(target_arch = "x86_64")]
mod pairs {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    use std::hint::black_box;
    use std::mem::transmute;

    use super::{Factors, LINE, PRODUCTS, SIDE, STEPS, SUMS, TILE};

    /// Rows whose sums are in registers at once, two for each: none waits for the one before.
    const ROWS: usize = 8;

    /// The sums of a task.
    ///
    /// # Safety
    /// The processor has AVX-512 BF16, and the factors are in bf16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn sums(factors: &Factors, sums: &mut [f32; SUMS]) {
        // A line of a row holds the pairs of all steps, and two tiles of columns have as many lines each.
        const { assert!(2 * STEPS == LINE && STEPS == 2 * TILE && SIDE == 2 * TILE && SIDE == 4 * ROWS) };
        for (block, sums) in sums.chunks_exact_mut(ROWS * SIDE).enumerate() {
            let mut all = [[_mm512_setzero_ps(); 2]; ROWS];
            for _ in 0..PRODUCTS / STEPS {
                // They are read anew each time, whatever a compiler knows of them.
                let factors = black_box(factors);
                for pair in 0..STEPS / 2 {
                    // SAFETY: the lines are there as said above, each at a multiple of its bytes.
                    unsafe {
                        let columns = factors.right.as_ptr().cast::<__m512bh>().add(pair);
                        let right = [columns.read(), columns.add(TILE).read()];
                        for (row, sums) in all.iter_mut().enumerate() {
                            let line = factors.left.as_ptr().add((block * ROWS + row) * LINE);
                            let left = _mm512_set1_epi32(line.cast::<i32>().add(pair).read());
                            let left = transmute::<__m512i, __m512bh>(left);
                            sums[0] = _mm512_dpbf16_ps(sums[0], left, right[0]);
                            sums[1] = _mm512_dpbf16_ps(sums[1], left, right[1]);
                        }
                    }
                }
            }
            for (to, row) in sums.chunks_exact_mut(SIDE).zip(all) {
                // SAFETY: a row has the sums of two registers.
                unsafe {
                    _mm512_storeu_ps(to.as_mut_ptr(), row[0]);
                    _mm512_storeu_ps(to.as_mut_ptr().add(TILE), row[1]);
                }
            }
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::sync::OnceLock;

    use super::{Factors, LINE, PRODUCTS, SIDE, SUMS, TILE, TileFormat};

    /// What `ldtilecfg` reads: palette 1, and of each of eight tiles the bytes of a row, and rows.
    #[repr(C, align(64))]
    struct Shape([u8; 64]);

    static SHAPE: Shape = Shape(shape());

    const fn shape() -> [u8; 64] {
        let mut all = [0; 64];
        all[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            all[16 + 2 * tile] = LINE as u8;
            all[48 + tile] = TILE as u8;
            tile += 1;
        }
        all
    }

    /// Words of a tile's results, whose rows lie between those of the tile beside it.
    #[repr(C, align(64))]
    struct Words([u32; SUMS]);

    /// Whether the processor multiplies tiles of both formats, and the system keeps them for this process.
    pub fn present() -> bool {
        static PRESENT: OnceLock<bool> = OnceLock::new();
        *PRESENT.get_or_init(|| {
            // AMX-BF16, AMX-TILE and AMX-INT8.
            let wanted = (1 << 22) | (1 << 24) | (1 << 25);
            __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & wanted == wanted && allowed()
        })
    }

    /// Asks Linux for room for tiles, which it gives a process that asks (Documentation/arch/x86/xstate.rst).
    fn allowed() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
        const XFEATURE_XTILEDATA: u64 = 18;
        let answer: i64;
        // SAFETY: the call takes two numbers and touches no memory of this process; the kernel keeps all but these registers.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => answer,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XFEATURE_XTILEDATA,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        answer == 0
    }

    /// Four tiles of sums by an instruction; the tiles are as they were, empty, afterwards.
    macro_rules! multiply {
        ($instruction:literal, $steps:expr, $factors:expr, $words:expr) => {
            asm!(
                "ldtilecfg [{shape}]",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "tileloadd tmm4, [{left} + {line}*1]",
                "tileloadd tmm5, [{left} + {line}*1 + 1024]",
                "tileloadd tmm6, [{right} + {line}*1]",
                "tileloadd tmm7, [{right} + {line}*1 + 1024]",
                "2:",
                concat!($instruction, " tmm0, tmm4, tmm6"),
                concat!($instruction, " tmm1, tmm4, tmm7"),
                concat!($instruction, " tmm2, tmm5, tmm6"),
                concat!($instruction, " tmm3, tmm5, tmm7"),
                "dec {steps}",
                "jnz 2b",
                "tilestored [{words} + {beside}*1], tmm0",
                "tilestored [{words} + {beside}*1 + 64], tmm1",
                "tilestored [{words} + {beside}*1 + 2048], tmm2",
                "tilestored [{words} + {beside}*1 + 2112], tmm3",
                "tilerelease",
                shape = in(reg) SHAPE.0.as_ptr(),
                left = in(reg) $factors.left.as_ptr(),
                right = in(reg) $factors.right.as_ptr(),
                line = in(reg) LINE,
                steps = inout(reg) $steps => _,
                words = in(reg) $words.0.as_mut_ptr(),
                beside = in(reg) 2 * LINE,
                options(nostack),
            )
        };
    }

    /// The sums of a task.
    ///
    /// # Safety
    /// [`present`] says yes.
    pub unsafe fn sums(format: TileFormat, factors: &Factors, sums: &mut [f32; SUMS]) {
        let mut words = Words([0; SUMS]);
        // The instructions reach 1 KiB behind the first of these, and so many words.
        const { assert!(SIDE * LINE == 2048 && SUMS * 4 == 4096) };
        match format {
            TileFormat::Int8 => {
                // SAFETY: the instructions are there, and factors and words as large as they reach.
                unsafe { multiply!("tdpbssd", PRODUCTS / LINE, factors, words) };
                for (sum, word) in sums.iter_mut().zip(words.0) {
                    *sum = word.cast_signed() as f32;
                }
            }
            TileFormat::Bf16 => {
                // SAFETY: as above.
                unsafe { multiply!("tdpbf16ps", 2 * PRODUCTS / LINE, factors, words) };
                for (sum, word) in sums.iter_mut().zip(words.0) {
                    *sum = f32::from_bits(word);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_added_in_its_place() {
        // Exact in f32: whole numbers below 2^24.
        let from: Vec<f32> = (0..5 * SUMS).map(|at| at as f32).collect();
        let sum = |row: usize, column: usize| {
            let products = (0..STEPS).map(|step| i32::from(left(row, step)) * i32::from(right(column, step)));
            (PRODUCTS / STEPS) as f32 * products.sum::<i32>() as f32
        };
        assert!(sum(0, 0) != sum(1, 0) && sum(0, 0) != sum(0, 1) && sum(0, 0) != 0.0, "else nothing shows");
        let all = [TileDot::Plain, TileDot::Avx512Bf16, TileDot::Amx];
        for dot in all.into_iter().filter(|dot| dot.present()) {
            for format in [TileFormat::Int8, TileFormat::Bf16].into_iter().filter(|format| dot.takes(*format)) {
                let mut out = vec![f32::NAN; from.len()];
                tile_dots(dot, format, &from, &mut out).unwrap();
                for (at, found) in out.iter().enumerate() {
                    let right = at as f32 + sum(at / SIDE % SIDE, at % SIDE);
                    assert_eq!(*found, right, "{} in {format:?} at {at}", dot.name());
                }
            }
        }
    }

    #[test]
    fn what_is_no_task_or_not_here_is_refused() {
        let said =
            |dot, from: &[f32], out: &mut [f32]| tile_dots(dot, TileFormat::Int8, from, out).unwrap_err().to_string();
        assert!(said(TileDot::Plain, &[0.0; 5], &mut [0.0; 5]).contains("1024"));
        assert!(said(TileDot::Plain, &[0.0; SUMS], &mut []).contains("the results holds 0"));
        if !TileDot::Amx.present() {
            assert_eq!(said(TileDot::Amx, &[], &mut []), "this processor has no AMX");
        }
        let of_bytes = said(TileDot::Avx512Bf16, &[], &mut []);
        let here = TileDot::Avx512Bf16.present();
        let right = if here { "AVX-512 BF16 makes no products of bytes" } else { "this processor has no AVX-512 BF16" };
        assert_eq!(of_bytes, right);
    }
}
