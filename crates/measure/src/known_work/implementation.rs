//! The two implementations of every known work: as asked, and with the extra share.

use benchbook_core::{DType, Error, Implementation, Inputs, Params, Result, Setting, Subject, Support};

use super::gemm::Calls;
use super::steps::Walk;

/// The device of work that needs no library of tensors.
pub const DEVICE: &str = "cpu";

/// A way to do known work.
pub struct Known {
    /// Name of the workload.
    pub workload: &'static str,
    /// Whether the extra share is done on top.
    pub extra: bool,
}

impl Implementation for Known {
    fn name(&self) -> &'static str {
        if self.extra { "extra" } else { "plain" }
    }

    fn workload(&self) -> &'static str {
        self.workload
    }

    fn about(&self) -> &'static str {
        if self.extra { "the work asked for, and the extra share on top" } else { "the work asked for" }
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &[]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec![DEVICE]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        match dtype {
            DType::F32 => Support::Yes,
            other => Support::No(format!("known work is done in f32, not {other}")),
        }
    }

    fn engine(&self, _device: &str) -> (String, String) {
        ("benchbook".into(), env!("CARGO_PKG_VERSION").into())
    }

    fn prepare(&self, _setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let share = if self.extra { params.float("extra") } else { 0.0 };
        match self.workload {
            "known-steps" => Ok(Box::new(Walk::new(params, share))),
            "known-gemm" => Ok(Box::new(Calls::new(params, inputs, share))),
            other => Err(Error::Plan(format!("there is no known work `{other}`"))),
        }
    }
}
