//! Products of a model, forward and back, and the loss behind the last of them.

use benchbook_simd::{self as simd, Isa, Product, Result};

use super::casts::Casts;

/// Two row-major factors `[rows, inner]` and `[inner, columns]`, for a size of `[rows, inner, columns]`.
fn matmul(isa: Isa, size: [usize; 3], [left, right]: [&[f32]; 2], out: &mut [f32]) -> Result<()> {
    simd::matmul(&Product { size, left, right, isa }, out)
}

/// A product of rows with weights `[from, to]`.
pub struct Linear<'a> {
    pub isa: Isa,
    pub casts: &'a mut Casts,
    /// Which of all products it is.
    pub number: usize,
    /// Numbers of a row that comes in, and of one that goes out.
    pub size: [usize; 2],
}

impl Linear<'_> {
    /// Rows `[tokens, from]` as rows `[tokens, to]`.
    ///
    /// # Errors
    /// An instruction set that is absent.
    pub fn forward(self, input: &[f32], weights: &[f32], out: &mut [f32]) -> Result<()> {
        let [from, to] = self.size;
        let factors = self.casts.forward(self.number, input, weights)?;
        matmul(self.isa, [input.len() / from, from, to], factors, out)
    }

    /// The gradients of the input and of the weights, by input, weights and the gradient of the result; `turned` is for columns of
    /// each, and holds as many numbers at least.
    ///
    /// # Errors
    /// As of [`Self::forward`].
    pub fn backward(
        self,
        turned: &mut [Vec<f32>; 3],
        parts: [&[f32]; 3],
        out: &mut [f32],
        of_weights: &mut [f32],
    ) -> Result<()> {
        let (isa, [from, to]) = (self.isa, self.size);
        let tokens = parts[0].len() / from;
        let [input, weights, grad] = self.casts.backward(self.number, parts)?;
        let [of_input, of_grad, of_out] = turned;
        let of_input = &mut of_input[..tokens * from];
        simd::transpose([tokens, from], input, of_input)?;
        matmul(isa, [from, tokens, to], [&*of_input, grad], of_weights)?;
        // Weights are a left factor as they lie.
        let (of_grad, of_out) = (&mut of_grad[..tokens * to], &mut of_out[..tokens * from]);
        simd::transpose([tokens, to], grad, of_grad)?;
        matmul(isa, [from, to, tokens], [weights, &*of_grad], of_out)?;
        simd::transpose([from, tokens], of_out, out)
    }
}

/// Room for the logits of a batch.
pub struct Logits {
    /// `[tokens, vocabulary]`
    rows: Vec<f32>,
    /// The same as columns.
    columns: Vec<f32>,
    losses: Vec<f32>,
}

impl Logits {
    /// Room for so many tokens.
    pub fn new(tokens: usize, vocabulary: usize) -> Self {
        let zeros = || vec![0.0; tokens * vocabulary];
        Self { rows: zeros(), columns: zeros(), losses: vec![0.0; tokens] }
    }

    /// The mean cross-entropy of what was wanted of each row `[tokens, width]`, in nats, by the logits that `table`
    /// `[vocabulary, width]` gives. Rows become their gradients, and that of the table is set; `turned` is for columns of the rows.
    ///
    /// # Errors
    /// A token that there is not, an instruction set that is absent.
    pub fn loss(
        &mut self,
        isa: Isa,
        table: &[f32],
        wanted: &[i32],
        rows: &mut [f32],
        turned: &mut [f32],
        of_table: &mut [f32],
    ) -> Result<f64> {
        let Self { rows: logits, columns, losses } = self;
        let tokens = wanted.len();
        let (vocabulary, width) = (logits.len() / tokens, rows.len() / tokens);
        // The table is a left factor as it lies.
        let turned = &mut turned[..tokens * width];
        simd::transpose([tokens, width], rows, turned)?;
        matmul(isa, [vocabulary, width, tokens], [table, &*turned], columns)?;
        simd::transpose([vocabulary, tokens], columns, logits)?;
        simd::cross_entropy(isa, vocabulary, wanted, logits, losses)?;
        simd::transpose([tokens, vocabulary], logits, columns)?;
        matmul(isa, [vocabulary, tokens, width], [&columns[..], &*rows], of_table)?;
        matmul(isa, [tokens, vocabulary, width], [&logits[..], table], rows)?;
        Ok(losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / tokens as f64)
    }
}
