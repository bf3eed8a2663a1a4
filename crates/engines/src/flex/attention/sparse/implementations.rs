//! The ways to leave scores out, by name.

use benchbook_core::{DType, Implementation, Inputs, Params, Reference, Result, Setting, Subject, Support};

use super::kernel::prepare;
use super::reference::sparse_rows;
use crate::flex::attention::fused_engine;

/// A way to leave scores out; [`Self::Dense`] leaves none out, with the same kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Every score.
    Dense,
    /// Those above a threshold of their row.
    Threshold,
    /// Pairs of blocks by the product of their means, as many for each query.
    BlockSparse,
    /// Pairs of blocks by a trained gate, as many for each query.
    Learned,
    /// Pairs of blocks by their share of attention, as many for all together.
    Adaptive,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dense, Self::Threshold, Self::BlockSparse, Self::Learned, Self::Adaptive];
}

impl Implementation for Method {
    fn name(&self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Threshold => "threshold",
            Self::BlockSparse => "block-sparse",
            Self::Learned => "learned",
            Self::Adaptive => "adaptive",
        }
    }

    fn workload(&self) -> &'static str {
        "sparse-attention"
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Dense => "hand-written fused attention, every score",
            Self::Threshold => {
                "scores above mean + z · deviation of their row, known beforehand from the keys' moments"
            }
            Self::BlockSparse => {
                "pairs of blocks by the product of their means (MInference, arXiv 2407.02490, section 3.2)"
            }
            Self::Learned => {
                "pairs of blocks by a trained gate over pooled queries and keys (SeerAttention, arXiv 2410.13276)"
            }
            Self::Adaptive => {
                "pairs of blocks by their share, budget moves between heads (FlexPrefill's idea, arXiv 2502.20766)"
            }
        }
    }

    fn catalogue(&self) -> &'static [&'static str] {
        match self {
            Self::Dense => &[],
            _ => &["AT7"],
        }
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        prepare(*self, self.name(), setting, params, inputs)
    }

    fn approximation(&self, params: &Params, inputs: &Inputs, seed: u64) -> Option<Reference> {
        sparse_rows(*self, params, inputs, seed)
    }
}
