//! Every technique, a row each.

use super::{Change, GUESSES, Promise, Technique};
use crate::compress::Scheme;
use crate::decoder::{Exit, Form, Keeps};

/// Every technique, in the order of tables and of runs: first one for each optimization that people name (the view `optimizations`).
pub const ALL: &[Technique] = &[
    Technique {
        name: "channels-25",
        about: "a quarter of the channels between the products of feed-forward networks left out, those with the smallest weights (as \
                arXiv 2305.11627, by squares); the others multiply as before",
        catalogue: &["SP1"],
        change: Change::Channels(25),
        promise: NOTHING,
    },
    Technique {
        name: "sparse-attention",
        about: "each weight of attention is made less by 1 % of the largest one of its query, and values whose weight would not be above \
                nothing are not read (a soft threshold, by which each query sees as many as matter to it; adaptively sparse as arXiv \
                1909.00015, by plain loops)",
        catalogue: &["AT7"],
        change: Change::Attention(0.01),
        promise: NOTHING,
    },
    Technique {
        name: "2of4",
        about: "two of every four weights along the inner axis of every matrix of a layer, the largest (2:4, arXiv 2104.08378), chosen in \
                registers for few rows",
        catalogue: &["SP2"],
        change: Change::Layers(Form::TwoOfFour),
        promise: Promise { weight_bytes: 0.57, flops: 0.51, ..NOTHING },
    },
    Technique {
        name: "block-out",
        about: "the block in the middle is taken out, so that what comes in goes out: the difference that one module makes (ShortGPT, arXiv \
                2403.03853, section 3.2, without its choice)",
        catalogue: &["AD6"],
        change: Change::Block,
        promise: NOTHING,
    },
    Technique {
        name: "low-rank-4th",
        about: "matrices of feed-forward networks by two of a quarter of their rank (randomised range finder, arXiv 0909.4061)",
        catalogue: &["SP4"],
        change: Change::Feed(Form::LowRank(4)),
        promise: NOTHING,
    },
    Technique {
        name: "chunks-16",
        about: "16 tokens of a prompt come at a time, so that what is between layers has the room of 16 (chunked prefill: Sarathi, arXiv \
                2308.16369, section 4.2)",
        catalogue: &["DE4"],
        change: Change::Chunks(16),
        promise: NOTHING,
    },
    Technique {
        name: "adaptive-precision",
        about: "each layer has the lowest of int4-g32, int8 and f32 in which, alone, it changes logits by 5 % at most, found on 16 tokens (layers \
                by their sensitivity, as HAWQ, arXiv 1905.03696, by logits)",
        catalogue: &["PR7"],
        change: Change::Precision(0.05),
        promise: NOTHING,
    },
    weights(
        "int8",
        "weights of 8 bits, a scale for each column (LLM.int8(), arXiv 2208.07339, without its outliers), decoded in registers and \
         multiplied in f32",
        &["PR2"],
        Form::Coded(Scheme::Int8),
        0.27,
    ),
    weights(
        "int4-g32",
        "weights of 4 bits in groups of 32, symmetric, rounded to nearest (GPTQ's grid, arXiv 2210.17323), decoded in registers and \
         multiplied in f32",
        &["PR3"],
        Form::Coded(Scheme::Int4G32),
        0.17,
    ),
    Technique {
        name: "window-sinks",
        about: "a query sees the first 4 positions and the newest 60, the others are overwritten (attention sinks: StreamingLLM, arXiv \
                2309.17453, section 3.2; positions keep their places)",
        catalogue: &["AT6", "DE1"],
        change: Change::Keeps(Keeps { window: Some([4, 60]), bits: None }),
        promise: NOTHING,
    },
    Technique {
        name: "sparse-90",
        about: "nine of ten weights of every matrix of a layer left out, the smallest (arXiv 1506.02626), the others by column (CSR)",
        catalogue: &["SP3"],
        change: Change::Layers(Form::Singles(90)),
        promise: Promise { weight_bytes: 0.22, flops: 0.11, ..NOTHING },
    },
    Technique {
        name: "heads-25",
        about: "a quarter of the key heads left out with the queries that share them, those with the smallest weights (as arXiv \
                1905.10650, by squares); the others multiply as before",
        catalogue: &["SP1"],
        change: Change::Heads(25),
        promise: NOTHING,
    },
    Technique {
        name: "early-exit",
        about: "a token that comes alone leaves the layers, behind the first half of them, once a layer turns it by less than a cosine of 0.9 \
                (CALM's saturation of hidden states, arXiv 2207.07061, section 3.5); deeper layers keep its keys and values",
        catalogue: &["AD1"],
        change: Change::Exit(Exit { least: 50, alike: 0.9 }),
        promise: NOTHING,
    },
    Technique {
        name: "cache-int8",
        about: "keys and values of 8 bits, a scale for each head of a position, decoded as they are read by plain loops; a prompt's chunk \
                makes numbers of them once",
        catalogue: &["DE1"],
        change: Change::Keeps(Keeps { window: None, bits: Some(8) }),
        promise: Promise { cache_bytes: 0.5, ..NOTHING },
    },
    Technique {
        name: "cache-int4",
        about: "keys and values of 4 bits, a scale for each head of a position, decoded as they are read by plain loops; a prompt's chunk \
                makes numbers of them once",
        catalogue: &["DE1"],
        change: Change::Keeps(Keeps { window: None, bits: Some(4) }),
        promise: Promise { cache_bytes: 0.4, ..NOTHING },
    },
    weights(
        "e4m3",
        "weights as floats of 8 bits (e4m3fn of OCP OFP8, arXiv 2209.05433), a scale for each column, decoded in registers and \
         multiplied in f32",
        &["PR1"],
        Form::Coded(Scheme::E4m3),
        0.27,
    ),
    weights(
        "mxfp4",
        "weights as floats of 4 bits in blocks of 32 whose scales are powers of two, rounded up (OCP Microscaling 1.0), decoded in \
         registers and multiplied in f32",
        &["PR4"],
        Form::Coded(Scheme::Mxfp4),
        0.15,
    ),
    weights(
        "nf4",
        "weights of 4 bits by a table of quantiles, groups of 64 (NF4, arXiv 2305.14314), decoded in registers and multiplied in f32",
        &[],
        Form::Coded(Scheme::Nf4),
        0.15,
    ),
    Technique {
        name: "linear-attention",
        about: "the attention of the block in the middle is another module, a scan by the same products: each query sees the mean of values by \
                weights φ(query) · φ(key), with φ(x) = elu(x) + 1, of which a state of one size is kept (linear attention, arXiv 2006.16236, \
                section 3; not trained for it, by plain loops)",
        catalogue: &["AD6"],
        change: Change::Scan,
        promise: NOTHING,
    },
    Technique {
        name: "experts-2of8",
        about: "the channels of the feed-forward network in the middle are parted into eight experts, of which a token goes through the two with \
                the largest gates (MoEfication, arXiv 2110.01786, section 3; channels that lie together, and the norms of the gates themselves \
                in the place of a router)",
        catalogue: &["AD6"],
        change: Change::Experts([8, 2]),
        promise: NOTHING,
    },
    Technique {
        name: "self-speculative",
        about: "the first half of the layers guesses up to four tokens by the norm and the head of the model, for as long as the share of a guess \
                is a half; the layers that are left take all of them together, and the first that is not theirs is refused (early exit with \
                self-speculation: LayerSkip, arXiv 2404.16710, of a model that was not trained for it)",
        catalogue: &["AD1"],
        change: Change::Guesses(GUESSES),
        promise: NOTHING,
    },
    Technique {
        name: "quiet-out",
        about: "of what is heard, positions are left out behind the convolutions whose two frames have no bin above a quarter of the range of \
                their spectrogram, so that silence costs nothing: which features are worth it is seen from the input",
        catalogue: &["AD2"],
        change: Change::Quiet(25),
        promise: NOTHING,
    },
    Technique {
        name: "merge-10",
        about: "in each block of an encoder a tenth of the positions become one with those that their keys are most alike, behind attention \
                (token merging: arXiv 2210.09461, section 3); who stands for several is seen as often",
        catalogue: &["AD2"],
        change: Change::Merge(10),
        promise: NOTHING,
    },
    Technique {
        name: "patches-half",
        about: "half of an image's patches are left out before its tower, in the groups that become a token, those whose pixels vary least; \
                the others stand where they stood (which are worth it is seen from the input, by plain variance in the place of what A-ViT, \
                arXiv 2112.07658, learns)",
        catalogue: &["AD2"],
        change: Change::Patches(50),
        promise: NOTHING,
    },
];

/// Nothing is promised: what is saved depends on the model.
const NOTHING: Promise = Promise { weight_bytes: 1.0, cache_bytes: 1.0, flops: 1.0 };

const fn weights(
    name: &'static str,
    about: &'static str,
    catalogue: &'static [&'static str],
    form: Form,
    weight_bytes: f64,
) -> Technique {
    Technique { name, about, catalogue, change: Change::All(form), promise: Promise { weight_bytes, ..NOTHING } }
}
