//! Which numbers of a pass forward wait for the pass back, and which are computed again.

use std::ops::Range;

/// Which numbers of the pass forward wait for the pass back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// All that are needed.
    All,
    /// The stream before every so many layers, from which the others are computed again (Chen et al., arXiv 1604.06174).
    Every(usize),
    /// What products by weights give, and of GPT-2 what attention gives; norms, activations and whatever else comes between products are
    /// computed again (Korthikanti et al., arXiv 2205.05198, section 4.2).
    Products,
}

/// The stream before some layers.
pub struct Checkpoints {
    pub keeping: Keeping,
    layers: usize,
    starts: Vec<Vec<f32>>,
}

impl Checkpoints {
    /// Those of so many layers, between which a stream has so many numbers.
    pub fn new(keeping: Keeping, layers: usize, numbers: usize) -> Self {
        let count = match keeping {
            Keeping::All | Keeping::Products => 0,
            Keeping::Every(some) => layers.div_ceil(some),
        };
        Self { keeping, layers, starts: (0..count).map(|_| vec![0.0; numbers]).collect() }
    }

    /// Layers of which what products give lies in memory at a time, and those of what is made of it without one.
    pub fn places(&self) -> [usize; 2] {
        match self.keeping {
            Keeping::All => [self.layers; 2],
            Keeping::Every(some) => [some.min(self.layers); 2],
            Keeping::Products => [self.layers, 1],
        }
    }

    /// Numbers of all streams.
    pub fn numbers(&self) -> usize {
        self.starts.iter().map(Vec::len).sum()
    }

    /// Keeps the stream before a layer where it is to be kept.
    pub fn pass(&mut self, layer: usize, stream: &[f32]) {
        if let Keeping::Every(some) = self.keeping
            && layer.is_multiple_of(some)
        {
            self.starts[layer / some].copy_from_slice(stream);
        }
    }

    /// Layers that are to be passed forward again before one is passed back, from the stream that they begin with.
    pub fn again(&self, layer: usize, stream: &mut [f32]) -> Range<usize> {
        let Keeping::Every(some) = self.keeping else { return 0..0 };
        // The last stretch is still there; of every other one, the last layer comes first.
        let last = self.layers.div_ceil(some) - 1;
        let (stretch, ends) = (layer / some, layer % some == some - 1);
        if stretch == last || !ends {
            return 0..0;
        }
        stream.copy_from_slice(&self.starts[stretch]);
        stretch * some..layer + 1
    }
}
