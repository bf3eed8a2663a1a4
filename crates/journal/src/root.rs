//! Small files below a root folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

/// Longest file that is read: `/proc/cpuinfo` of a thousand CPUs fits, a wrong tree does no harm.
const LONGEST_BYTES: u64 = 8 << 20;

/// A folder that stands for `/`; every path is relative to it.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a>(pub &'a Path);

impl Root<'_> {
    /// The text of a file without surrounding white space and NUL; nothing if absent or empty.
    pub fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let file = File::open(self.0.join(path)).ok()?;
        file.take(LONGEST_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The number that a file holds.
    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// The switch that a file holds: `1` or `0`, nothing for any other text.
    pub fn flag(&self, path: &str) -> Option<bool> {
        match self.text(path)?.as_str() {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        }
    }

    /// Whether a file or folder is there.
    pub fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    /// Names in a folder, sorted; none if it is absent.
    pub fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.0.join(path)) else {
            return Vec::new();
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_files_give_nothing_and_do_no_harm() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("a")).expect("a folder");
        fs::write(folder.path().join("a/empty"), " \n\0").expect("a file");
        fs::write(folder.path().join("a/bytes"), b"\xff7\n").expect("a file");
        fs::write(folder.path().join("a/maybe"), "2\n").expect("a file");
        let root = Root(folder.path());
        assert_eq!(root.text("a"), None, "a folder is no text");
        assert_eq!(root.text("a/absent"), None);
        assert_eq!(root.text("a/empty"), None);
        assert_eq!(root.number::<u64>("a/bytes"), None);
        assert_eq!(root.number::<u64>("a/maybe"), Some(2));
        assert_eq!(root.flag("a/maybe"), None);
        assert_eq!(root.names("a"), ["bytes", "empty", "maybe"]);
        assert!(root.names("a/empty").is_empty());
    }
}
