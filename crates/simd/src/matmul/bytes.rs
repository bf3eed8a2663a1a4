//! How products of bytes are summed here, and one function for each way, into which a kernel is inlined as a whole.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use super::dot::{Avx2Eight, Avx2Four, Avx512Vnni, AvxVnni};
use super::dot::{Dot, Portable};
use crate::error::{Error, Result};

/// What sums products of bytes: with each of them, sums are the same whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ByteDot {
    /// Whatever the target has.
    Portable,
    /// The same with the columns and tiles of AVX-512, so that tests run its shape on any processor.
    #[cfg(test)]
    Wide,
    /// AVX2: `vpmaddwd` for codes of eight bits, `vpmaddubsw` for codes of four.
    Avx2,
    /// AVX-VNNI: `vpdpbusd` on 256 bits.
    AvxVnni,
    /// AVX-512 with VNNI: `vpdpbusd` on 512 bits.
    Avx512Vnni,
}

impl ByteDot {
    /// All of them, slowest first.
    pub const ALL: [Self; 4 + cfg!(test) as usize] = [
        Self::Portable,
        #[cfg(test)]
        Self::Wide,
        Self::Avx2,
        Self::AvxVnni,
        Self::Avx512Vnni,
    ];

    /// The best one that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().rev().find(|dot| dot.present()).unwrap_or(Self::Portable)
    }

    /// Whether this processor has it.
    pub fn present(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(test)]
            Self::Wide => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => Self::Avx2.present() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::AvxVnni | Self::Avx512Vnni => false,
        }
    }

    /// The name, as records and errors show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(test)]
            Self::Wide => "portable, 16 columns",
            Self::Avx2 => "AVX2",
            Self::AvxVnni => "AVX-VNNI",
            Self::Avx512Vnni => "AVX-512 VNNI",
        }
    }

    /// Columns of a tile: two registers of sums.
    pub(super) fn columns(self) -> usize {
        match self {
            Self::Portable => 8,
            #[cfg(test)]
            Self::Wide => 32,
            Self::Avx2 | Self::AvxVnni => 16,
            Self::Avx512Vnni => 32,
        }
    }

    /// Itself, where this processor has it.
    ///
    /// # Errors
    /// [`Error::Isa`].
    pub fn checked(self) -> Result<Self> {
        if self.present() { Ok(self) } else { Err(Error::Isa(self.name())) }
    }
}

/// A piece of work, written once for sums of any kind.
pub trait Job<D: Dot> {
    /// Does it, with tiles of `ROWS` rows by two registers.
    ///
    /// # Safety
    /// The CPU has `D`'s instruction set.
    unsafe fn run<const ROWS: usize>(self);
}

/// What sums products of codes of one width.
pub trait Jobs: Sync {
    /// The sums.
    type Dot: Dot;

    /// Does a piece of work with them.
    fn run<J: Job<Self::Dot>>(&self, job: J);
}

macro_rules! jobs {
    ($name:ident, $dot:ty, $rows:literal $(, $feature:literal)?) => {
        /// Made only where the instruction set was detected.
        pub struct $name(());

        impl $name {
            /// # Safety
            /// The CPU has the instruction set.
            pub unsafe fn new() -> Self {
                Self(())
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn within<J: Job<$dot>>(job: J) {
                // SAFETY: as promised by the caller below.
                unsafe { job.run::<$rows>() }
            }
        }

        impl Jobs for $name {
            type Dot = $dot;

            fn run<J: Job<$dot>>(&self, job: J) {
                // SAFETY: the CPU has the instruction set, as promised when `Self` was made.
                unsafe { Self::within(job) }
            }
        }
    };
}

// As many rows as leave registers for codes and a factor.
jobs!(PortableEights, Portable<8, 4>, 2);
jobs!(PortableFours, Portable<4, 4>, 2);
#[cfg(test)]
jobs!(WideEights, Portable<8, 16>, 12);
#[cfg(test)]
jobs!(WideFours, Portable<4, 16>, 12);
#[cfg(target_arch = "x86_64")]
jobs!(Avx2Eights, Avx2Eight, 3, "avx2,fma");
#[cfg(target_arch = "x86_64")]
jobs!(Avx2Fours, Avx2Four, 5, "avx2,fma");
#[cfg(target_arch = "x86_64")]
jobs!(AvxVnniEights, AvxVnni<8>, 6, "avx2,fma,avxvnni");
#[cfg(target_arch = "x86_64")]
jobs!(AvxVnniFours, AvxVnni<4>, 6, "avx2,fma,avxvnni");
#[cfg(target_arch = "x86_64")]
jobs!(Avx512VnniEights, Avx512Vnni<8>, 12, "avx512f,avx512vnni");
#[cfg(target_arch = "x86_64")]
jobs!(Avx512VnniFours, Avx512Vnni<4>, 12, "avx512f,avx512vnni");

/// A call that has something to compute, whatever sums it.
pub trait Work {
    /// Makes it with these sums.
    fn run<J: Jobs>(self, jobs: &J);
}

/// Makes a call with the sums of a way, for codes of so many bits.
///
/// # Errors
/// This processor does not have it.
pub fn call<W: Work>(dot: ByteDot, bits: usize, work: W) -> Result<()> {
    match (dot.checked()?, bits) {
        // SAFETY: any CPU has it.
        (ByteDot::Portable, 8) => work.run(&unsafe { PortableEights::new() }),
        // SAFETY: any CPU has it.
        (ByteDot::Portable, _) => work.run(&unsafe { PortableFours::new() }),
        #[cfg(test)]
        // SAFETY: any CPU has it.
        (ByteDot::Wide, 8) => work.run(&unsafe { WideEights::new() }),
        #[cfg(test)]
        // SAFETY: any CPU has it.
        (ByteDot::Wide, _) => work.run(&unsafe { WideFours::new() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it has just been checked.
        (ByteDot::Avx2, 8) => work.run(&unsafe { Avx2Eights::new() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it has just been checked.
        (ByteDot::Avx2, _) => work.run(&unsafe { Avx2Fours::new() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it has just been checked.
        (ByteDot::AvxVnni, 8) => work.run(&unsafe { AvxVnniEights::new() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it has just been checked.
        (ByteDot::AvxVnni, _) => work.run(&unsafe { AvxVnniFours::new() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it has just been checked.
        (ByteDot::Avx512Vnni, 8) => work.run(&unsafe { Avx512VnniEights::new() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it has just been checked.
        (ByteDot::Avx512Vnni, _) => work.run(&unsafe { Avx512VnniFours::new() }),
        #[cfg(not(target_arch = "x86_64"))]
        (other, _) => return Err(Error::Isa(other.name())),
    }
    Ok(())
}
