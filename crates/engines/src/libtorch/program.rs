//! Programs that `scaled_dot_product_attention` takes as a mask to add.

use benchbook_core::{DType, Inputs, Row, Setting, Support};
use benchbook_workloads::attention::program::DOCUMENTS;
use benchbook_workloads::attention::{ProgrammableAttention, ProgrammableAttentionParams};
use tch::{TchError, Tensor};

use super::array::{upload_attended, upload_numbers};
use super::implementation::{Call, row};
use super::subject::find;

/// PyTorch's fused attention with penalties and hidden places in one array that is added to scores (EN1), made before
/// timing. A soft cap bends scores, so it cannot be said this way.
pub const SDPA_PROGRAM: Row<ProgrammableAttention> = row::<Added, 1>(
    "torch-sdpa",
    "libtorch's scaled_dot_product_attention, the program as an array that is added to scores",
)
.only(supported);

pub struct Added {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    /// `[1, heads or 1, seq, seq]`
    added: Tensor,
}

fn supported(_device: &str, _dtype: DType, params: &ProgrammableAttentionParams) -> Support {
    match params.program.as_str() {
        "alibi" | "document" => Support::Yes,
        other => {
            Support::No(format!("scaled_dot_product_attention can only add to scores, which does not say `{other}`"))
        }
    }
}

impl Call<1> for Added {
    type Problem = ProgrammableAttention;

    fn prepared(setting: &Setting, params: &ProgrammableAttentionParams, inputs: &Inputs) -> Result<Self, TchError> {
        let [query, key, value] = upload_attended(setting, inputs)?;
        Ok(Self { query, key, value, added: added(params, setting.dtype)? })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Self { query, key, value, added } = self;
        let mask = Some(added);
        Ok([Tensor::f_scaled_dot_product_attention(query, key, value, mask, 0.0, false, None, false)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["query", "key", "value"], &[&self.query, &self.key, &self.value], name)
    }
}

/// What a program adds to scores, −∞ where it hides a key: ALiBi's slope of a head is 2^(−8 (head + 1) / heads) (Press et
/// al., arXiv 2108.12409, section 3); a document sees itself alone.
fn added(params: &ProgrammableAttentionParams, dtype: DType) -> Result<Tensor, TchError> {
    let (seq, alibi) = (params.seq, params.program == "alibi");
    let heads = if alibi { params.heads } else { 1 };
    let document = |position: usize| position / seq.div_ceil(DOCUMENTS);
    let slope = |head: usize| if alibi { (-8.0 * (head + 1) as f64 / heads as f64).exp2() } else { 0.0 };
    let slopes: Vec<f64> = (0..heads).map(slope).collect();
    let number = |at: usize| {
        let (head, query, key) = (at / seq / seq, at / seq % seq, at % seq);
        let seen = key <= query && (alibi || document(key) == document(query));
        if seen { slopes[head] * (key as f64 - query as f64) } else { f64::NEG_INFINITY }
    };
    upload_numbers((0..heads * seq * seq).map(number), &[1, heads, seq, seq].map(|length| length as i64), dtype)
}
