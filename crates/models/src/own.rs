//! A checkpoint of one's own: the files that a description names, taken as they are, and known by their digest.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::catalogue::asked_for;
use crate::decoder::is_built;
use crate::description::{Architecture, Description};
use crate::error::{Error, Result};
use crate::tensors::Tensor;
use crate::tokenizer::Bpe;
use crate::weights::{Gguf, Safetensors, Source, missing, sha256_of};

/// A model of which somebody has the weights on a disk: a LLaMA, or a dense Qwen3.
#[derive(Debug)]
pub struct Own {
    /// What it is called: by the file that describes it.
    pub name: String,
    /// What it is made of.
    pub model: Description,
    /// Its weights.
    pub weights: Checkpoint,
    /// Its tokenizer.
    pub tokenizer: Bpe,
    /// SHA-256 of the list of checksums of its files: of the description, then of the weights by their names, then of the tokenizer.
    /// Names stand there without their folders: where all lie side by side, it is what
    /// `sha256sum mine.toml model.safetensors tokenizer.json | sha256sum` says in their folder.
    pub digest: String,
}

/// The files that weights lie in.
#[derive(Debug)]
pub enum Checkpoint {
    /// Tensors of one file, or of several that have them between them.
    Safetensors(Vec<Safetensors>),
    /// A file that may have a tokenizer too.
    Gguf(Box<Gguf>),
}

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// Which file of a folder holds each tensor.
const INDEX: &str = "model.safetensors.index.json";

/// What Transformers puts beside weights.
const CONFIG: &str = "config.json";

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Files as they are read, and the list of their checksums.
#[derive(Default)]
struct Reading {
    sums: String,
}

impl Own {
    /// Reads the files that the description at `path` names.
    ///
    /// # Errors
    /// A description that names none, or is of another architecture; files that cannot be read, or are not what their names say; a
    /// tokenizer that is not built, puts tokens around a text, or has more tokens than the model; angles that are scaled.
    pub fn open(path: &str) -> Result<Self> {
        let (name, model) = asked_for(path)?;
        let refused = |reason: &str| Err(Error::Inconsistent { model: path.to_owned(), reason: reason.to_owned() });
        let Some(files) = &model.files else {
            return refused("it names no weights of its own: give `weights` and `tokenizer` in [files]");
        };
        let text = &model.text;
        let is_known = matches!(text.architecture, Architecture::Llama | Architecture::Qwen3);
        if !is_known || !is_built(&model) || text.experts.is_some() || text.sections.is_some() {
            return refused("weights of one's own are of a LLaMA or of a dense Qwen3 here: leave [files] out");
        }
        let (mut reading, beside) = (Reading::default(), Path::new(path).parent().unwrap_or(Path::new("")));
        reading.read(Path::new(path))?;
        let weights = beside.join(&files.weights);
        unscaled(&weights)?;
        let weights = reading.checkpoint(&weights)?;
        let tokenizer = match (&files.tokenizer, &weights) {
            (Some(file), _) => Bpe::of_json(&reading.read(&beside.join(file))?)?,
            (None, Checkpoint::Gguf(file)) => file.tokenizer()?,
            (None, Checkpoint::Safetensors(_)) => {
                return refused("text is read by its tokenizer: give `tokenizer = \"tokenizer.json\"` in [files]");
            }
        };
        if let Some(around) = tokenizer.around() {
            return refused(&format!(
                "its tokenizer puts {around} around a text, which is not built: losses would be others"
            ));
        }
        tokenizer.fits(text.vocabulary)?;
        Ok(Self { name, weights, tokenizer, digest: sha256_of(reading.sums.as_bytes()), model })
    }

