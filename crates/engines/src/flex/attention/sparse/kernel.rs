//! What each way of leaving scores out is made of.

use std::sync::{Arc, Mutex};

use benchbook_core::{Error, Figure, Inputs, Params, Result, Setting, Subject};
use benchbook_simd::{Attend, Heads, Isa};
use burn::tensor::Tensor;

use super::blocks::{Blocks, Choice};
use super::gate::Gate;
use super::implementations::Method;
use super::threshold::{Threshold, deviations};
use crate::flex::fused::{Options, Select};
use crate::flex::tensor::upload;
use crate::flex::{TensorSubject, fused, open};

type Inputs3 = [Tensor<4>; 3];

/// A method, ready to be timed, with what it leaves out of these inputs.
pub fn prepare(
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
