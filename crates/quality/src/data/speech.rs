//! Sentences that were read aloud, and commands of a game of cards, with what was said (the tests of PocketSphinx: Huggins-Daines et
//! al., ICASSP 2006, and LibriVox).

use super::{File, Set};
use crate::Result;
use std::collections::BTreeMap;
use std::path::Path;

const SPEECH: Set = Set {
    name: "speech",
    bytes: 1_101_428,
    digest: "c26bf728a3ec0a1815b45688d61432dc3b2a95a85735ab77e817fdd61d296e6f",
};

/// Samples of a second.
const RATE: u32 = 16_000;

/// A sound and its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Its name, such as `005`.
    pub name: String,
    /// From -1 to 1, 16,000 of them a second.
    pub samples: Vec<f32>,
    /// What is said, in lower case, without punctuation.
    pub said: String,
}

/// The ten utterances in the order of their names.
///
/// # Errors
/// The set is not there, or is damaged.
pub fn speech(data: &Path) -> Result<Vec<Utterance>> {
    utterances(&SPEECH.read(data)?)
}

fn utterances(files: &[File]) -> Result<Vec<Utterance>> {
    let (sounds, texts): (Vec<&File>, Vec<&File>) = files.iter().partition(|file| file.name().ends_with(".wav"));
    let mut words = BTreeMap::new();
    for file in texts {
        for (number, line) in file.text()?.lines().enumerate() {
            let wrong = || file.damaged(format!("has no words and no name in line {}", number + 1));
            let (said, name) = transcribed(line).ok_or_else(wrong)?;
            words.insert(name.to_owned(), said.to_owned());
        }
    }
    let one = |file: &&File| -> Result<Utterance> {
        let name = file.name().trim_end_matches(".wav");
        let said = words.get(name).ok_or_else(|| file.damaged("has no transcription"))?;
        Ok(Utterance { name: name.to_owned(), samples: samples(file)?, said: said.clone() })
    };
    sounds.iter().map(one).collect()
}

/// Words and a name, of a line such as `<s> ten of clubs  </s> (001)`.
fn transcribed(line: &str) -> Option<(&str, &str)> {
    let (said, name) = line.strip_prefix("<s>")?.split_once("</s>")?;
    Some((said.trim(), name.trim().strip_prefix('(')?.strip_suffix(')')?))
}

/// The samples of a file of RIFF: one channel of 16 bits, without anything between its head and them.
fn samples(file: &File) -> Result<Vec<f32>> {
    let bytes = &file.bytes;
    let number = |at: usize| bytes.get(at..at + 4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let is = |at: usize, tag: &[u8]| bytes.get(at..at + tag.len()) == Some(tag);
    // PCM (1) of one channel, and sixteen bits behind two bytes a sample.
    let plain = is(20, &[1, 0, 1, 0]) && is(32, &[2, 0, 16, 0]) && number(24) == Some(RATE);
    let right = is(0, b"RIFF") && is(8, b"WAVEfmt ") && is(36, b"data") && plain;
    let Some(sound) = bytes.get(44..).filter(|_| right) else {
        return Err(file.damaged("is no sound of one channel, 16 bits and 16 kHz"));
    };
    if number(40).map(u64::from) != Some(sound.len() as u64) || sound.len() % 2 != 0 {
        return Err(file.damaged(format!("has {} bytes of sound, its head says another number", sound.len())));
    }
    Ok(sound.as_chunks::<2>().0.iter().map(|two| f32::from(i16::from_le_bytes(*two)) / 32768.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> File {
        File { set: "speech", folder: "/d/s".into(), path: Path::new("/d/s").join(name), bytes: bytes.to_vec() }
    }

    /// A sound of these samples.
    fn sound(samples: &[i16]) -> Vec<u8> {
        let length = 2 * samples.len() as u32;
        let head = [&b"RIFF"[..], &(36 + length).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]];
        let rates = [16_000_u32.to_le_bytes(), 32_000_u32.to_le_bytes()].concat();
        let numbers: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        [&head.concat()[..], &rates, &[2, 0, 16, 0], b"data", &length.to_le_bytes(), &numbers].concat()
    }

    #[test]
    fn sounds_are_found_with_their_words() {
        let files = [
            file("001.wav", &sound(&[0, 16_384, -32_768])),
            file("b.wav", &sound(&[])),
            file("cards.transcription", b"<s> ten of clubs  </s> (001)\n"),
            file("transcription", b"<s> he was not </s> (b)\n<s> unless </s> (c)\n"),
        ];
        let found = utterances(&files).expect("two sounds");
        let told: Vec<(&str, &str)> = found.iter().map(|one| (one.name.as_str(), one.said.as_str())).collect();
        assert_eq!(told, [("001", "ten of clubs"), ("b", "he was not")]);
        assert_eq!(found[0].samples, [0.0, 0.5, -1.0]);
    }

    #[test]
    fn what_is_no_sound_or_has_no_words_is_named() {
        let words = || file("transcription", b"<s> ten </s> (001)\n");
        let said = |sound: &[u8]| utterances(&[file("001.wav", sound), words()]).expect_err("a sound").to_string();
        let whole = sound(&[1, 2, 3]);
        (0..whole.len()).for_each(|length| assert!(said(&whole[..length]).contains("001.wav"), "{length}"));
        assert!(said(&[&whole[..], &[0, 0]].concat()).contains("another number"));
        for (at, wrong) in [(22, 2), (24, 0), (34, 8), (20, 3)] {
            let mut other = whole.clone();
            other[at] = wrong;
            assert!(said(&other).contains("no sound of one channel"), "{at}");
        }
        let message = utterances(&[file("002.wav", &whole), words()]).expect_err("words").to_string();
        assert!(message.contains("002.wav: has no transcription"), "{message}");
        let message = utterances(&[file("transcription", b"<s> ten </s> 001\n")]).expect_err("a name").to_string();
        assert!(message.contains("in line 1"), "{message}");
    }
}