    /// Refuses weights that are not those of the description, all of them, and no others.
    ///
    /// # Errors
    /// The tensor that is missing, has another shape or kind, has a number that is none, or that the model has no place for.
    pub fn verify(&self) -> Result<()> {
        let refused = |reason: String| Err(Error::Inconsistent { model: self.name.clone(), reason });
        let (text, mut tensors) = (&self.model.text, self.model.tensors());
        // Others have tensors of the same names too, and something besides.
        let wanted = if text.architecture == Architecture::Llama { "llama" } else { "qwen3" };
        if let Checkpoint::Gguf(file) = &self.weights
            && file.architecture() != wanted
        {
            return refused(format!("its weights are of the architecture {}, not {wanted}", file.architecture()));
        }
        let mut head = None;
        for tensor in &tensors {
            let numbers = self.weights.numbers(tensor)?;
            if !numbers.iter().all(|number| number.is_finite()) {
                return refused(format!("the tensor {} has a number that is none, or infinite", tensor.name));
            }
            // Some files have a tied head twice.
            if text.tied && tensor.name == EMBEDDING && self.weights.has(HEAD) {
                let written = Tensor { name: HEAD.to_owned(), ..tensor.clone() };
                if self.weights.numbers(&written)? != numbers {
                    return refused(format!(
                        "{HEAD} is another matrix than {EMBEDDING}: the description has a tied head"
                    ));
                }
                head = Some(written);
            }
        }
        // Older files of LLaMA have the angles besides, which follow from the description.
        let angles = |layer: usize| Tensor {
            name: format!("model.layers.{layer}.self_attn.rotary_emb.inv_freq"),
            ..tensors[0].clone()
        };
        let angles: Vec<Tensor> = (0..text.layers).map(angles).collect();
        tensors.extend(angles.into_iter().chain(head));
        if let Some(name) = self.weights.foreign(&tensors) {
            return refused(format!("its weights have the tensor {name}, which the description has no place for"));
        }
        match &self.weights {
            Checkpoint::Gguf(file) if file.heads() != [text.heads, text.kv_heads] => {
                let [heads, kv_heads] = file.heads();
                refused(format!("its weights are of {heads} heads and {kv_heads} of keys, the description of others"))
            }
            _ => Ok(()),
        }
    }
}

impl Checkpoint {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Safetensors(files) => files.iter().any(|file| file.has(name)),
            Self::Gguf(file) => file.has(name),
        }
    }

    /// The name of a tensor that is none of these.
    fn foreign(&self, tensors: &[Tensor]) -> Option<String> {
        match self {
            Self::Safetensors(files) => files.iter().find_map(|file| file.foreign(tensors)),
            Self::Gguf(file) => file.foreign(tensors),
        }
    }
}

impl Source for Checkpoint {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        match self {
            Self::Gguf(file) => file.numbers(tensor),
            Self::Safetensors(files) => match files.iter().find(|file| file.has(&tensor.name)) {
                Some(file) => file.numbers(tensor),
                None => {
                    let names: Vec<String> = files.iter().flat_map(Safetensors::names).collect();
                    Err(missing(tensor, names.iter().map(String::as_str)))
                }
            },
        }
    }
}

impl Reading {
    /// The bytes of a file, whose checksum is noted; a link is followed, a pipe or a folder is not waited for.
    fn read(&mut self, path: &Path) -> Result<Vec<u8>> {
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("it is no file")));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.sums += &format!("{}  {name}\n", sha256_of(&bytes));
        Ok(bytes)
    }

    fn checkpoint(&mut self, path: &Path) -> Result<Checkpoint> {
        if path.is_dir() {
            let names = if path.join(INDEX).exists() {
                shards(&path.join(INDEX))?
            } else {
                BTreeSet::from(["model.safetensors".to_owned()])
            };
            let files = names.iter().map(|name| self.safetensors(&path.join(name))).collect::<Result<_>>()?;
            return Ok(Checkpoint::Safetensors(files));
        }
        match path.extension().and_then(OsStr::to_str) {
            Some("safetensors") => Ok(Checkpoint::Safetensors(vec![self.safetensors(path)?])),
            Some("gguf") => Ok(Checkpoint::Gguf(Box::new(Gguf::of(self.read(path)?).map_err(of_file(path))?))),
            _ => {
                let reason = "weights are a .safetensors or a .gguf file, or a folder of the former".to_owned();
                Err(Error::Inconsistent { model: path.display().to_string(), reason })
            }
        }
    }

    fn safetensors(&mut self, path: &Path) -> Result<Safetensors> {
        Safetensors::of(self.read(path)?).map_err(of_file(path))
    }
}

