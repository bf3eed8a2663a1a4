//! Programs that benchbook calls.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::finding::{Area, Finding, Level};
use crate::environment::Git;

/// The first of some programs that stands in a search path (`PATH`) and may be started.
#[must_use]
pub fn find_program(names: &[&str], path: &OsStr) -> Option<PathBuf> {
    names.iter().find_map(|name| {
        std::env::split_paths(path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
    })
}

pub(super) fn findings(git: &Git, browser: Option<&Path>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if git.installed == Some(false) {
        let reason = git.reason.as_deref().unwrap_or("git is missing");
        findings.push(
            Finding::new(Area::Tools, Level::Note, format!("runs will not name a commit: {reason}"))
                .remedy("sudo apt-get install git"),
        );
    }
    findings.push(match browser {
        Some(path) => Finding::new(
            Area::Tools,
            Level::Good,
            format!("{} draws charts as PNG and SVG", path.file_name().unwrap_or(path.as_os_str()).display()),
        ),
        None => Finding::new(
            Area::Tools,
            Level::Note,
            "no Chromium: charts cannot be written as PNG or SVG (HTML and JSON can)",
        )
        .remedy("sudo apt-get install chromium"),
    });
    findings
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn programs_are_files_that_may_be_started() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir_all(a.join("chromium")).expect("a folder named like a program");
        fs::create_dir(&b).expect("a folder");
        fs::write(a.join("chrome"), "").expect("a file that may not be started");
        fs::write(b.join("chrome"), "").expect("a file");
        fs::set_permissions(b.join("chrome"), fs::Permissions::from_mode(0o755)).expect("permissions");
        let path = std::env::join_paths([&a, &b]).expect("a search path");
        assert_eq!(find_program(&["chromium", "chrome"], &path), Some(b.join("chrome")));
        assert_eq!(find_program(&["chromium"], &path), None);
        assert_eq!(find_program(&[], &path), None);
        assert_eq!(find_program(&["chrome"], OsStr::new("")), None);
    }

    #[test]
    fn missing_programs_come_with_their_package() {
        let absent = Git { installed: Some(false), ..Git::default() };
        let found = findings(&absent, None);
        let remedies: Vec<_> = found.iter().filter_map(|finding| finding.remedy.as_deref()).collect();
        assert_eq!(remedies, ["sudo apt-get install git", "sudo apt-get install chromium"]);
        let found = findings(&Git::default(), Some(Path::new("/usr/bin/chromium")));
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("chromium draws"));
    }
}
