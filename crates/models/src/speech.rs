//! What is said, written down by a whole Whisper.

use crate::decoder::{Decoder, Session};
use crate::description::Description;
use crate::encoder::{AudioEncoder, AudioRoom};
use crate::error::{Error, Result};
use crate::mel::{HOP, Mel, RATE};
use crate::tokenizer::Bpe;
use crate::weights::Source;

/// Tokens before a text: English, as it is said, without times (Radford et al., arXiv 2212.04356, section 2.3).
const BEGIN: [&str; 4] = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"];

/// The token behind a text; all others that are none of a text have larger numbers.
const END: &str = "<|endoftext|>";

/// A Whisper and its tokenizer.
#[derive(Debug)]
pub struct Speech {
    mel: Mel,
    encoder: AudioEncoder,
    decoder: Decoder,
    tokenizer: Bpe,
    begin: Vec<i32>,
    end: i32,
    /// A space alone, with which no text begins.
    blank: Option<i32>,
}

impl Speech {
    /// Packs the weights that `source` gives.
    ///
    /// # Errors
    /// A model that is no Whisper, a tokenizer that is of another one, or what the source says.
    pub fn load(model: &Description, source: &dyn Source, tokenizer: Bpe) -> Result<Self> {
        let encoder = AudioEncoder::load(model, source)?;
        Self::with(model, source, tokenizer, encoder)
    }

    /// The same with another encoder, as one that a technique has made of the model's own.
    ///
    /// # Errors
    /// As there.
    pub fn with(model: &Description, source: &dyn Source, tokenizer: Bpe, encoder: AudioEncoder) -> Result<Self> {
        let audio = model.audio.as_ref().ok_or_else(|| Error::NotBuilt(model.name.clone()))?;
        tokenizer.fits(model.text.vocabulary)?;
        let special = |name: &str| {
            let absent = || Error::Tokenizer(format!("it has no {name}: it is none of a Whisper of many languages"));
            tokenizer.special(name).ok_or_else(absent)
        };
        let (begin, end) = (BEGIN.into_iter().map(special).collect::<Result<Vec<i32>>>()?, special(END)?);
        let blank = tokenizer.encode(" ")?.first().copied();
        Ok(Self {
            mel: Mel::new(audio.bins)?,
            encoder,
            decoder: Decoder::load(model, source, model.text.context)?,
            tokenizer,
            begin,
            end,
            blank,
        })
    }

    /// Samples that are heard at most, at [`RATE`]: those of 30 seconds.
    pub fn most(&self) -> usize {
        self.encoder.audio().positions * 2 * HOP
    }

    /// Its encoder.
    pub fn encoder(&self) -> &AudioEncoder {
        &self.encoder
    }

    /// What is said in a sound at [`RATE`], by the most likely token again and again, half of the model's context at most.
    ///
    /// # Errors
    /// No sound, more of it than is heard at once, or a sample that is no finite number.
    pub fn written(&self, samples: &[f32]) -> Result<String> {
        let (mel, mut room) = (self.spectrogram(samples)?, AudioRoom::default());
        self.written_of(self.encoder.hidden(&mut room, &mel, 1)?)
    }

    /// The spectrogram `[bins, frames]` of a sound at [`RATE`] with silence behind it, of as many frames as are heard at most.
    ///
    /// # Errors
    /// As of [`Speech::written`].
    pub fn spectrogram(&self, samples: &[f32]) -> Result<Vec<f32>> {
        if samples.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if samples.len() > self.most() {
            let [given, most] = [samples.len(), self.most()].map(|samples| samples as f64 / RATE as f64);
            return Err(Error::Session(format!("{given:.1} seconds of sound: {most:.1} are heard at once, cut it")));
        }
        self.mel.of(samples, self.most() / HOP)
    }

    /// What is said in a sound of which its encoder has made these positions `[left, width]`, see [`Speech::written`].
    ///
    /// # Errors
    /// No positions, or such of another width.
    pub fn written_of(&self, heard: &[f32]) -> Result<String> {
        let context = self.decoder.text().context;
        let mut session = Session::new(&self.decoder, context, self.begin.len())?;
        session.hear(&self.decoder, heard)?;
        let mut made = Vec::new();
        while made.len() < context / 2 {
            let logits = match made.last() {
                None => session.prefill(&self.decoder, &self.begin)?,
                Some(last) => session.step(&self.decoder, &[*last])?,
            };
            let next = self.next(logits, made.is_empty());
            if next == self.end {
                break;
            }
            made.push(next);
        }
        self.tokenizer.decode(&made)
    }

