//! Weights of a GGUF file, versions 2 and 3 (`ggml/docs/gguf.md` of llama.cpp).

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use half::f16;

use super::bytes::Bytes;
use super::{Plain, Source, expect_shape, missing};
use crate::error::{Error, Result};
use crate::tensors::Tensor;
use tokens::Tokens;

/// A whole file, in memory.
///
/// Its tensors are asked for by their names in checkpoints of Transformers. Numbers of few bits are dequantised: such weights lie
/// on a grid already, and a scheme with the same grid looks better on them than it is.
#[derive(Debug)]
pub struct Gguf {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Stored>,
    /// `general.architecture`
    architecture: String,
    /// Query heads, and key and value heads.
    heads: [usize; 2],
    tokens: Tokens,
}

/// A tensor of the file.
#[derive(Debug)]
struct Stored {
    /// Row-major, as elsewhere: the file has it the other way round.
    shape: Vec<usize>,
    kind: u32,
    /// Where it begins, behind the header.
    begin: u64,
}

/// Numbers of a block.
const BLOCK: usize = 32;

/// Kinds of numbers that are read: by their numbers, names, and bytes of a block.
const KINDS: [(u32, &str, usize); 6] = [
    (0, "F32", 4 * BLOCK),
    (1, "F16", 2 * BLOCK),
    (2, "Q4_0", 2 + BLOCK / 2),
    (3, "Q4_1", 4 + BLOCK / 2),
    (8, "Q8_0", 2 + BLOCK),
    (30, "BF16", 2 * BLOCK),
];

/// Axes of a tensor at most.
const MOST_AXES: u32 = 4;

impl Gguf {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no whole file of this format.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?)
    }

    /// The file of these bytes.
    ///
    /// # Errors
    /// No whole file of this format: truncated, of another version, or with tensors outside of it.
    pub fn of(bytes: Vec<u8>) -> Result<Self> {
        let mut from = Bytes::new("GGUF", &bytes);
        if from.take(4, "the magic number")? != b"GGUF" {
            return Err(from.damaged("it does not begin with GGUF"));
        }
        let version = from.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(from.damaged(format!("version {version} is not read, 2 and 3 are")));
        }
        let [count, pairs] = [from.u64("the number of tensors")?, from.u64("the number of values")?];
        let mut facts = BTreeMap::new();
        for _ in 0..pairs {
            let name = text(&mut from, "the name of a value")?;
            let kind = from.u32("the kind of a value")?;
            if let Some(fact) = value(&mut from, kind)? {
                facts.insert(name, fact);
            }
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..count {
            let name = text(&mut from, "the name of a tensor")?;
            tensors.insert(name.to_owned(), stored(&mut from)?);
        }
        let number = |name: &str| match facts.get(name) {
            Some(Fact::Number(number)) => Some(*number),
            _ => None,
        };
        let align = number("general.alignment").unwrap_or(32);
        if !align.is_power_of_two() || align > 1 << 20 {
            return Err(from.damaged(format!("tensors are aligned to {align} bytes, which is no power of two")));
        }
        let begin = (from.at() as u64).next_multiple_of(align);
        for (name, tensor) in &mut tensors {
            tensor.begin = tensor.begin.saturating_add(begin);
            let end = tensor.bytes().and_then(|bytes| bytes.checked_add(tensor.begin));
            if end.is_none_or(|end| end > bytes.len() as u64) {
                return Err(from.damaged(format!("the tensor {name} reaches beyond the end of the file")));
            }
        }
        let architecture = match facts.get("general.architecture") {
            Some(Fact::Text(architecture)) => (*architecture).to_owned(),
            _ => return Err(from.damaged("it does not say its general.architecture")),
        };
        let heads = number(&format!("{architecture}.attention.head_count")).unwrap_or(0);
        let kv_heads = number(&format!("{architecture}.attention.head_count_kv")).unwrap_or(heads);
        let heads = [heads, kv_heads].map(|heads| usize::try_from(heads).unwrap_or(0));
        let tokens = Tokens::of(&facts);
        Ok(Self { tensors, architecture, heads, tokens, bytes })
    }

    /// Names of its tensors, as they are in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether it has the tensor of this name in checkpoints.
    pub(crate) fn has(&self, name: &str) -> bool {
        renamed(name).is_some_and(|(name, _)| self.tensors.contains_key(&name))
    }

    /// The name, as it is in the file, of one of its tensors that is none of these.
    pub(crate) fn foreign(&self, tensors: &[Tensor]) -> Option<String> {
        let known: BTreeSet<String> = tensors.iter().filter_map(|tensor| Some(renamed(&tensor.name)?.0)).collect();
        self.names().find(|name| !known.contains(*name)).map(str::to_owned)
    }

    /// Its `general.architecture`.
    pub(crate) fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Query heads, and key and value heads, as the file says it.
    pub(crate) fn heads(&self) -> [usize; 2] {
        self.heads
    }
}

