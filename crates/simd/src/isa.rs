//! Which instructions this processor has.

use crate::error::{Error, Result};

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Whatever the target has.
    Portable,
    /// The same with the lanes and tiles of AVX-512, so that tests run its shape on any processor.
    #[cfg(test)]
    Wide,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 3 + cfg!(test) as usize] = [
        Self::Portable,
        #[cfg(test)]
        Self::Wide,
        Self::Avx2,
        Self::Avx512,
    ];

    /// The best one that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().rev().find(|isa| isa.present()).unwrap_or(Self::Portable)
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
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The name, as `list` and errors show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(test)]
            Self::Wide => "portable, 16 lanes",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
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

/// Evaluates `$run` with `$tools` made for `$isa`, or returns the error that this processor does not have it.
///
/// `isa` is the caller's module of tools: one type for each instruction set, made by its unsafe `new`.
macro_rules! with_isa {
    ($isa:expr, |$tools:ident| $run:expr) => {
        match $isa.checked()? {
            crate::isa::Isa::Portable => {
                // SAFETY: any CPU has it.
                let $tools = unsafe { isa::Portable::new() };
                $run
            }
            #[cfg(test)]
            crate::isa::Isa::Wide => {
                // SAFETY: any CPU has it.
                let $tools = unsafe { isa::Wide::new() };
                $run
            }
            #[cfg(target_arch = "x86_64")]
            crate::isa::Isa::Avx2 => {
                // SAFETY: it has just been checked.
                let $tools = unsafe { isa::Avx2::new() };
                $run
            }
            #[cfg(target_arch = "x86_64")]
            crate::isa::Isa::Avx512 => {
                // SAFETY: it has just been checked.
                let $tools = unsafe { isa::Avx512::new() };
                $run
            }
            #[cfg(not(target_arch = "x86_64"))]
            other => return Err(crate::error::Error::Isa(other.name())),
        }
    };
}
pub(crate) use with_isa;

/// Makes the tools of AVX-512 by a module's macro `$tools`, and in tests those of the same shape for any CPU.
macro_rules! sixteen_lanes {
    ($tools:ident $(, $shape:tt)*) => {
        #[cfg(target_arch = "x86_64")]
        $tools!(Avx512, std::arch::x86_64::__m512 $(, $shape)*, "avx512f");
        #[cfg(test)]
        $tools!(Wide, crate::portable::Lanes<16> $(, $shape)*);
    };
}
pub(crate) use sixteen_lanes;
