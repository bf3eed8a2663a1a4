//! Texts that people have judged, and what the directions that a model gives them come to beside that.

use benchbook_core::{Array, Metric};
use benchbook_models::real;
use benchbook_quality::data::{self, Similarities};
use benchbook_quality::labels::{accuracy, accuracy_difference, macro_estimates};
use benchbook_quality::similarity::{correlations, cosine, retrieval};
use benchbook_quality::{Error, Estimate, Of, PIECES};

/// Snippets that are taken of all: of three, two are learned from, and one is judged.
const SNIPPETS: usize = 720;

/// Tokens of a text at most, as its authors have it.
const MOST: usize = 256;

/// Texts as tokens, and what people say of them.
pub struct Labelled {
    pub texts: Vec<Vec<i32>>,
    pub judged: Judged,
}

/// What people say.
pub enum Judged {
    /// Nothing: the texts are drawn.
    Nothing,
    /// How similar two of them are.
    Similar(Similarities),
    /// Whether each is for or against, and texts to learn from, with theirs.
    For { truth: Vec<usize>, learned: Vec<(Vec<i32>, usize)> },
}

/// Drawn texts of as many tokens as their number, from 1 on.
pub fn drawn(vocabulary: usize, seed: u64) -> Labelled {
    let count = PIECES + 2;
    let all = Array::normal(vec![count * (count + 1) / 2], seed, 1);
    let mut ids = all.of::<f32>().iter().map(|one| (one.to_bits() as usize % vocabulary) as i32);
    let texts: Vec<Vec<i32>> = (1..=count).map(|length| ids.by_ref().take(length).collect()).collect();
    Labelled { texts, judged: Judged::Nothing }
}

/// Texts of the set `lee` or `sentiment`.
///
/// # Errors
/// Weights, with which the tokenizer comes, or the set were not brought.
pub fn brought(set: &str) -> Result<Labelled, String> {
    let nowhere = "neither XDG_CACHE_HOME nor HOME names a folder";
    let (weights, texts) = (real::folder().ok_or(nowhere)?, data::folder().ok_or(nowhere)?);
    let (_, tokenizer) = real::minilm(&weights).map_err(|error| error.to_string())?;
    let ids = |text: &str| tokenizer.encode(text, MOST).map_err(|error| error.to_string());
    if set == "lee" {
        let people = data::similarities(&texts).map_err(|error| error.to_string())?;
        let texts = people.documents.iter().map(|text| ids(text)).collect::<Result<_, String>>()?;
        return Ok(Labelled { texts, judged: Judged::Similar(people) });
    }
    let all = data::sentiment(&texts).map_err(|error| error.to_string())?;
    let (mut texts, mut truth, mut learned) = (Vec::new(), Vec::new(), Vec::new());
    let each = (all.len() / SNIPPETS).max(1);
    for (place, snippet) in all.iter().step_by(each).take(SNIPPETS).enumerate() {
        let class = usize::from(snippet.score > 0.0);
        if place % 3 == 0 {
            texts.push(ids(&snippet.text)?);
            truth.push(class);
        } else {
            learned.push((ids(&snippet.text)?, class));
        }
    }
    Ok(Labelled { texts, judged: Judged::For { truth, learned } })
}

/// The mean direction of each of two classes (Rocchio, *Relevance feedback in information retrieval*, 1971): a text is of the class
/// whose mean is nearer.
pub fn means(directions: &[Vec<f32>], classes: impl Iterator<Item = usize>) -> [Vec<f32>; 2] {
    let width = directions.first().map_or(0, Vec::len);
    let mut sums = [vec![0.0_f32; width], vec![0.0; width]];
    for (direction, class) in directions.iter().zip(classes) {
        sums[class.min(1)].iter_mut().zip(direction).for_each(|(sum, number)| *sum += number);
    }
    sums
}

/// The class whose mean is nearer, by its angle.
///
/// # Errors
/// A direction or a mean is nothing.
pub fn nearer(direction: &[f32], means: &[Vec<f32>; 2]) -> Result<usize, Error> {
    Ok(usize::from(cosine(direction, &means[1])? > cosine(direction, &means[0])?))
}

impl Judged {
    /// What their set is called in an estimate.
    pub fn data(&self) -> &'static str {
        match self {
            Self::Nothing => "drawn texts",
            Self::Similar(_) => "lee, 50 documents",
            Self::For { .. } => "sentiment, every forty-second snippet",
        }
    }

    /// The estimates of directions; of classes those that were found, and those that the same in `f32` has found.
    ///
    /// # Errors
    /// An estimate cannot be given.
    pub fn estimates(
        &self,
        directions: &[Vec<f32>],
        found: &[usize],
        baseline: Option<&[usize]>,
    ) -> Result<Vec<Metric>, Error> {
        let of = Of { data: self.data(), item: "snippet" };
        let estimates: Vec<Estimate> = match self {
            Self::Nothing => Vec::new(),
            Self::Similar(people) => {
                let mut estimates = Vec::from(correlations(directions, people, self.data())?);
                estimates.extend(retrieval(directions, people, self.data())?);
                estimates
            }
            Self::For { truth, .. } => {
                let mut estimates = vec![accuracy(truth, found, of)?];
                estimates.extend(macro_estimates(truth, found, 2, of)?);
                if let Some(baseline) = baseline {
                    estimates.push(accuracy_difference(truth, baseline, found, of)?);
                }
                estimates
            }
        };
        Ok(estimates.iter().flat_map(Estimate::metrics).collect())
    }
}
