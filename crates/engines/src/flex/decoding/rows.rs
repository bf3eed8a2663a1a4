//! The implementations of each problem of decoding.

use std::sync::Arc;

use benchbook_core::{DType, Inputs, Loop, Looping, Metric, Result, Row, Setting, StepsOf, Subject};
use benchbook_workloads::decoding::{
    BatchedDecoding, BatchedDecodingParams, GreedyDecoding, GreedyDecodingParams, LossyDecoding, LossyDecodingParams,
    PrefixDecoding, PrefixDecodingParams, SpeculativeDecoding, SpeculativeDecodingParams, SpeculativeSampling,
    SpeculativeSamplingParams,
};

use super::batched::{Batched, Policy};
use super::cache::{Cache, Places};
use super::distilled::distilled;
use super::gpt2::{Gpt2, Weights};
use super::greedy::{Greedy, Keeps, Who, ids_of};
use super::sampling::Sampling;
use super::speculative::{Alone, Draft, Lookup, Smaller, Speculative};
use super::text::Reader;
use super::{coded, contiguous, numbers};
use crate::flex::row::fused_row;
use crate::flex::weight_only::{own_bytes, weight_bytes};

/// Implementations of `greedy-decoding`.
pub const GREEDY: [Row<GreedyDecoding>; 4] = [KV_CACHE, RECOMPUTE, PAGED_CACHE, CHUNKED_PREFILL];

/// Implementations of `lossy-decoding`.
pub const LOSSY: [Row<LossyDecoding>; 2] = [EVICTING, MASKED];

/// Implementations of `prefix-decoding`.
pub const PREFIX: [Row<PrefixDecoding>; 2] = [PREFIX_REUSE, PREFIX_ANEW];

/// Implementations of `speculative-decoding`.
pub const SPECULATIVE: [Row<SpeculativeDecoding>; 4] = [TARGET_ALONE, PROMPT_LOOKUP, DRAFT_MODEL, DRAFT_DISTILLED];

/// Implementations of `speculative-sampling`.
pub const SAMPLING: [Row<SpeculativeSampling>; 2] = [SAMPLED_ALONE, REJECTION];

/// Implementations of `batched-decoding`.
pub const BATCHED: [Row<BatchedDecoding>; 3] = [STATIC, CONTINUOUS, ADAPTIVE];

/// Dtypes of everything here.
const F32: &[DType] = &[DType::F32];

/// Positions of a page, as in the paper on `PagedAttention`, section 7.2.
const PAGE: usize = 16;

/// Positions of a chunk of a prompt.
const CHUNK: usize = 32;

/// Tokens of a match of a prompt's n-grams at most.
const LONGEST: usize = 3;

/// What remembers the text, and nothing of the one before.
const TEXT: Keeps = Keeps { text: true, prefix: 0 };

const KV_CACHE: Row<GreedyDecoding> = fused_row::<GreedyDecoding>(
    "kv-cache",
    "keys and values of earlier positions are kept (Pope et al., arXiv 2211.05102, section 2); products hand-written: AVX-512, \
     AVX2 or portable",
    F32,
    |name, setting, params, inputs| {
        let weights = Weights::of(params, inputs);
        let model = Gpt2::new(&weights, params.layers, contiguous(params, &weights));
        let bytes = weights.matrix_bytes(params.layers);
        // The first token reads every matrix for the prompt.
        let told = vec![weight_bytes(bytes), own_bytes(params.tokens * bytes)];
        let given = [Vec::new(), ids_of(inputs.get("prompt"))];
        let (of, reader) = (GreedyDecoding::steps(params), Reader::new(model, usize::MAX));
        decoding((name, setting), given, &of, (reader, told), TEXT)
    },
)
.catalogue(&["DE5"]);

const RECOMPUTE: Row<GreedyDecoding> = fused_row::<GreedyDecoding>(
    "recompute",
    "every position anew for each token; products hand-written: AVX-512, AVX2 or portable",
    F32,
    |name, setting, params, inputs| {
        let weights = Weights::of(params, inputs);
        // Keys and values of one layer at a time.
        let model = Gpt2::new(&weights, params.layers, numbers(params, &weights, 1, |_| Places::Contiguous));
        greedy((name, setting), params, inputs, Reader::new(model, usize::MAX), Keeps { text: false, prefix: 0 })
    },
);

