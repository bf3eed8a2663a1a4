//! Where the numbers of a model come from: a seed, or a file of one of three formats.

mod bytes;
mod ctranslate2;
mod gguf;
mod safe;
mod seeded;

pub use ctranslate2::Ctranslate2;
pub use gguf::Gguf;
pub use safe::Safetensors;
pub use seeded::Seeded;

use std::fmt::Write;

use half::{bf16, f16};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::tensors::Tensor;

/// Gives the tensors of a model.
pub trait Source {
    /// The numbers of a tensor, row-major, as many as its shape says.
    ///
    /// # Errors
    /// There is no such tensor, or it has another shape, or numbers of a kind that is not read.
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>>;
}

/// Kinds of plain numbers that all of these formats have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain {
    F32,
    F16,
    Bf16,
}

impl Plain {
    /// Bytes of a number.
    fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// Numbers of little-endian bytes; what is no whole number at their end is left out.
    fn widened(self, bytes: &[u8]) -> Vec<f32> {
        let pairs = || bytes.as_chunks::<2>().0.iter();
        match self {
            Self::F32 => bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            Self::F16 => pairs().map(|two| f16::from_le_bytes(*two).to_f32()).collect(),
            Self::Bf16 => pairs().map(|two| bf16::from_le_bytes(*two).to_f32()).collect(),
        }
    }
}

/// Refuses a tensor of another shape.
fn expect_shape(tensor: &Tensor, found: &[usize]) -> Result<()> {
    if tensor.shape == found {
        return Ok(());
    }
    Err(Error::Shape { name: tensor.name.clone(), wanted: tensor.shape.clone(), found: found.to_vec() })
}

/// SHA-256 (FIPS 180-4) in hexadecimal digits.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The error that a file has no such tensor, with some of those that it has.
pub(crate) fn missing<'a>(tensor: &Tensor, names: impl Iterator<Item = &'a str>) -> Error {
    let mut found: Vec<&str> = names.take(5).collect();
    found.push("…");
    Error::Missing { name: tensor.name.clone(), found: found.join(", ") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tensor of this name and shape.
    pub fn tensor(name: &str, shape: &[usize]) -> Tensor {
        Tensor { name: name.to_owned(), shape: shape.to_vec(), mean: 0.0, deviation: 1.0 }
    }

    #[test]
    fn halves_are_widened_exactly() {
        let numbers = [0.0_f32, -0.0, 1.5, -65504.0, 6.0e-8];
        let f16s: Vec<u8> = numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
        assert_eq!(Plain::F16.widened(&f16s), [0.0, 0.0, 1.5, -65504.0, 5.960_464_5e-8]);
        let bf16s: Vec<u8> = numbers.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
        assert_eq!(Plain::Bf16.widened(&bf16s)[2..4], [1.5, -65536.0]);
        let f32s: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(Plain::F32.widened(&f32s), numbers);
    }
}
