//! Small repositories with a worker in them, for tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use benchbook_process::git;
use tempfile::TempDir;

use super::build::Workshop;

/// A repository, a folder of workers and a build folder, all temporary.
pub struct Planted {
    pub folder: TempDir,
    pub interrupted: AtomicBool,
}

impl Planted {
    /// A workspace whose worker prints the number that its library gives, committed with the number 1.
    pub fn new() -> Self {
        let planted = Self::empty();
        planted.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"worker\", \"library\"]\n");
        planted.write("library/Cargo.toml", "[package]\nname = \"library\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        planted.write(
            "worker/Cargo.toml",
            "[package]\nname = \"benchbook-worker\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [dependencies]\nlibrary = { path = \"../library\" }\n",
        );
        planted.write("worker/src/main.rs", "fn main() { println!(\"{}\", library::number(Some(())).0) }\n");
        planted.number(1);
        planted.commit("one");
        planted
    }

    /// A repository with one commit and no Rust in it.
    pub fn empty() -> Self {
        let planted =
            Self { folder: tempfile::tempdir().expect("a temporary folder"), interrupted: AtomicBool::new(false) };
        std::fs::create_dir(planted.repository()).expect("a folder");
        planted.git(&["init", "--quiet", "--initial-branch", "main"]);
        planted.write(".gitignore", "target\n.cargo/libtorch.toml\n");
        planted.commit("nothing yet");
        planted
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Gives the worker another number to print; an unwrap puts the path of the file into the program.
    pub fn number(&self, number: u32) {
        let text = format!("pub fn number(a: Option<()>) -> (u32, ()) {{ ({number}, a.unwrap()) }}\n");
        self.write("library/src/lib.rs", &text);
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = git("git", &self.repository())
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .output()
            .expect("git");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Hands a workshop to `work`, with a build folder that no real build shares.
    pub fn workshop<T>(&self, work: impl FnOnce(&Workshop<'_>) -> T) -> T {
        let (repository, cache) = (self.repository(), self.cache());
        work(&Workshop {
            repository: &repository,
            cache: &cache,
            build_folder: Some(repository.join("target")),
            arguments: Vec::new(),
            interrupted: &self.interrupted,
        })
    }
}

/// What a worker prints.
pub fn printed(worker: &Path) -> String {
    let output = Command::new(worker).output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