impl Stored {
    /// Bytes that it takes; none where its numbers are of another kind, and so not read, or too many.
    fn bytes(&self) -> Option<u64> {
        let Some((_, _, block)) = KINDS.into_iter().find(|(kind, _, _)| *kind == self.kind) else { return Some(0) };
        let numbers = self.shape.iter().try_fold(1_usize, |all, size| all.checked_mul(*size))?;
        let bytes = if self.plain().is_some() {
            numbers.checked_mul(block / BLOCK)
        } else {
            // Blocks do not reach over the end of a row.
            let whole = self.shape.last().is_some_and(|row| row.is_multiple_of(BLOCK));
            whole.then_some(numbers / BLOCK).and_then(|blocks| blocks.checked_mul(block))
        };
        bytes.map(|bytes| bytes as u64)
    }

    fn plain(&self) -> Option<Plain> {
        match self.kind {
            0 => Some(Plain::F32),
            1 => Some(Plain::F16),
            30 => Some(Plain::Bf16),
            _ => None,
        }
    }
}

/// A value that is of use here.
enum Fact<'a> {
    Number(u64),
    Text(&'a str),
    Texts(Vec<&'a str>),
    Numbers(Vec<i32>),
}

fn text<'a>(from: &mut Bytes<'a>, what: &str) -> Result<&'a str> {
    let length = from.u64(what)?;
    from.text(length, what)
}

/// Bytes of a value of a kind that has a fixed size.
fn size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Reads a value, and gives what is of use.
fn value<'a>(from: &mut Bytes<'a>, kind: u32) -> Result<Option<Fact<'a>>> {
    match kind {
        4 => Ok(Some(Fact::Number(from.u32("a value")?.into()))),
        8 => Ok(Some(Fact::Text(text(from, "a value")?))),
        7 => Ok(Some(Fact::Number(from.take(1, "a value")?[0].into()))),
        10 => Ok(Some(Fact::Number(from.u64("a value")?))),
        9 => {
            let (kind, count) = (from.u32("the kind of a list")?, from.u64("the length of a list")?);
            if kind == 8 {
                let mut texts = Vec::new();
                for _ in 0..count {
                    texts.push(text(from, "a text of a list")?);
                }
                return Ok(Some(Fact::Texts(texts)));
            }
            let no_list = || from.damaged(format!("there is no list of values of the kind {kind}"));
            let size = size(kind).ok_or_else(no_list)?;
            let numbers = from.take(count.saturating_mul(size), "a list")?;
            let number = |four: &[u8; 4]| i32::from_le_bytes(*four);
            Ok((kind == 5).then(|| Fact::Numbers(numbers.as_chunks::<4>().0.iter().map(number).collect())))
        }
        _ => match size(kind) {
            Some(size) => from.take(size, "a value").map(|_| None),
            None => Err(from.damaged(format!("there is no value of the kind {kind}"))),
        },
    }
}

fn stored(from: &mut Bytes) -> Result<Stored> {
    let axes = from.u32("the number of axes")?;
    if axes > MOST_AXES {
        return Err(from.damaged(format!("a tensor has {axes} axes, {MOST_AXES} are possible")));
    }
    let mut shape = Vec::new();
    for _ in 0..axes {
        let size = from.u64("the size of an axis")?;
        let size = usize::try_from(size).map_err(|_| from.damaged(format!("an axis has the size {size}")))?;
        shape.push(size);
    }
    shape.reverse();
    Ok(Stored { shape, kind: from.u32("the kind of a tensor")?, begin: from.u64("the place of a tensor")? })
}

