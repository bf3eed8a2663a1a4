//! How much of a model a machine has room for.

use std::fmt::{Display, Formatter};

use crate::description::Description;
use crate::error::{Error, Result};

/// The part of a model that fits: its first layers, with embedding, last norm and head.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The model with so many layers.
    pub model: Description,
    /// Layers of the whole model.
    pub of: usize,
}

impl Fit {
    /// Layers that fit.
    pub fn layers(&self) -> usize {
        self.model.text.layers
    }

    /// Whether all of it fits.
    pub fn is_whole(&self) -> bool {
        self.layers() == self.of
    }
}

/// As a record says it: `19 of 32 layers`.
impl Display for Fit {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        write!(f, "{} of {} layers", self.layers(), self.of)
    }
}

impl Description {
    /// The model with the first `layers` layers of its text. Its number of parameters is that of its tensors.
    pub fn with_layers(&self, layers: usize) -> Self {
        let mut part = self.clone();
        part.text.is_part |= layers < self.text.layers;
        part.text.layers = layers;
        part.parameters = part.counted_parameters();
        part
    }

    /// As many layers as have room in `room_bytes`, where a parameter takes `parameter_bytes` (4 in `f32`).
    ///
    /// # Errors
    /// Not even one layer fits.
    pub fn fit(&self, room_bytes: u64, parameter_bytes: u64) -> Result<Fit> {
        let bytes = |layers: usize| self.with_layers(layers).parameters.saturating_mul(parameter_bytes);
        let (mut fits, mut beyond) = (0, self.text.layers + 1);
        while beyond - fits > 1 {
            let middle = fits.midpoint(beyond);
            if bytes(middle) <= room_bytes { fits = middle } else { beyond = middle }
        }
        if fits == 0 {
            return Err(Error::Inconsistent {
                model: self.name.clone(),
                reason: format!("one layer takes {} bytes, there is room for {room_bytes}", bytes(1)),
            });
        }
        Ok(Fit { model: self.with_layers(fits), of: self.text.layers })
    }
}

#[cfg(test)]
mod tests {
    use crate::named;

    #[test]
    fn the_largest_number_of_layers_is_found() {
        let model = named("llama-7b").unwrap();
        // Embedding, head and last norm have 2 · 32000 · 4096 + 4096 numbers, a layer 4 · 4096² + 3 · 4096 · 11008 + 2 · 4096.
        let bytes = |layers: u64| 4 * (262_148_096 + layers * 202_383_360);
        for (room, layers) in [(bytes(1), 1), (bytes(19), 19), (bytes(20) - 1, 19), (bytes(32), 32), (u64::MAX, 32)] {
            let fit = model.fit(room, 4).unwrap();
            assert_eq!((fit.layers() as u64, fit.is_whole()), (layers, layers == 32), "{room}");
            assert_eq!(fit.to_string(), format!("{layers} of 32 layers"));
            assert_eq!(4 * fit.model.parameters, bytes(layers));
        }
        let message = model.fit(bytes(1) - 1, 4).unwrap_err().to_string();
        assert!(message.contains("one layer takes 1858125824 bytes"), "{message}");
    }
}
