//! Real weights, read from where `cargo xtask data` has put them. Nothing is read that is not byte for byte what was brought;
//! without the weights everything else works.

use std::fs;
use std::path::{Path, PathBuf};

use crate::catalogue::named;
use crate::error::{Error, Result};
use crate::tokenizer::{Bpe, WordPiece};
use crate::weights::{Ctranslate2, Gguf, Safetensors, sha256_of};

/// Where weights lie: `$XDG_CACHE_HOME/benchbook/weights` (`~/.cache` where that is not set); none where no folder is named.
pub fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("benchbook/weights"))
}

/// The models whose real weights can be brought, by the names of their descriptions.
pub const NAMES: [&str; 3] = [SMOLLM2, MINILM, WHISPER];

/// The list of checksums with which a model was brought.
const SUMS: &str = "SHA256SUMS";

pub(crate) const SMOLLM2: &str = "smollm2-135m";
pub(crate) const MINILM: &str = "minilm-l6";
pub(crate) const WHISPER: &str = "whisper-base";

/// SmolLM2-135M-Instruct and its tokenizer. Its weights were dequantised from Q4_1, the embedding from Q8_0: a scheme on the same
/// grid looks better on them than it is.
///
/// # Errors
/// It was not brought, or is not as it was.
pub fn smollm2(weights: &Path) -> Result<(Gguf, Bpe)> {
    let file = Gguf::of(read(weights, SMOLLM2, "model.gguf")?)?;
    let tokenizer = file.tokenizer()?;
    tokenizer.fits(named(SMOLLM2)?.text.vocabulary)?;
    Ok((file, tokenizer))
}

/// all-MiniLM-L6-v2 in `f32`, and its tokenizer.
///
/// # Errors
/// As of [`smollm2`].
pub fn minilm(weights: &Path) -> Result<(Safetensors, WordPiece)> {
    let file = Safetensors::of(read(weights, MINILM, "model.safetensors")?)?;
    let tokenizer = WordPiece::of_json(&read(weights, MINILM, "tokenizer.json")?)?;
    tokenizer.fits(named(MINILM)?.text.vocabulary)?;
    Ok((file, tokenizer))
}

/// Whisper base in `f16`, and its tokenizer.
///
/// # Errors
/// As of [`smollm2`].
pub fn whisper(weights: &Path) -> Result<(Ctranslate2, Bpe)> {
    let file = Ctranslate2::of(read(weights, WHISPER, "model.bin")?)?;
    let tokenizer = Bpe::of_json(&read(weights, WHISPER, "tokenizer.json")?)?;
    tokenizer.fits(named(WHISPER)?.text.vocabulary)?;
    Ok((file, tokenizer))
}

/// Says what brings the weights of a model, where they are not there.
///
/// # Errors
/// As told.
pub fn expect(weights: &Path, name: &'static str) -> Result<()> {
    if weights.join(name).is_dir() {
        return Ok(());
    }
    Err(Error::Absent { name, folder: weights.to_owned() })
}

/// The SHA-256 of the list of checksums with which a model was brought, in hexadecimal digits: of other files it is another one.
///
/// # Errors
/// The model was not brought, or its list is no plain file.
pub fn digest(weights: &Path, name: &'static str) -> Result<String> {
    expect(weights, name)?;
    let path = weights.join(name).join(SUMS);
    if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
        return Err(Error::Changed { name, path, problem: "is no plain file".to_owned() });
    }
    let sums = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    Ok(sha256_of(&sums))
}

/// A file of a model, after its checksum was compared with the one that was noted when it was brought.
fn read(weights: &Path, name: &'static str, file: &str) -> Result<Vec<u8>> {
    expect(weights, name)?;
    let folder = weights.join(name);
    let (path, sums) = (folder.join(file), folder.join(SUMS));
    let changed =
        |path: &Path, problem: &str| Error::Changed { name, path: path.to_owned(), problem: problem.to_owned() };
    for path in [&path, &sums] {
        // A link or a pipe is never followed nor waited for.
        if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
            return Err(changed(path, "is no plain file"));
        }
    }
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    let sums = fs::read_to_string(&sums).map_err(unreadable(&sums))?;
    // A checksum, two spaces, and the name of the file.
    let noted = sums.lines().filter_map(|line| line.split_once("  ")).find(|(_, own)| own.trim_end() == file);
    let (wanted, _) = noted.ok_or_else(|| changed(&path, "has no checksum in SHA256SUMS"))?;
    let bytes = fs::read(&path).map_err(unreadable(&path))?;
    if sha256_of(&bytes) == wanted {
        return Ok(bytes);
    }
    Err(changed(&path, "has another checksum than the one it was brought with"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of which one file is there, with the checksum of `abc` (FIPS 180-2, appendix B.1).
    fn brought(text: &str) -> tempfile::TempDir {
        let weights = tempfile::tempdir().unwrap();
        let folder = weights.path().join(MINILM);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tokenizer.json"), text).unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        fs::write(folder.join("SHA256SUMS"), format!("{sum}  tokenizer.json\n")).unwrap();
        weights
    }

    #[test]
    fn a_file_is_believed_by_its_checksum_alone() {
        let weights = brought("abc");
        assert_eq!(read(weights.path(), MINILM, "tokenizer.json").unwrap(), b"abc");
        let said = |weights: &Path, file: &str| read(weights, MINILM, file).unwrap_err().to_string();
        let message = said(brought("abd").path(), "tokenizer.json");
        assert!(message.contains("another checksum") && message.contains("cargo xtask data minilm-l6"), "{message}");
        fs::write(weights.path().join(MINILM).join("other"), "abc").unwrap();
        assert!(said(weights.path(), "other").contains("has no checksum"));
        assert!(said(weights.path(), "model.safetensors").contains("no plain file"));
    }

    #[test]
    fn other_files_are_known_by_the_digest_of_their_checksums() {
        let weights = brought("abc");
        let first = digest(weights.path(), MINILM).unwrap();
        assert_eq!((first.len(), digest(weights.path(), MINILM).unwrap()), (64, first.clone()));
        fs::write(weights.path().join(MINILM).join(SUMS), "of another file").unwrap();
        assert_ne!(digest(weights.path(), MINILM).unwrap(), first);
        assert!(matches!(digest(weights.path(), SMOLLM2), Err(Error::Absent { .. })));
        fs::remove_file(weights.path().join(MINILM).join(SUMS)).unwrap();
        assert!(digest(weights.path(), MINILM).unwrap_err().to_string().contains("no plain file"));
    }

    #[test]
    fn what_was_not_brought_is_named_with_what_brings_it() {
        let nothing = tempfile::tempdir().unwrap();
        let said = [
            smollm2(nothing.path()).unwrap_err(),
            minilm(nothing.path()).unwrap_err(),
            whisper(nothing.path()).unwrap_err(),
        ];
        for (said, name) in said.iter().zip(NAMES) {
            assert!(matches!(said, Error::Absent { .. }));
            assert!(said.to_string().contains(&format!("`cargo xtask data {name}` brings it")), "{said}");
            assert!(named(name).unwrap().weights.is_some(), "its description says what its weights went through");
        }
    }
}