    /// The most likely token of a text, or its end; a text does not begin with either a blank or its end.
    fn next(&self, logits: &[f32], begins: bool) -> i32 {
        let taken = |id: &i32| !begins || (*id != self.end && Some(*id) != self.blank);
        let better = |best: Option<i32>, id: i32| match best {
            Some(best) if logits[best as usize] >= logits[id as usize] => Some(best),
            _ => Some(id),
        };
        (0..=self.end).filter(taken).fold(None, better).unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{Like, Parts, tokens};
    use crate::weights::Seeded;

    const MODEL: &str = r#"
name = "tiny whisper"
source = "made up"
parameters = 1

[text]
architecture = "whisper"
layers = 1
heads = 2
kv_heads = 2
head_dim = 6
width = 12
hidden = 24
vocabulary = 261
context = 20
tied = true
epsilon = 1e-5

[audio]
layers = 1
heads = 2
width = 12
hidden = 24
bins = 8
positions = 10
"#;

    fn tokenizer(special: &[&str]) -> Bpe {
        let words = tokens(&[]);
        let tokens = words.iter().map(String::as_str).zip(0..).collect();
        let special = special.iter().map(|name| (*name).to_owned()).zip(256..).collect();
        Bpe::new(Parts { tokens, merges: Vec::new(), special, like: Like::Gpt2 }).unwrap()
    }

    fn whole() -> Bpe {
        tokenizer(&[END, BEGIN[0], BEGIN[1], BEGIN[2], BEGIN[3]])
    }

    fn load(tokenizer: Bpe) -> Result<Speech> {
        Speech::load(&Description::parse(MODEL).unwrap(), &Seeded { seed: 3 }, tokenizer)
    }

    fn noise(samples: usize) -> Vec<f32> {
        (0..samples).map(|at| ((at * at * 31 + at * 7) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn a_text_is_tokens_of_a_text_alone() {
        let speech = load(whole()).unwrap();
        assert_eq!(speech.most(), 3200);
        let (one, other) = (speech.written(&noise(3200)).unwrap(), speech.written(&noise(500)).unwrap());
        assert_eq!(speech.written(&noise(3200)).unwrap(), one);
        for text in [&one, &other] {
            assert!(!text.is_empty() && !text.starts_with(' ') && !text.contains("<|"), "{text:?}");
            assert!(text.chars().count() <= 10, "half of the context: {text:?}");
        }
    }

    #[test]
    fn what_is_most_likely_and_may_stand_there_is_taken() {
        let speech = load(whole()).unwrap();
        let mut logits = vec![0.0; 261];
        (logits[258], logits[256], logits[32], logits[65]) = (9.0, 8.0, 7.0, 6.0);
        // A token of no text is never taken, the end not at once, nor a blank; of several the first.
        assert_eq!((speech.next(&logits, true), speech.next(&logits, false)), (65, 256));
        logits[66] = 6.0;
        assert_eq!(speech.next(&logits, true), 65);
    }

    #[test]
    fn what_cannot_be_heard_or_written_is_refused() {
        let speech = load(whole()).unwrap();
        assert!(matches!(speech.written(&[]), Err(Error::EmptyPrompt)));
        let said = speech.written(&noise(3201)).unwrap_err().to_string();
        assert!(said.contains("0.2 seconds of sound: 0.2 are heard at once"), "{said}");
        assert!(speech.written(&[0.0, f32::NAN]).unwrap_err().to_string().contains("sample 1 is NaN"));
        let said = load(tokenizer(&[END, BEGIN[0]])).unwrap_err().to_string();
        assert!(said.contains("no <|en|>"), "{said}");
        let said = load(tokenizer(&[END, BEGIN[0], BEGIN[1], BEGIN[2], BEGIN[3], "a"])).unwrap_err().to_string();
        assert!(said.contains("the model knows 261"), "{said}");
        let text = crate::named("gpt2-124m").unwrap();
        assert!(matches!(Speech::load(&text, &Seeded { seed: 3 }, whole()), Err(Error::NotBuilt(_))));
    }
}
