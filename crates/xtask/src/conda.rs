//! The conda environment, for people who use one.

use crate::packages::Packages;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::error::{Error, Result};
use xtask::process;
use xtask::workspace::Python;

/// The active conda environment's folder, if it is ours by its name.
pub fn active(name: &str) -> Option<PathBuf> {
    ours(&std::env::var_os("CONDA_PREFIX").map(PathBuf::from)?, name)
}

fn ours(folder: &Path, name: &str) -> Option<PathBuf> {
    (folder.file_name()? == name).then(|| folder.to_owned())
}

/// The conda environment by its name; if there is none, made with Python and pip, which installs the rest later.
pub fn environment(packages: &Packages) -> Result<Python> {
    let conda =
        ["conda", "mamba"].into_iter().find(|name| process::exists(name)).ok_or_else(|| Error::Requirement {
            problem: "--conda was given, but neither `conda` nor `mamba` runs".to_owned(),
            remedy: "put one of them on PATH, or leave --conda away: then the packages go to .venv".to_owned(),
        })?;
    if let Some(folder) = find(conda, &packages.name)? {
        return Ok(Python::in_folder(folder));
    }
    let mut create = create(conda, packages);
    println!("   $ {}", process::line(&create));
    process::run(&mut create, "see conda's message above, or leave --conda away: then the packages go to .venv")?;
    let folder = find(conda, &packages.name)?.ok_or_else(|| Error::Requirement {
        problem: format!("`{conda}` made no environment `{}`", packages.name),
        remedy: format!("see `{conda} env list`"),
    })?;
    Ok(Python::in_folder(folder))
}

fn create(conda: &str, packages: &Packages) -> Command {
    let mut command = process::command(conda);
    command.args(["create", "--yes", "--name", &packages.name]);
    command.args(packages.channels.iter().flat_map(|channel| ["--channel", channel]));
    command.args(&packages.conda);
    command
}

fn find(conda: &str, name: &str) -> Result<Option<PathBuf>> {
    let said = process::output(
        process::command(conda).args(["env", "list", "--json"]),
        "see what conda says of its environments",
    )?;
    named(&said, name).map_err(|problem| Error::Content { path: format!("{conda} env list --json").into(), problem })
}

fn named(said: &str, name: &str) -> std::result::Result<Option<PathBuf>, String> {
    let listed: serde_json::Value = serde_json::from_str(said).map_err(|error| error.to_string())?;
    let folders = listed["envs"].as_array().ok_or("lists no `envs`")?;
    Ok(folders.iter().filter_map(|folder| ours(Path::new(folder.as_str()?), name)).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_environment_of_our_name_is_ours() {
        assert_eq!(ours(Path::new("/c/envs/benchbook"), "benchbook"), Some("/c/envs/benchbook".into()));
        assert_eq!(ours(Path::new("/c/envs/base"), "benchbook"), None);
        assert_eq!(ours(Path::new("/"), "benchbook"), None);
    }

    #[test]
    fn the_list_of_environments_is_read() {
        let said = r#"{"envs": ["/c", "/c/envs/other", "/c/envs/benchbook"]}"#;
        assert_eq!(named(said, "benchbook"), Ok(Some("/c/envs/benchbook".into())));
        assert_eq!(named(r#"{"envs": []}"#, "benchbook"), Ok(None));
        assert!(named("{}", "benchbook").is_err());
        assert!(named("no json", "benchbook").is_err());
    }

    #[test]
    fn conda_is_asked_for_python_and_pip_only() {
        let packages = Packages {
            name: "b".into(),
            channels: vec!["conda-forge".into()],
            conda: vec!["python>=3.10".into(), "pip".into()],
            pip: vec!["torch==2.9.0".into()],
        };
        let line = process::line(&create("conda", &packages));
        assert_eq!(line, "conda create --yes --name b --channel conda-forge 'python>=3.10' pip");
    }
}
