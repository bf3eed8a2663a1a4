//! How keys and values lie in memory: as numbers, or as whole numbers with scales.

/// Keys and values, a row of each a position of a layer.
pub trait Store {
    /// Puts a key and a value into a row.
    fn put(&mut self, row: usize, both: [&[f32]; 2]);

    /// The product of a query's head with that head of a key.
    fn score(&self, row: usize, head: usize, query: &[f32]) -> f32;

    /// Adds a head of a value, so many times.
    fn add(&self, row: usize, head: usize, weight: f32, out: &mut [f32]);

    /// A head of a key (0) or of a value (1), as the numbers that it stands for.
    fn numbers(&self, which: usize, row: usize, head: usize, out: &mut [f32]);

    /// Bytes that all rows take.
    fn bytes(&self) -> usize;
}

/// Numbers as they are.
#[derive(Debug)]
pub struct Numbers {
    width: usize,
    /// Keys and values, each `[rows, width]`.
    both: [Vec<f32>; 2],
}

impl Numbers {
    /// Room for so many rows.
    pub fn new(rows: usize, width: usize) -> Self {
        Self { width, both: [vec![0.0; rows * width], vec![0.0; rows * width]] }
    }
}

/// Lanes of a sum: added up in one order, whatever the length.
const LANES: usize = 8;

/// The product of two vectors.
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (lefts, rights) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest: f32 = lefts.remainder().iter().zip(rights.remainder()).map(|(left, right)| left * right).sum();
    let mut sums = [0.0_f32; LANES];
    for (left, right) in lefts.zip(rights) {
        for (sum, (left, right)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += left * right;
        }
    }
    sums.iter().sum::<f32>() + rest
}

impl Store for Numbers {
    fn put(&mut self, row: usize, both: [&[f32]; 2]) {
        for (kept, new) in self.both.iter_mut().zip(both) {
            kept[row * self.width..][..self.width].copy_from_slice(new);
        }
    }

    fn score(&self, row: usize, head: usize, query: &[f32]) -> f32 {
        dot(query, &self.both[0][row * self.width + head * query.len()..][..query.len()])
    }

    fn add(&self, row: usize, head: usize, weight: f32, out: &mut [f32]) {
        let value = &self.both[1][row * self.width + head * out.len()..][..out.len()];
        out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * value);
    }

    fn numbers(&self, which: usize, row: usize, head: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.both[which][row * self.width + head * out.len()..][..out.len()]);
    }

    fn bytes(&self) -> usize {
        self.both.iter().map(|numbers| size_of_val(&numbers[..])).sum()
    }
}

/// Whole numbers of `BITS` bits, 8 or 4, from −127 to 127 or from −7 to 7, with a scale for each head of a row. Of four bits, the
/// first of two is the low nibble.
#[derive(Debug)]
pub struct Coded<const BITS: usize> {
    heads: usize,
    size: usize,
    /// Codes of keys and of values, each `[rows, heads, bytes of a head]`.
    codes: [Vec<u8>; 2],
    /// Scales of keys and of values, each `[rows, heads]`.
    scales: [Vec<f32>; 2],
}

impl<const BITS: usize> Coded<BITS> {
    /// The largest code.
    const MOST: f32 = if BITS == 4 { 7.0 } else { 127.0 };

    /// Room for so many rows.
    pub fn new(rows: usize, width: usize, heads: usize) -> Self {
        let size = width / heads;
        let codes = vec![0; rows * heads * (size * BITS).div_ceil(8)];
        let scales = vec![0.0; rows * heads];
        Self { heads, size, codes: [codes.clone(), codes], scales: [scales.clone(), scales] }
    }

    /// The codes of a head, as numbers, and their scale.
    fn head(&self, which: usize, row: usize, head: usize) -> (impl Iterator<Item = f32> + '_, f32) {
        let (bytes, place) = ((self.size * BITS).div_ceil(8), row * self.heads + head);
        let codes = &self.codes[which][place * bytes..][..bytes];
        let one = move |number: usize| {
            let code = if BITS == 4 {
                // The sign of a nibble is that of the byte of which it is the upper half.
                ((codes[number / 2] >> (4 * (number % 2))) << 4).cast_signed() >> 4
            } else {
                codes[number].cast_signed()
            };
            f32::from(code)
        };
        ((0..self.size).map(one), self.scales[which][place])
    }
}

