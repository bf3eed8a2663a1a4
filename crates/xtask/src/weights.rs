//! `data NAME` of a model: its weights, which are the largest files of some packages together, and what lies with them.

use crate::data::{checked, download_by_pip, unpack};
use saphyr::{LoadableYamlNode, Yaml};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::error::{Error, Named, Result};
use xtask::process;

/// The list, from the root.
pub const LIST: &str = "datasets/weights.yaml";

/// Digits of a checksum: all of them.
const DIGITS: usize = 64;

/// The weights of a model, as the list has them.
#[derive(Debug)]
pub struct Weights {
    pub name: String,
    pub what: String,
    pub licence: String,
    pub packages: Vec<String>,
    file: String,
    sha256: String,
    /// Names and checksums.
    beside: Vec<(String, String)>,
}

/// Downloads, checks and unpacks weights in `work`; gives the folder with what was taken, and a list of checksums.
pub fn bring(weights: &Weights, python: &Path, work: &Path) -> Result<PathBuf> {
    let taken = work.join("taken");
    fs::create_dir(&taken).named("make", &taken)?;
    let mut unpacked = Vec::new();
    for (place, package) in weights.packages.iter().enumerate() {
        let archives = work.join(place.to_string());
        fs::create_dir(&archives).named("make", &archives)?;
        download_by_pip(python, &archives, &["--only-binary=:all:".to_owned()], package)?;
        let to = work.join(format!("{place}-unpacked"));
        for archive in files_below(&archives)? {
            unpack(python, &archive, &to)?;
        }
        unpacked.push(to);
    }
    take(weights, &unpacked, &taken)?;
    checked(&taken.join(&weights.file), &weights.sha256)?;
    for (name, sha256) in &weights.beside {
        checked(&taken.join(name), sha256)?;
    }
    let mut sums = process::command("sha256sum");
    sums.current_dir(&taken).arg(&weights.file).args(weights.beside.iter().map(|(name, _)| name));
    let sums = process::output(&mut sums, "install coreutils")?;
    let list = taken.join("SHA256SUMS");
    fs::write(&list, format!("{sums}\n")).named("write", &list)?;
    Ok(taken)
}

/// Puts the largest files of the packages one behind the other, and what lies with them beside.
fn take(weights: &Weights, packages: &[PathBuf], taken: &Path) -> Result<()> {
    let absent = |package: &Path, problem: String| Error::Content { path: package.to_owned(), problem };
    let to = taken.join(&weights.file);
    let mut whole = fs::File::create(&to).named("make", &to)?;
    let mut all = Vec::new();
    for package in packages {
        let mut found = Vec::new();
        for path in files_below(package)? {
            let bytes = fs::metadata(&path).named("read", &path)?.len();
            found.push((bytes, path));
        }
        let largest = found.iter().max_by_key(|(bytes, _)| *bytes);
        let (_, path) = largest.ok_or_else(|| absent(package, "has no file".to_owned()))?;
        let mut part = fs::File::open(path).named("read", path)?;
        std::io::copy(&mut part, &mut whole).named("write", &to)?;
        all.extend(found.into_iter().map(|(_, path)| path));
    }
    for (name, _) in &weights.beside {
        let found = all.iter().find(|path| path.file_name().is_some_and(|own| own == name.as_str()));
        let from = found.ok_or_else(|| absent(Path::new(&weights.name), format!("no package has a file {name}")))?;
        let to = taken.join(name);
        fs::copy(from, &to).named("write", &to)?;
    }
    Ok(())
}

/// Every plain file below a folder, in the order of their paths.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).named("read", &folder)? {
            let entry = entry.named("read", &folder)?;
            let kind = entry.file_type().named("read", &folder)?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What the list says.
pub fn parse(text: &str) -> std::result::Result<Vec<Weights>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("is no YAML: {error}"))?;
    let all = documents.first().and_then(Yaml::as_sequence).ok_or("is no list")?;
    all.iter().map(one).collect()
}

