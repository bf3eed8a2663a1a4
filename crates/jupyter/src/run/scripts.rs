//! The Python side, carried in this program and laid out in a folder of its own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Named, Result};

/// The program that runs one notebook.
const RUN: &str = "run.py";
const PLOTLY: &str = "plotly.min.js";

const FILES: [(&str, &str); 6] = [
    (RUN, include_str!("../python/run.py")),
    ("session.py", include_str!("../python/session.py")),
    ("export.py", include_str!("../python/export.py")),
    ("template/conf.json", include_str!("../python/template/conf.json")),
    ("template/index.html.j2", include_str!("../python/template/index.html.j2")),
    ("template/page.css", include_str!("../python/template/page.css")),
];

/// The folder, gone with this value.
pub(super) struct Scripts(TempDir);

impl Scripts {
    pub(super) fn lay_out() -> Result<Self> {
        let files = FILES.into_iter().chain([(PLOTLY, benchbook_report::charts::plotly_js())]);
        Self::of(files)
    }

    fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("benchbook-").tempdir().named("make", "a temporary folder")?;
        for (name, text) in files {
            let file = folder.path().join(name);
            let parent = file.parent().unwrap_or(folder.path());
            std::fs::create_dir_all(parent).named("make the folder", parent)?;
            std::fs::write(&file, text).named("write", &file)?;
        }
        Ok(Self(folder))
    }

    #[cfg(test)]
    pub(super) fn stand_in(run: &str) -> Self {
        Self::of([(RUN, run)]).expect("a temporary folder")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.folder().join(RUN)
    }

    pub(super) fn plotly(&self) -> PathBuf {
        self.folder().join(PLOTLY)
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_python_file_is_carried() {
        let scripts = Scripts::lay_out().expect("a temporary folder");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python");
        for (folder, below) in [(own.clone(), ""), (own.join("template"), "template")] {
            for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_file() && !name.ends_with(".pyc") {
                    assert!(scripts.folder().join(below).join(&name).is_file(), "{below}/{name}");
                }
            }
        }
        assert!(scripts.run().is_file() && scripts.plotly().metadata().is_ok_and(|file| file.len() > 1_000_000));
        let folder = scripts.folder().to_owned();
        drop(scripts);
        assert!(!folder.exists());
    }
}
