//! How the measured code was built, and from which commit.

use super::finding::{Area, Finding, Level};
use crate::environment::Git;

const REMEDY: &str = "cargo build --release --package benchbook-worker";

pub(super) fn findings(profile: &str, debug_assertions: bool) -> Vec<Finding> {
    if debug_assertions {
        return vec![
            Finding::new(
                Area::Build,
                Level::Problem,
                format!("the worker has debug assertions (profile {profile}): its times are worthless"),
            )
            .remedy(REMEDY),
        ];
    }
    if profile != "release" {
        return vec![
            Finding::new(
                Area::Build,
                Level::Warning,
                format!("the worker was built with profile {profile}: its times compare only with their like"),
            )
            .remedy(REMEDY),
        ];
    }
    vec![Finding::new(Area::Build, Level::Good, "the worker is optimised (profile release)")]
}

/// Nothing if git is missing: that is a finding about tools.
pub(super) fn commit(git: &Git) -> Option<Finding> {
    let Some(commit) = &git.commit else {
        let reason = git.reason.as_deref().filter(|_| git.installed == Some(true))?;
        let remedy = if reason.contains("no commit yet") {
            "git add --all && git commit"
        } else if reason.contains("not inside") {
            "start benchbook inside the clone whose code is measured"
        } else {
            "`git status` in this folder tells what to do"
        };
        let text = format!("runs will not name a commit: {reason}");
        return Some(Finding::new(Area::Source, Level::Note, text).remedy(remedy));
    };
    let short: String = commit.chars().take(10).collect();
    Some(match git.dirty {
        Some(true) => Finding::new(
            Area::Source,
            Level::Note,
            format!("tracked files differ from commit {short}: runs are marked as dirty"),
        )
        .remedy("git commit --all"),
        _ => Finding::new(Area::Source, Level::Good, format!("commit {short}, nothing changed")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_optimised_worker_is_good() {
        for (profile, assertions, level) in [
            ("release", false, Level::Good),
            ("release", true, Level::Problem),
            ("debug", true, Level::Problem),
            ("profiling", false, Level::Warning),
        ] {
            let found = findings(profile, assertions);
            assert_eq!(found[0].level, level, "{profile}");
            assert_eq!(found[0].remedy.is_none(), level == Level::Good);
        }
    }

    #[test]
    fn commits() {
        let git = |commit: Option<&str>, dirty, installed, reason: Option<&str>| Git {
            commit: commit.map(str::to_owned),
            dirty,
            installed,
            reason: reason.map(str::to_owned),
        };
        for (git, level) in [
            (git(Some("89b1c0d3b3f0f3"), Some(false), Some(true), None), Some(Level::Good)),
            (git(Some("89b1"), Some(true), Some(true), None), Some(Level::Note)),
            (git(None, None, Some(true), Some("not inside a git repository")), Some(Level::Note)),
            (git(None, None, Some(true), Some("fatal: detected dubious ownership")), Some(Level::Note)),
            (git(None, None, Some(false), Some("missing")), None),
            (Git::default(), None),
        ] {
            assert_eq!(commit(&git).map(|finding| finding.level), level, "{git:?}");
        }
    }
}