const PAGED_CACHE: Row<GreedyDecoding> = fused_row::<GreedyDecoding>(
    "paged-cache",
    "as kv-cache, in pages of 16 positions that a table finds (Kwon et al., arXiv 2309.06180, section 4)",
    F32,
    |name, setting, params, inputs| {
        let weights = Weights::of(params, inputs);
        let pages = numbers(params, &weights, params.layers, |room| Places::pages(PAGE, room));
        let model = Gpt2::new(&weights, params.layers, pages);
        greedy((name, setting), params, inputs, Reader::new(model, usize::MAX), TEXT)
    },
)
.catalogue(&["DE1"])
.on_request();

const CHUNKED_PREFILL: Row<GreedyDecoding> = fused_row::<GreedyDecoding>(
    "chunked-prefill",
    "as kv-cache, a prompt in passes of 32 positions: memory for one pass, whatever its length (Agrawal et al., arXiv \
     2308.16369, section 4)",
    F32,
    |name, setting, params, inputs| {
        let weights = Weights::of(params, inputs);
        let model = Gpt2::new(&weights, params.layers, contiguous(params, &weights));
        greedy((name, setting), params, inputs, Reader::new(model, CHUNK), TEXT)
    },
)
.catalogue(&["DE4"])
.on_request();

const EVICTING: Row<LossyDecoding> = fused_row::<LossyDecoding>(
    "evicting",
    "a ring of positions behind the sinks, in which the oldest is overwritten (Xiao et al., arXiv 2309.17453, section 3.2); of 8 \
     or 4 bits, decoded as they are read",
    F32,
    |name, setting, params, inputs| {
        let LossyDecodingParams { sinks, window_size: window, .. } = *params;
        lossy((name, setting), params, inputs, move |_| Places::Ring { sinks, window })
    },
)
.catalogue(&["DE1"]);

const MASKED: Row<LossyDecoding> = fused_row::<LossyDecoding>(
    "masked",
    "every position is kept, and those out of sight are not read",
    F32,
    |name, setting, params, inputs| {
        let LossyDecodingParams { sinks, window_size: window, .. } = *params;
        lossy((name, setting), params, inputs, move |_| Places::Hidden { sinks, window })
    },
);

const PREFIX_REUSE: Row<PrefixDecoding> = fused_row::<PrefixDecoding>(
    "prefix-reuse",
    "keys and values of the beginning are kept from the text before (Zheng et al., arXiv 2312.07104, section 3)",
    F32,
    |name, setting, params, inputs| prefix((name, setting), params, inputs, params.prefix),
)
.catalogue(&["DE1"]);

const PREFIX_ANEW: Row<PrefixDecoding> = fused_row::<PrefixDecoding>(
    "prefix-anew",
    "keys and values of the beginning are computed for every text",
    F32,
    |name, setting, params, inputs| prefix((name, setting), params, inputs, 0),
);

const TARGET_ALONE: Row<SpeculativeDecoding> = fused_row::<SpeculativeDecoding>(
    "target-alone",
    "a token a step, nothing is guessed",
    F32,
    |name, setting, params, inputs| {
        let weights = Weights::of(&params.model(), inputs);
        speculative((name, setting), params, inputs, (&weights, Alone))
    },
);

const PROMPT_LOOKUP: Row<SpeculativeDecoding> = fused_row::<SpeculativeDecoding>(
    "prompt-lookup",
    "guesses what has followed the last tokens before, up to three of them (Yang et al., arXiv 2304.04487, section 3)",
    F32,
    |name, setting, params, inputs| {
        let weights = Weights::of(&params.model(), inputs);
        speculative((name, setting), params, inputs, (&weights, Lookup { longest: LONGEST }))
    },
)
.catalogue(&["DE2"]);

