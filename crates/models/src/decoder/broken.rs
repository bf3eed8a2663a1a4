//! Where the numbers of a model stop being finite.

use super::{Decoder, Layer, MOST_STEP, Session};
use crate::error::Result;

impl Decoder {
    /// The first layer, from 0, behind which a text has numbers that are not finite; nothing where all are, or where they become so
    /// elsewhere, as in the head. Layers are left out from the last one on until numbers are finite: this is for who has seen some
    /// that are not.
    ///
    /// # Errors
    /// A text that cannot be read, and any text of a Whisper, since nothing is heard.
    pub fn breaks_at(&mut self, ids: &[i32]) -> Result<Option<usize>> {
        let (layers, exit) = (self.text.layers, self.exit.take());
        let mut left_out = Vec::new();
        let found = self.broken(ids, &mut left_out);
        self.layers.extend(left_out.into_iter().rev());
        (self.text.layers, self.exit) = (layers, exit);
        found
    }

    fn broken(&mut self, ids: &[i32], left_out: &mut Vec<Layer>) -> Result<Option<usize>> {
        if self.is_finite(ids)? {
            return Ok(None);
        }
        while let Some(layer) = self.layers.pop() {
            left_out.push(layer);
            self.text.layers = self.layers.len();
            if self.is_finite(ids)? {
                return Ok(Some(self.layers.len()));
            }
        }
        Ok(None)
    }

    /// Whether the logits behind each token of a text are finite.
    fn is_finite(&self, ids: &[i32]) -> Result<bool> {
        let mut session = Session::new(self, ids.len(), MOST_STEP)?;
        for some in ids.chunks(MOST_STEP) {
            if !session.step(self, some)?.iter().all(|logit| logit.is_finite()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
