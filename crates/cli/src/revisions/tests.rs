//! Revisions of small repositories, named and built.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use benchbook_process::git;

use super::error::{Result, RevisionError};
use super::planted::{Planted, printed};
use super::revision::{Revision, Source};

fn resolve(planted: &Planted, name: Option<&str>) -> Result<Revision> {
    Revision::resolve(&planted.repository(), name)
}

fn worker(planted: &Planted, name: Option<&str>) -> Result<PathBuf> {
    let revision = resolve(planted, name)?;
    planted.workshop(|workshop| workshop.worker_of(&revision, &mut |_| ()))
}

/// No worktree is left, in the folder or in git's notes.
fn tidy(planted: &Planted) -> bool {
    !planted.cache().join("source").exists() && planted.git(&["worktree", "list"]).lines().count() == 1
}

#[test]
fn names_mean_commits() {
    let planted = Planted::empty();
    let first = planted.git(&["rev-parse", "HEAD"]);
    planted.write("a", "1");
    planted.commit("second");
    planted.git(&["tag", "v1", "HEAD~1"]);
    planted.git(&["tag", "--annotate", "v2", "--message", "two", "HEAD~1"]);
    planted.git(&["branch", "other", "HEAD~1"]);
    for name in ["v1", "v2", "other", "HEAD~1", &first, &first[..8]] {
        let revision = resolve(&planted, Some(name)).expect(name);
        assert_eq!((&revision.commit, revision.source), (&first, Source::Commit), "{name}");
        assert!(first.starts_with(&revision.label) && revision.label.len() < 20, "{}", revision.label);
    }
    let inside = planted.repository().join("below");
    std::fs::create_dir(&inside).expect("a folder");
    assert_eq!(Revision::resolve(&inside, Some("v1")).expect("below the top").commit, first);
}

#[test]
fn names_that_mean_nothing_say_what_to_do() {
    let planted = Planted::empty();
    planted.git(&["update-ref", "refs/remotes/origin/feature", "HEAD"]);
    let message = |name: &str| match resolve(&planted, Some(name)) {
        Err(error @ RevisionError::Unknown { .. }) => error.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    assert!(message("nonesuch").contains("git fetch"), "{}", message("nonesuch"));
    assert!(message("feature").contains("write origin/feature"), "{}", message("feature"));
    for name in ["", "-h", "--all", "HEAD..main", "HEAD^{tree}", "a b", "0000000000000000000000000000000000000000"] {
        message(name);
    }
    planted.git(&["tag", "main"]);
    planted.write("a", "1");
    planted.commit("the branch goes on, the tag stays");
    let ambiguous = resolve(&planted, Some("main"));
    assert!(matches!(&ambiguous, Err(RevisionError::Ambiguous { .. })), "{ambiguous:?}");
    assert!(resolve(&planted, Some("refs/heads/main")).is_ok());

    let shallow = planted.folder.path().join("shallow");
    let from = format!("file://{}", planted.repository().display());
    let mut clone = git("git", planted.folder.path());
    clone.args(["clone", "--quiet", "--depth", "1", "--branch", "main", &from]).arg(&shallow);
    assert!(clone.output().expect("git").status.success());
    let error = Revision::resolve(&shallow, Some("HEAD~1")).expect_err("not fetched").to_string();
    assert!(error.contains("fetch-depth: 0"), "{error}");
}

#[test]
fn without_a_repository_or_a_commit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for place in [folder.path().to_owned(), folder.path().join("absent")] {
        let error = Revision::resolve(&place, None);
        assert!(matches!(&error, Err(RevisionError::NoRepository { .. })), "{error:?}");
    }
    let init = git("git", folder.path()).args(["init", "--quiet"]).output();
    assert!(init.expect("git").status.success());
    let error = Revision::resolve(folder.path(), None).expect_err("no commit").to_string();
    assert!(error.contains("no commit yet"), "{error}");
}

