//! Implementations on burn, one folder a family.
//!
//! Nothing here reads a clock: a kernel is prepared and called, never timed.

pub mod arithmetic;
pub mod attention;
mod custom;
mod device;
pub mod fused;
pub mod matmul;
pub mod memory;
mod register;
mod subject;
pub mod tensor;

pub use custom::Custom;
pub use device::{CPU_DEVICES, open, probe};
pub use register::{build_facts, register, set_threads};
pub use subject::{NamedInputs, Rows, TensorSubject};
