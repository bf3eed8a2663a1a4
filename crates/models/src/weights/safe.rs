//! Weights of a safetensors file.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::json;

use super::{Plain, Source, expect_shape, missing};
use crate::error::{Error, Result};
use crate::tensors::Tensor;

/// A whole file, in memory.
#[derive(Debug)]
pub struct Safetensors {
    bytes: Vec<u8>,
    metadata: Metadata,
    /// Where the numbers begin.
    begin: usize,
}

/// What stands before the names of tensors in checkpoints of a model with a head.
const PREFIXES: [&str; 3] = ["", "transformer.", "bert."];

impl Safetensors {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no whole file of this format.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?)
    }

    /// The file of these bytes.
    ///
    /// # Errors
    /// No whole file of this format: truncated, with a header above 100 MB, or with tensors outside of it.
    pub fn of(bytes: Vec<u8>) -> Result<Self> {
        let damaged = |error: safetensors::SafeTensorError| Error::Damaged {
            format: "safetensors",
            at: 0,
            reason: error.to_string(),
        };
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        Ok(Self { begin: size_of::<u64>() + header, metadata, bytes })
    }

    /// Names of its tensors.
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// Whether it has a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.info(name).is_some()
    }

    /// The name of one of its tensors that is none of these.
    pub(crate) fn foreign(&self, tensors: &[Tensor]) -> Option<String> {
        let is_of = |name: &str, tensor: &Tensor| {
            PREFIXES.into_iter().any(|prefix| name.strip_prefix(prefix) == Some(tensor.name.as_str()))
        };
        self.names().into_iter().find(|name| !tensors.iter().any(|tensor| is_of(name, tensor)))
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        PREFIXES.into_iter().find_map(|prefix| self.metadata.info(&format!("{prefix}{name}")))
    }

    /// The bytes of a file that holds these tensors in `f32`.
    ///
    /// # Errors
    /// As of [`Source::numbers`].
    pub fn written(tensors: &[Tensor], source: &dyn Source) -> Result<Vec<u8>> {
        let (mut header, mut numbers) = (serde_json::Map::new(), Vec::<u8>::new());
        for tensor in tensors {
            let begin = numbers.len();
            numbers.extend(source.numbers(tensor)?.iter().flat_map(|number| number.to_le_bytes()));
            let stored = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, numbers.len()] });
            header.insert(tensor.name.clone(), stored);
        }
        let header = serde_json::Value::Object(header).to_string();
        Ok([&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), numbers.as_slice()].concat())
    }
}

impl Source for Safetensors {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let Some(info) = self.info(&tensor.name) else {
            return Err(missing(tensor, self.names().iter().map(String::as_str)));
        };
        expect_shape(tensor, &info.shape)?;
        let plain = match info.dtype {
            Dtype::F32 => Plain::F32,
            Dtype::F16 => Plain::F16,
            Dtype::BF16 => Plain::Bf16,
            other => {
                let found = format!("{other:?}");
                return Err(Error::Kind { name: tensor.name.clone(), found, taken: "F32, F16 and BF16" });
            }
        };
        let (first, end) = info.data_offsets;
        Ok(plain.widened(&self.bytes[self.begin..][first..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Seeded;
    use crate::weights::tests::tensor;

    /// A file by hand: the length of its header, the header, and the numbers.
    fn file(header: &str, numbers: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), numbers].concat()
    }

    fn four() -> Vec<u8> {
        let header = r#"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"bert.b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#;
        let numbers = [1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).chain(7_i64.to_le_bytes());
        file(header, &numbers.collect::<Vec<u8>>())
    }

    #[track_caller]
    fn damaged(bytes: Vec<u8>) {
        let message = Safetensors::of(bytes).unwrap_err().to_string();
        assert!(message.contains("no whole safetensors file"), "{message}");
    }

    #[test]
    fn numbers_are_read_and_what_does_not_fit_is_refused() {
        let read = Safetensors::of(four()).unwrap();
        assert_eq!(read.numbers(&tensor("a", &[2, 1])).unwrap(), [1.5, -2.0]);
        let refused = |name: &str, shape: &[usize]| read.numbers(&tensor(name, shape)).unwrap_err().to_string();
        assert!(refused("a", &[1, 2]).contains("has the shape [2, 1], the model needs [1, 2]"));
        assert!(refused("b", &[1]).contains("of the kind I64"));
        assert!(refused("c", &[1]).contains("no tensor c"));
        assert!(read.has("b") && !read.has("c"));
        assert_eq!(read.foreign(&[tensor("a", &[2, 1])]).as_deref(), Some("bert.b"));
        assert_eq!(read.foreign(&[tensor("a", &[2, 1]), tensor("b", &[1])]), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let (source, tensors) = (Seeded { seed: 5 }, [tensor("a", &[2, 3]), tensor("b", &[4])]);
        let read = Safetensors::of(Safetensors::written(&tensors, &source).unwrap()).unwrap();
        for tensor in &tensors {
            assert_eq!(read.numbers(tensor).unwrap(), source.numbers(tensor).unwrap());
        }
    }

    #[test]
    fn every_truncated_file_is_refused() {
        let whole = four();
        (0..whole.len()).for_each(|length| damaged(whole[..length].to_vec()));
        damaged([whole, vec![0]].concat());
    }

    #[test]
    fn headers_that_cannot_be_right_are_refused() {
        damaged([&u64::MAX.to_le_bytes()[..], b"{}"].concat());
        damaged([&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat());
        damaged(file("no JSON", &[]));
        damaged(file(r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, &[0; 8]));
        damaged(file(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, &[0; 8]));
        damaged(file(r#"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,8]}}"#, &[0; 8]));
    }
}
