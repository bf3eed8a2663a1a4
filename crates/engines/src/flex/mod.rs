//! burn on CPUs, and our own kernels as operations on its tensors: implementations, one folder a family.

pub mod arithmetic;
pub mod attention;
mod custom;
mod device;
mod engine;
pub mod fused;
pub mod matmul;
pub mod memory;
mod subject;
pub mod tensor;

pub use custom::Custom;
pub use device::{CPU_DEVICES, open, probe};
pub use engine::{build_facts, set_threads};
pub use subject::{NamedInputs, Rows, TensorSubject};