impl<const BITS: usize> Store for Coded<BITS> {
    fn put(&mut self, row: usize, both: [&[f32]; 2]) {
        let bytes = (self.size * BITS).div_ceil(8);
        for ((codes, scales), new) in self.codes.iter_mut().zip(&mut self.scales).zip(both) {
            for (head, numbers) in new.chunks_exact(self.size).enumerate() {
                let place = row * self.heads + head;
                let scale = numbers.iter().fold(0.0_f32, |most, number| most.max(number.abs())) / Self::MOST;
                let codes = &mut codes[place * bytes..][..bytes];
                codes.fill(0);
                scales[place] = scale;
                for (number, value) in numbers.iter().enumerate() {
                    let code = if scale > 0.0 { (value / scale).round() as i8 } else { 0 };
                    if BITS == 4 {
                        codes[number / 2] |= (code.cast_unsigned() & 15) << (4 * (number % 2));
                    } else {
                        codes[number] = code.cast_unsigned();
                    }
                }
            }
        }
    }

    fn score(&self, row: usize, head: usize, query: &[f32]) -> f32 {
        let (codes, scale) = self.head(0, row, head);
        scale * query.iter().zip(codes).map(|(query, code)| query * code).sum::<f32>()
    }

    fn add(&self, row: usize, head: usize, weight: f32, out: &mut [f32]) {
        let (codes, scale) = self.head(1, row, head);
        let weight = weight * scale;
        out.iter_mut().zip(codes).for_each(|(out, code)| *out += weight * code);
    }

    fn numbers(&self, which: usize, row: usize, head: usize, out: &mut [f32]) {
        let (codes, scale) = self.head(which, row, head);
        out.iter_mut().zip(codes).for_each(|(out, code)| *out = scale * code);
    }

    fn bytes(&self) -> usize {
        let bytes = self.codes.iter().map(Vec::len).sum::<usize>();
        bytes + self.scales.iter().map(|scales| size_of_val(&scales[..])).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of two heads of three numbers.
    fn told<S: Store>(mut store: S) -> (f32, Vec<f32>) {
        store.put(1, [&[9.0, 9.0, 9.0, 7.0, -3.4, 1.0], &[0.0, 0.0, 0.0, -0.7, 0.1, 0.0]]);
        let mut out = vec![1.0; 3];
        store.add(1, 1, 2.0, &mut out);
        (store.score(1, 1, &[1.0, 10.0, 100.0]), out)
    }

    #[test]
    fn codes_stand_for_multiples_of_the_scale_of_their_head() {
        let (score, out) = told(Numbers::new(2, 6));
        assert!((score - 73.0).abs() < 1e-4 && (out[0] + 0.4).abs() < 1e-6, "{score} {out:?}");
        let (score, out) = told(Coded::<4>::new(2, 6, 2));
        assert!((score - 77.0).abs() < 1e-4, "-3.4 is -3 of 7: {score}");
        assert!((out[0] + 0.4).abs() < 1e-6 && (out[1] - 1.2).abs() < 1e-6 && out[2] > 0.999, "{out:?}");
        let mut store = Coded::<4>::new(1, 6, 2);
        store.put(0, [&[0.0, 0.0, 0.0, 7.0, -3.4, 1.0], &[0.0, 0.0, 0.0, -0.7, 0.1, 0.0]]);
        let mut key = [f32::NAN; 3];
        store.numbers(0, 0, 1, &mut key);
        assert_eq!(key, [7.0, -3.0, 1.0]);
        let (score, _) = told(Coded::<8>::new(2, 6, 2));
        let right = 7.0 / 127.0 * (127.0 - 10.0 * 62.0 + 100.0 * 18.0);
        assert!((score - right).abs() < 1e-3, "{score} {right}");
    }

    #[test]
    fn zeros_have_no_scale_and_four_bits_take_an_eighth() {
        let mut store = Coded::<4>::new(1, 16, 1);
        store.put(0, [&[0.0; 16]; 2]);
        assert_eq!(store.score(0, 0, &[1.0; 16]).to_bits(), 0.0_f32.to_bits());
        assert_eq!((store.bytes(), Numbers::new(1, 16).bytes()), (2 * (8 + 4), 2 * 64));
    }
}