const DRAFT_MODEL: Row<SpeculativeDecoding> = fused_row::<SpeculativeDecoding>(
    "draft-model",
    "guesses what the first layers of the model make (Leviathan et al., arXiv 2211.17192; Zhang et al., arXiv 2309.08168)",
    F32,
    |name, setting, params, inputs| {
        let model = params.model();
        let weights = Weights::of(&model, inputs);
        let draft = Gpt2::new(&weights, params.draft_layers, contiguous(&model, &weights));
        speculative((name, setting), params, inputs, (&weights, Smaller(Reader::new(draft, usize::MAX))))
    },
)
.catalogue(&["DE2"]);

const DRAFT_DISTILLED: Row<SpeculativeDecoding> = fused_row::<SpeculativeDecoding>(
    "draft-distilled",
    "as draft-model, with a head that was fitted before to what the whole model makes of texts of its own (Hinton et al., arXiv \
     1503.02531; Kim & Rush, arXiv 1606.07947)",
    F32,
    |name, setting, params, inputs| {
        let model = params.model();
        let weights = Weights::of(&model, inputs);
        let own = Who::new(name, setting).said(distilled(&weights, params))?;
        let draft = Gpt2::new(&own, params.draft_layers, contiguous(&model, &own));
        speculative((name, setting), params, inputs, (&weights, Smaller(Reader::new(draft, usize::MAX))))
    },
)
.catalogue(&["DE2"])
.on_request();

const SAMPLED_ALONE: Row<SpeculativeSampling> = fused_row::<SpeculativeSampling>(
    "target-alone",
    "each token from the model's own distribution, nothing is guessed",
    F32,
    |name, setting, params, inputs| sampling((name, setting), params, inputs, false),
);

const REJECTION: Row<SpeculativeSampling> = fused_row::<SpeculativeSampling>(
    "rejection",
    "guesses of a draft model are kept with the probability min(1, p/q), else a token is drawn from (p − q)₊ (Leviathan et al., \
     arXiv 2211.17192, section 2.3)",
    F32,
    |name, setting, params, inputs| sampling((name, setting), params, inputs, true),
)
.catalogue(&["DE2"]);

const STATIC: Row<BatchedDecoding> = fused_row::<BatchedDecoding>(
    "static",
    "a full batch at a time, which nobody joins later",
    F32,
    |name, setting, params, inputs| batched((name, setting), params, inputs, Policy::Static),
);

const CONTINUOUS: Row<BatchedDecoding> = fused_row::<BatchedDecoding>(
    "continuous",
    "whoever has arrived joins before each pass (Yu et al., Orca, OSDI 2022, section 3.1)",
    F32,
    |name, setting, params, inputs| batched((name, setting), params, inputs, Policy::Continuous),
)
.catalogue(&["DE3"]);

const ADAPTIVE: Row<BatchedDecoding> = fused_row::<BatchedDecoding>(
    "adaptive",
    "as continuous, with as many slots as keep a pass within its bound: one more after each that does, half after one that does \
     not (Crankshaw et al., Clipper, NSDI 2017, section 4.3.1)",
    F32,
    |name, setting, params, inputs| batched((name, setting), params, inputs, Policy::Adaptive),
)
.catalogue(&["DE3"]);

/// A row's name, and where it is to run.
type Asked<'a> = (&'static str, &'a Setting);

fn looping<L: Loop + 'static>((name, setting): Asked<'_>, of: &StepsOf, looped: L) -> Result<Box<dyn Subject>> {
    Ok(Box::new(Looping::new(name, setting, of, looped)))
}

/// Greedy decoding of a prompt after `prefix`, in a loop that makes so many tokens, by a reader of whose model something is told.
fn decoding<C: Cache + 'static>(
    asked: Asked<'_>,
    [prefix, prompt]: [Vec<usize>; 2],
    of: &StepsOf,
    (reader, told): (Reader<Gpt2<C>>, Vec<Metric>),
    keeps: Keeps,
) -> Result<Box<dyn Subject>> {
    let (who, tokens, ids) = (Who::new(asked.0, asked.1), of.most, Vec::new());
    looping(asked, of, Greedy { who, reader, keeps, prefix, prompt, tokens, ids, told })
}

