//! Tells cargo where libtorch is: the one inside the Python package torch.

use crate::packages::Packages;
use std::fs;
use std::path::Path;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::step::State;
use xtask::workspace::{Python, Workspace};

/// Writes `.cargo/libtorch.toml`, which `.cargo/config.toml` includes, if it says something else; torch need not be there yet.
pub fn configure(workspace: &Workspace, python: &Python) -> Result<State> {
    let host = process::output(process::command("rustc").arg("-vV"), "install Rust")?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("x86_64-unknown-linux-gnu");
    write_if_changed(&workspace.root.join(".cargo/libtorch.toml"), &content(&python.torch()?, host))
}

/// Refuses a torch of another version than the one that everything is built for.
pub fn check(python: &Python, packages: &Packages) -> Result<((), State)> {
    let torch = python.torch()?;
    let about = torch.join("version.py");
    let said = fs::read_to_string(&about).named("read", &about)?;
    let needed = packages.torch().unwrap_or_default();
    right_version(&said, needed, python)?;
    println!("   libtorch {needed} in {}", torch.display());
    Ok(((), State::UpToDate))
}

/// pip's wheels carry no mark that the build of torch-sys checks, so it is checked here.
fn right_version(said: &str, needed: &str, python: &Python) -> Result<()> {
    let found =
        said.lines().find_map(|line| line.strip_prefix("__version__ = ")).unwrap_or("").trim_matches(['\'', '"', ' ']);
    if found.split('+').next() == Some(needed) {
        return Ok(());
    }
    Err(Error::Requirement {
        problem: format!("torch {needed} is needed, {} has `{found}`", python.folder.display()),
        remedy: format!("`{} -m pip install torch=={needed}`", python.executable.display()),
    })
}

fn content(torch: &Path, host: &str) -> String {
    // A JSON string is a TOML basic string as well.
    let quoted = |text: String| serde_json::Value::from(text).to_string();
    format!(
        "# Written by `cargo xtask setup`.\n[env]\nLIBTORCH = {}\n\n[target.{host}]\nrustflags = [\"-C\", {}]\n",
        quoted(torch.display().to_string()),
        quoted(format!("link-arg=-Wl,-rpath,{}", torch.join("lib").display())),
    )
}

/// A file that is written again would not be compiled again, but one that stays is plainly the same.
fn write_if_changed(path: &Path, content: &str) -> Result<State> {
    if fs::read_to_string(path).is_ok_and(|present| present == content) {
        return Ok(State::UpToDate);
    }
    fs::write(path, content).named("write", path)?;
    Ok(State::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_survives_odd_folders() {
        let said = content(Path::new("/a \"b\"/torch"), "x86_64-unknown-linux-gnu");
        assert!(said.contains("LIBTORCH = \"/a \\\"b\\\"/torch\""), "{said}");
        assert!(said.contains("link-arg=-Wl,-rpath,/a \\\"b\\\"/torch/lib\""), "{said}");
    }

    #[test]
    fn another_torch_is_refused() {
        let python = Python::in_folder("/venv".into());
        assert!(right_version("__version__ = '2.9.0+cu128'\ndebug = False\n", "2.9.0", &python).is_ok());
        for other in ["__version__ = '2.9.1'", "__version__ = '2.90.0'", "", "debug = False"] {
            let message = right_version(other, "2.9.0", &python).expect_err(other).to_string();
            assert!(message.contains("pip install torch==2.9.0"), "{message}");
        }
    }

    #[test]
    fn nothing_is_written_twice() -> Result<()> {
        let path = std::env::temp_dir().join(format!("benchbook-xtask-{}.toml", std::process::id()));
        assert_eq!(write_if_changed(&path, "a")?, State::Done);
        assert_eq!(write_if_changed(&path, "a")?, State::UpToDate);
        assert_eq!(write_if_changed(&path, "b")?, State::Done);
        fs::remove_file(&path).named("remove", &path)
    }
}