/// Names of a block's tensors in checkpoints, and in such files.
const NAMES: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// The name in such files of a tensor of a checkpoint, and the name of the block's part.
fn renamed(name: &str) -> Option<(String, &'static str)> {
    let part = match name {
        "model.embed_tokens.weight" => "token_embd",
        "model.norm.weight" => "output_norm",
        "lm_head.weight" => "output",
        _ => {
            let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
            let part = rest.strip_suffix(".weight")?;
            let (_, part) = NAMES.into_iter().find(|(known, _)| *known == part)?;
            return Some((format!("blk.{layer}.{part}.weight"), part));
        }
    };
    Some((format!("{part}.weight"), part))
}

impl Source for Gguf {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let known = renamed(&tensor.name);
        let found = known.and_then(|(name, part)| self.tensors.get(&name).map(|stored| (stored, part)));
        let (stored, part) = found.ok_or_else(|| missing(tensor, self.names()))?;
        expect_shape(tensor, &stored.shape)?;
        let Some((_, kind, block)) = KINDS.into_iter().find(|(kind, _, _)| *kind == stored.kind) else {
            let (name, found) = (tensor.name.clone(), format!("{}", stored.kind));
            return Err(Error::Kind { name, found, taken: "F32, F16, BF16, Q4_0, Q4_1 and Q8_0" });
        };
        // Both were checked against the file when it was opened.
        let bytes = &self.bytes[stored.begin as usize..][..stored.bytes().unwrap_or(0) as usize];
        let numbers = match stored.plain() {
            Some(plain) => plain.widened(bytes),
            None => bytes.chunks_exact(block).flat_map(|block| dequantised(kind, block)).collect(),
        };
        let heads = match part {
            "attn_q" => self.heads[0],
            "attn_k" => self.heads[1],
            _ => return Ok(numbers),
        };
        if self.architecture != "llama" {
            return Ok(numbers);
        }
        apart(&numbers, &stored.shape, heads).ok_or_else(|| Error::Inconsistent {
            model: self.architecture.clone(),
            reason: format!("its {heads} heads do not divide the {} rows of {}", stored.shape[0], tensor.name),
        })
    }
}

/// The numbers of a block.
fn dequantised(kind: &str, block: &[u8]) -> [f32; BLOCK] {
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let mut numbers = [0.0; BLOCK];
    let (scale, offset, codes) = match kind {
        "Q8_0" => {
            numbers
                .iter_mut()
                .zip(&block[2..])
                .for_each(|(number, code)| *number = half(0) * f32::from(code.cast_signed()));
            return numbers;
        }
        "Q4_1" => (half(0), half(2), &block[4..]),
        _ => (half(0), -8.0 * half(0), &block[2..]),
    };
    let (low, high) = numbers.split_at_mut(BLOCK / 2);
    for ((low, high), code) in low.iter_mut().zip(high).zip(codes) {
        *low = scale * f32::from(code & 15) + offset;
        *high = scale * f32::from(code >> 4) + offset;
    }
    numbers
}

/// Rows `[heads · d, inner]` in the order of checkpoints. In files of LLaMA, the two numbers that are turned together follow each
/// other; in checkpoints, they are half a head apart.
fn apart(numbers: &[f32], shape: &[usize], heads: usize) -> Option<Vec<f32>> {
    let [rows, inner] = *shape else { return None };
    let d = rows.checked_div(heads)?;
    if heads * d != rows || !d.is_multiple_of(2) {
        return None;
    }
    let from = |row: usize| {
        let (head, place) = (row / d, row % d);
        let [pair, side] = [place % (d / 2), place / (d / 2)];
        (head * d + 2 * pair + side) * inner
    };
    Some((0..rows).flat_map(|row| numbers[from(row)..][..inner].iter().copied()).collect())
}

#[cfg(test)]
mod tests;
