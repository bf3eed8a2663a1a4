//! Text that a model is trained on, a token a byte.

use std::sync::OnceLock;

use benchbook_quality::data;
use benchbook_workloads::decoding::Uniform;

/// Tokens that a byte can be.
pub const BYTES: usize = 256;

/// Letters of the language that is made up, and the first of them as a byte.
const LETTERS: usize = 64;
const FIRST: usize = b' ' as usize;

/// Letters that may follow one.
const FOLLOWING: usize = 4;

/// Seed of the language, which is the same whatever text is drawn of it.
const LANGUAGE: u64 = 23;

/// Where text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A language that is made up: of 64 letters, each is followed by one of four, of which the first comes every other time, the next
    /// half as often, and the last two as often as each other. A letter tells 1.75 bits, 1.213 nats, at best.
    Chain,
    /// The Brown corpus, its documents one after another.
    Brown,
}

impl Source {
    /// Their names, in parameters.
    pub const NAMES: [&str; 2] = ["chain", "brown"];

    /// The one of this name; any other name is the made-up one.
    pub fn of(name: &str) -> Self {
        if name == Self::NAMES[1] { Self::Brown } else { Self::Chain }
    }

    /// Windows of so many bytes that follow each other without overlap; nothing where there is always one more.
    ///
    /// # Errors
    /// The text was not brought.
    pub fn windows(self, window: usize) -> Result<Option<usize>, String> {
        match self {
            Self::Chain => Ok(None),
            Self::Brown => corpus().map(|text| Some(text.len() / window)),
        }
    }

    /// So many windows as tokens, in an order that follows from a seed.
    ///
    /// # Errors
    /// The text was not brought, or is shorter than a window.
    pub fn ids(self, window: usize, count: usize, seed: u64) -> Result<Vec<i32>, String> {
        match self {
            Self::Chain => Ok(drawn(window, count, seed)),
            Self::Brown => ordered(corpus()?, window, count, seed),
        }
    }
}

/// The bytes of the Brown corpus.
fn corpus() -> Result<&'static [u8], String> {
    static TEXT: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let read = || -> Result<Vec<u8>, String> {
        let folder = data::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
        let documents = data::brown(&folder).map_err(|error| error.to_string())?;
        Ok(documents.into_iter().flat_map(|document| document.text.into_bytes()).collect())
    };
    TEXT.get_or_init(read).as_deref().map_err(Clone::clone)
}

/// For each letter those that may follow it, no two the same.
fn language() -> Vec<[usize; FOLLOWING]> {
    let mut uniform = Uniform::new(LANGUAGE);
    let one = |_| {
        let mut letters: Vec<usize> = (0..LETTERS).collect();
        std::array::from_fn(|_| letters.swap_remove(uniform.up_to(letters.len()) - 1))
    };
    (0..LETTERS).map(one).collect()
}

/// Texts of the made-up language, each from a letter of its own.
fn drawn(window: usize, count: usize, seed: u64) -> Vec<i32> {
    let (language, mut uniform) = (language(), Uniform::new(seed));
    let mut ids = Vec::with_capacity(window * count);
    for _ in 0..count {
        let mut letter = uniform.up_to(LETTERS) - 1;
        for _ in 0..window {
            ids.push((FIRST + letter) as i32);
            // Half of all, half of the rest, and of what is left then the one as often as the other.
            letter = language[letter][uniform.bits().leading_ones().min(FOLLOWING as u32 - 1) as usize];
        }
    }
    ids
}

/// Windows of a text in a random order, each once before any comes again.
fn ordered(text: &[u8], window: usize, count: usize, seed: u64) -> Result<Vec<i32>, String> {
    let places = text.len() / window;
    if places == 0 {
        return Err(format!("the text has {} bytes, and a window {window}", text.len()));
    }
    let (mut uniform, mut order) = (Uniform::new(seed), Vec::new());
    let mut ids = Vec::with_capacity(window * count);
    for place in 0..count {
        if place % places == 0 {
            order = (0..places).collect();
            for last in (1..places).rev() {
                order.swap(last, uniform.up_to(last + 1) - 1);
            }
        }
        let start = order[place % places] * window;
        ids.extend(text[start..][..window].iter().map(|byte| i32::from(*byte)));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_followed_as_often_as_the_language_says() {
        let (language, ids) = (language(), drawn(1001, 40, 5));
        let mut counts = [0.0; FOLLOWING];
        for text in ids.chunks_exact(1001) {
            for pair in text.windows(2) {
                let [letter, next] = [pair[0], pair[1]].map(|id| id as usize - FIRST);
                let place = language[letter].iter().position(|one| *one == next).expect("it may follow");
                counts[place] += 1.0;
            }
        }
        // Of 40,000 draws a share is off by 0.0025 in the root of the mean square.
        for (count, share) in counts.iter().zip([0.5, 0.25, 0.125, 0.125]) {
            assert!(f64::abs(count / 40_000.0 - share) < 0.0125, "{counts:?}");
        }
        assert_eq!(drawn(9, 2, 5), drawn(9, 2, 5));
        assert_ne!(drawn(9, 2, 5), drawn(9, 2, 6));
    }

    #[test]
    fn every_window_comes_once_before_any_comes_again() {
        let text: Vec<u8> = (0..103).collect();
        let ids = ordered(&text, 10, 25, 3).expect("ten windows");
        let starts: Vec<i32> = ids.chunks_exact(10).map(|window| window[0]).collect();
        for epoch in starts[..20].chunks_exact(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).map(|place| 10 * place).collect::<Vec<i32>>());
        }
        assert!(ids.chunks_exact(10).all(|window| window.windows(2).all(|pair| pair[1] == pair[0] + 1)));
        // Two of 10! orders are the same by chance in none of 3,628,800 tries but one, and the seed is fixed.
        assert_ne!(starts[..10], starts[10..20]);
        assert_eq!(ordered(&text, 10, 25, 3), Ok(ids));
        assert!(ordered(&text, 200, 1, 3).is_err_and(|reason| reason.contains("103 bytes")));
    }
}
