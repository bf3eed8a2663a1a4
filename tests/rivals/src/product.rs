//! A real kernel: the product of two square matrices on one thread.

use std::hint::black_box;

use crate::random::Random;

/// Rows and columns: three matrices of 16 KiB.
const SIZE: usize = 64;

/// Two matrices of f32 and room for their product.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    left: Vec<f32>,
    right: Vec<f32>,
    out: Vec<f32>,
}

impl Product {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut matrix = || (0..SIZE * SIZE).map(|_| (2.0 * random.unit() - 1.0) as f32).collect();
        Self { left: matrix(), right: matrix(), out: vec![0.0; SIZE * SIZE] }
    }

    /// Multiplies once; returns the first entry.
    #[expect(unsafe_code, reason = "gemm takes pointers")]
    pub(crate) fn multiply(&mut self) -> f32 {
        let (columns, rows) = (1, SIZE as isize);
        // SAFETY: the three vectors hold SIZE × SIZE entries each, which the sizes and strides given cover exactly; only
        // `out` is written, and it is borrowed mutably.
        unsafe {
            gemm::gemm(
                SIZE,
                SIZE,
                SIZE,
                black_box(self.out.as_mut_ptr()),
                columns,
                rows,
                false,
                black_box(self.left.as_ptr()),
                columns,
                rows,
                black_box(self.right.as_ptr()),
                columns,
                rows,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        self.out.first().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry of the product is the sum of its 64 products, within 64 roundings of f32 on terms below 1.
    #[test]
    fn product_is_the_product() {
        let mut product = Product::new(3);
        product.multiply();
        for row in 0..SIZE {
            for column in 0..SIZE {
                let exact: f64 = (0..SIZE)
                    .map(|k| f64::from(product.left[row * SIZE + k]) * f64::from(product.right[k * SIZE + column]))
                    .sum();
                let error = (f64::from(product.out[row * SIZE + column]) - exact).abs();
                assert!(error < 64.0 * 64.0 * f64::from(f32::EPSILON), "{row}, {column}: {error}");
            }
        }
    }
}
