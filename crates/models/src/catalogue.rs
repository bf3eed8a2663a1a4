//! Every description that there is, and those of one's own.

use std::fs;
use std::path::Path;

use crate::description::Description;
use crate::error::{Error, Result};

/// Includes the files of these names, each with its name.
macro_rules! files {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../datasets/models/", $name, ".toml")))),*]
    };
}

/// Names of models, and their files.
const FILES: [(&str, &str); 23] = files!(
    "gpt2-124m" "gpt2-355m" "gpt2-1.5b" "bert-base" "bert-large" "llama-7b" "llama-2-7b" "llama-13b" "llama-30b" "llama-70b"
    "gpt-125m" "gpt-350m" "gpt-1.3b" "gpt-6.7b" "qwen3-4b" "qwen3-coder-30b" "qwen3-vl-2b" "glm-4.7-flash" "llava-7b"
    "whisper-large" "whisper-base" "smollm2-135m" "minilm-l6"
);

/// Names by which models are asked for.
pub fn all() -> impl Iterator<Item = &'static str> {
    FILES.into_iter().map(|(name, _)| name)
}

/// The description of the model `name`.
///
/// # Errors
/// There is none of this name.
pub fn named(name: &str) -> Result<Description> {
    let found = FILES.into_iter().find(|(known, _)| *known == name);
    let unknown = || Error::Unknown { name: name.to_owned(), known: all().collect::<Vec<&str>>().join(", ") };
    Description::parse(found.ok_or_else(unknown)?.1)
}

/// What a model is called, and its description: one of these names, or a file of one's own that ends with `.toml`, by whose name
/// without that it is called.
///
/// # Errors
/// There is none of this name; a file that cannot be read, is no description, has the name of another model, or counts other
/// parameters than its sizes have.
pub fn asked_for(word: &str) -> Result<(String, Description)> {
    let Some(called) = Path::new(word).file_name().and_then(|name| name.to_str()?.strip_suffix(".toml")) else {
        return Ok((word.to_owned(), named(word)?));
    };
    let called = called.to_owned();
    let refused = |reason: String| Err(Error::Inconsistent { model: word.to_owned(), reason });
    if all().any(|known| known == called) {
        return refused(format!("there is a model {called} already, call the file otherwise"));
    }
    let text = fs::read_to_string(word).map_err(|source| Error::Read { path: word.into(), source })?;
    let description = Description { catalogue: None, ..Description::parse(&text)? };
    let (told, counted) = (description.parameters, description.counted_parameters());
    if told != counted {
        return refused(format!("its sizes have {counted} parameters, not {told}"));
    }
    Ok((called, description))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_model_has_as_many_parameters_as_were_published() {
        for name in all() {
            let model = named(name).unwrap();
            assert_eq!(model.counted_parameters(), model.parameters, "{name}");
        }
    }

    #[test]
    fn every_file_is_a_model_and_every_row_of_the_catalogue_has_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/models");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<String> = files.collect();
        assert_eq!(files, all().map(|name| format!("{name}.toml")).collect());
        let rows: BTreeSet<String> = all().filter_map(|name| named(name).unwrap().catalogue).collect();
        assert_eq!(rows, (1..=20).map(|row| format!("MO{row}")).collect());
    }

    #[test]
    fn tensors_have_names_of_their_own() {
        for name in all() {
            let tensors = named(name).unwrap().tensors();
            let names: BTreeSet<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
            assert_eq!(names.len(), tensors.len(), "{name}");
        }
    }

    #[test]
    fn a_file_of_ones_own_is_a_model_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let text = include_str!("../../../datasets/models/smollm2-135m.toml");
        let asked = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            asked_for(path.to_str().unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(asked("mine.toml", text).unwrap(), ("mine".to_owned(), named("smollm2-135m").unwrap()));
        assert!(asked("smollm2-135m.toml", text).unwrap_err().contains("call the file otherwise"));
        let fewer = text.replacen("layers = 30", "layers = 29", 1);
        let said = asked("fewer.toml", &fewer).unwrap_err();
        assert!(said.contains("parameters, not 134515008"), "{said}");
        assert!(asked("odd.toml", "layers = 1").unwrap_err().contains("not readable"));
        let gone = asked_for(folder.path().join("gone.toml").to_str().unwrap()).unwrap_err().to_string();
        assert!(gone.contains("gone.toml cannot be read"), "{gone}");
        assert_eq!(asked_for("gpt2-124m").unwrap().0, "gpt2-124m");
        assert!(asked_for("gpt-5").is_err());
    }

    #[test]
    fn an_unknown_model_is_told_from_the_known_ones() {
        let message = named("gpt-5").unwrap_err().to_string();
        assert!(message.contains("no model gpt-5") && message.contains("smollm2-135m"), "{message}");
    }
}
