//! Every description that there is.

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

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
    fn an_unknown_model_is_told_from_the_known_ones() {
        let message = named("gpt-5").unwrap_err().to_string();
        assert!(message.contains("no model gpt-5") && message.contains("smollm2-135m"), "{message}");
    }
}