fn one(entry: &Yaml<'_>) -> std::result::Result<Weights, String> {
    let maybe = |key: &str| entry.as_mapping_get(key).and_then(Yaml::as_str).map(str::to_owned);
    let name = maybe("name").ok_or("weights have no `name:`")?;
    let text = |key: &str| maybe(key).ok_or_else(|| format!("{name} has no text `{key}:`"));
    let list = |key: &str| {
        let words = entry.as_mapping_get(key).and_then(Yaml::as_sequence).into_iter().flatten();
        words.filter_map(|word| Some(word.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let mut beside = Vec::new();
    for (file, sum) in entry.as_mapping_get("beside").and_then(Yaml::as_mapping).into_iter().flatten() {
        let file = file.as_str().ok_or_else(|| format!("{name} has a file beside it without a name"))?;
        let sum = sum.as_str().ok_or_else(|| format!("{name} has no checksum of {file}"))?;
        beside.push((file.to_owned(), sum.to_owned()));
    }
    let weights = Weights {
        what: text("what")?,
        licence: text("licence")?,
        packages: list("packages"),
        file: text("file")?,
        sha256: text("sha256")?,
        beside,
        name: name.clone(),
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_whole = |sum: &String| sum.len() == DIGITS && sum.bytes().all(is_digit);
    if !weights.beside.iter().map(|(_, sum)| sum).chain([&weights.sha256]).all(is_whole) {
        return Err(format!("{name} has a checksum that is none of {DIGITS} digits"));
    }
    if weights.packages.is_empty() || !weights.packages.iter().all(|package| package.contains("==")) {
        return Err(format!("{name} comes from no package of one version"));
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../../datasets/weights.yaml");
    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// An entry, whose checksums are [`SUM`].
    fn whole() -> String {
        format!(
            "- {{name: a, what: b, licence: c, packages: [d==1], file: m, sha256: {SUM}, beside: {{t.json: {SUM}}}}}"
        )
    }

    #[test]
    fn our_own_list_is_read_and_its_models_are_described() {
        let all = parse(OURS).expect("a list");
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["smollm2-135m", "minilm-l6", "whisper-base"]);
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/models");
        assert!(names.iter().all(|name| models.join(format!("{name}.toml")).is_file()));
    }

    #[test]
    fn a_broken_list_says_where() {
        assert_eq!(parse(&whole()).expect("a list")[0].beside, [("t.json".to_owned(), SUM.to_owned())]);
        for (from, to, part) in [
            ("- {name: a", "- {nam: a", "name"),
            ("file: m, ", "", "a has no text `file:`"),
            ("sha256: ba78", "sha256: 78", "a has a checksum that is none of 64"),
            ("sha256: ba78", "sha256: ga78", "a has a checksum that is none of 64"),
            ("t.json: ba78", "t.json: 78", "a has a checksum that is none of 64"),
            ("t.json: ba78", "t.json: 'x', u.json: ba78", "a has a checksum that is none of 64"),
            ("[d==1]", "[d]", "of one version"),
            ("[d==1]", "[]", "from no package"),
            ("}}", "}", "YAML"),
        ] {
            let message = parse(&whole().replace(from, to)).expect_err(to);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn the_largest_files_are_put_together_in_the_order_of_packages() {
        let folder = std::env::temp_dir().join(format!("benchbook-weights-{}", std::process::id()));
        let packages = ["2", "1"].map(|name| folder.join(name));
        let taken = folder.join("taken");
        for folder in [packages[0].join("deep/er"), packages[1].clone(), taken.clone()] {
            fs::create_dir_all(&folder).expect("a folder");
        }
        let files = [("2/deep/er/part", "weights "), ("2/small", "x"), ("1/other", "go on"), ("1/t.json", "{}")];
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a file");
        }
        let mut weights = parse(&whole()).expect("a list").remove(0);
        take(&weights, &packages, &taken).expect("taken");
        assert_eq!(fs::read_to_string(taken.join("m")).expect("a file"), "weights go on");
        assert_eq!(fs::read_to_string(taken.join("t.json")).expect("a file"), "{}");
        weights.beside = vec![("u.json".to_owned(), SUM.to_owned())];
        let message = take(&weights, &packages, &taken).expect_err("absent").to_string();
        assert!(message.contains("no package has a file u.json"), "{message}");
        let empty = folder.join("none");
        fs::create_dir(&empty).expect("a folder");
        let message = take(&weights, &[empty], &taken).expect_err("empty").to_string();
        assert!(message.contains("has no file"), "{message}");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
