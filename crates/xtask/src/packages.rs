//! `environment.yml`: the one list of Python packages, for conda and for pip.

use saphyr::{LoadableYamlNode, Yaml};
use std::path::Path;
use xtask::error::{Error, Named, Result};

/// What `environment.yml` asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Packages {
    /// The name of the conda environment.
    pub name: String,
    /// Where conda finds what it installs.
    pub channels: Vec<String>,
    /// What conda itself installs: Python and pip.
    pub conda: Vec<String>,
    /// What pip installs, one requirement each, in pip's own notation.
    pub pip: Vec<String>,
}

/// Engines that are measured beside ours, and what exports to them.
const ENGINES: [&str; 11] = [
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "openvino",
    "transformers",
    "mambapy",
    "fla-core",
    "torchao",
    "peft",
    "scipy",
];

/// A Python version: major, minor.
pub type Version = (u32, u32);

impl Packages {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).named("read", path)?;
        Self::parse(&text).map_err(|problem| Error::Content { path: path.to_owned(), problem })
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let documents = Yaml::load_from_str(text).map_err(|error| format!("is no YAML: {error}"))?;
        let document = documents.first().ok_or("is empty")?;
        let name = document.as_mapping_get("name").and_then(Yaml::as_str).ok_or("`name:` is missing")?.to_owned();
        let dependencies = document
            .as_mapping_get("dependencies")
            .and_then(Yaml::as_sequence)
            .ok_or("the list `dependencies:` is missing")?;
        let channels = document.as_mapping_get("channels").and_then(Yaml::as_sequence);
        let channels = channels.into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect();
        let (mut conda, mut pip) = (Vec::new(), Vec::new());
        for dependency in dependencies {
            if let Some(one) = dependency.as_str() {
                conda.push(one.to_owned());
            } else if let Some(list) = dependency.as_mapping_get("pip").and_then(Yaml::as_sequence) {
                for one in list {
                    pip.push(one.as_str().ok_or("under `pip:` stands something that is no requirement")?.to_owned());
                }
            } else {
                return Err("under `dependencies:` stands something that is neither a package nor `pip:`".to_owned());
            }
        }
        if pip.is_empty() {
            return Err("the list `pip:` is missing or empty".to_owned());
        }
        Ok(Self { name, channels, conda, pip })
    }

    /// The requirements for pip; without torch and other engines if `minimal`.
    pub fn requirements(&self, minimal: bool) -> Vec<&str> {
        self.pip.iter().map(String::as_str).filter(|one| !(minimal && ENGINES.contains(&package(one)))).collect()
    }

    /// The pinned version of torch, such as `2.9.0`.
    pub fn torch(&self) -> Option<&str> {
        let pin = self.pip.iter().find(|one| package(one) == "torch")?;
        pin.split(';').next()?.split_once("==").map(|(_, version)| version.trim())
    }

    /// The Python versions that will do: the first one, and the first one that will not.
    pub fn python(&self) -> Option<(Version, Version)> {
        let python = self.conda.iter().find(|one| package(one) == "python")?;
        let bound = |sign: &str| {
            python["python".len()..].split(',').find_map(|part| part.trim().strip_prefix(sign).and_then(version))
        };
        Some((bound(">=")?, bound("<")?))
    }
}

/// The package's name in a requirement such as `numpy==2.4.6; python_version >= "3.11"`.
fn package(requirement: &str) -> &str {
    let end = requirement.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
    &requirement[..end.unwrap_or(requirement.len())]
}

/// Major and minor of `3.11` or `3.11.7`.
pub fn version(text: &str) -> Option<Version> {
    let mut parts = text.trim().split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../../environment.yml");

    #[test]
    fn our_own_list_is_read() -> std::result::Result<(), String> {
        let packages = Packages::parse(OURS)?;
        assert_eq!(packages.name, "benchbook");
        assert_eq!(packages.channels, ["conda-forge"]);
        assert_eq!(packages.torch(), Some("2.9.0"));
        assert_eq!(packages.python(), Some(((3, 10), (3, 15))));
        assert_eq!(packages.conda.iter().map(|one| package(one)).collect::<Vec<_>>(), ["python", "pip"]);
        let names: Vec<_> = packages.pip.iter().map(|one| package(one)).collect();
        let others = "jupyterlab nbclient nbconvert plotly numpy setuptools duckdb pandas pyarrow".split(' ');
        for needed in others.chain(ENGINES) {
            assert!(names.contains(&needed), "{needed}");
        }
        assert!(packages.pip.iter().all(|one| one.contains("==")), "every package is pinned");
        Ok(())
    }

    #[test]
    fn minimal_leaves_engines_out_and_nothing_else() -> std::result::Result<(), String> {
        let packages = Packages::parse(
            "name: a\ndependencies:\n  - pip:\n    - torch==2.9.0\n    - torchmetrics==1.0\n    - onnx==1.0; python_version >= '3.11'\n    - numpy==2.0\n",
        )?;
        assert_eq!(packages.requirements(true), ["torchmetrics==1.0", "numpy==2.0"]);
        assert_eq!(packages.requirements(false).len(), 4);
        Ok(())
    }

    #[test]
    fn a_broken_list_says_where() {
        for (text, part) in [
            ("", "empty"),
            ("dependencies: []", "name"),
            ("name: a", "dependencies"),
            ("name: a\ndependencies:\n  - python\n", "pip"),
            ("name: a\ndependencies:\n  - pip:\n    - {a: 1}\n", "no requirement"),
            ("name: [a", "YAML"),
        ] {
            let message = Packages::parse(text).expect_err(text);
            assert!(message.contains(part), "{text:?}: {message}");
        }
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version("3.9"), Some((3, 9)));
        assert_eq!(version("3.11.7"), Some((3, 11)));
        assert_eq!(version("3"), None);
        assert!(version("3.9") < version("3.10"));
    }
}
