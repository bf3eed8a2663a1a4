//! Numbers in memory: what they are, where a thread keeps those between calls, how several threads write parts of one
//! slice, and a hint of what is read next.
#![expect(unsafe_code, reason = "lines read as numbers, pieces that need not lie together, a hint that reads nothing")]

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

use half::bf16;

/// A number that inputs and results consist of.
pub trait Element: Copy + Send + Sync + 'static {
    /// Whether a tile must be widened into memory of its own before it can be computed with.
    const WIDENED: bool;

    /// Exactly.
    fn wide(self) -> f32;

    /// To the nearest, ties to even.
    fn narrow(number: f32) -> Self;

    /// The same numbers as `f32`: themselves, or widened into `room`, which is as long where [`Self::WIDENED`].
    fn tile<'a>(from: &'a [Self], room: &'a mut [f32]) -> &'a [f32];
}

impl Element for f32 {
    const WIDENED: bool = false;

    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    #[inline(always)]
    fn narrow(number: f32) -> Self {
        number
    }

    #[inline(always)]
    fn tile<'a>(from: &'a [Self], _room: &'a mut [f32]) -> &'a [f32] {
        from
    }
}

impl Element for bf16 {
    const WIDENED: bool = true;

    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }

    #[inline(always)]
    fn narrow(number: f32) -> Self {
        Self::from_f32(number)
    }

    #[inline(always)]
    fn tile<'a>(from: &'a [Self], room: &'a mut [f32]) -> &'a [f32] {
        let room = &mut room[..from.len()];
        for (to, from) in room.iter_mut().zip(from) {
            // The upper half of an f32, NaN included.
            *to = f32::from_bits(u32::from(from.to_bits()) << 16);
        }
        room
    }
}

/// Numbers in a cache line.
pub const LINE: usize = 16;

#[repr(C, align(64))]
#[derive(Debug, Clone, Copy)]
struct Line([f32; LINE]);

/// What may lie wherever numbers of `f32` lie.
///
/// # Safety
/// Any bits are a value, and the alignment is that of `f32` at most.
pub unsafe trait Plain: Copy + Send + Sync {}

macro_rules! plain {
    ($($plain:ty),*) => {$(
        // SAFETY: a number of 32 bits or fewer, of which any bits are a value.
        unsafe impl Plain for $plain {}
    )*};
}

plain!(f32, u32, i32, i16, i8, u8);

/// The same memory as values of another type.
pub fn plain<T: Plain>(numbers: &mut [f32]) -> &mut [T] {
    let count = size_of_val(numbers) / size_of::<T>();
    // SAFETY: as many values lie in these bytes, which are aligned for them, and any bits are a value of either type.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), count) }
}

/// Values that begin at a cache line and are kept for long; zeros at first.
#[derive(Debug, Clone)]
pub struct Lines<T> {
    lines: Vec<Line>,
    count: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Lines<T> {
    /// Room for so many values.
    pub fn new(count: usize) -> Self {
        let lines = vec![Line([0.0; LINE]); (count * size_of::<T>()).div_ceil(size_of::<Line>())];
        Self { lines, count, of: PhantomData }
    }

    /// The values.
    pub fn all(&self) -> &[T] {
        // SAFETY: the lines have room for as many, at the alignment of a line, and any bits are a value.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.count) }
    }

    /// The values, to write.
    pub fn all_mut(&mut self) -> &mut [T] {
        &mut plain(flat(&mut self.lines))[..self.count]
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.count * size_of::<T>()
    }
}

thread_local! {
    /// Memory that nobody uses now; the last one was in use last.
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `with` on this thread's scratch, cut into parts of `lengths` numbers, each at a cache line.
///
/// What the parts hold is what some call before left there. A call within `with` on the same thread, as when a thread
/// that waits takes another task, gets memory of its own, which is kept too.
pub fn scratch<R, const N: usize>(lengths: [usize; N], with: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    let lines = lengths.map(|length| length.div_ceil(LINE));
    let mut kept = KEPT.with(|kept| kept.borrow_mut().pop()).unwrap_or_default();
    let wanted = lines.iter().sum();
    if kept.len() < wanted {
        kept.resize(wanted, Line([0.0; LINE]));
    }
    let mut rest = flat(&mut kept);
    let parts = std::array::from_fn(|part| {
        let (mine, others) = std::mem::take(&mut rest).split_at_mut(lines[part] * LINE);
        rest = others;
        &mut mine[..lengths[part]]
    });
    let result = with(parts);
    KEPT.with(|all| all.borrow_mut().push(kept));
    result
}

/// The numbers of the lines.
fn flat(lines: &mut [Line]) -> &mut [f32] {
    // SAFETY: a line is 16 numbers and nothing else, without padding, since 16 · 4 is its alignment.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE) }
}

/// Lends a slice to tasks, each of which writes numbers of its own.
pub struct Pieces<'a> {
    start: *mut f32,
    length: usize,
    lent: PhantomData<&'a mut [f32]>,
}

// SAFETY: numbers can be written from any thread, and whoever takes a piece promises that nobody else has it.
unsafe impl Sync for Pieces<'_> {}

impl<'a> Pieces<'a> {
    pub fn new(all: &'a mut [f32]) -> Self {
        Self { start: all.as_mut_ptr(), length: all.len(), lent: PhantomData }
    }

