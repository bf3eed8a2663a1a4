//! How good the answers of a model are: `text-quality` of decoders, `embedding-quality` of encoders, and `speech-quality` of models that
//! write down what they hear. They are problems of this crate's own, since they read weights and text from where `cargo xtask data` has
//! put them.

mod bert;
mod chosen;
mod compared;
mod corpus;
mod embedded;
pub mod embedding;
mod evaluating;
mod hearing;
mod labelled;
mod reference;
pub mod speech;
mod techniques;

use std::path::Path;

use benchbook_core::{
    Array, DType, Inputs, Params, Preset, Problem, Reference, Row, StepsOf, Support, Task, Value, Work,
};
use benchbook_models::compress::Scheme;
use benchbook_models::{Form, Own};
use benchbook_quality::PIECES;
use benchbook_workloads::decoding::Otherwise;

use crate::flex::row::fused_row;
use chosen::{Chosen, OWN, Which};
use corpus::Corpus;
pub use techniques::{of_embeddings, of_sounds, of_text};

/// A text, a piece of it a step, of which a model foretells each token from those before: the loss of each is an output.
///
/// Input: `ids` `[pieces, tokens + 1]` of `i32`. The output is `[pieces · tokens, 1]`, in nats; what is checked are the first ones.
/// A real model, whose weights were brought or are somebody's own, has real text, which is the same for every seed: a document of the
/// Brown corpus for each piece, its words with spaces between them, or some functions of HumanEval with the bodies that their authors
/// wrote. Its estimates, which say over how many tokens they are, are judged by pieces: `perplexity`, and of few bits, beside the model in
/// `f32` on the same tokens, `perplexity_ratio`, `kl_divergence` and `top1_agreement`, and where greedy generation parts. A seeded model
/// says nothing of quality: it has a divergence and an agreement that are called `seeded_`, and no verdict.
pub struct TextQuality;

benchbook_core::parameters! {
    /// Parameters of [`TextQuality`].
    pub struct TextQualityParams {
        /// the model: seeded, which says nothing of quality, one whose real weights were brought, or own
        model: String = "seeded".to_owned(), Which::NAMES;
        /// of an own model, the file that describes it and names its weights and its tokenizer: mine.toml
        description: String = String::new();
        /// of an own model, the digest of these files; where none is given, it is that of those that are here
        digest: String = String::new();
        /// what is foretold: brown, or human-eval, which is code; of a seeded model, tokens are drawn
        texts: String = "brown".to_owned(), Corpus::NAMES;
        /// tokens of a piece that are foretold
        tokens: usize = 32, 1..=1024;
    }
}

/// Eight bits in groups of 32.
const INT8: Form = Form::Coded(Scheme::Int8G32);

/// Four bits in groups of 32.
const INT4: Form = Form::Coded(Scheme::Int4G32);

/// Losses of the first piece that are checked.
const CHECKED: usize = 8;

impl TextQuality {
    fn steps(params: &TextQualityParams) -> StepsOf {
        let values = match params.which() {
            Which::Seeded => Vec::new(),
            Which::Smollm2 | Which::Own(..) => vec![("perplexity".to_owned(), "ratio".to_owned())],
        };
        StepsOf { most: PIECES, tokens: None, values }
    }

    /// The right losses of a model in this form.
    fn right(params: &TextQualityParams, inputs: &Inputs, form: Form) -> Reference {
        let losses = params.which().chosen().and_then(|Chosen { model, source }| {
            let (ids, as_it_is) = (Self::checked(params, inputs), Otherwise::default());
            let losses = reference::losses(&model, source.as_ref(), form, ids, as_it_is);
            losses.map_err(|error| error.to_string())
        });
        Self::answer(params, losses)
    }

