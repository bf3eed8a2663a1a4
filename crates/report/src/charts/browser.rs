//! A headless Chromium, found by name, run in a profile of its own, and killed if it takes too long.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use benchbook_process::{is_program, output};

use super::error::{Error, Result};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const VARIABLE: &str = "BENCHBOOK_BROWSER";
const LIMIT: Duration = Duration::from_secs(60);
/// How much of what a failed browser printed goes into the error, in characters.
const TAIL: usize = 600;

const FLAGS: [&str; 11] = [
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    // No name resolves: a page that is not self-contained fails here as it would offline.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    // Scripts get this much virtual time; it passes as fast as they finish.
    "--virtual-time-budget=20000",
];

/// A Chromium-like browser that draws pages without a screen.
#[derive(Debug, Clone)]
pub struct Browser {
    program: PathBuf,
    limit: Duration,
}

impl Browser {
    /// The browser named in `BENCHBOOK_BROWSER` (a path or a name), else the first of `chromium`, `chromium-browser`, `google-chrome`
    /// and `google-chrome-stable` on `PATH`. It may take 60 s for one page.
    ///
    /// # Errors
    /// [`Error::NoBrowser`], with the remedy.
    pub fn find() -> Result<Self> {
        Self::find_in(std::env::var_os(VARIABLE), std::env::var_os("PATH"))
    }

    fn find_in(asked: Option<OsString>, path: Option<OsString>) -> Result<Self> {
        let path = path.unwrap_or_default();
        let asked = asked.filter(|name| !name.is_empty());
        let found = match &asked {
            Some(name) => on_path(name, &path),
            None => NAMES.iter().find_map(|name| on_path(OsStr::new(name), &path)),
        };
        let looked_for =
            || asked.as_ref().map_or_else(|| NAMES.join(", "), |name| format!("{VARIABLE}={}", name.display()));
        found.map(Self::at).ok_or_else(|| Error::NoBrowser { looked_for: looked_for() })
    }

    /// The browser at this path, which is not looked at until it is used.
    #[must_use]
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), limit: LIMIT }
    }

    /// The same browser under another time limit for one page.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The program that is run.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The DOM of a local page after its scripts have run, as HTML. Nothing is loaded from the network.
    ///
    /// # Errors
    /// The page or the browser is not there, the browser fails, or it takes longer than its limit (it is then killed).
    pub fn dom(&self, page: &Path) -> Result<String> {
        let printed = self.run(page, &["--dump-dom".into()])?;
        if printed.trim().is_empty() {
            return Err(self.failed("an empty page", String::new()));
        }
        Ok(printed)
    }

    /// A PNG of the top left `width_px` × `height_px` CSS pixels of a local page on white, two device pixels to each.
    pub(crate) fn screenshot(&self, page: &Path, width_px: u32, height_px: u32) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("picture.png");
        let mut to = OsString::from("--screenshot=");
        to.push(&file);
        let size = format!("--window-size={width_px},{height_px}");
        let printed = self.run(page, &[to, size.into(), "--force-device-scale-factor=2".into()])?;
        match std::fs::read(&file) {
            Ok(png) if png.starts_with(b"\x89PNG") => Ok(png),
            _ => Err(self.failed("no PNG", printed)),
        }
    }

    pub(crate) fn failed(&self, status: &str, output: String) -> Error {
        let skip = output.chars().count().saturating_sub(TAIL);
        let output = output.trim_end().chars().skip(skip).collect();
        Error::BrowserFailed { program: self.program.clone(), status: status.to_owned(), output }
    }

    /// Runs the browser on a page to its end; gives what it printed on standard output.
    fn run(&self, page: &Path, arguments: &[OsString]) -> Result<String> {
        let page = page.canonicalize()?;
        let profile = tempfile::tempdir()?;
        let mut data = OsString::from("--user-data-dir=");
        data.push(profile.path().join("profile"));
        let mut command = Command::new(&self.program);
        command.args(FLAGS).args(sandbox(of_root(profile.path())?)).arg(data).args(arguments).arg(file_url(&page));
        let output = output(&mut command, self.limit).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => Error::BrowserTimedOut { program: self.program.clone(), limit: self.limit },
            _ => self.failed("it did not start", error.to_string()),
        })?;
        if !output.status.success() {
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(self.failed(&output.status.to_string(), printed));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Chromium has no sandbox for root, and starts there only without; everyone else keeps it.
fn sandbox(root: bool) -> Option<&'static str> {
    root.then_some("--no-sandbox")
}

/// Whether whoever has just made this folder is root.
fn of_root(folder: &Path) -> std::io::Result<bool> {
    Ok(folder.metadata()?.uid() == 0)
}

/// The file of a program: a path as it stands, a bare name as `PATH` has it.
fn on_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let direct = Path::new(name);
    if direct.components().count() > 1 {
        return is_program(direct).then(|| direct.to_owned());
    }
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// A `file:` URL of an absolute path, whatever characters it has.
fn file_url(page: &Path) -> String {
    let mut url = String::from("file://");
    for byte in page.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_absent_browser_is_an_error_with_the_remedy() {
        let empty = tempfile::tempdir().expect("a temporary folder");
        let error = Browser::find_in(None, Some(empty.path().into())).expect_err("nothing is there");
        let told = error.to_string();
        assert!(matches!(error, Error::NoBrowser { .. }));
        assert!(
            told.contains("chromium-browser") && told.contains("apt-get install chromium") && told.contains(VARIABLE),
            "{told}"
        );
        let named =
            Browser::find_in(Some("no-such-browser".into()), Some(empty.path().into())).expect_err("not there either");
        assert!(named.to_string().contains("BENCHBOOK_BROWSER=no-such-browser"), "{named}");
    }

    #[test]
    fn the_variable_goes_before_the_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, mode) in [("chromium", 0o755), ("mine", 0o755), ("google-chrome", 0o644)] {
            let file = folder.path().join(name);
            std::fs::write(&file, "#!/bin/sh\n").expect("writable");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("ours");
        }
        let path = Some(OsString::from(folder.path()));
        let found =
            |asked: Option<OsString>| Browser::find_in(asked, path.clone()).ok().map(|b| b.program().to_owned());
        assert_eq!(found(None), Some(folder.path().join("chromium")));
        assert_eq!(found(Some("mine".into())), Some(folder.path().join("mine")));
        assert_eq!(found(Some(folder.path().join("mine").into())), Some(folder.path().join("mine")));
        assert_eq!(found(Some("google-chrome".into())), None, "a file that may not be run is no browser");
        assert_eq!(found(Some("".into())), Some(folder.path().join("chromium")));
    }

    #[test]
    fn only_root_goes_without_the_sandbox() {
        assert_eq!([false, true].map(sandbox), [None, Some("--no-sandbox")]);
        assert!(!FLAGS.iter().any(|flag| flag.contains("sandbox")));
    }

    #[test]
    fn the_browser_is_told_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let page = folder.path().join("page.html");
        std::fs::write(&page, "").expect("writable");
        // It prints what it is called with.
        let told = Browser::at("/bin/echo").dom(&page).expect("words");
        let root = folder.path().metadata().expect("ours").uid() == 0;
        assert_eq!(told.contains("--no-sandbox"), root, "{told}");
    }

    #[test]
    fn any_path_becomes_a_url() {
        assert_eq!(file_url(Path::new("/tmp/a b#c?é%.html")), "file:///tmp/a%20b%23c%3F%C3%A9%25.html");
    }
}