fn greedy<C: Cache + 'static>(
    asked: Asked<'_>,
    params: &GreedyDecodingParams,
    inputs: &Inputs,
    reader: Reader<Gpt2<C>>,
    keeps: Keeps,
) -> Result<Box<dyn Subject>> {
    let given = [Vec::new(), ids_of(inputs.get("prompt"))];
    decoding(asked, given, &GreedyDecoding::steps(params), (reader, Vec::new()), keeps)
}

fn lossy(
    asked: Asked<'_>,
    params: &LossyDecodingParams,
    inputs: &Inputs,
    places: impl Fn(usize) -> Places + 'static,
) -> Result<Box<dyn Subject>> {
    let sizes = params.model();
    let weights = Weights::of(&sizes, inputs);
    match params.bits {
        8 => {
            let model = Gpt2::new(&weights, sizes.layers, coded::<8, _>(&sizes, &weights, places));
            greedy(asked, &sizes, inputs, Reader::new(model, usize::MAX), TEXT)
        }
        4 => {
            let model = Gpt2::new(&weights, sizes.layers, coded::<4, _>(&sizes, &weights, places));
            greedy(asked, &sizes, inputs, Reader::new(model, usize::MAX), TEXT)
        }
        _ => {
            let model = Gpt2::new(&weights, sizes.layers, numbers(&sizes, &weights, sizes.layers, places));
            greedy(asked, &sizes, inputs, Reader::new(model, usize::MAX), TEXT)
        }
    }
}

fn prefix(asked: Asked<'_>, params: &PrefixDecodingParams, inputs: &Inputs, kept: usize) -> Result<Box<dyn Subject>> {
    let sizes = params.model();
    let weights = Weights::of(&sizes, inputs);
    let model = Gpt2::new(&weights, sizes.layers, contiguous(&sizes, &weights));
    let given = ["prefix", "prompt"].map(|name| ids_of(inputs.get(name)));
    let keeps = Keeps { text: true, prefix: kept };
    decoding(asked, given, &PrefixDecoding::steps(params), (Reader::new(model, usize::MAX), Vec::new()), keeps)
}

fn speculative<D: Draft + 'static>(
    asked: Asked<'_>,
    params: &SpeculativeDecodingParams,
    inputs: &Inputs,
    (weights, draft): (&Arc<Weights>, D),
) -> Result<Box<dyn Subject>> {
    let model = Gpt2::new(weights, params.layers, contiguous(&params.model(), weights));
    let looped = Speculative {
        who: Who::new(asked.0, asked.1),
        reader: Reader::new(model, usize::MAX),
        draft,
        guesses: params.guesses,
        prompt: ids_of(inputs.get("prompt")),
        tokens: params.tokens,
        ids: Vec::new(),
    };
    looping(asked, &SpeculativeDecoding::steps(params), looped)
}

fn sampling(
    asked: Asked<'_>,
    params: &SpeculativeSamplingParams,
    inputs: &Inputs,
    guesses: bool,
) -> Result<Box<dyn Subject>> {
    let sizes = params.model();
    let weights = Weights::of(&sizes, inputs);
    let first = |layers: usize| Reader::new(Gpt2::new(&weights, layers, contiguous(&sizes, &weights)), usize::MAX);
    let draft = guesses.then(|| first(params.draft_layers));
    let (who, prompt) = (Who::new(asked.0, asked.1), ids_of(inputs.get("prompt")));
    let looped = Sampling::new(who, first(params.layers), draft, prompt, params.draws);
    looping(asked, &SpeculativeSampling::steps(params), looped)
}

fn batched(
    asked: Asked<'_>,
    params: &BatchedDecodingParams,
    inputs: &Inputs,
    policy: Policy,
) -> Result<Box<dyn Subject>> {
    let sizes = params.model();
    let weights = Weights::of(&sizes, inputs);
    let model = Gpt2::new(&weights, sizes.layers, contiguous(&sizes, &weights));
    let who = Who::new(asked.0, asked.1);
    let looped = Batched::new(who, model, policy, params, ids_of(inputs.get("prompt")));
    looping(asked, &BatchedDecoding::steps(params), looped)
}
