//! What the kernels ask of an instruction set, and the one loop that does the arithmetic: `ROWS` × two registers of sums,
//! all of them kept in registers.
#![expect(unsafe_code, reason = "instructions that not every CPU has; pointers, whose bounds callers check per block")]

/// A register of `f32`, and the operations on it.
///
/// The kernels are written once, generic over this trait and inlined into one function per instruction set
/// (see [`crate::isa`]), where the methods become single instructions.
///
/// # Safety
/// `LANES` is the number of `f32` that `load` reads and `store` writes, and `Self` is as large.
pub unsafe trait Vector: Copy {
    /// `f32` in a register.
    const LANES: usize;

    /// The same number in every lane.
    ///
    /// # Safety
    /// As for every method of this trait: the CPU has the instruction set.
    unsafe fn splat(value: f32) -> Self;

    /// # Safety
    /// `LANES` numbers can be read at `from`, aligned or not.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `LANES` numbers can be written at `to`, aligned or not.
    unsafe fn store(self, to: *mut f32);

    /// As `store`, past the caches where the CPU can: other threads see it only behind a fence.
    ///
    /// # Safety
    /// `LANES` numbers can be written at `to`, which is aligned to as many bytes.
    unsafe fn stream(self, to: *mut f32);

    /// `self · b + c`, rounded once where the CPU can.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn add(self, other: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn sub(self, other: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn mul(self, other: Self) -> Self;

    /// The larger one; where either is NaN, `self`.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn max(self, other: Self) -> Self;

    /// The smaller one; where either is NaN, `self`.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn min(self, other: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn div(self, other: Self) -> Self;

    /// The largest whole number that is not larger.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn floor(self) -> Self;

    /// Lane `l` of the result is the number at `from + self[l] · step + l`.
    ///
    /// # Safety
    /// Lanes are whole numbers, not negative, whose products with `step` are below 2³¹, and what they name can be read.
    unsafe fn look_up(self, from: *const f32, step: usize) -> Self;

    /// Lane `l` of the result is the unsigned integer of four bits in nibble `l` at `from`, the low one of a byte first.
    ///
    /// # Safety
    /// `LANES / 2` bytes can be read at `from`, aligned or not.
    unsafe fn nibbles(from: *const u8) -> Self;

    /// 2 to the power of each lane, within 3 units of the last place; 0 below −126, infinity from 128 on, NaN stays NaN.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn exp2(self) -> Self;

    /// The sum of all lanes.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn sum(self) -> f32;

    /// The largest lane.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn largest(self) -> f32;
}

/// Coefficients of 2^x on [−½, ½], highest first: minimax with the last fixed at 1, relative error 9.2e-8, 1.6e-7 as
/// rounded in `f32`.
#[expect(clippy::approx_constant, reason = "a coefficient of the fit, near ln 2 and better than it here")]
pub const EXP2: [f32; 6] = [0.001_326_472_7, 0.009_671_513, 0.055_507_336, 0.240_222_42, 0.693_147, 1.0];

/// Below this, 2^x is 0 here: denormal results would cost more than they carry.
pub const LEAST: f32 = -126.0;

/// From this on, 2^x is infinity.
pub const MOST: f32 = 128.0;

/// Sums of a tile: two registers a row.
pub type Sums<V, const ROWS: usize> = [[V; 2]; ROWS];

/// Numbers of one factor of a product: element (`row`, `step`) lies at `start + row · per_row + step · per_step`.
#[derive(Clone, Copy)]
pub struct Strided {
    pub start: *const f32,
    pub per_row: usize,
    pub per_step: usize,
}

impl Strided {
    /// The same numbers from row `row` on.
    pub fn from(self, row: usize) -> Self {
        Self { start: self.start.wrapping_add(row * self.per_row), ..self }
    }

    /// The same numbers from step `step` on.
    pub fn step(self, step: usize) -> Self {
        Self { start: self.start.wrapping_add(step * self.per_step), ..self }
    }
}

/// Rows whose numbers an instruction reaches from one address: those of the address, and one and two rows on.
const REACHED: usize = 3;

/// Addresses of `ROWS` rows whose numbers lie together, of which few are kept in registers.
#[derive(Clone, Copy)]
pub struct Rows<T, const ROWS: usize> {
    /// The first of every three rows.
    starts: [*const T; ROWS],
    per_row: usize,
}

