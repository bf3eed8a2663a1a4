//! Which of its code paths MKL takes in this process.
//!
//! MKL chooses once, before its first kernel, and asks `mkl_serv_intel_cpu_true` whether the processor is Intel's: on any
//! other it takes its generic path, with products in AVX2 where it knows a Zen. libtorch_cpu.so exports that function and
//! calls it through its procedure linkage table, so that a program's own of the same name is called in its place.
#![expect(unsafe_code, reason = "functions of MKL and ATen, by their names")]

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::message::SAME_PATH;

use super::stand_in::stands_in;

/// libtorch as it is installed, and with the path that MKL keeps for Intel.
pub const DEVICES: [&str; 2] = ["libtorch", FAST];

/// The device whose processes say that the processor is Intel's.
const FAST: &str = "libtorch-mkl";

/// What MKL asks.
const QUESTION: &CStr = c"mkl_serv_intel_cpu_true";

/// Whether this process is one variant's alone.
static OWN_PROCESS: AtomicBool = AtomicBool::new(false);
/// Whether the answer is yes on any processor.
static YES: AtomicBool = AtomicBool::new(false);
/// Whether MKL has asked: it has chosen then.
static ASKED: AtomicBool = AtomicBool::new(false);

// SAFETY: MKL's function of this name takes nothing and returns an int, as this one.
#[unsafe(no_mangle)]
extern "C" fn mkl_serv_intel_cpu_true() -> c_int {
    ASKED.store(true, Ordering::Relaxed);
    if YES.load(Ordering::Relaxed) { 1 } else { ask(libc::RTLD_NEXT, QUESTION).unwrap_or(0) }
}

/// Where a symbol of that name lies that the programs and libraries of a scope define.
pub fn find(scope: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the scope is one of dlsym's own, the name ends with a zero.
    let found = unsafe { libc::dlsym(scope, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// What one of MKL's functions says; nothing where this libtorch has none of that name.
fn ask(scope: *mut c_void, name: &CStr) -> Option<c_int> {
    let function = find(scope, name)?;
    // SAFETY: the three of MKL's functions that are asked here take nothing and return an int.
    let function: extern "C" fn() -> c_int = unsafe { transmute(function) };
    Some(function())
}

/// Says that this process serves one variant alone: then what is chosen once may be chosen for it.
pub fn own_process() {
    OWN_PROCESS.store(true, Ordering::Relaxed);
}

/// Why this process cannot be one of `device`; nothing where it can.
pub fn probe(device: &str) -> Option<String> {
    if DEVICES.contains(&device) && stands_in() {
        return Some("this process was started for a device that needs no libtorch, and so without it".into());
    }
    if device != FAST {
        return None;
    }
    let here = mkl_serv_intel_cpu_true as *const ();
    let exported = || find(libc::RTLD_DEFAULT, QUESTION).is_some_and(|found| found.cast_const().cast() == here);
    match ask(libc::RTLD_NEXT, QUESTION) {
        None => Some("this libtorch has no MKL that could take another path".into()),
        Some(0) if !OWN_PROCESS.load(Ordering::Relaxed) => {
            Some("MKL chooses its path once in a process: only a worker process can be one of this device".into())
        }
        Some(0) if !exported() => Some(format!("this program does not export `{}`", QUESTION.to_string_lossy())),
        Some(0) => None,
        Some(_) => Some(format!("{SAME_PATH}: MKL takes its fast path on this processor by itself")),
    }
}

/// Makes this process one of `device`, before any kernel runs, and names the instructions that libtorch takes there.
///
/// MKL's is read where its own dispatch reads it (`mkl_serv_cpu_detect`); ATen says its own.
///
/// # Errors
/// The device cannot be used here, or MKL has chosen another path in this process before.
pub fn settle(device: &str) -> Result<Option<String>, String> {
    if !DEVICES.contains(&device) {
        return Ok(None);
    }
    if let Some(reason) = probe(device) {
        return Err(reason);
    }
    let fast = device == FAST;
    if !ASKED.load(Ordering::Relaxed) {
        YES.store(fast, Ordering::Relaxed);
    }
    let mkl = ask(libc::RTLD_DEFAULT, c"mkl_serv_cpu_detect").map(path);
    if fast != YES.load(Ordering::Relaxed) || (fast && !ASKED.load(Ordering::Relaxed)) {
        return Err(format!("MKL has chosen its path in this process before: `{device}` needs a fresh one"));
    }
    let parts: Vec<String> = [mkl, aten()].into_iter().flatten().collect();
    Ok((!parts.is_empty()).then(|| parts.join(", ")))
}

/// The name of a path by its number, which MKL's dispatch takes as the index of its code (oneMKL 2024.2).
fn path(number: c_int) -> String {
    let zen = || ask(libc::RTLD_DEFAULT, c"mkl_serv_cpuiszen").is_some_and(|zen| zen != 0);
    let name = match number {
        7 => "AVX-512",
        5 => "AVX2",
        3 => "SSE4.2",
        _ if zen() => "generic with AVX2 for Zen",
        _ => "generic",
    };
    format!("MKL {name}")
}

/// What ATen says of its vectorized code.
#[cfg(target_arch = "x86_64")]
fn aten() -> Option<String> {
    /// libstdc++'s `std::string`: where it lies, its length, 16 bytes for a short one.
    #[repr(C)]
    struct Text {
        at: *const u8,
        length: usize,
        short: [u8; 16],
    }
    // std::string at::get_cpu_capability()
    let function = find(libc::RTLD_DEFAULT, c"_ZN2at18get_cpu_capabilityB5cxx11Ev")?;
    // SAFETY: a C++ function that returns such a class takes the place for it as its first argument (Itanium C++ ABI, 3.1.3.1).
    let function: extern "C" fn(*mut Text) = unsafe { transmute(function) };
    let mut text = Text { at: std::ptr::null(), length: 0, short: [0; 16] };
    function(&raw mut text);
    // SAFETY: the function has made a string there; its word is short, so that nothing is left to free.
    let said = unsafe { std::slice::from_raw_parts(text.at, text.length) };
    Some(format!("ATen {}", String::from_utf8_lossy(said)))
}

#[cfg(not(target_arch = "x86_64"))]
fn aten() -> Option<String> {
    None
}
