//! How good the directions are that an encoder gives to texts: `embedding-quality`.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Row, StepsOf, Support, Task, Work};
use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{Description, Encoder, Form, Forms, Plan, Tensor, named, real};
use benchbook_quality::PIECES;

use super::chosen::Chosen;
use super::labelled::{self, Labelled};
use super::{INT4, INT8, bert, embedded, here};
use crate::flex::row::fused_row;

/// A direction for each text, a piece of the texts a step, by a BERT whose matrices were rounded or not.
///
/// Inputs: `ids` of `i32`, all texts one behind the other, and `lengths` `[texts]` of `i32`. The output is `[texts, width]`; what is
/// checked is one of them. Of `lee`, its estimates are the correlations of cosines with the similarities that people gave (`pearson`,
/// `spearman`), and how well the texts are found that people see as similar (`recall_at_k` and `ndcg_at_k` of ten, `mrr`); of
/// `sentiment`, what the nearer of two class means says: `accuracy`, which is judged by pieces, and `precision_macro`, `recall_macro`
/// and `f1_macro`. A seeded model says nothing of quality and has no estimates, but how far it is from itself as it is.
pub struct EmbeddingQuality;

benchbook_core::parameters! {
    /// Parameters of [`EmbeddingQuality`].
    pub struct EmbeddingQualityParams {
        /// the model: seeded, which says nothing of quality, or minilm-l6, whose real weights were brought
        model: String = "seeded".to_owned(), ["seeded", MINILM];
        /// what people have judged: lee or sentiment; of a seeded model, texts are drawn
        texts: String = "lee".to_owned(), ["lee", "sentiment"];
    }
}

const MINILM: &str = "minilm-l6";
const SEED: u64 = 19;

/// The place of the text that is checked: of drawn ones, each of which has a token more than the one before, one that has several.
const CHECKED: usize = PIECES - 1;

/// A BERT whose sizes fill no tile.
const SEEDED: &str = r#"
name = "a seeded BERT"
source = "made up"
parameters = 1

[text]
architecture = "bert"
layers = 2
heads = 4
kv_heads = 4
head_dim = 5
width = 20
hidden = 37
vocabulary = 61
context = 40
tied = true
epsilon = 1e-12
"#;

/// Weights whose matrices of products were rounded.
struct Rounded {
    source: Box<dyn Source>,
    forms: Forms,
}

impl Source for Rounded {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        let numbers = self.source.numbers(tensor)?;
        match *tensor.shape {
            [outer, inner] if tensor.name.starts_with("encoder.") => {
                let attends = tensor.name.contains(".attention.");
                let form = if attends { self.forms.attention } else { self.forms.feed };
                form.stands_for_rows(&numbers, [outer, inner])
            }
            _ => Ok(numbers),
        }
    }
}

impl EmbeddingQualityParams {
    pub(super) fn is_seeded(&self) -> bool {
        self.model != MINILM
    }

    /// What it is made of.
    ///
    /// # Errors
    /// No description can be read.
    pub(super) fn described(&self) -> Result<Description, String> {
        let described = if self.is_seeded() { Description::parse(SEEDED) } else { named(MINILM) };
        described.map_err(|error| error.to_string())
    }

    /// The model, with matrices in these forms.
    ///
    /// # Errors
    /// It was not brought, or is not as it was.
    pub(super) fn chosen(&self, forms: &Forms) -> Result<Chosen, String> {
        let source: Box<dyn Source> = if self.is_seeded() {
            Box::new(Seeded { seed: SEED })
        } else {
            let folder = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
            Box::new(real::minilm(&folder).map_err(|error| error.to_string())?.0)
        };
        Ok(Chosen { model: self.described()?, source: Box::new(Rounded { source, forms: forms.clone() }) })
    }

    /// The encoder, with matrices in these forms, multiplied in `f32`.
    ///
    /// # Errors
    /// As of [`EmbeddingQualityParams::chosen`].
    pub(super) fn loaded(&self, forms: &Forms) -> Result<Encoder, String> {
        let Chosen { model, source } = self.chosen(forms)?;
        Encoder::load(&model, source.as_ref()).map_err(|error| error.to_string())
    }

    /// Whether its model and its texts are here.
    pub(super) fn is_here(&self) -> Support {
        here(if self.is_seeded() { Ok(()) } else { self.labelled(0).map(|_| ()) })
    }

    /// The texts.
    ///
    /// # Errors
    /// They were not brought.
    pub(super) fn labelled(&self, seed: u64) -> Result<Labelled, String> {
        if self.is_seeded() {
            return Ok(labelled::drawn(self.described()?.text.vocabulary, seed));
        }
        labelled::brought(&self.texts)
    }
}

impl EmbeddingQuality {
    pub(super) fn steps(params: &EmbeddingQualityParams) -> StepsOf {
        let judged = !params.is_seeded() && params.texts == "sentiment";
        let values = if judged { vec![("accuracy".to_owned(), "share".to_owned())] } else { Vec::new() };
        StepsOf { most: PIECES, tokens: None, values }
    }

