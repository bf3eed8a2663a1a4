//! The notebooks that are run, and the files that are made from them: no two notebooks share one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Named, Result};

/// A notebook and where its files go.
pub(super) struct Task {
    pub named: PathBuf,
    pub file: PathBuf,
    pub html: Option<PathBuf>,
    pub executed: Option<PathBuf>,
}

/// A task for each notebook, in their order; the folders of pages and copies are made.
pub(super) fn tasks(notebooks: &[PathBuf], html: Option<&Path>, executed: Option<&Path>) -> Result<Vec<Task>> {
    // A file that is not there keeps its name and fails when its turn comes.
    let file = |named: &PathBuf| named.canonicalize().or_else(|_| std::path::absolute(named));
    let files = notebooks.iter().map(|named| file(named).named("find", named)).collect::<Result<Vec<_>>>()?;
    let stems = file_stems(&files);
    let (html, executed) = (folder(html)?, folder(executed)?);
    let task = |((named, file), stem): ((&PathBuf, &PathBuf), String)| {
        let task = Task {
            named: named.clone(),
            file: file.clone(),
            html: html.as_ref().map(|folder| folder.join(format!("{stem}.html"))),
            executed: executed.as_ref().map(|folder| folder.join(format!("{stem}.ipynb"))),
        };
        match task.executed.as_ref().filter(|copy| files.contains(copy)) {
            Some(copy) => Err(Error::Overwrites { notebook: copy.clone() }),
            None => Ok(task),
        }
    };
    notebooks.iter().zip(&files).zip(stems).map(task).collect()
}

/// The folder, made where it is absent, without links.
fn folder(asked: Option<&Path>) -> Result<Option<PathBuf>> {
    let Some(asked) = asked else { return Ok(None) };
    std::fs::create_dir_all(asked).named("make the folder", asked)?;
    asked.canonicalize().named("find", asked).map(Some)
}

/// A name without ending for each notebook: its own, with its folder's before it where others have the same.
fn file_stems(notebooks: &[PathBuf]) -> Vec<String> {
    let own = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut count = BTreeMap::<String, usize>::new();
    for notebook in notebooks {
        *count.entry(own(notebook)).or_default() += 1;
    }
    let alone = |stem: &String| count.get(stem) == Some(&1);
    // Names that nobody shares are taken first: no other may get one of them.
    let mut taken: BTreeSet<String> = notebooks.iter().map(|path| own(path)).filter(alone).collect();
    let mut stem = |notebook: &PathBuf| {
        let stem = own(notebook);
        if alone(&stem) {
            return stem;
        }
        let folder = notebook.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let wanted = if folder.is_empty() { stem } else { format!("{folder}-{stem}") };
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken.contains(name));
        let free = free.unwrap_or(wanted);
        taken.insert(free.clone());
        free
    };
    notebooks.iter().map(&mut stem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_notebooks_own_where_they_can_be() {
        let stems = |paths: &[&str]| file_stems(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(stems(&["/a/x.ipynb", "/b/y.ipynb"]), ["x", "y"]);
        assert_eq!(stems(&["/a/x.ipynb", "/b/x.ipynb"]), ["a-x", "b-x"]);
        assert_eq!(stems(&["/a/c/x.ipynb", "/b/c/x.ipynb"]), ["c-x", "c-x-2"]);
        assert_eq!(stems(&["/a/x.ipynb", "/b/x.ipynb", "/b-x.ipynb"]), ["a-x", "b-x-2", "b-x"]);
        assert_eq!(stems(&["/x.ipynb", "/b/x.txt"]), ["x", "b-x"]);
        assert_eq!(stems(&["/a/a b <script>.ipynb"]), ["a b <script>"]);
    }
}
