//! Driving the real programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder with a store, and the programs that use it.
pub struct Bench {
    folder: TempDir,
    worker: PathBuf,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// The program called `name`, beside the tests' own programs.
///
/// # Panics
/// If it has not been built: `cargo build --release` makes it.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("tests lie in deps/");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --release` or `cargo xtask test`", path.display());
    path
}

impl Bench {
    /// A store to come, and the project's own kernels.
    pub fn new() -> Self {
        Self::with_worker("benchbook-worker")
    }

    /// A store to come, and the faulty kernels.
    pub fn faulty() -> Self {
        Self::with_worker("faulty-worker")
    }

    /// A store to come, and kernels of a build that speaks protocol 2.
    pub fn old() -> Self {
        Self::with_worker("old-worker")
    }

    fn with_worker(name: &str) -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), worker: program(name) }
    }

    /// The folder that commands run in; the store is `results` in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.folder().join("results")
    }

    /// `benchbook` with these words, ready to start.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("benchbook"));
        command.args(words).current_dir(self.folder()).env("BENCHBOOK_WORKER", &self.worker);
        // What one test keeps no other knows, and nothing stays behind.
        command.env("XDG_CACHE_HOME", self.folder().join("cache"));
        // Tests run beside each other: what disturbs samples is tested by itself.
        command.env("BENCHBOOK_KEEP_DISTURBED", "1");
        command.env_remove("BENCHBOOK_STORE").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `benchbook` with these words to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(&self, words: &[&str]) -> Ran {
        let output = self.command(words).output().expect("benchbook starts");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs `benchbook`, which must end well; gives what it printed.
    ///
    /// # Panics
    /// If it does not.
    pub fn ok(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(0), "benchbook {words:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// The rows that a statement gives, as JSON objects.
    ///
    /// # Panics
    /// If the statement fails.
    pub fn sql(&self, statement: &str) -> Vec<serde_json::Value> {
        let text = self.ok(&["sql", "--format", "json", statement]);
        serde_json::from_str(&text).expect("JSON rows")
    }

    /// Runs `benchbook`, which must fail with this code and say each of these parts.
    ///
    /// # Panics
    /// If it does not.
    pub fn fails(&self, words: &[&str], code: i32, parts: &[&str]) {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "benchbook {words:?}\n{}\n{}", ran.stdout, ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "benchbook {words:?} does not say `{part}`:\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked at"), "benchbook {words:?} panicked:\n{}", ran.stderr);
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}