#[test]
fn another_projects_repository_says_what_to_use_instead() {
    let planted = Planted::empty();
    planted.write("Cargo.toml", "[package]\nname = \"theirs\"\nversion = \"0.1.0\"\n");
    planted.commit("another project");
    let check = |name| resolve(&planted, name).expect("a revision").check_project(&planted.repository());
    for name in [None, Some("HEAD~1")] {
        let error = check(name).expect_err("foreign").to_string();
        for part in ["revisions of benchbook itself", "benchbook::worker_main", "BENCHBOOK_WORKER", "benchbook run"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    planted.write("worker/Cargo.toml", "[package]\nname = 'benchbook-worker'\n");
    check(None).expect("in the work tree, not yet committed");
    planted.commit("ours");
    check(Some("HEAD~1")).expect("of before the worker, in our repository");
}

#[test]
fn the_work_tree_is_its_commit_unless_something_changed() {
    let planted = Planted::empty();
    planted.write("a", "1");
    planted.commit("second");
    let head = planted.git(&["rev-parse", "HEAD"]);
    let clean = resolve(&planted, None).expect("clean");
    assert_eq!((&clean.commit, &clean.source), (&head, &Source::Commit));
    planted.write("target/ignored", "1");
    assert_eq!(resolve(&planted, None).expect("ignored files do not count"), clean);
    let status = || planted.git(&["status", "--porcelain"]);
    for change in ["untracked", "a"] {
        planted.write(change, "2");
        let before = status();
        let dirty = resolve(&planted, None).expect("dirty");
        assert_eq!((&dirty.commit, dirty.label.clone()), (&head, format!("{}+dirty", clean.label)));
        let Source::WorkTree { snapshot } = &dirty.source else { panic!("{dirty:?}") };
        assert_eq!(planted.git(&["show", &format!("{snapshot}:{change}")]), "2");
        assert_eq!(resolve(&planted, None).expect("the same again"), dirty);
        assert_eq!(status(), before, "the user's index is as it was");
    }
}

#[test]
fn a_change_of_the_same_length_right_after_a_commit_is_seen() {
    let planted = Planted::empty();
    for round in 0..20 {
        planted.write("a", &format!("{round:02} old"));
        planted.commit("old");
        planted.write("a", &format!("{round:02} new"));
        assert!(resolve(&planted, None).expect("dirty").label.ends_with("+dirty"), "{round}");
    }
}

#[test]
fn each_revision_has_its_own_worker_and_the_users_build_keeps_its_own() {
    let planted = Planted::new();
    planted.number(2);
    planted.commit("two");
    planted.number(3);
    // The build of the user: all of its files are older than the worktrees to come.
    let own = || {
        let mut command = Command::new("cargo");
        command.args(["build", "--quiet", "--release"]).current_dir(planted.repository());
        command.env("CARGO_TARGET_DIR", planted.repository().join("target")).env("CARGO_INCREMENTAL", "0");
        assert!(command.status().expect("cargo").success());
        printed(&planted.repository().join("target/release/benchbook-worker"))
    };
    assert_eq!(own(), "3");
    let one = worker(&planted, Some("HEAD~1")).expect("one");
    assert_eq!(printed(&planted.repository().join("target/release/benchbook-worker")), "3");
    let two = worker(&planted, Some("HEAD")).expect("two");
    let three = worker(&planted, None).expect("the work tree");
    assert_eq!([&one, &two, &three].map(|path| printed(path)), ["1", "2", "3"]);
    assert_eq!(own(), "3");
    assert!(tidy(&planted));
    let name = three.parent().and_then(|folder| folder.file_name()).expect("a folder").to_string_lossy().into_owned();
    assert!(name.starts_with("worktree-"), "{name}");
    planted.commit("three, the same files");
    let committed = worker(&planted, Some("HEAD")).expect("three");
    assert_ne!(committed, three);
    let bytes = |path: &PathBuf| std::fs::read(path).expect("a program");
    assert!(bytes(&committed) == bytes(&three), "equal sources make equal programs");
}

#[test]
fn what_cargo_takes_for_unchanged_is_refused() {
    let planted = Planted::new();
    planted.number(2);
    planted.commit("two");
    worker(&planted, Some("HEAD")).expect("built");
    // As a clock that was set back leaves it: what was built is newer than every file to come.
    let later = SystemTime::now() + Duration::from_secs(3600);
    let mut folders = vec![planted.repository().join("target/release/.fingerprint")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                File::options().write(true).open(path).and_then(|file| file.set_modified(later)).expect("a file");
            }
        }
    }
    let refused = worker(&planted, Some("HEAD~1"));
    assert!(matches!(refused, Err(RevisionError::Stale { .. })), "{refused:?}");
}

#[test]
fn a_worker_that_is_kept_is_used() {
    let planted = Planted::new();
    let first = worker(&planted, Some("HEAD")).expect("built");
    std::fs::write(&first, "kept").expect("a file");
    assert_eq!(worker(&planted, Some("main")).expect("kept"), first);
    assert_eq!(std::fs::read_to_string(&first).expect("the file"), "kept");
}

#[test]
fn a_revision_that_does_not_build_shows_the_error() {
    let planted = Planted::new();
    planted.write("library/src/lib.rs", "pub fn number() -> u32 { \"text\" }\n");
    let error = worker(&planted, None).expect_err("it does not build");
    let text = error.to_string();
    assert!(matches!(error, RevisionError::DoesNotBuild { .. }), "{text}");
    assert!(text.contains("+dirty") && text.contains("error[E0308]") && text.contains("src/lib.rs:1"), "{text}");
    planted.write("Cargo.toml", "[workspace\n");
    assert!(matches!(worker(&planted, None), Err(RevisionError::DoesNotBuild { .. })));
    assert!(tidy(&planted));
    planted.git(&["checkout", "--quiet", "--", "."]);
    assert_eq!(printed(&worker(&planted, None).expect("good again")), "1");
}

