//! Answers that took long, kept between runs: in the user's cache, a file each, under a digest of all that they depend on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use benchbook_core::Reference;
use benchbook_core::message::AnswerInfo;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{heard, told};
use crate::frame::{self, Reader, parts};
use crate::{clock, user_cache};

/// Version of the files.
const VERSION: u64 = 1;

/// Size of all files together at most, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Hexadecimal digits of a digest, with which the name of every file begins.
const DIGITS: usize = 2 * blake3::OUT_LEN;

/// A folder of answers.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    most_bytes: u64,
}

/// The place of one answer.
#[derive(Debug)]
pub struct Entry {
    cache: Cache,
    name: String,
}

/// What stands in a file, behind a checksum.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Name of the entry that it was written for.
    reference: String,
    answers: Vec<AnswerInfo>,
}

impl Cache {
    /// The cache of this user; nothing where there is no home.
    pub fn of_user() -> Option<Self> {
        Some(Self::at(user_cache::folder("references")?, MOST_BYTES))
    }

    /// A cache in a folder, which is made with the first answer.
    pub fn at(folder: PathBuf, most_bytes: u64) -> Self {
        Self { folder, most_bytes }
    }

    /// The place of the answer that code of this digest gives to a question with inputs of that digest.
    pub fn entry(&self, code: &str, question: &str, inputs: &str) -> Entry {
        let mut hasher = blake3::Hasher::new();
        let version = VERSION.to_le_bytes();
        super::add(&mut hasher, &[&version, code.as_bytes(), question.as_bytes(), inputs.as_bytes()]);
        Entry { cache: self.clone(), name: hasher.finalize().to_hex().to_string() }
    }

    /// Removes what was not used for longest, until so many bytes more fit.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let held = fs::read_dir(&self.folder)?.flatten().filter_map(|entry| {
            let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            // What others have put there is theirs.
            is_ours(entry.file_name().to_str()?).then_some((found.modified().ok()?, found.len(), entry.path()))
        });
        let mut held: Vec<(SystemTime, u64, PathBuf)> = held.collect();
        held.sort_unstable();
        let mut total = held.iter().fold(bytes, |total, (_, size, _)| total.saturating_add(*size));
        for (_, size, path) in held {
            if total <= self.most_bytes {
                break;
            }
            match fs::remove_file(path) {
                // Another run has made room too.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= size,
            }
        }
        Ok(())
    }
}

