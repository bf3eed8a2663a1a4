//! The ways to leave scores out, by name, and what each is made of.

use std::sync::{Arc, Mutex};

use benchbook_core::{
    DType, Error, Figure, Implementation, Inputs, Params, Reference, Result, Setting, Subject, Support,
};
use benchbook_simd::{Attend, Heads, Isa};
use burn::tensor::Tensor;

use super::blocks::{Blocks, Choice};
use super::gate::Gate;
use super::reference::sparse_rows;
use super::threshold::{Threshold, deviations};
use crate::flex::fused::{Options, Select};
use crate::flex::tensor::upload;
use crate::flex::{TensorSubject, fused, fused_engine, open};

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

type Inputs3 = [Tensor<4>; 3];

/// A method, ready to be timed, with what it leaves out of these inputs.
fn prepare(
    method: Method,
    name: &'static str,
    setting: &Setting,
    params: &Params,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let device = open(&setting.device)?;
    let error =
        |reason: String| Error::Implementation { implementation: name.into(), device: setting.device.clone(), reason };
    let one = |_| ["query", "key", "value"].map(|array| upload(inputs.get(array), &device, setting.dtype));
    let copies: Vec<Inputs3> = (0..setting.copies).map(one).collect();
    let Some(select) = select(method, params).map_err(error)? else {
        let call = |[query, key, value]: &Inputs3| {
            fused::attention(query.clone(), key.clone(), value.clone(), None, Options::default())
        };
        return Ok(Box::new(TensorSubject::checked(name, &setting.device, device, copies, call)));
    };
    let left_out = select.left_out(&attend(params, inputs)).map_err(|wrong| error(wrong.to_string()))?;
    let names = ["sparsity_reached", "compute_saved"];
    let figures = names.into_iter().zip(left_out).map(|(name, share)| Figure::measured(name, share, "share")).collect();
    let call = move |[query, key, value]: &Inputs3| {
        fused::sparse_attention(query.clone(), key.clone(), value.clone(), &select, Options::default())
    };
    let subject = TensorSubject::checked(name, &setting.device, device, copies, call);
    Ok(Box::new(subject.with_figures(figures)))
}

fn select(method: Method, params: &Params) -> Result<Option<Arc<dyn Select>>, String> {
    let sparsity = params.float("sparsity");
    let choice = match method {
        Method::Dense => return Ok(None),
        Method::Threshold => {
            return Ok(Some(Arc::new(Threshold { deviations: deviations(sparsity), room: Mutex::default() })));
        }
        Method::BlockSparse => Choice::Means,
        Method::Adaptive => Choice::Shares,
        Method::Learned => Choice::Gate(Gate::of(params)?),
    };
    Ok(Some(Arc::new(Blocks { choice, sparsity, room: Mutex::default() })))
}

fn attend<'a>(params: &Params, inputs: &'a Inputs) -> Attend<'a> {
    let [batch, heads, seq, head_dim] = ["batch", "heads", "seq", "head_dim"].map(|name| params.size(name));
    let of = |name: &str| &inputs.get(name).data[..];
    Attend {
        heads: Heads { batch, heads, kv_heads: heads, seq_q: seq, seq_kv: seq, head_dim },
        query: of("query"),
        key: of("key"),
        value: of("value"),
        scale: None,
        causal: false,
        window: None,
        mask: None,
        isa: Isa::detect(),
    }
}
