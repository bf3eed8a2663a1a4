//! Programs that `scaled_dot_product_attention` takes as a mask to add.

use benchbook_core::{DType, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use tch::{TchError, Tensor};

use super::array::upload;
use super::subject::{TorchSubject, torch_error};
use super::version::engine;

/// PyTorch's fused attention with penalties and hidden places in one array that is added to scores (EN1), made before
/// timing. A soft cap bends scores, so it cannot be said this way.
pub struct SdpaProgram;

/// Documents of a sequence, as the workload has them.
const DOCUMENTS: usize = 4;

struct Call {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    /// `[1, heads or 1, seq, seq]`
    added: Tensor,
}

impl Implementation for SdpaProgram {
    fn name(&self) -> &'static str {
        "torch-sdpa"
    }

    fn workload(&self) -> &'static str {
        "programmable-attention"
    }

    fn about(&self) -> &'static str {
        "libtorch 2.9.0 scaled_dot_product_attention, the program as an array that is added to scores"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["EN1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["libtorch"]
    }

    fn supports(&self, _device: &str, _dtype: DType, params: &Params) -> Support {
        match params.text("program") {
            "alibi" | "document" => Support::Yes,
            other => Support::No(format!(
                "scaled_dot_product_attention can only add to scores, which does not say `{other}`"
            )),
        }
    }

    fn engine(&self, _device: &str) -> (String, String) {
        engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let added = added(params);
        let one = |_| {
            let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
            Ok(Call {
                query: tensor("query")?,
                key: tensor("key")?,
                value: tensor("value")?,
                added: upload(&added, setting.dtype)?,
            })
        };
        let calls: Result<Vec<_>, TchError> = (0..setting.copies).map(one).collect();
        let calls = calls.map_err(|error| torch_error(self.name(), &error))?;
        Ok(Box::new(TorchSubject::new(self.name(), calls, attend)))
    }
}

/// What a program adds to scores, −∞ where it hides a key: ALiBi's slope of a head is 2^(−8 (head + 1) / heads) (Press et
/// al., arXiv 2108.12409, section 3); a document sees itself alone.
fn added(params: &Params) -> HostArray {
    let (seq, alibi) = (params.size("seq"), params.text("program") == "alibi");
    let heads = if alibi { params.size("heads") } else { 1 };
    let document = |position: usize| position / seq.div_ceil(DOCUMENTS);
    let mut numbers = Vec::with_capacity(heads * seq * seq);
    for head in 0..heads {
        let slope = if alibi { (-8.0 * (head + 1) as f64 / heads as f64).exp2() } else { 0.0 };
        for query in 0..seq {
            let number = |key: usize| {
                let seen = key <= query && (alibi || document(key) == document(query));
                if seen { (slope * (key as f64 - query as f64)) as f32 } else { f32::NEG_INFINITY }
            };
            numbers.extend((0..seq).map(number));
        }
    }
    HostArray::new(vec![1, heads, seq, seq], numbers)
}

fn attend(Call { query, key, value, added }: &Call) -> Result<[Tensor; 1], TchError> {
    let mask = Some(added);
    Ok([Tensor::f_scaled_dot_product_attention(query, key, value, mask, 0.0, false, None, false)?])
}
