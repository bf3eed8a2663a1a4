//! Decoding over a cache of few bits: keys and values are quantised before anything is timed, as they are when a cache is filled.
//!
//! Such a row is checked against the attention to the keys and values that its codes stand for; of the inputs, the query can be
//! overwritten.

use benchbook_core::{Array, DType, Inputs, Metric, Problem, Reference, Result, Row, Setting, Subject, Support};
use benchbook_formats::{Axis, Grid, Groups, Integers, Rounding, Whole};
use benchbook_simd::{Code, CodedCache, CodedKeys, Heads, Isa, decode_coded, hadamard};
use benchbook_workloads::attention::{Attention, AttentionParams};

use crate::flex::calls::{Calls, Named, failed};
use crate::flex::row::fused_row;
use crate::flex::weight_only::{own_bytes, with_copies};

/// Implementations of `attention` for one query of each sequence.
pub const ROWS: [Row<Attention>; 4] = [INT8, INT8_ROTATED, INT4, INT4_ROTATED];

const INT8: Row<Attention> = coded::<8, false>(
    "int8-cache",
    "hand-written: keys and values of 8 bits (-127 to 127; keys by channel in groups of 32, values by token: arXiv 2402.02750 \
     with symmetric scales), decoded in registers",
)
.catalogue(&["DE1"]);

const INT8_ROTATED: Row<Attention> = coded::<8, true>(
    "int8-cache-hadamard",
    "hand-written: as int8-cache, with keys and in each call queries rotated by the Walsh-Hadamard matrix (QuaRot, arXiv \
     2404.00456)",
);

const INT4: Row<Attention> = coded::<4, false>(
    "int4-cache",
    "hand-written: keys and values of 4 bits (symmetric; keys by channel in groups of 32, values by token: arXiv 2402.02750), \
     decoded in registers",
);

const INT4_ROTATED: Row<Attention> = coded::<4, true>(
    "int4-cache-hadamard",
    "hand-written: as int4-cache, with keys and in each call queries rotated by the Walsh-Hadamard matrix (QuaRot, arXiv \
     2404.00456)",
);

const fn coded<const BITS: u32, const ROTATED: bool>(name: &'static str, about: &'static str) -> Row<Attention> {
    fused_row::<Attention>(name, about, &[DType::F32], prepare::<BITS, ROTATED>)
        .only(one_query::<ROTATED>)
        .approximating(answer::<BITS, ROTATED>)
        .on_request()
}

/// Keeps out what is no decoding, and what no rotation takes.
fn one_query<const ROTATED: bool>(_device: &str, _dtype: DType, params: &AttentionParams) -> Support {
    let AttentionParams { seq_q, head_dim, masked, .. } = *params;
    if seq_q != 1 || masked {
        return Support::No("a cache of few bits takes one query of each sequence, and no mask".into());
    }
    if ROTATED && !head_dim.is_power_of_two() {
        return Support::No(format!("a rotation takes a head_dim that is a power of two, not {head_dim}"));
    }
    Support::Yes
}

/// Keys that share the scale of a channel.
const GROUP: usize = 32;

/// Keys and values in whole numbers.
struct Quantised {
    /// Of each head: groups of keys are cut within it.
    keys: Vec<Whole>,
    values: Whole,
}

impl Quantised {
    fn new<const BITS: u32, const ROTATED: bool>(params: &AttentionParams, inputs: &Inputs) -> Self {
        let AttentionParams { batch, kv_heads, seq_kv, head_dim, .. } = *params;
        let format = Integers { bits: BITS, grid: if BITS == 4 { Grid::Symmetric } else { Grid::Ends } };
        let of = |numbers: &[f32], axis: Axis, size: usize| {
            let groups = Groups::new([numbers.len() / head_dim, head_dim], axis, size);
            let whole = groups.and_then(|groups| format.quantised(numbers, &groups, Rounding::NearestEven));
            whole.unwrap_or_else(|error| panic!("keys or values of whole heads: {error}"))
        };
        let mut keys = inputs.numbers("key").to_vec();
        if ROTATED {
            keys.chunks_exact_mut(head_dim).for_each(hadamard);
        }
        let heads = keys.chunks_exact(seq_kv * head_dim).take(batch * kv_heads);
        let keys = heads.map(|keys| of(keys, Axis::Rows, GROUP)).collect();
        Self { keys, values: of(inputs.numbers("value"), Axis::Columns, head_dim) }
    }
}

fn prepare<const BITS: u32, const ROTATED: bool>(
    name: &'static str,
    setting: &Setting,
    params: &AttentionParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, .. } = *params;
    let Quantised { keys, values } = Quantised::new::<BITS, ROTATED>(params, inputs);
    let (codes, scales): (Vec<&[u8]>, Vec<&[f32]>) =
        keys.iter().map(|head| (&head.codes[..], &head.scales[..])).unzip();
    let cache = CodedKeys {
        heads: Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim },
        code: if BITS == 4 { Code::Int4 } else { Code::Int8 },
        keys: &codes.concat(),
        key_scales: &scales.concat(),
        values: &values.codes,
        value_scales: &values.scales,
        rotated: ROTATED,
    };
    let cache =
        CodedCache::new(&cache, Isa::detect()).map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let (bytes, query) = (cache.bytes(), inputs.get("query").clone());
    let read = query.bytes().len() + bytes;
    // As many numbers as a query are written.
    let metrics = vec![Metric::modelled("cache_bytes", bytes as f64, "bytes"), own_bytes(read + query.bytes().len())];
    let setting = with_copies(setting, inputs, read);
    let call =
        |(query, cache): &(Named, CodedCache), [out]: [&mut [f32]; 1]| decode_coded(query.1.of::<f32>(), cache, out);
    let shape = vec![batch, heads, seq_q, head_dim];
    let subject = Calls::of_slices(name, &setting, (Named("query", query), cache), [shape], call);
    Ok(Box::new(subject.with_metrics(metrics)))
}

/// The attention to the keys and values that the codes stand for, keys turned back where they were rotated.
fn answer<const BITS: u32, const ROTATED: bool>(
    params: &AttentionParams,
    inputs: &Inputs,
    seed: u64,
) -> Option<Reference> {
    if one_query::<ROTATED>("", DType::F32, params) != Support::Yes {
        return None;
    }
    let Quantised { keys, values } = Quantised::new::<BITS, ROTATED>(params, inputs);
    let mut keys: Vec<f32> = keys.iter().flat_map(Whole::dequantised).collect();
    if ROTATED {
        keys.chunks_exact_mut(params.head_dim).for_each(hadamard);
    }
    let shape = inputs.get("key").shape();
    let [key, value] = [keys, values.dequantised()].map(|numbers| Array::new(shape.to_vec(), &numbers));
    let inputs = Inputs::from([("query", inputs.get("query").clone()), ("key", key), ("value", value)]);
    Some(Attention::reference(params, &inputs, seed))
}
