//! Memory of other people's allocators: libraries of the system, and glibc without the settings of a worker.
#![expect(unsafe_code, reason = "functions of allocators, by their names, and the blocks that they give")]

use std::alloc::{Layout, handle_alloc_error};
use std::ffi::{CStr, c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::ptr::NonNull;
use std::slice;

use benchbook_core::Support;

use super::pool::{Memory, halve, repeat};

/// What `malloc` and `free` are.
type Take = unsafe extern "C" fn(usize) -> *mut c_void;
type Give = unsafe extern "C" fn(*mut c_void);

/// Bytes from which glibc maps a block by itself before it has learned, and at most (mallopt(3), M_MMAP_THRESHOLD).
const LEAST_MAPPED: usize = 128 << 10;
const MOST_MAPPED: usize = 32 << 20;

/// Blocks that glibc maps at most (mallopt(3), M_MMAP_MAX).
const MAPPED: c_int = 65_536;

/// Gives glibc in this process the thresholds that it would have learned from freeing a block of so many bytes: larger ones are mapped
/// and given back one by one, and the end of the heap is given back where it is twice as long.
pub(super) fn glibc_as_it_comes(largest_bytes: usize) {
    let threshold = largest_bytes.clamp(LEAST_MAPPED, MOST_MAPPED) as c_int;
    let settings =
        [(libc::M_MMAP_MAX, MAPPED), (libc::M_MMAP_THRESHOLD, threshold), (libc::M_TRIM_THRESHOLD, 2 * threshold)];
    for (setting, value) in settings {
        // SAFETY: it takes two numbers, and changes nothing of the blocks that there are.
        unsafe { libc::mallopt(setting, value) };
    }
}

/// An allocator in a shared library.
pub(super) struct Library {
    /// As the system's loader looks for it.
    name: &'static CStr,
    /// Its `malloc` and its `free`.
    functions: [&'static CStr; 2],
    /// The package of Debian that has it.
    package: &'static str,
}

pub(super) const MIMALLOC: Library =
    Library { name: c"libmimalloc.so.2", functions: [c"mi_malloc", c"mi_free"], package: "libmimalloc2.0" };

pub(super) const JEMALLOC: Library =
    Library { name: c"libjemalloc.so.2", functions: [c"malloc", c"free"], package: "libjemalloc2" };

impl Library {
    /// Whether it is here; else why not, and what to do.
    pub(super) fn is_here(&self) -> Support {
        match self.open() {
            Ok(_) => Support::Yes,
            Err(reason) => Support::No(reason),
        }
    }

    /// Its functions.
    ///
    /// # Errors
    /// It cannot be loaded, or has others, in words that say what to do.
    pub(super) fn open(&self) -> Result<Foreign, String> {
        let told = |what: &str| format!("not here: {what}; on Debian the package {} has it", self.package);
        // SAFETY: the name ends with a zero, and an allocator does no more than set itself up as it is loaded.
        let library = unsafe { libc::dlopen(self.name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(told(&failure()));
        }
        let [take, give] = self.functions.map(|name| {
            // SAFETY: the library is loaded and stays so, the name ends with a zero.
            unsafe { libc::dlsym(library, name.as_ptr()) }
        });
        if take.is_null() || give.is_null() {
            return Err(told(&format!("{} has other functions", self.name.to_string_lossy())));
        }
        // SAFETY: whatever has this name in an allocator is what the C library calls malloc.
        let take = unsafe { transmute::<*mut c_void, Take>(take) };
        // SAFETY: the same of free.
        let give = unsafe { transmute::<*mut c_void, Give>(give) };
        Ok(Foreign { take, give })
    }
}

/// Why the loader could not do what it was asked last.
fn failure() -> String {
    // SAFETY: it takes nothing, and gives a text that ends with a zero, or nothing.
    let said = unsafe { libc::dlerror() };
    if said.is_null() {
        return "it cannot be loaded".to_owned();
    }
    // SAFETY: nobody asks the loader for anything before the text is copied.
    unsafe { CStr::from_ptr(said) }.to_string_lossy().into_owned()
}

/// A block of a library's allocator for each tensor.
pub(super) struct Foreign {
    take: Take,
    give: Give,
}

/// Numbers in such a block, all of which were written.
pub(super) struct Block {
    at: NonNull<f32>,
    count: usize,
    give: Give,
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the allocator that takes it back has given it, and nobody has it any more.
        unsafe { (self.give)(self.at.as_ptr().cast()) };
    }
}

impl Block {
    fn numbers(&self) -> &[f32] {
        // SAFETY: so many numbers were written, and the block goes with this value.
        unsafe { slice::from_raw_parts(self.at.as_ptr(), self.count) }
    }
}

impl Foreign {
    /// A block of so many numbers, each of which `fill` writes.
    fn block(&self, count: usize, fill: impl FnOnce(&mut [MaybeUninit<f32>])) -> Block {
        // SAFETY: as of malloc, any number of bytes may be asked for.
        let given = unsafe { (self.take)(count * size_of::<f32>()) };
        let Some(at) = NonNull::new(given.cast::<f32>()) else { handle_alloc_error(Layout::new::<f32>()) };
        // SAFETY: the block has room for so many numbers, at a place that malloc aligns for any of them; nobody else knows of it.
        fill(unsafe { slice::from_raw_parts_mut(at.as_ptr().cast::<MaybeUninit<f32>>(), count) });
        Block { at, count, give: self.give }
    }
}

fn put(to: &mut MaybeUninit<f32>, number: f32) {
    to.write(number);
}

impl Memory for Foreign {
    type Tensor = Block;

    fn repeated(&mut self, count: usize, numbers: &[f32]) -> Block {
        self.block(count, |to| repeat(to, numbers, put))
    }

    fn halved(&mut self, count: usize, from: &Block, other: Option<&Block>) -> Block {
        self.block(count, |to| halve(to, from.numbers(), other.map(Block::numbers), put))
    }

    fn numbers<'a>(&'a self, tensor: &'a Block) -> &'a [f32] {
        tensor.numbers()
    }

    fn give(&mut self, tensor: Block) {
        drop(tensor);
    }

    fn is_counted(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The C library's own, which every machine has.
    const OWN: Library = Library { name: c"libc.so.6", functions: [c"malloc", c"free"], package: "libc6" };

    #[test]
    fn numbers_come_from_a_librarys_blocks() {
        let mut memory = OWN.open().unwrap();
        let first = memory.repeated(5, &[1.0, 2.0]);
        assert_eq!(memory.numbers(&first), [1.0, 2.0, 1.0, 2.0, 1.0]);
        let second = memory.halved(7, &first, None);
        assert_eq!(memory.numbers(&second), [0.75, 1.25, 0.75, 1.25, 0.75, 0.75, 1.25]);
        let back = memory.halved(5, &second, Some(&first));
        assert_eq!(memory.numbers(&back), [0.625, 1.125, 0.625, 1.125, 0.625]);
        [first, second, back].into_iter().for_each(|block| memory.give(block));
    }

    #[test]
    fn what_is_not_here_says_what_to_do() {
        let told = |of: Library| of.open().err().unwrap();
        let absent = told(Library { name: c"libno-such-allocator.so.1", ..OWN });
        assert!(absent.contains("libno-such-allocator.so.1") && absent.contains("package libc6"), "{absent}");
        let other = told(Library { functions: [c"no_such_function", c"free"], ..OWN });
        assert!(other.contains("libc.so.6 has other functions"), "{other}");
    }
}
