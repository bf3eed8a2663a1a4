//! What a step of training tells of itself.

/// What is known of a step before its weights change.
pub struct Told<'a> {
    /// The mean cross-entropy of its batch, in nats.
    pub loss: f64,
    /// The norm of the gradient of all weights.
    pub gradient_norm: f64,
    /// Those of the layers that are looked at.
    pub layers: &'a [f64],
}

/// Who says what a step tells.
pub trait Telling {
    /// Layers whose gradients it looks at, of so many.
    fn looks_at(&self, layers: usize) -> Vec<usize>;

    /// Forgets the loop before.
    fn begin(&mut self) {}

    /// Writes what a step tells, in the order in which its case names it.
    fn tell(&mut self, step: &Told<'_>, values: &mut [f64]);
}

/// Tells the loss and norms of gradients: of all weights, of the first and of the last layer.
pub struct Ends;

impl Telling for Ends {
    fn looks_at(&self, layers: usize) -> Vec<usize> {
        vec![0, layers - 1]
    }

    fn tell(&mut self, step: &Told<'_>, values: &mut [f64]) {
        let told = [step.loss, step.gradient_norm].into_iter().chain(step.layers.iter().copied());
        values.iter_mut().zip(told).for_each(|(to, value)| *to = value);
    }
}
