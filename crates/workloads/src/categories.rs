//! Workloads by what they say something of.

use benchbook_core::Problem;

use crate::attention::{Attention, PagedAttention, RingAttention, SparseAttention};
use crate::blocks::{Embedding, LayerNorm, Linear, Mlp, RmsNorm, Rotary, Softmax, TransformerBlock};
use crate::decoding::LossyDecoding;
use crate::matmul::Matmul;
use crate::mixers::{Retention, SelectiveScan, Ssd};
use crate::roofs;
use crate::training::{AdamW, NormChain, TopKCompression};

/// Some workloads under a word that people know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Category {
    /// The word.
    pub name: &'static str,
    /// What is measured.
    pub about: &'static str,
    /// Names of workloads.
    pub workloads: &'static [&'static str],
    /// Names of the devices on which they are measured; of none, on all that are here.
    pub devices: &'static [&'static str],
}

const ALL: &[&str] = &[];

const ROOFS: &[&str] = &[
    roofs::Fma::NAME,
    roofs::Int8Dot::NAME,
    roofs::TileDot::NAME,
    roofs::Exp2::NAME,
    roofs::Read::NAME,
    roofs::Copy::NAME,
];

/// Every category; the last one has all that the others have, each once.
pub const CATEGORIES: [Category; 11] = [
    Category {
        name: "accuracy",
        about: "what approximations lose: sparse attention, caches that forget or round, weights of few bits",
        workloads: &[SparseAttention::NAME, LossyDecoding::NAME, Matmul::NAME],
        devices: ALL,
    },
    Category {
        name: "cpu",
        about: "the roofs of arithmetic",
        workloads: &[roofs::Fma::NAME, roofs::Int8Dot::NAME, roofs::Exp2::NAME],
        devices: ALL,
    },
    Category {
        name: "gpu",
        about: "what models spend their time with, by PyTorch on a GPU",
        workloads: &[Attention::NAME, Matmul::NAME, Linear::NAME, Mlp::NAME, TransformerBlock::NAME],
        // The Python worker has it.
        devices: &["torch-cuda"],
    },
    Category {
        name: "memory",
        about: "the roofs of memory, and what is held by it",
        workloads: &[
            roofs::Read::NAME,
            roofs::ReadPattern::NAME,
            roofs::Copy::NAME,
            Embedding::NAME,
            PagedAttention::NAME,
        ],
        devices: ALL,
    },
    Category {
        name: "performance",
        about: "what models spend their time with",
        workloads: &[Attention::NAME, Matmul::NAME, Mlp::NAME, TransformerBlock::NAME],
        devices: ALL,
    },
    Category {
        name: "scalability",
        about: "time and memory over the length of a sequence: attention, a ring of workers, linear time",
        workloads: &[Attention::NAME, RingAttention::NAME, SelectiveScan::NAME, Ssd::NAME, Retention::NAME],
        devices: ALL,
    },
    Category {
        name: "system",
        about: "small operations, of which a call costs as much as its work",
        workloads: &[LayerNorm::NAME, RmsNorm::NAME, Softmax::NAME, Rotary::NAME],
        devices: ALL,
    },
    Category {
        name: "training",
        about: "an optimizer, fused chains, gradients that take fewer bytes",
        workloads: &[AdamW::NAME, NormChain::NAME, TopKCompression::NAME],
        devices: ALL,
    },
    Category {
        name: "comparative",
        about: "what every engine solves",
        workloads: &[Attention::NAME, Matmul::NAME, Linear::NAME, TransformerBlock::NAME],
        devices: ALL,
    },
    Category { name: "hardware", about: "every roof of this machine", workloads: ROOFS, devices: ALL },
    Category {
        name: "comprehensive",
        about: "all of these",
        workloads: &[
            SparseAttention::NAME,
            LossyDecoding::NAME,
            Matmul::NAME,
            roofs::Fma::NAME,
            roofs::Int8Dot::NAME,
            roofs::TileDot::NAME,
            roofs::Exp2::NAME,
            roofs::Read::NAME,
            roofs::ReadPattern::NAME,
            roofs::Copy::NAME,
            Embedding::NAME,
            PagedAttention::NAME,
            Attention::NAME,
            Mlp::NAME,
            TransformerBlock::NAME,
            RingAttention::NAME,
            SelectiveScan::NAME,
            Ssd::NAME,
            Retention::NAME,
            LayerNorm::NAME,
            RmsNorm::NAME,
            Softmax::NAME,
            Rotary::NAME,
            AdamW::NAME,
            NormChain::NAME,
            TopKCompression::NAME,
            Linear::NAME,
        ],
        devices: ALL,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_category_names_workloads_that_there_are_and_the_last_has_all() {
        let registry = crate::problems();
        let known: BTreeSet<&str> = registry.workloads().map(|workload| workload.name()).collect();
        let (all, others) = CATEGORIES.split_last().unwrap();
        for category in &CATEGORIES {
            let distinct: BTreeSet<&str> = category.workloads.iter().copied().collect();
            assert_eq!(distinct.len(), category.workloads.len(), "{}", category.name);
            assert!(distinct.is_subset(&known) && !distinct.is_empty(), "{}", category.name);
        }
        let of_others: BTreeSet<&str> = others.iter().flat_map(|one| one.workloads.iter().copied()).collect();
        assert_eq!(of_others, all.workloads.iter().copied().collect());
    }
}