#[test]
fn a_revision_from_before_the_worker_says_so() {
    let planted = Planted::new();
    let none = |name| matches!(worker(&planted, name), Err(RevisionError::NoWorkerPackage { .. }));
    assert!(none(Some("HEAD~1")), "no Cargo.toml");
    planted.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"library\"]\nexclude = [\"worker\"]\n");
    assert!(none(None), "no such package");
    assert!(tidy(&planted));
}

#[test]
fn what_an_ended_gate_left_is_no_obstacle() {
    let planted = Planted::new();
    let source = planted.cache().join("source");
    std::fs::create_dir_all(planted.cache()).expect("a folder");
    planted.git(&["worktree", "add", "--quiet", "--detach", &source.display().to_string(), "HEAD~1"]);
    planted.git(&["worktree", "lock", &source.display().to_string()]);
    assert_eq!(printed(&worker(&planted, Some("HEAD")).expect("built")), "1");
    assert!(tidy(&planted));
}

#[test]
fn the_repositorys_libtorch_is_used_without_being_part_of_it() {
    let planted = Planted::new();
    planted.write(".cargo/config.toml", "include = [{ path = \"libtorch.toml\", optional = true }]\n");
    planted.write("worker/src/main.rs", "fn main() { println!(\"{}\", env!(\"LIBTORCH_HERE\")) }\n");
    planted.commit("needs a place");
    planted.write(".cargo/libtorch.toml", "[env]\nLIBTORCH_HERE = \"/a/place\"\n");
    assert_eq!(printed(&worker(&planted, Some("HEAD")).expect("built")), "/a/place");
}

#[test]
fn links_of_a_revision_lead_nobody_out_of_its_worktree() {
    let planted = Planted::new();
    let outside = planted.folder.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(outside.join(to), planted.repository().join(at));
    link("", ".cargo").expect("a link");
    planted.commit("its folder is a link");
    std::fs::remove_file(planted.repository().join(".cargo")).expect("the link");
    std::fs::create_dir(planted.repository().join(".cargo")).expect("a folder");
    link("absent.toml", ".cargo/libtorch.toml").expect("a link");
    planted.git(&["add", "--force", ".cargo/libtorch.toml"]);
    planted.commit("its note is a link to nothing");
    std::fs::remove_file(planted.repository().join(".cargo/libtorch.toml")).expect("the link");
    planted.write(".cargo/libtorch.toml", "[env]\n");
    let refused = worker(&planted, Some("HEAD~1"));
    assert!(matches!(refused, Err(RevisionError::NoPlaceForLibtorch { .. })), "{refused:?}");
    assert_eq!(printed(&worker(&planted, Some("HEAD")).expect("built")), "1");
    assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0, "nothing was written there");
    assert!(tidy(&planted));
}

#[test]
fn two_at_once_wait_for_each_other() {
    let planted = Planted::new();
    planted.number(2);
    planted.commit("two");
    let names = ["HEAD", "HEAD~1", "HEAD"];
    let numbers = std::thread::scope(|scope| {
        let threads = names.map(|name| scope.spawn(|| printed(&worker(&planted, Some(name)).expect(name))));
        threads.map(|thread| thread.join().expect("no panic"))
    });
    assert_eq!(numbers, ["2", "1", "2"]);
    assert!(tidy(&planted));
}

#[test]
fn an_interrupt_ends_a_build_and_leaves_nothing() {
    let planted = Planted::new();
    planted.write("library/build.rs", "fn main() { std::thread::sleep(std::time::Duration::from_secs(300)) }\n");
    let revision = resolve(&planted, None).expect("a work tree");
    let ended = planted.workshop(|workshop| {
        workshop.worker_of(&revision, &mut |line| {
            planted.interrupted.store(line.contains("Compiling"), Ordering::Relaxed);
        })
    });
    assert!(matches!(ended, Err(RevisionError::Interrupted)), "{ended:?}");
    assert!(tidy(&planted));
}

#[test]
fn workers_do_not_lie_inside_the_repository() {
    let planted = Planted::new();
    let revision = resolve(&planted, None).expect("a work tree");
    let inside = planted.repository().join("target/gate");
    let refused = planted.workshop(|workshop| {
        super::build::Workshop { cache: &inside, ..with(workshop) }.worker_of(&revision, &mut |_| ())
    });
    assert!(matches!(refused, Err(RevisionError::CacheInside { .. })), "{refused:?}");
}

/// A copy of a workshop.
fn with<'a>(workshop: &super::build::Workshop<'a>) -> super::build::Workshop<'a> {
    super::build::Workshop {
        build_folder: workshop.build_folder.clone(),
        arguments: workshop.arguments.clone(),
        ..*workshop
    }
}

#[test]
fn nothing_of_a_hook_is_handed_down_to_git() {
    let command = git("git", Path::new("."));
    let removed: Vec<&OsStr> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"] {
        assert!(removed.contains(&OsStr::new(name)), "{name}: {removed:?}");
    }
}
