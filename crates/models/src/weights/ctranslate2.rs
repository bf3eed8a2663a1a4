//! Weights of CTranslate2's `model.bin` (version 6 of its format, as `python/ctranslate2/specs/model_spec.py` writes it).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::bytes::Bytes;
use super::{Plain, Source, expect_shape, missing, sha256_of};
use crate::error::{Error, Result};
use crate::tensors::Tensor;

/// A whole file, in memory. Tensors of Whisper are asked for by their names in checkpoints of Transformers.
#[derive(Debug)]
pub struct Ctranslate2 {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Stored>,
    /// Other names of tensors.
    aliases: BTreeMap<String, String>,
}

/// A tensor of the file.
#[derive(Debug)]
struct Stored {
    shape: Vec<usize>,
    kind: u8,
    range: Range<usize>,
}

/// Kinds of numbers, with the bytes of one, by the numbers that the format gives them.
const KINDS: [(&str, usize); 6] =
    [("float32", 4), ("int8", 1), ("int16", 2), ("int32", 4), ("float16", 2), ("bfloat16", 2)];

const VERSION: u32 = 6;

impl Ctranslate2 {
    /// Reads a file whose SHA-256 was published, in hexadecimal digits.
    ///
    /// # Errors
    /// It cannot be read, has another checksum, or is no whole file of this format.
    pub fn open(path: &Path, sha256: &str) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let found = sha256_of(&bytes);
        if !found.eq_ignore_ascii_case(sha256) {
            return Err(Error::Checksum { wanted: sha256.to_owned(), found });
        }
        Self::of(bytes)
    }

    /// The file of these bytes.
    ///
    /// # Errors
    /// No whole file of this format: truncated, with something behind it, or of another version.
    pub fn of(bytes: Vec<u8>) -> Result<Self> {
        let mut from = Bytes::new("CTranslate2", &bytes);
        let version = from.u32("the version")?;
        if version != VERSION {
            return Err(from.damaged(format!("version {version} is not read, {VERSION} is")));
        }
        text(&mut from, "the name of the model")?;
        from.u32("the revision")?;
        let mut tensors = BTreeMap::new();
        for _ in 0..from.u32("the number of tensors")? {
            let name = text(&mut from, "the name of a tensor")?.to_owned();
            tensors.insert(name, stored(&mut from)?);
        }
        let mut aliases = BTreeMap::new();
        for _ in 0..from.u32("the number of aliases")? {
            let alias = text(&mut from, "an alias")?.to_owned();
            let name = text(&mut from, "the name behind an alias")?;
            if !tensors.contains_key(name) {
                return Err(from.damaged(format!("{alias} stands for {name}, which is not there")));
            }
            aliases.insert(alias, name.to_owned());
        }
        if from.left() > 0 {
            return Err(from.damaged(format!("{} bytes follow its end", from.left())));
        }
        Ok(Self { tensors, aliases, bytes })
    }

    /// Names of its tensors, as they are in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    fn stored(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(self.aliases.get(name).map_or(name, String::as_str))
    }
}

/// Text behind its length, with a zero at its end.
fn text<'a>(from: &mut Bytes<'a>, what: &str) -> Result<&'a str> {
    let length = from.u16(what)?;
    let text = from.text(length.into(), what)?;
    text.strip_suffix('\0').ok_or_else(|| from.damaged(format!("{what} does not end with a zero")))
}

fn stored(from: &mut Bytes) -> Result<Stored> {
    let mut shape = Vec::new();
    for _ in 0..from.u8("the number of axes")? {
        shape.push(from.u32("the size of an axis")? as usize);
    }
    let kind = from.u8("the kind of a tensor")?;
    let Some((_, size)) = KINDS.get(usize::from(kind)) else {
        return Err(from.damaged(format!("there are no numbers of the kind {kind}")));
    };
    let length = from.u32("the length of a tensor")?;
    let wanted = shape.iter().try_fold(*size, |all, axis| all.checked_mul(*axis));
    if wanted != Some(length as usize) {
        return Err(from.damaged(format!("a tensor of the shape {shape:?} has {length} bytes")));
    }
    let begin = from.at();
    from.take(length.into(), "a tensor")?;
    Ok(Stored { shape, kind, range: begin..from.at() })
}