    /// The direction of the text that is checked by matrices in this form.
    fn right(params: &EmbeddingQualityParams, inputs: &Inputs, form: Form) -> Reference {
        let direction = params.chosen(&Plan::of(form).forms).and_then(|Chosen { model, source }| {
            bert::direction(&model, source.as_ref(), Self::checked(inputs), None).map_err(|error| error.to_string())
        });
        Self::answer(params, inputs, direction)
    }

    /// The text whose direction is checked.
    pub(super) fn checked(inputs: &Inputs) -> &[i32] {
        let lengths = inputs.get("lengths").of::<i32>();
        let first = lengths[..CHECKED].iter().map(|length| *length as usize).sum::<usize>();
        &inputs.get("ids").of::<i32>()[first..][..lengths[CHECKED] as usize]
    }

    /// The answer of this direction; of a model that is not here nobody is right, and who prepares it says why.
    pub(super) fn answer(
        params: &EmbeddingQualityParams,
        inputs: &Inputs,
        direction: Result<Vec<f64>, String>,
    ) -> Reference {
        let (texts, width) = (inputs.get("lengths").len(), params.described().map_or(1, |model| model.text.width));
        Reference::of(vec![texts, width], vec![CHECKED], direction.unwrap_or_else(|_| vec![f64::NAN; width]))
    }
}

impl Problem for EmbeddingQuality {
    const NAME: &'static str = "embedding-quality";
    const ABOUT: &'static str = "how the directions of texts by an encoder go with what people say of them";
    type Params = EmbeddingQualityParams;

    fn presets() -> Vec<Preset> {
        let of = |model: &str, texts: &str| Params::default().with("model", model.into()).with("texts", texts.into());
        let real = ["lee", "sentiment"].map(|texts| of(MINILM, texts));
        vec![
            Preset { name: "quick", cases: vec![of("seeded", "lee")] },
            Preset { name: "default", cases: real.to_vec() },
        ]
    }

    fn ugly() -> Vec<EmbeddingQualityParams> {
        vec![EmbeddingQualityParams::default()]
    }

    fn label(params: &EmbeddingQualityParams) -> String {
        format!("{} {}", params.model, params.texts)
    }

    fn task(params: &EmbeddingQualityParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &EmbeddingQualityParams, seed: u64) -> Inputs {
        // Of a model that is not here, nobody reads them.
        let texts = params.labelled(seed).map_or_else(|_| vec![vec![0; 1]; PIECES], |labelled| labelled.texts);
        let lengths: Vec<i32> = texts.iter().map(|text| text.len() as i32).collect();
        let ids = texts.concat();
        Inputs::from([
            ("ids", Array::new(vec![ids.len()], &ids)),
            ("lengths", Array::new(vec![lengths.len()], &lengths)),
        ])
    }

    fn reference(params: &EmbeddingQualityParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::right(params, inputs, Form::Plain)
    }

    /// Operations of the products of 32 tokens of each text, about; bytes of all parameters, once.
    fn work(params: &EmbeddingQualityParams, dtype: DType) -> Work {
        let parameters = params.described().map_or(0, |model| model.counted_parameters()) as f64;
        Work { flops: 2.0 * parameters * 32.0 * PIECES as f64, bytes: parameters * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &EmbeddingQualityParams, dtype: DType) -> f64 {
        benchbook_workloads::tolerance(dtype)
    }
}

/// Implementations of `embedding-quality`.
pub const ROWS: [Row<EmbeddingQuality>; 3] = [ENCODER, ENCODER_INT8, ENCODER_INT4];

const ENCODER: Row<EmbeddingQuality> = fused_row::<EmbeddingQuality>(
    "encoder",
    "an encoder by our kernels in f32",
    &[DType::F32],
    |name, setting, params, inputs| embedded::prepare(name, setting, params, inputs, None),
)
.catalogue(&["ME43", "ME44", "ME45", "ME46", "ME47", "VA8"])
.only(|_, _, params| params.is_here());

const ENCODER_INT8: Row<EmbeddingQuality> = fused_row::<EmbeddingQuality>(
    "encoder-int8-rounded",
    "as encoder, its matrices rounded to integers of 8 bits (groups of 32 along the sum) and multiplied in f32: of quality alone",
    &[DType::F32],
    |name, setting, params, inputs| embedded::prepare(name, setting, params, inputs, Some(params.loaded(&Plan::of(INT8).forms))),
)
.approximating(|params, inputs, _seed| Some(EmbeddingQuality::right(params, inputs, INT8)))
.only(|_, _, params| params.is_here());

const ENCODER_INT4: Row<EmbeddingQuality> = fused_row::<EmbeddingQuality>(
    "encoder-int4-rounded",
    "as encoder, its matrices rounded to integers of 4 bits (groups of 32 along the sum) and multiplied in f32: of quality alone",
    &[DType::F32],
    |name, setting, params, inputs| embedded::prepare(name, setting, params, inputs, Some(params.loaded(&Plan::of(INT4).forms))),
)
.approximating(|params, inputs, _seed| Some(EmbeddingQuality::right(params, inputs, INT4)))
.only(|_, _, params| params.is_here());