/// Says which file an error is of.
fn of_file(path: &Path) -> impl Fn(Error) -> Error {
    move |error: Error| Error::Inconsistent { model: path.display().to_string(), reason: error.to_string() }
}

/// What a file of JSON says.
fn parsed<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let json = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let refused =
        |error: serde_json::Error| Error::Inconsistent { model: path.display().to_string(), reason: error.to_string() };
    serde_json::from_slice(&json).map_err(refused)
}

/// Refuses weights beside which a `config.json` scales the angles of positions, as LLaMA has them from 3.1 on.
fn unscaled(weights: &Path) -> Result<()> {
    let folder = if weights.is_dir() { weights } else { weights.parent().unwrap_or(Path::new("")) };
    let path = folder.join(CONFIG);
    if !path.exists() {
        return Ok(());
    }
    let config: Value = parsed(&path)?;
    let kind = config["rope_parameters"]["rope_type"].as_str().unwrap_or("default");
    if config["rope_scaling"].is_null() && kind == "default" {
        return Ok(());
    }
    let reason = "it scales the angles of positions (rope_scaling or rope_parameters), which is not built".to_owned();
    Err(Error::Inconsistent { model: path.display().to_string(), reason })
}

/// The files that an index names, all of them beside it.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let refused = |reason: String| Error::Inconsistent { model: index.display().to_string(), reason };
    let names: BTreeSet<String> = parsed::<Index>(index)?.weight_map.into_values().collect();
    let other = names.iter().find(|name| Path::new(name).file_name() != Some(OsStr::new(name))).cloned();
    match other {
        Some(other) => Err(refused(format!("it names {other:?}, which is no file beside it"))),
        None if names.is_empty() => Err(refused("it names no file".to_owned())),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::weights::Seeded;

    const SOURCE: Seeded = Seeded { seed: 11 };

    /// A Qwen3 of two layers, whose norms of heads a LLaMA has no place for.
    const MINE: &str = include_str!("../fixtures/own/mine.toml");
    const TOKENIZER: &str = include_str!("../fixtures/own/tokenizer.json");

    struct Folder(tempfile::TempDir);

    impl Folder {
        /// All files of a checkpoint that fits.
        fn whole() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.put("tokenizer.json", TOKENIZER);
            folder.put("model.safetensors", Safetensors::written(&tensors(), &SOURCE).unwrap());
            folder.put("mine.toml", MINE);
            folder
        }

        fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
            fs::write(self.0.path().join(name), bytes).unwrap();
        }

        fn opened(&self) -> Result<Own> {
            let own = Own::open(self.0.path().join("mine.toml").to_str().unwrap())?;
            own.verify().map(|()| own)
        }

        #[track_caller]
        fn refused(&self, parts: &[&str]) {
            let said = self.opened().unwrap_err().to_string();
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
    }

    fn tensors() -> Vec<Tensor> {
        Description::parse(MINE).unwrap().tensors()
    }

    /// A GGUF file of this architecture, without tensors.
    fn gguf(architecture: &str) -> Vec<u8> {
        let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        let head = [&b"GGUF"[..], &3_u32.to_le_bytes(), &0_u64.to_le_bytes(), &1_u64.to_le_bytes()].concat();
        [head, text("general.architecture"), 8_u32.to_le_bytes().to_vec(), text(architecture)].concat()
    }

    /// Weights where one tensor is another one.
    fn with(name: &str, change: impl Fn(&mut Tensor)) -> Vec<u8> {
        let mut tensors = tensors();
        change(tensors.iter_mut().find(|tensor| tensor.name == name).unwrap());
        Safetensors::written(&tensors, &SOURCE).unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_and_known_by_all_of_its_files() {
        let folder = Folder::whole();
        let own = folder.opened().unwrap();
        assert_eq!((own.name.as_str(), own.tokenizer.encode("path").unwrap()), ("mine", vec![112, 97, 256]));
        for tensor in own.model.tensors() {
            assert_eq!(own.weights.numbers(&tensor).unwrap(), SOURCE.drawn(&tensor), "{}", tensor.name);
        }
        let sum = |name: &str| format!("{}  {name}\n", sha256_of(&fs::read(folder.0.path().join(name)).unwrap()));
        let list = ["mine.toml", "model.safetensors", "tokenizer.json"].map(sum).concat();
        assert_eq!(own.digest, sha256_of(list.as_bytes()));
        folder.put("model.safetensors", Safetensors::written(&tensors(), &Seeded { seed: 12 }).unwrap());
        assert_ne!(folder.opened().unwrap().digest, own.digest);
    }

    #[test]
    fn several_files_are_one_checkpoint() {
        let folder = Folder::whole();
        let whole = folder.opened().unwrap();
        fs::create_dir(folder.0.path().join("parts")).unwrap();
        let (tensors, mut map) = (tensors(), serde_json::Map::new());
        for (place, some) in tensors.chunks(tensors.len().div_ceil(2)).enumerate() {
            let name = format!("model-{place}.safetensors");
            folder.put(&format!("parts/{name}"), Safetensors::written(some, &SOURCE).unwrap());
            map.extend(some.iter().map(|tensor| (tensor.name.clone(), json!(name))));
        }
        folder.put(&format!("parts/{INDEX}"), json!({ "weight_map": map }).to_string());
        folder.put("mine.toml", MINE.replace("model.safetensors", "parts"));
        let parted = folder.opened().unwrap();
        for tensor in &tensors {
            assert_eq!(parted.weights.numbers(tensor).unwrap(), whole.weights.numbers(tensor).unwrap());
        }
        fs::remove_file(folder.0.path().join("parts/model-1.safetensors")).unwrap();
        folder.refused(&["model-1.safetensors cannot be read"]);
        for (index, why) in [
            (r#"{"weight_map":{"a":"../model.safetensors"}}"#, "which is no file beside it"),
            (r#"{"weight_map":{}}"#, "names no file"),
            ("[", "EOF"),
        ] {
            folder.put(&format!("parts/{INDEX}"), index);
            folder.refused(&[INDEX, why]);
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_told_by_their_tensor() {
        let folder = Folder::whole();
        let refused = |bytes: Vec<u8>, parts: &[&str]| {
            folder.put("model.safetensors", bytes);
            folder.refused(parts);
        };
        let up = "model.layers.1.mlp.up_proj.weight";
        refused(with(up, |tensor| tensor.shape = vec![8, 16]), &[up, "[8, 16]", "needs [16, 8]"]);
        refused(with(up, |tensor| tensor.name = "up".to_owned()), &["no tensor", up]);
        refused(with(up, |tensor| tensor.mean = f32::NAN), &[up, "a number that is none"]);
        let bias = Tensor { name: "model.layers.0.self_attn.q_proj.bias".to_owned(), ..tensors().remove(0) };
        let more = [tensors(), vec![bias.clone()]].concat();
        refused(Safetensors::written(&more, &SOURCE).unwrap(), &[&bias.name, "no place for"]);
        let head = Tensor { name: HEAD.to_owned(), ..bias };
        let untied = [tensors(), vec![head]].concat();
        refused(Safetensors::written(&untied, &SOURCE).unwrap(), &[HEAD, "tied"]);
        let whole = Safetensors::written(&tensors(), &SOURCE).unwrap();
        let at = whole.windows(3).position(|three| three == b"F32").unwrap();
        let other = [&whole[..at], b"I32", &whole[at + 3..]].concat();
        refused(other, &[EMBEDDING, "of the kind I32"]);
        for cut in [0, 7, 100, whole.len() - 1] {
            refused(whole[..cut].to_vec(), &["model.safetensors: this is no whole safetensors file"]);
        }
        refused([&u64::MAX.to_le_bytes()[..], &whole[8..]].concat(), &["no whole safetensors file"]);
    }

    #[test]
    fn descriptions_and_tokenizers_that_do_not_fit_are_refused() {
        let folder = Folder::whole();
        let refused = |from: &str, to: &str, parts: &[&str]| {
            assert!(MINE.contains(from), "{from}");
            folder.put("mine.toml", MINE.replacen(from, to, 1));
            folder.refused(parts);
        };
        refused("tokenizer = \"tokenizer.json\"\n", "", &["mine.toml", "give `tokenizer"]);
        refused("\"model.safetensors\"", "\"gone.safetensors\"", &["gone.safetensors cannot be read"]);
        refused("\"model.safetensors\"", "\"mine.toml\"", &["mine.toml: weights are a .safetensors or a .gguf"]);
        refused("\"model.safetensors\"", "\".\"\nseed = 1", &["unknown field"]);
        let files = "[files]\nweights = \"model.safetensors\"\ntokenizer = \"tokenizer.json\"\n";
        refused(files, "", &["names no weights of its own"]);
        folder.put("model.gguf", "GGUF");
        refused("\"model.safetensors\"", "\"model.gguf\"", &["model.gguf: this is no whole GGUF file"]);
        folder.put("tokenizer.json", TOKENIZER.replacen("\"th\":256", "\"th\":257", 1));
        refused("made up", "made up", &["258 tokens, the model knows 257"]);
    }

    #[test]
    fn gguf_files_of_another_architecture_are_refused() {
        let folder = Folder::whole();
        folder.put("mine.toml", MINE.replace("model.safetensors", "model.gguf"));
        for other in ["granite", "smollm3", "llama"] {
            folder.put("model.gguf", gguf(other));
            folder.refused(&["mine", &format!("of the architecture {other}, not qwen3")]);
        }
        folder.put("model.gguf", gguf("qwen3"));
        folder.refused(&["no tensor", EMBEDDING]);
    }

    #[test]
    fn tokens_around_a_text_are_refused() {
        let folder = Folder::whole();
        let mut file: Value = serde_json::from_str(TOKENIZER).unwrap();
        file["post_processor"] = json!({ "type": "ByteLevel" });
        folder.put("tokenizer.json", file.to_string());
        assert!(folder.opened().is_ok());
        let single = json!([{ "SpecialToken": { "id": "<s>" } }, { "Sequence": { "id": "A" } }]);
        file["post_processor"] = json!({ "type": "TemplateProcessing", "single": single });
        folder.put("tokenizer.json", file.to_string());
        folder.refused(&["mine.toml", "puts <s> around a text"]);
    }

    #[test]
    fn angles_that_are_scaled_are_refused() {
        let folder = Folder::whole();
        for plain in [
            json!({}),
            json!({ "rope_scaling": null, "rope_theta": 1e4 }),
            json!({ "rope_parameters": { "rope_type": "default", "rope_theta": 1e4 } }),
        ] {
            folder.put(CONFIG, plain.to_string());
            assert!(folder.opened().is_ok(), "{plain}");
        }
        let scaled = [
            json!({ "rope_scaling": { "rope_type": "llama3", "factor": 8.0 } }),
            json!({ "rope_parameters": { "rope_type": "yarn" } }),
        ];
        for scaled in &scaled {
            folder.put(CONFIG, scaled.to_string());
            folder.refused(&[CONFIG, "scales the angles"]);
        }
        folder.put(CONFIG, "[");
        folder.refused(&[CONFIG, "EOF"]);
        // That of a folder of weights lies in it.
        fs::remove_file(folder.0.path().join(CONFIG)).unwrap();
        fs::create_dir(folder.0.path().join("parts")).unwrap();
        folder.put("parts/model.safetensors", Safetensors::written(&tensors(), &SOURCE).unwrap());
        folder.put("mine.toml", MINE.replace("model.safetensors", "parts"));
        assert!(folder.opened().is_ok());
        folder.put(&format!("parts/{CONFIG}"), scaled[0].to_string());
        folder.refused(&[CONFIG, "scales the angles"]);
    }
}
