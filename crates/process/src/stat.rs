//! A process as the system shows it in `/proc/<id>/stat`.

use std::collections::BTreeMap;
use std::fs;
use std::iter::successors;
use std::path::Path;

/// Processes above one that are looked at.
const MOST_GENERATIONS: usize = 64;

/// A process and its CPU time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Name of its program, or of the thread.
    pub name: String,
    /// One that has ended stays listed until its parent has asked how.
    pub lives: bool,
    /// Whether it has a processor, or waits for one.
    pub runs: bool,
    /// Number of the process that has started it, or has taken it over.
    pub parent: u32,
    /// CPU time, in ticks.
    pub ticks: u64,
    /// Tells a process from a later one with the same number.
    pub started: u64,
    /// Where it runs, or ran last.
    pub processor: Option<usize>,
}

impl Process {
    /// Each process below a root folder (`/`), by its number; those that cannot be read are left out.
    pub fn all(root: &Path) -> BTreeMap<u32, Self> {
        let names = fs::read_dir(root.join("proc")).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let ids = names.filter_map(|name| name.to_str()?.parse().ok());
        ids.filter_map(|id| Some((id, Self::read(root, id)?))).collect()
    }

    /// The process with this number; nothing where there is none.
    pub fn read(root: &Path, id: u32) -> Option<Self> {
        Self::at(root, &format!("proc/{id}/stat"))
    }

    /// Whether a process is a child of another, or of one that descends from it.
    pub fn descends(root: &Path, id: u32, from: u32) -> bool {
        let parent = |id: &u32| Self::read(root, *id).map(|process| process.parent);
        successors(parent(&id), parent).take(MOST_GENERATIONS).any(|above| above == from)
    }

    /// The process, or the thread of one, that such a file describes.
    pub fn at(root: &Path, path: &str) -> Option<Self> {
        parse(&String::from_utf8_lossy(&fs::read(root.join(path)).ok()?))
    }
}

/// A name may hold spaces and parentheses, so fields count from the last `)`.
fn parse(text: &str) -> Option<Process> {
    let (head, tail) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let state = *fields.first()?;
    Some(Process {
        name,
        lives: !matches!(state, "Z" | "X"),
        runs: state == "R",
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)?.saturating_add(number(12)?),
        started: number(19)?,
        processor: number(36).and_then(|number| usize::try_from(number).ok()),
    })
}

/// A folder that stands for `/` in tests.
#[cfg(test)]
pub(crate) mod planted {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Gone when dropped.
    pub struct Tree(PathBuf);

    impl Tree {
        pub fn new() -> Self {
            static MADE: AtomicU32 = AtomicU32::new(0);
            let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
            let folder = std::env::temp_dir().join(format!("benchbook-process-{process}-{number}"));
            fs::create_dir_all(&folder).expect("a temporary folder");
            Self(folder)
        }

        pub fn file(self, path: &str, text: &str) -> Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
            fs::write(path, text).expect("a file");
            self
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("it was made");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::planted::Tree;
    use super::*;

    #[test]
    fn who_has_started_whom_is_followed_up_to_the_first() {
        let stat = |parent: u32| format!("7 (a) S {parent}{} 7", " 0".repeat(17));
        let tree = [(10, 1), (11, 10), (12, 11), (13, 1), (14, 14)]
            .into_iter()
            .fold(Tree::new(), |tree, (id, parent)| tree.file(&format!("proc/{id}/stat"), &stat(parent)));
        let descends = |id: u32| Process::descends(tree.path(), id, 10);
        assert_eq!([12, 11, 10, 13, 14, 15].map(descends), [true, true, false, false, false, false]);
    }

    #[test]
    fn names_with_parentheses_and_short_lines() {
        let text = "7 (a) b (c) S 3 7 7 0 -1 4 0 0 0 0 11 22 0 0 20 0 1 0 99 5 6";
        let (name, processor) = ("a) b (c".into(), None);
        let wanted = Process { name, lives: true, runs: false, parent: 3, ticks: 33, started: 99, processor };
        assert_eq!(parse(text).as_ref(), Some(&wanted));
        let long = format!("{text}{} 11 0 0", " 0".repeat(14));
        assert_eq!(parse(&long), Some(Process { processor: Some(11), ..wanted.clone() }));
        assert_eq!(parse(&text.replace(" S ", " R ")), Some(Process { runs: true, ..wanted.clone() }));
        assert_eq!(parse(&text.replace(" S ", " Z ")), Some(Process { lives: false, ..wanted }));
        for broken in ["", "7", "7 (a)", "7 (a) S 3", "7 (a) S x 7 7 0 -1 4 0 0 0 0 11 22 0 0 20 0 1 0 99"] {
            assert_eq!(parse(broken), None, "{broken:?}");
        }
    }
}
