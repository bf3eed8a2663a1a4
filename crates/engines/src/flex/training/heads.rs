//! Rows of heads beside each other, and arrays by heads.

/// A batch whose rows have heads of this width beside each other.
#[derive(Debug, Clone, Copy)]
pub struct ByHeads {
    pub batch: usize,
    pub seq: usize,
    pub head_dim: usize,
}

impl ByHeads {
    /// Where the part of a head, of so many, begins that belongs to a token.
    fn place(&self, token: usize, [head, heads]: [usize; 2]) -> usize {
        let Self { seq, head_dim, .. } = *self;
        ((token / seq * heads + head) * seq + token % seq) * head_dim
    }

    /// Rows of as many parts as there are arrays as arrays by heads, `[batch, heads, seq, head_dim]`, each with heads of its own number.
    pub fn split(&self, rows: &[f32], to: &mut [Vec<f32>]) {
        let tokens = self.batch * self.seq;
        let mut first = 0;
        for to in to {
            let width = to.len() / tokens;
            for (token, from) in rows.chunks_exact(rows.len() / tokens).enumerate() {
                for (head, from) in from[first..][..width].chunks_exact(self.head_dim).enumerate() {
                    to[self.place(token, [head, width / self.head_dim])..][..from.len()].copy_from_slice(from);
                }
            }
            first += width;
        }
    }

    /// The other way round.
    pub fn join(&self, from: &[Vec<f32>], rows: &mut [f32]) {
        let tokens = self.batch * self.seq;
        let row = rows.len() / tokens;
        let mut first = 0;
        for from in from {
            let width = from.len() / tokens;
            for (token, to) in rows.chunks_exact_mut(row).enumerate() {
                for (head, to) in to[first..][..width].chunks_exact_mut(self.head_dim).enumerate() {
                    to.copy_from_slice(&from[self.place(token, [head, width / self.head_dim])..][..to.len()]);
                }
            }
            first += width;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_heads_of_their_own_number_are_split_and_joined() {
        let by = ByHeads { batch: 1, seq: 2, head_dim: 1 };
        // Two queries and a key of each of two tokens.
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut parts = [vec![0.0; 4], vec![0.0; 2]];
        by.split(&rows, &mut parts);
        assert_eq!(parts, [vec![1.0, 4.0, 2.0, 5.0], vec![3.0, 6.0]]);
        let mut joined = [0.0; 6];
        by.join(&parts, &mut joined);
        assert_eq!(joined, rows);
    }
}