    /// Tokens of the first piece whose losses are checked, behind one more.
    fn checked<'a>(params: &TextQualityParams, inputs: &'a Inputs) -> &'a [i32] {
        &inputs.get("ids").of::<i32>()[..=CHECKED.min(params.tokens)]
    }

    /// The answer of these losses; of a model that is not here, or not as it was, nobody is right, and who prepares it says why.
    fn answer(params: &TextQualityParams, losses: Result<Vec<f64>, String>) -> Reference {
        let checked = CHECKED.min(params.tokens);
        let losses = losses.unwrap_or_else(|_| vec![f64::NAN; checked]);
        Reference::of(vec![PIECES * params.tokens, 1], (0..checked).collect(), losses)
    }
}

impl TextQualityParams {
    fn which(&self) -> Which {
        Which::of(self)
    }

    /// What a model of somebody's own is called: by the file that describes it, in letters that a label may have.
    fn own(&self) -> Option<&str> {
        let called = Path::new(&self.description).file_name()?.to_str()?.strip_suffix(".toml")?;
        let is_word = called.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        Some(called).filter(|called| is_word && (1..=64).contains(&called.len()))
    }

    /// Whether its model and its text are here.
    fn is_here(&self) -> Support {
        here(self.which().is_here(self.corpus()))
    }

    fn corpus(&self) -> Corpus {
        Corpus::of(&self.texts)
    }

    /// The tokens of a case.
    ///
    /// # Errors
    /// Its model or its text are not here, or a piece of it has fewer.
    fn ids(&self, seed: u64) -> Result<Vec<i32>, String> {
        self.which().ids(self.corpus(), self.tokens + 1, seed)
    }
}

/// As a cell of a table says it.
pub(super) fn here(found: Result<(), String>) -> Support {
    found.map_or_else(|reason| Support::No(format!("not here: {reason}")), |()| Support::Yes)
}

impl Problem for TextQuality {
    const NAME: &'static str = "text-quality";
    const ABOUT: &'static str = "how well a decoder foretells text, beside itself in f32 where it has few bits";
    type Params = TextQualityParams;

    fn presets() -> Vec<Preset> {
        let of =
            |model: &str, tokens: i64| Params::default().with("model", model.into()).with("tokens", Value::Int(tokens));
        let [seeded, real, _] = Which::NAMES;
        vec![
            Preset { name: "quick", cases: vec![of(seeded, 16)] },
            Preset { name: "default", cases: vec![of(seeded, 32), of(real, 64)] },
            Preset { name: "code", cases: vec![of(real, 64).with("texts", "human-eval".into())] },
        ]
    }

    fn ugly() -> Vec<TextQualityParams> {
        [1, 17, 33].map(|tokens| TextQualityParams { tokens, ..TextQualityParams::default() }).into()
    }

    /// Fills in where the description of an own model lies, from wherever workers start, and the digest of its files.
    fn derive(given: Params) -> Params {
        let text = |name: &str| match given.0.get(name) {
            Some(Value::Text(text)) => text.as_str(),
            _ => "",
        };
        if text("model") != OWN {
            return given;
        }
        // The check says why there is none.
        let Ok(description) = std::path::absolute(text("description")) else { return given };
        let description = description.to_string_lossy().into_owned();
        let digest = match text("digest") {
            "" => Own::open(&description).map(|own| own.digest).unwrap_or_default(),
            digest => digest.to_owned(),
        };
        given.with("description", Value::Text(description)).with("digest", Value::Text(digest))
    }

    fn check(params: &TextQualityParams) -> Result<(), (&'static str, String)> {
        let Which::Own(description, digest) = params.which() else {
            let given = [("description", &params.description), ("digest", &params.digest)];
            let other = given.into_iter().find(|(_, word)| !word.is_empty());
            return other.map_or(Ok(()), |(name, _)| Err((name, format!("only model={OWN} has one"))));
        };
        if params.own().is_none() {
            let reason =
                "give the file that describes the model: letters, digits, dots, dashes and underscores, and .toml";
            return Err(("description", reason.to_owned()));
        }
        if digest.is_empty() {
            return Own::open(&description).map(|_| ()).map_err(|error| ("description", error.to_string()));
        }
        let is_digest = digest.len() == 64 && digest.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        if is_digest { Ok(()) } else { Err(("digest", "give 64 hexadecimal digits, or none at all".to_owned())) }
    }

