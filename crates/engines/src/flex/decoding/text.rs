//! What techniques of decoding ask of a model: passes over tokens of several texts, each with what is kept of it.

use benchbook_simd::{Error, Result};

/// What a model keeps of a text that it has read.
pub trait Text {
    /// Positions that were read.
    fn positions(&self) -> usize;

    /// Positions that there is room for.
    fn room(&self) -> usize;

    /// Goes back to the first `positions` of those that were read.
    ///
    /// # Errors
    /// Some of what would be seen again was evicted.
    fn truncate(&mut self, positions: usize) -> Result<()>;

    /// Bytes that it takes, whatever was read.
    fn bytes(&self) -> usize;
}

/// What a pass reads of one text; each text is a part of a pass once.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Which of the texts goes on.
    pub text: usize,
    /// The tokens that follow.
    pub tokens: &'a [usize],
    /// After how many of them, the last ones, logits are wanted.
    pub wanted: usize,
}

/// A model that goes on with texts.
pub trait Model {
    /// What it keeps of a text.
    type Text: Text;

    /// Tokens that there are.
    fn vocabulary(&self) -> usize;

    /// A text of which nothing was read.
    fn text(&self) -> Self::Text;

    /// Reads all parts, and gives the logits that are wanted, `[Σ wanted, vocabulary]`, in the order of the parts. How many
    /// positions a pass has changes no bit of what comes of each.
    ///
    /// # Errors
    /// As [`rows_of`].
    fn pass(&mut self, texts: &mut [Self::Text], parts: &[Part<'_>]) -> Result<&[f32]>;
}

/// Positions of a pass.
///
/// # Errors
/// A part without tokens, with tokens that there are not, or with more than its text has room for.
pub fn rows_of<T: Text>(texts: &[T], parts: &[Part<'_>], vocabulary: usize) -> Result<usize> {
    for Part { text, tokens, wanted } in parts {
        let (known, room) = (texts[*text].positions(), texts[*text].room());
        if tokens.is_empty() {
            return Err(Error::Shape("nothing follows no token: give a prompt of one at least".into()));
        }
        if known + tokens.len() > room {
            let more = tokens.len();
            let message = format!("{more} tokens after {known} positions: the context has room for {room}");
            return Err(Error::Shape(message));
        }
        if *wanted > tokens.len() {
            return Err(Error::Shape(format!("logits after {wanted} of {} tokens", tokens.len())));
        }
        if let Some(token) = tokens.iter().find(|token| **token >= vocabulary) {
            return Err(Error::Shape(format!("token {token} is none of {vocabulary}")));
        }
    }
    Ok(parts.iter().map(|part| part.tokens.len()).sum())
}

/// The most likely token, the first where several are.
pub fn best(logits: &[f32]) -> usize {
    let better = |best: usize, token: usize| if logits[token] > logits[best] { token } else { best };
    (1..logits.len()).fold(0, better)
}

/// A model with one text, which reads no position twice where it need not.
pub struct Reader<M: Model> {
    model: M,
    /// One text, or none before anything is read: so that what a call takes is seen in it.
    texts: Vec<M::Text>,
    /// The tokens whose positions are known.
    read: Vec<usize>,
    /// Positions of a pass at most: what a pass needs room for (chunked prefill: Agrawal et al., arXiv 2308.16369, section 4).
    chunk: usize,
}

impl<M: Model> Reader<M> {
    /// A reader that has read nothing.
    pub fn new(model: M, chunk: usize) -> Self {
        Self { model, texts: Vec::new(), read: Vec::new(), chunk: chunk.max(1) }
    }

    /// Forgets all but the first `positions`.
    ///
    /// # Errors
    /// As [`Text::truncate`].
    pub fn keep(&mut self, positions: usize) -> Result<()> {
        let kept = positions.min(self.read.len());
        if let Some(text) = self.texts.first_mut() {
            text.truncate(kept)?;
        }
        self.read.truncate(kept);
        Ok(())
    }

    /// Tokens that there are.
    pub fn vocabulary(&self) -> usize {
        self.model.vocabulary()
    }

    /// Bytes that its text takes.
    pub fn bytes(&self) -> usize {
        self.texts.iter().map(Text::bytes).sum()
    }

    /// The logits after each of the last `wanted` tokens of a text, `[wanted, vocabulary]`; positions are read from the first
    /// token on that is another than the last time.
    ///
    /// # Errors
    /// As [`rows_of`]; fewer tokens than are wanted.
    pub fn logits(&mut self, text: &[usize], wanted: usize) -> Result<&[f32]> {
        if text.len() < wanted.max(1) {
            return Err(Error::Shape(format!("logits after {wanted} of {} tokens: give a longer prompt", text.len())));
        }
        let same = self.read.iter().zip(text).take_while(|(read, token)| read == token).count();
        self.keep(same.min(text.len() - wanted))?;
        if self.texts.is_empty() {
            self.texts.push(self.model.text());
        }
        loop {
            let rest = &text[self.read.len()..];
            let is_last = rest.len() <= self.chunk || rest.len() == wanted;
            let taken = if is_last { rest.len() } else { self.chunk.min(rest.len() - wanted) };
            let part = Part { text: 0, tokens: &rest[..taken], wanted: if is_last { wanted } else { 0 } };
            if is_last {
                self.read.extend_from_slice(part.tokens);
                let passed = self.model.pass(&mut self.texts, &[part]);
                if passed.is_err() {
                    self.read.truncate(self.texts[0].positions());
                }
                return passed;
            }
            self.model.pass(&mut self.texts, &[part])?;
            self.read.extend_from_slice(part.tokens);
        }
    }
}