impl<T, const ROWS: usize> Rows<T, ROWS> {
    /// Rows `per_row` numbers apart, from `start` on.
    #[inline(always)]
    pub fn new(start: *const T, per_row: usize) -> Self {
        Self { starts: std::array::from_fn(|index| start.wrapping_add(REACHED * index * per_row)), per_row }
    }

    /// Address of the number of `row` that is so many further on.
    #[inline(always)]
    pub fn at(&self, row: usize, step: usize) -> *const T {
        self.starts[row / REACHED].wrapping_add(step).wrapping_add(row % REACHED * self.per_row)
    }

    /// Goes so many numbers on.
    ///
    /// A compiler that knows how the addresses belong together computes each row's from the one before, and on Intel's processors
    /// each such addition takes the place of a multiply-add, which goes through the same ports.
    #[inline(always)]
    pub fn forward(&mut self, steps: usize) {
        for start in &mut self.starts[..ROWS.div_ceil(REACHED)] {
            *start = in_register(start.wrapping_add(steps));
        }
    }
}

/// The same address, of which the compiler knows nothing.
#[inline(always)]
fn in_register<T>(address: *const T) -> *const T {
    #[cfg(target_arch = "x86_64")]
    #[expect(clippy::pointers_in_nomem_asm_block, reason = "nothing is read at the address")]
    {
        let mut address = address;
        // SAFETY: there is no instruction in it.
        unsafe { std::arch::asm!("/* {0} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags)) };
        address
    }
    #[cfg(not(target_arch = "x86_64"))]
    address
}

/// Steps between two looks at where the rows are.
const TOGETHER: usize = 4;

/// Numbers of a register of which a processor has 32, and not 16: of several steps in a row a compiler reads numbers ahead, and where
/// registers have no room for them it keeps sums in memory meanwhile. There, no step is shown what the next one reads.
const WIDE: usize = 16;

/// `sums[row] += Σ_step left(row, step) · right[step]`, where `right[step]` is two registers.
///
/// # Safety
/// The CPU has `V`'s instruction set; `left` can be read at every row below `ROWS` and step below `steps`, and
/// `2 · LANES` numbers at `right + step · right_step`.
#[inline(always)]
pub unsafe fn multiply<V: Vector, const ROWS: usize>(
    steps: usize,
    left: Strided,
    right: *const f32,
    right_step: usize,
    mut sums: Sums<V, ROWS>,
) -> Sums<V, ROWS> {
    let mut done = 0;
    if left.per_step == 1 {
        let mut rows = Rows::<f32, ROWS>::new(left.start, left.per_row);
        while done + TOGETHER <= steps {
            let mut right = right.wrapping_add(done * right_step);
            for step in 0..TOGETHER {
                // SAFETY: within what the caller promises.
                unsafe { sums = add_step(right.add(step * right_step), |row| *rows.at(row, step), sums) }
                if V::LANES < WIDE {
                    rows.forward(0);
                    right = in_register(right);
                }
            }
            rows.forward(TOGETHER);
            done += TOGETHER;
        }
    }
    let (mut left_at, mut right_at) = (left.step(done).start, right.wrapping_add(done * right_step));
    for _ in done..steps {
        // SAFETY: within what the caller promises.
        unsafe { sums = add_step(right_at, |row| *left_at.add(row * left.per_row), sums) }
        left_at = left_at.wrapping_add(left.per_step);
        right_at = right_at.wrapping_add(right_step);
    }
    sums
}

/// A step of [`multiply`]: `sums[row] += factor(row) · right`.
///
/// # Safety
/// The CPU has `V`'s instruction set, and two registers can be read at `right`.
#[inline(always)]
unsafe fn add_step<V: Vector, const ROWS: usize>(
    right: *const f32,
    factor: impl Fn(usize) -> f32,
    mut sums: Sums<V, ROWS>,
) -> Sums<V, ROWS> {
    // SAFETY: as promised.
    unsafe {
        let columns = [V::load(right), V::load(right.add(V::LANES))];
        for (row, sum) in sums.iter_mut().enumerate() {
            let factor = V::splat(factor(row));
            *sum = [factor.mul_add(columns[0], sum[0]), factor.mul_add(columns[1], sum[1])];
        }
    }
    sums
}

/// Sums of nothing.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn zero<V: Vector, const ROWS: usize>() -> Sums<V, ROWS> {
    // SAFETY: as promised.
    unsafe { [[V::splat(0.0); 2]; ROWS] }
}
