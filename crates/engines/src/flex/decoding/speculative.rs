//! Several tokens a step: some are guessed, and the model keeps those that it would have made (Leviathan et al., arXiv
//! 2211.17192).

use benchbook_core::{Array, Loop, Result, Step};

use super::greedy::{Who, as_output, write_prompt};
use super::text::{Model, Reader, best};

/// What guesses how a text goes on.
pub trait Draft {
    /// Forgets what it knows of earlier texts.
    ///
    /// # Errors
    /// Its model refuses.
    fn begin(&mut self) -> benchbook_simd::Result<()>;

    /// Adds `most` guesses or fewer to a text.
    ///
    /// # Errors
    /// Its model refuses.
    fn guess(&mut self, text: &mut Vec<usize>, most: usize) -> benchbook_simd::Result<()>;
}

/// Guesses nothing: the model alone.
pub struct Alone;

impl Draft for Alone {
    fn begin(&mut self) -> benchbook_simd::Result<()> {
        Ok(())
    }

    fn guess(&mut self, _text: &mut Vec<usize>, _most: usize) -> benchbook_simd::Result<()> {
        Ok(())
    }
}

/// Guesses what has followed the last tokens before: of the longest match, up to so many tokens, the newest (prompt lookup, an
/// n-gram draft; Yang et al., arXiv 2304.04487, section 3).
pub struct Lookup {
    /// Tokens of a match at most.
    pub longest: usize,
}

impl Draft for Lookup {
    fn begin(&mut self) -> benchbook_simd::Result<()> {
        Ok(())
    }

    fn guess(&mut self, text: &mut Vec<usize>, most: usize) -> benchbook_simd::Result<()> {
        let end = text.len();
        for length in (1..=self.longest.min(end.saturating_sub(1))).rev() {
            let last = &text[end - length..];
            let newest = (0..end - length).rev().find(|place| text[*place..].starts_with(last));
            if let Some(place) = newest {
                let from = place + length;
                text.extend_from_within(from..end.min(from + most));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Guesses what a smaller model makes.
pub struct Smaller<M: Model>(pub Reader<M>);

impl<M: Model> Draft for Smaller<M> {
    fn begin(&mut self) -> benchbook_simd::Result<()> {
        self.0.keep(0)
    }

    fn guess(&mut self, text: &mut Vec<usize>, most: usize) -> benchbook_simd::Result<()> {
        for _ in 0..most {
            let guess = best(self.0.logits(text, 1)?);
            text.push(guess);
        }
        Ok(())
    }
}

/// Greedy decoding whose guesses are checked in one pass.
pub struct Speculative<M: Model, D> {
    /// For errors.
    pub who: Who,
    /// The model, and what it has read.
    pub reader: Reader<M>,
    /// What guesses.
    pub draft: D,
    /// Guesses of a step at most.
    pub guesses: usize,
    /// The prompt.
    pub prompt: Vec<usize>,
    /// Tokens to make.
    pub tokens: usize,
    /// All so far, once the first step has begun.
    pub ids: Vec<usize>,
}

impl<M: Model, D: Draft> Speculative<M, D> {
    /// Guesses, and keeps those up to the first that is not the model's own, which takes its place: how many were kept, and how
    /// many there were.
    fn next(&mut self, most: usize) -> benchbook_simd::Result<[usize; 2]> {
        let begin = self.ids.len();
        self.draft.guess(&mut self.ids, most)?;
        let drafted = self.ids.len() - begin;
        let vocabulary = self.reader.vocabulary();
        let logits = self.reader.logits(&self.ids, drafted + 1)?;
        let own = logits.chunks_exact(vocabulary).map(best);
        let kept = self.ids[begin..].iter().zip(own).take_while(|(guess, own)| *guess == own).count();
        // The model's own token after what was kept.
        let token = best(&logits[kept * vocabulary..][..vocabulary]);
        self.ids.truncate(begin + kept);
        self.ids.push(token);
        Ok([kept, drafted])
    }
}

impl<M: Model, D: Draft> Loop for Speculative<M, D> {
    fn begin(&mut self) {
        self.ids.clear();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let mut most = 0;
        let end = self.prompt.len() + self.tokens;
        if self.ids.is_empty() {
            self.ids.extend_from_slice(&self.prompt);
            self.who.said(self.reader.keep(0))?;
            self.who.said(self.draft.begin())?;
        } else {
            // One token is the model's own.
            most = self.guesses.min(end - self.ids.len() - 1);
        }
        let next = self.next(most);
        let [accepted, drafted] = self.who.said(next)?;
        for (value, count) in values.iter_mut().zip([accepted, drafted]) {
            *value = count as f64;
        }
        Ok(Step { tokens: accepted as i64 + 1, more: self.ids.len() < end })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![as_output(&self.ids[self.prompt.len()..])])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_prompt(&mut self.prompt, input, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(text: &[usize], most: usize) -> Vec<usize> {
        let mut all = text.to_vec();
        Lookup { longest: 3 }.guess(&mut all, most).unwrap();
        all.split_off(text.len())
    }

    #[test]
    fn the_longest_and_newest_match_goes_on() {
        assert_eq!(guessed(&[1, 2, 3, 9, 2, 3], 2), [9, 2]);
        assert_eq!(guessed(&[1, 3, 5, 2, 3, 7, 2, 3], 9), [7, 2, 3], "two tokens match before one does");
        assert_eq!(guessed(&[4, 5, 4, 6, 4], 1), [6], "the newest");
        assert_eq!(guessed(&[8, 8], 4), [8]);
        assert!(guessed(&[1, 2, 3], 4).is_empty() && guessed(&[1], 4).is_empty() && guessed(&[], 4).is_empty());
    }
}