/// Where a tensor of a Whisper checkpoint is: in a tensor of this name, of whose rows it is one of so many equal parts.
struct Inside {
    name: String,
    part: usize,
    of: usize,
}

fn inside(name: &str) -> Option<Inside> {
    let rest = name.strip_prefix("model.")?;
    let (side, rest) = rest.split_once('.')?;
    let whole = |name: String| Some(Inside { name: format!("{side}/{name}"), part: 0, of: 1 });
    match rest {
        "embed_tokens.weight" => return whole("embeddings/weight".into()),
        "embed_positions.weight" => return whole("position_encodings/encodings".into()),
        _ => {}
    }
    let (at, number) = rest.rsplit_once('.')?;
    let of_norm = if number == "weight" { "gamma" } else { "beta" };
    let Some(in_layer) = at.strip_prefix("layers.") else {
        return whole(if at == "layer_norm" { format!("layer_norm/{of_norm}") } else { format!("{at}/{number}") });
    };
    let (layer, at) = in_layer.split_once('.')?;
    let within = |place: &str, part: usize, of: usize| {
        Some(Inside { name: format!("{side}/layer_{layer}/{place}/{number}"), part, of })
    };
    match at {
        "self_attn.q_proj" => within("self_attention/linear_0", 0, 3),
        "self_attn.k_proj" => within("self_attention/linear_0", 1, 3),
        "self_attn.v_proj" => within("self_attention/linear_0", 2, 3),
        "self_attn.out_proj" => within("self_attention/linear_1", 0, 1),
        "encoder_attn.q_proj" => within("attention/linear_0", 0, 1),
        "encoder_attn.k_proj" => within("attention/linear_1", 0, 2),
        "encoder_attn.v_proj" => within("attention/linear_1", 1, 2),
        "encoder_attn.out_proj" => within("attention/linear_2", 0, 1),
        "fc1" => within("ffn/linear_0", 0, 1),
        "fc2" => within("ffn/linear_1", 0, 1),
        "self_attn_layer_norm" => whole(format!("layer_{layer}/self_attention/layer_norm/{of_norm}")),
        "encoder_attn_layer_norm" => whole(format!("layer_{layer}/attention/layer_norm/{of_norm}")),
        "final_layer_norm" => whole(format!("layer_{layer}/ffn/layer_norm/{of_norm}")),
        _ => None,
    }
}