    /// # Safety
    /// Nobody has another piece of these numbers while this one is in use.
    pub unsafe fn piece(&self, at: Range<usize>) -> &'a mut [f32] {
        assert!(at.start <= at.end && at.end <= self.length, "{at:?} of {}", self.length);
        // SAFETY: within the slice, which is lent for 'a, and apart from all other pieces.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at.start), at.len()) }
    }

    /// The numbers `at`, lent to tasks in the same way.
    pub fn part(&self, at: Range<usize>) -> Self {
        assert!(at.start <= at.end && at.end <= self.length, "{at:?} of {}", self.length);
        Self { start: self.start.wrapping_add(at.start), length: at.len(), lent: PhantomData }
    }

    /// Where number `at` lies; whoever writes there answers for it.
    pub fn pointer(&self, at: usize) -> *mut f32 {
        assert!(at < self.length, "{at} of {}", self.length);
        self.start.wrapping_add(at)
    }
}

/// Where numbers lie that are read soon.
#[derive(Debug, Clone, Copy)]
pub struct Soon {
    start: *const i8,
    /// Bytes of a number.
    size: usize,
}

impl Soon {
    /// `numbers`, from the first on.
    pub fn of<T>(numbers: &[T]) -> Self {
        Self::at(numbers.as_ptr())
    }

    /// The same by a pointer, which is not read.
    pub fn at<T>(start: *const T) -> Self {
        Self { start: start.cast(), size: size_of::<T>() }
    }

    /// Asks for the cache line of number `index`, where the processor takes such hints. It may lie behind the last one.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn ask(self, index: usize) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which neither reads nor faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(self.start.wrapping_add(index * self.size)) }
    }

    /// As above.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub fn ask(self, _index: usize) {
        let Self { start: _, size: _ } = self;
    }
}

/// What memory is asked for while something else is computed, a little with every [`LINE`] steps of it.
pub trait Ahead: Copy {
    /// Asks for what belongs to step `line · LINE` and those that follow.
    fn line(self, line: usize);
}

/// A number for each step, at several places.
impl<const N: usize> Ahead for [Soon; N] {
    #[inline(always)]
    fn line(self, line: usize) {
        self.iter().for_each(|soon| soon.ask(line * LINE));
    }
}

/// Lines one after another, as many of them each time.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Its beginning.
    pub from: Soon,
    /// Lines that are asked for at a time.
    pub lines: usize,
}

impl Ahead for Stretch {
    #[inline(always)]
    fn line(self, line: usize) {
        (0..self.lines).for_each(|next| self.from.ask((line * self.lines + next) * LINE));
    }
}

/// Both.
impl<A: Ahead, B: Ahead> Ahead for (A, B) {
    #[inline(always)]
    fn line(self, line: usize) {
        self.0.line(line);
        self.1.line(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_aligned_apart_and_kept() {
        let addresses = || {
            scratch([3, 17], |[a, b]| {
                assert_eq!((a.len(), b.len()), (3, 17));
                a.fill(1.0);
                b.fill(2.0);
                assert_eq!(a.as_ptr() as usize % 64, 0);
                assert_eq!(b.as_ptr() as usize % 64, 0);
                let inner = scratch([3], |[c]| {
                    c.fill(9.0);
                    c.as_ptr() as usize
                });
                assert!(a.iter().all(|x| *x == 1.0) && b.iter().all(|x| *x == 2.0));
                [a.as_ptr() as usize, inner]
            })
        };
        assert_eq!(addresses(), addresses(), "both memories are kept, in their order");
    }
}
