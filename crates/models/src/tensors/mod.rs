//! The tensors of a model, under the names that they have in its published checkpoint (those of Hugging Face Transformers).

mod text;
mod towers;

use crate::description::{Architecture, Description, Tower};

/// A tensor of a model, and what its numbers are like where they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name in checkpoints.
    pub name: String,
    /// Row-major. Matrices of products are `[outer, inner]`, but those of GPT-2 `[inner, outer]`.
    pub shape: Vec<usize>,
    /// Mean of seeded numbers.
    pub mean: f32,
    /// Standard deviation of seeded numbers.
    pub deviation: f32,
}

impl Tensor {
    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Description {
    /// Every tensor of the model, a tied head left out.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut list = List::default();
        if let Some(vision) = &self.vision {
            towers::vision(&mut list, vision, self.text.width);
        }
        if let Some(audio) = &self.audio {
            towers::audio(&mut list, audio);
        }
        match self.text.architecture {
            Architecture::Gpt2 => text::gpt2(&mut list, &self.text),
            Architecture::Bert => text::bert(&mut list, &self.text),
            Architecture::Whisper => towers::whisper_decoder(&mut list, &self.text),
            Architecture::Llama | Architecture::Qwen3 | Architecture::Glm4 => {
                text::rotary(&mut list, &self.text, self.bases());
            }
        }
        list.tensors
    }

    /// What stands before the tensors of the text of a LLaMA, or what came after it, and its head.
    pub(crate) fn bases(&self) -> [&'static str; 2] {
        match self.vision.as_ref().map(|vision| vision.tower) {
            None => ["model.", "lm_head.weight"],
            Some(Tower::Clip) => ["language_model.model.", "language_model.lm_head.weight"],
            Some(Tower::Qwen3Vl) => ["model.language_model.", "lm_head.weight"],
        }
    }

    /// How many parameters these tensors have.
    pub fn counted_parameters(&self) -> u64 {
        self.tensors().iter().map(|tensor| tensor.shape.iter().map(|size| *size as u64).product::<u64>()).sum()
    }
}

/// Deviation of embeddings and of positions.
const EMBEDDED: f32 = 0.1;

/// Deviation of biases, and of gains around 1.
const SMALL: f32 = 0.1;

/// Tensors that are gathered.
#[derive(Default)]
struct List {
    tensors: Vec<Tensor>,
}

impl List {
    fn add(&mut self, name: String, shape: &[usize], [mean, deviation]: [f32; 2]) {
        self.tensors.push(Tensor { name, shape: shape.to_vec(), mean, deviation });
    }

    /// An embedding, or what is learned for positions.
    fn table(&mut self, name: String, shape: &[usize]) {
        self.add(name, shape, [0.0, EMBEDDED]);
    }

    fn gain(&mut self, name: String, width: usize) {
        self.add(name, &[width], [1.0, SMALL]);
    }

    fn bias(&mut self, name: String, width: usize) {
        self.add(name, &[width], [0.0, SMALL]);
    }

    /// Weights of sums of `terms` numbers, so that a sum is as large as they are.
    fn weight(&mut self, name: String, shape: &[usize], terms: usize) {
        self.add(name, shape, [0.0, 1.0 / (terms as f32).sqrt()]);
    }

    /// A product without a bias, `[outer, inner]`.
    fn product(&mut self, name: &str, outer: usize, inner: usize) {
        self.weight(format!("{name}.weight"), &[outer, inner], inner);
    }

    /// A product and its bias.
    fn linear(&mut self, name: &str, outer: usize, inner: usize) {
        self.product(name, outer, inner);
        self.bias(format!("{name}.bias"), outer);
    }

    /// A layer norm.
    fn norm(&mut self, name: &str, width: usize) {
        self.gain(format!("{name}.weight"), width);
        self.bias(format!("{name}.bias"), width);
    }

    /// An RMS norm.
    fn rms(&mut self, name: &str, width: usize) {
        self.gain(format!("{name}.weight"), width);
    }
}
