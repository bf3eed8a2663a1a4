//! The Cholesky factor, which products of vectors are made orthonormal by and least squares are solved by.

/// Puts the lower triangle L of a symmetric and positive matrix a = L Lᵀ `[count, count]` in the place of that of a; what lies above the
/// diagonal stays. Where it is not positive there is no such factor, and its diagonal has zeros or numbers that are none.
pub fn cholesky(matrix: &mut [f64], count: usize) {
    for row in 0..count {
        for column in 0..=row {
            let [of_row, of_column] = [row, column].map(|at| &matrix[at * count..][..column]);
            let shared: f64 = of_row.iter().zip(of_column).map(|(one, other)| one * other).sum();
            let rest = matrix[row * count + column] - shared;
            matrix[row * count + column] =
                if row == column { rest.sqrt() } else { rest / matrix[column * count + column] };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triangle_times_itself_is_the_matrix_again() {
        let matrix = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];
        let mut factor = matrix;
        cholesky(&mut factor, 3);
        for (row, column) in (0..3).flat_map(|row| (0..=row).map(move |column| (row, column))) {
            let product: f64 = (0..=column).map(|at| factor[row * 3 + at] * factor[column * 3 + at]).sum();
            assert!((product - matrix[row * 3 + column]).abs() < 1e-14, "{row} {column}: {product}");
            assert!(row == column || factor[column * 3 + row] == matrix[column * 3 + row], "{row} {column}");
        }
    }

    #[test]
    fn what_is_not_positive_has_none() {
        let mut negative = [1.0, 2.0, 2.0, 1.0];
        cholesky(&mut negative, 2);
        assert!(negative[3].is_nan(), "{negative:?}");
        let mut zeros = [0.0; 4];
        cholesky(&mut zeros, 2);
        assert!(zeros[0] == 0.0 && zeros[3].is_nan(), "{zeros:?}");
    }
}