impl Source for Ctranslate2 {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let known = inside(&tensor.name);
        let found = known.and_then(|inside| self.stored(&inside.name).map(|stored| (stored, inside)));
        let (stored, Inside { part, of, .. }) = found.ok_or_else(|| missing(tensor, self.names()))?;
        let mut shape = stored.shape.clone();
        match shape.first_mut() {
            // One that does not divide is of another shape than the model's.
            Some(rows) if rows.is_multiple_of(of) => *rows /= of,
            _ => {}
        }
        expect_shape(tensor, &shape)?;
        let plain = match KINDS[usize::from(stored.kind)].0 {
            "float32" => Plain::F32,
            "float16" => Plain::F16,
            "bfloat16" => Plain::Bf16,
            other => {
                let (name, found) = (tensor.name.clone(), other.to_owned());
                return Err(Error::Kind { name, found, taken: "float32, float16 and bfloat16" });
            }
        };
        let length = tensor.count() * plain.bytes();
        Ok(plain.widened(&self.bytes[stored.range.clone()][part * length..][..length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::tests::tensor;

    fn text_of(text: &str) -> Vec<u8> {
        [&(text.len() as u16 + 1).to_le_bytes()[..], text.as_bytes(), &[0]].concat()
    }

    fn one(name: &str, shape: &[u32], kind: u8, numbers: &[u8]) -> Vec<u8> {
        let sizes: Vec<u8> = shape.iter().flat_map(|size| size.to_le_bytes()).collect();
        let length = (numbers.len() as u32).to_le_bytes();
        [&text_of(name)[..], &[shape.len() as u8], &sizes, &[kind], &length, numbers].concat()
    }

    fn file(tensors: &[Vec<u8>], aliases: &[[&str; 2]]) -> Vec<u8> {
        let count = |count: usize| (count as u32).to_le_bytes();
        let aliased: Vec<u8> = aliases.iter().flatten().flat_map(|name| text_of(name)).collect();
        let begin = [&VERSION.to_le_bytes()[..], &text_of("WhisperSpec"), &3_u32.to_le_bytes()].concat();
        [&begin[..], &count(tensors.len()), &tensors.concat(), &count(aliases.len()), &aliased].concat()
    }

    fn whole() -> Vec<u8> {
        let numbers = |from: u8| -> Vec<u8> { (from..from + 6).flat_map(|x| f32::from(x).to_le_bytes()).collect() };
        let tensors = [
            one("encoder/layer_0/self_attention/linear_0/weight", &[6, 1], 0, &numbers(0)),
            one("decoder/layer_1/ffn/layer_norm/beta", &[6], 0, &numbers(10)),
            one("encoder/conv1/weight", &[2], 1, &[1, 2]),
            one("decoder/projection/weight", &[6, 1], 0, &numbers(20)),
        ];
        file(&tensors, &[["decoder/embeddings/weight", "decoder/projection/weight"]])
    }

    #[track_caller]
    fn damaged(bytes: Vec<u8>, why: &str) {
        let message = Ctranslate2::of(bytes).unwrap_err().to_string();
        assert!(message.contains("no whole CTranslate2 file") && message.contains(why), "{message}");
    }

    #[test]
    fn tensors_are_found_in_those_that_lie_together_and_behind_aliases() {
        let read = Ctranslate2::of(whole()).unwrap();
        let of = |name: &str, shape: &[usize]| read.numbers(&tensor(name, shape)).unwrap();
        assert_eq!(of("model.encoder.layers.0.self_attn.k_proj.weight", &[2, 1]), [2.0, 3.0]);
        assert_eq!(of("model.encoder.layers.0.self_attn.v_proj.weight", &[2, 1]), [4.0, 5.0]);
        assert_eq!(of("model.decoder.layers.1.final_layer_norm.bias", &[6])[0], 10.0);
        assert_eq!(of("model.decoder.embed_tokens.weight", &[6, 1])[5], 25.0);
    }

    #[test]
    fn what_does_not_fit_the_model_is_refused() {
        let read = Ctranslate2::of(whole()).unwrap();
        let refused = |name: &str, shape: &[usize]| read.numbers(&tensor(name, shape)).unwrap_err().to_string();
        assert!(refused("model.encoder.layers.0.self_attn.k_proj.weight", &[6, 1]).contains("has the shape [2, 1]"));
        assert!(refused("model.encoder.conv1.weight", &[2]).contains("of the kind int8"));
        assert!(refused("model.encoder.layers.1.fc1.weight", &[2]).contains("no tensor"));
        assert!(refused("wte.weight", &[2]).contains("decoder/layer_1/ffn/layer_norm/beta"));
    }

    #[test]
    fn every_truncated_file_is_refused() {
        let whole = whole();
        (0..whole.len()).for_each(|length| damaged(whole[..length].to_vec(), ""));
        damaged([whole, vec![0]].concat(), "1 bytes follow its end");
    }

    #[test]
    fn headers_that_cannot_be_right_are_refused() {
        damaged(5_u32.to_le_bytes().to_vec(), "version 5");
        damaged(file(&[one("a", &[3], 0, &[0; 8])], &[]), "has 8 bytes");
        damaged(file(&[one("a", &[u32::MAX; 8], 0, &[0; 8])], &[]), "has 8 bytes");
        damaged(file(&[one("a", &[2], 6, &[0; 8])], &[]), "no numbers of the kind 6");
        damaged(file(&[], &[["a", "b"]]), "a stands for b");
        let mut many = file(&[], &[]);
        let end = many.len();
        many[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
        damaged(many, "the name of a tensor");
        let open = [&VERSION.to_le_bytes()[..], &1_u16.to_le_bytes(), b"a"].concat();
        damaged(open, "does not end with a zero");
    }

    #[test]
    fn a_file_of_another_checksum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        fs::write(&path, b"abc").unwrap();
        let message = Ctranslate2::open(&path, "00").unwrap_err().to_string();
        // FIPS 180-2, appendix B.1.
        assert!(message.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{message}");
        let whole = whole();
        fs::write(&path, &whole).unwrap();
        let digest = sha256_of(&whole).to_uppercase();
        assert!(Ctranslate2::open(&path, &digest).is_ok());
        let message = Ctranslate2::open(&folder.path().join("none"), &digest).unwrap_err().to_string();
        assert!(message.contains("cannot be read"), "{message}");
    }
}
