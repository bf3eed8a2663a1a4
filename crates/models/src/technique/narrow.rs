//! Models with fewer heads or channels: smaller matrices of the same layers; and such without one of their layers.

use crate::compress::{kept_parts, largest, squares};
use crate::description::Description;
use crate::error::Result;
use crate::tensors::Tensor;
use crate::weights::Source;

/// Which heads, or which channels, each layer keeps, as many in each.
#[derive(Debug, Clone)]
pub struct Narrow {
    heads: bool,
    /// By layer, ascending.
    kept: Vec<Vec<usize>>,
}

/// The numbers of tensors of a narrower model, out of those of the whole one.
pub struct Narrowed<'a> {
    pub source: &'a dyn Source,
    pub wide: Description,
    pub narrow: Option<Narrow>,
    /// The layer of the whole model that is left out.
    pub without: Option<usize>,
}

/// The name of a tensor where no layer was left out before its own; nothing where it is the same.
fn before_leaving(name: &str, without: usize) -> Option<String> {
    let split = |prefix: &'static str| Some((prefix, name.strip_prefix(prefix)?.split_once('.')?));
    let (prefix, (layer, part)) =
        ["model.layers.", "h.", "encoder.layer.", "model.encoder.layers."].into_iter().find_map(split)?;
    let layer: usize = layer.parse().ok()?;
    (layer >= without).then(|| format!("{prefix}{}.{part}", layer + 1))
}

/// A matrix `[rows, columns]` of a layer of LLaMA or Qwen3, by its name within the layer.
fn matrix(layer: usize, name: &str, shape: [usize; 2]) -> Tensor {
    Tensor { name: format!("model.layers.{layer}.{name}.weight"), shape: shape.to_vec(), mean: 0.0, deviation: 1.0 }
}

/// A tensor of the whole model as it stands in its list, where a source may find how it is drawn.
fn known(tensors: &[Tensor], tensor: Tensor) -> Tensor {
    tensors.iter().find(|known| known.name == tensor.name).cloned().unwrap_or(tensor)
}

/// The largest of so many parts, all but so many percent of them.
pub fn kept(sizes: &[f32], percent: usize) -> Vec<usize> {
    let kept = largest(sizes, (sizes.len() * (100 - percent)).div_ceil(100));
    (0..sizes.len()).filter(|part| kept[*part]).collect()
}

/// Adds the squares of rows, so many of which are one part, to the sizes of these.
pub fn add_rows(sizes: &mut [f32], numbers: &[f32]) {
    let each = (numbers.len() / sizes.len()).max(1);
    sizes.iter_mut().zip(numbers.chunks(each)).for_each(|(size, rows)| *size += squares(rows));
}

/// Adds the squares of columns, so many of which are one part.
pub fn add_columns(sizes: &mut [f32], numbers: &[f32], columns: usize) {
    numbers.chunks(columns).for_each(|row| add_rows(sizes, row));
}

impl Narrow {
    /// Without so many percent of the key heads, and the queries that share them: those whose weights have the smallest squares.
    ///
    /// # Errors
    /// What the source says.
    pub fn heads(model: &Description, source: &dyn Source, percent: usize) -> Result<Self> {
        let (text, tensors) = (&model.text, model.tensors());
        let ([query, kv], width) = (text.projected(), text.width);
        let of_layer = |layer: usize| -> Result<Vec<usize>> {
            let mut sizes = vec![0.0; text.kv_heads];
            for (name, outer) in [("q_proj", query), ("k_proj", kv), ("v_proj", kv)] {
                let tensor = matrix(layer, &format!("self_attn.{name}"), [outer, width]);
                add_rows(&mut sizes, &source.numbers(&known(&tensors, tensor))?);
            }
            let out = matrix(layer, "self_attn.o_proj", [width, query]);
            add_columns(&mut sizes, &source.numbers(&known(&tensors, out))?, query);
            Ok(kept(&sizes, percent))
        };
        Ok(Self { heads: true, kept: (0..text.layers).map(of_layer).collect::<Result<_>>()? })
    }

    /// Without so many percent of the channels between the products of feed-forward networks, in the same way.
    ///
    /// # Errors
    /// What the source says.
    pub fn channels(model: &Description, source: &dyn Source, percent: usize) -> Result<Self> {
        let (text, tensors) = (&model.text, model.tensors());
        let (width, hidden) = (text.width, text.hidden);
        let of_layer = |layer: usize| -> Result<Vec<usize>> {
            let mut sizes = vec![0.0; hidden];
            for name in ["gate_proj", "up_proj"] {
                let tensor = matrix(layer, &format!("mlp.{name}"), [hidden, width]);
                add_rows(&mut sizes, &source.numbers(&known(&tensors, tensor))?);
            }
            let down = matrix(layer, "mlp.down_proj", [width, hidden]);
            add_columns(&mut sizes, &source.numbers(&known(&tensors, down))?, hidden);
            Ok(kept(&sizes, percent))
        };
        Ok(Self { heads: false, kept: (0..text.layers).map(of_layer).collect::<Result<_>>()? })
    }

    /// The narrower model.
    pub fn description(&self, model: &Description) -> Description {
        let mut narrow = model.clone();
        let kept = self.kept.first().map_or(0, Vec::len);
        if self.heads {
            narrow.text.heads = model.text.heads / model.text.kv_heads * kept;
            narrow.text.kv_heads = kept;
        } else {
            narrow.text.hidden = kept;
        }
        narrow.parameters = narrow.counted_parameters();
        narrow
    }

    /// Parts of a matrix of this name within its layer: whether they are rows, or columns.
    fn parts(&self, name: &str) -> Option<bool> {
        match (self.heads, name) {
            (true, "self_attn.q_proj" | "self_attn.k_proj" | "self_attn.v_proj") => Some(true),
            (true, "self_attn.o_proj") | (false, "mlp.down_proj") => Some(false),
            (false, "mlp.gate_proj" | "mlp.up_proj") => Some(true),
            _ => None,
        }
    }
}

impl Source for Narrowed<'_> {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        if let Some(name) = self.without.and_then(|without| before_leaving(&tensor.name, without)) {
            return self.source.numbers(&known(&self.wide.tensors(), Tensor { name, ..tensor.clone() }));
        }
        let found = self.narrow.as_ref().and_then(|narrow| {
            let (layer, part) = tensor.name.strip_prefix("model.layers.")?.strip_suffix(".weight")?.split_once('.')?;
            let kept = narrow.kept.get(layer.parse::<usize>().ok()?)?;
            Some((narrow, kept, narrow.parts(part)?))
        });
        let Some((narrow, kept, rows)) = found else { return self.source.numbers(tensor) };
        let all = if narrow.heads { self.wide.text.kv_heads } else { self.wide.text.hidden };
        let wide = known(&self.wide.tensors(), tensor.clone());
        let numbers = self.source.numbers(&wide)?;
        let columns = wide.shape.last().copied().unwrap_or(1);
        let across = if rows { numbers.len() } else { columns };
        Ok(kept_parts(&numbers, [across, across / all], kept))
    }
}