    /// An own model is called by its file, and by the beginning of its digest: of other weights it is another case.
    fn label(params: &TextQualityParams) -> String {
        // As it was while there was one text.
        let text = if params.corpus() == Corpus::Brown { String::new() } else { format!("{} ", params.texts) };
        let model = match params.own().filter(|_| params.model == OWN) {
            Some(called) => format!("{called} {}", params.digest.get(..12).unwrap_or_default()),
            None => params.model.clone(),
        };
        format!("{model} {text}{PIECES}×{}", params.tokens)
    }

    fn task(params: &TextQualityParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &TextQualityParams, seed: u64) -> Inputs {
        // Of a model that is not here, nobody reads them.
        let ids = params.ids(seed).unwrap_or_else(|_| vec![0; PIECES * (params.tokens + 1)]);
        Inputs::from([("ids", Array::new(vec![PIECES, params.tokens + 1], &ids))])
    }

    fn reference(params: &TextQualityParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::right(params, inputs, Form::Plain)
    }

    /// Operations of the products, whose matrices are about all parameters; bytes of these, once.
    fn work(params: &TextQualityParams, dtype: DType) -> Work {
        let parameters = params.which().parameters() as f64;
        let tokens = (PIECES * params.tokens) as f64;
        Work { flops: 2.0 * parameters * tokens, bytes: parameters * dtype.bytes() as f64 }
    }

    /// Through thirty blocks, roundings of `f32` add up to more than a product has.
    fn tolerance(_params: &TextQualityParams, dtype: DType) -> f64 {
        10.0 * benchbook_workloads::tolerance(dtype)
    }
}

/// Implementations of `text-quality`.
pub const ROWS: [Row<TextQuality>; 4] = [DECODER, DECODER_BF16, DECODER_INT8, DECODER_INT4];

const DECODER: Row<TextQuality> = fused_row::<TextQuality>(
    "decoder",
    "a decoder by our kernels in f32, each piece of the text from nothing",
    &[DType::F32],
    |name, setting, params, inputs| evaluating::prepare(name, setting, params, inputs, Form::Plain),
)
.catalogue(&["ME40", "VA7"])
.only(|_, _, params| params.is_here());

const DECODER_BF16: Row<TextQuality> = fused_row::<TextQuality>(
    "decoder-bf16",
    "as decoder, by weights of bf16 (rounded to nearest), which registers widen to f32",
    &[DType::F32],
    |name, setting, params, inputs| evaluating::prepare(name, setting, params, inputs, Form::Bf16),
)
.approximating(|params, inputs, _seed| Some(TextQuality::right(params, inputs, Form::Bf16)))
.only(|_, _, params| params.is_here());

const DECODER_INT8: Row<TextQuality> = fused_row::<TextQuality>(
    "decoder-int8",
    "as decoder, by weights of 8 bits (integers from -127 to 127, groups of 32 along the sum, f32 scales, rounded to nearest)",
    &[DType::F32],
    |name, setting, params, inputs| evaluating::prepare(name, setting, params, inputs, INT8),
)
.approximating(|params, inputs, _seed| Some(TextQuality::right(params, inputs, INT8)))
.only(|_, _, params| params.is_here());

const DECODER_INT4: Row<TextQuality> = fused_row::<TextQuality>(
    "decoder-int4",
    "as decoder, by weights of 4 bits (symmetric, groups of 32 along the sum, f32 scales, rounded to nearest: arXiv 2210.17323)",
    &[DType::F32],
    |name, setting, params, inputs| evaluating::prepare(name, setting, params, inputs, INT4),
)
.approximating(|params, inputs, _seed| Some(TextQuality::right(params, inputs, INT4)))
.catalogue(&["ME36", "ME37"])
.only(|_, _, params| params.is_here());