/// Whether a file has a name as ours have.
fn is_ours(name: &str) -> bool {
    name.len() >= DIGITS && name.bytes().take(DIGITS).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Entry {
    fn path(&self) -> PathBuf {
        self.cache.folder.join(&self.name)
    }

    /// The answer, where it was kept; what is damaged, or was written for another place, was not.
    pub fn read(&self) -> Option<Reference> {
        let path = self.path();
        fs::metadata(&path).ok().filter(|found| found.len() <= self.cache.most_bytes)?;
        let bytes = benchbook_journal::read_bytes(&path).ok()?;
        let (checksum, frame) = bytes.split_first_chunk::<{ blake3::OUT_LEN }>()?;
        if blake3::hash(frame) != *checksum {
            return None;
        }
        let (kept, numbers) = Reader::new(frame).receive().ok()??.message::<Kept>().ok()?;
        let reference = heard(kept.answers, numbers).ok().filter(|_| kept.reference == self.name)?;
        // A read-only cache serves as well; its order of removal is then nobody's matter.
        let _ = touch(&path);
        Some(reference)
    }

    /// Keeps an answer, unless it is larger than all may be together.
    pub fn write(&self, reference: &Reference) -> io::Result<()> {
        let (answers, numbers) = told(reference);
        let mut frame = Vec::new();
        let kept = Kept { reference: self.name.clone(), answers };
        let encoded = frame::write(&mut frame, &kept, &parts(&numbers), None);
        encoded.map_err(|error| io::Error::other(error.to_string()))?;
        let bytes = (blake3::OUT_LEN + frame.len()) as u64;
        if bytes > self.cache.most_bytes {
            return Ok(());
        }
        fs::create_dir_all(&self.cache.folder)?;
        self.cache.make_room(bytes)?;
        let fresh = self.cache.folder.join(format!("{}.{}", self.name, Uuid::now_v7()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        let written = file.write_all(blake3::hash(&frame).as_bytes()).and_then(|()| file.write_all(&frame));
        let placed = written.and_then(|()| fs::rename(&fresh, self.path()));
        if placed.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        placed
    }
}

/// Notes that a file is used now.
fn touch(path: &Path) -> io::Result<()> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(clock::utc_ns().max(0).cast_unsigned());
    File::options().append(true).open(path)?.set_modified(now)
}

#[cfg(test)]
mod tests {
    use benchbook_core::{Array, Check, Inputs};

    use super::*;
    use crate::references::digest_of;

    fn reference(values: Vec<f64>) -> Reference {
        let mut reference = Reference::of(vec![1, values.len()], vec![0], values);
        reference.answers[0].check = Check::Greedy { gaps: vec![f64::INFINITY], least: 1e-3 };
        reference
    }

    fn inputs() -> Inputs {
        Inputs::from([("a", Array::normal(vec![2, 3], 1, 1)), ("table", Array::new(vec![2], &[1_i32, 2]))])
    }

    fn cache(most_bytes: u64) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("not/yet"), most_bytes);
        (folder, cache)
    }

    #[test]
    fn an_answer_is_kept_under_all_that_it_depends_on() {
        let (_folder, cache) = cache(MOST_BYTES);
        let entry = cache.entry("code", "question", &digest_of(&inputs()));
        assert_eq!(entry.read(), None);
        let answer = reference(vec![0.1, f64::NEG_INFINITY]);
        entry.write(&answer).unwrap();
        assert_eq!(entry.read(), Some(answer));
        let mut others = vec![inputs(), inputs(), inputs()];
        others[0].get_mut("a").unwrap().write(0, &[0.5]);
        others[1].insert("a", Array::new(vec![3, 2], inputs().numbers("a")));
        others[2].insert("b", Array::new(vec![0], &[0_u8; 0]));
        for other in &others {
            assert_eq!(cache.entry("code", "question", &digest_of(other)).read(), None);
        }
        assert_eq!(cache.entry("newer code", "question", &digest_of(&inputs())).read(), None);
        assert_eq!(cache.entry("code", "another question", &digest_of(&inputs())).read(), None);
    }

    #[test]
    fn what_is_truncated_damaged_or_foreign_is_not_believed_and_is_replaced() {
        let (_folder, cache) = cache(MOST_BYTES);
        let (entry, answer) = (cache.entry("code", "question", &digest_of(&inputs())), reference(vec![1.0, 2.0, 3.0]));
        entry.write(&answer).unwrap();
        let whole = fs::read(entry.path()).unwrap();
        let other = cache.entry("code", "other", &digest_of(&inputs()));
        other.write(&reference(vec![9.0])).unwrap();
        let damaged = (0..whole.len()).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        });
        let truncated = (0..whole.len()).map(|length| whole[..length].to_vec());
        for bytes in damaged.chain(truncated).chain([fs::read(other.path()).unwrap(), b"something else".to_vec()]) {
            fs::write(entry.path(), bytes).unwrap();
            assert_eq!(entry.read(), None);
        }
        entry.write(&answer).unwrap();
        assert_eq!(entry.read(), Some(answer));
        fs::remove_file(entry.path()).unwrap();
        fs::create_dir(entry.path()).unwrap();
        assert_eq!(entry.read(), None, "a folder is no answer");
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let answer = reference(vec![0.0; 100]);
        let (_folder, all) = cache(MOST_BYTES);
        let entries: Vec<Entry> =
            ["a", "b", "c"].map(|question| all.entry("code", question, &digest_of(&inputs()))).into();
        entries[0].write(&answer).unwrap();
        let size = fs::metadata(entries[0].path()).unwrap().len();
        // Two fit.
        let small = Cache { most_bytes: 2 * size + size / 2, ..all.clone() };
        let [a, b, c] = ["a", "b", "c"].map(|question| small.entry("code", question, &digest_of(&inputs())));
        b.write(&answer).unwrap();
        fs::write(all.folder.join("notes.txt"), vec![0; 10_000]).unwrap();
        let hour = Duration::from_secs(3_600);
        let old = SystemTime::UNIX_EPOCH + hour;
        for (entry, age) in [(&a, 0), (&b, 1)] {
            File::options().append(true).open(entry.path()).unwrap().set_modified(old + age * hour).unwrap();
        }
        assert!(a.read().is_some(), "which is a use of it");
        c.write(&answer).unwrap();
        assert_eq!((a.read().is_some(), b.read().is_some(), c.read().is_some()), (true, false, true));
        assert!(all.folder.join("notes.txt").is_file(), "what others have put there stays");
        let tiny = Cache { most_bytes: size - 1, ..all.clone() };
        tiny.entry("code", "d", &digest_of(&inputs())).write(&answer).unwrap();
        assert_eq!(all.entry("code", "d", &digest_of(&inputs())).read(), None, "it is larger than all may be");
        assert!(a.read().is_some() && c.read().is_some(), "and nothing makes room for it");
    }

    #[test]
    fn names_of_ours_are_known() {
        let name = "0a".repeat(DIGITS / 2);
        assert!(is_ours(&name) && is_ours(&format!("{name}.x")));
        assert!(!is_ours(&name[1..]) && !is_ours(&name.to_uppercase()) && !is_ours("notes.txt"));
    }
}
