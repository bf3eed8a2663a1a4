//! glibc's allocator in every process that measures.

/// The variable by which glibc reads its settings at the start of a process.
pub(crate) const VARIABLE: &str = "GLIBC_TUNABLES";

/// glibc gives back at once what is freed, in blocks from 64 KiB on.
pub(crate) const KEEPING_NOTHING: &str = "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=0";

/// Freed memory stays with the process, in blocks of up to 32 MiB (glibc's limit).
///
/// By default glibc learns from what was freed before whether to give memory back: a fresh worker paid page faults in
/// every call of a 512³ matmul (3 % of its time) that a process with more behind it did not.
pub(crate) const SETTINGS: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824";
